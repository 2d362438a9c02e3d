"""Segmentation and retrieval with pretrained encoders, and the table of both."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import shutil

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.data.point_cloud import IGNORE
from xmodal_ros.train.lidar.cli import lidar_app
from xmodal_ros.train.lidar.compare import Asked, compare, evaluation_settings
from xmodal_ros.train.lidar.examples import LabelledScans
from xmodal_ros.train.lidar.report import page
from xmodal_ros.train.lidar.retrieve import BASELINES, candidates, learned, retrieve
from xmodal_ros.train.lidar.segment import PROBE, drawn, evaluate, train_segmenter

SHORT = ("schedule.steps=4", "schedule.validate_every=4", "schedule.batch=2")


@pytest.fixture(scope="session")
def scans(drive, settings, cache, quiet):
    return LabelledScans(drive, settings, cache, quiet)


def schedule(settings, **changes):
    return dataclasses.replace(settings.schedule, **changes)


def test_learns_classes(scans, settings, tmp_path):
    learned = schedule(settings, steps=80, validate_every=40, learning_rate=0.01)
    run = train_segmenter(
        scans, tmp_path, settings.lidar, learned, encoder=None, mode="finetune", share=1.0
    )
    found = evaluate(run.model, scans, scans.indices("test"))
    assert found["iou"]["car"] > 0.5
    assert found["points"]["count"] == 2 * 16 * 80


def test_a_linear_probe_leaves_the_encoder_as_it_is(scans, settings, run, tmp_path):
    probed = train_segmenter(
        scans, tmp_path, settings.lidar, schedule(settings, steps=4),
        encoder=run.folder / "encoder.safetensors", mode=PROBE, share=0.5,
    )  # fmt: skip
    for name, value in run.model.encoder.state_dict().items():
        assert torch.equal(probed.model.encoder.state_dict()[name], value), name
    assert len(probed.record["scans"]) == 3
    again = train_segmenter(
        scans, tmp_path, settings.lidar, schedule(settings, steps=4),
        encoder=run.folder / "encoder.safetensors", mode=PROBE, share=0.5,
    )  # fmt: skip
    assert again.record == probed.record
    with pytest.raises(SettingsError, match="a finished run with another encoder_sha256"):
        train_segmenter(
            scans, tmp_path, settings.lidar, schedule(settings, steps=4),
            encoder=None, mode=PROBE, share=0.5,
        )  # fmt: skip


def test_fine_tuning_begins_with_the_probes_classes(scans, settings, tmp_path):
    still = schedule(settings, steps=1, learning_rate=0.0)
    probed, tuned = (
        train_segmenter(
            scans, tmp_path / mode, settings.lidar, still, encoder=None, mode=mode, share=1.0
        ).model.classify
        for mode in (PROBE, "finetune")
    )
    assert torch.equal(probed.weight, tuned.weight)
    assert torch.equal(probed.bias, tuned.bias)


def test_scans_of_which_no_point_has_a_class_are_left_out(drive, settings, tmp_path, quiet):
    def load(sweep):
        scan = drive.load(sweep)
        none = np.full(len(scan), IGNORE, np.uint8)
        return dataclasses.replace(scan, labels=none) if sweep == drive.sweeps[1] else scan

    beside = LabelledScans(dataclasses.replace(drive, load=load), settings, tmp_path, quiet)
    assert set(beside.left_out) == {drive.sweeps[1].name}
    assert "no point has a class" in beside.left_out[drive.sweeps[1].name]
    assert len(beside.indices("train")) == 5


def test_small_shares_are_in_large_ones():
    indices = np.arange(10, 110)
    shares = [drawn(indices, share, seed=3) for share in (0.001, 0.05, 0.1, 1.0)]
    assert [len(share) for share in shares] == [1, 5, 10, 100]
    for small, large in itertools.pairwise(shares):
        assert set(small) < set(large)
    assert set(drawn(indices, 0.05, seed=4)) != set(shares[1])


def test_retrieval_of_the_right_pairs_only(drive, run, settings, cache):
    asked = candidates(drive, "test", settings, cache)
    found = retrieve(asked, learned(run.model))
    assert list(found) == ["image to point", "point to image", "image to region"]
    for scores in found.values():
        assert scores["count"] > 100
        assert 0 <= scores["percentile"] <= 0.5
    blind = dataclasses.replace(
        drive, sweeps=tuple(dataclasses.replace(s, views=()) for s in drive.sweeps)
    )
    with pytest.raises(DataError, match="no scan of the test part has an image"):
        candidates(blind, "test", settings, cache)


def test_what_all_points_or_all_pixels_have_in_common_does_not_count(run, drive, settings, cache):
    asked = candidates(drive, "test", settings, cache)[0]
    for features in learned(run.model)(asked):
        assert features.std(0).max() > 0.01
        np.testing.assert_allclose(features.mean(0), 0, atol=1e-5)


def test_baselines_find_what_they_look_at(drive, settings, cache):
    """The camera looks where the LiDAR does; the car is bright in the scan, and dark in gray."""
    asked = candidates(drive, "test", settings, cache)
    percentile = {
        name: retrieve(asked, embed)["image to point"]["percentile"]
        for name, embed in BASELINES.items()
    }
    assert percentile["by place"] < 0.05
    assert percentile["by edges"] < 0.5
    bright = [each._replace(image=255 - each.image) for each in asked]
    light = retrieve(bright, BASELINES["by brightness and intensity"])
    assert light["image to point"]["percentile"] < percentile["by brightness and intensity"]


def test_each_seed_has_its_own_encoder(drive, settings, run, quiet, tmp_path):
    for seed in (0, 1):
        shutil.copytree(run.folder, tmp_path / "joint" / f"seed{seed}")
    own = evaluation_settings((tmp_path / "joint",), 0, SHORT)
    asked = Asked((tmp_path / "joint",), (PROBE,), (1.0,), (0, 1), "test")
    found = compare(drive, asked, own, tmp_path / "out", quiet)
    hashes = {
        json.loads(path.read_text())["encoder_sha256"]
        for path in (tmp_path / "out").glob("joint-*/segment.json")
    }
    assert hashes == {
        hashlib.sha256((run.folder / "encoder.safetensors").read_bytes()).hexdigest()
    }
    assert [len(row["seeds"]) for row in found["retrieval"]] == [1, 1, 1, 2]
    with pytest.raises(DataError, match="seed2"):
        compare(drive, dataclasses.replace(asked, seeds=(2,)), own, tmp_path / "out", quiet)


def test_the_commands(root, run, tmp_path):
    changes = [part for text in SHORT for part in ("--set", text)]
    asked = ["--share", "0.5", "--seed", "0", "--seed", "1", "--mode", "probe"]
    done = CliRunner().invoke(
        lidar_app,
        ["evaluate", str(root), "--encoder", str(run.folder), "--out", str(tmp_path),
         *asked, *changes],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "lidar.json").read_text())
    titles = [row["variant"] for row in found["rows"]]
    name = run.folder.name
    assert titles == [
        "one class", "by direction", "from scratch, linear probe", f"{name}, linear probe"
    ]  # fmt: skip
    assert [seed["seed"] for seed in found["rows"][3]["seeds"]] == [0, 1]
    road = found["rows"][0]["seeds"][0]["validation"]
    assert road["points"]["miou"] == pytest.approx(road["iou"]["road"] / 2)  # of two that occur
    text = (tmp_path / "lidar.md").read_text()
    assert text == page(found, "lidar")
    assert "![lidar](lidar.svg)" in text
    assert f"{name}, linear probe" in (tmp_path / "lidar.svg").read_text()
    assert f"| {name}, linear probe: 50 % of labels | 0." in text
    assert f"| {name} | 0." in text


def test_pretraining_by_the_command(root, settings, tmp_path, run):
    given = dataclasses.asdict(settings)
    changes = [
        f"{group}.{name}={value}" for group, values in given.items() for name, value in
        values.items() if not isinstance(value, tuple)
    ]  # fmt: skip
    overrides = [part for text in changes for part in ("--set", text)]
    arguments = ["pretrain", str(root), "--out", str(tmp_path), *overrides]
    done = CliRunner().invoke(lidar_app, arguments)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "lidar.json").read_text())
    # Threads add up in another order each time.
    for row, other in zip(found.pop("history"), run.record["history"], strict=True):
        assert row == pytest.approx(other, rel=1e-3)
    assert found == {name: value for name, value in run.record.items() if name != "history"}


def test_nothing_to_measure_is_told(drive, settings, quiet, tmp_path):
    bare = dataclasses.replace(drive, classes=())
    asked = Asked((), (PROBE,), (1.0,), (0,), "test")
    with pytest.raises(DataError, match="nothing to measure in the test part with 0 encoders"):
        compare(bare, asked, settings, tmp_path, quiet)
    with pytest.raises(DataError, match="no part 'dev'"):
        compare(drive, dataclasses.replace(asked, part="dev"), settings, tmp_path, quiet)


def test_encoders_of_other_range_images_are_refused(drive, run, quiet, tmp_path):
    asked = Asked((run.folder,), (PROBE,), (1.0,), (0,), "test")
    settings = evaluation_settings(asked.encoders, 0, ["lidar.width=32"])
    with pytest.raises(SettingsError, match="its range images or its network are others"):
        compare(drive, asked, settings, tmp_path, quiet)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"modes": ("fine",)}, "--mode: got fine; expected one of probe, finetune"),
        ({"shares": (1.0, 5.0)}, "--share: got 5.0; expected above 0 to 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(changes, text):
    given = {"encoders": (), "modes": (PROBE,), "shares": (1.0,), "seeds": (0,), "part": "test"}
    with pytest.raises(SettingsError, match=text):
        Asked(**{**given, **changes})
