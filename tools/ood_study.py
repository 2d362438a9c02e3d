"""How well out-of-distribution scores find broken sensors: docs/results/ood.json and .md.

python tools/ood_study.py BUNDLE CELL SLIP --cache out/cache

BUNDLE is one that was trained on CELL alone (`xmodal train CELL --bundle BUNDLE`), SLIP a
data set of another gel sensor. Ways to score are chosen on the validation part.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from corruptions import GELS, IMAGES, Corruption
from rich.progress import track
from sklearn.metrics import roc_auc_score

from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import Modality, Observation, StreamData
from xmodal_ros.data.visual_tactile.example import CAMERA, TEST, TRAIN, VALIDATION
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.ood import branch_feature, fit_branch, look, look_size, ood_score
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.train.pretrain.files import save_text
from xmodal_ros.train.touch.clips import Images, image_sizes
from xmodal_ros.train.touch.examples import Plan, plan
from xmodal_ros.train.touch.run import open_datasets
from xmodal_ros.train.touch.settings import TouchSettings, read_overrides

LEFT, CLEAN, FOREIGN = "tactile_left", "untouched", "another sensor"
HEAD = "material"
"""Of which the score of all senses together is shown."""
COMPONENTS, NEAREST = 16, 5
STORED = 256
"""Training features among which neighbours are looked for: a bundle would have to hold them."""

Score = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Home:
    """A data set that a bundle could have been trained on."""

    plan: Plan
    images: Images

    def chosen(self, part: str, count: int) -> np.ndarray:
        """Examples of a part with all streams of the data, evenly spread."""
        rows = [k for k in self.plan.indices(part) if self._whole(k)]
        return np.array(rows)[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]

    def _whole(self, row: int) -> bool:
        return set(self.plan.streams) <= set(self.plan.examples[row].streams)


class Said(NamedTuple):
    """What the runtime said of an example."""

    embeddings: Mapping[str, np.ndarray]
    """By stream, of all images of a clip `(steps, d)`."""
    fused: float
    """Score of the head."""


@dataclass
class Seen:
    """What the runtime said of images of one stream, of which some were spoiled."""

    features: list[np.ndarray]
    fused: list[float]
    greys: list[tuple[float, float]]


def study(
    bundle: Annotated[Path, typer.Argument(help="Trained on the cell alone.")],
    cell: Annotated[Path, typer.Argument(help="The cell's data set.")],
    foreign: Annotated[Path, typer.Argument(help="Data set of another gel sensor.")],
    cache: Annotated[Path, typer.Option(help="Of images.")] = Path("out/cache"),
    results: Annotated[Path, typer.Option(help="Of tables.")] = Path("docs/results"),
    train: Annotated[int, typer.Option(help="Examples that ways to score are fitted to.")] = 300,
    validation: Annotated[int, typer.Option(help="Examples to choose on.")] = 60,
    test: Annotated[int, typer.Option(help="Examples of the table.")] = 120,
) -> None:
    """Spoil images, score them, and write the tables."""
    made: dict[str, Any] = {"homes": {}}
    with Predictor(Bundle.load(bundle), InferenceSettings(threads=1)) as predictor:
        homes = {root.name: opened(root, predictor.bundle, cache) for root in (cell, foreign)}
        seen = {
            name: {
                part: watched(predictor, home, part, count)
                for part, count in ((TRAIN, train), (VALIDATION, validation), (TEST, test))
            }
            for name, home in homes.items()
        }
    for name, other in ((cell.name, foreign.name), (foreign.name, cell.name)):
        for part in (VALIDATION, TEST):
            strange = seen[other][part][LEFT][CLEAN]
            seen[name][part][LEFT] = {**seen[name][part][LEFT], FOREIGN: strange}
        made["homes"][name] = compared(seen[name], own=name == cell.name)
    made |= {"bundle": bundle.name, "train": train, "validation": validation, "test": test}
    save_text(results / "ood.json", json.dumps(made, indent=1) + "\n")
    save_text(results / "ood.md", page(made))


def opened(root: Path, bundle: Bundle, cache: Path) -> Home:
    """A data set as the bundle's training read it."""
    given = bundle.training["settings"]
    overrides = [f"{g}.{k}={v}" for g, part in given.items() for k, v in part.items() if v != []]
    settings: TouchSettings = read_overrides(overrides)
    data = open_datasets([root], settings)
    made = plan(data, settings)
    sizes = {s: size for s, size in image_sizes(bundle.spec).items() if s in made.streams}
    return Home(made, Images(made.examples, sizes, settings.encoder.spacing_s, cache))


