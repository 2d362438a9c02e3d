"""From recordings and bundles to moments, and from moments to a space."""

from pathlib import Path

import numpy as np
import pytest
import torch

from xmodal_ros.core.errors import BundleError, SettingsError
from xmodal_ros.data.visual_tactile import VisualTactile
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.train.joint import recordings as module
from xmodal_ros.train.joint.compare import CENTRED, PAIRWISE, compare, page
from xmodal_ros.train.joint.encoders import take
from xmodal_ros.train.joint.model import TEXT
from xmodal_ros.train.joint.moments import Moments
from xmodal_ros.train.joint.recordings import read_moments
from xmodal_ros.train.joint.run import RECORD, WEIGHTS, Material, embed, train_joint
from xmodal_ros.train.joint.settings import MomentSettings, read_overrides
from xmodal_ros.train.pretrain.files import load_tensors

SMALL = (
    "space.dim=8", "schedule.steps=6", "schedule.batch=4", "schedule.validate_every=3",
    "fusion.heads=2",
)  # fmt: skip


def test_instances_are_times_with_the_same_labels(moments: Moments) -> None:
    assert len(np.unique(moments.instances)) == 4 * 3
    for number in np.unique(moments.instances):
        rows = moments.instances == number
        assert 2 <= rows.sum() <= 4
        assert len(set(moments.facts["activity"][rows])) == 1
        assert len(set(moments.recordings[rows])) == 1
    touched = moments.facts["material"] != ""
    assert set(moments.facts["activity"][touched]) == {"press"}
    assert set(moments.parts) == {"train", "validation", "test"}


def test_features_are_those_of_the_encoders(moments: Moments, bundle: Bundle) -> None:
    assert moments.present["camera"].all()
    assert moments.tokens["camera"].shape[1:] == (4, moments.tokens["camera"].shape[2])
    assert moments.pooled["tactile_left"].shape[:2] == (len(moments), 2)
    assert not moments.pooled["imu"][~moments.present["imu"]].any()
    # Later instances are brighter: the encoder has seen another image.
    assert np.ptp(moments.newest("camera"), axis=0).max() > 0


def test_what_was_encoded_once_is_read_back(
    cell: VisualTactile, bundle: Bundle, cache: Path, moments: Moments, monkeypatch
) -> None:
    monkeypatch.setattr(module, "Runner", None)
    again = read_moments(cell, take([bundle]), MomentSettings(), cache)
    assert again.names.tolist() == moments.names.tolist()
    assert (again.pooled["camera"] == moments.pooled["camera"]).all()


def test_a_space_is_trained_and_read_back_without_its_fusion(
    material: Material, tmp_path: Path
) -> None:
    settings = read_overrides(SMALL)
    run = train_joint(material, tmp_path, settings)
    kept = load_tensors(tmp_path / WEIGHTS)[0]
    assert not any(name.startswith(("fusion", "scale")) for name in kept)
    again = train_joint(material, tmp_path, settings)
    first, second = (embed(r.model, material) for r in (run, again))
    assert all((first[name] == second[name]).all() for name in first)
    assert np.linalg.norm(first[TEXT], axis=1) == pytest.approx(1, abs=1e-5)
    assert (tmp_path / RECORD).exists()
    with pytest.raises(SettingsError, match="a finished run with another settings is there"):
        train_joint(material, tmp_path, read_overrides(["space.dim=16"], settings))


def test_training_leaves_the_encoders_as_they_were(
    material: Material, bundle: Bundle, tmp_path: Path
) -> None:
    train_joint(material, tmp_path, read_overrides(SMALL))
    own = bundle.network().branches["camera"].contrastive.encoder.state_dict()
    after = material.encoders.modules["camera"].state_dict()
    assert all(torch.equal(own[name], after[name]) for name in own)


def test_a_stream_that_no_bundle_reads_is_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="senses: none reads stream 'lidar'; expected some of"):
        take([bundle], ["camera", "lidar"])


def test_gels_whose_images_are_subtracted_are_refused(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match="branch 'gel' subtracts images"):
        take([Bundle.load(tiny_bundle)])


def test_variants_are_compared_in_one_table(material: Material, tmp_path: Path) -> None:
    settings = read_overrides(SMALL)
    names = (PAIRWISE, "several positives")
    found = compare(material, tmp_path, settings, seeds=1, test=False, names=names)
    assert [row["variant"] for row in found["rows"]] == [PAIRWISE, CENTRED, "several positives"]
    pairwise, centred = (row["seeds"][0]["validation"] for row in found["rows"][:2])
    assert pairwise["space"]["gap"] != centred["space"]["gap"]
    assert set(pairwise["zero-shot"]) == {"material", "activity"}
    assert len(pairwise["all"]["recall"]) == 4 * 3  # ordered pairs of three senses and text
    text = page(found, "joint")
    assert f"| {CENTRED} |" in text
    assert "| by chance |" in text
    assert "## Test part" not in text
