"""IMU encoder: a transformer over strided-convolution tokens of a window (arXiv 2308.16493)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xmodal_ros.nn.architecture import ImuSettings
from xmodal_ros.nn.block import NORMS, Block
from xmodal_ros.nn.level import level


class ImuEncoder(nn.Module):
    """BatchNorm, strided convolution, class token and learned positions, transformer blocks.

    The BatchNorm holds mean and deviation of each channel over the training windows.
    """

    def __init__(self, settings: ImuSettings) -> None:
        super().__init__()
        self.settings = settings
        width = settings.width
        channels = settings.channels * (2 if settings.frame == "both" else 1)
        count = (settings.samples - settings.patch) // settings.stride + 1
        self.norm = nn.BatchNorm1d(channels)
        # A Conv1d written as gather and Linear: oneDNN's bf16 convolution with a kernel and stride
        # of 16, which PyTorch and OpenVINO share, is wrong on CPUs with AMX (relative error 1).
        steps = settings.stride * torch.arange(count)[:, None] + torch.arange(settings.patch)
        self.register_buffer("steps", steps, persistent=False)
        self.patches = nn.Linear(settings.patch * channels, width)
        self.cls = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, count + 1, width))
        self.blocks = nn.Sequential(
            *(
                Block(width, settings.heads, settings.norm, dropout=settings.dropout)
                for _ in range(settings.depth)
            )
        )
        self.last_norm = NORMS[settings.norm](width)
        self.token_width = self.pooled_width = width

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Encode windows.

        Args:
            windows: Shape: (batch, samples, channels), oldest first; six are m/s², then rad/s.

        Returns:
            Tokens, shape: (batch, tokens, width), and the class token, shape: (batch, width).
        """
        x = self.norm(self._framed(windows).transpose(1, 2)).transpose(1, 2)
        x = self.patches(x[:, self.steps].flatten(2))  # (B, S, C) -> (B, N, patch * C) -> width
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], dim=1) + self.positions
        x = self.last_norm(self.blocks(x))
        return x[:, 1:], x[:, 0]

    def _framed(self, windows: Tensor) -> Tensor:
        if self.settings.frame == "sensor":
            return windows
        turned = level(windows, self.settings.rate_hz)
        return turned if self.settings.frame == "level" else torch.cat([windows, turned], dim=2)