def watched(predictor: Predictor, home: Home, part: str, count: int) -> dict[str, dict[str, Seen]]:
    """By stream and by what was done to it, what the runtime said; training data stay as is."""
    rng, found = np.random.default_rng(0), dict[str, dict[str, Seen]]()
    for number, row in enumerate(track(home.chosen(part, count), part)):
        clips = {s: np.array(home.images[s][row]) for s in home.plan.streams}
        prediction = predicted(predictor, clips, number)
        for stream, clip in clips.items():
            keep(found, stream, CLEAN, clip[-1], prediction)
        if part == TRAIN:
            continue
        for stream in clips.keys() & {CAMERA, LEFT}:
            for name, spoil in spoils(stream).items():
                clip = spoil(clips[stream], rng)
                prediction = predicted(predictor, {**clips, stream: clip}, number)
                keep(found, stream, name, clip[-1], prediction)
    return found


def spoils(stream: str) -> Mapping[str, Corruption]:
    """What can go wrong with a stream."""
    return IMAGES if stream == CAMERA else GELS


def predicted(predictor: Predictor, clips: Mapping[str, np.ndarray], number: int) -> Said:
    """What the runtime says of an example."""
    streams = {}
    for stream, clip in clips.items():
        stamps = tuple(10**9 * (number + 1) + 10**8 * step for step in range(len(clip)))
        if stream == CAMERA:
            streams[stream] = StreamData(Modality.CAMERA, clip[-1], stamps[-1:], 0)
        else:
            streams[stream] = StreamData(Modality.TACTILE, clip[-1], stamps, 0, tuple(clip))
    prediction = predictor.predict(Observation(number, "hand", next(iter(streams)), streams))
    # A clip's embeddings, with a batch axis; a prediction has the newest one's alone.
    steps = {name: features[1][0] for name, features in predictor.encoded.items()}
    return Said({s: np.atleast_2d(x) for s, x in steps.items()}, prediction.heads[HEAD].ood_score)


def keep(
    found: dict[str, dict[str, Seen]], stream: str, name: str, image: np.ndarray, said: Said
) -> None:
    """Add what was said of an image, which has the network's size."""
    seen = found.setdefault(stream, {}).setdefault(name, Seen([], [], []))
    seen.features.append(branch_feature(said.embeddings[stream], look(image)))
    seen.fused.append(said.fused)
    seen.greys.append((float(image.mean()), float(image.std())))


def compared(seen: Mapping[str, Mapping[str, Mapping[str, Seen]]], own: bool) -> dict[str, Any]:
    """AUROC by part, stream, way to score and what was done.

    Args:
        seen: By part.
        own: Whether the bundle's own statistics are of this data.
    """
    made: dict[str, Any] = {}
    for stream in (CAMERA, LEFT):
        if stream not in seen[TRAIN]:
            continue
        alike = [s for s in seen[TRAIN] if (s == CAMERA) == (stream == CAMERA)]
        features = np.concatenate([seen[TRAIN][s][CLEAN].features for s in alike])
        greys = np.concatenate([seen[TRAIN][s][CLEAN].greys for s in alike])
        ways = {name: (way(features), "features") for name, way in WAYS.items()}
        ways["mean and deviation of grey"] = mahalanobis(greys), "greys"
        if own:
            ways[f"{HEAD} head's score"] = np.asarray, "fused"
        made[stream] = {
            part: {name: found(seen[part][stream], *how) for name, how in ways.items()}
            for part in (VALIDATION, TEST)
        }
    return made


