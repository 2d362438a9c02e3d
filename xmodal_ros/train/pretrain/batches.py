"""Batches of random views, made by threads while the encoders work on the batch before.

Which pairs a step sees, and how they are augmented, follows from the seed, the step and a pair's
place in the batch alone. So a run that continues after a stop, and a run on several processes,
see what an uninterrupted run on one process sees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.train.pretrain.pairs import MODALITIES, PairSource, check_pair
from xmodal_ros.train.pretrain.settings import PretrainSettings
from xmodal_ros.train.pretrain.views import View, camera_view, tactile_view

Views = tuple[list[np.ndarray], list[np.ndarray], str]


@dataclass(frozen=True)
class Batch:
    """One process's part of a batch."""

    images: Mapping[str, Tensor]
    """By modality: (views, pairs, height, width, 3) uint8."""
    names: tuple[str, ...]
    """Of the pairs."""


class Batches:
    """All batches of a run; an epoch's last pairs that fill no batch wait for another epoch.

    Args:
        pairs: Where they come from.
        settings: Of the run.
        rank: Which process this is, from 0.
        processes: How many share a batch.

    Raises:
        SettingsError: a batch has more pairs than there are, or cannot be shared evenly.
    """

    def __init__(
        self, pairs: PairSource, settings: PretrainSettings, rank: int = 0, processes: int = 1
    ) -> None:
        schedule = settings.schedule
        if schedule.batch > len(pairs):
            raise SettingsError(
                f"got {schedule.batch}",
                where="schedule.batch",
                expected=f"at most the number of pairs, {len(pairs)}",
            )
        if schedule.batch % processes:
            raise SettingsError(
                f"got {schedule.batch}",
                where="schedule.batch",
                expected=f"a multiple of the {processes} processes",
            )
        self.pairs, self.settings = pairs, settings
        share = schedule.batch // processes
        self._places = range(rank * share, (rank + 1) * share)
        size = (settings.encoder.height, settings.encoder.width)
        self._views: tuple[View, View] = (
            camera_view(settings.camera, *size),
            tactile_view(settings.tactile, *size),
        )

    def chosen(self, step: int) -> np.ndarray:
        """Indices of the pairs of a whole batch `(batch,) int64`; an epoch draws each once."""
        schedule, count = self.settings.schedule, len(self.pairs)
        epoch, turn = divmod(step, count // schedule.batch)
        order = np.random.default_rng((schedule.seed, epoch)).permutation(count)
        return order[turn * schedule.batch : (turn + 1) * schedule.batch]

    def after(self, step: int) -> Iterator[Batch]:
        """Batches of the steps from `step` on.

        Raises:
            DataError: a pair cannot be read, or is no pair of colour images.
        """
        pool = ThreadPoolExecutor(self.settings.schedule.threads)
        try:
            ahead = self._begin(pool, step)
            for coming in range(step + 1, self.settings.schedule.steps + 1):
                begun, ahead = ahead, self._begin(pool, coming)
                yield _stacked([future.result() for future in begun])
        finally:
            pool.shutdown(cancel_futures=True)

    def _begin(self, pool: ThreadPoolExecutor, step: int) -> list[Future[Views]]:
        if step == self.settings.schedule.steps:
            return []
        chosen = self.chosen(step)
        return [pool.submit(self._views_of, int(chosen[p]), step, p) for p in self._places]

    def _views_of(self, index: int, step: int, place: int) -> Views:
        pair, schedule = self.pairs[index], self.settings.schedule
        check_pair(pair)
        rng = np.random.default_rng((schedule.seed, step, place))
        made = range(schedule.views)
        camera, tactile = (
            [view(image, rng) for _ in made]
            for view, image in zip(self._views, (pair.camera, pair.tactile), strict=True)
        )
        return camera, tactile, pair.name


def _stacked(pairs: list[Views]) -> Batch:
    images = {
        modality: torch.from_numpy(np.stack([np.stack(pair[i]) for pair in pairs], axis=1))
        for i, modality in enumerate(MODALITIES)
    }
    return Batch(images, tuple(name for _, _, name in pairs))
