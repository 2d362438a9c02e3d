"""Builds the cell's MuJoCo model: surroundings, robot, person, objects, sensors' places.

World: z up, table top at z = 0, the robot looks along x. Geom groups: 0 surroundings, 1 arm and
person, 2 gripper with fingers and gel pads, 3 objects. Collision bits: 1 surroundings, 2 objects,
4 robot, 8 palm.
"""

from __future__ import annotations

import itertools
from typing import Any

import mujoco
import numpy as np

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.person import PARTS, add_person
from xmodal_ros.sim.robot import FINGERS, GEOM, add_robot, look
from xmodal_ros.sim.scene import Scene, SceneObject

CLASSES = ("background", "table", "object", "arm", "gripper", "person")
"""What a geom belongs to; `classes` gives the place in here."""

TIMESTEP_S = 0.00125
"""Two steps between IMU samples at 400 Hz; the gel's springs need less than 3 ms."""

POST_M = (-0.15, 0.42, 0.15)
"""Middle of the fixed post that the arm runs against in collisions; as high again below."""

NEAR_M = 0.001
"""Distance from a gel pad at which a contact is seen already."""

OVERLAP_M = 0.001
"""Bodies may start this deep in each other: contact is soft."""


def build(scene: Scene) -> Any:
    """The compiled `MjModel` of a scene.

    Raises:
        SettingsError: two objects have one name, or one is inside something.
    """
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.timestep = TIMESTEP_S
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 30  # stiff friction: what is held does not creep
    _add_surroundings(spec, scene)
    add_robot(spec)
    if scene.person:
        add_person(spec, scene.person_m)
    names = [thing.name for thing in scene.objects]
    for thing in scene.objects:
        if names.count(thing.name) > 1:
            raise SettingsError(f"two objects are called '{thing.name}'", where="scene.objects")
        _add_object(spec, thing)
    model = spec.compile()
    _refuse_overlap(model)
    return model


def classes(model: Any) -> np.ndarray:
    """Index into `CLASSES` of every geom, `(ngeom,) uint8`."""
    made = np.zeros(model.ngeom, np.uint8)
    for geom in range(model.ngeom):
        body = model.body(model.geom_bodyid[geom]).name
        if model.geom(geom).name.startswith("table"):
            name = "table"
        elif body in PARTS:
            name = "person"
        elif model.geom_group[geom] > 0:
            name = {1: "arm", 2: "gripper", 3: "object"}[int(model.geom_group[geom])]
        else:
            name = "background"
        made[geom] = CLASSES.index(name)
    return made


def _add_surroundings(spec: Any, scene: Scene) -> None:
    world = spec.worldbody
    fixed: Any = {"group": 0, "contype": 1, "conaffinity": 2 | 4}
    world.add_geom(
        name="table", type=GEOM["box"], size=[0.55, 0.6, 0.02], pos=[0.0, 0.0, -0.02],
        rgba=[0.55, 0.45, 0.35, 1], condim=4, friction=[0.6, 0.005, 0.0005], **fixed,
    )  # fmt: skip
    world.add_geom(
        name="post", type=GEOM["cylinder"], size=[0.03, POST_M[2], 0], pos=POST_M,
        rgba=[0.85, 0.65, 0.1, 1], **fixed,
    )  # fmt: skip
    for number, (x, y) in enumerate(itertools.product((-0.5, 0.5), (-0.55, 0.55))):
        world.add_geom(
            name=f"table_leg_{number}", type=GEOM["box"], size=[0.03, 0.03, 0.34],
            pos=[x, y, -0.38], rgba=[0.3, 0.3, 0.32, 1], **fixed,
        )  # fmt: skip
    world.add_geom(
        name="floor", type=GEOM["plane"], size=[4, 4, 0.1], pos=[0, 0, -0.72],
        rgba=[0.45, 0.46, 0.45, 1], **fixed,
    )  # fmt: skip
    for name, place, half in (
        ("wall_back", (-1.6, 0.0, 0.6), (0.05, 2.6, 1.32)),
        ("wall_left", (0.5, 2.5, 0.6), (2.2, 0.05, 1.32)),
        ("wall_right", (0.5, -2.5, 0.6), (2.2, 0.05, 1.32)),
        ("wall_front", (2.6, 0.0, 0.6), (0.05, 2.6, 1.32)),
    ):
        world.add_geom(
            name=name, type=GEOM["box"], size=half, pos=place, rgba=[0.72, 0.72, 0.70, 1], **fixed
        )
    corner = (0.45, -0.66, 0.48)
    world.add_camera(
        name="cell", pos=corner, fovy=50, quat=look(corner, (0.01, 0.0, 0.1), up=(0, 0, 1))
    )
    world.add_site(name="lidar", pos=[0.45, -0.75, 0.55], group=4)
    spec.visual.headlight.ambient = [0.25, 0.25, 0.25]
    spec.visual.headlight.diffuse = [0, 0, 0]
    spec.visual.headlight.specular = [0, 0, 0]
    for number, light in enumerate(scene.lights):
        world.add_light(
            name=f"light_{number}", pos=light.position_m, diffuse=light.colour,
            dir=-np.array(light.position_m), castshadow=light.shadow,
        )  # fmt: skip


def _add_object(spec: Any, thing: SceneObject) -> None:
    turn = [np.cos(thing.yaw_rad / 2), 0, 0, np.sin(thing.yaw_rad / 2)]
    body = spec.worldbody.add_body(name=thing.name, pos=thing.position_m, quat=turn)
    body.add_freejoint(name=thing.name)
    volumes = np.array([part.volume_m3 for part in thing.shape.parts])
    for number, part in enumerate(thing.shape.parts):
        name = f"{thing.name}/{number}"
        body.add_geom(
            name=name, type=GEOM[part.kind], size=[*part.size, 0, 0][:3], pos=part.position,
            quat=part.quaternion, mass=thing.mass_kg * volumes[number] / volumes.sum(), group=3,
            contype=2, conaffinity=1 | 2 | 4 | 8, condim=6,
            # A little rolling friction (metres): round things come to rest.
            friction=[thing.friction, 0.003, 0.0008],
        )  # fmt: skip
        for finger in FINGERS:
            pair = spec.add_pair(
                name=f"pad_{finger}:{name}", geomname1=f"pad_{finger}", geomname2=name, condim=6
            )
            # Torsional and rolling friction (metres) of a patch of about 1 cm.
            pair.friction[:] = [thing.friction, thing.friction, 0.003, 0.001, 0.001]
            pair.solref[:] = [0.004, 1.0]
            pair.gap = NEAR_M  # seen from this distance on, without force
    weld = spec.add_equality(
        name=f"clamp:{thing.name}", type=mujoco.mjtEq.mjEQ_WELD, name1="world", name2=thing.name,
        objtype=mujoco.mjtObj.mjOBJ_BODY, active=False,
    )  # fmt: skip
    weld.data[:] = 0.0
    weld.data[10] = 1.0  # as stiff against turning as against moving


def _refuse_overlap(model: Any) -> None:
    """Refuse a scene in which two bodies are inside each other.

    Raises:
        SettingsError: names both and the depth.
    """
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    for contact in data.contact:
        if contact.dist < -OVERLAP_M:
            first, second = (model.geom(int(g)).name.split("/")[0] for g in contact.geom)
            raise SettingsError(
                f"{second} is {-1000 * contact.dist:.0f} mm inside {first}",
                where="scene",
                expected="objects that lie free on the table",
                do="Move one of them",
            )
