"""The arm and its gripper: six joints, two coupled fingers, a sprung gel pad on each.

A compact model with the reach and the masses of a small collaborative arm. A pad is a body on
three springs: pressed, its face goes back by what a gel of this stiffness would be indented;
pulled sideways, it shears.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

GEOM = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    "plane": mujoco.mjtGeom.mjGEOM_PLANE,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
}

FINGERS = ("left", "right")
OPEN_M = 0.044
"""Way of each finger from closed to open."""

PAD_HALF_M = (0.010, 0.008, 0.002)
"""Half size of a pad: across the finger, along it, thickness. A GelSight Mini sees 18.9 x 14.2 mm
of it."""
GEL_STIFFNESS_N_M = (4000.0, 4000.0, 8000.0)
"""Springs of a pad in shear (x, y) and in depth (z): 4 mm of silicone of 0.3 MPa under the
flat of a 10 x 10 mm contact give 7.5 N/mm; a third to a half of it in shear."""
GEL_DAMPING_NS_M = (30.0, 30.0, 40.0)
PAD_MASS_KG = 0.015
GEL_ARMATURE_KG = 0.05
"""Inertia that only the springs feel: keeps the contact solver well conditioned at our step."""

BASE_M = (-0.42, 0.0, 0.0)
"""Where the arm stands."""


@dataclass(frozen=True)
class Joint:
    """A joint of the arm and the link that it turns; lengths in metres, `offset` from the last."""

    axis: tuple[float, float, float]
    offset: tuple[float, float, float]
    limit_rad: float
    torque_nm: float
    stiffness: float  # N m/rad
    radius: float
    length: float
    mass_kg: float


Y, Z = (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
JOINTS = (
    Joint(Z, (0.0, 0.0, 0.10), 2.9, 150.0, 4000.0, 0.060, 0.17, 3.0),
    Joint(Y, (0.0, 0.0, 0.20), 2.4, 150.0, 4000.0, 0.045, 0.38, 3.0),
    Joint(Y, (0.0, 0.0, 0.38), 2.7, 120.0, 3000.0, 0.040, 0.24, 2.0),
    Joint(Z, (0.0, 0.0, 0.28), 3.0, 60.0, 1200.0, 0.035, 0.08, 0.8),
    Joint(Y, (0.0, 0.0, 0.12), 2.4, 60.0, 1200.0, 0.033, 0.04, 0.6),
    Joint(Z, (0.0, 0.0, 0.08), 3.1, 40.0, 800.0, 0.030, 0.02, 0.4),
)
HOME_RAD = (0.0, 0.2, 1.6, 0.0, 1.3, 0.0)

ARM_RGBA = (0.75, 0.76, 0.78, 1.0)
FINGER_RGBA = (0.12, 0.12, 0.13, 1.0)
GEL_RGBA = (0.80, 0.80, 0.82, 1.0)


def add_robot(spec: Any) -> None:
    """Add the arm, its gripper, its sensors and its actuators to a world's `MjSpec`."""
    link = spec.worldbody.add_body(name="base", pos=BASE_M)
    link.add_geom(
        name="base", type=GEOM["cylinder"], size=[0.08, 0.05, 0], pos=[0, 0, 0.05],
        rgba=ARM_RGBA, group=1, contype=0, conaffinity=0,
    )  # fmt: skip
    for number, joint in enumerate(JOINTS, start=1):
        link = link.add_body(name=f"link_{number}", pos=joint.offset, gravcomp=1.0)
        link.add_joint(
            name=f"joint_{number}", axis=joint.axis, armature=0.2, damping=1.0,
            range=[-joint.limit_rad, joint.limit_rad],
        )  # fmt: skip
        link.add_geom(
            name=f"link_{number}", type=GEOM["capsule"], fromto=[0, 0, 0, 0, 0, joint.length],
            size=[joint.radius, 0, 0], mass=joint.mass_kg, rgba=ARM_RGBA, group=1,
            contype=4, conaffinity=1 | 2 | 8,
        )  # fmt: skip
        motor = spec.add_actuator(
            name=f"joint_{number}", target=f"joint_{number}",
            trntype=mujoco.mjtTrn.mjTRN_JOINT, forcerange=[-joint.torque_nm, joint.torque_nm],
        )  # fmt: skip
        motor.set_to_position(kp=joint.stiffness, kv=0.03 * joint.stiffness)
    _add_gripper(spec, link)


