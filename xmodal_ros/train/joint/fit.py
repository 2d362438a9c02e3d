"""How a joint space learns: batches of instances, alignment, and the fusion's objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor

from xmodal_ros.data.visual_tactile.example import TRAIN, VALIDATION
from xmodal_ros.nn.losses.several_positives import several_info_nce, sigmoid_pairs
from xmodal_ros.train.joint.captions import Captions
from xmodal_ros.train.joint.model import TEXT, JointSpace
from xmodal_ros.train.joint.moments import Moments
from xmodal_ros.train.joint.pairs import Views, relations
from xmodal_ros.train.joint.settings import JointSettings

VALIDATED = 256
"""Instances per batch of the validation."""


@dataclass(frozen=True)
class Drawn:
    """A batch: embeddings of all views, and what they are of."""

    embeddings: Tensor
    """Unit length. Shape: (V, dim)."""
    views: Views
    true: Tensor
    """See `pairs.relations`."""


class JointTask:
    """Instances and their moments, for `learning.learn`.

    Args:
        model: Learns.
        moments: All.
        captions: Of them.
        texts: What the text encoder made of the captions `(captions, width) float32`.
        modalities: By stream, a name; views of one modality do not count as two.
        settings: How.
    """

    def __init__(
        self,
        model: JointSpace,
        moments: Moments,
        captions: Captions,
        texts: np.ndarray,
        modalities: Mapping[str, str],
        settings: JointSettings,
    ) -> None:
        self._model, self._moments, self._captions = model, moments, captions
        self._texts, self._settings = torch.from_numpy(texts), settings
        self._streams = (*moments.present, TEXT)
        names = [*dict.fromkeys(modalities.values()), TEXT]
        of = {**modalities, TEXT: TEXT}
        self._modality = [names.index(of[stream]) for stream in self._streams]
        self._newest = {s: torch.from_numpy(moments.newest(s)) for s in moments.present}
        train = moments.parts == TRAIN
        self._noise = {
            s: settings.space.noise * x[torch.from_numpy(train & moments.present[s])].std(0)
            for s, x in self._newest.items()
        }
        sensed = np.stack([moments.sensed_ns[s] for s in moments.present], axis=1)
        numbers = np.unique(moments.recordings, return_inverse=True)[1].astype(np.int64)
        # Stamps of two recordings may be the same, the data is not.
        self._data = np.stack(
            [np.unique(np.stack([numbers, column]), axis=1, return_inverse=True)[1].reshape(-1)
             for column in sensed.T], axis=1
        )  # fmt: skip
        firsts = np.unique(moments.instances, return_index=True)[1]
        self.names = moments.names[firsts].tolist()
        self._rows = np.split(np.arange(len(moments)), firsts[1:])
        parts = moments.parts[firsts]
        self.train = np.flatnonzero(parts == TRAIN)
        self._validation = np.flatnonzero(parts == VALIDATION)

    def loss(self, chosen: np.ndarray, fabric: Fabric) -> Tensor:
        """Of a batch of instances."""
        settings = self._settings
        seed = int(torch.randint(2**31, ()))
        drawn = self._draw(chosen, np.random.default_rng(seed), fabric, noisy=True)
        aligned = self._alignment(drawn)
        self._model.step += 1
        if not settings.fusion.weight:
            return aligned
        return self._balanced(aligned, self._fused(drawn), drawn)

    def validate(self) -> dict[str, float]:
        """The alignment alone, in batches that are always the same."""
        fabric = Fabric(accelerator="auto", devices=1)
        order = np.random.default_rng(0).permutation(self._validation)
        found = []
        with torch.inference_mode():
            for some in np.array_split(order, max(1, len(order) // VALIDATED)):
                drawn = self._draw(some, np.random.default_rng(0), fabric, noisy=False)
                found.append(self._alignment(drawn).item())
        return {"validation_loss": float(np.mean(found))}

    def _draw(
        self, chosen: np.ndarray, rng: np.random.Generator, fabric: Fabric, *, noisy: bool
    ) -> Drawn:
        """Moments of each instance, all that was sensed then, and a caption that is true."""
        count = self._settings.schedule.views
        rows = np.concatenate([
            rng.choice(self._rows[k], count, replace=len(self._rows[k]) < count) for k in chosen
        ])  # fmt: skip
        instances = np.repeat(np.arange(len(chosen)), count)
        places, kept, parts = [], [], []
        for k, stream in enumerate(self._moments.present):
            there = np.flatnonzero(self._moments.present[stream][rows])
            pooled = self._newest[stream][torch.from_numpy(rows[there])]
            if noisy:
                pooled = pooled + self._noise[stream] * torch.randn_like(pooled)
            parts.append(self._embedded(stream, pooled, fabric))
            places.append(there)
            kept.append((k, self._data[rows[there], k], np.full(len(there), -1)))
        said = [self._caption(row, rng) for row in rows]
        there = np.flatnonzero(np.array(said) >= 0)
        captions = np.array(said, np.int64)[there]
        parts.append(self._embedded(TEXT, self._texts[torch.from_numpy(captions)], fabric))
        places.append(there)
        kept.append((len(self._streams) - 1, captions, captions))
        moment = np.concatenate(places)
        streams = np.concatenate([np.full(len(c), k) for k, _, c in kept])
        views = Views(
            moments=_tensor(moment, fabric),
            instances=_tensor(instances[moment], fabric),
            modalities=_tensor(np.array(self._modality)[streams], fabric),
            streams=_tensor(streams, fabric),
            data=_tensor(np.concatenate([data for _, data, _ in kept]), fabric),
            captions=_tensor(np.concatenate([c for _, _, c in kept]), fabric),
        )
        first = [self._rows[k][0] for k in chosen]
        true = fabric.to_device(torch.from_numpy(self._captions.true[:, first]))
        return Drawn(torch.cat(parts), views, true)

    def _embedded(self, stream: str, pooled: Tensor, fabric: Fabric) -> Tensor:
        if not len(pooled):
            return fabric.to_device(torch.zeros(0, self._settings.space.dim))
        return self._model.view(stream, fabric.to_device(pooled))

    def _caption(self, row: int, rng: np.random.Generator) -> int:
        """One that is true of a moment, -1 if none is."""
        fitting = np.flatnonzero(self._captions.true[:, row])
        return int(rng.choice(fitting)) if len(fitting) else -1

    def _alignment(self, drawn: Drawn) -> Tensor:
        """InfoNCE and the sigmoid loss by their weights."""
        settings, views = self._settings.loss, drawn.views
        positives, candidates = relations(views, drawn.true, settings.positives)
        similar = drawn.embeddings @ drawn.embeddings.T
        total = similar.new_zeros(())
        if settings.infonce:
            scores = similar / self._model.temperature
            groups = [torch.ones_like(views.modalities, dtype=torch.bool)]
            if settings.candidates == "pair":
                groups = [views.modalities == m for m in views.modalities.unique()]
            terms = [several_info_nce(scores, positives & g, candidates & g) for g in groups]
            total = total + settings.infonce * torch.stack(terms).mean()
        if settings.sigmoid:
            scaled = similar * self._model.sigmoid_scale.exp() + self._model.sigmoid_bias
            total = total + settings.sigmoid * sigmoid_pairs(scaled, positives, candidates)
        return total

    def _fused(self, drawn: Drawn) -> Tensor:
        """Fused views find the views that were not given to them, and each other.

        Each is made of some of the modalities of a moment. What it has to find is what the others
        sensed, and what all sensed at the instance's other moments.
        """
        views = drawn.views
        moments = int(views.moments.max()) + 1
        slots = len(self._streams)
        dim = drawn.embeddings.shape[1]
        grid = drawn.embeddings.new_zeros(moments, slots, dim)
        grid[views.moments, views.streams] = drawn.embeddings
        present = grid.new_zeros(moments, slots)
        present[views.moments, views.streams] = 1.0
        given = self._given(present)
        fused = self._model.fusion(grid, given)
        instances = torch.zeros(moments, dtype=torch.long, device=grid.device)
        instances[views.moments] = views.instances
        seen = given[views.moments, views.streams] > 0  # (V,)
        own = torch.arange(moments, device=grid.device)
        used = (own[:, None] == views.moments) & seen
        same = instances[:, None] == views.instances
        others = (instances[:, None] == instances) & (own[:, None] != own)
        positives = torch.cat([others, same & ~used], dim=1)
        said = views.captions.clamp(min=0)
        fits = (drawn.true[said][:, instances].T) & (views.captions >= 0)
        apart = instances[:, None] != instances
        candidates = torch.cat([apart, ~same & ~fits], dim=1)
        keys = torch.cat([fused, drawn.embeddings])
        return several_info_nce(fused @ keys.T / self._model.temperature, positives, candidates)

    def _given(self, present: Tensor) -> Tensor:
        """What of each moment a fused view is made of, by whole modalities; at least one."""
        of = torch.tensor(self._modality, device=present.device)
        kept = torch.rand(len(present), int(of.max()) + 1, device=present.device)
        given = present * (kept >= self._settings.fusion.dropout).float()[:, of]
        return torch.where(given.any(1, keepdim=True), given, present)

    def _balanced(self, aligned: Tensor, fused: Tensor, drawn: Drawn) -> Tensor:
        settings, model = self._settings.fusion, self._model
        if settings.balance == "uncertainty":
            first, second = model.uncertainty
            weighed = settings.weight * fused
            return (-first).exp() * aligned + (-second).exp() * weighed + (first + second) / 2
        weight: float | Tensor = settings.weight
        if settings.balance == "ramp":
            weight = settings.weight * min(
                1.0, 2 * int(model.step) / self._settings.schedule.steps
            )
        elif settings.balance == "gradients":
            of = drawn.embeddings
            norms = [
                torch.autograd.grad(x, of, retain_graph=True)[0].norm() for x in (aligned, fused)
            ]
            weight = settings.weight * (norms[0] / norms[1].clamp(min=1e-12)).detach()
        return aligned + weight * fused


def _tensor(values: np.ndarray, fabric: Fabric) -> Tensor:
    made: Tensor = fabric.to_device(torch.from_numpy(np.ascontiguousarray(values, np.int64)))
    return made
