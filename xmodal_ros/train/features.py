"""Features of a frozen encoder, computed once and kept on disk, so that a run takes minutes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn

from xmodal_ros.nn.image import ImageEncoder


@dataclass(frozen=True)
class Features:
    """What an encoder gave for N images."""

    tokens: np.ndarray
    """`(N, tokens, width) float16`."""
    pooled: np.ndarray
    """`(N, pooled_width) float32`."""

    def __getitem__(self, chosen: np.ndarray) -> tuple[Tensor, Tensor]:
        """Tokens and pooled features of the chosen images, of any shape of indices, as float32."""
        return torch.from_numpy(self.tokens[chosen]).float(), torch.from_numpy(self.pooled[chosen])


def cached(
    folder: Path,
    key: Any,
    encoder: ImageEncoder,
    batches: Callable[[], Iterable[tuple[np.ndarray, ...]]],
    count: int,
    title: str,
) -> Features:
    """Read features from `folder`, or compute and keep them.

    Args:
        folder: Where to keep them.
        key: All that they depend on, as JSON: settings, hash of the split, seed.
        encoder: Frozen; its weights are part of the key.
        batches: Makes an iterator of the encoder's inputs, uint8 arrays (batch, height, width, 3).
        count: How many batches there are, for the progress bar.
        title: Of the progress bar.
    """
    name = hashlib.sha256(
        (json.dumps(key, sort_keys=True) + weights_hash(encoder)).encode()
    ).hexdigest()
    path = folder / f"{name[:16]}.npz"
    if not path.exists():
        tokens, pooled = [], []
        with torch.inference_mode():
            for batch in track(batches(), title, total=count):
                t, p = encoder(*(torch.from_numpy(x) for x in batch))
                tokens.append(t.half().numpy())
                pooled.append(p.numpy())
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, tokens=np.concatenate(tokens), pooled=np.concatenate(pooled))
        part.replace(path)  # an interrupted run leaves no half-written file behind
    with np.load(path) as arrays:
        return Features(arrays["tokens"], arrays["pooled"])


def weights_hash(module: nn.Module) -> str:
    """SHA-256 of all parameters and buffers, hexadecimal."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
