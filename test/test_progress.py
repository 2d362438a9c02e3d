"""The progress bar of commands, on a console that keeps what it is told."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from xmodal_ros import progress
from xmodal_ros.progress import progress_bar


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=100, force_terminal=False)


def test_it_shows_title_and_what_is_told(console):
    with progress_bar(console, "runs [all]", 4) as bar:
        bar.update(3, "3/4, variant [b]")
    shown = console.file.getvalue()
    assert "runs [all]" in shown
    assert "3/4, variant [b]" in shown


def test_without_a_total_nothing_is_shown_before_the_first_update(console):
    with progress_bar(console, "looking"):
        pass
    assert "looking" not in console.file.getvalue()
    with progress_bar(console, "looking") as bar:
        bar.update(1, "1/2", total=2)
    assert "1/2" in console.file.getvalue()


def test_a_rate_counts_from_when_it_was_asked_first(console, monkeypatch):
    times = iter([10.0, 12.0])
    with progress_bar(console, "episodes", 3) as bar:
        monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
        first, second = bar.rate(0), bar.rate(6)
        monkeypatch.undo()
    assert (first, second) == (0.0, 3.0)
