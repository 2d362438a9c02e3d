"""`gelsight_slip` by the common interface, small and real."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.visual_tactile import open_dataset, read_dataset

MANIFEST = "grasp,object,slip,split\ncup_00,cup,1,train\nball_00,ball,0,test\n"


@pytest.fixture
def root(tmp_path, gel):
    (tmp_path / "manifest.csv").write_text(MANIFEST)
    (tmp_path / "clips").mkdir()
    for name in ("cup_00_L", "cup_00_R", "ball_00_L", "ball_00_R"):
        path = str(tmp_path / "clips" / f"{name}.avi")
        writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
        for k in range(3):
            writer.write(gel(k + len(name)))
        writer.release()
    return tmp_path


def test_clips_of_both_fingers(root) -> None:
    data = open_dataset(root)
    assert [(e.name, e.group, e.part, dict(e.labels)) for e in data.examples] == [
        ("cup_00", "cup", "train", {"grasp": "fail"}),
        ("ball_00", "ball", "test", {"grasp": "success"}),
    ]
    images = data.load(data.examples[0])
    assert {stream: clip.shape for stream, clip in images.items()} == {
        "tactile_left": (3, 48, 64, 3),
        "tactile_right": (3, 48, 64, 3),
    }


def test_a_grasp_that_lacks_a_clip_is_named_and_left_out(root) -> None:
    (root / "clips" / "cup_00_R.avi").unlink()
    data = read_dataset(root)
    (problem,) = data.problems
    assert str(problem) == f"missing: {root / 'clips' / 'cup_00_R.avi'}: no such file"
    assert [e.name for e in data.examples] == ["ball_00"]


def test_a_part_that_is_not_there(root) -> None:
    with pytest.raises(DataError, match="no part 'validation'; expected one of train, test"):
        open_dataset(root).part("validation")


def test_the_real_one(shared_data) -> None:
    data = open_dataset(shared_data / "gelsight_slip")
    assert (len(data.part("train")), len(data.part("test"))) == (101, 48)
    assert len(data.sha256) == 298, "every clip is in the project's split file"


def test_clips_of_training_end_at_several_moments(shared_data) -> None:
    data = open_dataset(shared_data / "gelsight_slip", history_s=0.3)
    assert (len(data.part("train")), len(data.part("test"))) == (6 * 101, 48)
    whole = open_dataset(shared_data / "gelsight_slip")
    clips = {e.name: e for e in whole.examples}
    for example in (data.part("train")[1], data.part("test")[0]):
        grasp, _, last = example.name.partition("@")
        reached = range(int(last) - 8, int(last) + 1)  # 0.3 s at 25 Hz, rounded up
        expected = data.load(clips[grasp])["tactile_right"][list(reached)]
        np.testing.assert_array_equal(data.load(example)["tactile_right"], expected)
    assert {e.name.partition("@")[2] for e in data.part("test")} == {"47"}
    assert len(data.sha256) == 298
