"""Heads beside a space: subsets of the senses, a bundle of all of them, what each is worth."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from typer.testing import CliRunner

from xmodal_ros.cli import app
from xmodal_ros.core.errors import DataError
from xmodal_ros.data.visual_tactile import VisualTactile, open_dataset
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.manifest import HeadCard
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.train.joint.answers import (
    AnswerRun,
    AnswerSettings,
    MomentExamples,
    ScheduleSettings,
    subsets,
    train_answers,
)
from xmodal_ros.train.joint.bundle import Sources, sources, write_bundle
from xmodal_ros.train.joint.encoders import Encoders, take
from xmodal_ros.train.joint.moments import Moments, together
from xmodal_ros.train.joint.run import JointRun, Material, train_joint
from xmodal_ros.train.joint.sensors import (
    ALL,
    MAJORITY,
    alone_scores,
    kept_share,
    majority_scores,
    page,
    rows_of,
    subset_scores,
)
from xmodal_ros.train.joint.settings import read_overrides
from xmodal_ros.train.joint.stills import read_stills
from xmodal_ros.train.touch.score import answers

SCHEDULE = ScheduleSettings(steps=30, batch=8, validate_every=10)


@pytest.fixture(scope="module")
def space(material: Material, tmp_path_factory: pytest.TempPathFactory) -> JointRun:
    small = ("space.dim=16", "schedule.steps=6", "schedule.batch=4", "schedule.validate_every=3")
    settings = read_overrides([*small, "fusion.heads=2"])
    return train_joint(material, tmp_path_factory.mktemp("space"), settings)


@pytest.fixture(scope="module")
def settings() -> AnswerSettings:
    found = AnswerSettings(schedule=SCHEDULE)
    return AnswerSettings(type(found.trunk)(dim=16, attention_heads=2), SCHEDULE)


@pytest.fixture(scope="module")
def run(
    space: JointRun,
    material: Material,
    settings: AnswerSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> AnswerRun:
    examples = MomentExamples(material.moments)
    out = tmp_path_factory.mktemp("answers")
    made = train_answers(space, material.encoders, examples, out, settings)
    again = train_answers(space, material.encoders, examples, out, settings)
    assert again.temperatures == made.temperatures
    return made


def test_encoders_and_projections_stay_as_they_are(
    run: AnswerRun, space: JointRun, material: Material
) -> None:
    for name, branch in run.network.branches.items():
        for mine, theirs in (
            (branch.contrastive.encoder, material.encoders.modules[name]),
            (branch.contrastive.embed, space.model.embed[name]),
        ):
            for key, value in theirs.state_dict().items():
                assert torch.equal(mine.state_dict()[key], value), (name, key)


def test_hidden_modalities_go_together_and_never_all() -> None:
    torch.manual_seed(0)
    present = {name: torch.ones(4000) for name in ("camera", "left", "right", "imu")}
    present["imu"][:1000] = 0
    branches = {"camera": "camera", "left": "gel", "right": "gel", "imu": "imu"}
    found = subsets(present, branches, 0.5)
    assert torch.equal(found["left"], found["right"])
    assert torch.stack(list(found.values())).any(0).all()
    assert not found["imu"][:1000].any()
    hidden = 1 - found["camera"][1000:].mean().item()
    assert hidden == pytest.approx(0.5 / 3, abs=0.03)  # of three, two are shown on average
    assert torch.equal(subsets(present, branches, 0.0)["imu"], present["imu"])


def test_a_bundle_answers_as_its_run_and_has_no_fusion_of_training(
    run: AnswerRun, space: JointRun, material: Material, moments: Moments, tmp_path: Path
) -> None:
    order = HeadCard("activity", run.labels["activity"], rates=((0.0, 1, 1), (1, 0, 1), (1, 1, 0)))
    written = write_bundle(
        run, space, moments, tmp_path / "all", Sources({"activity": order}),
        licence="MIT", metrics={}, training={}, card="# all\n",
    )  # fmt: skip
    names = set(written.network().state_dict())
    assert not [name for name in names if "fusion" in name or "uncertainty" in name]
    assert written.heads["activity"].rates == order.rates
    assert set(written.comparable("text")) >= set(run.architecture["streams"])
    examples = MomentExamples(moments)
    chosen = examples.indices("test")
    expected = answers(run.network, examples, chosen)
    found = answers(written.network(), examples, chosen)
    for head, logits in expected.items():
        assert np.allclose(found[head], logits, atol=0.02)  # half precision on disk
    prediction = Predictor(written).predict(Predictor(written).blank_observation())
    assert set(prediction.heads) == {"material", "activity"}
    assert set(prediction.ood) == {"camera", "tactile_left", "imu"}


def test_sources_take_orders_of_the_same_classes_only(run: AnswerRun, bundle: Bundle) -> None:
    assert sources({"camera": bundle}, run) == Sources()


def test_moments_before_all_streams_of_a_recording_have_come_are_left_out(
    moments: Moments,
) -> None:
    late = dict(moments.present) | {"imu": moments.present["imu"].copy()}
    names, recordings = moments.names, moments.recordings
    first = np.flatnonzero(recordings == recordings[0])
    late["imu"][first[:3]], late["imu"][first[3:]] = False, True
    late["imu"][first[-1]] = False  # a sensor that dies later is what shall be learned from
    begun = dataclasses.replace(moments, present=late).begun()
    assert begun[first].tolist() == [False] * 3 + [True] * (len(first) - 3)
    other = recordings != recordings[0]
    never = dict(moments.present) | {"imu": np.where(other, moments.present["imu"], False)}
    assert dataclasses.replace(moments, present=never).begun()[first].all()
    chosen = MomentExamples(dataclasses.replace(moments, present=late)).indices(
        str(moments.parts[first[0]])
    )
    assert not set(chosen) & set(first[:3])
    assert names[first[3]] in names[chosen]


def test_every_subset_is_scored_on_the_same_moments(
    run: AnswerRun,
    space: JointRun,
    material: Material,
    moments: Moments,
    settings: AnswerSettings,
    tmp_path: Path,
) -> None:
    examples, camera = MomentExamples(moments), MomentExamples(moments, ["camera"])
    alone = train_answers(space, material.encoders, camera, tmp_path, settings)
    assert list(alone.network.branches) == ["camera"]
    found = subset_scores(run, examples, ["test"])["test"]
    assert len(found) == 7
    assert next(iter(found)) == ALL
    assert len({scores["activity"]["count"] for scores in found.values()}) == 1
    found["camera, alone"] = alone_scores(alone, camera, "test", examples)
    found[MAJORITY] = majority_scores(examples, "test")
    table = {
        "rows": rows_of([{"test": found}]), "parts": ["test"], "data": ["cell"], "encoders": "e",
    }  # fmt: skip
    shares = kept_share(table, "test")
    assert "imu" in shares
    assert ALL not in shares
    assert "| camera, alone |" in page(table, "sensors")


def test_images_without_recordings_are_moments_too(
    shared_data: Path, bundle: Bundle, moments: Moments, tmp_path: Path
) -> None:
    whole = open_dataset(shared_data / "gelsight_slip", history_s=0.1)
    some = VisualTactile(
        whole.kind, whole.root, whole.split, whole.examples[:3] + whole.part("train")[:60]
    )
    encoders: Encoders = take([bundle])
    found = read_stills(some, encoders, tmp_path)
    again = read_stills(some, encoders, tmp_path)
    assert np.array_equal(found.tokens["tactile_left"], again.tokens["tactile_left"])
    assert list(found.present) == ["tactile_left"]
    assert set(found.facts["grasp"]) == {"success", "fail"}
    assert {"train", "test"} <= set(found.parts)
    both = together([moments, found])
    assert len(both) == len(moments) + len(found)
    assert not both.present["camera"][len(moments) :].any()
    assert set(both.facts["material"][len(moments) :]) == {""}
    assert both.instances[len(moments)] > both.instances[: len(moments)].max()
    assert MomentExamples(both).heads["grasp"] == ("fail", "success")


def test_a_space_is_trained_and_served_by_commands(
    cell: VisualTactile, bundle: Bundle, tmp_path: Path
) -> None:
    pytest.importorskip("sentence_transformers")

    def xmodal(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["joint", *arguments])

    common = [str(cell.root), "--encoder", str(bundle.path)]
    small = [f"--set={text}" for text in ("space.dim=16", "schedule.steps=2", "fusion.heads=2")]
    space, made = str(tmp_path / "space"), tmp_path / "mine"
    assert xmodal("train", *common, "--out", space, *small).exit_code == 0
    to = ["--bundle", str(made), "--steps", "2", "--out", str(tmp_path / "answers")]
    found = xmodal("bundle", *common, "--space", space, *to)
    assert found.exit_code == 0, found.output
    written = Bundle.load(made)
    assert written.id == "mine"
    assert written.text_space()(["the fingers are on wood"]).shape == (1, 16)
    missing = xmodal("bundle", *common, "--space", str(tmp_path), *to)
    assert isinstance(missing.exception, DataError)
    assert "what `xmodal joint train` left there" in str(missing.exception)
