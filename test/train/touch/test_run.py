from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.train.learning import STOPPED
from xmodal_ros.train.touch import fit as fitting
from xmodal_ros.train.touch.run import CHECKPOINT, RECORD, WEIGHTS, prepare, train_touch
from xmodal_ros.train.touch.score import answers, scores
from xmodal_ros.train.touch.settings import read_overrides


@pytest.fixture(scope="module")
def run(data, small, cache, tmp_path_factory):
    """One finished run, to look at."""
    return train_touch([data], tmp_path_factory.mktemp("run"), small, cache=cache)


def test_it_learns_and_says_how_good_it_is(run, data, small, cache) -> None:
    _, _, examples = prepare([data], small, cache)
    chosen = examples.indices("test")
    labels = {head: known[chosen] for head, known in examples.labels.items()}
    found = scores(answers(run.network, examples, chosen), labels, run.temperatures)
    assert found["material"]["accuracy"] > 0.8
    record = json.loads((run.folder / RECORD).read_text())
    assert record["validation"]["material"]["count"] == 6
    assert record["examples"] == {"train": 18, "validation": 6, "test": 6}
    assert set(record["thresholds"]) == {"grasp"}
    assert record["abstain_below"] == {"material": 0.0, "grasp": 0.0}
    assert record["parameters"]["trained"] < record["parameters"]["all"]
    assert not (run.folder / CHECKPOINT).exists()


def test_the_frozen_encoder_stays_what_it_was(run) -> None:
    assert run.record["encoder_sha256"] == run.record["encoder_sha256_after"]


def test_a_finished_run_is_read_back(run, data, small, cache) -> None:
    before = (run.folder / WEIGHTS).stat().st_mtime_ns
    again = train_touch([data], run.folder, small, cache=cache)
    assert (run.folder / WEIGHTS).stat().st_mtime_ns == before
    assert again.record == run.record
    for a, b in zip(again.network.parameters(), run.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_another_run_in_the_folder_is_refused(run, data, small, cache) -> None:
    with pytest.raises(SettingsError, match="a finished run with another settings is there"):
        train_touch([data], run.folder, read_overrides(["schedule.seed=1"], small), cache=cache)


def test_an_interrupted_run_ends_with_the_same_weights(
    run, data, small, cache, tmp_path, monkeypatch
) -> None:
    forward, calls = fitting.forward, []

    def stop(*arguments):
        calls.append(1)
        if len(calls) == 16:
            raise KeyboardInterrupt
        return forward(*arguments)

    monkeypatch.setattr(fitting, "forward", stop)
    folder = tmp_path / "again"
    with pytest.raises(KeyboardInterrupt):
        train_touch([data], folder, small, cache=cache)
    assert (folder / CHECKPOINT).exists()
    whole = train_touch([data], folder, small, cache=cache)
    assert len(calls) == 16 + 20  # from step 10 on
    for a, b in zip(whole.network.parameters(), run.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_loss_that_is_not_finite_stops_with_the_batch(
    data, small, cache, tmp_path, monkeypatch
) -> None:
    forward, calls = fitting.forward, []

    def broken(*arguments):
        calls.append(1)
        factor = float("nan") if len(calls) == 13 else 1.0
        return {head: logits * factor for head, logits in forward(*arguments).items()}

    monkeypatch.setattr(fitting, "forward", broken)
    with pytest.raises(DataError, match=r"step 12: loss nan is not finite.*16 examples") as error:
        train_touch([data], tmp_path / "run", small, cache=cache)
    assert "Last good checkpoint: step 10" in str(error.value)
    assert len((tmp_path / "run" / STOPPED).read_text().splitlines()) == 16


def test_it_stops_when_validation_gets_no_better(
    data, small, cache, tmp_path, monkeypatch
) -> None:
    losses = iter([2.0, 1.0, 1.5, 1.1, 0.5])
    monkeypatch.setattr(fitting, "_validate", lambda *_: {"validation_loss": next(losses)})
    settings = read_overrides(["schedule.steps=1000", "schedule.patience=2"], small)
    run = train_touch([data], tmp_path / "run", settings, cache=cache)
    assert (run.record["steps"], run.record["best_step"]) == (40, 20)


@pytest.mark.parametrize("steps", [1, 4])
def test_a_run_may_have_few_steps(data, small, cache, tmp_path, steps) -> None:
    settings = read_overrides([f"schedule.steps={steps}"], small)
    assert train_touch([data], tmp_path / "run", settings, cache=cache).record["steps"] == steps


def test_seeds_differ_and_the_same_seed_does_not(run, data, small, cache, tmp_path) -> None:
    def weights(seed: int, name: str) -> np.ndarray:
        made = read_overrides([f"schedule.seed={seed}"], small)
        network = train_touch([data], tmp_path / name, made, cache=cache).network
        return network.heads["material"].classifier.weight.detach().numpy()

    first = run.network.heads["material"].classifier.weight.detach().numpy()
    assert np.array_equal(first, weights(0, "a"))
    assert not np.array_equal(first, weights(1, "b"))


def test_dropping_a_sense_changes_answers(run, data, small, cache) -> None:
    _, _, examples = prepare([data], small, cache)
    chosen = examples.indices("test")
    whole = answers(run.network, examples, chosen)["material"]
    blind = answers(run.network, examples, chosen, drop=("camera",))["material"]
    assert not np.allclose(whole, blind)


def test_encoders_that_learn_beside_the_frozen_one(data, small, cache, tmp_path) -> None:
    settings = read_overrides(["trunk.encoders=separate", "schedule.steps=10"], small)
    run = train_touch([data], tmp_path / "run", settings, cache=cache)
    assert run.record["encoder_sha256"] == run.record["encoder_sha256_after"]
    branch = run.network.branches["gel"]
    frozen = branch.contrastive.encoder.backbone.conv_stem.weight
    assert not torch.equal(branch.task.backbone.conv_stem.weight, frozen)


def test_missing_weights_are_named(data, small, cache, tmp_path) -> None:
    settings = read_overrides(["encoder.weights=nowhere.safetensors"], small)
    with pytest.raises(SettingsError, match=r"encoder\.weights: nowhere\.safetensors: no such"):
        train_touch([data], tmp_path / "run", settings, cache=cache)


def test_without_room_the_last_checkpoint_stays(data, small, cache, tmp_path, monkeypatch) -> None:
    folder, write, calls = tmp_path / "run", Path.write_bytes, []

    def full(path, content):
        if path.name.startswith(CHECKPOINT):
            calls.append(1)
            if len(calls) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match=r"No space left on device.*it continues") as error:
        train_touch([data], folder, small, cache=cache)
    assert "The file that was there before is kept" in str(error.value)
    assert torch.load(folder / CHECKPOINT, weights_only=True)["progress"]["step"] == 10
    assert train_touch([data], folder, small, cache=cache).record["steps"] == 30


def test_images_that_would_not_fit_are_refused_before(data, small, tmp_path, monkeypatch) -> None:
    usage = type(shutil.disk_usage(tmp_path))(100_000, 90_000, 10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(DataError, match=r"it needs 0\.1 MB, 0\.0 MB are free"):
        train_touch([data], tmp_path / "run", small)
