"""MViTac: momentum copies against numpy, chunks against one batch, whole runs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from xmodal_ros.nn.losses.mvitac import Projected, mvitac
from xmodal_ros.train.pretrain.batches import Batches
from xmodal_ros.train.pretrain.gradients import compute_gradients
from xmodal_ros.train.pretrain.run import make_fabric, make_model, make_optimizer, pretrain

MVITAC = (
    "schedule.objective=mvitac", "schedule.temperature=0.07", "schedule.momentum=0.9",
    "encoder.tactile_normalization=colour",
)  # fmt: skip


@pytest.fixture
def settings(make_settings):
    return make_settings(*MVITAC)


def made(settings):
    torch.manual_seed(0)
    return make_model(settings).double().train()


@pytest.fixture
def float64(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)


def test_copies_begin_equal_and_follow(settings):
    model = made(settings)
    begun = {name: x.detach().numpy().copy() for name, x in model.keys.named_parameters()}
    learned = dict(model.named_parameters())
    for name, array in begun.items():
        np.testing.assert_array_equal(array, learned[name].detach().numpy())
    moved, rng = {}, np.random.default_rng(0)
    expected = dict(begun)
    for _ in range(3):
        for name in begun:
            moved[name] = rng.normal(size=begun[name].shape)
            learned[name].data.copy_(torch.from_numpy(moved[name]))
            expected[name] = 0.9 * expected[name] + 0.1 * moved[name]
        model.follow()
    for name, parameter in model.keys.named_parameters():
        np.testing.assert_allclose(parameter.detach().numpy(), expected[name], rtol=1e-9)
        np.testing.assert_array_equal(learned[name].detach().numpy(), moved[name])


def test_copies_are_neither_given_gradients_nor_optimized(pairs, settings, float64):
    model = made(settings)
    batch = next(Batches(pairs, settings).after(0))
    compute_gradients(model, batch, settings.schedule, make_fabric(settings.schedule), 0)
    assert all(p.grad is None for p in model.keys.parameters())
    assert all(p.grad is not None for p in model.projections.parameters())
    optimizer = make_optimizer(model, settings.schedule)
    optimized = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert optimized.isdisjoint(id(p) for p in model.keys.parameters())
    assert len(optimized) == len(list(model.keys.parameters()))


def plain(model, batch, schedule):
    """Loss and gradients by autograd through everything at once."""
    queries, keys = (
        {
            name: Projected(
                *(
                    part.projections[head](part.embed(name, images[view]))
                    for head in (name, f"{name}_across")
                )
            )
            for name, images in batch.images.items()
        }
        for view, part in enumerate((model, model.keys))
    )
    loss = mvitac(queries, keys, schedule.weights, schedule.temperature).total
    loss.backward()
    return loss, gradients_of(model)


def gradients_of(model):
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def close(found, expected):
    assert found.keys() == expected.keys()
    scale = max(gradient.abs().max() for gradient in expected.values())
    assert scale > 0.001
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name] / scale, gradient / scale, rtol=0, atol=1e-9)


@pytest.mark.parametrize("chunk", [0, 3])
@pytest.mark.parametrize("sharing", ["shared", "separate"])
def test_gradients_are_those_of_the_first_view_against_the_copies_second(
    pairs, make_settings, float64, chunk, sharing
):
    settings = make_settings(*MVITAC, f"schedule.chunk={chunk}", f"encoder.sharing={sharing}")
    model = made(settings)
    for parameter in model.keys.parameters():  # copies that are no longer equal
        parameter.data.mul_(1.1)
    batch = next(Batches(pairs, settings).after(0))
    fabric = make_fabric(settings.schedule)
    loss = compute_gradients(model, batch, settings.schedule, fabric, 0).loss.total
    found = gradients_of(model)
    model.zero_grad()
    expected_loss, expected = plain(model, batch, settings.schedule)
    torch.testing.assert_close(loss, expected_loss, rtol=0, atol=1e-9)
    close(found, expected)


class Stop(Exception):
    """What ends a run from outside."""


def test_a_stopped_run_continues_to_the_same_bytes(pairs, make_pairs, make_settings, tmp_path):
    class Stopping(make_pairs):
        def __getitem__(self, index):
            if len(self.read) >= 44:
                raise Stop
            return super().__getitem__(index)

    settings = make_settings(*MVITAC, "schedule.threads=1")
    (whole,) = pretrain(settings, pairs, tmp_path / "whole")
    with pytest.raises(Stop):
        pretrain(settings, Stopping(), tmp_path / "stopped")
    (continued,) = pretrain(settings, pairs, tmp_path / "stopped")
    assert continued.read_bytes() == whole.read_bytes()
    whole, continued = (
        json.loads((tmp_path / name / "pretrain.json").read_text())
        for name in ("whole", "stopped")
    )
    assert continued == whole
    assert whole["history"].keys() >= {"loss", "loss_camera", "loss_tactile", "loss_cross"}


def test_leaves_the_files_of_simclr_with_other_weights(pairs, make_settings, tmp_path):
    runs = {
        "mvitac": MVITAC,
        "another seed": (*MVITAC, "schedule.seed=1"),
        "without momentum": (*MVITAC, "schedule.momentum=0"),
        "simclr": MVITAC[-1:],
    }
    found = {}
    for name, overrides in runs.items():
        settings = make_settings("schedule.steps=3", *overrides)
        (path,) = pretrain(settings, pairs, tmp_path / name)
        found[name] = load_file(path)
    for name, tensors in found.items():
        assert tensors.keys() == found["simclr"].keys()
        same = [o for o in found if torch.equal(found[o]["embed.weight"], tensors["embed.weight"])]
        assert same == [name]


def test_learns_to_find_the_partner(pairs, make_settings, tmp_path):
    settings = make_settings(
        *MVITAC, "schedule.steps=100", "schedule.batch=12", "schedule.learning_rate=0.003",
        "schedule.measure_every=5", "encoder.camera_normalization=colour",
    )  # fmt: skip
    pretrain(settings, pairs, tmp_path)
    history = json.loads((tmp_path / "pretrain.json").read_text())["history"]
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert history["recall_tactile"][-1] > 3 / 12  # chance is 1 / 12
