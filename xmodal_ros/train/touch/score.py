"""A network's answers to examples, with all senses or fewer, and how good they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import softmax
from torch import Tensor

from xmodal_ros.eval.metrics import score
from xmodal_ros.nn.network import Network
from xmodal_ros.train.examples import Inputs, StreamExamples

BATCH = 128


class Answering(Protocol):
    """A run whose network answers."""

    @property
    def network(self) -> Network:
        """In evaluation mode."""
        ...

    @property
    def temperatures(self) -> Mapping[str, float]:
        """By head."""
        ...


def forward(network: Network, inputs: Inputs, present: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Logits by head of images, or of what a frozen encoder has already made of them.

    Args:
        network: In any mode.
        inputs: From `StreamExamples.batch`.
        present: By stream, 1 where it is there, else 0. Shape: (batch,), float.
    """
    return network.forward_features(encoded(network, inputs), present).logits


def encoded(network: Network, inputs: Inputs) -> dict[str, tuple[Tensor, Tensor]]:
    """Tokens and unit-length embeddings by stream, as `Network.forward_features` takes them."""
    features = {}
    for stream, given in inputs.items():
        if isinstance(given, tuple):
            tokens, pooled = given
            embed = network.branch(stream).contrastive.embed
            embedding = embed(pooled.flatten(0, -2)).unflatten(0, pooled.shape[:-1])
            features[stream] = tokens, F.normalize(embedding, dim=-1)
        else:
            features[stream] = network.features(stream, {stream: given})
    return features


def answers(
    network: Network, examples: StreamExamples, chosen: np.ndarray, *, drop: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Logits `(N, C) float32` by head.

    Args:
        network: In evaluation mode; changes to it if it is not.
        examples: Of its streams.
        chosen: Indices.
        drop: Streams to leave out.
    """
    kept = tuple(stream for stream in examples.streams if stream not in drop)
    return answers_from(network, examples, chosen, [kept])[kept]


def answers_from(
    network: Network,
    examples: StreamExamples,
    chosen: np.ndarray,
    subsets: Sequence[tuple[str, ...]],
) -> dict[tuple[str, ...], dict[str, np.ndarray]]:
    """Logits `(N, C) float32` by subset of the streams and head; see `answers`."""
    network.eval()
    device = next(network.parameters()).device
    parts: dict[tuple[str, ...], dict[str, list[np.ndarray]]] = {kept: {} for kept in subsets}
    with torch.inference_mode():
        for start in range(0, len(chosen), BATCH):
            some = chosen[start : start + BATCH]
            refined = network.refine(encoded(network, _moved(examples.batch(some), device)))
            for kept, found in parts.items():
                present = {
                    stream: torch.from_numpy(there[some] & (stream in kept)).float().to(device)
                    for stream, there in examples.present.items()
                }
                for head, logits in network.answer(refined, present).logits.items():
                    found.setdefault(head, []).append(logits.float().cpu().numpy())
    return {
        kept: {head: np.concatenate(logits) for head, logits in found.items()}
        for kept, found in parts.items()
    }


def scores(
    logits: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    temperatures: Mapping[str, float] | None = None,
) -> dict[str, dict[str, float]]:
    """Scores by head, of the examples that have a label.

    Args:
        logits: `(N, C)` by head.
        labels: `(N,)` by head, -1 where there is none.
        temperatures: By head; 1 where not named.
    """
    found = {}
    for head, values in logits.items():
        known = labels[head] >= 0
        if known.any():
            scaled = values[known] / (temperatures or {}).get(head, 1.0)
            found[head] = score(softmax(scaled, axis=1), labels[head][known]).plain()
    return found


def _moved(inputs: Inputs, device: torch.device) -> Inputs:
    moved: dict[str, Tensor | tuple[Tensor, Tensor]] = {}
    for stream, given in inputs.items():
        if isinstance(given, tuple):
            moved[stream] = given[0].to(device), given[1].to(device)
        else:
            moved[stream] = given.to(device)
    return moved
