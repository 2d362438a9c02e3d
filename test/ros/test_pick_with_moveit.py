"""The example with MoveIt, with stand-ins of what is not installed: the order of its motions."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


class Robot:
    """What the example uses of MoveItPy; notes what it was told to do."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.plans = True

    def get_planning_component(self, group: str) -> Any:
        goals: list[str] = []

        def set_goal_state(configuration_name: str = "", pose_stamped_msg: Any = None, **_: Any):
            where = pose_stamped_msg.pose.position.z if pose_stamped_msg else configuration_name
            goals.append(f"{group} {where}")

        return SimpleNamespace(
            set_start_state_to_current_state=lambda: None,
            set_goal_state=set_goal_state,
            plan=lambda: SimpleNamespace(trajectory=goals[-1]) if self.plans else None,
        )

    def execute(self, trajectory: str, controllers: list[str]) -> None:
        self.done.append(trajectory)


@pytest.fixture
def example(repository, monkeypatch) -> Any:
    moveit, planning = ModuleType("moveit"), ModuleType("moveit.planning")
    planning.MoveItPy = Robot
    monkeypatch.setitem(sys.modules, "moveit", moveit)
    monkeypatch.setitem(sys.modules, "moveit.planning", planning)
    path = repository / "examples" / "pipeline" / "pick_with_moveit.py"
    spec = importlib.util.spec_from_file_location("pick_with_moveit", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answers(*holds: bool) -> Any:
    """A perception node that gives these answers."""
    said = iter(holds)
    return SimpleNamespace(
        assess_grasp=lambda **_: SimpleNamespace(holds=next(said), message="said")
    )


def test_it_grasps_elsewhere_until_it_holds_and_lifts_then(example) -> None:
    robot = Robot()
    assert example.pick(robot, answers(False, True), [example.place(z) for z in (0.5, 0.4, 0.3)])
    tried = [["hand open", f"panda_arm {z}", "hand close"] for z in (0.5, 0.4)]
    assert robot.done == [*tried[0], *tried[1], "panda_arm ready"]


def test_what_never_holds_is_let_go(example) -> None:
    robot = Robot()
    assert not example.pick(robot, answers(False), [example.place(0.5)])
    assert robot.done == ["hand open", "panda_arm 0.5", "hand close", "hand open"]


def test_a_motion_without_a_plan_ends_it(example) -> None:
    robot = Robot()
    robot.plans = False
    with pytest.raises(RuntimeError, match="hand: no plan to"):
        example.pick(robot, answers(), [example.place(0.5)])
