from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.sim.motion import tool_down


@pytest.mark.parametrize("place", [(0.14, 0.22, 0.02), (-0.02, -0.22, 0.05), (0.26, 0.1, 0.3)])
@pytest.mark.parametrize("yaw", [-1.5, 0.0, 1.0])
def test_the_hand_goes_where_it_is_told(make_robot, place, yaw):
    robot = make_robot()
    robot.do(robot.hand.move(np.array(place), yaw, speed=0.5), robot.hand.hold(0.2))
    np.testing.assert_allclose(robot.hand.position, place, atol=1e-3)
    turn = robot.cell.data.site("tcp").xmat.reshape(3, 3)
    np.testing.assert_allclose(turn, tool_down(yaw), atol=0.01)
    np.testing.assert_allclose(turn[:, 1], [-np.sin(yaw), np.cos(yaw), 0.0], atol=0.01)


def test_a_line_is_straight_and_takes_its_time(make_robot):
    robot = make_robot()
    start, goal = robot.hand.position, np.array([0.05, 0.2, 0.2])
    began, places = robot.cell.time_s, []
    for _ in robot.hand.move(goal, speed=0.2):
        robot.do([None])
        places.append(robot.hand.position)
    along = (goal - start) / np.linalg.norm(goal - start)
    off = (places - start) - np.outer((places - start) @ along, along)
    assert np.linalg.norm(off, axis=1).max() < 0.004
    taken = robot.cell.time_s - began
    assert taken == pytest.approx(np.linalg.norm(goal - start) / 0.2, abs=0.01)


def test_fingers_close_on_what_is_between_them_and_open_wide(make_robot, make_crate):
    robot = make_robot(make_crate())
    robot.grasp(6.0)
    assert robot.hand.opening_m == pytest.approx(0.04 - 2 * 6.0 / 8000, abs=1e-3)
    robot.do(robot.hand.open())
    assert robot.hand.opening_m == pytest.approx(0.088, abs=1e-3)
