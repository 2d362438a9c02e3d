"""Every example runs, and prints what it says."""

import subprocess
import sys

import pytest

EXAMPLES = {
    "decode": ([], ["12500000000 camera (2, 3, 3) [2 1 0]", "/camera/image_raw"]),
    "synchronize": ([], ["60 observations", "imu window (50, 6)"]),
    "predict": (
        ["--bundle", "{bundle}", "--backend", "torch"],
        ["reads imu: imu, Resampled(samples=64, rate_hz=50.0, lowpass=False)", "material: "],
    ),
    "read_recording": (
        ["{recording}", "--bundle", "{bundle}"],
        ["/imu/data_raw: 300 of sensor_msgs/msg/Imu", "75 observations", "not readable: nothing"],
    ),
    "evaluate": (
        ["{recording}", "--bundle", "{bundle}", "--out", "{out}"],
        ["grasp 75 answers AUC", "material 75 answers no labels"],
    ),
}


def test_every_example_is_tested(repository):
    assert {path.stem for path in (repository / "examples").glob("*.py")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name, repository, tiny_bundle, small_recording, tmp_path):
    arguments, texts = EXAMPLES[name]
    places = {"bundle": tiny_bundle, "recording": small_recording, "out": tmp_path / "out"}
    result = subprocess.run(
        [sys.executable, repository / "examples" / f"{name}.py"]
        + [argument.format(**places) for argument in arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    for text in texts:
        assert text in result.stdout
