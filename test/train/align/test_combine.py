"""Vision and IMU together: trained heads, the studies' tables, and a bundle that is served."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from xmodal_ros.core.probabilities import softmax
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import Modality, Observation, Order, StreamData
from xmodal_ros.nn.architecture import Trunk
from xmodal_ros.runtime.bundle import check_bundle
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.train.align import combinations, losses, space
from xmodal_ros.train.align.bundle import Part, write_bundle
from xmodal_ros.train.align.combine import (
    CAMERA,
    IMU,
    CombineSettings,
    ScheduleSettings,
    combine,
)
from xmodal_ros.train.align.pages import combinations_page, losses_page, space_page
from xmodal_ros.train.align.run import AlignRun


def few_trees(seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(20, random_state=seed)


SMALL = CombineSettings(
    trunk=Trunk(dim=16, attention_heads=2, dropout=0.0),
    schedule=ScheduleSettings(steps=30, batch=32, learning_rate=0.01, validate_every=10),
)


@pytest.fixture(scope="module")
def combined(run, examples, tmp_path_factory):
    return combine(run, examples, tmp_path_factory.mktemp("combined"), SMALL)


def test_it_learns_beside_frozen_encoders(combined, examples):
    assert combined.record["validation"]["accuracy"] > 0.9
    assert combined.record["encoders_sha256"] == combined.record["encoders_sha256_after"]
    chosen = examples.indices("test", labelled=True, seen=True)
    whole = combined.logits(examples, chosen)
    assert (whole.argmax(1) == examples.labels[chosen]).mean() > 0.9
    for stream in (CAMERA, IMU):
        fewer = combined.logits(examples, chosen, drop=(stream,))
        assert np.isfinite(fewer).all()
        assert not np.allclose(fewer, whole)


def test_a_finished_run_is_read_back(combined, run, examples, tmp_path, monkeypatch):
    folder = tmp_path / "again"
    short = replace(SMALL, schedule=replace(SMALL.schedule, steps=10))
    first = combine(run, examples, folder, short)
    monkeypatch.setattr("xmodal_ros.train.align.combine.learn", None)
    again = combine(run, examples, folder, short)
    chosen = examples.indices("test", labelled=True)
    np.testing.assert_array_equal(first.logits(examples, chosen), again.logits(examples, chosen))


def test_a_head_of_one_stream_reads_no_other(run, examples, tmp_path):
    alone = replace(SMALL, streams=(CAMERA,), schedule=replace(SMALL.schedule, steps=10))
    found = combine(run, examples, tmp_path, alone)
    chosen = examples.indices("test", labelled=True, seen=True)
    other = examples.with_windows(np.zeros_like(examples.windows))
    np.testing.assert_array_equal(found.logits(examples, chosen), found.logits(other, chosen))


def test_two_runs_are_served_as_two_heads_of_one_bundle(combined, run, examples, tmp_path):
    watch = replace(SMALL, streams=(IMU,), schedule=replace(SMALL.schedule, steps=10))
    alone = combine(run, examples, tmp_path / "alone", watch)
    facts = (run.settings, examples)
    order = Order(np.array([[0.0, 1.23456], [0.5, 0.0]]), 0.3)
    parts = [
        Part("activity", combined, *facts, {CAMERA: CAMERA, IMU: IMU}, {"seed": 0}, {}),
        Part("people_activity", alone, *facts, {IMU: "watch"}, {"seed": 0}, {}, order),
    ]
    bundle = write_bundle(parts, tmp_path / "both", licence="Apache-2.0", card="A card.")
    assert check_bundle(tmp_path / "both") == []
    assert bundle.heads["people_activity"].labels == ("idle", "shake")
    assert bundle.comparable(CAMERA) == (CAMERA, IMU)
    assert bundle.comparable("watch") == ("watch",)
    row = examples.indices("test", labelled=True)[-1]
    window = StreamData(Modality.IMU, examples.windows[row], (0, 1), 0)
    inference = InferenceSettings(backend="torch", precision="fp32")
    with Predictor(bundle, inference) as predictor:
        found = predictor.predict(Observation(1, "hand", IMU, {IMU: window}))
        assert set(found.heads) == {"activity"}
        logits = combined.logits(examples, np.array([row]), drop=(CAMERA,))[0]
        expected = softmax(logits / combined.record["temperature"])
        np.testing.assert_allclose(found.heads["activity"].probabilities, expected, atol=5e-3)
        silent = replace(window, data=np.zeros_like(window.data))
        strange = predictor.predict(Observation(2, "hand", IMU, {IMU: silent})).ood[IMU]
        assert strange > found.ood[IMU] > 0
        worn = predictor.predict(Observation(1, "wrist", "watch", {"watch": window}))
        assert set(worn.heads) == {"people_activity"}
    assert found.heads["activity"].order is None
    learned = worn.heads["people_activity"].order
    np.testing.assert_array_equal(learned.rates, [[0.0, 1.2346], [0.5, 0.0]])
    assert learned.evidence_s == 0.3


def test_the_table_of_losses(run, examples, settings, tmp_path, monkeypatch):
    short = replace(settings, schedule=replace(settings.schedule, steps=10))
    monkeypatch.setattr(losses, "NORMS", {"LayerNorm": "layer"})
    monkeypatch.setattr(losses, "forest", few_trees)
    found = losses.compare_losses(examples, ["hand"], tmp_path, short, seeds=1)
    titles = [row["variant"] for row in found["rows"]]
    assert titles[:3] == ["supervised, LayerNorm", "InfoNCE, LayerNorm", "both, LayerNorm"]
    scores = {row["variant"]: row["seeds"][0]["test"] for row in found["rows"]}
    assert "prototypes" not in scores["supervised, LayerNorm"]
    assert "classifier" not in scores["InfoNCE, LayerNorm"]
    assert scores["majority"]["classifier"]["balanced_accuracy"] == 0.5
    assert scores["random forest"]["classifier"]["balanced_accuracy"] > 0.9
    page = losses_page(found)
    assert "| both, LayerNorm |" in page
    assert "| majority | 0.500 |" in page


def test_the_table_of_combinations(run, examples, settings, tmp_path, monkeypatch):
    (tmp_path / "both-LayerNorm-0").symlink_to(run.folder)
    rows = (combinations.Row("IMU alone", (IMU,)), combinations.Row("gate", fusion="gate"))
    monkeypatch.setattr(combinations, "ROWS", rows)
    monkeypatch.setattr(combinations, "WEIGHTS", (0.0, 1.0))
    monkeypatch.setattr(combinations, "forest", few_trees)
    monkeypatch.setattr(
        combinations,
        "combine_settings",
        lambda row, settings, seed: replace(
            SMALL, streams=row.streams, trunk=replace(SMALL.trunk, fusion=row.fusion)
        ),
    )
    found = combinations.compare_combinations(examples, ["hand"], tmp_path, settings, seeds=1)
    scores = {row["variant"]: row["seeds"][0]["test"] for row in found["rows"]}
    assert set(scores["gate"]) == {"as mounted", "turned", "no camera", "no imu"}
    assert set(scores["IMU alone"]) == {"as mounted", "turned"}
    # With all the weight on vision, how the IMU is mounted does not matter.
    seen = scores["fixed weights 100:0"]
    assert seen["as mounted"] == seen["turned"]
    assert scores["gate"]["as mounted"]["balanced_accuracy"] > 0.9
    assert "| fixed weights 0:100 |" in combinations_page(found)


def test_the_joint_space_is_measured_and_drawn(run: AlignRun, examples):
    found = space.measure_space(run, examples)
    count = len(examples.indices("test", labelled=True, seen=True))
    assert len(found["points"]["places"]) == 2 * count
    assert found["silhouette"]["activity, camera"] > 0
    drawn = space.draw({"aligned": found}, examples.classes)
    assert drawn.count("<circle") == 2 * 2 * count + 4  # two maps, and both legends of two
    assert "| aligned |" in space_page({"spaces": {"aligned": found}})
