"""Chunks give the gradients of one big batch, computed the plain way.

In float64: a fresh network's embeddings are nearly alike, and BatchNorm divides the rounding of
float32 by how little they differ.
"""

from __future__ import annotations

import pytest
import torch

from xmodal_ros.nn.losses.pairs import pair_ntxent
from xmodal_ros.train.pretrain.batches import Batches
from xmodal_ros.train.pretrain.gradients import compute_gradients
from xmodal_ros.train.pretrain.model import PairEncoder
from xmodal_ros.train.pretrain.run import make_fabric

TOLERANCE = 1e-9
COLOUR = "encoder.tactile_normalization=colour"  # `relative` has constants in float32


@pytest.fixture(autouse=True)
def float64(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)


def plain(model, batch, schedule):
    """Loss and gradients by autograd through everything at once."""
    projected = {}
    for name, images in batch.images.items():
        flat = model.embed(name, images.flatten(0, 1))
        projected[name] = model.project(name, flat.unflatten(0, images.shape[:2]))
    loss = pair_ntxent(
        projected["camera"], projected["tactile"], schedule.weights, schedule.temperature
    )
    loss.total.backward()
    return loss.total, gradients_of(model)


def gradients_of(model):
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def step(pairs, settings):
    """By `compute_gradients` and the plain way."""
    torch.manual_seed(0)
    model = PairEncoder(settings.encoder).double().train()
    batch = next(Batches(pairs, settings).after(0))
    fabric = make_fabric(settings.schedule)
    loss = compute_gradients(model, batch, settings.schedule, fabric, 0).loss.total
    found = gradients_of(model)
    model.zero_grad()
    return loss, found, *plain(model, batch, settings.schedule)


def close(found, expected):
    assert found.keys() == expected.keys()
    scale = max(gradient.abs().max() for gradient in expected.values())
    assert scale > 0.001
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name] / scale, gradient / scale, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("chunk", [0, 3, 5, 16])
@pytest.mark.parametrize(
    "changes",
    [
        (),
        ("encoder.sharing=separate",),
        ("encoder.backbone=test_efficientnet",),
        ("schedule.camera=0", "schedule.tactile=0"),
    ],
)
def test_chunks_give_the_gradients_of_one_big_batch(pairs, make_settings, chunk, changes):
    settings = make_settings(COLOUR, f"schedule.chunk={chunk}", *changes)
    loss, found, expected_loss, expected = step(pairs, settings)
    torch.testing.assert_close(loss, expected_loss, rtol=0, atol=TOLERANCE)
    close(found, expected)


def test_a_chunk_needs_the_memory_of_a_chunk(pairs, make_settings, monkeypatch):
    """What autograd keeps of the encoders at any one time is that of one chunk."""
    kept = []
    original = PairEncoder.embed

    def embed(self, modality, images):
        kept.append((torch.is_grad_enabled(), len(images)))
        return original(self, modality, images)

    monkeypatch.setattr(PairEncoder, "embed", embed)
    settings = make_settings(COLOUR, "schedule.chunk=4")
    batch = next(Batches(pairs, settings).after(0))
    model = PairEncoder(settings.encoder).double()
    compute_gradients(model, batch, settings.schedule, make_fabric(settings.schedule), 0)
    assert kept == [(False, 4)] * 8 + [(True, 4)] * 8


def test_dropout_of_a_backbone_is_the_same_in_both_passes(pairs, make_settings, monkeypatch):
    """Encoded twice, a chunk must drop the same: otherwise its gradients are another batch's."""
    settings = make_settings(COLOUR, "schedule.chunk=4")
    torch.manual_seed(0)
    model = PairEncoder(settings.encoder).double().train()
    for name in ("camera", "tactile"):
        model.encoders[name].encoder.backbone.pos_drop = torch.nn.Dropout(0.5)
    outputs: list[torch.Tensor] = []
    original = PairEncoder.embed

    def embed(self, modality, images):
        outputs.append(original(self, modality, images))
        return outputs[-1]

    monkeypatch.setattr(PairEncoder, "embed", embed)
    batch = next(Batches(pairs, settings).after(0))
    compute_gradients(model, batch, settings.schedule, make_fabric(settings.schedule), 7)
    for first, second in zip(outputs[:8], outputs[8:], strict=True):
        torch.testing.assert_close(first, second.detach())
