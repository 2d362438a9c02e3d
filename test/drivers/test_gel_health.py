"""What is said of images, and of the unit that they are from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.drivers.gel_health import GelHealth, Look, trouble
from xmodal_ros.drivers.gel_settings import HealthSettings, gel_settings
from xmodal_ros.drivers.reference import Reference
from xmodal_ros.drivers.synthetic import SyntheticGel

PERIOD_NS = 40_000_000


def _images(count: int, seed: int = 0) -> Iterator[np.ndarray]:
    gel = SyntheticGel(160, 120, seed)
    return (gel.image() for _ in range(count))


def _watch(images: Iterator[np.ndarray], reference: Reference) -> list[Look]:
    health = GelHealth(HealthSettings())
    looks = []
    for number, image in enumerate(images):
        reference.add(image)
        looks.append(health.look(image, number * PERIOD_NS, reference))
    return looks


def test_contact_is_told_from_no_contact() -> None:
    looks = _watch(_images(75), Reference(None))
    assert looks[0].contact is None  # nothing is known yet
    assert [look.contact for look in looks[10:35]] == [False] * 25
    assert [look.contact for look in looks[45:68]] == [True] * 23
    assert not any(trouble(look, 0.0) for look in looks)


def test_an_image_that_does_not_change_is_frozen_after_a_second() -> None:
    image = next(_images(1))
    looks = _watch(iter([image] * 30), Reference(None))
    assert [look.frozen for look in looks] == [False] * 25 + [True] * 5
    assert "the image is frozen" in trouble(looks[-1], 0.0)[0]


@pytest.mark.parametrize(
    ("level", "text"),
    [(255, "100% of the pixels are saturated: set a shorter device.exposure"), (2, "is dark")],
)
def test_too_bright_and_too_dark(level: int, text: str) -> None:
    [look] = _watch(iter([np.full((120, 160, 3), level, np.uint8)]), Reference(None))
    assert any(text in wrong for wrong in trouble(look, 0.0))


def test_another_unit_is_told_by_its_lights_and_the_same_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "units" / "left.png"
    _watch(_images(30), Reference(file))
    assert file.is_file()

    same, other = Reference(file), Reference(file)
    _watch(_images(75), same)
    _watch(_images(75, seed=1), other)
    assert trouble(Look(brightness=100.0), same.unlike) == []
    [wrong] = trouble(Look(brightness=100.0), other.unlike)
    assert "another unit" in wrong
    assert "~/capture_reference" in wrong


def test_a_kept_reference_stays_until_it_is_captured(tmp_path: Path) -> None:
    file = tmp_path / "left.png"
    _watch(_images(30), Reference(file))
    kept = cv2.imread(str(file))

    reference = Reference(file)
    _watch(_images(30, seed=1), reference)
    np.testing.assert_array_equal(reference.image, kept[..., ::-1])
    reference.capture()
    _watch(_images(30, seed=1), reference)
    np.testing.assert_allclose(
        reference.image, next(_images(1, seed=1)).astype(float), atol=7
    )  # the noise
    np.testing.assert_array_equal(cv2.imread(str(file))[..., ::-1], reference.image)
    assert reference.unlike == 0.0


def test_a_reference_of_another_size_is_taken_anew(tmp_path: Path) -> None:
    file = tmp_path / "left.png"
    cv2.imwrite(str(file), np.zeros((24, 32, 3), np.uint8))
    reference = Reference(file)
    _watch(_images(20), reference)
    assert reference.image is not None
    assert reference.image.shape == (120, 160, 3)


def test_a_reference_that_is_no_image_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "left.png"
    file.write_text("no image")
    with pytest.raises(DataError, match=r"left.png: is no image. Remove it, or name another"):
        Reference(file)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"devise": {}}, "settings: unknown group 'devise'. Did you mean 'device'?"),
        ({"device": {"hight": 3}}, "device: unknown setting 'hight'. Did you mean 'height'?"),
        ({"device": 3}, "device: got 3; expected names and values"),
        ({"device": {"rate_hz": 0.0}}, "device.rate_hz: got 0.0; expected a value from 1.0 to"),
        ({"device": {"pixel_format": "JPEG2"}}, "expected four letters, such as MJPG"),
        ({"image": {"crop_left": 0.7}}, "image.crop_left: got 0.7"),
    ],
)
def test_settings_that_are_wrong_are_named(values: dict[str, object], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        gel_settings(values)
    assert text in str(caught.value)
