"""Which mirrorings the lights of a gel sensor allow."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.train.pretrain.lights import IDENTITY, Symmetry, symmetries


def lit_bump(angles_deg, size=41):
    """Image of a round bump, each channel lit from its own side (x right, y down)."""
    y, x = np.mgrid[:size, :size] - size // 2
    height = np.exp(-(x**2 + y**2) / 60)
    slope = np.stack([np.gradient(height, axis=1), np.gradient(height, axis=0)], axis=-1)
    to_light = np.deg2rad(np.array(angles_deg))
    return -slope @ np.stack([np.cos(to_light), np.sin(to_light)])


@pytest.mark.parametrize(
    ("lights", "allowed"),
    [("90,210,330", 2), ("0,120,240", 2), ("0,90,180", 2), ("45,135,225", 1), ("10,60,200", 1)],
)
def test_a_mirrored_bump_looks_like_a_bump_of_the_same_sensor(lights, allowed):
    found = symmetries(lights)
    assert len(found) == allowed
    assert IDENTITY in found
    image = lit_bump([float(a) for a in lights.split(",")])
    for symmetry in found:
        mirrored = image[:, ::-1] if symmetry.left_right else image
        mirrored = mirrored[::-1] if symmetry.up_down else mirrored
        # The bump is round: mirrored, it is itself, and must be lit as itself.
        np.testing.assert_allclose(mirrored[..., symmetry.channels], image, atol=1e-12)


def test_mirroring_swaps_the_two_lights_beside_the_axis():
    assert Symmetry(True, False, (0, 2, 1)) in symmetries("90,210,330")


def test_lights_of_one_colour_allow_every_mirroring_and_unknown_ones_none():
    assert {(s.left_right, s.up_down) for s in symmetries("white")} == {
        (False, False), (True, False), (False, True), (True, True),
    }  # fmt: skip
    assert {s.channels for s in symmetries("white")} == {(0, 1, 2)}
    assert symmetries("unknown") == (IDENTITY,)


@pytest.mark.parametrize("lights", ["red", "1,2", "1,2,nan", ""])
def test_anything_else_is_refused(lights):
    with pytest.raises(SettingsError, match=r"tactile.lights: got .* three angles in degrees"):
        symmetries(lights)
