"""Height fields against closed forms and against MuJoCo's own rays."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim import materials
from xmodal_ros.sim.contact import FIELD_M, GEL_M, Pad, height_field

SHAPE = (240, 320)
PIXEL_M = FIELD_M[1] / SHAPE[1]


def _scene(*geoms: str, position=(0.0, 0.0, 0.0)):
    inside = "".join(f"<geom {geom}/>" for geom in geoms)
    body = f'<body pos="{position[0]} {position[1]} {position[2]}"><freejoint/>{inside}</body>'
    model = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{body}</worldbody></mujoco>")
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def _pad(*geoms: int, position=(0.0, 0.0, 0.0), rotation=None) -> Pad:
    return Pad(np.array(position), np.eye(3) if rotation is None else rotation, geoms or (0,))


def test_a_ball_leaves_a_cap_of_the_right_height_and_area():
    radius, depth = 5e-3, 0.4e-3
    model, data = _scene(f'type="sphere" size="{radius}"', position=(1e-3, 0.5e-3, radius - depth))

    field = height_field(model, data, _pad(), {}, SHAPE)

    up = (0.5 - (np.arange(240) + 0.5) / 240) * FIELD_M[0]
    right = ((np.arange(320) + 0.5) / 320 - 0.5) * FIELD_M[1]
    squared = (right[None] - 1e-3) ** 2 + (up[:, None] - 0.5e-3) ** 2
    cap = np.sqrt(np.maximum(radius**2 - squared, 0)) - (radius - depth)
    assert field == pytest.approx(np.maximum(cap, 0), abs=1e-7)
    assert (field > 0).sum() * PIXEL_M**2 == pytest.approx(
        np.pi * (2 * radius * depth - depth**2), rel=0.01
    )
    assert field.dtype == np.float32


def test_right_and_up_of_the_pad_are_right_and_up_in_the_image():
    model, data = _scene('type="sphere" size="0.002"', position=(0.1, 0.204, 0.0))
    turned = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # gel faces world x

    field = height_field(
        model, data, _pad(position=(0.0985, 0.2, -0.003), rotation=turned), {}, SHAPE
    )

    row, column = np.unravel_index(field.argmax(), SHAPE)
    assert (column - 159.5) * PIXEL_M == pytest.approx(4e-3, abs=PIXEL_M)
    assert (119.5 - row) * PIXEL_M == pytest.approx(3e-3, abs=PIXEL_M)


def test_relief_is_added_and_slips_with_the_object():
    model, data = _scene('type="box" size="0.03 0.03 0.03"', position=(0, 0, 0.0297))
    surface = materials.draw("knurled_metal", np.random.default_rng(0))

    before = height_field(model, data, _pad(), {0: surface}, SHAPE)
    data.qpos[:2] = (12 * PIXEL_M, 5 * PIXEL_M)  # to the right and up
    mujoco.mj_forward(model, data)
    after = height_field(model, data, _pad(), {0: surface}, SHAPE)

    assert before.max() == pytest.approx(0.3e-3 + surface.peak_m, rel=0.02)
    assert after[:-5, 12:] == pytest.approx(before[5:, :-12], abs=1e-6)
    assert np.abs(after - before).max() > surface.roughness_m


def test_relief_is_the_surfaces_own_at_that_place():
    model, data = _scene('type="box" size="0.03 0.03 0.03"', position=(0.004, 0, 0.029))
    surface = materials.draw("stone", np.random.default_rng(0))

    field = height_field(model, data, _pad(), {0: surface}, SHAPE)

    points = np.array([[(200 + 0.5 - 160) * PIXEL_M - 0.004, (120 - 60 - 0.5) * PIXEL_M, -0.03]])
    height, _, _ = surface.sample(points, np.array([[0.0, 0.0, -1.0]]))
    assert field[60, 200] == pytest.approx((1e-3 + height[0]) * surface.gel_share, abs=1e-6)


def test_peaks_touch_before_the_body_does():
    surface = materials.draw("studded_silicone", np.random.default_rng(0))
    gap = 0.5 * surface.peak_m
    model, data = _scene('type="box" size="0.03 0.03 0.03"', position=(0, 0, 0.03 + gap))

    field = height_field(model, data, _pad(), {0: surface}, SHAPE)

    assert 0.02 < (field > 0).mean() < 0.6
    assert field.max() == pytest.approx((surface.peak_m - gap) * surface.gel_share, rel=0.02)


def test_relief_on_a_tilted_pad_is_looked_up_where_the_rays_hit():
    model, data = _scene('type="box" size="0.03 0.03 0.03"', position=(0, 0, 0.0285))
    surface = materials.draw("stone", np.random.default_rng(0))
    tilt = np.radians(12)
    turned = np.array(
        [[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]]
    )

    field = height_field(model, data, _pad(rotation=turned), {0: surface}, SHAPE)

    start = turned @ [(100.5 - 160) * PIXEL_M, (120 - 80.5) * PIXEL_M, 0]
    distance = (-0.0015 - start[2]) / turned[2, 2]  # to the lower face of the box
    hit = start + distance * turned[:, 2] - [0, 0, 0.0285]
    height, _, _ = surface.sample(hit[None], np.array([[0.0, 0.0, -1.0]]))
    assert -distance > 0.2e-3
    assert field[80, 100] == pytest.approx((-distance + height[0]) * surface.gel_share, abs=1e-6)


def test_gel_and_camera_agree_on_a_round_body_across_the_seam():
    radius, depth = 0.02, 0.5e-3
    model, data = _scene(f'type="sphere" size="{radius}"')
    surface = materials.draw("studded_silicone", np.random.default_rng(0))
    data.qpos[2] = radius - depth
    data.qpos[3:] = (np.cos(np.pi / 8), 0, np.sin(np.pi / 8), 0)  # y down, between x and z
    mujoco.mj_forward(model, data)

    field = height_field(model, data, _pad(), {0: surface}, SHAPE)

    up = (0.5 - (np.arange(240) + 0.5) / 240) * FIELD_M[0]
    right = ((np.arange(320) + 0.5) / 320 - 0.5) * FIELD_M[1]
    x, y = (a.ravel() for a in np.meshgrid(right, up))
    z = -np.sqrt(radius**2 - x**2 - y**2)
    points = np.stack([x, y, z], axis=1) @ data.xmat[1].reshape(3, 3)
    relief, _, _ = surface.sample(points, points / radius)
    expected = np.maximum(-z - radius + depth + relief, 0) * surface.gel_share
    assert np.isclose(field.ravel(), expected, atol=2e-6).mean() > 0.995  # but for the seam itself
    assert np.unique(np.abs(points[expected > 0]).argmax(axis=1)).tolist() == [0, 2]


def test_relief_still_shows_when_the_gel_is_pressed_to_its_ground():
    model, data = _scene('type="box" size="0.03 0.03 0.03"', position=(0, 0, 0.02))
    surface = materials.draw("leather", np.random.default_rng(0))

    field = height_field(model, data, _pad(), {0: surface}, SHAPE)

    assert np.median(field) == pytest.approx(GEL_M, rel=0.05)
    assert field.std() > 0.5 * surface.roughness_m


def test_a_soft_object_presses_less_deep():
    model, data = _scene('type="sphere" size="0.01"', position=(0, 0, 0.009))
    rng = np.random.default_rng(0)
    sponge, glass = materials.draw("sponge", rng), materials.draw("glass", rng)

    soft = height_field(model, data, _pad(), {0: sponge}, SHAPE)
    hard = height_field(model, data, _pad(), {0: glass}, SHAPE)

    assert soft.max() < 0.8 * hard.max()


def test_of_two_geoms_the_deeper_one_counts():
    shallow, deep = 'type="sphere" size="0.01"', 'type="sphere" size="0.01" pos="0 0 -0.0005"'
    model, data = _scene(shallow, deep, position=(0, 0, 0.0098))

    deeper = height_field(model, data, _pad(1), {}, SHAPE)

    assert (height_field(model, data, _pad(0, 1), {}, SHAPE) == deeper).all()
    assert (height_field(model, data, _pad(1, 0), {}, SHAPE) == deeper).all()


def test_what_is_behind_the_finger_does_not_press():
    touching = 'type="box" size="0.005 0.005 0.005"'
    behind = 'type="box" size="0.005 0.005 0.005" pos="0.002 0 -0.03"'
    model, data = _scene(touching, behind, position=(0, 0, 0.0045))

    alone = height_field(model, data, _pad(0), {}, SHAPE)

    assert alone.max() == pytest.approx(0.5e-3, rel=1e-3)
    assert (height_field(model, data, _pad(0, 1), {}, SHAPE) == alone).all()


def test_nothing_near_gives_zeros():
    model, data = _scene('type="sphere" size="0.01"', position=(0, 0, 0.02))

    assert not height_field(model, data, _pad(), {}, SHAPE).any()


def test_a_plane_is_refused():
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><worldbody><geom name="floor" type="plane" size="1 1 1"/></worldbody></mujoco>'
    )
    data = mujoco.MjData(model)
    with pytest.raises(SettingsError) as error:
        height_field(model, data, _pad(), {}, SHAPE)
    assert str(error.value) == (
        "geom 'floor': a gel cannot be pressed on a plane; "
        "expected a sphere, ellipsoid, box, cylinder or capsule"
    )
