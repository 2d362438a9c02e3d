"""What an alignment learns: activities by cross-entropy, and the frozen vision by InfoNCE."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from torch import Tensor

from xmodal_ros.data.inertial.augment import remount
from xmodal_ros.data.visual_tactile.example import TRAIN, VALIDATION
from xmodal_ros.nn.losses.infonce import symmetric_info_nce
from xmodal_ros.train.align.encoder import Aligned
from xmodal_ros.train.align.examples import AlignExamples
from xmodal_ros.train.align.settings import AlignSettings
from xmodal_ros.train.learning import class_weights


class AlignTask:
    """Supervised cross-entropy and symmetric InfoNCE, as `learning.learn` takes them.

    Windows without an image count in the first alone, windows without a label in the second alone.
    In a batch, windows of one session with the same label show the same thing, so as pairs they
    are neither positive nor negative: they are not compared. Windows of other sessions are
    compared whatever their label, as in the paper.
    """

    def __init__(self, model: Aligned, examples: AlignExamples, settings: AlignSettings) -> None:
        self._model, self._examples, self._settings = model, examples, settings
        self.names = examples.names
        self.train = usable(examples, TRAIN, settings)
        self._validation = usable(examples, VALIDATION, settings)
        self._vision = examples.vision_embeddings(model.vision)
        labels = examples.labels[examples.indices(TRAIN)]
        self._weights = class_weights(labels, len(examples.classes), settings.schedule.balance)

    def loss(self, chosen: np.ndarray, fabric: Fabric) -> Tensor:
        """Of a batch, its sensors turned at random."""
        rng = np.random.default_rng(int(torch.randint(2**31, ())))
        options = self._settings.windows
        windows = self._examples.windows[chosen]
        windows = remount(windows, rng, options.turned, options.wobble_deg)
        smoothing = self._settings.schedule.smoothing
        return sum_of(self._terms(windows, chosen, fabric, smoothing), self._settings)

    def validate(self) -> dict[str, float]:
        """Loss, its terms, and accuracy, in batches that are always the same."""
        fabric = Fabric(accelerator="auto", devices=1)
        order = np.random.default_rng(0).permutation(self._validation)
        count = max(1, len(order) // self._settings.schedule.batch)
        found: dict[str, list[float]] = {}
        with torch.inference_mode():
            for chosen in np.array_split(order, count):
                terms = self._terms(self._examples.windows[chosen], chosen, fabric, 0.0)
                total = sum_of(terms, self._settings)
                for name, value in {**terms, "loss": total}.items():
                    found.setdefault(f"validation_{name}", []).append(value.item())
        return {name: float(np.mean(values)) for name, values in found.items()}

    def _terms(
        self, windows: np.ndarray, chosen: np.ndarray, fabric: Fabric, smoothing: float
    ) -> dict[str, Tensor]:
        """The terms that have a weight and something to compute them from."""
        logits, embeddings = self._model(fabric.to_device(torch.from_numpy(windows)))
        labels = fabric.to_device(torch.from_numpy(self._examples.labels[chosen]))
        terms = {}
        if self._settings.loss.supervised and (labels >= 0).any():
            weights = fabric.to_device(self._weights)
            terms["supervised"] = F.cross_entropy(
                logits, labels, weights, ignore_index=-1, label_smoothing=smoothing
            )
        seen = np.flatnonzero(self._examples.frames[chosen] >= 0)
        if self._settings.loss.contrastive and len(seen) > 1:
            vision = fabric.to_device(self._vision[chosen[seen]])
            ignored = fabric.to_device(torch.from_numpy(alike(self._examples, chosen[seen])))
            terms["contrastive"] = symmetric_info_nce(
                embeddings[fabric.to_device(torch.from_numpy(seen))],
                vision,
                self._model.temperature,
                ignored,
            )
        return terms


def usable(examples: AlignExamples, part: str, settings: AlignSettings) -> np.ndarray:
    """Windows of a part that the loss can use `(N,) int64`."""
    chosen = [np.zeros(0, np.int64)]
    if settings.loss.supervised:
        chosen.append(examples.indices(part, labelled=True))
    if settings.loss.contrastive:
        chosen.append(examples.indices(part, seen=True))
    return np.unique(np.concatenate(chosen))


def sum_of(terms: dict[str, Tensor], settings: AlignSettings) -> Tensor:
    """The terms by their weights."""
    return torch.stack([getattr(settings.loss, n) * term for n, term in terms.items()]).sum()


def alike(examples: AlignExamples, chosen: np.ndarray) -> np.ndarray:
    """Pairs of windows of one session with the same label `(n, n) bool`."""
    sessions, labels = examples.sessions[chosen], examples.labels[chosen]
    return (sessions[:, None] == sessions) & (labels[:, None] == labels)
