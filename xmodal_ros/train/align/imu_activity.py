"""Activities of people who are not in the training data, by a watch: encoders and their peers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.metrics import f1_score

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.core.smoothing import follow
from xmodal_ros.core.types import Order
from xmodal_ros.core.windows import Resampled
from xmodal_ros.data.inertial import Inertial, Track
from xmodal_ros.data.inertial.augment import remount
from xmodal_ros.data.inertial.windows import Window, Windowing, cut
from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, VALIDATION
from xmodal_ros.eval.metrics import score
from xmodal_ros.train.align.examples import AlignExamples
from xmodal_ros.train.align.order import counted_rates
from xmodal_ros.train.align.peers import PEERS, Predict, fit_peer
from xmodal_ros.train.align.run import align, prepare
from xmodal_ros.train.align.score import classify
from xmodal_ros.train.align.settings import AlignSettings, read_overrides

DEVICE = "watch"
HELD_OUT = 3
"""Training people of each seed on whom probabilities are calibrated: a fifth of them."""
LEAST_SHARE = 2 / 3
"""Share of the labelled second that an activity fills; others have no single answer."""
ASKED_EVERY_S = 0.5
LABEL_S = 1.0
EVIDENCE_S = 0.1
"""Of the filter over time: on validation people, with ten answers per second, any time above made
it slower than it made it surer."""
LENGTHS = {"1 s": 50, "2.56 s": 128}
"""Samples at 50 Hz."""

RECIPE = (
    "imu.lowpass=true", "imu.patch=10", "imu.stride=10", "imu.width=64", "imu.depth=3",
    "imu.norm=layer", "imu.dropout=0.2", "windows.stride_s=0.2", f"windows.label_s={LABEL_S}",
    "vision.weights=random", "loss.contrastive=0", "schedule.steps=600", "schedule.batch=96",
    "schedule.learning_rate=2e-3", "schedule.balance=1", "schedule.smoothing=0",
    "schedule.validate_every=600",
)  # fmt: skip
"""What cross-validation over the training people chose. The number of steps is among it: three
people are too few to tell by their loss when to stop. No better, or worse: windows of the phones
as well, mirrored windows, gain and noise, mixup, tokens half as long, 1500 steps, an exponential
average of the weights."""
ENCODERS: dict[str, tuple[str, ...]] = {
    "encoder, sensor frame": ("imu.frame=sensor", "windows.turned=0", "windows.wobble_deg=15"),
    "encoder, both frames": ("imu.frame=both", "windows.turned=0", "windows.wobble_deg=15"),
    "encoder, both frames, half rotated": ("imu.frame=both", "windows.turned=0.5"),
    "encoder, level frame": ("imu.frame=level", "windows.turned=1"),
}


@dataclass(frozen=True, eq=False)
class Asked:
    """All valid windows of a part, whether they have an answer or not, in the order of time."""

    values: np.ndarray
    """`(N, T, 6) float32`."""
    labels: np.ndarray
    """What most of the labelled second was, `(N,)`."""
    scored: np.ndarray
    """Whether that fills `LEAST_SHARE`, `(N,) bool`."""
    sessions: np.ndarray
    """`(N,)`."""


def watches(data: Inertial, seed: int) -> Inertial:
    """Tracks of the watch; of some training people they are the validation part.

    Raises:
        DataError: there are too few people.
    """
    tracks = [track for track in data.tracks if track.device == DEVICE]
    people = sorted({track.subject for track in tracks if track.part == TRAIN})
    if len(people) < 2 * HELD_OUT:
        raise DataError(
            f"{len(people)} people with a {DEVICE} in the train part",
            where=str(data.root),
            expected=f"at least {2 * HELD_OUT}",
        )
    # Of three seeds no two hold out the same person.
    order = np.random.default_rng(0).permutation(people)
    held_out = set(np.roll(order, -seed * HELD_OUT)[:HELD_OUT].tolist())
    parted = [
        replace(track, part=VALIDATION)
        if track.part == TRAIN and track.subject in held_out
        else track
        for track in tracks
    ]
    return replace(data, tracks=tuple(parted))


def asked(tracks: Sequence[Track], window: Resampled, classes: Sequence[str]) -> Asked:
    """Windows at the times at which a node would be asked.

    Raises:
        DataError: there is none with an answer.
    """
    windowing = Windowing(stride_s=ASKED_EVERY_S, label_s=LABEL_S, least_share=0.0)
    found: list[Window] = [w for w in cut(tracks, window, windowing=windowing) if not w.invalid]
    found = [w for w in found if w.label in classes and w.present.all()]
    scored = np.array([w.share >= LEAST_SHARE for w in found], bool)
    if not scored.any():
        raise DataError(
            "no window has an activity that was trained", where=", ".join(t.where for t in tracks)
        )
    return Asked(
        values=np.stack([w.values for w in found]),
        labels=np.array([classes.index(w.label) for w in found]),
        scored=scored,
        sessions=np.array([w.session for w in found]),
    )


def predictors(
    examples: AlignExamples, data: str, length: str, shared: AlignSettings, runs: Path
) -> Iterator[tuple[str, Predict, dict[str, Any]]]:
    """Fit every peer and every encoder: name, what it predicts, and facts of the run."""
    seed = shared.schedule.seed
    chosen = examples.indices(TRAIN, labelled=True)
    windows, labels = examples.windows[chosen], examples.labels[chosen]
    facts = {
        "windows": len(chosen),
        "left_out": {why: n for why, n in examples.left_out.items() if n},
    }
    for name, peer in PEERS.items():
        rate_hz = shared.imu.rate_hz
        yield name, fit_peer(peer, windows, labels, len(examples.classes), rate_hz, seed), facts
    for name, framed in ENCODERS.items():
        settings = read_overrides(framed, shared)
        folder = runs / f"{length} {name} {seed}".replace(" ", "_").replace(",", "")
        yield name, *_encoder(examples, data, folder, settings, facts)


def _encoder(
    examples: AlignExamples,
    data: str,
    folder: Path,
    settings: AlignSettings,
    facts: Mapping[str, Any],
) -> tuple[Predict, dict[str, Any]]:
    run = align(examples, [data], folder, settings)
    temperature = run.record["temperature"]
    told = {name: run.record[name] for name in ("steps", "best_step", "temperature")}

    def predict(windows: np.ndarray) -> np.ndarray:
        made: np.ndarray = softmax(classify(run.model, windows) / temperature, axis=1)
        return made

    return predict, {**facts, **told}


def scores(predict: Predict, part: Asked, order: Order, seed: int) -> dict[str, dict[str, float]]:
    """As worn and with every window's sensor turned at random, with and without a filter."""
    made = {}
    turned = remount(part.values, np.random.default_rng(seed), 1.0, 0.0)
    for name, values in {"as worn": part.values, "rotated": turned}.items():
        said = predict(values)
        over_time = filtered(said, part.sessions, order)
        for key, answers in {name: said, f"{name}, filtered": over_time}.items():
            known, true = answers[part.scored], part.labels[part.scored]
            made[key] = {
                **score(known, true).plain(),
                "macro_f1": float(f1_score(true, known.argmax(1), average="macro")),
            }
    return made


