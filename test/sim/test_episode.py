from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.cell import SimulationDiverged
from xmodal_ros.sim.clocks import ClockSettings
from xmodal_ros.sim.episode import START_NS, Episode, EpisodeSettings
from xmodal_ros.sim.policy import ACTIVITIES
from xmodal_ros.sim.skills import PolicySettings

EXACT = {"rate_error": 0.0, "offset_s": 0.0, "jitter_s": 0.0, "drops": 0.0}
CLOCKS = {
    "imu": ClockSettings(rate_hz=400.0, **EXACT),
    "camera": ClockSettings(rate_hz=30.0, **EXACT),
    "lidar": ClockSettings(rate_hz=10.0, **{**EXACT, "offset_s": 0.05}),
}
SURE = PolicySettings(
    explore_share=0, collision_share=0, blunder_share=0, aim_error_m=0, aim_error_rad=0,
    force_low_n=10,
)  # fmt: skip


class Still:
    """A robot that stays, for some control steps."""

    def __init__(self, steps):
        self.grasps = []
        self._steps = steps

    def __iter__(self):
        return itertools.repeat("idle", self._steps)


def digest(readings):
    made = hashlib.sha256()
    for reading in readings:
        made.update(f"{reading.stamp_ns} {reading.stream} ".encode())
        made.update(np.asarray(reading.data).tobytes())
    return made.hexdigest()


def test_sensors_are_read_when_they_are_due(make_robot, make_crate):
    cell = make_robot(make_crate()).cell
    asked = []

    def read(stream):
        asked.append((stream, cell.time_ns))
        return stream.upper()

    settings = EpisodeSettings(clocks=CLOCKS)
    episode = Episode(cell, read, ("camera", "lidar"), settings, 0, script=Still(200))
    readings = [r for r in episode if not r.stream.startswith(("labels/", "poses/"))]
    counts = {name: sum(r.stream == name for r in readings) for name in CLOCKS}
    assert counts == {"imu": 400, "camera": 30, "lidar": 10}
    made = [r for r in readings if r.stream != "imu"]
    assert [(r.stream, r.data) for r in made] == [(s, s.upper()) for s, _ in asked]
    late = np.array([START_NS + t - (r.stamp_ns - episode.offsets_ns[r.stream])
                     for r, (_, t) in zip(made, asked, strict=True)])  # fmt: skip
    assert (late >= 0).all()
    assert late.max() <= 1_250_000  # one physics step
    assert episode.offsets_ns["lidar"] != 0
    true = [r.stamp_ns - episode.offsets_ns[r.stream] for r in readings]
    assert np.diff(true).min() > 0


def test_labels_tell_what_goes_on_and_how_it_ended(make_robot, make_crate):
    cell = make_robot(make_crate()).cell
    episode = Episode(cell, str, (), EpisodeSettings(policy=SURE), 0)
    readings = list(episode)
    activities = [r for r in readings if r.stream == "labels/activity"]
    assert [r.data for r in activities] == [
        "idle", "reach", "grasp", "lift", "shake", "place", "reach", "idle",
    ]  # fmt: skip
    assert (np.diff([r.stamp_ns for r in activities]) > 0).all()
    grasp = episode.grasps[0]
    labels = [(r.stamp_ns, r.data) for r in readings if r.stream == "labels/grasp"]
    assert labels == [
        (START_NS + grasp.decision_ns, "success"), (START_NS + grasp.judged_ns, ""),
    ]  # fmt: skip
    # The decision falls at the end of "grasp", before anything is lifted.
    stamps = {r.data: r.stamp_ns for r in activities}
    assert stamps["grasp"] < labels[0][0] <= stamps["lift"]
    heights = [r.data[2] for r in readings
               if r.stream == "poses/crate" and r.stamp_ns <= labels[0][0]]  # fmt: skip
    assert len(heights) == pytest.approx(50 * grasp.decision_ns / 1e9, abs=2)
    assert max(heights) < 0.031


def test_running_into_things_is_a_collision(make_robot, make_crate):
    policy = PolicySettings(explore_share=0, collision_share=1.0)
    cell = make_robot(make_crate()).cell
    found = []
    for reading in Episode(cell, str, (), EpisodeSettings(policy=policy), 0):
        if reading.stream == "labels/activity":
            found.append(reading.data)
            assert reading.data in ACTIVITIES
        if found[-1:] == ["grasp"]:
            break
    where = found.index("collision")
    assert found[where - 1] == found[where + 1] == "reach"


def test_the_same_seed_gives_the_same_bytes_whatever_else_is_read(make_robot, make_crate):
    def episode(seed, streams):
        cell = make_robot(make_crate(), person=True).cell
        made = Episode(cell, str, streams, EpisodeSettings(), seed)
        return [r for r in itertools.islice(made, 800) if r.stream not in streams]

    one = episode(5, ())
    assert digest(one) == digest(episode(5, ()))
    with_camera = episode(5, ("camera", "tactile_left"))
    assert digest(one[: len(with_camera)]) == digest(with_camera)
    assert digest(one) != digest(episode(6, ()))


def test_a_sensor_without_a_clock_is_refused(make_robot, make_crate):
    cell = make_robot(make_crate()).cell
    with pytest.raises(SettingsError) as error:
        Episode(cell, str, ("radar",), EpisodeSettings(clocks=CLOCKS), 0)
    assert str(error.value) == (
        "episode: no clock for sensor 'radar'; expected one of imu, camera, lidar"
    )


def test_a_diverged_episode_ends_with_its_seed(make_robot, make_crate):
    cell = make_robot(make_crate()).cell
    episode = iter(Episode(cell, str, (), EpisodeSettings(), 0, script=Still(400)))
    next(episode)
    cell.data.joint("crate").qvel[:3] = 1e12
    with pytest.raises(SimulationDiverged, match="seed 7"):
        list(episode)