def found(seen: Mapping[str, Seen], score: Score, of: str) -> dict[str, float]:
    """AUROC against untouched images, and how many of those score above 1."""
    usual = score(np.array(getattr(seen[CLEAN], of)))
    made = {"false alarms": float((usual > 1).mean())}
    for name, one in seen.items():
        if name != CLEAN:
            values = np.concatenate([usual, score(np.array(getattr(one, of)))])
            truth = np.arange(len(values)) >= len(usual)
            made[name] = float(roc_auc_score(truth, values))
    return made


def mahalanobis(features: np.ndarray) -> Score:
    """As the runtime does it."""
    known = fit_branch(features)
    return lambda values: np.array([ood_score(x, known) for x in values])


def neighbours(features: np.ndarray) -> Score:
    """Distance of standardized features to the fifth nearest of some of the training data."""
    mean, spread = features.mean(0), features.std(0)
    stored = (features[np.linspace(0, len(features) - 1, STORED).astype(int)] - mean) / spread

    def distance(values: np.ndarray) -> np.ndarray:
        apart = np.linalg.norm(((values - mean) / spread)[:, None] - stored, axis=2)
        return np.asarray(np.sort(apart, axis=1)[:, NEAREST - 1])

    return scaled(distance, features)


def residual(features: np.ndarray) -> Score:
    """Length of what the principal components of standardized training data do not explain."""
    mean, spread = features.mean(0), features.std(0)
    axes = np.linalg.svd((features - mean) / spread, full_matrices=False)[2][:COMPONENTS]

    def distance(values: np.ndarray) -> np.ndarray:
        unit = (values - mean) / spread
        return np.asarray(np.linalg.norm(unit - unit @ axes.T @ axes, axis=1))

    return scaled(distance, features)


def scaled(distance: Score, features: np.ndarray) -> Score:
    """1 at the training data's 99th percentile."""
    most = np.percentile(distance(features), 99)
    return lambda values: distance(values) / most


def embedding_alone(features: np.ndarray) -> Score:
    """As the runtime does it, without what the input looks like."""
    score = mahalanobis(features[:, : -look_size(Modality.CAMERA)])
    return lambda values: score(values[:, : -look_size(Modality.CAMERA)])


def look_alone(features: np.ndarray) -> Score:
    """As the runtime does it, without the embedding."""
    score = mahalanobis(features[:, -look_size(Modality.CAMERA) :])
    return lambda values: score(values[:, -look_size(Modality.CAMERA) :])


WAYS: dict[str, Callable[[np.ndarray], Score]] = {
    "Mahalanobis": mahalanobis,
    "the same, embedding alone": embedding_alone,
    "the same, look alone": look_alone,
    f"{NEAREST} nearest of {STORED}": neighbours,
    f"residual of {COMPONENTS} components": residual,
}


def page(made: Mapping[str, Any]) -> str:
    """The tables as Markdown."""
    lines = [
        "# Knowing what it doesn't know",
        "",
        "AUROC of scores against untouched images of the same part; made by "
        "`tools/ood_study.py`. False alarms are untouched images that score above 1, the 99th "
        "percentile of the training data. Gels are spoiled on the left finger. Ways to score a "
        f"stream were fitted to {made['train']} training examples; the first is the one a node "
        "publishes. The head's score is of all streams together, fitted with its classifier.",
    ]
    for home, streams in made["homes"].items():
        for stream, parts in streams.items():
            for part, ways in parts.items():
                names = list(next(iter(ways.values())))
                lines += ["", f"## {home}: {stream}, {part} part", ""]
                lines += [f"| score | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
                for way, row in ways.items():
                    lines.append(f"| {way} | " + " | ".join(f"{row[n]:.3f}" for n in names) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(study)
