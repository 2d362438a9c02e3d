"""Heads beside a joint space: one network that answers from any subset of the senses.

The encoders and the joint space's projections stay as they are; what conditions tokens on
embeddings (CEC, arXiv 2506.20757) and classifies learns from what the encoders made of moments.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.data.visual_tactile.example import TRAIN, VALIDATION
from xmodal_ros.nn.architecture import Trunk
from xmodal_ros.nn.network import Network, build_network
from xmodal_ros.train.examples import Inputs
from xmodal_ros.train.joint.captions import ACTIVITY
from xmodal_ros.train.joint.encoders import Encoders
from xmodal_ros.train.joint.model import EMBEDDING
from xmodal_ros.train.joint.moments import Moments
from xmodal_ros.train.joint.run import JointRun
from xmodal_ros.train.learning import shown
from xmodal_ros.train.pretrain.files import load_tensors, save_tensors, save_text
from xmodal_ros.train.schedule import LearningSettings
from xmodal_ros.train.touch.calibrate import Calibration, calibrate
from xmodal_ros.train.touch.fit import fit
from xmodal_ros.train.touch.run import require_same
from xmodal_ros.train.touch.score import answers, scores
from xmodal_ros.train.touch.settings import HEADS

WEIGHTS, RECORD, CHECKPOINT = "weights.safetensors", "answers.json", "checkpoint.ckpt"


@dataclass(frozen=True)
class ScheduleSettings(LearningSettings):
    """How long and how fast."""

    steps: int = setting(800, "most optimizer steps", low=1, high=10_000_000)
    subsets: float = setting(
        0.75,
        "share of the moments that show only some modalities: one, two or more, equally often",
        low=0.0,
        high=1.0,
    )

    def __post_init__(self) -> None:
        validate(self, "schedule")


@dataclass(frozen=True)
class AnswerSettings:
    """All of it; `trunk.dim` is the space's."""

    trunk: Trunk = field(default_factory=lambda: Trunk(dim=128, dropout=0.3, embedding=EMBEDDING))
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    kept_accuracy: float = 0.9
    """Of the validation's answers of a head that does not abstain; 0: none abstains."""


class MomentExamples:
    """Moments as stage 2 reads examples: labels, parts, and features of frozen encoders.

    Args:
        moments: All.
        streams: That are read; all if empty.
    """

    def __init__(self, moments: Moments, streams: Sequence[str] = ()) -> None:
        self._moments = moments
        self.names = moments.names.tolist()
        self.streams = tuple(streams) or tuple(moments.present)
        self.present = {stream: moments.present[stream] for stream in self.streams}
        train = moments.parts == TRAIN
        told = {h: moments.facts[h] for h in (*HEADS, ACTIVITY) if h in moments.facts}
        self.heads = {
            head: tuple(sorted(set(facts[train].tolist()) - {""})) for head, facts in told.items()
        }
        """Names of the classes by head."""
        self.labels = {head: _places(told[head], names) for head, names in self.heads.items()}
        """By head `(N,) int64`, -1 where nothing is known."""

    def indices(self, part: str) -> np.ndarray:
        """Of the moments of a part `(M,) int64`.

        Those of which any stream is there, after the beginning of their recording.
        """
        seen = np.any(list(self.present.values()), axis=0) & self._moments.begun()
        return np.flatnonzero((self._moments.parts == part) & seen)

    def batch(self, chosen: np.ndarray) -> Inputs:
        """By stream tokens (batch, [steps,] tokens, width) and pooled features."""
        return {
            stream: (
                torch.from_numpy(self._moments.tokens[stream][chosen].astype(np.float32)),
                torch.from_numpy(self._moments.pooled[stream][chosen]),
            )
            for stream in self.streams
        }


@dataclass(frozen=True)
class AnswerRun:
    """A finished run."""

    network: Network
    """With the weights of the best validation, in evaluation mode, on the CPU."""
    architecture: dict[str, Any]
    """The mapping that it is built from."""
    labels: dict[str, tuple[str, ...]]
    """Names of the classes by head."""
    calibration: Calibration
    record: dict[str, Any]
    """What answers.json holds."""

    @property
    def temperatures(self) -> dict[str, float]:
        """By head."""
        return self.calibration.temperatures


