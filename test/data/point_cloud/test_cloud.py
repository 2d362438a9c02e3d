"""PCD files and messages as scans, whatever drivers put into them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.point_cloud.cloud import message_of, read_pcd, scan_of
from xmodal_ros.data.point_cloud.scan import Scan

STAMP_NS = 1_700_000_000_500_000_000
XYZI = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("intensity", "<f4")]


def cloud(points: np.ndarray, **more: np.ndarray) -> np.ndarray:
    """A structured array of x, y, z, intensity (as far as there are columns) and more fields."""
    fields = XYZI[: points.shape[1]] + [(name, column.dtype.str) for name, column in more.items()]
    made = np.zeros(len(points), fields)
    for (name, _), column in zip(fields, [*points.T, *more.values()], strict=True):
        made[name] = column
    return made


def scan(points: np.ndarray, labels: np.ndarray | None = None, **more: np.ndarray) -> Scan:
    return scan_of(message_of(cloud(points, **more)), STAMP_NS, "made", labels)


@pytest.mark.parametrize("encoding", ["ascii", "binary", "binary_compressed"])
def test_pcd_files_of_all_encodings(tmp_path, around, write_pcd, encoding) -> None:
    points = around(40)
    write_pcd(tmp_path / "a.pcd", points, encoding)
    made = scan_of(message_of(read_pcd(tmp_path / "a.pcd")), STAMP_NS, "a.pcd")
    np.testing.assert_allclose(made.points, points, rtol=1e-5)
    assert made.ring.tolist() == [k % 4 for k in range(40)]
    np.testing.assert_allclose(made.times_s, -0.5 + np.arange(40) * 1e-3, atol=2e-6)
    assert made.labels is None


def test_a_pcd_file_written_by_hand(tmp_path) -> None:
    pytest.importorskip("pypcd4")
    header = (
        "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\n"
        "TYPE F F F\nCOUNT 1 1 1\nWIDTH 2\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 2\n"
    )
    path = tmp_path / "a.pcd"
    path.write_text(header + "DATA ascii\n1 2 3\nnan 5 6\n")
    made = scan_of(message_of(read_pcd(path)), 0, "a.pcd")
    np.testing.assert_array_equal(made.points, [[1, 2, 3, 0]])
    assert (made.ring, made.times_s) == (None, None)
    rows = np.arange(6, dtype="<f4")
    path.write_bytes(header.encode() + b"DATA binary\n" + rows.tobytes())
    np.testing.assert_array_equal(read_pcd(path)["z"], [2, 5])


@pytest.mark.parametrize("kept", [0, 60, 250, -1, -30])
def test_a_damaged_pcd_file_is_named(tmp_path, around, write_pcd, kept) -> None:
    for encoding in ("binary", "binary_compressed"):
        path = tmp_path / f"{encoding}.pcd"
        write_pcd(path, around(40), encoding)
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(DataError) as caught:
            read_pcd(path)
        assert caught.value.where == str(path)


def test_a_missing_pcd_file(tmp_path) -> None:
    pytest.importorskip("pypcd4")
    with pytest.raises(DataError, match="no such file"):
        read_pcd(tmp_path / "a.pcd")


@pytest.mark.parametrize(
    ("given", "expected"), [((0.0, 0.5, 1.0), (0.0, 0.5, 1.0)), ((0, 51, 255), (0.0, 0.2, 1.0))]
)
def test_intensity_to_0_and_1(around, given, expected) -> None:
    points = around(3)
    points[:, 3] = given
    np.testing.assert_allclose(scan(points).points[:, 3], expected, atol=1e-6)


def test_without_intensity(around) -> None:
    assert scan(around(3)[:, :3]).points[:, 3].tolist() == [0, 0, 0]


def test_an_organised_cloud_with_holes(around) -> None:
    points = around(12)
    points[[2, 7], 1] = np.nan
    points[5, 3] = np.inf
    points[9, :3] = 0  # no return: stays, but can be told
    labels, ring = np.arange(12, dtype=np.uint8), np.arange(12, dtype=np.uint8)
    message = message_of(cloud(points, ring=ring))
    message.height, message.width, message.row_step = 3, 4, 4 * message.point_step
    made = scan_of(message, STAMP_NS, "made", labels)
    kept = [0, 1, 3, 4, 6, 8, 9, 10, 11]
    np.testing.assert_array_equal(made.points, points[kept])
    assert made.ring.tolist() == kept == made.labels.tolist()
    assert np.flatnonzero(~made.returned).tolist() == [kept.index(9)]


def test_nothing_but_nan(around) -> None:
    made = scan(np.full((5, 4), np.nan, np.float32), np.zeros(5, np.uint8), t=np.arange(5.0))
    assert len(made) == len(made.labels) == len(made.times_s) == 0


def test_an_empty_cloud() -> None:
    made = scan(np.zeros((0, 4), np.float32), np.zeros(0, np.uint8), ring=np.zeros(0, np.uint16))
    assert len(made) == len(made.labels) == 0


def test_other_than_one_label_per_point_is_refused(around) -> None:
    with pytest.raises(DataError, match="made: 3 labels; expected one of each of 4"):
        scan(around(4), np.zeros(3, np.uint8))


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("timestamp", STAMP_NS / 1e9 + np.arange(4) * 0.01),  # Hesai, Robosense: seconds
        ("timestamp", STAMP_NS + np.arange(4) * 1e7),  # Livox: nanoseconds in a float
        ("offset_time", np.arange(4, dtype=np.uint32) * 10_000_000),
        ("time", (np.arange(4) * 0.01).astype(np.float32)),  # Velodyne: seconds after the stamp
        ("t", np.arange(4, dtype=np.uint32) * 10_000_000),  # Ouster: nanoseconds after it
    ],
)
def test_times_in_the_units_of_drivers(around, name, times) -> None:
    made = scan(around(4), **{name: times})
    np.testing.assert_allclose(made.times_s, np.arange(4) * 0.01, atol=1e-6)


def test_times_that_are_not_numbers_do_not_spoil_the_others(around) -> None:
    times = STAMP_NS / 1e9 + np.array((0.0, np.nan, 0.02, np.nan))
    made = scan(around(4), timestamp=times)
    np.testing.assert_allclose(made.times_s, (0, np.nan, 0.02, np.nan), atol=1e-6)


def test_fields_of_unknown_type_are_left_out(around) -> None:
    message = message_of(cloud(around(3), ring=np.arange(3, dtype=np.uint16)))
    message.fields[-1] = SimpleNamespace(name="ring", offset=16, datatype=99)
    assert scan_of(message, 0, "made").ring is None


def test_a_scan_whose_columns_do_not_fit_is_refused(around) -> None:
    with pytest.raises(DataError, match=r"points \(4, 4\) and 3 labels"):
        Scan(around(4), "made", labels=np.zeros(3, np.uint8))
