"""The demonstration recording, made by its command as a user makes it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from xmodal_ros.cli import app
from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import observations


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sim") / "demo"
    done = CliRunner().invoke(app, ["sim", "demo", str(out)], catch_exceptions=False)
    assert (done.exit_code, done.output) == (0, f"{out}\n")
    return out


def test_it_is_short_and_small(recording: Path) -> None:
    with Recording(recording) as opened:
        assert 20e9 < opened.end_ns - opened.start_ns < 30e9
    assert sum(path.stat().st_size for path in recording.iterdir()) < 8e6


def test_a_grasp_fails_and_one_succeeds(recording: Path) -> None:
    assert _labels(recording, "grasp") == ["fail", "", "success", ""]


def test_activities_and_materials(recording: Path) -> None:
    assert set(_labels(recording, "activity")) >= {
        "idle", "reach", "press", "slide", "grasp", "lift", "shake",
    }  # fmt: skip
    assert len(set(_labels(recording, "material")) - {""}) >= 2


def test_every_sensor_is_in_the_observations(recording: Path) -> None:
    settings = Settings.from_mapping(yaml.safe_load((recording / "settings.yaml").read_text()))
    with Recording(recording) as opened:
        replay = observations(opened, settings, {})
        complete = sum(not observation.missing for observation in replay)
        gels = opened.topics["/tactile_left/image_raw/compressed"].count
    assert replay.errors == {}
    assert complete > 0.9 * gels


def test_the_gels_show_what_they_touch(recording: Path) -> None:
    contact = {}
    with Recording(recording) as opened:
        for message in opened.messages(["/truth/contact/tactile_left"]):
            contact[message.message.header.stamp.sec, message.message.header.stamp.nanosec] = (
                message.message.data.any()
            )
        images = [
            (contact[m.message.header.stamp.sec, m.message.header.stamp.nanosec], m.message.data)
            for m in opened.messages(["/tactile_left/image_raw/compressed"])
        ]
    pictures = {
        touched: np.stack([cv2.imdecode(data, 1) for t, data in images if t == touched])
        for touched in (False, True)
    }
    still = pictures[False].astype(float).std(axis=0).mean()
    moved = np.abs(pictures[True] - pictures[False].mean(axis=0)).mean()
    assert moved > 3 * still


def test_an_existing_folder_is_refused(recording: Path) -> None:
    with pytest.raises(DataError, match=r"exists already\. Name another, or remove it"):
        CliRunner().invoke(app, ["sim", "demo", str(recording)], catch_exceptions=False)


def _labels(recording: Path, head: str) -> list[str]:
    with Recording(recording) as opened:
        return [m.message.data for m in opened.messages([f"/labels/{head}"])]
