"""Every primitive is entered and left where MuJoCo's own rays meet it."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from xmodal_ros.sim.primitives import PRIMITIVES

GEOMS = {
    "sphere": 'type="sphere" size="0.012"',
    "box": 'type="box" size="0.004 0.006 0.01"',
    "capsule": 'type="capsule" size="0.004 0.006"',
    "cylinder": 'type="cylinder" size="0.005 0.006"',
    "ellipsoid": 'type="ellipsoid" size="0.004 0.006 0.008"',
}
AXES = [*np.eye(3), *-np.eye(3)]


@pytest.mark.parametrize("kind", GEOMS)
def test_rays_from_outside_agree_with_mujoco(kind):
    model = mujoco.MjModel.from_xml_string(
        f"<mujoco><worldbody><geom {GEOMS[kind]}/></worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    cross = PRIMITIVES[int(model.geom_type[0])]
    rng = np.random.default_rng(7)
    hits = misses = 0
    for direction in [*AXES, *rng.standard_normal((20, 3))]:
        direction = direction / np.linalg.norm(direction)
        origins = rng.uniform(-0.014, 0.014, (100, 3)) - 0.05 * direction

        enter, leave = cross(model.geom_size[0], tuple(origins.T), direction)

        for origin, near, far in zip(origins, enter, leave, strict=True):
            there = _mujocos(model, data, origin, direction)
            back = _mujocos(model, data, origin + 0.1 * direction, -direction)
            if there < 0:
                assert (near, far) == (np.inf, -np.inf)
                misses += 1
            else:
                assert (near, far) == pytest.approx((there, 0.1 - back), abs=1e-7)
                hits += 1
    assert min(hits, misses) > 300


def _mujocos(model, data, origin, direction):
    return mujoco.mj_ray(model, data, origin, direction, None, 1, -1, np.zeros(1, np.int32))


@pytest.mark.parametrize("kind", GEOMS)
def test_a_start_inside_is_between_the_surfaces(kind):
    model = mujoco.MjModel.from_xml_string(
        f"<mujoco><worldbody><geom {GEOMS[kind]}/></worldbody></mujoco>"
    )
    cross, size = PRIMITIVES[int(model.geom_type[0])], model.geom_size[0]
    direction = np.array([0.6, 0.0, 0.8])
    outside = -0.05 * direction[:, None]

    enter, leave = cross(size, tuple(np.zeros((3, 1))), direction)

    assert enter < 0 < leave
    from_outside = np.array(cross(size, tuple(outside), direction))
    assert np.array([enter, leave]) == pytest.approx(from_outside - 0.05)
