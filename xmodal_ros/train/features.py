"""Features of a frozen encoder, computed once and kept on disk, so that a run takes minutes."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn

from xmodal_ros.nn.image import ImageEncoder
from xmodal_ros.runtime.backends import ConversionCache, Target, create
from xmodal_ros.train.pretrain.files import require_room


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
        encode = _on_gpu if torch.cuda.is_available() else _on_cpu
        for t, p in track(encode(encoder, batches()), title, total=count):
            tokens.append(t.astype(np.float16))
            pooled.append(p)
        arrays = {"tokens": np.concatenate(tokens), "pooled": np.concatenate(pooled)}
        require_room(folder, sum(array.nbytes for array in arrays.values()))
        part = path.with_suffix(".part.npz")
        np.savez(part, **arrays)
        part.replace(path)  # an interrupted run leaves no half-written file behind
    with np.load(path) as arrays:
        return Features(arrays["tokens"], arrays["pooled"])


def _on_gpu(
    encoder: ImageEncoder, batches: Iterable[tuple[np.ndarray, ...]]
) -> Iterator[tuple[np.ndarray, ...]]:
    moved = copy.deepcopy(encoder).cuda()
    with torch.inference_mode():
        for batch in batches:
            made = moved(*(torch.from_numpy(x).cuda() for x in batch))
            yield tuple(x.cpu().numpy() for x in made)


def _on_cpu(
    encoder: ImageEncoder, batches: Iterable[tuple[np.ndarray, ...]]
) -> Iterator[tuple[np.ndarray, ...]]:
    """Image by image by OpenVINO, as nodes do it, which takes a third of torch's time."""
    target = Target("cpu", "fp32", torch.get_num_threads())
    key = f"{encoder.settings}\n{weights_hash(encoder)}"
    backend = create("openvino", target, ConversionCache(key))
    stage = None
    for batch in batches:
        images = [tuple(x[k : k + 1] for x in batch) for k in range(len(batch[0]))]
        stage = stage or backend.compile(f"features_{len(batch)}", encoder, images[0])
        found = [result() for result in [stage(*image) for image in images]]
        yield tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def weights_hash(module: nn.Module) -> str:
    """SHA-256 of all parameters and buffers, hexadecimal."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
