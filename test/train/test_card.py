"""The card's tables say what the JSON files say."""

from __future__ import annotations

from xmodal_ros.train.card import calibration, table
from xmodal_ros.train.study import write


def scores(auc: float, ece: float = 0.1) -> dict[str, float]:
    return {"auc": auc, "balanced_accuracy": 0.5, "ece": ece, "nll": 0.7}


def test_tables_come_from_the_files(tmp_path):
    test = [{"before": scores(0.8, 0.3), "after": scores(a)} for a in (0.8, 0.9)]
    study = {"cross_validation": {"folds": scores(0.75)}, "temperature": 1.5, "test": test}
    write(tmp_path / "grasp.json", study)
    colour = {"cross_validation": {"folds": scores(0.6)}, "test": [scores(0.7)]}
    write(tmp_path / "grasp-baselines.json", {"colour only": colour})
    lines = table(tmp_path, "grasp", {"grasp": "ours"}).splitlines()
    assert lines[2] == "| ours | 0.750 | 0.500 | 0.850 ± 0.050 | 0.500 ± 0.000 |"
    assert lines[3] == "| colour only | 0.600 | 0.500 | 0.700 | 0.500 |"
    last = calibration(tmp_path, ["grasp"]).splitlines()[-1]
    assert last == "| grasp | 1.50 | 0.300 | 0.100 | 0.700 | 0.700 |"
