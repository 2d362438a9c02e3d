"""What smoothing makes of activities: the numbers, from predictions whose course is known."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("torch")

from xmodal_ros.core.types import HeadPrediction, Order, Prediction
from xmodal_ros.data.splits import write_split

RATES = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])


@pytest.fixture
def tool(monkeypatch, repository):
    monkeypatch.syspath_prepend(str(repository / "tools"))
    import activity_smoothing

    return activity_smoothing


def answer(step: int, probability: float) -> Prediction:
    values = np.array([1 - probability, probability / 2, probability / 2], np.float32)
    head = HeadPrediction(
        "activity", ("a", "b", "c"), values, 0, 0.0, False, 4, 4, order=Order(RATES, 1.0)
    )
    return Prediction(step * 100_000_000, "", {"activity": head}, {}, {}, "m", "h")


def test_a_flicker_counts_as_two_transitions_until_it_is_held_back(tool) -> None:
    steps = [0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9]
    truth = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, -1])
    run = tool.Run([answer(k, p) for k, p in enumerate(steps)], truth)
    plain, held = (tool.measured([run], "activity", v, RATES) for v in ({}, {"hold_s": 0.1}))
    assert plain["answers"] == 9
    assert plain["accuracy"] == pytest.approx(8 / 9)
    assert plain["transitions_per_minute"] == pytest.approx(60 * 3)  # in 1 s
    assert held["accuracy"] == pytest.approx(8 / 9)  # no flicker, and one answer late
    assert held["transitions_per_minute"] == pytest.approx(60 * 1)
    assert held["true_transitions_per_minute"] == pytest.approx(60 * 1)


def test_the_shorter_the_time_in_which_answers_count_as_one_the_more_they_tell(tool) -> None:
    run = tool.Run([answer(k, 0.6) for k in range(5)], np.ones(5, np.int64))
    slow, same, own, fast = (
        tool.measured([run], "activity", {"method": "hmm", **more}, RATES)["nll"]
        for more in ({"evidence_s": 10.0}, {"evidence_s": 1.0}, {}, {"evidence_s": 0.1})
    )
    assert same == own
    assert len({slow, own, fast}) == 3


def test_the_table_of_recordings(tool, tiny_bundle, small_recording, tmp_path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    [file] = small_recording.glob("*.mcap")
    rows = []
    for part in ("train", "validation"):  # and no test part
        shutil.copytree(small_recording, root / part)
        rows.append((f"{part}/{file.name}", part, part))
    write_split(root / "split.csv", root, rows)
    (root / "settings.yaml").write_text("streams: {imu: {}}\n")
    tool.main(tiny_bundle, root, test=False, out=tmp_path)

    found = json.loads((tmp_path / "activity-smoothing.json").read_text())
    [(part, rows)] = found["rows"].items()
    assert part == "validation"
    assert [row["settings"] for row in rows] == list(tool.VARIANTS)
    assert rows[0]["answers"] > 10
    table = (tmp_path / "activity-smoothing.md").read_text()
    assert table.count("\n| ") == len(tool.VARIANTS) + 1
    assert "| method hmm, evidence_s 0.2 |" in table
