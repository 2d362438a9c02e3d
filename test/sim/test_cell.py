from __future__ import annotations

import re

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.cell import Cell, SimulationDiverged
from xmodal_ros.sim.robot import GEL_STIFFNESS_N_M
from xmodal_ros.sim.scene import Scene
from xmodal_ros.sim.world import CLASSES

GRAVITY = 9.81


def scene(*objects):
    return Scene(seed=7, objects=objects, lights=(), person=False)


def test_pads_are_right_handed_frames_that_face_each_other(make_robot, make_crate):
    pads = make_robot(make_crate()).cell.pads()
    for pad in pads.values():
        np.testing.assert_allclose(np.cross(pad.rotation[:, 0], pad.rotation[:, 1]),
                                   pad.rotation[:, 2], atol=1e-9)  # fmt: skip
        assert pad.rotation[2, 1] > 0.99  # y points up to the hand
        assert pad.geoms == ()
    across = pads["right"].position - pads["left"].position
    np.testing.assert_allclose(across / np.linalg.norm(across), pads["left"].rotation[:, 2],
                               atol=1e-6)  # fmt: skip
    np.testing.assert_allclose(pads["left"].rotation[:, 2], -pads["right"].rotation[:, 2])


def test_a_grip_presses_with_its_force_and_indents_the_gel_as_its_spring_says(
    make_robot, make_crate
):
    robot = make_robot(make_crate())
    robot.grasp(10.0)
    robot.do(robot.hand.hold(0.3))
    for pad in robot.cell.pads().values():
        assert pad.normal_force == pytest.approx(10.0, abs=0.2)
        # How far the box's face, 20 mm from its middle, is behind the undeformed gel's face.
        to_box = robot.cell.pose("crate")[:3] - pad.position
        depth = 0.02 - to_box @ pad.rotation[:, 2]
        assert depth == pytest.approx(10.0 / GEL_STIFFNESS_N_M[2], abs=4e-4)
        assert [robot.cell.model.geom(g).name for g in pad.geoms] == ["crate/0"]


def test_the_pads_carry_what_hangs_between_them(make_robot, make_crate):
    robot = make_robot(make_crate(mass_kg=0.3))
    robot.grasp(12.0)
    robot.lift()
    pads = robot.cell.pads().values()
    down = sum(pad.rotation[:, :2] @ pad.shear_force for pad in pads)
    np.testing.assert_allclose(down, [0.0, 0.0, -0.3 * GRAVITY], atol=0.1)
    for pad in pads:  # the gel's face is dragged as its spring says
        np.testing.assert_allclose(pad.shear, pad.shear_force / GEL_STIFFNESS_N_M[0], atol=5e-5)


@pytest.mark.parametrize(("capacity", "held"), [(0.8, False), (1.5, True)])
def test_friction_decides_what_stays_in_the_hand(make_robot, make_crate, capacity, held):
    mass, friction = 0.25, 0.5
    force = capacity * mass * GRAVITY / (2 * friction)  # both pads rub
    robot = make_robot(make_crate(mass_kg=mass, friction=friction))
    robot.grasp(force)
    assert robot.cell.pinched("crate")
    robot.lift()
    assert robot.cell.pinched("crate") is held
    assert robot.cell.on_table("crate") is not held


def test_slip_counts_what_the_fingers_slide_over_a_clamped_box(make_robot, make_crate):
    robot = make_robot(make_crate())
    robot.cell.clamp("crate", True)
    robot.grasp(2.0)
    before, low = robot.cell.pose("crate"), robot.hand.position[2]
    robot.do(robot.hand.move(np.array([0.05, 0.0, 0.036]), speed=0.02))
    np.testing.assert_allclose(robot.cell.pose("crate")[:3], before[:3], atol=5e-4)
    for pad in robot.cell.pads().values():  # fingers up: the box goes down in the gel's image
        assert pad.slip[1] + pad.shear[1] == pytest.approx(low - robot.hand.position[2], abs=3e-4)
        assert abs(pad.slip[0]) < 3e-4
    robot.cell.clamp("crate", False)
    robot.do(robot.hand.open())
    assert all((pad.slip == 0).all() for pad in robot.cell.pads().values())


def test_every_geom_belongs_to_a_class(make_robot, make_crate):
    cell = make_robot(make_crate(), person=True).cell
    by_name = {cell.model.geom(g).name: CLASSES[c] for g, c in enumerate(cell.classes)}
    expected = {
        "table": "table", "floor": "background", "wall_back": "background", "post": "background",
        "crate/0": "object", "base": "arm", "link_3": "arm", "hand": "gripper",
        "finger_left": "gripper", "pad_right": "gripper", "torso": "person", "palm": "person",
    }  # fmt: skip
    assert {name: by_name[name] for name in expected} == expected


def test_collision_force_is_the_arm_against_the_surroundings_only(make_robot, make_crate):
    robot = make_robot(make_crate())
    robot.grasp(10.0)
    robot.lift()
    assert robot.cell.collision_force() == 0.0
    robot.do(robot.hand.open())
    robot.do(robot.hand.move(np.array([0.2, 0.2, 0.05])), robot.hand.move(np.array([0.2, 0.2, 0])))
    assert robot.cell.collision_force() > 5.0


def test_an_object_in_the_table_is_refused(make_crate):
    with pytest.raises(SettingsError) as error:
        Cell(scene(make_crate(position_m=(0.05, 0.0, 0.01))))
    assert str(error.value) == (
        "scene: crate is 20 mm inside table; expected objects that lie free on the table. "
        "Move one of them"
    )


def test_objects_inside_each_other_and_of_one_name_are_refused(make_crate):
    with pytest.raises(SettingsError, match=r"other is \d+ mm inside crate"):
        Cell(scene(make_crate(), make_crate(name="other", position_m=(0.09, 0.0, 0.03))))
    with pytest.raises(SettingsError, match=r"scene\.objects: two objects are called 'crate'"):
        Cell(scene(make_crate(), make_crate(position_m=(0.05, 0.2, 0.03))))


def test_a_diverged_solver_is_told_with_its_seed(make_crate, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    robot_cell = Cell(scene(make_crate()))
    robot_cell.data.joint("crate").qvel[:3] = 1e12
    with pytest.raises(SimulationDiverged) as error:
        run(robot_cell, 8)
    assert error.value.seed == 7
    assert re.fullmatch(r"the simulation with seed 7 diverged at 0\.00\d s", str(error.value))
    assert "unstable" in caplog.text
    assert not list(tmp_path.iterdir())  # MuJoCo would leave a log file


def run(cell, steps):
    for _ in range(steps):
        cell.step()
