"""Which views of a batch mean the same, and which ones nobody can tell apart."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Views:
    """V views: what one modality made of one moment, or a caption."""

    moments: Tensor
    """Row of the batch. Shape: (V,), int."""
    instances: Tensor
    """Shape: (V,), int."""
    modalities: Tensor
    """Shape: (V,), int; two gels are one modality."""
    streams: Tensor
    """Shape: (V,), int."""
    data: Tensor
    """Equal for equal data of one stream, such as a scan that is in two moments. Shape: (V,)."""
    captions: Tensor
    """Number of the caption; -1 for views that are none. Shape: (V,), int."""

    def __getitem__(self, chosen: Tensor) -> Views:
        return Views(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def relations(views: Views, true: Tensor, positives: str) -> tuple[Tensor, Tensor]:
    """What each view is to find, and among what.

    Args:
        views: Of a batch.
        true: Of which instance of the batch a caption is true, by instance as `views.instances`
            has it. Shape: (captions, instances), bool.
        positives: See `LossSettings`.

    Returns:
        Positives and candidates. Shapes: (V, V), bool. Neither has a view itself, nor views that
        might as well be positives: the same data, and captions that are true of both.
    """
    itself = torch.eye(len(views.moments), dtype=torch.bool, device=views.moments.device)
    same_data = _equal(views.streams) & _equal(views.data)
    same_instance = _equal(views.instances)
    text = views.captions >= 0
    said = true[views.captions.clamp(min=0)][:, views.instances] & text[:, None]  # (V, V)
    fits = said | said.T
    if positives == "one":
        found = _equal(views.moments) & ~_equal(views.modalities)
    else:
        found = same_instance | (fits & (text[:, None] != text))
    found &= ~itself
    # Two captions, or a caption and a view it is true of, which are no positives here.
    alike = same_data | same_instance | fits
    return found, ~(alike | found | itself)


def _equal(values: Tensor) -> Tensor:
    return values[:, None] == values
