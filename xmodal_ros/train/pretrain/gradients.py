"""Gradients of one large batch, from chunks that fit in memory and from several processes.

Gradient caching (GradCache, arXiv 2101.06983): all images are encoded without keeping what a
backward pass needs; the loss of the whole batch gives the gradient of each embedding; then the
images are encoded again, chunk by chunk, and each chunk passes its embeddings' gradients on.

Several processes share that loss: each gathers all embeddings, computes the whole loss on them,
which costs little beside the encoders, and goes on with the gradients of its own embeddings. The
sum over processes is the gradient of one process with the whole batch, the projection heads'
BatchNorm included, without synchronized BatchNorm.

With MViTac only the first view is a query, and has gradients; the momentum copies encode the
second one, whose embeddings are gathered in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from lightning.fabric import Fabric
from torch import Tensor

from xmodal_ros.nn.losses.mvitac import mvitac
from xmodal_ros.nn.losses.pairs import PairLoss, pair_ntxent
from xmodal_ros.train.pretrain.batches import Batch
from xmodal_ros.train.pretrain.model import PairEncoder
from xmodal_ros.train.pretrain.momentum import MomentumPairEncoder, project_both
from xmodal_ros.train.pretrain.pairs import CAMERA, MODALITIES, TACTILE
from xmodal_ros.train.pretrain.settings import ScheduleSettings


@dataclass(frozen=True)
class Computed:
    """What a batch gave, over all processes."""

    loss: PairLoss
    projected: Mapping[str, Tensor]
    """By modality (views, batch, projection)."""


def compute_gradients(
    model: PairEncoder, batch: Batch, schedule: ScheduleSettings, fabric: Fabric, seed: int
) -> Computed:
    """Set the gradients of the model's parameters.

    Where the loss is not finite, no gradient is computed.

    Args:
        model: In training mode; its gradients are empty.
        batch: This process's part.
        schedule: Chunk, temperature and weights of the loss.
        fabric: Of the run.
        seed: Of a backbone's own dropout, so that a chunk encoded twice gives the same.
    """
    momentum = isinstance(model, MomentumPairEncoder)
    images = {name: views[:1] if momentum else views for name, views in batch.images.items()}
    pieces = _pieces(images, schedule.chunk)
    cached = len(pieces) > len(MODALITIES)
    with torch.set_grad_enabled(not cached):
        outputs = [_encode(model, piece, fabric, seed + i) for i, piece in enumerate(pieces)]
    leaves = {
        name: _gathered(name, pieces, outputs, len(images[name]), fabric).requires_grad_()
        for name in MODALITIES
    }
    if isinstance(model, MomentumPairEncoder):
        keys = _keys(model, batch, schedule.chunk, fabric, seed)
        loss, projected = _mvitac(model, leaves, keys, schedule)
    else:
        projected = {name: model.project(name, leaf) for name, leaf in leaves.items()}
        loss = pair_ntxent(
            projected[CAMERA], projected[TACTILE], schedule.weights, schedule.temperature
        )
    if not torch.isfinite(loss.total):
        return Computed(loss, projected)
    loss.total.backward()
    own = {name: _own(leaf, fabric) for name, leaf in leaves.items()}
    gradients = [
        gradient
        for name in MODALITIES
        for gradient in _chunks(own[name].flatten(0, 1), schedule.chunk)
    ]
    for i, (piece, gradient) in enumerate(zip(pieces, gradients, strict=True)):
        output = _encode(model, piece, fabric, seed + i) if cached else outputs[i]
        output.backward(gradient)
    if fabric.world_size > 1:
        _sum_gradients(model, fabric)
    return Computed(loss, projected)


Piece = tuple[str, Tensor]
"""Modality, and images (chunk, height, width, 3)."""


def _pieces(images: Mapping[str, Tensor], chunk: int) -> list[Piece]:
    """Chunks of a batch, modality by modality, view by view; still on the CPU."""
    return [
        (name, some) for name in MODALITIES for some in _chunks(images[name].flatten(0, 1), chunk)
    ]


def _chunks(x: Tensor, chunk: int) -> tuple[Tensor, ...]:
    return x.split(chunk or len(x))


def _encode(model: PairEncoder, piece: Piece, fabric: Fabric, seed: int) -> Tensor:
    modality, images = piece
    torch.manual_seed(seed)
    with fabric.autocast():
        return model.embed(modality, fabric.to_device(images)).float()


def _gathered(
    modality: str, pieces: list[Piece], outputs: list[Tensor], views: int, fabric: Fabric
) -> Tensor:
    """Embeddings of the whole batch, cut off from the encoders: (views, batch, dim)."""
    own = torch.cat([o for o, (name, _) in zip(outputs, pieces, strict=True) if name == modality])
    own = own.detach().unflatten(0, (views, -1))  # (V * B, d) -> (V, B, d)
    if fabric.world_size > 1:
        everyone = [torch.empty_like(own) for _ in range(fabric.world_size)]
        torch.distributed.all_gather(everyone, own)
        own = torch.cat(everyone, dim=1)  # (V, B, d) -> (V, processes * B, d)
    return own


def _keys(
    model: MomentumPairEncoder, batch: Batch, chunk: int, fabric: Fabric, seed: int
) -> dict[str, Tensor]:
    """The second views of the whole batch by the momentum copies: (1, batch, dim)."""
    pieces = _pieces({name: views[1:] for name, views in batch.images.items()}, chunk)
    with torch.no_grad():
        outputs = [_encode(model.keys, piece, fabric, seed + i) for i, piece in enumerate(pieces)]
    return {name: _gathered(name, pieces, outputs, 1, fabric) for name in MODALITIES}


def _mvitac(
    model: MomentumPairEncoder,
    leaves: Mapping[str, Tensor],
    keys: Mapping[str, Tensor],
    schedule: ScheduleSettings,
) -> tuple[PairLoss, dict[str, Tensor]]:
    """Loss, and the queries in the space of both modalities."""
    queries = {name: project_both(model, name, leaf) for name, leaf in leaves.items()}
    with torch.no_grad():
        found = {name: project_both(model.keys, name, key) for name, key in keys.items()}
    loss = mvitac(queries, found, schedule.weights, schedule.temperature)
    return loss, {name: query.across[None] for name, query in queries.items()}


def _own(leaf: Tensor, fabric: Fabric) -> Tensor:
    gradient = cast(Tensor, leaf.grad)  # every modality is part of some term
    return gradient.chunk(fabric.world_size, dim=1)[fabric.global_rank]


def _sum_gradients(model: PairEncoder, fabric: Fabric) -> None:
    """Add up the encoders' gradients, average those of the heads: every process has them whole."""
    for parameter in model.projections.parameters():
        if parameter.grad is not None:
            parameter.grad /= fabric.world_size
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    torch.distributed.all_reduce(flat)
    parts = flat.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
