"""Materials that are taught from a recording."""

import numpy as np
import pytest

from xmodal_ros.__main__ import main
from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings
from xmodal_ros.data.fields import image_fields
from xmodal_ros.data.recording import Recording, RecordingWriter
from xmodal_ros.eval.adapt import adapt
from xmodal_ros.eval.evaluate import evaluate
from xmodal_ros.runtime.contact import NoContact
from xmodal_ros.runtime.teach import LikeAnother, NotPossible


@pytest.fixture
def settings(touch_bundle, tmp_path):
    inference = {"bundle": str(touch_bundle), "backend": "torch", "threads": 1}
    taught = str(tmp_path / "taught.safetensors")
    return Settings.from_mapping({"inference": {**inference, "taught": taught}})


def answers(folder):
    """Label of each prediction, by its time in s, and its probabilities."""
    with Recording(folder / "predictions") as source:
        found = [m for _, _, _, m in source.messages(["/perception/material"])]
    times = [m.header.stamp.sec % 100 + m.header.stamp.nanosec * 1e-9 for m in found]
    return {
        round(t, 2): (m.label, np.array(m.probabilities))
        for t, m in zip(times, found, strict=True)
    }


def test_labels_name_what_is_touched_and_the_evaluation_knows_it(
    settings, touching_recording, tmp_path
):
    lessons = adapt(touching_recording, settings, force=True)
    assert [(x.name, x.touches) for x in lessons] == [("cork", 2), ("amber", 1)]  # wood is known

    summary = evaluate(touching_recording, tmp_path / "out", settings)
    assert summary["heads"]["material"]["labels"][3:] == ["cork", "amber"]
    found = answers(tmp_path / "out")
    assert all(len(p) == 5 for _, p in found.values())
    assert found[1.7][0] in ("cork", "amber")


def test_all_touches_are_of_what_is_named(settings, touching_recording):
    (lesson,) = adapt(touching_recording, settings, "glue")
    assert (lesson.name, lesson.touches) == ("glue", 4)
    with pytest.raises(LikeAnother, match="'paste': the touches are like 'glue'"):
        adapt(touching_recording, settings, "paste")


def record(path, depths, label=""):
    """A gel that is pressed so much at each step, and what it touches."""
    with RecordingWriter(path) as writer:
        begin_ns = 10**18
        if label:
            said = {"data": label}
            writer.write("/labels/material", "std_msgs/msg/String", begin_ns, said)
        for step, depth in enumerate(depths):
            now_ns = begin_ns + step * 10**8
            image = np.full((48, 64, 3), 90, np.uint8)
            image[12:36, 16:48] += np.uint8(100 * depth)
            fields = image_fields(now_ns, "finger", image)
            writer.write("/tactile_left/image_raw", "sensor_msgs/msg/Image", now_ns, fields)
    return path


def test_recordings_that_teach_nothing(settings, tmp_path):
    still = record(tmp_path / "still", [0] * 10)
    with pytest.raises(NoContact, match="still: nothing touches a gel in it"):
        adapt(still, settings, "cork")
    wood = record(tmp_path / "wood", [0] * 6 + [1] * 4, "wood")
    with pytest.raises(DataError, match="wood: none of its 1 touches has a label that the bundle"):
        adapt(wood, settings)
    with pytest.raises(NotPossible, match="still: no file is named for what is taught"):
        adapt(still, Settings(), "cork")


def test_the_command(capsys, touching_recording, touch_bundle, tmp_path):
    with pytest.raises(SystemExit) as exit_:
        main([
            "adapt", str(touching_recording), "--name", "glue", "--bundle", str(touch_bundle),
            "--taught", str(tmp_path / "glue"), "--set", "inference.backend=torch",
        ])  # fmt: skip
    assert not exit_.value.code
    assert "'glue' is known from 4 touches; it is known better" in capsys.readouterr().out
    assert (tmp_path / "glue").is_file()
