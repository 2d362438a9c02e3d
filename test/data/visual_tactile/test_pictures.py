"""Reading single images: whole ones as RGB, everything else refused by name."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.pictures import load, stored
from xmodal_ros.data.source import Source


def test_png_is_rgb(tmp_path, scene, write_image) -> None:
    path = write_image(tmp_path / "a.png", scene(1))
    np.testing.assert_array_equal(load([Source(path)]), [scene(1)])


def test_alpha_is_left_out(tmp_path, scene) -> None:
    rgba = np.dstack([scene(1)[..., ::-1], np.full((48, 64), 7, np.uint8)])
    assert cv2.imwrite(str(tmp_path / "a.png"), rgba)
    np.testing.assert_array_equal(load([Source(tmp_path / "a.png")]), [scene(1)])


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_file_that_is_cut_off_is_refused(tmp_path, scene, write_image, suffix) -> None:
    path = write_image(tmp_path / f"a.{suffix}", scene(1))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=rf"a\.{suffix}: (is cut off|cannot be decoded); expected"):
        load([Source(path)])


@pytest.mark.parametrize("content", [b"", b"rubbish"])
def test_what_is_no_image_is_refused(tmp_path, content) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.jpg: cannot be decoded; expected an image"):
        load([Source(tmp_path / "a.jpg")])


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(DataError, match=r"a\.jpg: no such file"):
        load([Source(tmp_path / "a.jpg")])


@pytest.mark.parametrize(
    ("dtype", "axes", "text"),
    [(np.uint16, 3, r"has 16 bits per channel \(uint16\)"), (np.uint8, 2, "is grey")],
)
def test_other_pixels_are_refused_not_converted(tmp_path, write_image, dtype, axes, text) -> None:
    path = write_image(tmp_path / "a.png", np.ones((4, 6, 3)[:axes], dtype))
    with pytest.raises(DataError, match=rf"a\.png: {text}; expected 8-bit RGB\. Convert it"):
        load([Source(path)])
    assert stored(Source(path))[0].dtype == dtype


def test_a_clip_has_one_size(tmp_path, gel, write_image) -> None:
    first = write_image(tmp_path / "0.png", gel(0))
    second = write_image(tmp_path / "1.png", gel(1, 24, 32))
    with pytest.raises(DataError, match=r"1\.png: is 32x24; expected 64x48 px"):
        load([Source(first), Source(second)])
