"""A run: learns, repeats itself, survives kill -9, refuses what does not fit, stops at NaN."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys

import pytest
import timm
import torch
from rich.console import Console
from safetensors.torch import load_file, save_file

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.data.visual_tactile.pairs import open_pairs
from xmodal_ros.nn.architecture import ImageSettings
from xmodal_ros.nn.branch import ContrastiveEncoder
from xmodal_ros.nn.pretrained import load_pretrained
from xmodal_ros.train.pretrain import run
from xmodal_ros.train.pretrain.files import load_tensors, save_tensors
from xmodal_ros.train.pretrain.model import PairEncoder, load_encoder
from xmodal_ros.train.pretrain.run import learning_rate, pretrain
from xmodal_ros.train.pretrain.settings import read_overrides

CHECKPOINT = "checkpoint.safetensors"


class Stop(Exception):
    """What ends a run from outside."""


@pytest.fixture
def stop_at(make_pairs):
    def make(reads: int):
        class Stopping(make_pairs):
            def __getitem__(self, index):
                if len(self.read) >= reads:
                    raise Stop
                return super().__getitem__(index)

        return Stopping()

    return make


def history(folder):
    return json.loads((folder / "pretrain.json").read_text())["history"]


def test_learns_to_find_the_partner(pairs, make_settings, tmp_path):
    settings = make_settings(
        "schedule.steps=60", "schedule.batch=12", "schedule.learning_rate=0.003",
        "schedule.measure_every=5", "encoder.camera_normalization=colour",
        "encoder.tactile_normalization=colour",
    )  # fmt: skip
    pretrain(settings, pairs, tmp_path)
    found = history(tmp_path)
    assert found["step"] == list(range(5, 61, 5))
    assert found["loss"][-1] < 0.8 * found["loss"][0]
    assert found["recall_tactile"][-1] > 3 / 12  # chance is 1 / 12


@pytest.mark.parametrize("backbone", ["test_vit", "test_efficientnet", "test_resnet"])
def test_leaves_weights_that_timm_and_a_branch_read(pairs, make_settings, tmp_path, backbone):
    settings = make_settings(f"encoder.backbone={backbone}", "schedule.steps=2")
    (path,) = pretrain(settings, pairs, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["encoder.safetensors", "pretrain.json"]
    bare = timm.create_model(backbone, num_classes=0, img_size=32) if "vit" in backbone else (
        timm.create_model(backbone, num_classes=0)
    )  # fmt: skip
    load_pretrained(bare, backbone, str(path))
    image = ImageSettings(backbone=backbone, height=32, width=32)
    contrastive = ContrastiveEncoder(image, 32, frozen=True)
    load_encoder(contrastive, path)
    stored = load_file(path)
    assert torch.equal(contrastive.embed.weight, stored["embed.weight"])
    for name, tensor in contrastive.encoder.backbone.state_dict().items():
        assert torch.equal(tensor, stored[name])
        assert torch.equal(tensor, bare.state_dict()[name])
    with pytest.raises(SettingsError, match=r"encoder.safetensors: .* embedding by pooled"):
        load_encoder(ContrastiveEncoder(image, 64, frozen=True), path)


def test_a_vits_weights_fit_images_of_another_size(pairs, make_settings, tmp_path):
    (path,) = pretrain(make_settings("schedule.steps=2"), pairs, tmp_path)
    image = ImageSettings(backbone="test_vit", height=48, width=64)
    contrastive = ContrastiveEncoder(image, 32, frozen=True)
    load_encoder(contrastive, path)
    stored, backbone = load_file(path), contrastive.encoder.backbone
    assert stored["pos_embed"].shape[1] < backbone.pos_embed.shape[1]
    assert torch.equal(backbone.patch_embed.proj.weight, stored["patch_embed.proj.weight"])


def test_an_intermediate_feature_map_can_be_pooled(pairs, make_settings, tmp_path):
    settings = make_settings("encoder.backbone=test_resnet", "encoder.level=2", "schedule.steps=2")
    (path,) = pretrain(settings, pairs, tmp_path)
    image = ImageSettings(backbone="test_resnet", height=32, width=32, level=2)
    contrastive = ContrastiveEncoder(image, 32, frozen=True)
    load_encoder(contrastive, path)
    assert torch.equal(contrastive.embed.weight, load_file(path)["embed.weight"])


def test_separate_encoders_leave_a_file_each(pairs, make_settings, tmp_path):
    settings = make_settings("encoder.sharing=separate", "schedule.steps=2")
    files = pretrain(settings, pairs, tmp_path)
    assert [p.name for p in files] == ["camera.safetensors", "tactile.safetensors"]
    camera, tactile = (load_file(p) for p in files)
    assert not torch.equal(camera["embed.weight"], tactile["embed.weight"])


def test_starts_from_local_weights(pairs, make_settings, tmp_path):
    backbone = timm.create_model("test_resnet", num_classes=0)
    path = tmp_path / "weights.safetensors"
    save_file(backbone.state_dict(), path)
    model = PairEncoder(
        make_settings("encoder.backbone=test_resnet", f"encoder.weights={path}").encoder
    )
    for name, tensor in model.encoders["tactile"].encoder.backbone.state_dict().items():
        assert torch.equal(tensor, backbone.state_dict()[name])


@pytest.mark.parametrize(
    ("changes", "moves"),
    [((), False), (("encoder.batch_norm=batch", "encoder.sharing=separate"), True)],
)
def test_batch_norm_keeps_its_statistics_unless_asked(
    pairs, make_settings, tmp_path, changes, moves
):
    settings = make_settings("encoder.backbone=test_resnet", "schedule.steps=2", *changes)
    path, *_ = pretrain(settings, pairs, tmp_path)
    means = [t for name, t in load_file(path).items() if name.endswith("running_mean")]
    assert any(mean.any() for mean in means) is moves


def test_statistics_of_batches_of_both_modalities_are_refused(make_settings):
    with pytest.raises(SettingsError, match=r"encoder.batch_norm: .*encoder.sharing=separate"):
        make_settings("encoder.batch_norm=batch")


@pytest.mark.parametrize("stop", [20, 44])
def test_a_stopped_run_continues_to_the_same_weights_and_history(
    pairs, stop_at, make_settings, tmp_path, stop
):
    settings = make_settings("schedule.chunk=5", "schedule.threads=1")
    (whole,) = pretrain(settings, pairs, tmp_path / "whole")
    with pytest.raises(Stop):
        pretrain(settings, stop_at(stop), tmp_path / "stopped")
    (continued,) = pretrain(settings, pairs, tmp_path / "stopped")
    assert continued.read_bytes() == whole.read_bytes()
    assert history(tmp_path / "stopped") == history(tmp_path / "whole")


def test_a_killed_run_continues_to_the_same_bytes(folder, small, tmp_path):
    overrides = [*small, "schedule.steps=12"]
    command = [
        sys.executable, "-m", "xmodal_ros", "pretrain", str(folder),
        "--out", str(tmp_path / "killed"), *(f"--set={text}" for text in overrides),
    ]  # fmt: skip
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    pipes = {"env": environment, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        for line in process.stdout:  # told of step 5, it has saved step 4
            if line.startswith("step 5,"):
                os.kill(process.pid, signal.SIGKILL)
                break
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    _, facts = load_tensors(tmp_path / "killed" / CHECKPOINT)
    assert 4 <= int(facts["step"]) < 12
    found = []
    for name in ("killed", "whole"):
        told = io.StringIO()
        settings, console = read_overrides(overrides), Console(file=told)
        (path,) = pretrain(settings, open_pairs(folder), tmp_path / name, console)
        assert ("step 1," in told.getvalue()) is (name == "whole")
        found.append((path.read_bytes(), history(tmp_path / name)))
    assert found[0] == found[1]


def test_a_finished_run_is_read_back(pairs, make_settings, tmp_path):
    settings = make_settings("schedule.steps=2")
    (path,) = pretrain(settings, pairs, tmp_path)
    before, reads = path.stat(), len(pairs.read)
    assert pretrain(settings, pairs, tmp_path) == [path]
    assert (path.stat().st_mtime_ns, len(pairs.read)) == (before.st_mtime_ns, reads)


def test_another_run_in_the_folder_is_refused(pairs, stop_at, make_settings, tmp_path):
    pretrain(make_settings("schedule.steps=2"), pairs, tmp_path / "done")
    with pytest.raises(Stop):
        pretrain(make_settings(), stop_at(40), tmp_path / "begun")
    for name, steps in (("done", 2), ("begun", 6)):
        seeded = make_settings(f"schedule.steps={steps}", "schedule.seed=1")
        with pytest.raises(
            SettingsError, match=r"run with schedule.seed = 0 is there, and 1 is asked for"
        ):
            pretrain(seeded, pairs, tmp_path / name)
    with pytest.raises(SettingsError, match=r"number of pairs = 24 is there, and 23"):
        pretrain(make_settings(), type(pairs)(23), tmp_path / "begun")


def test_a_setting_newer_than_a_run_has_its_default_there(pairs, make_settings, tmp_path):
    settings = make_settings("schedule.steps=2")
    (path,) = pretrain(settings, pairs, tmp_path)
    tensors, facts = load_tensors(path)
    groups = json.loads(facts["settings"])
    del groups["schedule"]["objective"]
    save_tensors(path, tensors, {**facts, "settings": json.dumps(groups)})
    assert pretrain(settings, pairs, tmp_path) == [path]
    with pytest.raises(SettingsError, match=r"objective = simclr is there, and mvitac is asked"):
        pretrain(make_settings("schedule.steps=2", "schedule.objective=mvitac"), pairs, tmp_path)


def test_speed_memory_and_rate_may_change_when_a_run_continues(
    pairs, stop_at, make_settings, tmp_path
):
    with pytest.raises(Stop):
        pretrain(make_settings(), stop_at(40), tmp_path)
    changed = make_settings(
        "schedule.chunk=4", "schedule.threads=1", "schedule.learning_rate=1e-5"
    )
    pretrain(changed, pairs, tmp_path)
    assert history(tmp_path)["step"] == [1, 2, 3, 4, 5, 6]


def test_a_damaged_checkpoint_is_told(pairs, stop_at, make_settings, tmp_path):
    with pytest.raises(Stop):
        pretrain(make_settings(), stop_at(40), tmp_path)
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"checkpoint\.safetensors: cannot be read"):
        pretrain(make_settings(), pairs, tmp_path)


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_nan_stops_with_step_files_and_last_checkpoint(
    pairs, make_settings, tmp_path, monkeypatch, where
):
    original, calls = run.compute_gradients, []

    def broken(model, *arguments):
        computed = original(model, *arguments)
        calls.append(computed)
        if len(calls) == 4:
            spoilt = computed.loss.total if where == "loss" else next(model.parameters()).grad
            spoilt.data.fill_(float("nan"))
        return computed

    monkeypatch.setattr(run, "compute_gradients", broken)
    settings = make_settings("schedule.threads=1")
    with pytest.raises(DataError) as caught:
        pretrain(settings, pairs, tmp_path)
    text = str(caught.value)
    assert text.startswith("step 3: loss ")
    assert "not finite; its batch: 8 pairs from pair " in text
    assert f"Last good checkpoint: step 2 is in {tmp_path / CHECKPOINT}" in text
    names = (tmp_path / "stopped.txt").read_text().splitlines()
    assert names == [f"pair {i}" for i in pairs.read[24:32]]
    tensors, _ = load_tensors(tmp_path / CHECKPOINT)
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_bf16_encodes_in_half_precision_and_keeps_weights_whole(pairs, make_settings, tmp_path):
    settings = make_settings("schedule.precision=bf16", "schedule.steps=2")
    exact = make_settings("schedule.steps=2")
    (half,) = pretrain(settings, pairs, tmp_path / "half")
    pretrain(exact, pairs, tmp_path / "whole")
    assert {t.dtype for t in load_file(half).values()} == {torch.float32}
    losses = [history(tmp_path / name)["loss"][0] for name in ("half", "whole")]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_shows_measures_and_rate(pairs, make_settings, tmp_path):
    for terminal in (False, True):
        text = io.StringIO()
        console = Console(file=text, force_terminal=terminal, width=160)
        pretrain(make_settings(), pairs, tmp_path / str(terminal), console)
        shown = text.getvalue()
        for name in ("loss", "cross", "alignment", "uniformity", "recall", "images/s"):
            assert name in shown


def test_rate_rises_then_falls_to_nothing(make_settings):
    schedule = make_settings("schedule.steps=100", "schedule.warmup=10").schedule
    rates = [learning_rate(schedule, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.0001)
    assert rates[10] == max(rates) == pytest.approx(0.001)
    assert rates[55] == pytest.approx(0.0005)
    assert rates[100] == pytest.approx(0, abs=1e-12)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("nonsense", "--set: got 'nonsense'; expected group.name=value"),
        ("trainer.steps=3", "expected group.name=value with one of the groups encoder, camera"),
        ("schedule.step=3", "Did you mean 'steps'?"),
        ("schedule.temperature=warm", "schedule.temperature: got 'warm'; expected a number"),
        ("tactile.lights=90,red", "tactile.lights: got '90,red'"),
    ],
)
def test_a_wrong_override_is_told(make_settings, override, text):
    with pytest.raises(SettingsError) as caught:
        make_settings(override)
    assert text in str(caught.value)


def test_a_rate_may_be_written_as_everybody_writes_it(make_settings):
    assert make_settings("schedule.learning_rate=3e-4").schedule.learning_rate == 3e-4


def test_a_modality_in_no_term_is_refused(make_settings):
    with pytest.raises(SettingsError, match=r"schedule.cross: a modality would be in no term"):
        make_settings("schedule.cross=0", "schedule.tactile=0")


def test_an_unknown_backbone_is_told(pairs, make_settings, tmp_path):
    with pytest.raises(SettingsError, match=r"has no model 'magic'"):
        pretrain(make_settings("encoder.backbone=magic"), pairs, tmp_path)
