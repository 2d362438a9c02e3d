"""The loop learns, repeats itself, continues after a stop, leaves frozen weights alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from xmodal_ros.nn.network import build_network
from xmodal_ros.train import loop
from xmodal_ros.train.features import weights_hash
from xmodal_ros.train.recipe import Schedule


def build(recipe, classes=5):
    torch.manual_seed(0)
    return build_network(recipe.architecture(classes))


def train(recipe, examples, **changes):
    network = build(recipe)
    chosen = np.flatnonzero(~examples.index.test)
    loop.fit(network, examples, chosen, recipe.schedule, seed=3, **changes)
    return network


def test_learns_what_generalizes_to_a_new_person(recipe, waves):
    network = train(recipe, waves)
    test = np.flatnonzero(waves.index.test)
    logits = loop.predict(network, waves, test)
    assert (logits.argmax(1) == waves.index.labels[test]).mean() > 0.8
    assert loop.describe(network, waves, test).shape == (len(test), 32)


def test_same_seed_gives_the_same_weights(recipe, waves):
    short = dataclasses.replace(recipe, schedule=dataclasses.replace(recipe.schedule, steps=5))
    assert weights_hash(train(short, waves)) == weights_hash(train(short, waves))


def test_interrupted_run_continues_to_the_same_weights(recipe, waves, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_EVERY", 2)
    short = dataclasses.replace(recipe, schedule=dataclasses.replace(recipe.schedule, steps=7))
    whole = weights_hash(train(short, waves))
    batch, count = waves.batch, 0

    def stops(chosen, rng):
        nonlocal count
        count += 1
        if count == 6:
            raise KeyboardInterrupt
        return batch(chosen, rng)

    waves.batch = stops
    path = tmp_path / "checkpoint.ckpt"
    with pytest.raises(KeyboardInterrupt):
        train(short, waves, checkpoint=path)
    waves.batch = batch
    assert weights_hash(train(short, waves, checkpoint=path)) == whole


def test_frozen_encoder_keeps_its_bytes_while_the_rest_learns(recipe, make_frozen):
    camera = {"kind": "image", "backbone": "test_efficientnet", "height": 32, "width": 32}
    made = dataclasses.replace(
        recipe, task="material", branches={"camera": camera}, streams={"camera": "camera"}
    )
    network = build(made, classes=3)
    contrastive = network.branch("camera").contrastive
    examples = make_frozen(4, contrastive.encoder.token_width, contrastive.encoder.pooled_width)
    every = np.arange(40)
    backbone, embed = weights_hash(contrastive.encoder), weights_hash(contrastive.embed)
    loop.align(network, examples, every, Schedule(contrastive_steps=3, batch=8), seed=0)
    assert weights_hash(contrastive.encoder) == backbone
    assert weights_hash(contrastive.embed) != embed
    frozen, free = weights_hash(contrastive), weights_hash(network.heads)
    loop.fit(network, examples, every, Schedule(steps=3, batch=8, mixing=0.4), seed=0)
    assert weights_hash(contrastive) == frozen
    assert weights_hash(network.heads) != free


def test_mixing_blends_inputs_and_targets_alike():
    targets = torch.eye(4)
    inputs = {"imu": targets.clone(), "camera": (targets[:, None].clone(), targets.clone())}
    mixed, blended = loop.mix(inputs, targets, 1.0, np.random.default_rng(0))
    torch.testing.assert_close(mixed["imu"], blended)
    torch.testing.assert_close(mixed["camera"][0][:, 0], blended)
    torch.testing.assert_close(blended.sum(1), torch.ones(4))
    assert not torch.equal(blended, targets)


def test_no_mixing_changes_nothing():
    inputs, targets = {"imu": torch.ones(2, 3)}, torch.eye(2)
    assert loop.mix(inputs, targets, 0.0, np.random.default_rng(0)) == (inputs, targets)
