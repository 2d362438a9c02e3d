"""Gel images against taxim's table, read directly, and against motions that are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import taxim

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.contact import FIELD_M
from xmodal_ros.sim.gel import Renderer
from xmodal_ros.sim.gel_unit import GelUnit, draw_unit
from xmodal_ros.sim.optics import SENSORS

SHAPE = (240, 320)
PIXEL_M = FIELD_M[1] / SHAPE[1]
STILL = np.zeros(2)
FOLDERS = {"gelsight": taxim.CALIB_GELSIGHT, "gelsight_mini": taxim.CALIB_GELSIGHT_MINI}


def _rng():
    return np.random.default_rng(0)


def _ball(depth=0.5e-3, radius=4e-3):
    y, x = np.mgrid[:240, :320]
    squared = ((x - 160) ** 2 + (y - 120) ** 2) * PIXEL_M**2
    cap = np.sqrt(np.maximum(radius**2 - squared, 0)) - (radius - depth)
    return np.maximum(cap, 0).astype(np.float32)


@pytest.mark.parametrize("sensor", SENSORS)
def test_an_untouched_gel_shows_the_real_sensors_image(sensor):
    reference = Renderer(GelUnit(sensor=sensor), (480, 640)).reference()

    with np.load(FOLDERS[sensor] / "dataPack.npz", allow_pickle=True) as photos:
        photo = photos["f0"][..., ::-1].astype(int)
    assert np.abs(reference - photo).mean() < 2  # taxim smooths the photo a little
    assert np.corrcoef(reference.ravel(), photo.ravel())[0, 1] > 0.99


def _slope(right, down):
    """A gel sloped evenly, deep enough everywhere to follow it exactly."""
    y, x = np.mgrid[:480, :640]
    return (0.0295e-3 * (right * (x - 320) + down * (y - 240)) + 20e-3).astype(np.float32)


SLOPES = [(0.3, 0.0), (-0.3, 0.0), (0.0, 0.4), (-0.2, -0.2)]
CALIBRATED = {"gelsight": (96, 558, 100, 368), "gelsight_mini": (324, 350, 210, 254)}
"""Least and greatest x and y of the centres of taxim's presses."""


@pytest.mark.parametrize("place", [(340, 224), (580, 60)])
@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize(("right", "down"), SLOPES)
def test_a_slope_has_the_colour_of_taxims_table(sensor, right, down, place):
    renderer = Renderer(GelUnit(sensor=sensor), (480, 640))

    image = renderer.render(_slope(right, down), STILL, _rng()).image.astype(int)

    with np.load(FOLDERS[sensor] / "polycalib.npz") as table:
        polar = np.stack([table[f"grad_{c}"] for c in "bgr"])  # taxim: blue and red are swapped
    left, most_right, top, bottom = CALIBRATED[sensor]
    x, y = np.clip(place[0], left, most_right), np.clip(place[1], top, bottom)
    terms = np.array([x * x, y * y, x * y, x, y, 1])
    steep = int(np.arctan(np.hypot(right, down)) / (np.pi / 2) * 124)
    turn = int((np.arctan2(down, right) + np.pi) / (2 * np.pi) * 124)
    expected = polar[:, steep, turn] @ terms - (polar[:, 0] @ terms).mean(axis=1)
    around = np.s_[place[1] - 3 : place[1] + 4, place[0] - 3 : place[0] + 4]
    change = (image[around] - renderer.reference()[around]).mean(axis=(0, 1))
    assert change == pytest.approx(expected, abs=5)  # neighbouring entries differ by as much
    assert np.abs(expected).max() > 10


def test_turning_the_leds_turns_the_colours():
    plain = Renderer(GelUnit(), (480, 640))
    turned = Renderer(GelUnit(led_angle_deg=90.0), (480, 640))

    leaning_right = turned.render(_slope(0.3, 0.0), STILL, _rng()).image.astype(int)
    leaning_up = plain.render(_slope(0.0, -0.3), STILL, _rng()).image.astype(int)

    inside = np.s_[100:-100, 100:-100]  # the blur of the rim differs
    assert np.abs(leaning_right - leaning_up)[inside].max() <= 3


def test_contact_is_where_the_field_is_not_zero():
    field = _ball()

    frame = Renderer(GelUnit()).render(field, STILL, _rng())

    assert (frame.contact == (field > 0)).all()
    assert frame.image.shape == (240, 320, 3)
    assert frame.image.dtype == np.uint8


def test_far_from_the_contact_nothing_changes():
    renderer = Renderer(GelUnit())

    image = renderer.render(_ball(), STILL, _rng()).image.astype(int)

    change = np.abs(image - renderer.reference()).max(axis=2)
    assert change[:30, :30].max() <= 1
    assert change[90:150, 130:190].max() > 20


@pytest.mark.parametrize(
    ("sensor", "number", "centre"), [("gelsight", 0, None), ("gelsight_mini", 4, (345, 216))]
)
def test_a_ball_looks_like_the_real_press_of_it(sensor, number, centre):
    with np.load(FOLDERS[sensor] / "dataPack.npz", allow_pickle=True) as photos:
        photo = photos["imgs"][number][..., ::-1].astype(int)
        radius = float(photos["touch_radius"][number])
        # the Mini's annotated centres are off: this one was found by tools/gel_comparison.py
        column, row = centre or photos["touch_center"][number]
    y, x = np.mgrid[:480, :640]
    squared = ((x - column) ** 2 + (y - row) ** 2) * 0.0295e-3**2
    ball = np.sqrt(np.maximum(2e-3**2 - squared, 0)) - np.sqrt(2e-3**2 - (radius * 0.0295e-3) ** 2)
    renderer = Renderer(GelUnit(sensor=sensor), (480, 640))

    image = renderer.render(np.maximum(ball, 0).astype(np.float32), STILL, _rng()).image

    near = squared < (120 * 0.0295e-3) ** 2
    error = np.abs(image - photo)[near].mean()
    assert error < 0.65 * np.abs(renderer.reference() - photo)[near].mean()


