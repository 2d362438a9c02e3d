"""The commanded arm: what each command does to the object, and what it tells of the grasp."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.commands import EXACT, RAISE_M, Command, Commands
from xmodal_ros.sim.motion import CONTROL_S
from xmodal_ros.sim.robot import FINGERS
from xmodal_ros.sim.scene import SceneSettings, draw_scene
from xmodal_ros.sim.skills import PolicySettings
from xmodal_ros.sim.world import TIMESTEP_S

STEPS = round(CONTROL_S / TIMESTEP_S)


class Arm:
    """A cell with one box, and its commanded arm."""

    def __init__(self, aim: PolicySettings = EXACT) -> None:
        rng = np.random.default_rng(0)
        settings = SceneSettings(shapes="box", objects=1, mass_low_kg=0.2, mass_high_kg=0.3)
        self.cell = Cell(draw_scene(0, settings, rng))
        self.commands = Commands(self.cell, rng, aim)
        self._activities: Iterator[str] = iter(self.commands)

    def step(self) -> str:
        activity = next(self._activities)
        for _ in range(STEPS):
            self.cell.step()
        return activity

    def run(self, name: str, **fields: float) -> set[str]:
        """Run a command to its end; the activities on the way."""
        self.commands.start(Command(name, **fields))
        seen = set()
        while self.commands.busy:
            seen.add(self.step())
        return seen

    @property
    def height_m(self) -> float:
        return float(self.cell.pose("object_0")[2])

    @property
    def grips_n(self) -> tuple[float, float]:
        """Forces that the fingers are told, left and right."""
        return tuple(float(self.cell.data.actuator(f"finger_{f}").ctrl[0]) for f in FINGERS)


@pytest.fixture
def arm() -> Arm:
    return Arm()


def test_a_firm_grasp_holds(arm: Arm) -> None:
    low = arm.height_m
    assert arm.run("reach") == {"reach"}
    assert arm.commands.outcome == ""
    assert "grasp" in arm.run("grasp", force_n=20.0)
    assert arm.run("lift") <= {"lift"}
    assert arm.height_m > low + 0.1
    arm.run("shake")
    assert arm.commands.outcome == "held"
    arm.run("place")
    assert arm.height_m == pytest.approx(low, abs=0.005)
    assert [grasp.outcome for grasp in arm.commands.grasps] == ["held"]
    assert arm.commands.grasps[0].force_n == 20.0


def test_a_weak_grasp_slips(arm: Arm) -> None:
    low = arm.height_m
    for name in ("reach", "grasp", "lift"):
        arm.run(name, force_n=0.5)
    assert arm.commands.outcome == "slipped"
    assert arm.height_m == pytest.approx(low, abs=0.01)


def test_a_grasp_of_the_air_misses(arm: Arm) -> None:
    arm.run("home")
    arm.run("grasp")
    arm.run("lift")
    arm.run("release")
    assert arm.commands.outcome == "missed"
    assert [grasp.outcome for grasp in arm.commands.grasps] == ["missed"]


def test_a_raise_is_a_small_lift_that_tells_what_slips(arm: Arm) -> None:
    low = arm.height_m
    arm.run("reach")
    arm.run("grasp", force_n=20.0)
    assert arm.run("raise") == {"lift"}
    assert arm.commands.outcome == "held"
    assert arm.height_m == pytest.approx(low + RAISE_M, abs=0.004)
    arm.run("release")
    assert arm.height_m == pytest.approx(low, abs=0.004)
    for name in ("reach", "grasp", "raise"):
        arm.run(name, force_n=0.5)
    assert arm.commands.outcome == "slipped"


def test_a_tighter_grip_never_lets_go_meanwhile(arm: Arm) -> None:
    arm.run("reach")
    arm.run("grasp", force_n=9.0)
    arm.run("raise")
    height_m = arm.height_m
    arm.commands.start(Command("grasp", force_n=15.0))
    weakest_n = np.inf
    while arm.commands.busy:
        arm.step()
        weakest_n = min(weakest_n, *arm.grips_n)
    assert weakest_n == 9.0
    assert arm.grips_n == (15.0, 15.0)
    assert arm.height_m == pytest.approx(height_m, abs=0.002)


def test_the_nth_aim_errs_the_same_whatever_came_before() -> None:
    aim = PolicySettings(aim_error_m=0.02, blunder_share=0.0)
    plain, busy = Arm(aim), Arm(aim)
    busy.run("home")
    busy.run("shake")
    places = []
    for arm in (plain, busy):
        arm.run("reach")
        places.append([arm.commands.hand.goal_position])
        arm.run("reach")
        places[-1].append(arm.commands.hand.goal_position)
    assert places[0][0] == pytest.approx(places[1][0], abs=1e-3)
    assert places[0][1] == pytest.approx(places[1][1], abs=1e-3)
    assert np.linalg.norm(places[0][0] - places[0][1]) > 0.005


def test_an_arm_that_is_not_told_otherwise_aims_without_error(arm: Arm) -> None:
    box = arm.cell.pose("object_0")[:2]
    arm.run("reach")
    assert arm.commands.hand.goal_position[:2] == pytest.approx(box, abs=1e-3)


def test_what_was_not_lifted_is_no_grasp_that_ended(arm: Arm) -> None:
    for name in ("reach", "grasp", "release"):
        arm.run(name)
    assert arm.commands.grasps == []


def test_progress_grows_and_a_stop_leaves_the_arm_where_it_is(arm: Arm) -> None:
    arm.commands.start(Command("reach"))
    progress = []
    for _ in range(100):
        arm.step()
        progress.append(arm.commands.progress)
    assert progress == sorted(progress)
    assert 0 < progress[0] < progress[-1] < 1
    arm.commands.stop()
    assert not arm.commands.busy
    for _ in range(60):  # it swings a little
        assert arm.step() == "idle"
    before = arm.commands.hand.position
    for _ in range(20):
        arm.step()
    assert arm.commands.hand.position == pytest.approx(before, abs=1e-3)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"name": "dance"}, "command: no command 'dance'; expected one of reach, grasp, raise"),
        ({"name": "grasp", "force_n": 99.0}, "force: got 99; expected a value from 0.5 to 40.0 N"),
    ],
)
def test_bad_commands_are_told(fields, text) -> None:
    with pytest.raises(SettingsError, match=text):
        Command(**fields)


def test_an_unknown_object_is_told_and_changes_nothing(arm: Arm) -> None:
    with pytest.raises(SettingsError, match="no object 'cup' is in the cell; expected one of"):
        arm.commands.start(Command("reach", object="cup"))
    assert not arm.commands.busy
