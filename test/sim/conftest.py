"""Scenes that the tests share: a toy without a robot, and a robot with a box."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import mujoco
import numpy as np
import pytest

from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.motion import CONTROL_S, Hand, Motion
from xmodal_ros.sim.objects import Part, Shape
from xmodal_ros.sim.scene import Scene, SceneObject
from xmodal_ros.sim.world import TIMESTEP_S

STEPS = round(CONTROL_S / TIMESTEP_S)

TOY = """
<mujoco>
  <visual><headlight ambient="0.2 0.2 0.2"/></visual>
  <worldbody>
    <light name="key" pos="0.4 -0.3 1.5" diffuse="0.8 0.8 0.8" castshadow="true"/>
    <light name="fill" pos="-1 1 1" diffuse="0.2 0.2 0.2" castshadow="false"/>
    <geom name="table" type="box" size="0.5 0.5 0.02" pos="0 0 -0.02" rgba="0.5 0.4 0.3 1"/>
    <geom name="floor" type="plane" size="3 3 0.1" pos="0 0 -0.7" rgba="0.4 0.4 0.4 1"/>
    <geom name="post" type="cylinder" size="0.03 0.1" pos="-0.2 0.2 0.1" rgba="0.8 0.7 0.1 1"/>
    <geom name="unseen" type="box" size="0.2 0.2 0.01" pos="0 0 0.3" group="4"/>
    <camera name="cell" pos="0.8 0 0.6" xyaxes="0 1 0 -0.6 0 0.8" fovy="45"/>
    <site name="lidar" pos="0 -0.6 0.5"/>
    <body name="eye" mocap="true" pos="0.8 0 0.6">
      <camera name="free" xyaxes="0 1 0 -0.6 0 0.8" fovy="45"/>
    </body>
    <body name="can" mocap="true" pos="0.1 0.1 0.05">
      <geom name="can" type="cylinder" size="0.04 0.05" rgba="0.7 0.1 0.1 1"/>
    </body>
    <body name="arm" mocap="true" pos="-0.1 -0.1 0.3">
      <geom name="arm" type="capsule" size="0.05 0.3" rgba="0.6 0.6 0.7 1"/>
      <geom name="hand" type="box" size="0.05 0.03 0.02" pos="0 0 -0.35" rgba="0.1 0.1 0.1 1"/>
    </body>
  </worldbody>
</mujoco>
"""


class Toy(NamedTuple):
    model: mujoco.MjModel
    data: mujoco.MjData

    def geom(self, name: str) -> int:
        return int(self.model.geom(name).id)

    def place(self, body: str, position: object, quaternion: object = (1, 0, 0, 0)) -> None:
        mocap = self.model.body(body).mocapid[0]
        self.data.mocap_pos[mocap], self.data.mocap_quat[mocap] = position, quaternion
        mujoco.mj_forward(self.model, self.data)


@pytest.fixture
def toy() -> Toy:
    """A table, a floor and a post that are fixed; a can and an arm that a test places."""
    model = mujoco.MjModel.from_xml_string(TOY)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return Toy(model, data)


def crate(**changes: object) -> SceneObject:
    """A box of 6 x 4 x 6 cm in the middle of the table."""
    shape = Shape("box", (Part("box", (0.03, 0.02, 0.03)),))
    values: dict[str, object] = {
        "name": "crate",
        "shape": shape,
        "surface": None,
        "mass_kg": 0.2,
        "friction": 0.6,
        "position_m": (0.05, 0.0, 0.03),
    }
    return SceneObject(**{**values, **changes})


class Robot:
    """A cell with one box, its robot, and time that passes while the robot moves."""

    def __init__(self, *objects: SceneObject, person: bool = False) -> None:
        self.cell = Cell(Scene(seed=7, objects=objects, lights=(), person=person))
        self.hand = Hand(self.cell)

    def do(self, *motions: Motion) -> None:
        for motion in motions:
            for _ in motion:
                for _ in range(STEPS):
                    self.cell.step()

    def grasp(self, force_n: float, height_m: float = 0.03) -> None:
        place = np.array([0.05, 0.0, height_m])
        self.do(self.hand.move(place + np.array([0.0, 0.0, 0.1]), 0.0, speed=0.4))
        self.do(self.hand.move(place, speed=0.3), self.hand.close(force_n))

    def lift(self) -> None:
        self.do(self.hand.move(np.array([0.05, 0.0, 0.15]), speed=0.2), self.hand.hold(0.5))


@pytest.fixture
def make_crate() -> Callable[..., SceneObject]:
    return crate


@pytest.fixture
def make_robot() -> Callable[..., Robot]:
    return Robot
