from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.sim.outcome import Attempt


def attempt(robot, force_n):
    made = Attempt(robot.cell, robot.hand, "crate", force_n)
    for _ in robot.hand.move(np.array([0.05, 0.0, 0.15]), speed=0.2):
        robot.do([None])
        made.watch()
    return made.judge()


def test_what_hangs_between_the_pads_is_held(make_robot, make_crate):
    robot = make_robot(make_crate())
    robot.grasp(10.0)
    decided = robot.cell.time_ns
    grasp = attempt(robot, 10.0)
    assert (grasp.outcome, grasp.success, grasp.object) == ("held", True, "crate")
    assert grasp.decision_ns == decided < grasp.judged_ns == robot.cell.time_ns
    assert abs(grasp.slid_m) < 0.001


def test_what_the_fingers_lose_has_slipped(make_robot, make_crate):
    robot = make_robot(make_crate(mass_kg=1.0))
    robot.grasp(5.0)
    grasp = attempt(robot, 5.0)
    assert (grasp.outcome, grasp.success) == ("slipped", False)
    assert grasp.slid_m > 0.01


@pytest.mark.parametrize("place", [(0.05, 0.2, 0.03), (0.05, 0.041, 0.03)])
def test_fingers_that_close_beside_it_have_missed(make_robot, make_crate, place):
    robot = make_robot(make_crate(position_m=place))
    robot.grasp(5.0)
    grasp = attempt(robot, 5.0)
    assert (grasp.outcome, grasp.slid_m) == ("missed", 0.0)


def test_it_is_about_the_object_that_was_caught(make_robot, make_crate):
    robot = make_robot(make_crate(position_m=(0.05, 0.2, 0.03)), make_crate(name="other"))
    robot.grasp(8.0)
    assert attempt(robot, 8.0).object == "other"
