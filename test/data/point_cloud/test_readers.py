"""Data sets in their layouts, each as its authors publish it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.point_cloud import IGNORE, nuscenes, read_clouds, semantic_kitti
from xmodal_ros.data.point_cloud.nuscenes_tables import VAL
from xmodal_ros.data.point_cloud.projection import project


def told(data) -> list[str]:
    return [str(problem).replace(str(data.root), "ROOT") for problem in data.problems]


def edit(path, change) -> None:
    records = json.loads(path.read_text())
    change(records)
    path.write_text(json.dumps(records))


class TestSemanticKitti:
    def test_reads_scans_labels_and_poses(self, kitti, around) -> None:
        data = read_clouds(kitti)
        assert (data.kind, told(data), data.notes) == ("semantic_kitti", [], ())
        parts = [(sweep.name, sweep.part) for sweep in data.sweeps]
        assert parts == [
            ("00/000000", "train"),
            ("00/000001", "train"),
            ("08/000000", "test"),
            ("08/000001", "test"),
            ("11/000000", ""),
            ("11/000001", ""),
        ]
        sweep = data.sweeps[1]
        assert sweep.stamp_ns == 103_630_000
        np.testing.assert_allclose(sweep.pose[:3, 3], (1.25, 0, 0))  # of the LiDAR: x is forward
        scan = data.load(sweep)
        np.testing.assert_array_equal(scan.points, around(200, seed=1))
        names = [data.classes[k] if k != IGNORE else "" for k in scan.labels[:5]]
        assert names == ["car", "car", "road", "", "car"]  # 252 is a car that moves
        assert data.load(data.sweeps[4]).labels is None

    def test_the_left_colour_camera_is_aside(self, kitti) -> None:
        data = read_clouds(kitti)
        (view,) = data.sweeps[0].views
        assert view.image().shape == (32, 64, 3)
        # P2 puts it 1.5 / 30 m to the right of camera 0, where the LiDAR is.
        np.testing.assert_allclose(view.from_lidar[:3, 3], (-0.05, 0, 0))
        pixels = project(np.array([[10.0, 0, 0, 0]]), view)
        np.testing.assert_allclose(pixels.uv, [[32 - 30 * 0.05 / 10, 16]])

    def test_names_all_that_is_wrong(self, kitti) -> None:
        folder = kitti / "dataset" / "sequences" / "00"
        (folder / "labels" / "000001.label").unlink()
        (folder / "image_2" / "000000.png").unlink()
        (folder / "velodyne" / "scan.bin").write_bytes(b"")
        (folder / "labels" / "000009.label").write_bytes(b"")
        (folder / "times.txt").write_text("0.0\n")
        (kitti / "dataset" / "sequences" / "08" / "poses.txt").write_text("1 2 3\n")
        (kitti / "dataset" / "sequences" / "11" / "calib.txt").unlink()
        data = read_clouds(kitti)
        assert told(data) == [
            "mismatched: ROOT/dataset/sequences/00/velodyne/scan.bin: has no number for a name; "
            "expected as 000000.bin",
            "mismatched: ROOT/dataset/sequences/00/labels/000009.label: no such scan",
            "missing: ROOT/dataset/sequences/00/labels/000001.label: no such file",
            "missing: ROOT/dataset/sequences/00/image_2/000000.png: no such file",
            "mismatched: ROOT/dataset/sequences/00/times.txt: has 1 rows; expected one of each "
            "scan, 2",
            "unreadable: ROOT/dataset/sequences/08/poses.txt: cannot be read; expected rows of 12 "
            "numbers",
            "calibration: ROOT/dataset/sequences/11/calib.txt: no such file or folder. Check the "
            "data set's path.",
        ]
        assert len(data.sweeps) == 6
        assert data.sweeps[1].labels is None
        assert data.sweeps[2].pose is None
        assert data.sweeps[4].views == ()

    @pytest.mark.parametrize(
        ("file", "kept", "text"),
        [
            ("velodyne/000000.bin", 3195, "has 3195 bytes; expected a multiple of 16"),
            ("labels/000000.label", 796, "has 796 bytes; expected 800, 4 of each of 200 points"),
        ],
    )
    def test_files_that_are_cut_off_are_refused(self, kitti, file, kept, text) -> None:
        path = kitti / "dataset" / "sequences" / "00" / file
        path.write_bytes(path.read_bytes()[:kept])
        data = read_clouds(kitti)
        with pytest.raises(DataError, match=text):
            data.load(data.sweeps[0])

    def test_a_label_that_is_unknown_is_refused(self, kitti) -> None:
        path = kitti / "dataset" / "sequences" / "00" / "labels" / "000000.label"
        np.array([17, 3000] * 100, np.uint32).tofile(path)
        data = read_clouds(kitti)
        with pytest.raises(DataError, match=r"200 points have the label \[17, 3000\]"):
            data.load(data.sweeps[0])

    def test_points_that_are_not_numbers_are_left_out_with_their_labels(self, kitti) -> None:
        path = kitti / "dataset" / "sequences" / "00" / "velodyne" / "000000.bin"
        rows = np.fromfile(path, np.float32).reshape(-1, 4)
        rows[0, 2] = np.nan
        rows.tofile(path)
        data = read_clouds(kitti)
        scan = data.load(data.sweeps[0])
        assert (len(scan), len(scan.labels)) == (199, 199)
        np.testing.assert_array_equal(scan.points, rows[1:])

    def test_every_class_has_a_raw_label(self) -> None:
        assert set(semantic_kitti.CLASSES) <= set(semantic_kitti.RAW.values())
        assert len(semantic_kitti.CLASSES) == 19


class TestNuScenes:
    def test_reads_key_frames_with_labels(self, nuscenes, around) -> None:
        data = read_clouds(nuscenes)
        assert (data.kind, data.split, told(data), data.notes) == ("nuscenes", "mini", [], ())
        assert [(s.name, s.group, s.part) for s in data.sweeps] == [
            ("scene-0061/lidar0", "n015-0", "train"),
            ("scene-0916/lidar1", "n015-1", "test"),
        ]
        scan = data.load(data.sweeps[0])
        np.testing.assert_allclose(scan.points, around(200), atol=1e-6)  # 0-255 to 0-1
        assert scan.ring.tolist() == [k % 32 for k in range(200)]
        names = [data.classes[k] if k != IGNORE else "" for k in scan.labels[:4]]
        assert names == ["", "car", "driveable_surface", "vegetation"]

    def test_labels_are_mapped_by_name(self, nuscenes) -> None:
        def turn_round(records) -> None:
            for record in records:
                record["index"] = 3 - record["index"]

        edit(nuscenes / "v1.0-mini" / "category.json", turn_round)
        data = read_clouds(nuscenes)
        labels = data.load(data.sweeps[0]).labels[:4]
        names = [data.classes[k] if k != IGNORE else "" for k in labels]
        assert names == ["vegetation", "driveable_surface", "car", ""]

    def test_the_car_moves_between_scan_and_image(self, nuscenes) -> None:
        sweep = read_clouds(nuscenes).sweeps[0]
        (view,) = sweep.views
        assert view.image().shape == (90, 160, 3)
        # By hand: the LiDAR's y is forward, and the camera is 0.8 m before and 0.3 m below it.
        # The world's x is 0.2 rad right of the car's: it moves that much ahead and aside.
        ahead, right = 0.8 + 0.5 * np.cos(0.2), 0.5 * np.sin(0.2)
        point = np.array([[0.0, 10.0, 0.0, 0.0]])
        depth = 10.0 - ahead
        pixels = project(point, view)
        assert pixels.depth == pytest.approx(depth)
        expected = [[80 + 80 * -right / depth, 45 + 80 * -0.3 / depth]]
        np.testing.assert_allclose(pixels.uv, expected, atol=1e-9)
        assert not project(np.array([[0.0, ahead + 0.9, 0.0, 0.0]]), view).inside.any()  # < 1 m
        np.testing.assert_allclose(
            sweep.pose[:3, 3], (100 + 0.9 * np.cos(0.2), 50.17880, 1.8), 1e-6
        )

    def test_names_all_that_is_wrong(self, nuscenes) -> None:
        tables = nuscenes / "v1.0-mini"
        (nuscenes / "samples" / "CAM_FRONT" / "scene-0061.jpg").unlink()
        (nuscenes / "lidarseg" / "v1.0-mini" / "lidar0_lidarseg.bin").unlink()
        (nuscenes / "samples" / "LIDAR_TOP" / "scene-0916.pcd.bin").unlink()
        data = read_clouds(nuscenes)
        assert told(data) == [
            "missing: ROOT/lidarseg/v1.0-mini/lidar0_lidarseg.bin: no such file",
            "missing: ROOT/samples/CAM_FRONT/scene-0061.jpg: no such file",
            "missing: ROOT/samples/LIDAR_TOP/scene-0916.pcd.bin: no such file",
        ]
        (sweep,) = data.sweeps
        assert (sweep.labels, sweep.views) == (None, ())
        edit(tables / "calibrated_sensor.json", lambda records: records.pop(0))
        (data.root / "lidarseg" / "v1.0-mini" / "lidar0_lidarseg.bin").write_bytes(b"")
        assert read_clouds(nuscenes).sweeps == ()

    def test_records_that_are_missing_are_told(self, nuscenes) -> None:
        tables = nuscenes / "v1.0-mini"
        edit(tables / "ego_pose.json", lambda records: records.pop(0))
        edit(tables / "sample.json", lambda records: records.pop(1))
        edit(tables / "lidarseg.json", lambda records: records.pop(0))
        data = read_clouds(nuscenes)
        assert told(data) == [
            "missing: ROOT/samples/LIDAR_TOP/scene-0061.pcd.bin: is not in lidarseg.json",
            "calibration: ROOT/v1.0-mini/ego_pose.json: has no record 'pose-lidar0'; expected one "
            "that another table names. Unpack the tables anew.",
            "mismatched: ROOT/v1.0-mini/sample.json: has no record 'sample1'; expected one that "
            "another table names. Unpack the tables anew.",
        ]
        (sweep,) = data.sweeps
        assert (sweep.labels, sweep.views, sweep.pose) == (None, (), None)

    def test_a_pose_that_is_none_is_told(self, nuscenes) -> None:
        def spoil(records) -> None:
            records[1]["rotation"] = [0.5, 0.5, 0.5, 0.6]

        edit(nuscenes / "v1.0-mini" / "calibrated_sensor.json", spoil)
        data = read_clouds(nuscenes)
        assert [sweep.views for sweep in data.sweeps] == [(), ()]
        text = "the quaternion [0.5, 0.5, 0.5, 0.6] is no rotation: its length is 1.054"
        assert [(p.kind, text in p.what) for p in data.problems] == [("calibration", True)] * 2

    def test_without_lidarseg(self, nuscenes) -> None:
        (nuscenes / "v1.0-mini" / "lidarseg.json").unlink()
        data = read_clouds(nuscenes)
        assert (data.classes, told(data)) == ((), [])
        assert data.notes == (
            f"no lidarseg.json in {nuscenes / 'v1.0-mini'}, so no point has a label",
        )
        assert data.load(data.sweeps[0]).labels is None

    def test_categories_that_are_not_those_of_lidarseg(self, nuscenes) -> None:
        edit(nuscenes / "v1.0-mini" / "category.json", lambda records: records[1].pop("index"))
        data = read_clouds(nuscenes)
        assert told(data) == [
            "label: ROOT/v1.0-mini/category.json: 'vehicle.car' has no index; expected the "
            "category.json that comes with lidarseg. Unpack nuScenes-lidarseg over nuScenes."
        ]
        assert data.classes == ()

    @pytest.mark.parametrize("text", ["[{", "[{}]"])
    def test_a_table_that_is_damaged_is_named(self, nuscenes, text) -> None:
        path = nuscenes / "v1.0-mini" / "scene.json"
        path.write_text(text)
        with pytest.raises(DataError, match=r"scene\.json"):
            read_clouds(nuscenes)

    def test_the_split_is_the_official_one(self) -> None:
        assert len(VAL) == 150
        assert set(nuscenes.CLASS_OF.values()) - {""} == set(nuscenes.CLASSES)
        assert (len(nuscenes.CLASS_OF), len(nuscenes.CLASSES)) == (32, 16)

    def test_a_version_that_is_not_there(self, nuscenes) -> None:
        with pytest.raises(DataError, match=r"v1\.0-trainval"):
            read_clouds(nuscenes, split="trainval")


class TestLidarCamera:
    def test_reads_pairs_and_scans(self, pairs, around) -> None:
        data = read_clouds(pairs)
        assert (data.kind, told(data), data.classes) == ("lidar_camera", [], ())
        assert [s.name for s in data.part("test")] == ["frame_1", "frame_2"]
        scans = data.part("train")
        assert [s.pose[0, 3] for s in scans] == [0.0, 0.5, 1.0]
        scan = data.load(scans[0])
        np.testing.assert_allclose(scan.points, around(50), atol=1e-6)
        assert scan.times_s[-1] == pytest.approx(
            0, abs=1e-6
        )  # the stamp is that of the last point
        (view,) = data.sweeps[0].views
        assert view.image().shape == (48, 64, 3)
        assert view.camera.distortion.tolist() == [-0.1, 0.1, 0.001, 0.002]

    def test_names_all_that_is_wrong(self, pairs) -> None:
        (pairs / "frame_1" / "calib.jpg").unlink()
        calibration = pairs / "frame_2" / "calib.txt"
        calibration.write_text(calibration.read_text().replace("T: 0.0", "T: 0.5"))
        (pairs / "scans" / "2021-10-26-16-21-29-068.pcd").write_bytes(b"# .PCD v0.7")
        poses = pairs / "scans" / "top_center_lidar-pose.txt"
        lines = poses.read_text().splitlines()
        poses.write_text(lines[0] + "\n" + lines[1][:30] + "\n")
        data = read_clouds(pairs)
        kinds = [(p.kind, p.where.removeprefix(f"{pairs}/")) for p in data.problems]
        assert kinds == [
            ("missing", "frame_1/calib.jpg"),
            ("calibration", "frame_2/calib.txt"),
            ("unreadable", "scans/top_center_lidar-pose.txt, line 2"),
            ("unreadable", "scans/2021-10-26-16-21-29-068.pcd"),
            ("missing", "scans/2021-10-26-16-21-29-168.pcd"),
            ("missing", "scans/2021-10-26-16-21-29-268.pcd"),
        ]
        assert "is no rotation: R R^T is up to 0.5 from the identity" in data.problems[1].what
        assert [len(s.views) for s in data.part("test")] == [0, 0]
        assert len(data.part("train")) == 2

    @pytest.mark.parametrize("change", [("K: 40", "K: a"), ("D: -0.1", "D:"), ("T:", "P:")])
    def test_a_calibration_that_cannot_be_read(self, pairs, change) -> None:
        path = pairs / "frame_1" / "calib.txt"
        path.write_text(path.read_text().replace(*change))
        (problem,) = read_clouds(pairs).problems
        assert (problem.kind, problem.where) == ("calibration", str(path))
        assert f"'{change[0][0]}:' and" in problem.what

    def test_the_real_ones(self, shared_data) -> None:
        pytest.importorskip("pypcd4")
        data = read_clouds(shared_data / "lidar_camera")
        assert told(data) == []
        assert all(len(sweep.views) == 1 for sweep in data.part("test"))
        scan = data.load(data.part("train")[0])
        assert len(scan) > 50_000
        assert scan.ring.max() == 60
        assert 0 < scan.points[:, 3].mean() < 0.5
        assert -0.11 < scan.times_s.min() < -0.09
        assert scan.times_s.max() == pytest.approx(0, abs=1e-6)


def test_a_folder_that_is_none_of_them(tmp_path) -> None:
    with pytest.raises(DataError, match="no data set of LiDAR scans that is known"):
        read_clouds(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        read_clouds(tmp_path / "none")
    with pytest.raises(DataError, match="unknown kind 'kitti'"):
        read_clouds(tmp_path, "kitti")


def test_a_split_or_part_that_is_unknown(kitti) -> None:
    with pytest.raises(DataError, match="semantic_kitti has no split 'mini'"):
        read_clouds(kitti, split="mini")
    with pytest.raises(DataError, match="no part 'val'; expected one of train, test"):
        read_clouds(kitti).part("val")
