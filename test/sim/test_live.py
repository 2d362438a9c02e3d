"""The cell without end: in order, the same for the same seed, and with the same sensors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.cell import Cell, SimulationDiverged
from xmodal_ros.sim.live import CHANGE_NS, Live, Timed
from xmodal_ros.sim.settings import sim_settings

EPOCH_NS = 1_700_000_000_000_000_000
SMALL = {
    "scene": {"shapes": "box", "materials": "wood", "objects": 1},
    "camera": {"width": 32, "height": 24},
    "gel": {"width": 64, "height": 48},
    "lidar": {"rings": 4, "steps": 16},
    "topics": {"jpeg_quality": 0},
}
STREAMS = ("tactile_left", "imu")


@pytest.fixture
def make() -> Callable[..., Live]:
    def live(seed: int = 0, streams: tuple[str, ...] = STREAMS, autonomous: bool = False) -> Live:
        return Live(
            sim_settings(SMALL),
            streams,
            seed,
            autonomous=autonomous,
            epoch=lambda: EPOCH_NS,
            warn=lambda text: warned.append(text),
        )

    warned: list[str] = []
    live.warned = warned
    return live


def take(live: Live, count: int) -> list[Timed]:
    return [live.next() for _ in range(count)]


def stamp_ns(timed: Timed) -> int:
    stamp = timed.message.fields["header"]["stamp"]
    return stamp["sec"] * 10**9 + stamp["nanosec"]


def images(entries: list[Timed]) -> list[np.ndarray]:
    topic = "/tactile_left/image_raw"
    return [e.message.fields["data"].astype(float) for e in entries if e.message.topic == topic]


def test_the_same_seed_gives_the_same_messages(make) -> None:
    streams = ("camera", "tactile_left", "tactile_right", "imu", "lidar")
    first, again, other = (take(make(seed, streams), 300) for seed in (0, 0, 1))
    assert repr(first) == repr(again)
    assert repr(first) != repr(other)
    assert {"/camera/image_raw", "/tactile_right/image_raw", "/lidar/points", "/imu/data_raw"} <= {
        entry.message.topic for entry in first
    }


def test_only_the_sensors_that_are_named_give_messages(make) -> None:
    topics = {entry.message.topic for entry in take(make(streams=("tactile_left",)), 100)}
    assert "/tactile_left/image_raw" in topics
    assert not topics & {"/imu/data_raw", "/camera/image_raw", "/tactile_right/image_raw"}


def test_times_and_stamps_stay_in_order_over_a_change_of_objects(make) -> None:
    live = make()
    entries = take(live, 400)
    live.change()
    entries += take(live, 400)
    times = [entry.time_ns for entry in entries]
    assert times == sorted(times)
    assert max(np.diff(times)) == pytest.approx(CHANGE_NS, rel=0.1)
    for topic in ("/tactile_left/image_raw", "/imu/data_raw"):
        stamps = [stamp_ns(entry) for entry in entries if entry.message.topic == topic]
        assert (np.diff(stamps) > 0).all()
        assert abs(stamps[0] - EPOCH_NS) < 1e9


def test_sensors_stay_the_same_ones_when_objects_change(make) -> None:
    live, other = make(), make(seed=1)
    before = images(take(live, 100))
    live.change()
    after, others = images(take(live, 100)), images(take(other, 100))
    assert not np.array_equal(before[0], after[0])  # the noise is fresh
    noise = np.abs(before[0] - before[1]).mean()
    assert np.abs(np.mean(before, axis=0) - np.mean(after, axis=0)).mean() < noise
    assert np.abs(np.mean(before, axis=0) - np.mean(others, axis=0)).mean() > 2 * noise


def test_a_scripted_episode_is_followed_by_another_one(make) -> None:
    live = make(autonomous=True)
    while live.episodes < 2:
        live.next()
    assert sum(live.outcomes.values()) == 1


def test_what_diverges_is_counted_told_and_given_up(make, monkeypatch) -> None:
    live, step = make(), Cell.step
    take(live, 10)

    def diverge(cell: Cell) -> None:
        monkeypatch.setattr(Cell, "step", step)
        raise SimulationDiverged(7, 0.5)

    monkeypatch.setattr(Cell, "step", diverge)
    take(live, 100)
    assert (live.diverged, live.episodes) == (1, 2)
    assert "seed 7 diverged" in make.warned[0]


@pytest.mark.parametrize(
    ("streams", "text"),
    [
        (("sonar",), "streams: no sensor 'sonar'; expected some of camera, tactile_left"),
        ((), "streams: no sensor is named"),
    ],
)
def test_unknown_sensors_are_told(make, streams, text) -> None:
    with pytest.raises(SettingsError, match=text):
        make(streams=streams)
