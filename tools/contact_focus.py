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

from contact_focus_page import Part, page, sheet  # noqa: E402
from gel_comparison import BALL_M, presses  # noqa: E402

from xmodal_ros.core.declare import from_mapping  # noqa: E402
from xmodal_ros.core.errors import DataError, SettingsError  # noqa: E402
from xmodal_ros.data.visual_tactile import VisualTactile  # noqa: E402
from xmodal_ros.data.visual_tactile.simulated import KIND  # noqa: E402
from xmodal_ros.eval.focus import (  # noqa: E402
    GRAD_CAM,
    TOLERANCE_PX,
    Batch,
    evaluate_focus,
)
from xmodal_ros.eval.focus_masks import contact_masks  # noqa: E402
from xmodal_ros.nn.architecture import GelSettings  # noqa: E402
from xmodal_ros.nn.network import Network  # noqa: E402
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

Networks = Mapping[str, Network]
"""By "on" with CEC over patch tokens, by "off" with another fusion."""
Touches = Mapping[str, tuple[Sequence[Batch], float, float]]
"""By kind: batches, the pointing game's tolerance, and the largest contact that is scored."""


def measure(networks: Networks, touches: Touches) -> dict[str, Any]:
    """Score two networks on the same touches.

    Returns:
        By kind of touch, what `evaluate_focus` gives for each network, and as `energy_ratio` by
        head and measure with CEC, its energy over that of Grad-CAM without.
    """
    found: dict[str, Any] = {}
    for kind, (batches, tolerance_px, largest) in touches.items():
        scores = {
            name: evaluate_focus(network, batches, tolerance_px, largest)
            for name, network in networks.items()
        }
        found[kind] = scores | {"energy_ratio": _ratios(scores["on"], scores["off"])}
    return found


def report(
    on: TouchRun, off: TouchRun, data: Sequence[VisualTactile], cache: Path, count: int
) -> None:
    """Measure two runs, write numbers, table and picture.

    Args:
        on: With CEC over patch tokens.
        off: With another fusion; encoders, streams and heads are the same.
        data: What both were trained on.
        cache: Of images and features, as for `train_touch`.
        count: Most test examples, spread over all.

    Raises:
        DataError: no test example is of the simulated cell.
        SettingsError: the runs do not read the same.
    """
    if (on.settings.encoder, on.labels) != (off.settings.encoder, off.labels):
        raise SettingsError(
            f"encoder or labels differ from those of {on.folder}", where=str(off.folder)
        )
    _, _, examples = prepare(data, on.settings, cache)
    chosen = _simulated(examples, data, count)
    parts = list(_parts(on.network, examples, chosen))
    real = {sensor: _pressed(on.network, sensor) for sensor in SENSORS}
    batches = [batch for batch, _ in parts]
    found = {
        "fusion": {name: run.settings.trunk.fusion for name, run in (("on", on), ("off", off))},
        "tolerance_px": TOLERANCE_PX,
        "small": SMALL,
        "examples": len(chosen),
    } | measure(
        {"on": on.network, "off": off.network},
        {"cell": (batches, TOLERANCE_PX, 1.0), "cell_small": (batches, TOLERANCE_PX, SMALL)}
        | {sensor: ([batch], 0.0, 1.0) for sensor, (batch, _) in real.items()},
    )
    RESULTS.write_text(json.dumps(_rounded(found), indent=1) + "\n", encoding="utf-8")
    RESULTS.with_suffix(".md").write_text(page(found), encoding="utf-8")
    shown = [(parts, SHOWN_EXAMPLES), *(([part], SHOWN_PRESSES) for part in real.values())]
    PICTURE.parent.mkdir(exist_ok=True)
    drawn = sheet(on.network, off.network, shown)
    cv2.imwrite(str(PICTURE), drawn[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


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
    report(on, off, data, cache, chosen.count)
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