def _markers(image):
    """Weight of darkness by pixel."""
    return np.clip(90.0 - image.max(axis=2), 0, None)


def _motion(before, after):
    """Shift `(right, down)` in pixels: the peak of the cross-correlation, by parabolas."""
    spectrum = np.fft.fft2(before).conj() * np.fft.fft2(after)
    match = np.real(np.fft.ifft2(spectrum))
    rows, columns = match.shape
    row, column = np.unravel_index(match.argmax(), match.shape)

    def top(a, b, c):
        return (a - c) / (2 * (a - 2 * b + c))

    fine_row = row + top(*(match[(row + i) % rows, column] for i in (-1, 0, 1)))
    fine_column = column + top(*(match[row, (column + i) % columns] for i in (-1, 0, 1)))
    return (fine_column + 40) % columns - 40, (fine_row + 40) % rows - 40


@pytest.mark.parametrize("pixels", [(6.0, 0.0), (0.0, 4.0), (-3.5, -2.5)])
def test_shear_moves_the_markers_in_contact(pixels):
    renderer = Renderer(GelUnit(marker_pitch_mm=2.0, gain=1.5))
    field = np.full(SHAPE, 0.5e-3, np.float32)
    shear = np.array(pixels) * PIXEL_M  # right and up

    before = renderer.render(field, STILL, _rng()).image
    after = renderer.render(field, shear, _rng()).image

    inner = np.s_[20:-20, 20:-20]
    moved = _motion(_markers(before)[inner], _markers(after)[inner])
    assert moved == pytest.approx((pixels[0], -pixels[1]), abs=0.3)


def test_markers_far_from_the_contact_stay():
    renderer = Renderer(GelUnit(marker_pitch_mm=2.0))

    image = renderer.render(_ball(), np.array([4e-4, 0]), _rng()).image.astype(int)

    assert np.abs(image - renderer.reference())[:, :40].max() <= 1


def test_pressing_pushes_the_markers_outwards():
    renderer = Renderer(GelUnit(marker_pitch_mm=1.5, gain=1.5))
    pressed = renderer.render(_ball(depth=0.8e-3), STILL, _rng()).image
    left, right = np.s_[80:160, 110:158], np.s_[80:160, 162:210]

    motions = [
        _motion(_markers(renderer.reference())[s], _markers(pressed)[s]) for s in (left, right)
    ]

    assert motions[0][0] < -0.2
    assert motions[1][0] > 0.2


def test_a_unit_changes_colour_but_not_geometry():
    one, other = draw_unit(np.random.default_rng(1)), draw_unit(np.random.default_rng(2))

    frames = [Renderer(unit).render(_ball(), STILL, _rng()) for unit in (one, other)]

    assert one.id != other.id
    assert (frames[0].contact == frames[1].contact).all()
    difference = frames[0].image.mean(axis=(0, 1)) - frames[1].image.mean(axis=(0, 1))
    assert np.abs(difference).max() > 3


def test_the_same_seed_gives_the_same_bytes():
    images = []
    for _ in range(2):
        rng = np.random.default_rng(11)
        renderer = Renderer(draw_unit(rng))
        images.append(renderer.render(_ball(), np.array([1e-4, 2e-4]), rng).image.tobytes())

    assert images[0] == images[1]


def test_noise_is_fresh_and_as_strong_as_the_unit_says():
    renderer = Renderer(GelUnit(noise=4.0))
    rng = _rng()

    first, second = (renderer.idle(rng).image.astype(float) for _ in range(2))

    assert (first - renderer.reference()).std() == pytest.approx(4.0, rel=0.03)
    assert (first - second).std() == pytest.approx(4.0 * np.sqrt(2), rel=0.03)


def test_no_contact_is_an_idle_frame():
    renderer = Renderer(GelUnit(noise=2.0))

    untouched = renderer.render(np.zeros(SHAPE, np.float32), STILL, _rng())

    assert not untouched.contact.any()
    assert untouched.image.tobytes() == renderer.idle(_rng()).image.tobytes()


def test_wear_leaves_marks_that_stay():
    worn, new = GelUnit(wear=1.0, seed=3), GelUnit(seed=3)

    difference = np.abs(Renderer(worn).reference().astype(int) - Renderer(new).reference())

    assert 0.0005 < (difference.max(axis=2) > 5).mean() < 0.2
    assert (Renderer(worn).reference() == Renderer(worn).reference()).all()


def test_settings_of_a_unit_are_checked():
    with pytest.raises(SettingsError) as error:
        GelUnit(sensor="digit")
    assert str(error.value) == "gel.sensor: got 'digit'; expected one of gelsight, gelsight_mini"
    with pytest.raises(SettingsError, match=r"gel\.noise"):
        dataclasses.replace(GelUnit(), noise=-1.0)


def test_drawn_units_vary_in_everything():
    units = [draw_unit(np.random.default_rng(i)) for i in range(40)]

    for field in dataclasses.fields(GelUnit):
        assert len({getattr(unit, field.name) for unit in units}) > 1, field.name
    assert 20 <= sum(unit.marker_pitch_mm > 0 for unit in units) <= 38
