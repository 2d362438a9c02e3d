"""Compare rendered gel images with real ones: the same ball at the same place (needs `jax`).

python tools/gel_comparison.py    write docs/results/ and docs/pictures/gel_comparison.*

Taxim's package has 72 photos of a ball pressed into a GelSight and a GelSight Mini. Each is
rendered by `xmodal_ros.sim.gel` and by taxim itself, without and with shadows, and set beside the
trivial answer, the sensor's image without contact. Taxim's calibration was fitted to these photos,
so this tells how well the sensors are reproduced, not how well another one would be.

The ball's radius is not in the package. With 2.0 mm taxim's table gives back its GelSight presses
best inside the contact, so that radius is taken for both sensors. The contact's radius, as
annotated, gives the depth. The Mini's annotations are coarse. Centres are up to 25 pixels off, so
they are found in the photos: a round dent changes colours at opposite places in opposite ways. Its
radii take in gel beside the contact: 0.8 of them, which fits best of all tenths, is used for both
renderers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a checkout that is not installed

from xmodal_ros.sim.gel import Renderer  # noqa: E402
from xmodal_ros.sim.gel_unit import GelUnit  # noqa: E402
from xmodal_ros.sim.optics import SENSORS, calibration, calibration_folder  # noqa: E402

BALL_M = 2.0e-3
MINI_CONTACT = 0.8
"""Share of the annotated radius of a Mini's contact."""
NEAR_PX = 120
"""Pixels this close to the centre of a press count as near it (contact radii are 34 to 67)."""
SHAPE = (480, 640)
SHOWN = {"gelsight": (0, 20), "gelsight_mini": (3, 18)}
"""Presses in the picture."""
RESULTS = ROOT / "docs" / "results" / "gel_comparison.json"
PICTURE = ROOT / "docs" / "pictures" / "gel_comparison.png"

Images = dict[str, np.ndarray]


@dataclass(frozen=True)
class Press:
    """A photo of a ball in a gel."""

    photo: np.ndarray
    """`(480, 640, 3) uint8` RGB."""
    centre: np.ndarray
    """`(2,)` x and y in pixels."""
    radius: float
    """Of the contact, in pixels."""

    def squared(self) -> np.ndarray:
        """Squared distance `(480, 640)` of the pixels from the centre."""
        y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
        return (x - self.centre[0]) ** 2 + (y - self.centre[1]) ** 2

    def penetration(self, pixel_m: float) -> np.ndarray:
        """How deep the ball is in the gel, negative outside the contact, in m."""
        height = np.sqrt(np.maximum(BALL_M**2 - self.squared() * pixel_m**2, 0))
        return height - np.sqrt(BALL_M**2 - (self.radius * pixel_m) ** 2)


def main() -> None:
    """Render all presses, write the numbers and the picture."""
    results, rows = {}, []
    for sensor in SENSORS:
        renderers = [_ours(sensor), _taxims(sensor)]
        blank = _photos(sensor)["f0"][..., ::-1]
        errors: dict[str, list[tuple[float, float]]] = {}
        for number, press in enumerate(presses(sensor)):
            made = {"no_contact": blank}
            for render in renderers:
                made |= render(press)
            near = press.squared() < NEAR_PX**2
            for name, image in made.items():
                error = np.abs(image.astype(np.float32) - press.photo).mean(axis=2)
                errors.setdefault(name, []).append((error[near].mean(), error.mean()))
            if number in SHOWN[sensor]:
                rows.append(_row(press, made))
        results[sensor] = {"presses": number + 1} | {n: _summary(e) for n, e in errors.items()}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    PICTURE.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(PICTURE), np.vstack([_heading(), *rows])[..., ::-1], PNG)
    print(RESULTS.read_text())


PNG = [cv2.IMWRITE_PNG_COMPRESSION, 9]


def _photos(sensor: str) -> Images:
    with np.load(calibration_folder(sensor) / "dataPack.npz", allow_pickle=True) as photos:
        return {name: photos[name] for name in ("f0", "imgs", "touch_center", "touch_radius")}


