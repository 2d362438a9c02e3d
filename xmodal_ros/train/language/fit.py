"""The stages of the miniature: it learns to speak of images, then an IMU learns to be read.

1. `look`: reader and the camera's projections learn to tell what is true of an image, by linear
   probes of what the language model will read. In about half of the steps only the embedding is
   read.
2. `speak`: the decoder learns to answer questions from what the reader gives of images, of one or
   of two, of which the second tells what is being done; and in some steps from nothing: an answer
   without senses is what is usual. From then on all of the vision-language model is frozen.
3. `align`: the IMU encoder learns to give the embedding of the image of the same moment (symmetric
   InfoNCE, temperature learned from 0.07) and to tell activities (arXiv 2308.16493). The frozen
   model can now be asked about an IMU that it never saw.
4. `adapt`: as a second step, a small adapter of the IMU's tokens, and a linear map of each
   stream's latents for when both are read, learn from the frozen model's answers.
5. `classify`: a head beside it all answers the activity without words, as a measure to compare
   with, and since a bundle is for nodes, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xmodal_ros.data.visual_tactile.example import TRAIN
from xmodal_ros.nn.losses.infonce import symmetric_info_nce
from xmodal_ros.train.language.miniature import (
    Miniature,
    centre,
    encode,
    feel,
    frozen,
    learning,
    see,
)
from xmodal_ros.train.language.moments import ACTIVITY, CAMERA, IMU, Moments
from xmodal_ros.train.language.questions import (
    DOING,
    KINDS,
    Asked,
    ask,
    classes_of,
    materials_of,
)
from xmodal_ros.train.language.settings import ScheduleSettings

EMBEDDING_ALONE, BLIND = 0.45, 0.1
"""Shares of the steps of `speak` in which tokens, or both, are not read."""
SECOND, AGREES = 0.6, 0.5
"""Share of the other steps in which a second image is read, and of those in which it is chosen for
the first one's activity."""
NOISE = 1.0
"""Most noise on what the decoder learns to read, as a share of its deviation: what it reads later,
of an IMU or of both, is not quite what it has learned from."""
BESIDE_CAMERA = 2 / 3
"""Share of the steps of `adapt` in which the camera is read, too."""
TEMPERATURE = 0.07
LEAST_TEMPERATURE = 0.01
"""CLIP's clamp of the logit scale at 100."""
CLIP_NORM = 1.0
Listener = Callable[[str, int, float], None]
"""Told of stage, step and loss."""


def look(
    mini: Miniature, moments: Moments, schedule: ScheduleSettings, listener: Listener
) -> None:
    """Stage 1; afterwards everything in it is frozen."""
    branch = mini.network.branch(CAMERA)
    modules = (branch.contrastive.embed, branch.adapter, mini.reader, mini.probes)
    centre(
        cast(nn.Linear, branch.contrastive.embed), moments.features.pooled[moments.indices(TRAIN)]
    )
    drawn = _Drawn(moments, schedule, stage=1)

    def loss() -> Tensor:
        chosen = drawn.rows(schedule.look_batch)
        encoded = see(mini.network, moments, chosen)
        shown = float(drawn.rng.random() >= EMBEDDING_ALONE)
        masks = {CAMERA: torch.full(encoded[0].shape[:2], shown)}
        return mini.probe_loss(mini.reader({CAMERA: encoded}, masks), drawn.truth(chosen))

    _learn("look", learning(*modules), loss, schedule.look_steps, schedule.learning_rate, listener)
    frozen(*modules)


