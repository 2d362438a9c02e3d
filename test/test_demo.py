"""The demonstration on a small recording with a tiny bundle, through a real ROS graph."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not there (`make test` installs it)")

from xmodal_ros.data.recording import Recording
from xmodal_ros.eval.parity import compare, read_answers

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def command(recording, bundle, out):
    arguments = ["--recording", recording, "--bundle", bundle, "--out", out]
    return [sys.executable, "-m", "xmodal_ros", "demo", *map(str, arguments)]


def command_lines():
    """Of all processes that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


@pytest.fixture(scope="module")
def shown(small_recording, tiny_bundle, tmp_path_factory):
    """Of a recording with settings of its own: the camera is left out of half of the sets."""
    out = tmp_path_factory.mktemp("demo")
    recording = shutil.copytree(small_recording, out / "small")
    streams = ("camera: {tolerance_s: 0.02}", "tactile_left: {}", "tactile_right: {}", "imu: {}")
    (recording / "settings.yaml").write_text(f"streams: {{{', '.join(streams)}}}")
    result = subprocess.run(
        command(recording, tiny_bundle, out),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return out, result.stdout


def test_lock_step_gives_the_offline_predictions_bit_by_bit(shown):
    out, _ = shown
    parity = compare(read_answers(out / "lock_step"), read_answers(out / "predictions"))
    assert parity.complete
    heads = [head for head, _ in read_answers(out / "lock_step")]
    assert set(heads) == {"material", "grasp", "activity"}
    assert heads.count("material") < heads.count("grasp")  # live, too


def test_the_summary_tells_what_the_live_run_gave(shown):
    out, _ = shown
    live = json.loads((out / "summary.json").read_text())["live"]
    assert live["parity"]["lock-step"]["equal"] == live["parity"]["lock-step"]["second"]
    assert live["parity"]["real time"]["common"] > 0
    assert live["latency_ms"]["p50"] > 0
    assert live["dropped_sets"] >= 0


def test_live_predictions_are_a_recording(shown):
    out, _ = shown
    with Recording(out / "live") as recording:
        assert set(recording.topics) <= {
            f"/perception/{h}" for h in ("material", "grasp", "activity")
        }
        assert recording.message_count > 0


def test_without_a_terminal_it_prints_plain_lines(shown):
    _, text = shown
    assert "\x1b" not in text
    assert "of the same stamp" in text
    assert "report.html" in text


def test_the_report_has_the_live_run(shown):
    out, _ = shown
    assert "through the live node" in (out / "report.html").read_text()


def test_a_node_that_fails_ends_it_with_its_reason(small_recording, tmp_path):
    result = subprocess.run(
        command(small_recording, tmp_path / "none", tmp_path / "out"),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    assert result.returncode == 2
    assert "there is no such folder" in result.stderr


def test_interrupted_it_leaves_no_process(small_recording, tiny_bundle, tmp_path):
    demo = subprocess.Popen(
        command(small_recording, tiny_bundle, tmp_path / "out"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    log, end = tmp_path / "out" / "logs" / "node_live.log", time.monotonic() + 60
    while "active" not in (log.read_text() if log.exists() else "") and time.monotonic() < end:
        time.sleep(0.1)
    demo.send_signal(signal.SIGINT)
    assert demo.wait(60) != 0
    assert not [line for line in command_lines() if str(small_recording) in line]
    assert not [line for line in command_lines() if str(tmp_path) in line]
