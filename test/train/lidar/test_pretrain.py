"""Pretraining: learns, continues, leaves objectives out, and stops at what is not finite."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.nn.range_view import RangeViewEncoder
from xmodal_ros.train.lidar import model, pretrain
from xmodal_ros.train.lidar.model import Batch, Cmcr, FrozenImage, total
from xmodal_ros.train.lidar.pretrain import load_run
from xmodal_ros.train.lidar.settings import ImageSettings, LossSettings, read_overrides

TERMS = {
    "contrast": ["contrast"],
    "image": ["image"],
    "geometry": ["geometry"],
    "occupancy": ["occupancy"],
    "intensity": ["intensity"],
    "commitment": ["commitment"],
    "codes": ["codes"],
    "separation": ["separation"],
}


def only(name: str) -> list[str]:
    """Overrides by which one objective is left."""
    return [f"loss.{other}=0" for other in vars(LossSettings()) if other != name]


def a_batch() -> Batch:
    torch.manual_seed(0)
    scans = 3 * torch.randn(2, 16, 64, 4)
    scans[..., 3] = torch.rand(2, 16, 64)
    scans[:, :, 50:] = 0
    uv = torch.rand(2, 16 * 64, 2) * 31
    uv[:, ::2] = float("nan")
    return Batch(scans, torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8), uv)


def test_the_record_has_the_objectives_and_what_was_used(run, settings):
    record = json.loads((run.folder / "lidar.json").read_text())
    assert record["pairs"] == {"train": 6, "validation": 3, "test": 2}
    assert record["left_out"] == {}
    last = record["history"][-1]
    assert last["step"] == 12
    weights = vars(settings.loss)
    parts = sum(weights[name] * last[f"validation_{name}"] for name in weights)
    assert last["validation_loss"] == pytest.approx(parts, rel=1e-5)
    assert 1 <= last["validation_perplexity"] <= 12
    losses = [row["validation_loss"] for row in record["history"]]
    assert losses[-1] < losses[0]


def test_leaves_an_encoder_that_a_branch_reads(run, settings):
    names = sorted(path.name for path in run.folder.iterdir())
    assert names == ["beside.safetensors", "encoder.safetensors", "lidar.json"]
    encoder = RangeViewEncoder(settings.lidar)
    encoder.load_state_dict(load_file(run.folder / "encoder.safetensors"))
    again = load_run(run.folder).model
    batch = a_batch()
    with torch.inference_mode():
        maps = [e.eval().features(batch.scans) for e in (encoder, run.model.encoder)]
        assert torch.equal(*maps)
        heads = [m.heads(m.image(batch.images))[0] for m in (run.model, again)]
        assert torch.equal(*heads)


@pytest.mark.parametrize("name", TERMS)
def test_each_objective_can_be_had_alone(settings, name):
    torch.manual_seed(0)
    made = Cmcr(read_overrides(only(name), settings)).train()
    terms = made.losses(a_batch())
    assert [n for n in terms if n != "perplexity"] == TERMS[name]
    total(terms, made.settings).backward()
    found = made.encoder.mixes[0][0].weight.grad
    # The masked image alone is about the camera: points learn nothing from it.
    assert (found is not None and bool(found.any())) == (name != "image")
    assert all(p.grad is None for p in made.image.parameters())


def test_what_is_hidden_of_an_image_is_read_from_points_alone(settings):
    torch.manual_seed(0)
    made, batch = Cmcr(settings).eval(), a_batch()
    hidden = torch.ones(2, 32, 32, dtype=torch.bool)
    maps = made.encoder.features(batch.scans).flatten(1, 2)
    cells = 32 // made.image.stride
    shared, own = torch.nn.functional.normalize(torch.randn(2, 2, 8, cells, cells), dim=2)

    def decoded(hidden, maps, own):
        found = made.reconstructions(batch, hidden, maps, shared, own)
        assert found["image"].shape == found["geometry"].shape == (2, 3, 32, 32)
        return found

    with torch.no_grad():
        before, other_image = decoded(hidden, maps, own), decoded(hidden, maps, own + 1)
        other_points = decoded(hidden, maps.flip(1), own)
        seen = decoded(~hidden, maps, own)["geometry"], decoded(~hidden, maps, own + 1)["geometry"]
    assert torch.equal(before["geometry"], other_image["geometry"])
    assert not torch.equal(before["image"], other_image["image"])
    assert not torch.equal(before["geometry"], other_points["geometry"])
    assert torch.equal(before["image"], other_points["image"])
    assert not torch.equal(*seen)


def test_the_codebook_moves_in_training_alone(settings):
    made = Cmcr(settings)
    codes = made.book.codes.clone()
    made.eval().losses(a_batch())
    assert torch.equal(made.book.codes, codes)
    made.train().losses(a_batch())
    assert not torch.equal(made.book.codes, codes)


def test_a_batch_of_which_no_camera_sees_a_point(settings):
    batch = a_batch()
    made = Cmcr(settings).train()
    terms = made.losses(batch._replace(uv=torch.full_like(batch.uv, float("nan"))))
    assert terms["contrast"].item() == 0
    total(terms, settings).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in made.parameters())


class Stop(Exception):
    """What ends a run from outside."""


def test_a_stopped_run_continues_to_the_same_weights(
    drive, run, settings, cache, tmp_path, monkeypatch
):
    losses, calls = Cmcr.losses, []

    def stopping(self, batch):
        calls.append(self.training)
        if sum(calls) > 7:
            raise Stop
        return losses(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Cmcr, "losses", stopping)
        with pytest.raises(Stop):
            pretrain.pretrain([drive], tmp_path, settings, cache=cache)
    assert (tmp_path / "checkpoint.ckpt").exists()
    again = pretrain.pretrain([drive], tmp_path, settings, cache=cache)
    for name, value in run.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], value), name
    assert again.record["history"] == run.record["history"]


def test_a_finished_run_is_read_back_and_another_is_refused(drive, run, settings, monkeypatch):
    monkeypatch.setattr(pretrain, "learn", None)
    found = pretrain.pretrain([drive], run.folder, settings)
    assert found.record == run.record
    other = read_overrides(["loss.codes=0"], settings)
    with pytest.raises(SettingsError, match="a finished run with another settings is there"):
        pretrain.pretrain([drive], run.folder, other)


def test_a_loss_that_is_not_finite_names_step_and_scans(
    drive, settings, cache, tmp_path, monkeypatch
):
    monkeypatch.setattr(model, "point_pixel", lambda points, *_: points.sum() * float("nan"))
    with pytest.raises(DataError, match=r"step 0: loss nan is not finite; its batch: 3 examples"):
        pretrain.pretrain([drive], tmp_path, settings, cache=cache)
    names = (tmp_path / "stopped.txt").read_text().splitlines()
    assert len(names) == 3
    assert all(name.endswith(", image_2") for name in names)


def test_scans_that_cannot_be_read_are_left_out_and_named(drive, settings, tmp_path):
    broken = dataclasses.replace(
        drive.part("train")[0],
        source=dataclasses.replace(drive.sweeps[0].source, path=tmp_path / "missing.bin"),
    )
    beside = dataclasses.replace(drive, sweeps=(*drive.sweeps[1:], broken))
    short = read_overrides(["schedule.steps=1"], settings)
    found = pretrain.pretrain([beside], tmp_path / "run", short)
    (why,) = found.record["left_out"].values()
    assert "missing.bin" in why
    assert found.record["pairs"]["train"] == 5


def test_without_a_camera_nothing_is_learned(drive, settings, tmp_path):
    blind = tuple(dataclasses.replace(sweep, views=()) for sweep in drive.sweeps)
    with pytest.raises(DataError, match="no scan with an image in the train part"):
        pretrain.pretrain([dataclasses.replace(drive, sweeps=blind)], tmp_path, settings)


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("image.height=33", r"image.height, image.width: got 33 x 32; expected multiples of 4"),
        ("image.coarsest=9", r"image.coarsest: got 9; expected at most 4"),
        ("image.backbone=no_such", r"image.backbone: timm .* has no model 'no_such'"),
        ("image.weights=missing", r"image.weights: .*no such file"),
    ],
)
def test_an_image_backbone_that_cannot_be_is_refused(settings, override, text):
    with pytest.raises(SettingsError, match=text):
        FrozenImage(read_overrides([override], settings).image)


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(SettingsError, match="loss: all weights are 0; expected one above 0"):
        LossSettings(**dict.fromkeys(vars(LossSettings()), 0.0))
    with pytest.raises(SettingsError, match=r"image\.finest: got 4; expected at most"):
        ImageSettings(finest=4)


def test_the_image_backbone_reads_what_stage_1_left(settings, tmp_path):
    first = FrozenImage(settings.image)
    path = tmp_path / "encoder.safetensors"
    save_file({**first.backbone.state_dict(), "embed.weight": torch.zeros(1)}, path)
    second = FrozenImage(dataclasses.replace(settings.image, weights=str(path)))
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8))
    assert torch.equal(first(images), second.train()(images))
    assert first(images).shape == (1, first.width, 32 // first.stride, 32 // first.stride)
