"""Moments of data sets that are no recordings: single images and clips, such as of real grasps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.types import Modality
from xmodal_ros.data.visual_tactile import VisualTactile
from xmodal_ros.data.visual_tactile.example import Example
from xmodal_ros.progress import progress_bar
from xmodal_ros.train.joint.encoders import Encoded, Encoders, Runner
from xmodal_ros.train.joint.moments import Moments, keep, spread
from xmodal_ros.train.touch.clips import Images, Size
from xmodal_ros.train.touch.examples import with_validation


def read_stills(
    data: VisualTactile, encoders: Encoders, cache: Path, console: Console | None = None
) -> Moments:
    """Read a data set's labelled examples, each as a moment and an instance of its own.

    Where there is no validation part, some training groups become one.

    Args:
        data: With clips as long as the encoders read.
        encoders: Of its streams and others.
        cache: Folder that keeps images and what was encoded.
        console: Where to show progress.

    Raises:
        DataError: no example has a label and a stream that is read, or one cannot be read.
    """
    examples = [
        e for e in with_validation(data) if e.labels and encoders.inputs.keys() & e.streams.keys()
    ]
    streams = [s for s in encoders.inputs if any(s in e.streams for e in examples)]
    if not streams:
        raise DataError(
            "no labelled example of any stream that is read",
            where=str(data.root),
            expected="some of " + ", ".join(encoders.inputs),
        )
    images = _images(examples, encoders, streams, cache)
    key = [images.key(s) for s in streams] + [encoders.fingerprint(), Encoded._fields]
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    path = cache / f"stills-{digest[:24]}.npz"
    if not path.exists():
        keep(path, _encoded(examples, encoders, streams, images, console))
    with np.load(path) as arrays:
        made = dict(arrays)
    present = {s: np.array([s in e.streams for e in examples]) for s in streams}
    heads = dict.fromkeys(head for e in examples for head in e.labels)
    return Moments(
        names=np.array([e.name for e in examples]),
        groups=np.array([e.group for e in examples]),
        parts=np.array([e.part for e in examples]),
        instances=np.arange(len(examples)),
        facts={head: np.array([e.labels.get(head, "") for e in examples]) for head in heads},
        present=present,
        sensed_ns={s: np.zeros(len(examples), np.int64) for s in streams},
        tokens={s: spread(made[f"tokens/{s}"], present[s]) for s in streams},
        pooled={s: spread(made[f"pooled/{s}"], present[s]) for s in streams},
        looks={s: spread(made[f"look/{s}"], present[s]) for s in streams},
    )


def _images(
    examples: Sequence[Example], encoders: Encoders, streams: Sequence[str], cache: Path
) -> Images:
    inputs = {stream: encoders.inputs[stream] for stream in streams}
    sizes = {
        stream: Size(spec.modality is Modality.TACTILE, spec.frames, spec.height, spec.width)
        for stream, spec in inputs.items()
    }
    spacing_s = max(spec.spacing_s for spec in inputs.values())
    images = Images(examples, sizes, spacing_s, cache)
    if images.problems:
        name, why = next(iter(images.problems.items()))
        raise DataError(why, where=name, do="See `xmodal data check`.")
    return images


def _encoded(
    examples: Sequence[Example],
    encoders: Encoders,
    streams: Sequence[str],
    images: Images,
    console: Console | None,
) -> dict[str, np.ndarray]:
    """By "tokens/stream" and the like, rows of the examples that have the stream."""
    run, made = Runner(encoders), {}
    for stream in streams:
        rows = [k for k, e in enumerate(examples) if stream in e.streams]
        found = []
        with progress_bar(console or Console(quiet=True), stream, len(rows)) as bar:
            for done, row in enumerate(rows, 1):
                found.append(run.images(stream, images[stream][row]))
                bar.update(done, f"{done}/{len(rows)}")
        for name in Encoded._fields:
            made[f"{name}/{stream}"] = np.stack([getattr(x, name) for x in found])
    return made
