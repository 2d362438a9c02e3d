from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from xmodal_ros.core.range_image import OUTSIDE, RangeView, gather, to_range_image

UNEVEN = (14.9, 11.0, 5.0, 3.0, 2.83, 2.66, 2.49, -1.0, -6.0, -13.0, -24.9)  # as Pandar64's are


def spin(elevations_deg, azimuths_deg, distance=10.0):
    """Points of rings one after the other, the highest first, all at one distance."""
    up, along = np.radians(np.meshgrid(elevations_deg, azimuths_deg, indexing="ij"))
    directions = [np.cos(up) * np.cos(along), np.cos(up) * np.sin(along), np.sin(up)]
    points = np.stack([*(distance * x for x in directions), np.full(up.shape, 0.5)], axis=-1)
    return points.reshape(-1, 4).astype(np.float32)


def one_by_one(points, view):
    """What the given field of view asks for, point by point."""
    best = {}
    pixels = []
    top, low = math.radians(view.highest_deg), math.radians(view.lowest_deg)
    span = math.radians(view.span_deg)
    for index, (x, y, z, _) in enumerate(points.astype(float)):
        distance = math.sqrt(x * x + y * y + z * z)
        pixel = OUTSIDE
        if view.nearest_m <= distance <= view.farthest_m:
            row = math.floor((top - math.asin(z / distance)) / (top - low) * (view.rows - 1) + 0.5)
            right = (span / 2 - math.atan2(y, x)) % (2 * math.pi)
            if 0 <= row < view.rows and right < span:
                pixel = row * view.columns + int(right / span * view.columns)
                if distance < best.get(pixel, (math.inf,))[0]:
                    best[pixel] = distance, index
        pixels.append(pixel)
    return pixels, {pixel: index for pixel, (_, index) in best.items()}


@pytest.mark.parametrize("span_deg", [360.0, 120.0])
def test_agrees_with_a_loop_over_points(span_deg):
    points = np.random.default_rng(0).normal(0, 5, (4000, 4)).astype(np.float32)
    view = RangeView(9, 40, -40.0, 25.0, span_deg, nearest_m=1.0, farthest_m=12.0)
    found = to_range_image(points, view)
    pixels, kept = one_by_one(points, view)
    # Rows are known to 0.02 degrees: a few points are that near to an edge.
    assert np.mean(found.pixels == pixels) > 0.99
    assert OUTSIDE in pixels
    same = [p for p in kept if found.nearest.flat[p] == kept[p]]
    assert len(same) > 0.98 * len(kept)
    assert len(kept) == pytest.approx(np.sum(found.nearest != OUTSIDE), abs=2)


def test_the_image_is_the_nearest_points_and_zeros():
    points = np.random.default_rng(0).normal(0, 5, (4000, 4)).astype(np.float32)
    found = to_range_image(points, RangeView(16, 128))
    empty = found.nearest == OUTSIDE
    assert 0 < empty.mean() < 1
    assert not found.image[empty].any()
    np.testing.assert_array_equal(found.image[~empty], points[found.nearest[~empty]])
    distance = np.linalg.norm(points[:, :3], axis=1)
    kept = found.nearest.reshape(-1)[found.pixels]
    assert (distance[kept] <= distance).all()
    np.testing.assert_array_equal(found.pixels[kept], found.pixels)


def test_points_behind_another_know_its_pixel():
    ray = np.float32([2.0, 1.0, 0.3])
    points = np.array([[*(k * ray), k / 10] for k in (3, 1, 2, 1)], np.float32)
    found = to_range_image(points, RangeView(8, 64))
    assert len(set(found.pixels.tolist())) == 1
    assert found.nearest.flat[found.pixels[0]] == 1  # the first of two equally near ones
    labels = np.arange(8 * 64)
    np.testing.assert_array_equal(gather(labels, found.pixels), [found.pixels[0]] * 4)


def test_left_is_left_and_up_is_up():
    points = np.float32([[5, 0, 0, 1], [5, 1, 0, 1], [5, 0, 1, 1], [-5, -0.01, 0, 1]])
    rows, columns = np.divmod(to_range_image(points, RangeView(8, 64, -20, 20)).pixels, 64)
    ahead, left, above, behind = zip(rows.tolist(), columns.tolist(), strict=True)
    assert ahead[1] == 32
    assert left[1] < ahead[1]
    assert above[0] < ahead[0]
    assert behind[1] == 63