def order_of(tracks: Sequence[Track], classes: Sequence[str]) -> Order:
    """How activities follow one another in what is trained on, for the filter over time."""
    return Order(counted_rates(tracks, classes), EVIDENCE_S)


def filtered(probabilities: np.ndarray, sessions: np.ndarray, order: Order) -> np.ndarray:
    """What is known of each time from its past, as `core.smoothing` filters it in a node.

    Args:
        probabilities: `(N, C)` in the order of time, `ASKED_EVERY_S` between them.
        sessions: `(N,)`; the filter begins anew with each.
        order: How activities follow one another.
    """
    made = np.array(probabilities, np.float64)
    for k in range(1, len(made)):
        if sessions[k] == sessions[k - 1]:
            made[k] = follow(made[k - 1], made[k], ASKED_EVERY_S, order)
    return made


def run_people(
    data: Inertial,
    out: Path,
    seeds: int,
    parts: Sequence[str] = (VALIDATION, TEST),
    overrides: Sequence[str] = (),
    lengths: Sequence[str] = tuple(LENGTHS),
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Score everything: method, window length, and facts and scores of one seed, as they come.

    Args:
        data: From `read_tracks`.
        out: Folder of the runs; a finished one is read back.
        seeds: Runs of each, which also hold out other people.
        parts: What is scored.
        overrides: Of `AlignSettings`, for all encoders.
        lengths: Of windows, some of `LENGTHS`.

    Raises:
        SettingsError: there is no such length, or a setting is wrong.
        DataError: there are too few people.
    """
    for length in lengths:
        if length not in LENGTHS:
            raise SettingsError(
                f"got '{length}'", where="--length", expected="one of " + ", ".join(LENGTHS)
            )
    for length in lengths:
        for seed in range(seeds):
            own = (f"imu.samples={LENGTHS[length]}", f"schedule.seed={seed}")
            settings = read_overrides([*RECIPE, *overrides, *own])
            parted = watches(data, seed)
            examples = prepare([parted], settings, out / "cache")
            classes, window = examples.classes, settings.imu.window
            of = {part: asked(parted.part(part), window, classes) for part in parts}
            order = order_of(parted.part(TRAIN), classes)
            fitted = predictors(examples, data.root.name, length, settings, out / "runs")
            for name, predict, facts in fitted:
                found = {part: scores(predict, of[part], order, seed) for part in parts}
                yield name, length, {"seed": seed, **facts, **found}
