"""Colour normalization inside the network: from 8-bit RGB to what a backbone expects."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_FIXED = {
    # Input of EfficientNet-Lite: (rgb - 127) / 128.
    "centred": ((127.0, 127.0, 127.0), (128.0, 128.0, 128.0)),
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "clip": ((122.771, 116.746, 104.094), (68.501, 66.632, 70.323)),
}
# These use the image's own statistics: no reference is needed, and a sensor's lighting, which
# differs between sessions, does not reach the encoder.
NORMALIZATIONS = (*_FIXED, "colour", "highpass", "relative")

_BLUR = (
    0.18  # of the image's width: wider than a marker of a printed gel, narrower than its lighting
)
_SHRINK = 4  # before blurring, which then costs a sixteenth
_FLOOR = 4.0  # grey levels; below it an image is flat and its noise is not to be blown up
_DARK = 8.0  # grey levels added to local brightness, for the same reason


def normalize(images: Tensor, kind: str) -> Tensor:
    """Normalize images.

    Args:
        images: Shape: (batch, height, width, 3), uint8 RGB.
        kind: `centred`, `imagenet` and `clip` subtract and divide constants; `colour` makes each
            channel zero mean and unit variance; `highpass` first subtracts a blurred image;
            `relative` is the image divided by a blurred one, minus 1.

    Returns:
        Shape: (batch, 3, height, width), float.
    """
    x = images.permute(0, 3, 1, 2).float()
    if kind in _FIXED:
        # Plain numbers, channel by channel: a CUDA graph cannot capture a tensor made here.
        channels = zip(*_FIXED[kind], strict=True)
        return torch.stack([(x[:, i] - m) / s for i, (m, s) in enumerate(channels)], dim=1)
    if kind == "relative":
        return x / (_blur(x) + _DARK) - 1
    x = x - (x.mean((2, 3), keepdim=True) if kind == "colour" else _blur(x))
    deviation = x.square().mean((2, 3), keepdim=True).sqrt()
    return x / torch.clamp(deviation, min=_FLOOR)


def _blur(x: Tensor) -> Tensor:
    """Two box filters on a smaller image: close to a Gaussian of 0.4 times their width.

    Rows and columns are filtered by matrices, which takes OpenVINO a quarter of the time.
    """
    height, width = x.shape[2:]
    size = 2 * int(_BLUR * width / _SHRINK / 2) + 1
    # Half precision would lose what is left after the blurred image is subtracted.
    with torch.autocast(x.device.type, enabled=False):
        row_filter, enlarge_rows = _filters(height, size, x.device)
        column_filter, enlarge_columns = _filters(width, size, x.device)
        small = row_filter @ x @ column_filter.T  # (B, 3, H, W) -> (B, 3, H / 4, W / 4)
        return enlarge_rows @ small @ enlarge_columns.T


def _filters(length: int, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Matrices that shrink and blur an axis, and that enlarge it again.

    Shapes: (length / 4, length) and (length, length / 4).
    """
    short = length // _SHRINK
    unit = torch.eye(length, device=device)[:, None]
    small = F.adaptive_avg_pool1d(unit, short)
    for _ in range(2):
        small = F.avg_pool1d(small, size, 1, size // 2, count_include_pad=False)
    unit = torch.eye(short, device=device)[:, None]
    large = F.interpolate(unit, length, mode="linear", align_corners=False)
    return small[:, 0].T, large[:, 0].T
