"""The table of calibration by the streams that are there."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")


@pytest.fixture
def page(monkeypatch, repository):
    monkeypatch.syspath_prepend(str(repository / "tools"))
    from subset_calibration import subsets_page

    return subsets_page


def test_the_table_has_means_and_spreads_over_seeds(page) -> None:
    def seed(before: float, accuracy: float) -> dict:
        found = {"accuracy": accuracy, "temperature": 2.0, "before": before, "after": 0.01}
        return {"camera": {"material": found}, "camera+imu": {"material": found}}

    lines = page([seed(0.1, 0.5), seed(0.3, 0.6), seed(0.2, 0.7)]).splitlines()
    assert "Mean over 3 seeds" in lines[2]
    assert lines[-2:] == [
        f"| {there} | material | 0.600 | 0.200 ± 0.100 | 0.010 ± 0.000 |"
        for there in ("camera", "camera+imu")
    ]
