"""Pictures of scans: where points are drawn, in what colours, and what hides what."""

from __future__ import annotations

import numpy as np

from xmodal_ros.core.range_image import OUTSIDE
from xmodal_ros.core.segmentation import IGNORE
from xmodal_ros.data.point_cloud.drawing import (
    BACKGROUND,
    PALETTE,
    UNKNOWN,
    as_range_image,
    class_colours,
    from_above,
    over_image,
    shades,
)

RED, BLUE = np.array([[255, 0, 0]], np.uint8), np.array([[0, 0, 255]], np.uint8)


def test_every_class_has_a_colour_and_none_is_grey() -> None:
    labels = np.array([[0, len(PALETTE) + 1], [IGNORE, 2]])
    found = class_colours(labels)
    assert found.shape == (2, 2, 3)
    assert found[0].tolist() == [PALETTE[0].tolist(), PALETTE[1].tolist()]
    assert tuple(found[1, 0]) == UNKNOWN


def test_from_above_x_is_up_y_is_left_and_the_higher_point_is_seen() -> None:
    points = np.array([[2.0, 0, 0], [0, 2.0, 0], [0, 2.0, 1]])
    picture = from_above(points, np.vstack([RED, RED, BLUE]), 40)
    rows, columns = np.nonzero((picture != BACKGROUND).any(2))
    drawn = {(int(r), int(c)): tuple(picture[r, c]) for r, c in zip(rows, columns, strict=True)}
    assert drawn == {(0, 20): (255, 0, 0), (20, 0): (0, 0, 255)}


def test_points_without_a_return_and_empty_scans_show_nothing() -> None:
    for points in (np.zeros((3, 4)), np.zeros((0, 4))):
        picture = from_above(points, np.zeros((len(points), 3), np.uint8), 8)
        assert (picture == BACKGROUND).all()


def test_a_range_image_has_the_colour_of_the_nearest_point() -> None:
    nearest = np.array([[1, OUTSIDE], [0, 1]])
    picture = as_range_image(nearest, np.vstack([RED, BLUE]))
    assert picture[0, 0].tolist() == picture[1, 1].tolist() == [0, 0, 255]
    assert picture[1, 0].tolist() == [255, 0, 0]
    assert tuple(picture[0, 1]) == BACKGROUND


def test_over_an_image_the_nearer_point_is_on_top() -> None:
    image = np.full((9, 9, 3), 7, np.uint8)
    uv, depth = np.array([[4.4, 2.0], [4.0, 2.0]]), np.array([1.0, 5.0])
    picture = over_image(image, uv, depth, np.vstack([RED, BLUE]), radius=0)
    assert picture[2, 4].tolist() == [255, 0, 0]
    assert (picture == 7).all(2).sum() == 80
    assert (image == 7).all()


def test_shades_go_from_blue_to_red_and_stay_there() -> None:
    found = shades(np.array([-5.0, 0, 1, 9]), 0, 1).astype(int)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[2], found[3])
    assert found[2, 0] > found[2, 2]
    assert shades(np.array([1.0]), 1, 1).shape == (1, 3)