@pytest.mark.parametrize("count", [1, 11, 16])
def test_rows_are_the_rings_of_the_scan(count):
    elevations = UNEVEN if count == 11 else np.linspace(10, -30, count)
    azimuths = np.arange(0.1, 360, 0.5)
    found = to_range_image(spin(elevations, azimuths), RangeView(16, 720))
    rows = found.pixels.reshape(count, -1) // 720
    np.testing.assert_array_equal(rows, np.arange(count)[:, None].repeat(720, axis=1))
    assert (np.bincount(found.pixels) <= 1).all()


def test_more_rings_than_rows_are_shared_out_evenly():
    found = to_range_image(spin(np.linspace(15, -25, 64), np.arange(0, 360, 5)), RangeView(16, 72))
    rows = found.pixels.reshape(64, -1) // 72
    np.testing.assert_array_equal(rows[:, 0], np.arange(64) // 4)


def test_a_cloud_without_rings_fills_the_rows():
    rng = np.random.default_rng(0)
    points = spin([0.0], [0.0]).repeat(20_000, axis=0)
    points[:, :3] = rng.normal(size=(20_000, 3)) * (4, 4, 1)
    found = to_range_image(points, RangeView(16, 128))
    assert (found.pixels != OUTSIDE).all()
    elevation = np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1]))
    order = np.argsort(-elevation)
    assert (np.diff(found.pixels[order] // 128) >= 0).all()
    assert set((found.pixels // 128).tolist()) == set(range(16))


@pytest.mark.parametrize("middle_deg", [0.0, 100.0, 175.0, -130.0])
def test_columns_cover_what_the_sensor_sees(middle_deg):
    azimuths = middle_deg + np.linspace(-35, 35, 128)
    found = to_range_image(spin(UNEVEN, azimuths), RangeView(11, 128, span_deg=0))
    assert (found.pixels != OUTSIDE).all()
    columns = found.pixels.reshape(11, -1) % 128
    assert (np.diff(columns, axis=1) <= 0).all()  # azimuths grow to the left
    assert np.ptp(columns[0]) >= 120


def test_a_turn_with_small_holes_is_a_full_turn():
    azimuths = np.concatenate([np.arange(-180, 40, 0.5), np.arange(55, 180, 0.5)])
    full = to_range_image(spin(UNEVEN, azimuths), RangeView(11, 360))
    learned = to_range_image(spin(UNEVEN, azimuths), RangeView(11, 360, span_deg=0))
    np.testing.assert_array_equal(full.pixels, learned.pixels)


NAN, BIG = float("nan"), 3e38
BAD = {
    "none": np.zeros((0, 4)),
    "origin": np.zeros((5, 4)),
    "nan": np.full((5, 4), NAN),
    "infinite": [[np.inf, 1, 1, 0], [1, -np.inf, 1, 0]],
    "overflow": [[BIG, BIG, -BIG, 0]],
    "far": [[300, 0, 0, 1]],
    "near": [[0.01, 0, 0, 1]],
    "intensity": [[1, 1, 1, NAN]],
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("view", [RangeView(4, 8), RangeView(4, 8, -20, 20, 0.0)])
def test_points_that_are_none_are_in_no_pixel(name, view):
    points = np.asarray(BAD[name], np.float32)
    good = np.float32([[2, 1, 0.5, 0.7]])
    found = to_range_image(points, view)
    assert found.pixels.tolist() == [OUTSIDE] * len(points)
    assert not found.image.any()
    assert (found.nearest == OUTSIDE).all()
    assert gather(np.ones((32, 3), np.float32), found.pixels).sum() == 0
    mixed = to_range_image(np.concatenate([points, good]), view)
    np.testing.assert_array_equal(mixed.image[mixed.nearest != OUTSIDE], good)


def test_a_million_points_take_bounded_memory():
    """Beside what is returned, 21 bytes a point and an image or two."""
    points = np.random.default_rng(0).normal(0, 5, (1_000_000, 4)).astype(np.float32)
    tracemalloc.start()
    try:
        found = to_range_image(points, RangeView(64, 2048))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.pixels) == 1_000_000
    assert peak < 30e6


def test_real_rings_are_rows(shared_data):
    from xmodal_ros.data.point_cloud import lidar_camera

    clouds = lidar_camera.read(shared_data / "lidar_camera")
    sweep = next(s for s in clouds.sweeps if s.views)
    scan = clouds.load(sweep)
    rings = np.unique(scan.ring)
    found = to_range_image(scan.points, RangeView(len(rings), 2048))
    inside = found.pixels != OUTSIDE
    assert inside.all()
    assert np.bincount(found.pixels).max() == 1
    rows = found.pixels // 2048
    ring_of_row = [np.unique(scan.ring[inside & (rows == r)]) for r in range(len(rings))]
    assert all(len(r) == 1 for r in ring_of_row)