def _add_gripper(spec: Any, flange: Any) -> None:
    hand = flange.add_body(name="hand", pos=[0, 0, 0.05], gravcomp=1.0)
    hand.add_geom(
        name="hand", type=GEOM["box"], size=[0.03, 0.055, 0.025], pos=[0, 0, 0.025], mass=0.6,
        rgba=FINGER_RGBA, group=2, contype=4, conaffinity=1 | 2 | 8,
    )  # fmt: skip
    hand.add_site(name="imu", pos=[0.0, 0.0, 0.01], group=4)
    hand.add_site(name="tcp", pos=[0.0, 0.0, 0.112], group=4)
    beside = (0.06, 0.0, 0.03)
    hand.add_camera(
        name="wrist", pos=beside, fovy=60, quat=look(beside, (0.0, 0.0, 0.14), up=(1.0, 0.0, 0.0))
    )
    for kind, name in ((mujoco.mjtSensor.mjSENS_ACCELEROMETER, "accelerometer"),
                       (mujoco.mjtSensor.mjSENS_GYRO, "gyro")):  # fmt: skip
        spec.add_sensor(name=name, type=kind, objtype=mujoco.mjtObj.mjOBJ_SITE, objname="imu")
    for finger, side in zip(FINGERS, (1.0, -1.0), strict=True):
        _add_finger(spec, hand, finger, side)
    coupling = spec.add_equality(
        name="fingers", type=mujoco.mjtEq.mjEQ_JOINT, name1="finger_left", name2="finger_right",
        objtype=mujoco.mjtObj.mjOBJ_JOINT,
    )  # fmt: skip
    coupling.data[:5] = [0, 1, 0, 0, 0]


def look(place: tuple[float, ...], target: tuple[float, ...], up: tuple[float, ...]) -> np.ndarray:
    """Quaternion `(w, x, y, z)` of a camera that looks from one point to another.

    `up` points upwards in its image.
    """
    back = np.subtract(place, target)  # a camera looks along its -z axis
    back /= np.linalg.norm(back)
    right = np.cross(up, back)
    right /= np.linalg.norm(right)
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.stack([right, np.cross(back, right), back], axis=1).ravel())
    return quat


def _add_finger(spec: Any, hand: Any, finger: str, side: float) -> None:
    """A finger on one side of the hand: `side` is +1 or -1 along the hand's y axis."""
    body = hand.add_body(name=f"finger_{finger}", pos=[0, 0, 0.05], gravcomp=1.0)
    body.add_joint(
        name=f"finger_{finger}", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, side, 0],
        range=[0.0, OPEN_M], damping=60.0, armature=0.1, solref_limit=[0.004, 1.0],
    )  # fmt: skip
    thickness = 0.006
    body.add_geom(
        name=f"finger_{finger}", type=GEOM["box"], size=[0.011, thickness, 0.0355],
        pos=[0, side * (2 * PAD_HALF_M[2] + thickness), 0.0355], mass=0.08, rgba=FINGER_RGBA,
        group=2, contype=4, conaffinity=1 | 2 | 8,
    )  # fmt: skip
    # The pad's frame: z out of the gel to the other finger, y to the hand, x = y cross z.
    half = 0.5**0.5
    frame: Any = {"pos": [0.0, 0.0, 0.062]}
    frame["quat"] = (0.0, 0.0, half, -half) if side > 0 else (half, -half, 0.0, 0.0)
    body.add_site(name=f"pad_{finger}", group=4, **frame)
    pad = body.add_body(name=f"pad_{finger}", gravcomp=1.0, **frame)
    for axis, name in enumerate("xyz"):
        pad.add_joint(
            name=f"gel_{finger}_{name}", type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=[float(axis == i) for i in range(3)],
            stiffness=[GEL_STIFFNESS_N_M[axis], 0, 0], damping=[GEL_DAMPING_NS_M[axis], 0, 0],
            armature=GEL_ARMATURE_KG,
        )  # fmt: skip
    pad.add_geom(
        name=f"pad_{finger}", type=GEOM["box"], size=PAD_HALF_M, pos=[0, 0, -PAD_HALF_M[2]],
        mass=PAD_MASS_KG, rgba=GEL_RGBA, group=2, contype=4, conaffinity=1 | 2 | 8,
    )  # fmt: skip
    motor = spec.add_actuator(
        name=f"finger_{finger}", target=f"finger_{finger}",
        trntype=mujoco.mjtTrn.mjTRN_JOINT, gear=[-1, 0, 0, 0, 0, 0],
    )  # fmt: skip
    motor.set_to_motor()
