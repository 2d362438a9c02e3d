"""LiDAR scans of recordings, with what cameras saw meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.point_cloud import read_clouds, recordings
from xmodal_ros.data.point_cloud.projection import project

START_NS = 1_700_000_000_000_000_000


def told(data) -> list[str]:
    return [str(problem).replace(str(data.root), "ROOT") for problem in data.problems]


def test_reads_scans_with_classes(record, around) -> None:
    data = read_clouds(record())
    assert (data.kind, told(data), data.notes) == ("recordings", [], ())
    assert [s.stamp_ns - START_NS for s in data.sweeps] == [k * 10**8 + 10**7 for k in range(5)]
    scan = data.load(data.sweeps[3])
    np.testing.assert_array_equal(scan.points, around(100, seed=3))
    assert scan.labels.tolist() == [k % 6 for k in range(100)]
    assert data.classes == ("background", "table", "object", "arm", "gripper", "person")
    np.testing.assert_allclose(data.sweeps[3].pose[:3, 3], (1, 2, 0.5))


def test_the_camera_is_where_the_hand_was_at_the_time_of_the_image(record) -> None:
    data = read_clouds(record())
    for k, sweep in enumerate(data.sweeps):
        (view,) = sweep.views
        assert (view.image() == k).all()
        angle = 0.1 * k + 0.03  # of the hand, between two transforms
        ahead = 10 * np.array((np.cos(angle + 0.1), np.sin(angle + 0.1)))
        pixels = project(np.array([[*ahead, 0.0, 0.0]]), view)
        # 0.1 rad to the left of where the camera looks, and 1 m below it
        depth = 10 * np.cos(0.1)
        expected = (32 - 40 * np.tan(0.1), 24 + 40 / depth)
        np.testing.assert_allclose(pixels.uv[0], expected, atol=1e-6)
        assert pixels.depth[0] == pytest.approx(depth)


def test_the_classes_are_those_of_the_simulated_cell() -> None:
    world = pytest.importorskip("xmodal_ros.sim.world")
    assert world.CLASSES == recordings.CLASSES


def test_settings_name_topics_and_cameras(record) -> None:
    def rename(topic, fields) -> None:
        if topic == "/camera/camera_info":
            fields["d"] = [0.1, 0.01, 0.001, 0.002, 0.0]

    root = record(change=rename)
    (root / "settings.yaml").write_text(
        "streams:\n  lidar: {offset_s: 0.02}\n  camera: {required: true}\n"
    )
    sweep = read_clouds(root).sweeps[0]
    assert sweep.stamp_ns == START_NS + 30_000_000
    assert sweep.views[0].camera.distortion.tolist() == [0.1, 0.01, 0.001, 0.002, 0.0]


def test_without_classes_or_camera_info(record) -> None:
    data = read_clouds(record(without=("/truth/classes/lidar", "/camera/camera_info")))
    assert (told(data), data.classes) == ([], ())
    assert len(data.notes) == 1
    assert data.notes[0].endswith("no /camera/camera_info, so its images do not go with scans")
    assert data.load(data.sweeps[0]).labels is None
    assert data.sweeps[0].views == ()


@pytest.mark.parametrize(
    ("topic", "note"),
    [
        ("/tf", "frame 'eye' is in 'hand', 'lidar' in 'world': not tied"),
        ("/tf_static", "frame 'eye' is in 'eye', 'lidar' in 'lidar': not tied"),
    ],
)
def test_frames_that_are_not_tied_are_told(record, topic, note) -> None:
    data = read_clouds(record(without=(topic,)))
    assert data.notes == (f"run: {note}",)
    assert all(sweep.views == () for sweep in data.sweeps)
    assert all((sweep.pose is None) == (topic == "/tf_static") for sweep in data.sweeps)


def test_a_transform_that_is_too_old_is_not_used(record) -> None:
    def stop(topic, fields) -> None:
        for transform in fields["transforms"] if topic == "/tf" else ():
            transform["header"]["stamp"] = {"sec": 1_700_000_000, "nanosec": 0}

    data = read_clouds(record(change=stop))
    assert [len(sweep.views) for sweep in data.sweeps] == [1, 0, 0, 0, 0]
    (note,) = data.notes
    assert "no transform of frame 'hand' within 0.1 s of a scan or image" in note


def test_a_transform_that_is_no_rotation_is_named(record) -> None:
    def spoil(topic, fields) -> None:
        for transform in fields["transforms"] if topic == "/tf" else ():
            transform["transform"]["rotation"]["w"] += 0.5

    data = read_clouds(record(change=spoil))
    assert data.sweeps == ()
    (problem,) = data.problems
    assert ":/tf, frame 'hand'" in problem.where
    assert "is no rotation: its length is 1.5" in problem.what


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("k", [0.0] * 9, "Calibrate the camera"),
        ("distortion_model", "equidistant", "the distortion model 'equidistant' is not known"),
    ],
)
def test_a_camera_that_cannot_be_used_is_named(record, name, value, text) -> None:
    def spoil(topic, fields) -> None:
        if topic == "/camera/camera_info":
            fields[name] = value

    data = read_clouds(record(change=spoil))
    (problem,) = data.problems
    assert problem.kind == "calibration"
    assert problem.where.endswith(":/camera/camera_info")
    assert text in problem.what
    assert all(sweep.views == () for sweep in data.sweeps)


def test_classes_of_other_scans_are_told(record) -> None:
    def shift(topic, fields) -> None:
        if topic == "/truth/classes/lidar":
            fields["header"]["stamp"]["nanosec"] += (
                1 if fields["header"]["stamp"]["nanosec"] < 2 * 10**8 else 0
            )

    data = read_clouds(record(change=shift))
    (problem,) = data.problems
    assert (problem.kind, problem.what) == (
        "missing",
        "2 of 5 scans have no message of /truth/classes/lidar with their stamp",
    )
    assert [sweep.labels is None for sweep in data.sweeps] == [True, True, False, False, False]


@pytest.mark.parametrize("count", [99, 101])
def test_other_than_one_class_per_point_is_refused(record, count) -> None:
    def cut(topic, fields) -> None:
        if topic == "/truth/classes/lidar":
            fields.update(width=count, step=count, data=np.zeros(count, np.uint8))

    data = read_clouds(record(change=cut))
    with pytest.raises(DataError, match=f"{count} labels; expected one of each of 100"):
        data.load(data.sweeps[0])


def test_a_class_that_is_unknown_is_refused(record) -> None:
    def other(topic, fields) -> None:
        if topic == "/truth/classes/lidar":
            fields["data"] = np.full(100, 6, np.uint8)

    data = read_clouds(record(change=other))
    with pytest.raises(DataError, match=r"classes up to 6 \(uint8\); expected uint8 of 0 to 5"):
        data.load(data.sweeps[0])


def test_a_recording_without_a_lidar(record) -> None:
    data = read_clouds(record(without=("/lidar/points",)))
    assert data.sweeps == ()
    (problem,) = data.problems
    assert problem.kind == "missing"
    assert "no topic 'lidar/points' of stream 'lidar'" in problem.what
