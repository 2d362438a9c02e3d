"""Touch and Go: its lists, its official split that leaks, and one that does not."""

from __future__ import annotations

import logging
import shutil

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.visual_tactile import open_dataset, read_dataset
from xmodal_ros.data.visual_tactile.example import leaks

FIRST, SECOND, THIRD, FOURTH = (
    "20220318_100000", "20220318_110000", "20220319_120000", "20220320_130000",
)  # fmt: skip


def test_official_lists(touch_and_go) -> None:
    data = read_dataset(touch_and_go, split="official")
    assert (data.kind, data.split, data.problems) == ("touch_and_go", "official", ())
    found = {example.name: (example.part, dict(example.labels)) for example in data.examples}
    wood = {"material": "wood", "hardness": "hard"}
    assert found == {
        f"{FIRST}/0000000000": ("train", {**wood, "roughness": "1"}),
        f"{FIRST}/0000000001": ("train", {**wood, "roughness": "1"}),
        f"{FIRST}/0000000002": ("train", wood),
        f"{FIRST}/0000000003": ("train", wood),
        f"{SECOND}/0000000000": ("train", wood),
        f"{SECOND}/0000000001": ("train", wood),
        f"{SECOND}/0000000002": ("test", wood),
        f"{SECOND}/0000000003": ("test", wood),
        f"{THIRD}/0000000000": ("test", {"roughness": "0"}),
        f"{FOURTH}/0000000000": ("pretrain", {}),
        f"{FOURTH}/0000000001": ("pretrain", {}),
    }


def test_images_are_pairs_of_the_same_number(touch_and_go, scene, gel) -> None:
    data = open_dataset(touch_and_go)
    example = next(e for e in data.examples if e.name == f"{SECOND}/0000000001")
    images = data.load(example)
    assert images["camera"].shape == images["tactile"].shape == (1, 48, 64, 3)
    for stream, drawn in (("camera", scene(6)), ("tactile", gel(6))):
        assert np.abs(images[stream][0].astype(int) - drawn).mean() < 12  # JPEG


def test_the_default_split_keeps_videos_together(touch_and_go) -> None:
    data = open_dataset(touch_and_go)
    assert data.split == "disjoint"
    assert not leaks(data.examples)
    assert len(data.examples) == 16  # label.txt has all of them
    assert data.classes("material") == ("rubber", "wood")
    assert {e.part for e in data.examples if e.group == FOURTH} == {"train"}, "its only rubber"


def test_the_official_split_is_used_with_a_warning(touch_and_go, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        open_dataset(touch_and_go, split="official")
    assert (
        f"leaks: 1 groups are in several parts, such as '{SECOND}' in test and tr" in caplog.text
    )


@pytest.mark.parametrize(("number", "hardness"), [(7, "soft"), (10, "hard"), (13, "soft")])
def test_hardness_follows_from_the_material(touch_and_go, number, hardness) -> None:
    (touch_and_go / "label.txt").write_text(f"{FOURTH}/0000000002.jpg,{number}")
    data = read_dataset(touch_and_go)
    example = next(e for e in data.examples if e.name == f"{FOURTH}/0000000002")
    assert example.labels["hardness"] == hardness


def test_inconclusive_frames_are_pairs_without_a_label(touch_and_go) -> None:
    (touch_and_go / "label.txt").write_text(f"{THIRD}/0000000002.jpg,-1\n")
    data = read_dataset(touch_and_go)
    example = next(e for e in data.examples if e.name == f"{THIRD}/0000000002")
    assert not example.labels
    assert not data.problems


def test_missing_frames_are_named_and_left_out(touch_and_go) -> None:
    folder = touch_and_go / "dataset"
    (folder / SECOND / "gelsight_frame" / "0000000002.jpg").unlink()
    shutil.rmtree(folder / FIRST)
    data = read_dataset(touch_and_go)
    missing = [problem.where for problem in data.problems if problem.kind == "missing"]
    assert len(data.problems) == len(missing) == 1 + 2 * 4
    assert str(folder / SECOND / "gelsight_frame" / "0000000002.jpg") in missing
    assert str(folder / FIRST / "video_frame" / "0000000000.jpg") in missing
    assert len(data.examples) == 16 - 5
    assert data.notes == (
        f"{SECOND}: 4 camera and 3 gel frames; the smaller number are pairs",
    )  # fmt: skip


def test_lines_that_cannot_be_are_named(touch_and_go) -> None:
    with (touch_and_go / "train.txt").open("a") as stream:
        stream.write(f"\nrubbish\n{FIRST}/0000000003.jpg,20\n{FIRST}/0000000003.jpg,4")
    problems = [str(problem) for problem in read_dataset(touch_and_go, split="official").problems]
    where = f"label: {touch_and_go / 'train.txt'}, line"
    assert problems == [
        f"{where} 7: got 'rubbish'; expected <video>/<10 digits>.jpg,<integer>",
        f"{where} 8: class 20",
        f"{where} 9: material is metal here, wood in another line or list",
    ]  # fmt: skip


def test_a_frame_in_train_and_test(touch_and_go) -> None:
    with (touch_and_go / "test.txt").open("a") as stream:
        stream.write(f"\n{FIRST}/0000000003.jpg,3")
    (problem,) = read_dataset(touch_and_go, split="official").problems
    assert (problem.kind, problem.what) == ("leak", f"{FIRST}/0000000003 is in train too")
    assert problem.where == f"{touch_and_go / 'test.txt'}, line 3"


def test_the_official_split_needs_its_lists(touch_and_go) -> None:
    (touch_and_go / "test.txt").unlink()
    with pytest.raises(DataError, match=r"a list is missing; expected train\.txt and test\.txt"):
        read_dataset(touch_and_go, split="official")
