"""Geometry-enhanced masked image modelling: points help to fill in what is hidden of an image.

The paper (CMCR, arXiv 2412.08973) names it, and its released code does not show it. Our reading:
the shared features of points, as codes, are put where calibration puts the points, hidden or not,
and enter the decoder beside the image's own; the loss stays `masked_image.reconstruction`. Where a
patch is hidden the image's own are left out: a backbone's receptive field is larger than a patch,
and as long as its features told what was there, both losses stayed equal. What is behind a black
patch is then read from the points, and since codes pass their gradient on, the points learn to
tell.
"""

from __future__ import annotations

import torch
from torch import Tensor

from xmodal_ros.nn.losses.point_pixel import Pairs


def cells_seen(hidden: Tensor, stride: int) -> Tensor:
    """1 for cells of a feature map whose middle is not hidden, else 0.

    Args:
        hidden: Of the images. Shape: (batch, H, W), bool.
        stride: Height and width of a cell in px.

    Returns:
        Shape: (batch, 1, H / stride, W / stride), float.
    """
    middle = stride // 2
    return (~hidden[:, None, middle::stride, middle::stride]).float()


def splat(values: Tensor, pairs: Pairs, maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Mean of the points in each cell of a feature map, zeros where there is none.

    Args:
        values: Of the points of `pairs`. Shape: (P, C).
        pairs: Where; drawn without `hidden`.
        maps: A feature map, for its batch, height and width. Shape: (batch, any, h, w).
        size: Height and width of the images that `pairs.uv` is of.

    Returns:
        Shape: (batch, C, h, w).
    """
    batch, _, height, width = maps.shape
    column = ((pairs.uv[:, 0] + 0.5) * (width / size[1])).long().clamp(0, width - 1)
    row = ((pairs.uv[:, 1] + 0.5) * (height / size[0])).long().clamp(0, height - 1)
    cell = (pairs.example * height + row) * width + column
    sums = values.new_zeros(batch * height * width, values.shape[1]).index_add(0, cell, values)
    counts = torch.bincount(cell, minlength=len(sums)).clamp(min=1)
    means = sums / counts[:, None].to(sums.dtype)
    return means.view(batch, height, width, -1).permute(0, 3, 1, 2)
