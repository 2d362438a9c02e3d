"""Moves the hand: straight lines by differential inverse kinematics, and grip forces.

Every motion is a generator that sets the actuators' next targets once per `CONTROL_S`, so that
physics, sensors and other motions can run between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import mujoco
import numpy as np

from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.robot import FINGERS, JOINTS

CONTROL_S = 0.005
DAMPING = 0.003
"""Of the least squares: bounds joint speeds near a stretched arm."""
CLOSING_N = 4.0
"""Force per finger while closing; the fingers' damping makes 6 cm/s of it."""
OPENING_N = 8.0

Motion = Iterator[None]


def tool_down(yaw_rad: float) -> np.ndarray:
    """Rotation `(3, 3)` of the hand with fingers downwards and closing along `yaw_rad` + 90°."""
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    return np.array([[-c, -s, 0.0], [-s, c, 0.0], [0.0, 0.0, -1.0]])


class Hand:
    """The robot of a cell, commanded by where its finger tips are to be."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._scratch = mujoco.MjData(cell.model)
        self._scratch.qpos[:] = cell.data.qpos
        model = cell.model
        self._tcp = model.site("tcp").id
        names = [f"joint_{n}" for n in range(1, len(JOINTS) + 1)]
        self._q = np.array([model.joint(n).qposadr[0] for n in names])
        self._dof = np.array([model.joint(n).dofadr[0] for n in names])
        self._ctrl = np.array([model.actuator(n).id for n in names])
        self._grip = np.array([model.actuator(f"finger_{f}").id for f in FINGERS])
        self._limits = model.jnt_range[[model.joint(n).id for n in names]]
        self.goal_position, self.goal_rotation = self._kinematics()

    @property
    def position(self) -> np.ndarray:
        """Where the point between the finger tips is, `(3,)` metres in the world."""
        return self._cell.data.site_xpos[self._tcp].copy()

    @property
    def opening_m(self) -> float:
        """Distance between the undeformed pads."""
        return float(2.0 * self._cell.data.joint("finger_left").qpos[0])

    def hold(self, seconds: float) -> Motion:
        """Stay."""
        for _ in range(max(1, round(seconds / CONTROL_S))):
            yield

    def move(
        self, position: np.ndarray, yaw_rad: float | None = None, *, speed: float = 0.25
    ) -> Motion:
        """Go to a place, metres `(3,)`, in a straight line with least jerk.

        On average it moves at `speed` m/s.
        """
        start, turn = self.goal_position, np.zeros(3)
        if yaw_rad is not None:
            turn = _turn(self.goal_rotation, tool_down(yaw_rad))
        seconds = max(
            float(np.linalg.norm(position - start)) / speed, float(np.linalg.norm(turn)) / 2.0, 0.1
        )
        first = self.goal_rotation
        steps = max(1, round(seconds / CONTROL_S))
        for step in range(1, steps + 1):
            t = step / steps
            s = t**3 * (10.0 - 15.0 * t + 6.0 * t * t)
            self._go(start + s * (position - start), _exp(s * turn) @ first)
            yield

    def wave(self, offset: Callable[[float], np.ndarray], seconds: float) -> Motion:
        """Move about where the hand is: `offset` gives metres `(3,)` at a time in seconds."""
        middle, rotation = self.goal_position, self.goal_rotation
        for step in range(1, round(seconds / CONTROL_S) + 1):
            self._go(middle + offset(step * CONTROL_S), rotation)
            yield
        self._go(middle, rotation)

    def close(self, force_n: float, *, at_most_s: float = 2.5) -> Motion:
        """Close until the fingers stand still, then grip with a force per finger.

        Fingers that grip already stronger than they close never let go meanwhile.
        """
        first = max(CLOSING_N, float(self._cell.data.ctrl[self._grip].min()))
        self.grip(first)
        last, still = self.opening_m, 0.0
        for _ in range(round(at_most_s / CONTROL_S)):
            yield
            moving = abs(self.opening_m - last) > 0.004 * CONTROL_S  # 4 mm/s
            still = 0.0 if moving else still + CONTROL_S
            last = self.opening_m
            if still > 0.06:
                break
        for share in np.linspace(0.0, 1.0, 40):
            self.grip(first + share * (force_n - first))
            yield

    def open(self, seconds: float = 0.8) -> Motion:
        """Let go and open wide."""
        self.grip(-OPENING_N)
        yield from self.hold(seconds)

    def grip(self, force_n: float) -> None:
        """Close with a force per finger; negative opens."""
        self._cell.data.ctrl[self._grip] = force_n

    def _kinematics(self) -> tuple[np.ndarray, np.ndarray]:
        """Place and rotation of the finger tips for the joint angles of the scratch state."""
        mujoco.mj_kinematics(self._cell.model, self._scratch)
        mujoco.mj_comPos(self._cell.model, self._scratch)
        rotation = self._scratch.site_xmat[self._tcp].reshape(3, 3)
        return self._scratch.site_xpos[self._tcp].copy(), rotation.copy()

    def _go(self, position: np.ndarray, rotation: np.ndarray) -> None:
        """Set joint targets for a pose near the last one: two steps of damped least squares.

        Source: Nakamura and Hanafusa 1986, eq. 18.
        """
        self.goal_position, self.goal_rotation = position, rotation
        jacobian = np.zeros((6, self._cell.model.nv))
        for _ in range(2):
            at, turned = self._kinematics()
            error = np.concatenate([position - at, _turn(turned, rotation)])
            mujoco.mj_jacSite(
                self._cell.model, self._scratch, jacobian[:3], jacobian[3:], self._tcp
            )
            j = jacobian[:, self._dof]
            step = j.T @ np.linalg.solve(j @ j.T + DAMPING**2 * np.eye(6), error)
            angles = self._scratch.qpos[self._q] + np.clip(step, -0.05, 0.05)
            self._scratch.qpos[self._q] = np.clip(angles, *self._limits.T)
        self._cell.data.ctrl[self._ctrl] = self._scratch.qpos[self._q]


def _turn(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Rotation vector `(3,)` rad in the world that takes one rotation matrix to another."""
    quat, vector = np.zeros(4), np.zeros(3)
    mujoco.mju_mat2Quat(quat, (end @ start.T).ravel())
    mujoco.mju_quat2Vel(vector, quat, 1.0)
    return vector


def _exp(vector: np.ndarray) -> np.ndarray:
    """Rotation matrix `(3, 3)` of a rotation vector."""
    angle = float(np.linalg.norm(vector))
    quat, matrix = np.zeros(4), np.zeros(9)
    mujoco.mju_axisAngle2Quat(quat, vector / max(angle, 1e-12), angle)
    mujoco.mju_quat2Mat(matrix, quat)
    return matrix.reshape(3, 3)
