"""`xmodal sim`: what it prints, and what it refuses before it begins."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from typer.testing import CliRunner

from xmodal_ros.cli import app
from xmodal_ros.core.errors import DataError, SettingsError

COARSE = (
    "camera.width=32", "camera.height=32", "camera_wrist.enabled=false", "gel.width=64",
    "gel.height=48", "lidar.steps=32", "camera_clock.rate_hz=2", "tactile_left_clock.rate_hz=5",
    "tactile_right_clock.rate_hz=5", "lidar_clock.rate_hz=1", "policy.explore_share=0",
)  # fmt: skip


def _run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["sim", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_data_set_is_made_and_told_of(tmp_path: Path) -> None:
    out = tmp_path / "data"
    settings = [part for name in COARSE for part in ("--set", name)]
    said = _run("dataset", "--out", str(out), "--episodes", "1", "--jobs", "1", *settings)
    assert "1/1 episodes" in said
    assert "times real time" in said
    assert "grasps: 1 " in said
    assert (out / "episode_000000" / "episode_000000.mcap").is_file()
    assert (out / "split.csv").is_file()


def test_unknown_material_names_those_there_are(tmp_path: Path) -> None:
    out = str(tmp_path / "data")
    with pytest.raises(SettingsError, match=r"scene\.materials: unknown name 'jelly'.*denim"):
        _run("dataset", "--out", out, "--set", "scene.materials=wood,jelly")
    with pytest.raises(SettingsError, match="unknown setting 'material'"):
        _run("dataset", "--out", str(tmp_path / "b"), "--set", "scene.material=wood")


def test_an_existing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"exists already\. Name another, or remove it"):
        _run("dataset", "--out", str(tmp_path))


def test_without_the_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "mujoco" else found(name)
    )
    text = r"mujoco: the package is not installed.*requirements/sim\.txt"
    with pytest.raises(DataError, match=text):
        _run("demo", str(tmp_path / "demo"))
