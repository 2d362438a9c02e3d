"""Twelve channels of two devices, from MMAct's files to an encoder."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("lightning")

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.train.align.encoder import load_aligned
from xmodal_ros.train.align.settings import read_overrides

BEGIN = datetime(2018, 10, 22, 11, 8, 23)
SENSORS = {
    "acc_watch_clip": 100,
    "acc_phone_clip": 100,
    "gyro_clip": 50,
    "orientation_clip": 50,
}
TWELVE = ("imu.channels=12", "imu.frame=sensor", "windows.turned=0")
SMALL = (
    *TWELVE, "loss.contrastive=0", "imu.width=16", "imu.heads=2", "imu.depth=1", "imu.dropout=0",
    "schedule.steps=30", "schedule.batch=32", "schedule.learning_rate=0.01",
    "vision.level=1", "vision.height=32", "vision.width=32", "vision.weights=random",
)  # fmt: skip


def clip(root: Path, sensor: str, subject: int, activity: str) -> None:
    """3 s; only the phone's orientation tells what is done."""
    rng, hz = np.random.default_rng((subject, len(activity))), SENSORS[sensor]
    values = rng.normal(0.0, 0.1, (3 * hz, 3))
    if sensor == "orientation_clip":
        values[:, 0] += 40.0 if activity == "walking" else -40.0
    elif sensor != "gyro_clip":
        values[:, 2] += 9.81
    lines = []
    for k, row in enumerate(values):
        at = BEGIN + timedelta(seconds=k / hz)
        text = at.strftime("%Y%m%d_%H:%M:%S" + (".%f" if at.microsecond else ""))
        lines.append(",".join([text, *(f"{x:.4f}" for x in row)]))
    path = root / sensor / f"subject{subject}" / "scene1" / "session1" / f"{activity}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two people to train on, one to validate on, one to test on; one clip lacks a sensor."""
    folder = tmp_path_factory.mktemp("mmact")
    for subject in (1, 2, 4, 17):
        for activity in ("walking", "standing"):
            for sensor in SENSORS:
                if (subject, activity, sensor) != (2, "standing", "gyro_clip"):
                    clip(folder, sensor, subject, activity)
    return folder


def test_watch_and_phone_together_are_trained_on(root, tmp_path) -> None:
    from xmodal_ros.cli import app

    options = [part for text in SMALL for part in ("--set", text)]
    result = CliRunner().invoke(
        app, ["align", str(root), "--out", str(tmp_path / "run"), *options], catch_exceptions=False
    )
    assert result.exit_code == 0
    assert "windows are left out: a sensor is absent" in result.output
    record = json.loads((tmp_path / "run" / "align.json").read_text())
    assert record["classes"] == ["standing", "walking"]
    assert record["left_out"] == {"a sensor is absent": record["windows"]["train"] // 3}
    assert record["validation"]["balanced_accuracy"] == 1.0
    model = load_aligned(tmp_path / "run")
    means = model.imu.encoder.norm.running_mean
    assert len(means) == 12
    gravity = means.numpy()[[2, 5]]
    np.testing.assert_allclose(gravity, 9.81, rtol=0.3)  # a running mean of 30 steps


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (
            ("imu.channels=9", "imu.frame=sensor"),
            r"imu.channels: got 9; expected 6 \(acceleration, angular_rate\) or 12 \(watch accel",
        ),
        (
            TWELVE[:2],
            "windows.turned, windows.wobble_deg: got 1 and 0; expected 0 with 12 channels",
        ),
        (TWELVE[:1], "frame: got 'level'; expected sensor: of 12 channels"),
    ],
)
def test_what_does_not_fit_twelve_channels_is_named(overrides, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        read_overrides(overrides)