def speak(
    mini: Miniature, moments: Moments, schedule: ScheduleSettings, listener: Listener
) -> None:
    """Stage 2; only the decoder learns, and is frozen afterwards."""
    drawn = _Drawn(moments, schedule, stage=2)
    model = mini.language.model

    def loss() -> Tensor:
        luck, two = drawn.rng.random(), drawn.rng.random() < SECOND
        chosen, second, asked = drawn.questions(two and luck >= BLIND)
        if luck < BLIND:
            return mini.loss(torch.zeros(len(chosen), 0, mini.language.hidden), asked)
        with torch.no_grad():
            read = {CAMERA: see(mini.network, moments, chosen)}
            shown = float(luck >= BLIND + EMBEDDING_ALONE)
            masks = {CAMERA: torch.full(read[CAMERA][0].shape[:2], shown)}
            if two:  # in the place of the IMU, which gives an embedding alone at first
                read[IMU] = see(mini.network, moments, second)
                masks[IMU] = torch.zeros(read[IMU][0].shape[:2])
            latents = mini.reader(read, masks, adapted=False)
            blocks = latents.unflatten(1, (len(read), -1))
            noise = NOISE * torch.rand(len(chosen), len(read), 1, 1) * latents.std()
            latents = (blocks + noise * torch.randn_like(blocks)).flatten(1, 2)
        return mini.loss(latents, asked)

    _learn("speak", learning(model), loss, schedule.steps, schedule.learning_rate, listener)
    frozen(model)


def align(
    mini: Miniature, moments: Moments, schedule: ScheduleSettings, listener: Listener
) -> None:
    """Stage 3; images stay as they are."""
    branch, camera = mini.network.branch(IMU), mini.network.branch(CAMERA)
    branch.contrastive.frozen = False
    probe = nn.Linear(mini.reader.project.in_features, len(DOING))
    scale = nn.Parameter(torch.tensor(-math.log(TEMPERATURE)))
    drawn = _Drawn(moments, schedule, stage=3)
    with torch.no_grad():
        targets = camera.contrastive.embed(torch.from_numpy(moments.features.pooled))

    def loss() -> Tensor:
        chosen = drawn.rows(schedule.align_batch)
        target = targets[torch.from_numpy(chosen)]  # the loss brings it to unit length
        _, embedding = branch.features(torch.from_numpy(moments.windows[chosen]))
        temperature = (-scale).exp().clamp(min=LEAST_TEMPERATURE)
        contrast = symmetric_info_nce(embedding, target, temperature, drawn.alike(chosen))
        logits = probe(embedding * embedding.shape[1] ** 0.5)
        return contrast + F.cross_entropy(
            logits, torch.from_numpy(drawn.classes[ACTIVITY][chosen])
        )

    parameters = [*learning(branch.contrastive, probe), scale]
    _learn("align", parameters, loss, schedule.align_steps, schedule.learning_rate, listener)
    branch.contrastive.frozen = True
    frozen(branch.contrastive)


def adapt(
    mini: Miniature, moments: Moments, schedule: ScheduleSettings, listener: Listener
) -> None:
    """Stage 4; only the adapter of the IMU's tokens and `Reader.beside` learn."""
    branch = mini.network.branch(IMU)
    drawn = _Drawn(moments, schedule, stage=4)

    def loss() -> Tensor:
        chosen, _, asked = drawn.questions()
        encoded = {IMU: feel(mini.network, moments, chosen)}
        if drawn.rng.random() < BESIDE_CAMERA:
            with torch.no_grad():
                encoded[CAMERA] = see(mini.network, moments, chosen)
        return mini.loss(mini.reader(encoded), asked)

    parameters = learning(branch.adapter, mini.reader.beside)
    _learn("adapt", parameters, loss, schedule.adapter_steps, schedule.learning_rate, listener)
    frozen(branch.adapter, mini.reader.beside)


