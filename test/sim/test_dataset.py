"""Data sets: what is in their recordings, their split, and that they are made again the same."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.core.settings import Settings
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import observations
from xmodal_ros.data.splits import load_split
from xmodal_ros.data.visual_tactile import read_dataset
from xmodal_ros.sim.cell import Cell, SimulationDiverged
from xmodal_ros.sim.dataset import EPOCH_NS, make_dataset
from xmodal_ros.sim.logbook import LATENCY_NS
from xmodal_ros.sim.materials import from_id
from xmodal_ros.sim.settings import read_overrides
from xmodal_ros.sim.topics import TOPICS

COARSE = read_overrides(
    [
        "camera.width=32", "camera.height=32", "camera_wrist.width=32", "camera_wrist.height=32",
        "gel.width=64", "gel.height=48", "lidar.steps=64", "lidar.rings=8",
        "camera_clock.rate_hz=5", "camera_wrist_clock.rate_hz=2", "lidar_clock.rate_hz=5",
        "tactile_left_clock.rate_hz=10", "tactile_right_clock.rate_hz=10",
        "imu_clock.rate_hz=100", "policy.explore_share=1.0", "scene.objects=1",
    ]
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sim") / "data"
    make_dataset(out, 2, 7, COARSE)
    return out


@pytest.fixture
def interrupted(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same data set, cut off while its second episode was written."""
    from xmodal_ros.sim import dataset

    out = tmp_path / "again"

    def make(where: Path, number: int, seed: int, settings: object) -> dataset.Facts:
        if number == 1:
            (where / "episode_000001").mkdir()
            raise KeyboardInterrupt
        shutil.copytree(folder / "episode_000000", where / "episode_000000")
        return dataset.Facts("episode_000000", seed, 1.0)

    with monkeypatch.context() as patch:
        patch.setattr(dataset, "make_episode", make)
        with pytest.raises(KeyboardInterrupt):
            make_dataset(out, 2, 7, COARSE)
    return out


def test_an_interrupted_run_goes_on_to_the_same_bytes_in_other_processes(
    folder: Path, interrupted: Path
) -> None:
    before = (interrupted / "episode_000000").stat().st_mtime_ns
    seen: dict[str, bool] = {}
    make_dataset(
        interrupted, 2, 7, COARSE, jobs=2, listener=lambda f, made: seen.update({f.name: made})
    )
    assert _hashes(interrupted) == _hashes(folder)
    assert (interrupted / "episode_000000").stat().st_mtime_ns == before
    assert seen == {"episode_000000": False, "episode_000001": True}


def test_an_unfinished_data_set_is_neither_read_nor_mixed_with_another(interrupted: Path) -> None:
    with pytest.raises(DataError, match=r"again: is not finished.* Repeat the command"):
        read_dataset(interrupted)
    with pytest.raises(DataError, match=r"again: an unfinished data set .* asked for otherwise"):
        make_dataset(interrupted, 2, 8, COARSE)


def test_a_second_process_is_kept_out(interrupted: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in interrupted.rglob("*")}
    with (interrupted / "unfinished" / "lock").open() as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        with pytest.raises(DataError, match=r"again: another process is making this .* Wait for"):
            make_dataset(interrupted, 2, 7, COARSE)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_topics_are_those_of_a_robot(folder: Path) -> None:
    with Recording(folder / "episode_000000") as recording:
        topics = {name: topic.type.split("/")[-1] for name, topic in recording.topics.items()}
        assert topics.pop("/truth/poses/object_0") == "PoseStamped"
        assert topics == {
            "/camera/image_raw/compressed": "CompressedImage",
            "/camera/camera_info": "CameraInfo",
            "/camera_wrist/image_raw/compressed": "CompressedImage",
            "/camera_wrist/camera_info": "CameraInfo",
            "/tactile_left/image_raw/compressed": "CompressedImage",
            "/tactile_right/image_raw/compressed": "CompressedImage",
            "/imu/data_raw": "Imu",
            "/lidar/points": "PointCloud2",
            "/tf": "TFMessage",
            "/tf_static": "TFMessage",
            "/labels/activity": "String",
            "/labels/grasp": "String",
            "/labels/material": "String",
            "/truth/contact/tactile_left": "Image",
            "/truth/contact/tactile_right": "Image",
            "/truth/classes/lidar": "Image",
        }


def test_the_data_path_reads_it_with_the_settings_beside_it(folder: Path) -> None:
    settings = Settings.from_mapping(yaml.safe_load((folder / "settings.yaml").read_text()))
    with Recording(folder / "episode_000000") as recording:
        replay = observations(recording, settings, {})
        seen = list(replay)
        gels = recording.topics["/tactile_left/image_raw/compressed"].count
    assert replay.errors == {}
    assert len(seen) == gels
    complete = [o for o in seen if not o.missing]
    assert len(complete) > gels / 3  # the camera is slow here
    shapes = {name: stream.data.shape for name, stream in complete[0].streams.items()}
    assert shapes["camera"] == (32, 32, 3)
    assert shapes["tactile_right"] == (48, 64, 3)


