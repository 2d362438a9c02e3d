"""The card of `models/touch` from results files."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")


@pytest.fixture
def card(monkeypatch, repository):
    monkeypatch.syspath_prepend(str(repository / "tools"))
    from release_touch import card

    return card


def scores(accuracy: float) -> dict[str, float]:
    return {
        "accuracy": accuracy, "balanced_accuracy": accuracy, "auc": 0.9, "ece": 0.02, "count": 40,
    }  # fmt: skip


def experiment(question: str, accuracy: float, test_data: str = "") -> str:
    row = {"variant": "A", "condition": "", "seeds": [{"test": {"grasp": scores(accuracy)}}]}
    found = {"question": question, "test_data": test_data, "parts": ["test"], "rows": [row]}
    return json.dumps(found)


def test_the_card_has_the_tables_of_all_results(card, tmp_path) -> None:
    (tmp_path / "touch-conditioning.json").write_text(experiment("Does it help?", 0.61))
    (tmp_path / "touch-conditioning-on-other.json").write_text(
        experiment("Does it help?", 0.62, "other")
    )
    (tmp_path / "focus.md").write_text(
        "# Focus\n\n| touch | energy |\n|---|---|\n| ball | 0.63 |\n"
    )
    made = {"data": ["cell"], "seeds": [{"cell": {"grasp": scores(a)}} for a in (0.5, 0.6)]}
    text = card(made, tmp_path)
    assert "| cell | grasp | 40 | 0.550 ± 0.050 |" in text
    first, other = (
        text.index("### Does it help?\n"),
        text.index("### Does it help? Tested on other."),
    )
    assert first < text.index("| A | 0.610 |") < other < text.index("| A | 0.620 |")
    assert "| ball | 0.63 |" in text
    assert "<" not in text.replace("<=", "")
