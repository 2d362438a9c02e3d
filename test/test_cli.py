"""The command line: results, and one clear line for every mistake."""

import json
import subprocess
import sys

import pytest
import yaml

from xmodal_ros.__main__ import main
from xmodal_ros.data.recording import Recording, RecordingWriter


def run(capsys, *arguments):
    """Run a command in this process: exit code, standard output, standard error."""
    with pytest.raises(SystemExit) as exit_:
        main([str(a) for a in arguments])
    written = capsys.readouterr()
    return exit_.value.code or 0, written.out, written.err


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from xmodal_ros.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(*sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    *_, modules = result.stdout.splitlines()
    assert {"torch", "rclpy", "plotly", "sklearn", "cv2", "rosbags"}.isdisjoint(modules.split())


def test_eval_writes_results_and_prints_a_table(capsys, tiny_bundle, small_recording, tmp_path):
    code, out, _ = run(
        capsys, "eval", small_recording, "--bundle", tiny_bundle, "--backend", "torch",
        "--out", tmp_path / "out", "--set", "inference.threads=1",
    )  # fmt: skip
    assert code == 0
    assert "predictions/s" in out
    assert "grasp" in out
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["model"]["backend"] == "torch"


def test_eval_of_several_recordings_has_a_folder_for_each(
    capsys, tiny_bundle, small_recording, tmp_path
):
    with Recording(small_recording) as recording, RecordingWriter(tmp_path / "a") as writer:
        for topic, kind, time_ns, data in recording.raw():
            if time_ns < recording.start_ns + 400_000_000:
                writer.write_raw(topic, kind, time_ns, data)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    code, _, _ = run(
        capsys, "eval", tmp_path / "a", tmp_path / "b", "--bundle", tiny_bundle,
        "--backend", "torch", "--out", tmp_path / "out", "--set", "inference.threads=1",
    )  # fmt: skip
    assert code == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["eval", "nowhere"], "nowhere: there is no such file or folder"),
        (["eval", ".", "--set", "sync.timeout=1"], "Did you mean 'timeout_s'?"),
        (["eval", ".", "--set", "nonsense"], "--set: got 'nonsense'; expected group.name=value"),
        (
            ["eval", ".", "--backend", "magic"],
            "inference.backend: got 'magic'; expected one of auto",
        ),
        (["eval", ".", "--settings", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["eval", "a/x.mcap", "b/x.mcap"], "there is no such file or folder"),
        (["record-demo", "."], ".: exists already. Name another, or remove it"),
        (["record-demo", "new", "--data", "nowhere"], "nowhere: there is no such folder"),
        (["bundle", "show", "nowhere"], "nowhere: there is no such folder"),
        (["demo", "--recording", "nowhere"], "nowhere: there is no such file or folder"),
    ],
)
def test_a_mistake_is_told_in_one_line(capsys, tmp_path, monkeypatch, arguments, text):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert text in err
    assert len(err.strip().splitlines()) == 1


def test_two_recordings_of_one_name_are_refused(capsys, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.mcap").touch()
    code, _, err = run(capsys, "eval", tmp_path / "a/x.mcap", tmp_path / "b/x.mcap")
    assert code == 2
    assert "x: two recordings have the same name" in err


def test_settings_are_printed_with_overrides_and_the_other_streams_kept(capsys):
    code, out, _ = run(capsys, "settings", "--set", "streams.camera.topic=/wrist/image")
    values = yaml.safe_load(out)
    assert code == 0
    assert values["streams"]["camera"]["topic"] == "/wrist/image"
    assert "imu" in values["streams"]


def test_settings_of_a_ros_parameter_file(capsys, tmp_path):
    file = tmp_path / "node.yaml"
    parameters = {
        "streams": ["camera", "imu"],
        "camera.topic": "/wrist/image",
        "sync": {"timeout_s": 0.3},
        "use_sim_time": True,
    }
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}))
    _, out, _ = run(capsys, "settings", "--settings", file)
    values = yaml.safe_load(out)
    assert list(values["streams"]) == ["camera", "imu"]
    assert values["streams"]["camera"]["topic"] == "/wrist/image"
    assert values["sync"]["timeout_s"] == 0.3


def test_bundle_check_names_everything_that_is_wrong(capsys, tiny_bundle, tmp_path):
    assert run(capsys, "bundle", "check", tiny_bundle)[0] == 0
    (tmp_path / "bundle.yaml").write_text("format: 7\n")
    code, out, _ = run(capsys, "bundle", "check", tmp_path)
    assert code == 1
    assert "weights.safetensors is missing" in out
    assert "format is 7, expected 1" in out


def test_bundle_export_wants_a_recording_with_every_stream(
    capsys, tiny_bundle, small_recording, tmp_path
):
    with Recording(small_recording) as source, RecordingWriter(tmp_path / "gel") as writer:
        for topic, kind, time_ns, data in source.raw(["/tactile_left/image_raw"]):
            writer.write_raw(topic, kind, time_ns, data)
    code, _, err = run(capsys, "bundle", "export", tiny_bundle, tmp_path / "gel")
    assert code == 2
    assert "gives no observation with every stream; expected camera, tactile_left" in err


def test_bundle_show_tells_inputs_and_heads(capsys, tiny_bundle):
    code, out, _ = run(capsys, "bundle", "show", tiny_bundle)
    assert code == 0
    for text in ("tiny", "tactile_left", "standing_up", "Clip(frames=4"):
        assert text in out
