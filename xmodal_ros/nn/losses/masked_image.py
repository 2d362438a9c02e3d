"""Masked image modelling, as CMCR has it (arXiv 2412.08973): half of the patches are black."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_patches(
    batch: int,
    size: tuple[int, int],
    patch: int = 16,
    probability: float = 0.5,
    share: float = 0.5,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Which pixels are hidden.

    Args:
        batch: Images.
        size: Their height and width; patches at the right and lower edge may be cut.
        patch: Height and width of a patch in px.
        probability: With which an image has hidden patches at all.
        share: Of its patches that are hidden, rounded down.
        generator: On the CPU.

    Returns:
        True where hidden. Shape: (batch, height, width), bool.
    """
    rows, columns = (-(-length // patch) for length in size)
    order = torch.rand(batch, rows * columns, generator=generator).argsort(1).argsort(1)
    hidden = order < int(share * rows * columns)
    hidden &= torch.rand(batch, 1, generator=generator) < probability
    hidden = hidden.view(batch, rows, columns)
    hidden = hidden.repeat_interleave(patch, dim=1).repeat_interleave(patch, dim=2)
    return hidden[:, : size[0], : size[1]]


def hide(images: Tensor, hidden: Tensor) -> Tensor:
    """Images that are black where hidden. Shapes: (batch, H, W, 3), (batch, H, W) bool."""
    return images.masked_fill(hidden[:, :, :, None], 0)


def reconstruction(
    decoded: Tensor, images: Tensor, hidden: Tensor, seen_weight: float = 1.0
) -> Tensor:
    """Mean squared error of the pixels, the hidden ones of weight 1.

    Args:
        decoded: What the decoder made of the image with hidden patches; 0 is black, 1 is white.
            Shape: (batch, 3, H, W).
        images: The whole ones. Shape: (batch, H, W, 3), uint8.
        hidden: True where hidden. Shape: (batch, H, W), bool.
        seen_weight: Of pixels that are not; 1 in CMCR's released code, 0 in masked autoencoders
            (arXiv 2111.06377).

    Returns:
        Weighted mean; 0 where no pixel has a weight.
    """
    errors = (decoded - images.permute(0, 3, 1, 2).to(decoded.dtype) / 255).square().mean(1)
    weights = torch.where(hidden, 1.0, seen_weight).to(errors.dtype)  # (B, H, W)
    return (errors * weights).sum() / weights.sum().clamp(min=1)