def test_labels_fit_what_the_gels_feel(folder: Path) -> None:
    facts = _facts(folder)[0]
    with Recording(folder / "episode_000000") as recording:
        labels = list(recording.messages(["/labels/material"]))
        kinds = [m.message.data for m in labels]
        masks = recording.messages(["/truth/contact/tactile_left", "/truth/contact/tactile_right"])
        touched = [m.log_time_ns for m in masks if np.any(m.message.data)]
        grasps = list(recording.messages(["/labels/grasp"]))
    materials = {texture.rpartition("-")[0] for texture in facts["textures"]}
    assert kinds[0] == kinds[-1] == ""
    assert set(kinds) - {""} <= materials
    times = np.array([m.log_time_ns for m in labels])
    named = [kinds[np.searchsorted(times, t) - 1] != "" for t in touched]
    assert np.mean(named) > 0.95  # a label is as late as the next reading of a gel
    (grasp,) = facts["grasps"]
    assert grasps[0].message.data == ("success" if grasp["outcome"] == "held" else "fail")
    assert grasps[0].log_time_ns == EPOCH_NS + 1_000_000_000 + grasp["decision_ns"]


def test_material_labels_are_complete(folder: Path) -> None:
    for facts in _facts(folder):
        for thing in facts["objects"]:
            surface = from_id(thing["texture"])
            assert thing["material"] == surface.material.name
            assert thing["hardness"] == pytest.approx(surface.hardness)
            assert thing["roughness_m"] == pytest.approx(np.abs(surface.height).mean(), rel=1e-3)


def test_stamps_rise_and_are_late_by_what_is_told(folder: Path) -> None:
    offsets_ns = _facts(folder)[0]["offsets_ns"]
    with Recording(folder / "episode_000000") as recording:
        for stream in ("imu", "lidar"):
            messages = list(recording.messages([TOPICS[stream]]))
            stamps = [_stamp_ns(m.message) for m in messages]
            assert np.all(np.diff(stamps) > 0)
            late = np.array([m.log_time_ns for m in messages]) - stamps
            true = late + offsets_ns[stream] - LATENCY_NS[stream]
            assert np.all((true >= 0) & (true < 1_500_000))  # read at the next step of physics


def test_no_object_texture_or_gel_unit_is_in_two_parts(folder: Path) -> None:
    split = load_split(folder / "split.csv", folder)
    part = {row.file.split("/")[0]: row.part for row in split.rows}
    assert sorted(part) == [f"episode_{k:06d}" for k in range(2)]
    things: dict[str, set[str]] = {}
    for facts in _facts(folder):
        shapes = [thing["id"] for thing in facts["objects"]]
        for thing in (*shapes, *facts["textures"], *facts["gel_units"]):
            things.setdefault(thing, set()).add(part[facts["name"]])
    assert len(things) >= 2 * 5
    assert all(len(parts) == 1 for parts in things.values())


def test_episodes_that_share_a_thing_are_in_one_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xmodal_ros.sim import dataset

    def make(out: Path, number: int, seed: int, settings: object) -> dataset.Facts:
        name = f"episode_{number:06d}"
        (out / name).mkdir()
        (out / name / f"{name}.mcap").touch()
        units = {0: ("a", "b"), 1: ("c", "d"), 2: ("e", "f"), 3: ("d", "e")}.get(number, ())
        return dataset.Facts(name, seed, 1.0, gel_units=units)

    monkeypatch.setattr(dataset, "make_episode", make)
    make_dataset(tmp_path / "data", 20, 0, COARSE)
    split = load_split(tmp_path / "data" / "split.csv")
    group = [row.group for row in split.rows]
    assert group[1] == group[2] == group[3] != group[0]
    assert len(set(group)) == 18
    assert [len(split.groups(part)) for part in ("train", "validation", "test")] == [13, 2, 3]


def test_a_diverged_episode_is_counted_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Cell.step

    def diverge(cell: Cell) -> None:
        step(cell)
        if cell.time_s > 0.1:
            raise SimulationDiverged(cell.scene.seed, cell.time_s)

    monkeypatch.setattr(Cell, "step", diverge)
    (facts,) = make_dataset(tmp_path / "data", 1, 7, COARSE)
    assert facts.diverged
    assert facts.seconds == pytest.approx(0.1, abs=0.01)
    assert not (tmp_path / "data" / facts.name).exists()
    contents = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert (contents["diverged"], contents["episodes"][0]["seed"]) == (1, facts.seed)


def test_an_existing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"exists already\. Name another, or remove it"):
        make_dataset(tmp_path, 1, 0, COARSE)


def test_an_unknown_camera_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no camera 'zenith'; expected one of camera, camera_"):
        make_dataset(tmp_path / "out", 1, 0, COARSE, camera="zenith")


def _facts(folder: Path) -> list[dict]:
    return list(json.loads((folder / "dataset.json").read_text())["episodes"])


def _hashes(folder: Path) -> dict[str, str]:
    files: Iterator[Path] = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def _stamp_ns(message) -> int:
    stamp = message.header.stamp
    return int(stamp.sec * 1_000_000_000 + stamp.nanosec)