def classify(
    mini: Miniature, moments: Moments, schedule: ScheduleSettings, listener: Listener
) -> None:
    """Stage 5; only the head learns, with one of the streams missing in half of the steps."""
    head = mini.network.heads[ACTIVITY]
    drawn = _Drawn(moments, schedule, stage=5)
    rows = moments.indices(TRAIN)
    encoded = encode(mini.network, moments, rows)

    def loss() -> Tensor:
        chosen = drawn.rows(schedule.align_batch)
        places = torch.from_numpy(np.searchsorted(rows, chosen))
        some = {s: (tokens[places], each[places]) for s, (tokens, each) in encoded.items()}
        present = torch.ones(len(chosen), 2)
        if (luck := drawn.rng.random()) < 0.5:
            present[:, int(luck < 0.25)] = 0
        logits, _ = head([some[CAMERA], some[IMU]], present)
        return F.cross_entropy(logits, torch.from_numpy(drawn.classes[ACTIVITY][chosen]))

    parameters = learning(head)
    _learn("classify", parameters, loss, schedule.head_steps, schedule.learning_rate, listener)
    frozen(head)


class _Drawn:
    """Training moments and questions about them; activities by the root of their frequency."""

    def __init__(self, moments: Moments, schedule: ScheduleSettings, stage: int) -> None:
        self.rng = np.random.default_rng((schedule.seed, stage))
        torch.manual_seed(schedule.seed * 10 + stage)
        self._moments, self._batch = moments, schedule.batch
        self._train = moments.indices(TRAIN)
        self._materials = materials_of(moments)
        names = classes_of(self._materials)
        self.classes = {
            head: np.array([known.index(value) for value in moments.facts[head]])
            for head, known in names.items()
        }
        """By head, the class of every moment `(N,) int64`."""
        activities = self.classes[ACTIVITY][self._train]
        weights = np.bincount(activities)[activities] ** -0.5
        self._weights = weights / weights.sum()

    def rows(self, count: int) -> np.ndarray:
        """So many moments."""
        return self.rng.choice(self._train, count, p=self._weights)

    def truth(self, chosen: np.ndarray) -> dict[str, Tensor]:
        """Classes of the chosen moments by head `(M,) int64`."""
        return {head: torch.from_numpy(values[chosen]) for head, values in self.classes.items()}

    def alike(self, chosen: np.ndarray) -> Tensor:
        """Pairs of one recording and activity, which are no negatives `(M, M) bool`."""
        groups, activities = self._moments.groups[chosen], self.classes[ACTIVITY][chosen]
        same = (groups[:, None] == groups) & (activities[:, None] == activities)
        return torch.from_numpy(same)

    def questions(self, two: bool = False) -> tuple[np.ndarray, np.ndarray, list[Asked]]:
        """A batch of moments, with a question of any kind about each.

        Args:
            two: Whether each has a second moment, which tells what is being done, while the first
                tells all else; else the second is the first.
        """
        chosen, others, asked = [], [], []
        for row, kind in self._pairs():
            other = self._second(row) if two else row
            facts = {head: str(values[row]) for head, values in self._moments.facts.items()}
            facts[ACTIVITY] = str(self._moments.facts[ACTIVITY][other])
            one = ask(kind, facts, self.rng, self._materials, any_wording=True)
            if one is not None:
                chosen.append(row)
                others.append(other)
                asked.append(one)
        return np.array(chosen), np.array(others), asked

    def _second(self, row: int) -> int:
        """Another moment, as often as `AGREES` of the same activity."""
        if self.rng.random() >= AGREES:
            return int(self.rows(1)[0])
        activities = self.classes[ACTIVITY]
        alike = self._train[activities[self._train] == activities[row]]
        return int(self.rng.choice(alike))

    def _pairs(self) -> Iterator[tuple[int, str]]:
        kinds = self.rng.choice(list(KINDS), self._batch)
        return zip(self.rows(self._batch).tolist(), kinds.tolist(), strict=True)


def _learn(
    stage: str,
    parameters: Sequence[nn.Parameter],
    loss: Callable[[], Tensor],
    steps: int,
    rate: float,
    listener: Listener,
) -> None:
    optimizer = torch.optim.AdamW(parameters, rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps + 1, pct_start=0.1
    )
    for step in range(1, steps + 1):
        value = loss()
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP_NORM)
        optimizer.step()
        schedule.step()
        listener(stage, step, value.item())
