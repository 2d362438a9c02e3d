"""Clouds of every layout against a decoder made of `struct`."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.decode import decode_pointcloud2
from xmodal_ros.data.fields import cloud_fields

CLOUD = "sensor_msgs/msg/PointCloud2"
LETTERS = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "f", 8: "d"}
XYZI = (("x", 0, 7), ("y", 4, 7), ("z", 8, 7), ("intensity", 16, 7))


def cloud(
    points: np.ndarray,
    layout=XYZI,
    step: int = 32,
    height: int = 1,
    pad: int = 0,
    bigendian: bool = False,
) -> dict:
    """Fields of a cloud; `points` has a column per entry of `layout`."""
    width = len(points) // height
    row_step = width * step + pad
    data = bytearray(b"\x5a" * (row_step * height))
    for index, point in enumerate(points):
        start = index // width * row_step + index % width * step
        for (_, offset, code), value in zip(layout, point, strict=True):
            number = float(value) if code > 6 else int(value)
            form = (">" if bigendian else "<") + LETTERS[code]
            struct.pack_into(form, data, start + offset, number)
    return {
        "height": height,
        "width": width,
        "fields": [
            {"name": name, "offset": offset, "datatype": code, "count": 1}
            for name, offset, code in layout
        ],
        "is_bigendian": bigendian,
        "point_step": step,
        "row_step": row_step,
        "data": np.frombuffer(bytes(data), np.uint8),
        "is_dense": True,
    }


@pytest.fixture
def points() -> np.ndarray:
    random = np.random.default_rng(0)
    xyz = random.uniform(-50, 50, (12, 3))
    return np.column_stack([xyz, random.uniform(0, 1, 12)]).astype(np.float32)


@pytest.mark.parametrize("bigendian", [False, True])
@pytest.mark.parametrize(("height", "pad"), [(1, 0), (3, 0), (3, 8), (3, 5)])
@pytest.mark.parametrize(
    ("layout", "step"),
    [
        (XYZI, 32),
        ((("x", 0, 7), ("y", 4, 7), ("z", 8, 7), ("intensity", 12, 7)), 16),
        ((("x", 0, 7), ("y", 4, 7), ("z", 8, 7), ("intensity", 12, 7)), 18),
        ((("intensity", 0, 7), ("z", 4, 7), ("y", 8, 7), ("x", 12, 7)), 16),
        ((("x", 1, 7), ("y", 5, 7), ("z", 9, 7), ("intensity", 13, 7)), 17),
        ((("x", 0, 8), ("y", 8, 8), ("z", 16, 8), ("intensity", 24, 7)), 28),
        ((("x", 0, 7), ("y", 4, 7), ("z", 8, 7), ("intensity", 700, 7)), 704),
    ],
)
def test_every_layout(build, points, layout, step, height, pad, bigendian) -> None:
    by_name = dict(zip(("x", "y", "z", "intensity"), points.T, strict=True))
    columns = np.column_stack([by_name[name] for name, _, _ in layout])
    message = build(CLOUD, cloud(columns, layout, step, height, pad, bigendian))
    decoded = decode_pointcloud2(message)
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, points, rtol=1e-6)


def test_other_fields_and_counts_are_skipped(build, points) -> None:
    fields = cloud(points, step=64)
    fields["fields"] += [
        {"name": "ring", "offset": 20, "datatype": 4, "count": 1},
        {"name": "normals", "offset": 24, "datatype": 7, "count": 8},
    ]
    np.testing.assert_array_equal(decode_pointcloud2(build(CLOUD, fields)), points)


def test_packed_points_are_a_view(build, points) -> None:
    message = build(CLOUD, cloud_fields(0, "l", points))
    decoded = decode_pointcloud2(message)
    assert np.shares_memory(decoded, np.frombuffer(message.data, np.uint8))
    np.testing.assert_array_equal(decoded, points)


@pytest.mark.parametrize("step", [12, 16])
def test_without_intensity_it_is_zero(build, points, step) -> None:
    message = build(CLOUD, cloud(points[:, :3], XYZI[:3], step))
    np.testing.assert_array_equal(decode_pointcloud2(message), points * (1, 1, 1, 0))


@pytest.mark.parametrize(("code", "largest"), [(2, 255), (4, 65535), (1, 127), (3, 32767)])
def test_whole_number_intensity_is_scaled_by_its_type(build, points, code, largest) -> None:
    values = np.array([0, 1, largest // 2, largest] * 3)
    layout = (*XYZI[:3], ("intensity", 12, code))
    message = build(CLOUD, cloud(np.column_stack([points[:, :3], values]), layout))
    np.testing.assert_allclose(decode_pointcloud2(message)[:, 3], values / largest, rtol=1e-6)


@pytest.mark.parametrize("packed", [False, True])
def test_float_intensity_above_one_means_255(build, points, packed) -> None:
    points[:, 3] = [0, 0.5, 1, 2, 51, 127.5, 254, 255, 300, 1000, -1, 3]
    fields = cloud_fields(0, "l", points) if packed else cloud(points)
    message = build(CLOUD, fields)
    before = bytes(message.data)
    expected = np.clip(points[:, 3] / 255, 0, 1)
    np.testing.assert_allclose(decode_pointcloud2(message)[:, 3], expected, rtol=1e-6)
    assert bytes(message.data) == before  # the message itself is not scaled


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", range(4))
def test_points_that_are_not_finite_are_dropped(build, points, packed, value, column) -> None:
    bad = points.copy()
    bad[[2, 7], column] = value
    fields = cloud_fields(0, "l", bad) if packed else cloud(bad)
    decoded = decode_pointcloud2(build(CLOUD, fields))
    np.testing.assert_array_equal(decoded, np.delete(points, [2, 7], axis=0))


def test_values_too_large_to_square_are_kept(build, points) -> None:
    points[0, 0] = 1e30
    np.testing.assert_array_equal(decode_pointcloud2(build(CLOUD, cloud(points))), points)


def test_a_cloud_of_nans_is_empty(build) -> None:
    message = build(CLOUD, cloud(np.full((5, 4), np.nan)))
    assert decode_pointcloud2(message).shape == (0, 4)


def test_an_empty_cloud_is_fine(build) -> None:
    message = build(CLOUD, cloud(np.zeros((0, 4))))
    assert decode_pointcloud2(message).shape == (0, 4)


def test_without_coordinates_it_is_refused(build, points) -> None:
    message = build(CLOUD, cloud(points[:, :2], (("x", 0, 7), ("intensity", 4, 7))))
    with pytest.raises(DataError, match="/l: a cloud without y, z; expected fields x, y and z"):
        decode_pointcloud2(message, "/l")


@pytest.mark.parametrize(
    ("changed", "numbers"),
    [
        ({"row_step": 12 * 32 - 1}, "not 383 and 384"),
        ({"width": 13}, "not 384 and 384"),
        ({"height": 2}, "not 384 and 384"),
        ({"point_step": 36}, "not 384 and 384"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(build, points, changed, numbers) -> None:
    message = build(CLOUD, {**cloud(points), **changed})
    with pytest.raises(DataError, match="/l: row_step or data do not fit") as caught:
        decode_pointcloud2(message, "/l")
    assert numbers in str(caught.value)


def test_a_field_beyond_its_point_is_refused(build, points) -> None:
    fields = cloud(points)
    fields["fields"][3]["offset"] = 30
    with pytest.raises(DataError, match=r"/l: field 'intensity' ends at byte 34.*point_step 32"):
        decode_pointcloud2(build(CLOUD, fields), "/l")


def test_an_unknown_field_type_is_refused(build, points) -> None:
    fields = cloud(points)
    fields["fields"][0]["datatype"] = 9
    with pytest.raises(DataError, match=r"/l: field 'x' has datatype 9; expected 1 to 8"):
        decode_pointcloud2(build(CLOUD, fields), "/l")
