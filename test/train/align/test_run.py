"""An alignment: what it learns, what stays frozen, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from xmodal_ros.cli import app
from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.data.inertial import read_tracks
from xmodal_ros.train.align.encoder import RECORD, WEIGHTS, load_aligned
from xmodal_ros.train.align.fit import AlignTask, alike
from xmodal_ros.train.align.run import CHECKPOINT, align, prepare
from xmodal_ros.train.align.score import classify, embed
from xmodal_ros.train.align.settings import read_overrides


def test_it_learns_the_activities_and_what_is_seen(run, examples):
    chosen = examples.indices("test", labelled=True)
    right = classify(run.model, examples.windows[chosen]).argmax(1) == examples.labels[chosen]
    assert right.mean() > 0.9
    imu = embed(run.model, examples.windows[chosen])
    vision = examples.vision_embeddings(run.model.vision).numpy()[chosen]
    same = examples.labels[chosen][:, None] == examples.labels[chosen]
    scores = imu @ vision.T
    assert scores[same].mean() > scores[~same].mean()


def test_the_frozen_encoder_stays_what_it_was(run):
    assert run.record["vision_sha256"] == run.record["vision_sha256_after"]
    assert run.record["contrast_temperature"] != pytest.approx(0.07, abs=1e-6)


def test_what_was_written_is_read_back(run, examples):
    model = load_aligned(run.folder)
    windows = examples.windows[:4]
    np.testing.assert_array_equal(classify(model, windows), classify(run.model, windows))
    assert not (run.folder / CHECKPOINT).exists()


def test_another_run_in_the_folder_is_refused(run, examples, settings):
    with pytest.raises(SettingsError, match="a finished run with another settings is there"):
        align(examples, ["hand"], run.folder, read_overrides(["schedule.seed=1"], settings))


def test_a_run_of_other_windows_is_refused(run, examples, settings):
    other = examples.with_windows(examples.windows + 1.0)
    with pytest.raises(SettingsError, match="a finished run with another windows_sha256"):
        align(other, ["hand"], run.folder, settings)


def test_an_interrupted_run_ends_with_the_same_weights(
    run, examples, settings, tmp_path, monkeypatch
):
    loss, calls = AlignTask.loss, []

    def stop(*arguments):
        calls.append(1)
        if len(calls) == 31:
            raise KeyboardInterrupt
        return loss(*arguments)

    monkeypatch.setattr(AlignTask, "loss", stop)
    with pytest.raises(KeyboardInterrupt):
        align(examples, ["hand"], tmp_path / "run", settings)
    again = align(examples, ["hand"], tmp_path / "run", settings)
    assert len(calls) == 31 + 40  # from step 20 on
    for a, b in zip(again.model.parameters(), run.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_without_an_image_only_the_supervised_loss_can_be_learned(blind_root, settings, tmp_path):
    examples = prepare([read_tracks(blind_root)], settings, tmp_path / "cache")
    with pytest.raises(DataError, match=r"no window has an image.*or set loss\.contrastive=0"):
        align(examples, ["blind"], tmp_path / "run", settings)
    alone = read_overrides(["loss.contrastive=0"], settings)
    found = align(examples, ["blind"], tmp_path / "run", alone)
    assert found.record["validation"]["accuracy"] > 0.9
    assert found.record["with_image"] == {"train": 0, "validation": 0, "test": 0}


def test_without_the_supervised_loss_no_classifier_is_scored(examples, settings, tmp_path):
    short = read_overrides(["loss.supervised=0", "schedule.steps=10"], settings)
    record = align(examples, ["hand"], tmp_path / "run", short).record
    assert "validation" not in record
    assert "temperature" not in record


def test_a_loss_of_nothing_is_refused():
    with pytest.raises(SettingsError, match="both weights are 0"):
        read_overrides(["loss.contrastive=0", "loss.supervised=0"])


def test_windows_of_one_episode_with_one_label_are_not_compared(examples):
    chosen = examples.indices("train", labelled=True, seen=True)[::7]
    found = alike(examples, chosen)
    for i, a in enumerate(chosen):
        for j, b in enumerate(chosen):
            together = examples.sessions[a] == examples.sessions[b]
            assert found[i, j] == (together and examples.labels[a] == examples.labels[b])


def test_the_command(root, tmp_path, settings):
    overrides = [
        "vision.level=1", "vision.height=32", "vision.width=32", "vision.weights=random",
        "vision.dim=16", "imu.width=16", "imu.heads=2", "imu.depth=1", "schedule.steps=10",
    ]  # fmt: skip
    options = [part for text in overrides for part in ("--set", text)]
    result = CliRunner().invoke(
        app, ["align", str(root), "--out", str(tmp_path / "out"), *options]
    )
    assert result.exit_code == 0, result.output
    assert "validation, IMU alone" in result.output
    record = json.loads((tmp_path / "out" / RECORD).read_text())
    assert record["classes"] == ["idle", "shake"]
    assert str(tmp_path) not in json.dumps(record)
    assert (tmp_path / "out" / WEIGHTS).exists()


def test_a_missing_run_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"align\.json: cannot be read.*`xmodal align` wrote"):
        load_aligned(tmp_path)
