"""Measure whether a network looks where gels are touched, with CEC and without.

python tools/contact_focus.py ON OFF ROOT... [--cache FOLDER] [--count N] [--force]

ON and OFF are folders of finished runs of `xmodal train` on the data sets ROOT..., the one with
CEC over patch tokens, the other with another fusion. Writes docs/results/focus.json and
docs/pictures/focus.jpg. Scored are

- test examples of the simulated cell: the contact mask of each gel image, once all of them and
  once those that cover at most a quarter of the gel, since a large contact is hard to miss. The
  pointing game's tolerance is 15 pixels of 320, as in the paper it comes from.
- the 72 presses of a ball into real gels that the package `taxim` has (see gel_comparison.py): the
  disc with the ball's radius around the contact's centre, and no tolerance beside it. One gel is
  all that the network gets then, a clip that repeats the photo.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a checkout that is not installed

from gel_comparison import BALL_M, presses  # noqa: E402

from xmodal_ros.core.declare import from_mapping  # noqa: E402
from xmodal_ros.core.errors import DataError, SettingsError  # noqa: E402
from xmodal_ros.data.visual_tactile import VisualTactile  # noqa: E402
from xmodal_ros.data.visual_tactile.simulated import KIND  # noqa: E402
from xmodal_ros.eval.focus import (  # noqa: E402
    ATTENTION,
    GRAD_CAM,
    TOLERANCE_PX,
    Batch,
    evaluate_focus,
    look,
)
from xmodal_ros.eval.focus_masks import contact_masks  # noqa: E402
from xmodal_ros.nn.architecture import GelSettings  # noqa: E402
from xmodal_ros.nn.network import Network  # noqa: E402
from xmodal_ros.runtime.focus import overlay  # noqa: E402
from xmodal_ros.runtime.preprocess import resize_image  # noqa: E402
from xmodal_ros.sim.optics import SENSORS, calibration  # noqa: E402
from xmodal_ros.train.touch.examples import TouchExamples  # noqa: E402
from xmodal_ros.train.touch.run import (  # noqa: E402
    RECORD,
    TouchRun,
    open_datasets,
    prepare,
    train_touch,
)
from xmodal_ros.train.touch.score import encoded  # noqa: E402
from xmodal_ros.train.touch.settings import GROUPS, TouchSettings  # noqa: E402

RESULTS = ROOT / "docs" / "results" / "focus.json"
PICTURE = ROOT / "docs" / "pictures" / "focus.jpg"
BATCH = 64
SMALL = 0.25
"""Share of the gel that a small contact covers at most."""
SHOWN_EXAMPLES, SHOWN_PRESSES = 5, 1
"""Rows of the picture: of the cell, and of each real sensor."""
CELL_PX = (160, 120)
COLUMNS = ("gel", "contact", "attention, CEC", "Grad-CAM, CEC", "Grad-CAM, without")

Part = tuple[Batch, dict[str, np.ndarray]]
"""A batch, and by gel stream the newest images `(batch, H, W, 3)` as the network sees them."""


def measure(
    on: TouchRun,
    off: TouchRun,
    data: Sequence[VisualTactile],
    cache: Path,
    count: int = 400,
    results: Path = RESULTS,
    picture: Path = PICTURE,
) -> dict[str, Any]:
    """Score two runs on the same examples and presses; write numbers and picture.

    Args:
        on: With CEC over patch tokens.
        off: With another fusion; encoders, streams and heads are the same.
        data: What both were trained on.
        cache: Of images and features, as for `train_touch`.
        count: Most test examples, spread over all.
        results: File to write.
        picture: File to write.

    Raises:
        DataError: no test example is of the simulated cell.
        SettingsError: the runs do not read the same.
    """
    if (on.settings.encoder, on.labels) != (off.settings.encoder, off.labels):
        raise SettingsError(
            f"encoder or labels differ from those of {on.folder}", where=str(off.folder)
        )
    runs = {"on": on, "off": off}
    _, _, examples = prepare(data, on.settings, cache)
    chosen = _simulated(examples, data, count)
    parts = list(_parts(on.network, examples, chosen))
    real = {sensor: _pressed(on.network, sensor) for sensor in SENSORS}
    touches = {
        "cell": ([batch for batch, _ in parts], TOLERANCE_PX, 1.0),
        "cell_small": ([batch for batch, _ in parts], TOLERANCE_PX, SMALL),
    } | {sensor: ([batch], 0.0, 1.0) for sensor, (batch, _) in real.items()}
    found: dict[str, Any] = {
        "fusion": {name: run.settings.trunk.fusion for name, run in runs.items()},
        "tolerance_px": TOLERANCE_PX,
        "small": SMALL,
        "examples": len(chosen),
    }
    for name, (batches, tolerance_px, largest) in touches.items():
        scores = {
            n: evaluate_focus(run.network, batches, tolerance_px, largest)
            for n, run in runs.items()
        }
        found[name] = scores | {"energy_ratio": _ratios(scores["on"], scores["off"])}
    results.write_text(json.dumps(_rounded(found), indent=1) + "\n", encoding="utf-8")
    results.with_suffix(".md").write_text(page(found), encoding="utf-8")
    networks = on.network, off.network
    rows = [
        *_rows(networks, parts, SHOWN_EXAMPLES),
        *(row for part in real.values() for row in _rows(networks, [part], SHOWN_PRESSES)),
    ]
    picture.parent.mkdir(exist_ok=True)
    sheet = np.vstack([_heading(), *rows])
    cv2.imwrite(str(picture), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    return found


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


def _simulated(examples: TouchExamples, data: Sequence[VisualTactile], count: int) -> np.ndarray:
    """Test examples of the simulated cell, at most so many, spread over all of them."""
    roots = {one.root for one in data if one.kind == KIND}
    found = []
    for k in examples.indices("test"):
        sources = [s for clip in examples.plan.examples[k].streams.values() for s in clip]
        if roots.intersection(sources[0].path.parents):
            found.append(k)
    if not found:
        raise DataError(
            "no test example of the simulated cell, which knows where a gel is touched",
            where=", ".join(str(one.root) for one in data),
        )
    places = np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int)
    return np.array(found)[places]


def _parts(network: Network, examples: TouchExamples, chosen: np.ndarray) -> Iterator[Part]:
    """Batches of examples with the contact masks of their gels."""
    gels = [s for s in examples.streams if isinstance(network.branch(s).settings, GelSettings)]
    newest = {
        (k, gel): examples.plan.examples[k].streams[gel][-1]
        for k in chosen
        for gel in gels
        if examples.present[gel][k]
    }
    masks = contact_masks(newest.values())
    nothing = np.zeros_like(next(iter(masks.values())))
    for start in range(0, len(chosen), BATCH):
        some = chosen[start : start + BATCH]
        with torch.no_grad():
            features = encoded(network, examples.batch(some))
        present = {s: torch.from_numpy(p[some]).float() for s, p in examples.present.items()}
        known = {
            gel: np.stack([masks[newest[k, gel]] if (k, gel) in newest else nothing for k in some])
            for gel in gels
        }
        images = {gel: examples.images(gel, some)[:, -1] for gel in gels}
        yield Batch(features, present, known), images


def _pressed(network: Network, sensor: str) -> Part:
    """The real presses, as one gel; the other streams are absent."""
    architecture = network.architecture
    gel = next(s for s in architecture.streams if isinstance(architecture.branch(s), GelSettings))
    found = list(presses(sensor))
    raw, images = {}, {}
    for stream in architecture.streams:
        settings: Any = architecture.branch(stream)
        size = settings.height, settings.width
        photos = np.zeros((len(found), *size, 3), np.uint8)
        if stream == gel:
            photos = np.stack([resize_image(press.photo, *size) for press in found])
            images[gel] = photos
        raw[stream] = torch.from_numpy(photos)
        if isinstance(settings, GelSettings):
            raw[stream] = raw[stream][:, None].repeat_interleave(settings.frames, dim=1)
    with torch.no_grad():
        features = {stream: network.features(stream, raw) for stream in raw}
    present = {s: torch.full((len(found),), float(s == gel)) for s in raw}
    radius_px = BALL_M / calibration(sensor).pixel_m
    masks = np.stack([press.squared() <= radius_px**2 for press in found])
    return Batch(features, present, {gel: masks}), images


def _ratios(on: Mapping[str, Any], off: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """By head and measure with CEC, its energy over that of Grad-CAM without."""
    return {
        head: {
            measure: scores["energy"] / max(off[head][GRAD_CAM]["energy"], 1e-9)
            for measure, scores in measures.items()
        }
        for head, measures in on.items()
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(part) for name, part in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def _rows(
    networks: tuple[Network, Network], parts: Sequence[Part], count: int
) -> Iterator[np.ndarray]:
    """Rows of the picture: gels spread over all that half or less is touched of; first head."""
    touched = []
    for part in parts:
        for gel, masks in part[0].masks.items():
            area = masks.mean(axis=(1, 2))
            touched += [(part, gel, k) for k in np.flatnonzero((area > 0) & (area <= 0.5))]
    count = min(count, len(touched))
    head = next(iter(networks[0].architecture.heads))
    places = (np.arange(count) + 0.5) / count * len(touched)
    for (batch, images), gel, k in (touched[int(place)] for place in places):
        on, off = (look(network, head, batch) for network in networks)
        maps = [on[ATTENTION], on[GRAD_CAM], off[GRAD_CAM]]
        image = images[gel][k]
        mask = cv2.resize(batch.masks[gel][k].astype(np.uint8), image.shape[1::-1])
        cells = [image, np.where(mask[..., None] > 0, image, image // 4)]
        cells += [overlay(image, x[gel][k] / max(float(x[gel][k].mean()), 1e-12)) for x in maps]
        yield np.hstack([cv2.resize(c, CELL_PX, interpolation=cv2.INTER_AREA) for c in cells])


def _heading() -> np.ndarray:
    line = np.full((22, CELL_PX[0] * len(COLUMNS), 3), 255, np.uint8)
    for i, name in enumerate(COLUMNS):
        place = (i * CELL_PX[0] + 6, 16)
        cv2.putText(line, name, place, 0, 0.42, (0,) * 3, 1, cv2.LINE_AA)
    return line


def _settings(folder: Path) -> TouchSettings:
    """Settings of a finished run."""
    if not (folder / RECORD).is_file():
        raise DataError("no finished run is there", where=str(folder), expected=f"a {RECORD}")
    groups = json.loads((folder / RECORD).read_text(encoding="utf-8"))["settings"]
    for group in groups.values():
        for name, value in group.items():
            group[name] = tuple(value) if isinstance(value, list) else value
    return TouchSettings(**{n: from_mapping(GROUPS[n], v, n) for n, v in groups.items()})


def main() -> None:
    """Read the runs back and measure them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("on", type=Path, help="folder of the run with CEC")
    parser.add_argument("off", type=Path, help="folder of the run without")
    parser.add_argument("roots", type=Path, nargs="+", help="data sets of both")
    parser.add_argument("--cache", type=Path, help="as for training; ON/cache if not named")
    parser.add_argument("--count", type=int, default=400, help="most test examples")
    parser.add_argument("--force", action="store_true", help="use a split that leaks")
    chosen = parser.parse_args()
    cache = chosen.cache or chosen.on / "cache"
    settings = [_settings(folder) for folder in (chosen.on, chosen.off)]
    data = open_datasets(chosen.roots, settings[0], force=chosen.force)
    on, off = (
        train_touch(data, folder, s, cache=cache)
        for folder, s in zip((chosen.on, chosen.off), settings, strict=True)
    )
    measure(on, off, data, cache, chosen.count)
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
