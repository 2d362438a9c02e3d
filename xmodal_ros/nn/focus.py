"""Where a head looks: the attention of its CEC, and Grad-CAM for any fusion, as maps of places.

Both work on an inference stage in evaluation mode, and leave it as it was. A token is a place of
an image; after temporal attention a token of a gel's clip is a place at a step, and knows the
other steps at that place, so a clip has one map for each step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from xmodal_ros.nn.architecture import Architecture, ImageSettings
from xmodal_ros.nn.branch import Branch
from xmodal_ros.nn.image import ImageEncoder
from xmodal_ros.nn.network import FuseStage

Maps = dict[str, Tensor]


def attention(stage: FuseStage, present: Tensor, *encoded: Tensor) -> Maps:
    """Weights that CEC gives to the tokens of each stream, averaged over its heads.

    Args:
        stage: Of a head for which `attends` holds.
        present: As `FuseStage.forward`. Shape: (batch, streams), float.
        encoded: As `FuseStage.forward`: tokens after the adapter, and embedding, of each stream.

    Returns:
        By stream, shape: (batch, queries, [steps,] rows, columns). There is a query for each
        stream, its embedding. The maps of one query sum to 1 over all streams.
    """
    assert stage.head.cec is not None
    module, seen = stage.head.cec.attention, []

    def note(_: Any, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs)

    hook = module.register_forward_pre_hook(note)
    try:
        with torch.no_grad():
            stage(present, *encoded)
            ((queries, keys, bias),) = seen
            weights = module.weights(queries, keys, bias).mean(1)  # (B, h, Q, K) -> (B, Q, K)
    finally:
        hook.remove()
    tokens = encoded[::2]
    parts = weights.split([x.shape[1:-1].numel() for x in tokens], dim=2)
    maps = {}
    for stream, branch, part, x in zip(stage.streams, stage.names, parts, tokens, strict=True):
        # Temporal attention leaves the tokens place by place, and the steps of a place in a row.
        steps = x.shape[1:-2]  # of a clip, else empty
        rows, columns = _grid(stage.branches[branch], x.shape[-2])
        places = part.unflatten(2, (rows, columns, *steps))
        maps[stream] = places.movedim(-1, 2) if steps else places
    return maps


def of_all_queries(maps: Maps, present: Tensor) -> Maps:
    """Mean over the queries that the head reads, those of present streams.

    Shape: (batch, queries, [steps,] rows, columns) -> (batch, [steps,] rows, columns). All maps of
    an example together sum to 1.
    """
    share = present / present.sum(1, keepdim=True).clamp(min=1)
    return {name: torch.einsum("bq,bq...->b...", share, x) for name, x in maps.items()}


def grad_cam(
    stage: FuseStage, present: Tensor, *features: Tensor, classes: Tensor | None = None
) -> Maps:
    """Grad-CAM (Selvaraju et al., arXiv 1610.02391, equations 1 and 2) on the encoder's tokens.

    A channel weighs as much as the class's logit depends on it in the mean over places; a map is
    the weighted sum of the channels, without its negative part. Each step of a clip is a map of
    its own, as the frozen encoder sees it alone.

    Args:
        stage: Of any head.
        present: Shape: (batch, streams), float.
        features: Tokens before the adapter, and embedding, of each stream in turn; not made in
            `torch.inference_mode`, which rules out gradients.
        classes: To explain, shape: (batch,); the predicted ones if None.

    Returns:
        By stream, shape: (batch, [steps,] rows, columns), not normalized.
    """
    tokens = [x.detach().clone().requires_grad_() for x in features[::2]]
    with torch.enable_grad():
        encoded: list[Tensor] = []
        for name, x, embedding in zip(stage.names, tokens, features[1::2], strict=True):
            encoded += [stage.branches[name].adapt(x), embedding]
        logits, _ = stage(present, *encoded)
        chosen = logits.argmax(1) if classes is None else classes
        total = logits.gather(1, chosen[:, None]).sum()
        gradients = torch.autograd.grad(total, tokens)
    maps = {}
    for stream, branch, x, slope in zip(
        stage.streams, stage.names, tokens, gradients, strict=True
    ):
        weight = slope.mean(-2, keepdim=True)  # (B, [T,] N, C) -> (B, [T,] 1, C)
        places = _grid(stage.branches[branch], x.shape[-2])
        maps[stream] = (weight * x.detach()).sum(-1).relu().unflatten(-1, places)
    return maps


def attends(architecture: Architecture) -> bool:
    """Whether heads weigh tokens: CEC over patch tokens does."""
    trunk = architecture.trunk
    return trunk.fusion == "cec" and trunk.tokens == "patch"


def image_streams(architecture: Architecture) -> dict[str, tuple[str, ...]]:
    """By head, its streams of images of which it sees more than one place."""
    found = {}
    for head, settings in architecture.heads.items():
        branches = {stream: architecture.branch(stream) for stream in settings.streams}
        streams = [
            stream
            for stream, branch in branches.items()
            if isinstance(branch, ImageSettings) and (branch.rows, branch.columns) != (1, 1)
        ]
        if streams:
            found[head] = tuple(streams)
    return found


def _grid(branch: Branch, tokens: int) -> tuple[int, int]:
    """Rows and columns that tokens are from; those of an IMU window are one row."""
    encoder = branch.contrastive.encoder
    return encoder.grid if isinstance(encoder, ImageEncoder) else (1, tokens)
