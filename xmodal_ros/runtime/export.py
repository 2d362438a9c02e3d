"""Export check: every backend and precision against torch fp32, recorded in the bundle."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from time import perf_counter

import numpy as np
import yaml

from xmodal_ros.core.probabilities import softmax
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import Observation
from xmodal_ros.runtime.backends.selection import BACKENDS, computes, missing_packages
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.manifest import MANIFEST, BackendRecord
from xmodal_ros.runtime.predictor import Array, Predictor
from xmodal_ros.runtime.save import write_manifest

# Largest difference of a probability, of a head or a point, from torch fp32 with which a backend
# may be chosen by `auto`.
TOLERANCE = {"fp32": 1e-4, "bf16": 1e-2, "fp16": 1e-2}


def measure_backends(
    bundle: Bundle, observations: Sequence[Observation], *, threads: int = 0
) -> tuple[BackendRecord, ...]:
    """Compare the installed CPU backends on real observations, nothing kept between them.

    Args:
        bundle: The model.
        observations: Examples in which the streams of every head occur.
        threads: CPU threads, 0 for each backend's own choice.

    Returns:
        One record per backend and precision; torch fp32 comes first.
    """
    records: list[BackendRecord] = []
    reference: list[Array] = []
    for name, entry in BACKENDS.items():
        for precision in entry.precisions["cpu"]:
            if missing_packages(name) or not computes(precision):
                continue
            settings = InferenceSettings(
                backend=name, device="cpu", precision=precision, threads=threads
            )
            with Predictor(bundle, settings) as predictor:
                predictor.warm_up()
                answers, milliseconds = _run(predictor, observations)
            reference = reference or answers
            pairs = zip(answers, reference, strict=True)
            difference = max(float(np.abs(found - known).max()) for found, known in pairs)
            p10, median, p90 = np.percentile(milliseconds, [10, 50, 90])
            records.append(
                BackendRecord(
                    backend=name,
                    device="cpu",
                    precision=precision,
                    difference=difference,
                    passed=difference <= TOLERANCE[precision],
                    milliseconds=round(float(median), 3),
                    milliseconds_p10=round(float(p10), 3),
                    milliseconds_p90=round(float(p90), 3),
                )
            )
    return tuple(records)


def record_backends(bundle: Bundle, records: Sequence[BackendRecord]) -> Bundle:
    """Write records into bundle.yaml, in place of earlier ones, and load the bundle again."""
    path = bundle.path / MANIFEST
    manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
    manifest["backends"] = [dataclasses.asdict(r) for r in records]
    write_manifest(bundle.path, manifest)
    return Bundle.load(bundle.path)


def _run(
    predictor: Predictor, observations: Sequence[Observation]
) -> tuple[list[Array], list[float]]:
    """All probabilities of each observation, and how long its prediction took."""
    answers, milliseconds = [], []
    for observation in observations:
        predictor.clear()
        start = perf_counter()
        prediction = predictor.predict(observation)
        milliseconds.append(1e3 * (perf_counter() - start))
        parts = [prediction.heads[head].probabilities for head in sorted(prediction.heads)]
        parts += [
            softmax(np.moveaxis(predictor.encoded[stream][2], 1, -1) / card.temperature).ravel()
            for stream, card in predictor.labelled.items()
            if stream in predictor.encoded
        ]
        answers.append(np.concatenate(parts))
    return answers, milliseconds
