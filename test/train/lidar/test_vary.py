"""Other looks at a scan and its image: what belongs together still does."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from xmodal_ros.data.point_cloud import IGNORE
from xmodal_ros.train.lidar.settings import VarySettings
from xmodal_ros.train.lidar.vary import Look, cropped, recoloured, vary_labelled, vary_pair

STILL = VarySettings(
    columns=0, anywhere=0.0, mirrored=0.0, brightness=1.0, cropped=1.0, recoloured=0.0
)


@pytest.fixture
def look() -> Look:
    """A scan whose intensity is the red of the pixels it is seen at, in columns 50 to 69."""
    row, column = np.mgrid[:16, :20].astype(np.float32)
    image = np.zeros((32, 40, 3), np.uint8)
    image[..., 0] = (np.arange(40) * 6)[None] + np.arange(32)[:, None] // 4 + 1
    uv = np.full((16, 80, 2), np.nan, np.float32)
    uv[:, 50:70] = np.stack([2 * column + 0.5, 2 * row + 0.5], axis=2)
    scan = np.random.default_rng(0).uniform(0.1, 1, (16, 80, 4)).astype(np.float32)
    scan[:, 50:70, 3] = image[::2, ::2, 0] / 255
    return Look(scan, image, uv)


def red_where_seen(look: Look) -> tuple[np.ndarray, np.ndarray]:
    """Intensity of the points that are seen, and the red of their pixels."""
    seen = ~np.isnan(look.uv[..., 0])
    column, row = (look.uv[seen] + 0.5).astype(int).T
    return 255 * look.scan[seen][:, 3], look.image[row, column, 0].astype(float)


def test_nothing_changes_but_where_the_turn_begins(look):
    found = vary_pair(look, STILL, np.random.default_rng(3))
    start = int((found.scan[0, 0] == look.scan[0]).all(1).argmax())
    np.testing.assert_array_equal(found.scan, np.roll(look.scan, -start, axis=1))
    np.testing.assert_array_equal(found.uv, np.roll(look.uv, -start, axis=1))
    np.testing.assert_array_equal(found.image, look.image)


def test_points_keep_their_pixels(look):
    settings = dataclasses.replace(STILL, columns=32, mirrored=0.5, cropped=0.5)
    rng = np.random.default_rng(0)
    for _ in range(40):
        found = vary_pair(look, settings, rng)
        assert found.scan.shape == (16, 32, 4)
        assert found.image.shape == look.image.shape
        intensity, red = red_where_seen(found)
        assert len(red) > 40
        assert np.abs(intensity - red).max() < 13  # the next column is 6 brighter


def test_a_window_holds_what_is_seen_or_is_full_of_it(look):
    rng = np.random.default_rng(0)
    behind = look._replace(uv=np.roll(look.uv, 20, axis=1))  # of a camera that looks backwards
    for (width, count), each in itertools.product(((32, 20), (8, 8)), (look, behind)):
        settings = dataclasses.replace(STILL, columns=width)
        for _ in range(20):
            seen = ~np.isnan(vary_pair(each, settings, rng).uv[0, :, 0])
            assert seen.sum() == count


def test_a_window_is_no_wider_than_the_scan(look):
    settings = dataclasses.replace(STILL, columns=500)
    assert vary_pair(look, settings, np.random.default_rng(0)).scan.shape == look.scan.shape
    labels = np.zeros((16, 80), np.uint8)
    scan, _ = vary_labelled(look.scan, labels, settings, np.random.default_rng(0))
    assert scan.shape == look.scan.shape


def test_windows_anywhere_reach_all_columns(look):
    rng = np.random.default_rng(0)
    settings = dataclasses.replace(STILL, columns=8, anywhere=1.0)
    firsts = {vary_pair(look, settings, rng).scan[0, 0, 0] for _ in range(600)}
    assert len(firsts) == 80


def test_a_mirrored_scan_is_that_of_the_mirrored_scene(look):
    settings = dataclasses.replace(STILL, mirrored=1.0)
    found = vary_pair(look, settings, np.random.default_rng(0))
    np.testing.assert_array_equal(found.image, look.image[:, ::-1])
    expected = look.scan[:, ::-1] * (1, -1, 1, 1)
    start = int((expected[0] == found.scan[0, 0]).all(1).argmax())
    np.testing.assert_array_equal(found.scan, np.roll(expected, -start, axis=1))
    np.testing.assert_allclose(*red_where_seen(found), rtol=1e-5)


def test_a_brighter_scan_has_the_same_places(look):
    labels = np.zeros((16, 80), np.uint8)
    before = look.scan * np.array((1, 1, 1, 0.1), np.float32)
    settings = dataclasses.replace(STILL, brightness=3.0)
    scan, _ = vary_labelled(before, labels, settings, np.random.default_rng(0))
    start = int(np.isclose(scan[0, 0, :3], before[0, :, :3]).all(1).argmax())
    factors = scan / np.roll(before, -start, axis=1)
    np.testing.assert_allclose(factors[..., :3], 1, rtol=1e-5)
    np.testing.assert_allclose(factors[..., 3], factors[0, 0, 3], rtol=1e-5)
    assert 1 / 3 <= factors[0, 0, 3] <= 3
    bright = [
        vary_labelled(look.scan, labels, settings, np.random.default_rng(k))[0] for k in range(9)
    ]
    assert np.max(bright) == 1


def test_windows_of_labels_have_every_class_as_often():
    labels = np.zeros((4, 80), np.uint8)
    labels[2, 7] = 1
    labels[:, 40:] = IGNORE
    rng = np.random.default_rng(0)
    scan = np.zeros((4, 80, 4), np.float32)
    found = [vary_labelled(scan, labels, VarySettings(columns=8), rng)[1] for _ in range(200)]
    assert all(each.shape == (4, 8) and (each != IGNORE).any() for each in found)
    assert 0.4 < np.mean([(each == 1).any() for each in found]) < 0.75


def test_a_part_of_an_image_and_what_it_shows():
    image = np.arange(20 * 30, dtype=np.uint32).reshape(20, 30) % 251
    image = np.repeat(image[..., None], 3, axis=2).astype(np.uint8)
    uv = np.array([[0, 0], [29, 19], [15, 10], [np.nan, np.nan]], np.float32)
    part, found = cropped(image, uv, 0.25, np.random.default_rng(1))
    assert part.shape == image.shape
    assert found.dtype == np.float32
    inside = ~np.isnan(found[:, 0])
    assert 0 < inside.sum() < 3
    assert (found[inside] >= -0.5).all()
    assert (found[inside] < (29.5, 19.5)).all()


def test_recolouring_changes_no_more_than_it_may():
    image = np.full((4, 5, 3), 100, np.uint8)
    np.testing.assert_array_equal(recoloured(image, 0.0, np.random.default_rng(0)), image)
    found = [recoloured(image, 0.2, np.random.default_rng(k)) for k in range(50)]
    assert np.min(found) < 90
    assert np.max(found) > 110
    assert np.max(found) <= 100 * 1.2**3
