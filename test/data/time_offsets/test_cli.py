"""`xmodal calibrate-time`: the table, the picture, and the settings that it writes."""

from __future__ import annotations

import cv2
import pytest
from typer.testing import CliRunner

from xmodal_ros.cli import app
from xmodal_ros.core.errors import DataError
from xmodal_ros.data.settings_file import load_settings


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(
        app, ["calibrate-time", *arguments], catch_exceptions=False, env={"COLUMNS": "120"}
    )
    return done.exit_code, done.output


def test_offsets_go_into_a_settings_file(tmp_path, shaken, errors_s) -> None:
    file, picture = tmp_path / "robot.yaml", tmp_path / "a" / "motion.png"
    named = ("--write", str(file), "--picture", str(picture))
    code, told = run(str(shaken), *named, "--set", "sync.timeout_s=0.2")
    assert code == 0
    assert "to the clock of tactile_left, compared with imu" in told
    assert "lidar: is not recorded" in told
    written = load_settings(file)
    assert written.sync.timeout_s == 0.2
    offsets = {s.name: s.offset_s for s in written.streams}
    for name in ("camera", "imu", "tactile_right"):
        true_s = errors_s["tactile_left"] - errors_s[name]
        assert offsets[name] == pytest.approx(true_s, abs=0.005)
    assert offsets["tactile_left"] == offsets["lidar"] == 0.0
    assert cv2.imread(str(picture)).shape[1] > 900


def test_nothing_is_written_where_nothing_is_known(tmp_path, write_shaken) -> None:
    short = write_shaken(tmp_path / "short", seconds=5.0)
    file = tmp_path / "robot.yaml"
    code, told = run(str(short), "--write", str(file), "--picture", str(tmp_path / "motion.png"))
    assert code == 1
    assert "tactile_left: 1 windows of 3 s; record at least 15 s" in told
    assert not file.exists()


def test_a_file_is_not_written_over(tmp_path, shaken) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text("sync: {timeout_s: 0.2}\n")
    with pytest.raises(DataError, match=r"robot.yaml: exists already. Name another, or remove it"):
        run(str(shaken), "--write", str(file))
    assert file.read_text() == "sync: {timeout_s: 0.2}\n"
