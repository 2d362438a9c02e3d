"""Fusions that CEC is compared with: against numpy, and blind to what is absent."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xmodal_ros.nn.architecture import HeadSettings, Trunk
from xmodal_ros.nn.head import Head
from xmodal_ros.nn.peers import PEERS

DIM, HEADS = 16, 4
COUNTS = (5, 3, 3)


def tokens(seed: int = 1, batch: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, count, DIM, generator=generator) for count in COUNTS]


def make(fusion: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return PEERS[fusion](Trunk(dim=DIM, attention_heads=HEADS), len(COUNTS)).eval()


def array(x: torch.Tensor) -> np.ndarray:
    return x.detach().numpy().astype(np.float64)


def linear(layer: torch.nn.Linear, x: np.ndarray) -> np.ndarray:
    return x @ array(layer.weight).T + array(layer.bias)


def layer_norm(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def gelu(x: np.ndarray) -> np.ndarray:
    return np.array([v / 2 * (1 + torch.erf(torch.tensor(v / 2**0.5)).item()) for v in x])


def mean_of(module, streams: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(streams).mean(0)


def concat_of(module, streams: list[np.ndarray]) -> np.ndarray:
    joined = np.concatenate([x.mean(0) if len(x) else np.zeros(DIM) for x in streams])
    return linear(module.mlp[2], gelu(linear(module.mlp[0], joined)))


def self_attention_of(module, streams: list[np.ndarray]) -> np.ndarray:
    """Token by token, head by head."""
    x, attention = np.concatenate(streams), module.attention
    q, k, v = (linear(layer, x) for layer in (attention.query, attention.key, attention.value))
    size = DIM // HEADS
    mixed = np.zeros_like(x)
    for i in range(len(x)):
        for part in (slice(h * size, (h + 1) * size) for h in range(HEADS)):
            scores = np.array([q[i, part] @ k[j, part] for j in range(len(x))]) / size**0.5
            weights = np.exp(scores) / np.exp(scores).sum()
            mixed[i, part] = sum(w * v[j, part] for j, w in enumerate(weights))
    return (x + linear(attention.out, mixed)).mean(0)


def gate_of(module, streams: list[np.ndarray]) -> np.ndarray:
    pooled = np.zeros((len(streams), DIM))
    for k, x in enumerate(streams):
        if len(x):
            pooled[k] = x.mean(0) / np.linalg.norm(x.mean(0))
    scores = linear(module.weigh[2], gelu(linear(module.weigh[0], pooled.ravel())))
    powers = np.exp(scores) * [len(x) > 0 for x in streams]
    return powers / powers.sum() @ pooled


ORACLES = {
    "mean": mean_of,
    "concat": concat_of,
    "self_attention": self_attention_of,
    "gate": gate_of,
}


@pytest.mark.parametrize("fusion", PEERS)
@pytest.mark.parametrize("absent", [None, 0, 2])
def test_agrees_with_numpy(fusion, absent):
    module, given = make(fusion), tokens()
    present = torch.ones(2, len(COUNTS))
    if absent is not None:
        present[:, absent] = 0
    found = module(given, present)
    assert found.shape == (2, DIM)
    for i in range(2):
        kept = [array(t[i]) if s != absent else np.zeros((0, DIM)) for s, t in enumerate(given)]
        expected = layer_norm(ORACLES[fusion](module, kept))
        np.testing.assert_allclose(array(found[i]), expected, atol=1e-5)


@pytest.mark.parametrize("fusion", PEERS)
def test_what_an_absent_stream_holds_has_no_influence(fusion):
    module, given = make(fusion), tokens()
    present = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    other = [x.clone() for x in given]
    other[1][0] = 1e4
    assert torch.equal(module(given, present), module(other, present))
    other[1][1] = 1e4
    assert not torch.equal(module(given, present)[1], module(other, present)[1])


@pytest.mark.parametrize("fusion", PEERS)
def test_without_any_stream_numbers_are_finite(fusion):
    assert torch.isfinite(make(fusion)(tokens(), torch.zeros(2, len(COUNTS)))).all()


@pytest.mark.parametrize("fusion", ["concat", "self_attention"])
def test_has_about_as_many_weights_as_cec_with_three_streams(fusion):
    settings = HeadSettings(classes=3, streams=("a", "b", "c"))
    counts = [
        sum(p.numel() for p in Head(settings, Trunk(dim=128, fusion=name)).parameters())
        for name in (fusion, "cec")
    ]
    assert counts[0] == pytest.approx(counts[1], rel=0.01)
