"""`xmodal data check` on data sets of LiDAR scans, and on recordings that have some."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.segmentation import IGNORE
from xmodal_ros.data.cli import data_app
from xmodal_ros.data.point_cloud import read_clouds
from xmodal_ros.data.point_cloud.check import check
from xmodal_ros.data.point_cloud.problems import problems
from xmodal_ros.data.point_cloud.scan import Scan


def run(root) -> tuple[int, dict]:
    done = CliRunner().invoke(data_app, ["check", "--json", str(root)])
    return done.exit_code, json.loads(done.output)


def told(report: dict, root) -> list[str]:
    return [
        f"{p['kind']}: {p['where']}: {p['what']}".replace(str(root), "ROOT")
        for p in report["problems"]
    ]


def test_counts_points_by_class_and_part(kitti) -> None:
    code, report = run(kitti)
    assert (code, report["kind"], report["problems"]) == (0, "semantic_kitti", [])
    assert report["examples"] == {"train": 2, "test": 2, "": 2}
    assert report["groups"] == {"train": 1, "test": 1, "": 1}
    found = report["heads"]["points"]["test"]
    assert found["counts"] == {"car": 200, "road": 100}
    assert found["majority"] == found["constant"] == pytest.approx(2 / 3)


def test_damaged_files_are_named(nuscenes) -> None:
    cloud = nuscenes / "samples" / "LIDAR_TOP" / "scene-0061.pcd.bin"
    cloud.write_bytes(cloud.read_bytes()[:-3])
    photo = nuscenes / "samples" / "CAM_FRONT" / "scene-0916.jpg"
    photo.write_bytes(photo.read_bytes()[:500])
    labels = nuscenes / "lidarseg" / "v1.0-mini" / "lidar1_lidarseg.bin"
    labels.write_bytes(labels.read_bytes()[:-1])
    code, report = run(nuscenes)
    assert code == 1
    assert told(report, nuscenes) == [
        "unreadable: ROOT/samples/LIDAR_TOP/scene-0061.pcd.bin: has 3997 bytes; expected a "
        "multiple of 20, a point's",
        "unreadable: ROOT/lidarseg/v1.0-mini/lidar1_lidarseg.bin: has 199 bytes; expected 200, 1 "
        "of each of 200 points",
        "unreadable: ROOT/samples/CAM_FRONT/scene-0916.jpg: is cut off",
    ]


def test_images_of_another_size_are_named(nuscenes) -> None:
    photo = nuscenes / "samples" / "CAM_FRONT" / "scene-0061.jpg"
    assert cv2.imwrite(str(photo), np.zeros((91, 160, 3), np.uint8))
    _, report = run(nuscenes)
    assert told(report, nuscenes) == [
        "mismatched: ROOT/samples/CAM_FRONT/scene-0061.jpg: is 160x91; expected 160x90, as "
        "ROOT/v1.0-mini/calibrated_sensor.json, c-front says"
    ]
    sweep = read_clouds(nuscenes).sweeps[0]
    with pytest.raises(DataError, match="is 160x91; expected 160x90"):
        sweep.views[0].image()


def test_a_calibration_that_projects_nothing_is_told(pairs, around, write_pcd) -> None:
    write_pcd(pairs / "frame_2" / "calib.pcd", around(1000))
    path = pairs / "frame_2" / "calib.txt"
    path.write_text(path.read_text().replace("T: 0.0 -1.0 0.0 0.0", "T: 0.0 -1.0 0.0 900.0"))
    code, report = run(pairs)
    assert code == 1
    (problem,) = report["problems"]
    assert (problem["kind"], problem["where"]) == ("calibration", str(path))
    assert problem["what"].startswith("of 1000 points none is in the image of camera: ")


def test_scans_of_which_most_is_lost(kitti) -> None:
    folder = kitti / "dataset" / "sequences" / "11" / "velodyne"
    (folder / "000000.bin").write_bytes((folder / "000001.bin").read_bytes()[: 16 * 5])
    (folder / "000001.bin").write_bytes(b"")
    _, report = run(kitti)
    assert told(report, kitti) == [
        "points: ROOT/dataset/sequences/11/velodyne/000001.bin: holds no point that is a number; "
        "expected some",
        "points: ROOT/dataset/sequences/11/velodyne/000000.bin: holds 5 points; the median scan "
        "has 200",
    ]


def test_classes_that_are_never_trained_on(kitti) -> None:
    labels = kitti / "dataset" / "sequences" / "08" / "labels" / "000000.label"
    np.full(200, 80, np.uint32).tofile(labels)
    _, report = run(kitti)
    assert told(report, kitti) == [
        "class: ROOT, split 'official': 'pole' is 200 points in test, never in train"
    ]


def test_a_group_in_two_parts(record) -> None:
    record("a")
    root = record("b")
    rows = "".join(f"{n}/{n}.mcap,cell,{part},\n" for n, part in (("a", "train"), ("b", "test")))
    (root / "split.csv").write_text("file,group,part,sha256\n" + rows)
    found = check(read_clouds(root)).problems
    assert [str(p) for p in found] == [
        f"leak: {root}, split 'official': of 'cell' are 5 in test and 5 in train"
    ]


def test_recordings_of_a_lidar_alone(record) -> None:
    root = record()
    code, report = run(root)
    assert (code, report["problems"]) == (0, [])
    assert report["examples"] == {"train": 5}
    assert sum(report["heads"]["points"]["train"]["counts"].values()) == 500


def test_the_table_names_the_classes(kitti) -> None:
    done = CliRunner().invoke(data_app, ["check", "--kind", "semantic_kitti", str(kitti)])
    assert done.exit_code == 0, done.output
    assert "car 200, road 100" in done.output
    assert "(semantic_kitti): nothing is wrong with it" in done.output.replace("\n", "")


class TestPoints:
    def test_good_ones(self, around) -> None:
        times_s = np.linspace(-0.1, 0, 50, dtype=np.float32)
        assert problems(Scan(around(50), "made", times_s=times_s)) == []

    def test_without_intensity(self, around) -> None:
        points = around(50)
        points[:, 3] = 0
        assert problems(Scan(points, "made")) == []

    @pytest.mark.parametrize(
        ("column", "value", "kind", "text"),
        [
            (slice(0, 3), 0.0, "points", "50 of 50 points are at the origin"),
            (slice(0, 3), 12_000.0, "points", "half of the points are beyond 20785 m"),
            (3, 0.5, "intensity", "is 0.5 of every point"),
        ],
    )
    def test_bad_ones(self, around, column, value, kind, text) -> None:
        points = around(50)
        points[:, column] = value
        (problem,) = problems(Scan(points, "made"))
        assert (problem.kind, problem.where) == (kind, "made")
        assert problem.what.startswith(text)

    def test_intensity_of_another_range(self, around) -> None:
        points = around(50)
        points[:, 3] = (points[:, 3] * 255).clip(0, 1)  # as a reader of 0..1 takes 0..255
        points[0, 3] = 0.5
        (problem,) = problems(Scan(points, "made"))
        assert problem.kind == "intensity"
        assert problem.what == "is 1 of 98% of the points; expected a range that few reach"

    @pytest.mark.parametrize("span_s", [(0, 100.0), (1.6e9, 1.6e9), (0, np.nan)])
    def test_times_that_are_no_turn(self, around, span_s) -> None:
        scan = Scan(around(50), "made", times_s=np.linspace(*span_s, 50, dtype=np.float32))
        (problem,) = problems(scan)
        assert problem.kind == "times"

    def test_labels_of_no_class(self, around) -> None:
        (problem,) = problems(Scan(around(50), "made", labels=np.full(50, IGNORE, np.uint8)))
        assert (problem.kind, problem.what) == ("label", "no point is of a class; expected some")
