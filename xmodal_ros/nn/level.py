"""IMU windows in a frame that does not turn with the sensor, so that mounting does not matter."""

from __future__ import annotations

import torch
from torch import Tensor

DOWNWARDS = 1e-5
"""Below this, 1 + cos of the angle to the vertical is that of a sensor upside down."""


def level(windows: Tensor, rate_hz: float) -> Tensor:
    """Turn the vectors of each window into one frame with z upwards.

    The angular rate is integrated over the window, which says how the sensor turned in it. In a
    frame that does not turn, the mean specific force of a second or more is mostly gravity: that
    is upwards. A sensor that is mounted otherwise gives the same but for one turn about z, which
    nothing in the window tells; training with random rotations makes a network ignore it.

    Args:
        windows: Specific force, then angular rate in rad/s. Shape: (batch, samples, 6).
        rate_hz: Of the samples.

    Returns:
        The same shape.
    """
    force, rate = windows[..., :3, None], windows[..., 3:, None]  # (B, S, 3, 1)
    turns = rotations((rate[:, 1:, :, 0] + rate[:, :-1, :, 0]) / (2 * rate_hz))
    poses = _chained(torch.cat([torch.eye(3).to(turns).expand_as(turns[:, :1]), turns], dim=1))
    up = torch.nn.functional.normalize((poses @ force).mean(dim=(1, 3)), dim=-1)
    poses = _upwards(up)[:, None] @ poses
    return torch.cat([poses @ force, poses @ rate], dim=2).squeeze(3)


def rotations(vectors: Tensor) -> Tensor:
    """Rotation matrices of rotation vectors (Rodrigues): shape (..., 3) -> (..., 3, 3)."""
    angle = (vectors.square().sum(dim=-1) + 1e-20).sqrt()[..., None, None]
    cross = _cross(vectors)
    half = torch.sin(angle / 2) / angle
    return (
        torch.eye(3).to(vectors) + torch.sin(angle) / angle * cross + 2 * half**2 * (cross @ cross)
    )


def _cross(v: Tensor) -> Tensor:
    """Matrices of the cross product with vectors: shape (..., 3) -> (..., 3, 3)."""
    x, y, z = v.unbind(dim=-1)
    zero = torch.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def _chained(turns: Tensor) -> Tensor:
    """Products of all matrices up to each one, in log2 of their number steps.

    Shape: (batch, samples, 3, 3) -> the same.
    """
    reach = 1
    while reach < turns.shape[1]:
        turns = torch.cat([turns[:, :reach], turns[:, :-reach] @ turns[:, reach:]], dim=1)
        reach *= 2
    return turns


def _upwards(up: Tensor) -> Tensor:
    """The smallest rotation that turns unit vectors to z: shape (batch, 3) -> (batch, 3, 3)."""
    cross = _cross(torch.stack([up[:, 1], -up[:, 0], torch.zeros_like(up[:, 0])], dim=-1))
    flat, z = up[:, :2].square().sum(dim=1), up[:, 2]
    # 1 + z, which rounding would spoil where the sensor is almost upside down.
    scale = torch.where(z < 0, flat / (1 - z), 1 + z)[:, None, None]
    eye = torch.eye(3).to(up)
    smallest = eye + cross + cross @ cross / scale.clamp(min=DOWNWARDS)
    over = torch.tensor([1.0, -1.0, -1.0]).to(up).diag()  # half a turn about x
    return torch.where(scale < DOWNWARDS, over, smallest)
