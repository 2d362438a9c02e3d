"""Held-out people: who is in which part, the filter over time, and the command."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.linalg import expm
from sklearn.metrics import f1_score
from typer.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("lightning")

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.core.types import Order
from xmodal_ros.core.windows import Resampled
from xmodal_ros.data.inertial import read_tracks
from xmodal_ros.train.align import imu_activity
from xmodal_ros.train.align.imu_activity import (
    Asked,
    asked,
    filtered,
    run_people,
    scores,
    watches,
)

LABELS = ["SEATED", "WALKING"]
PEOPLE = ("s01", "s02", "s03", "s04", "s05", "s06", "s07")  # s06 is of the test part


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Seven people who sit for 3 s, then walk for 3 s, with a watch and a phone."""
    folder = tmp_path_factory.mktemp("people")
    (folder / "meta.json").write_text(json.dumps({"labels": LABELS}))
    for number, person in enumerate(PEOPLE):
        rng = np.random.default_rng(number)
        labels = (np.arange(600) >= 300).astype(np.uint8)
        values = rng.normal(0.0, 0.3, (600, 6))
        values[:, 2] += 9.81
        walking = 3.0 * np.sin(6.28 * 2.0 * np.arange(600) / 100 + number)
        values[:, 0] += walking * labels
        arrays = {}
        for device in ("sw", "sp"):
            arrays[f"{person}_01_{device}_x"] = values.astype(np.float32)
            arrays[f"{person}_01_{device}_t"] = 1000 + 10 * np.arange(600)
            arrays[f"{person}_01_{device}_y"] = labels
        np.savez(folder / f"{person}.npz", **arrays)
    return folder


def test_other_people_are_held_out_with_each_seed(root):
    data = read_tracks(root)
    held_out = []
    for seed in range(2):
        parted = watches(data, seed)
        assert {t.device for t in parted.tracks} == {"watch"}
        assert {t.subject for t in parted.part("test")} == {"s06"}
        assert len({t.subject for t in parted.part("train")}) == 3
        held_out.append({t.subject for t in parted.part("validation")})
    assert held_out[0] | held_out[1] == set(PEOPLE) - {"s06"}
    assert watches(data, 0).tracks[0].part == watches(data, 0).tracks[0].part


def test_too_few_people_are_refused(root):
    data = read_tracks(root)
    fewer = type(data)(data.kind, data.root, data.split, data.tracks[:8], data.classes)
    with pytest.raises(DataError, match="4 people with a watch in the train part; expected at le"):
        watches(fewer, 0)


def test_windows_are_asked_every_half_second_and_scored_where_there_is_one_answer(root):
    found = asked(watches(read_tracks(root), 0).part("test"), Resampled(50, 50.0), LABELS)
    # They end at 1.0, 1.5, ..., 6.0 s; that at 3.5 s is half of each.
    assert found.labels.tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert found.scored.tolist() == [True] * 5 + [False] + [True] * 5
    assert found.values.shape == (11, 50, 6)


def test_windows_without_a_known_activity_are_refused(root):
    with pytest.raises(DataError, match="no window has an activity that was trained"):
        asked(watches(read_tracks(root), 0).part("test"), Resampled(50, 50.0), ["RUNNING"])


def test_the_filter_is_the_probability_of_all_paths():
    """Against the sum over every sequence of states."""
    rng = np.random.default_rng(0)
    said = rng.dirichlet(np.ones(3), 5)
    rates = rng.random((3, 3)) * (1 - np.eye(3))
    half_a_second = expm(0.5 * (rates - np.diag(rates.sum(1))))
    found = filtered(said, np.array(list("aaaab")), Order(rates, 0.5))
    for last in range(4):
        total = np.zeros(3)
        for path in np.ndindex(*(3,) * (last + 1)):
            likelihood = said[0, path[0]]
            for k in range(1, last + 1):
                likelihood *= half_a_second[path[k - 1], path[k]] * said[k, path[k]]
            total[path[-1]] += likelihood
        np.testing.assert_allclose(found[last], total / total.sum())
    np.testing.assert_allclose(found[4], said[4])  # another session


