from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.policy import ACTIVITIES, Script
from xmodal_ros.sim.skills import PolicySettings, Skills

PLAIN = {"explore_share": 0.0, "collision_share": 0.0, "blunder_share": 0.0}
SURE = {**PLAIN, "aim_error_m": 0.0, "aim_error_rad": 0.0}


def play(robot, seed=0, **settings):
    """Run an episode: the script, and the activities in order with how long they took."""
    script = Script(robot.cell, PolicySettings(**settings), np.random.default_rng(seed))
    order, seconds = [], dict.fromkeys(ACTIVITIES, 0.0)
    for activity in script:
        robot.do([None])
        if robot.cell.person:
            robot.cell.person.move(0.005)
        seconds[activity] += 0.005
        if order[-1:] != [activity]:
            order.append(activity)
    return script, order, seconds


def test_a_good_grasp_is_lifted_shaken_and_set_down(make_robot, make_crate):
    robot = make_robot(make_crate())
    script, order, seconds = play(robot, force_low_n=10, **SURE)
    assert order == ["idle", "reach", "grasp", "lift", "shake", "place", "reach", "idle"]
    assert [grasp.outcome for grasp in script.grasps] == ["held"]
    assert all(seconds[activity] > 0.3 for activity in order)
    assert robot.cell.on_table("crate")
    np.testing.assert_allclose(robot.cell.pose("crate")[2], 0.03, atol=0.002)  # it stands
    assert np.hypot(*(robot.cell.pose("crate")[:2] - (0.05, 0.0))) > 0.01  # somewhere else


@pytest.mark.parametrize(
    ("crate", "settings", "outcome"),
    [
        ({"mass_kg": 1.5}, {**SURE, "force_high_n": 5}, "slipped"),  # too heavy for the force
        ({"friction": 0.05}, {**SURE, "force_high_n": 10}, "slipped"),  # too slippery
        ({}, {**SURE, "force_low_n": 10, "aim_error_m": 0.1, "seed": 3}, "missed"),  # off-centre
        ({"mass_kg": 1.0}, {**SURE, "force_low_n": 17, "force_high_n": 17}, "held"),
    ],
)
def test_the_physics_decides(make_robot, make_crate, crate, settings, outcome):
    script, order, _ = play(make_robot(make_crate(**crate)), **settings)
    assert [grasp.outcome for grasp in script.grasps] == [outcome]
    assert ("place" in order) is (outcome == "held")


def test_an_explored_object_is_pressed_and_slid_over_where_it_stands(make_robot, make_crate):
    robot = make_robot(make_crate())
    before = robot.cell.pose("crate")
    script = Script(
        robot.cell, PolicySettings(**{**SURE, "explore_share": 1.0}), np.random.default_rng(0)
    )
    forces, slips, order = [], [], []
    for activity in script:
        if activity == "grasp":
            break
        robot.do([None])
        order += [activity] if order[-1:] != [activity] else []
        left = robot.cell.pads()["left"]
        forces.append(left.normal_force if activity == "press" else 0.0)
        slips.append(np.abs(left.slip).max() if activity == "slide" else 0.0)
    assert order == ["idle", "reach", "press", "slide", "reach"]
    assert max(forces) > 7.0
    assert max(slips) > 0.002
    np.testing.assert_allclose(robot.cell.pose("crate"), before, atol=0.003)


def test_a_held_object_is_given_into_the_persons_hand(make_robot, make_crate):
    robot = make_robot(make_crate(), person=True)
    script, order, _ = play(robot, force_low_n=10, handover_share=1.0, **SURE)
    assert order[-4:] == ["shake", "handover", "reach", "idle"]
    assert script.grasps[0].success
    on_palm = robot.cell.pose("crate")[:3] - robot.cell.person.hand
    assert np.hypot(*on_palm[:2]) < 0.05
    assert on_palm[2] == pytest.approx(0.03 + 0.012, abs=0.004)


@pytest.mark.parametrize("shakes", [1, 3])
def test_each_shake_draws_its_own_direction_rhythm_and_length(make_robot, make_crate, shakes):
    skills = Skills(
        make_robot(make_crate()).cell, PolicySettings(shakes=shakes), np.random.default_rng(0)
    )
    middle = skills.hand.goal_position
    path = np.array([skills.hand.goal_position - middle for _ in skills.shake()])
    rng, lengths, directions = np.random.default_rng(0), [], []
    for _ in range(shakes):
        directions.append(rng.standard_normal(3))
        rng.uniform(size=2)
        lengths.append(round(rng.uniform(1.5, 2.5) / 0.005))
    assert len(path) == sum(lengths)
    for part, direction in zip(np.split(path, np.cumsum(lengths)[:-1]), directions, strict=True):
        most = np.abs(part @ direction).max() / np.linalg.norm(direction)
        assert 0.005 < most < 0.021
        assert np.linalg.norm(np.cross(part, direction), axis=1).max() < 1e-9
    assert skills.rng.bit_generator.state == rng.bit_generator.state


def test_forces_in_the_wrong_order_are_refused():
    with pytest.raises(SettingsError) as error:
        PolicySettings(force_low_n=10.0, force_high_n=5.0)
    assert str(error.value) == (
        "policy.force_low_n: got 10.0; expected at most policy.force_high_n, 5.0 N"
    )
