from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.sim.person import ARM_M, PALM_HALF_M, SHOULDER_M


def walk(robot, seconds):
    for _ in range(round(seconds / 0.005)):
        robot.cell.person.move(0.005)
        robot.do([None])


def test_a_person_walks_and_reaches_at_a_persons_speed(make_robot, make_crate):
    robot = make_robot(make_crate(), person=True)
    person = robot.cell.person
    start = person.place.copy()
    person.walk_to(0.9, 0.0)
    walk(robot, 0.5)
    assert np.linalg.norm(person.place - start) == pytest.approx(0.3, abs=0.01)
    person.reach_to(np.array([0.3, 0.1, 0.2]))
    assert not person.arrived
    walk(robot, 2.0)
    assert person.arrived
    data = robot.cell.data
    palm = data.body("palm").xpos
    np.testing.assert_allclose(palm, [0.3, 0.1, 0.2 - PALM_HALF_M[2]], atol=1e-6)
    np.testing.assert_allclose(data.body("person").xpos, [0.9, 0.0, 0.0], atol=1e-6)
    sleeve = data.body("person_arm")  # from the palm towards the shoulder
    to_shoulder = np.add([0.9, 0.0, 0.0], SHOULDER_M) - palm
    along = sleeve.xmat.reshape(3, 3)[:, 2]
    np.testing.assert_allclose(along, to_shoulder / np.linalg.norm(to_shoulder), atol=1e-6)
    assert np.linalg.norm(to_shoulder) == pytest.approx(ARM_M, abs=0.2)
    person.reach_to(None)
    walk(robot, 2.0)
    assert person.hand[0] > 0.7


def test_the_palm_stops_what_falls_on_it(make_robot, make_crate):
    robot = make_robot(make_crate(position_m=(0.3, 0.1, 0.30)), person=True)
    robot.cell.clamp("crate", True)
    robot.cell.person.walk_to(0.9, 0.0)
    robot.cell.person.reach_to(np.array([0.3, 0.1, 0.2]))
    walk(robot, 2.0)
    robot.cell.clamp("crate", False)
    walk(robot, 0.5)
    assert robot.cell.pose("crate")[2] == pytest.approx(0.2 + 0.03, abs=0.002)