def test_scores_are_of_what_has_an_answer():
    labels = np.array([0, 0, 1, 1, 1])
    scored = np.array([True, True, True, True, False])
    values = np.zeros((5, 50, 6), np.float32)
    values[:, :, 2] = 9.81
    values[:, 0, 0] = [0, 1, 1, 1, 0]  # what the classifier below says
    part = Asked(values, labels, scored, np.array(list("aaaaa")))

    def predict(windows):
        said = np.abs(windows[:, 0, 0] - 1) < 1e-6  # only of a sensor that is worn as it was
        return np.stack([1 - 0.9 * said, 0.9 * said], axis=1) + 0.05

    found = scores(predict, part, Order(np.zeros((2, 2)), 0.5), seed=0)
    assert list(found) == ["as worn", "as worn, filtered", "rotated", "rotated, filtered"]
    assert found["as worn"]["balanced_accuracy"] == pytest.approx(0.75)
    expected = f1_score([0, 0, 1, 1], [0, 1, 1, 1], average="macro")
    assert found["as worn"]["macro_f1"] == pytest.approx(expected)
    assert found["as worn"]["count"] == 4
    assert found["rotated"]["balanced_accuracy"] == pytest.approx(0.5)


@pytest.fixture
def short(monkeypatch):
    """Two peers and two encoders."""
    kept = ("majority", "random forest")
    peers = {name: imu_activity.PEERS[name] for name in kept}
    monkeypatch.setattr(imu_activity, "PEERS", peers)
    names = ("encoder, sensor frame", "encoder, both frames")
    monkeypatch.setattr(
        imu_activity, "ENCODERS", {name: imu_activity.ENCODERS[name] for name in names}
    )


SMALL = ("schedule.steps=40", "schedule.batch=32", "imu.width=32", "imu.depth=1")


def test_the_command_writes_a_table(root, short, tmp_path):
    from xmodal_ros.cli import app

    options = [part for text in SMALL for part in ("--set", text)]
    arguments = ["people", str(root), "--out", str(tmp_path / "out"), "--seeds", "1"]
    options += ["--length", "1 s"]
    result = CliRunner().invoke(
        app, [*arguments, "--results", str(tmp_path), *options], catch_exceptions=False
    )
    assert result.exit_code == 0
    found = json.loads((tmp_path / "activity-people.json").read_text())
    assert [row["condition"] for row in found["rows"]] == [
        "majority",
        "random forest",
        "encoder, sensor frame",
        "encoder, both frames",
    ]
    assert len(found["problems"]) == 7  # these are not the people that the split was made of
    for row in found["rows"]:
        (seed,) = row["seeds"]
        assert seed["test"]["as worn"]["count"] == 10
        assert seed["left_out"] == {"neither label nor image": 14}
        balanced = seed["test"]["as worn"]["balanced_accuracy"]
        assert balanced == 0.5 if row["condition"] == "majority" else balanced > 0.6
    text = (tmp_path / "activity-people.md").read_text()
    assert "| 1 s: majority | 0.500 | 0.3" in text
    assert text.index("## Test people") < text.index("## Validation people")
    assert "Left out at most: neither label nor image: 14." in text
    assert "Made by `xmodal people --length '1 s' --set schedule.steps=40" in text


def test_the_test_part_is_not_read_unless_told(root, short, tmp_path):
    (*_, (name, length, found)) = run_people(
        read_tracks(root), tmp_path, 1, ("validation",), [*SMALL, "schedule.steps=1"], ["1 s"]
    )
    assert (name, length) == ("encoder, both frames", "1 s")
    assert "validation" in found
    assert "test" not in found


def test_an_unknown_length_is_refused(root, tmp_path):
    with pytest.raises(SettingsError, match=r"--length: got '3 s'; expected one of 1 s, 2\.56 s"):
        next(run_people(read_tracks(root), tmp_path, 1, lengths=["3 s"]))