def presses(sensor: str) -> Iterator[Press]:
    """The real presses of a sensor, in the order of the package."""
    photos = _photos(sensor)
    blank = photos["f0"].astype(np.float32)
    columns = (photos[name] for name in ("imgs", "touch_center", "touch_radius"))
    for image, annotated, radius in zip(*columns, strict=True):
        press = Press(image[..., ::-1], annotated.astype(float), float(radius))
        if sensor == "gelsight_mini":
            centre = _centre(image.astype(np.float32) - blank, press.centre)
            press = replace(press, centre=centre, radius=MINI_CONTACT * radius)
        yield press


def _centre(change: np.ndarray, near: np.ndarray, half: int = 60, reach: int = 28) -> np.ndarray:
    """The place around which the change of colour is most nearly odd."""
    change = cv2.GaussianBlur(change, (0, 0), 2)

    def unlike(x: int, y: int) -> float:
        window = change[y - half : y + half + 1 : 3, x - half : x + half + 1 : 3]
        window = window - window.mean(axis=(0, 1))
        return float(np.abs(window + window[::-1, ::-1]).mean() / np.abs(window).mean())

    best = (int(near[0]), int(near[1]))
    for step, span in ((4, reach), (1, 4)):
        steps = range(-span, span + 1, step)
        best = min(
            ((best[0] + i, best[1] + j) for i in steps for j in steps), key=lambda c: unlike(*c)
        )
    return np.array(best, float)


def _ours(sensor: str) -> Callable[[Press], Images]:
    renderer = Renderer(GelUnit(sensor=sensor), SHAPE)
    pixel_m, rng = calibration(sensor).pixel_m, np.random.default_rng(0)

    def render(press: Press) -> Images:
        pressed = np.maximum(press.penetration(pixel_m), 0).astype(np.float32)
        return {"xmodal_ros": renderer.render(pressed, np.zeros(2), rng).image}

    return render


def _taxims(sensor: str) -> Callable[[Press], Images]:
    from taxim import Taxim

    folder = calibration_folder(sensor)
    renderer = Taxim(folder, backend="jax", device="cpu")
    pixel_mm = renderer.sensor_params.pixmm
    gel = np.load(folder / "gelmap.npy") * pixel_mm
    gel = gel - gel.max()  # taxim measures from the gel's highest point

    def render(press: Press) -> Images:
        x, y = press.centre.astype(int)
        heights = gel[y, x] - press.penetration(pixel_mm * 1e-3) * 1e3
        heights = heights.astype(np.float32)
        made = {
            name: np.asarray(renderer.render(heights, with_shadow=shadow))
            for name, shadow in (("taxim", False), ("taxim_shadows", True))
        }
        return {name: np.rint(image * 255).astype(np.uint8) for name, image in made.items()}

    return render


def _summary(errors: list[tuple[float, float]]) -> dict[str, float]:
    """Mean absolute error of a pixel in levels of 255; spread is over the presses."""
    (near, whole), (near_spread, whole_spread) = np.mean(errors, axis=0), np.std(errors, axis=0)
    return {
        "near": round(float(near), 2),
        "near_spread": round(float(near_spread), 2),
        "image": round(float(whole), 2),
        "image_spread": round(float(whole_spread), 2),
    }


COLUMNS = ("photo", "xmodal_ros", "taxim", "taxim_shadows", "no_contact")
CELL = 128


def _row(press: Press, made: Images) -> np.ndarray:
    """The surroundings of a press as photographed and as rendered."""
    x, y = press.centre.astype(int)
    left, top = np.clip((x - 120, y - 120), 0, (SHAPE[1] - 240, SHAPE[0] - 240))
    images = [({"photo": press.photo} | made)[name] for name in COLUMNS]
    cells = [image[top : top + 240, left : left + 240] for image in images]
    return np.hstack([cv2.resize(c, (CELL, CELL), interpolation=cv2.INTER_AREA) for c in cells])


def _heading() -> np.ndarray:
    line = np.full((24, CELL * len(COLUMNS), 3), 255, np.uint8)
    for i, name in enumerate(COLUMNS):
        cv2.putText(
            line, name.replace("_", " "), (i * CELL + 6, 17), 0, 0.45, (0,) * 3, 1, cv2.LINE_AA
        )
    return line


if __name__ == "__main__":
    main()