def train_answers(
    space: JointRun,
    encoders: Encoders,
    examples: MomentExamples,
    out: Path,
    settings: AnswerSettings,
    *,
    console: Console | None = None,
) -> AnswerRun:
    """Train heads for all that is known of moments; calibrate them on the validation part.

    The test part is not looked at. A finished run in `out` is read back, an interrupted one
    continues.

    Args:
        space: Whose projections embed.
        encoders: What made the moments' features.
        examples: Moments, of some streams or all.
        out: Folder of the run.
        settings: How.
        console: Where to show progress.

    Raises:
        DataError: the loss is not finite; disk full.
        SettingsError: another run is in `out`.
    """
    torch.manual_seed(settings.schedule.seed)
    plain = architecture(space, encoders, examples, settings)
    network = build(plain, space, encoders)
    record: dict[str, Any] = json.loads(
        json.dumps(
            {
                "settings": dataclasses.asdict(settings),
                "architecture": plain,
                "space": space.record,
                "labels": examples.heads,
                "moments": {p: len(examples.indices(p)) for p in (TRAIN, VALIDATION)},
            }
        )
    )
    if (out / RECORD).exists():
        found = json.loads((out / RECORD).read_text(encoding="utf-8"))
        require_same(out, found, record)
        network.load_state_dict(load_tensors(out / WEIGHTS)[0])
        return _finished(network, plain, found)
    out.mkdir(parents=True, exist_ok=True)

    def hidden(present: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return subsets(present, network.architecture.streams, settings.schedule.subsets)

    with shown(console or Console(quiet=True), settings.schedule.steps, out.name) as listener:
        progress = fit(
            network, examples, settings.schedule, out / CHECKPOINT, listener, hide=hidden
        )
    chosen = examples.indices(VALIDATION)
    logits = answers(network, examples, chosen)
    labels = {head: known[chosen] for head, known in examples.labels.items()}
    fitted = calibrate(logits, labels, settings.kept_accuracy)
    record |= {
        "steps": progress.step,
        "best_step": progress.best_step,
        "history": progress.history,
        **fitted.plain(),
        "validation": scores(logits, labels, fitted.temperatures),
    }
    save_tensors(out / WEIGHTS, network.state_dict(), {})
    save_text(out / RECORD, json.dumps(record, indent=1, sort_keys=True) + "\n")
    (out / CHECKPOINT).unlink(missing_ok=True)
    return _finished(network, plain, record)


def architecture(
    space: JointRun, encoders: Encoders, examples: MomentExamples, settings: AnswerSettings
) -> dict[str, Any]:
    """The mapping that `nn.build_network` takes: each head reads all streams of the examples."""
    streams = {stream: encoders.streams[stream] for stream in examples.streams}
    trunk = dataclasses.replace(settings.trunk, dim=space.settings.space.dim, embedding=EMBEDDING)
    return {
        **dataclasses.asdict(trunk),
        "branches": {
            name: dict(encoders.branches[name]) for name in dict.fromkeys(streams.values())
        },
        "streams": streams,
        "heads": {
            head: {"classes": len(names), "streams": list(streams)}
            for head, names in examples.heads.items()
        },
    }


def build(plain: Mapping[str, Any], space: JointRun, encoders: Encoders) -> Network:
    """The network with the encoders' weights and the space's projections, which stay."""
    network = build_network(plain)
    for name, branch in network.branches.items():
        branch.contrastive.encoder.load_state_dict(encoders.modules[name].state_dict())
        branch.contrastive.embed.load_state_dict(space.model.embed[name].state_dict())
    return network


def subsets(
    present: Mapping[str, Tensor], branches: Mapping[str, str], share: float
) -> dict[str, Tensor]:
    """Hide modalities at random; a moment keeps all that it has rather than lose all.

    Args:
        present: By stream, 1 where it is there. Shape: (batch,), float.
        branches: By stream; streams of one branch, such as two gels, are hidden together.
        share: Of the moments of which only so many modalities are shown as a fair die says, from
            one to all.
    """
    names = list(dict.fromkeys(branches[stream] for stream in present))
    size = len(next(iter(present.values())))
    shown = torch.randint(1, len(names) + 1, (size, 1))
    place = torch.rand(size, len(names)).argsort(1).argsort(1)  # (B, M)
    kept = (place < shown) | (torch.rand(size, 1) >= share)
    stack = torch.stack(list(present.values()))  # (S, B)
    of = torch.tensor([names.index(branches[stream]) for stream in present])
    left = stack * kept.float().T[of].to(stack.device)
    left = torch.where(left.any(0), left, stack)
    return dict(zip(present, left, strict=True))


def _places(facts: np.ndarray, names: Sequence[str]) -> np.ndarray:
    place = {name: k for k, name in enumerate(names)}
    return np.array([place.get(fact, -1) for fact in facts.tolist()], np.int64)


def _finished(network: Network, plain: dict[str, Any], record: dict[str, Any]) -> AnswerRun:
    labels = {head: tuple(names) for head, names in record["labels"].items()}
    fitted = Calibration(*(record[f.name] for f in dataclasses.fields(Calibration)))
    return AnswerRun(network.eval(), plain, labels, fitted, record)
