"""Table and picture of where networks look, from what contact_focus.py measures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from xmodal_ros.eval.focus import ATTENTION, GRAD_CAM, Batch, look
from xmodal_ros.nn.network import Network
from xmodal_ros.runtime.focus import overlay

CELL_PX = (160, 120)
HEADING_PX = 22
COLUMNS = ("gel", "contact", "attention, CEC", "Grad-CAM, CEC", "Grad-CAM, without")
LARGEST = 0.5
"""Share of the gel that a contact in the picture covers at most."""

Part = tuple[Batch, dict[str, np.ndarray]]
"""A batch, and by gel stream the newest images `(batch, H, W, 3)` as the network sees them."""


def page(found: Mapping[str, Any]) -> str:
    """Markdown: pointing game and energy of each kind of touch, head and measure."""
    titles = {
        "cell": "cell, all contacts",
        "cell_small": f"cell, contacts of at most {found['small']:.0%} of the gel",
        "gelsight": "real GelSight, a ball",
        "gelsight_mini": "real GelSight Mini, a ball",
    }
    columns = {
        "attention, CEC": ("on", "attention"),
        "Grad-CAM, CEC": ("on", "grad_cam"),
        "Grad-CAM, without": ("off", "grad_cam"),
    }
    head = [f"{c}: {m}" for m in ("pointing", "energy") for c in ("chance", *columns)]
    lines = [f"| touch | head | maps | {' | '.join(head)} |", "|---" * (3 + len(head)) + "|"]
    for kind, title in titles.items():
        for name, measures in found[kind]["on"].items():
            cells = []
            for score in ("pointing", "energy"):
                cells.append(f"{measures['attention'][f'{score}_chance']:.2f}")
                for run, measure_of in columns.values():
                    cells.append(f"{found[kind][run][name][measure_of][score]:.2f}")
            maps = measures["attention"]["maps"]
            lines.append(f"| {title} | {name} | {maps} | {' | '.join(cells)} |")
    fusion = found["fusion"]
    return "\n".join(
        [
            "# Contact focus",
            "",
            f"With CEC: `{fusion['on']}`, without: `{fusion['off']}`. What is measured: "
            "[experiments](../experiments.md#contact-focus).",
            "",
            "![Gel, contact, attention and Grad-CAM](../pictures/focus.jpg)",
            "",
            *lines,
            "",
        ]
    )


def sheet(on: Network, off: Network, shown: Sequence[tuple[Sequence[Part], int]]) -> np.ndarray:
    """Gels, their contacts, and maps of the first head, in a row each.

    Args:
        on: With CEC.
        off: Without.
        shown: Parts, and how many gels of theirs, spread over all that at most `LARGEST` is
            touched of.

    Returns:
        Shape: (height, width, 3), uint8 RGB.
    """
    rows = (row for parts, count in shown for row in _rows(on, off, parts, count))
    return np.vstack([_heading(), *rows])


def _rows(on: Network, off: Network, parts: Sequence[Part], count: int) -> Iterator[np.ndarray]:
    touched = []
    for part in parts:
        for gel, masks in part[0].masks.items():
            area = masks.mean(axis=(1, 2))
            touched += [(part, gel, k) for k in np.flatnonzero((area > 0) & (area <= LARGEST))]
    count = min(count, len(touched))
    head = next(iter(on.architecture.heads))
    places = (np.arange(count) + 0.5) / count * len(touched)
    for (batch, images), gel, k in (touched[int(place)] for place in places):
        with_cec, without = (look(network, head, batch) for network in (on, off))
        maps = [with_cec[ATTENTION], with_cec[GRAD_CAM], without[GRAD_CAM]]
        image = images[gel][k]
        mask = cv2.resize(batch.masks[gel][k].astype(np.uint8), image.shape[1::-1])
        cells = [image, np.where(mask[..., None] > 0, image, image // 4)]
        cells += [overlay(image, x[gel][k] / max(float(x[gel][k].mean()), 1e-12)) for x in maps]
        yield np.hstack([cv2.resize(c, CELL_PX, interpolation=cv2.INTER_AREA) for c in cells])


def _heading() -> np.ndarray:
    line = np.full((HEADING_PX, CELL_PX[0] * len(COLUMNS), 3), 255, np.uint8)
    for i, name in enumerate(COLUMNS):
        place = (i * CELL_PX[0] + 6, 16)
        cv2.putText(line, name, place, 0, 0.42, (0,) * 3, 1, cv2.LINE_AA)
    return line
