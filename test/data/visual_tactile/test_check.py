"""`xmodal data check`: each fault of a data set, planted alone in a good one, is what is told."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.cli import data_app
from xmodal_ros.data.splits import write_split
from xmodal_ros.data.visual_tactile import KINDS, read_dataset
from xmodal_ros.data.visual_tactile.check import check

PARTS = {"a": "train", "b": "train", "c": "test", "d": "test"}
COUNT = 12
"""Pairs of each object."""
LABELS = {"a": "wood", "b": "steel", "c": "wood", "d": "steel"}


@pytest.fixture
def root(tmp_path, scene, gel, write_image):
    """Four objects with their pairs, in the layout of the ObjectFolder benchmark."""
    write_tree(tmp_path, scene, gel, write_image)
    return tmp_path


def write_tree(root, draw_seen, draw_felt, write_image) -> None:
    for number, name in enumerate(PARTS):
        for instance in range(COUNT):
            file, seed = f"{instance}.png", 100 * number + instance
            write_image(root / "vision" / name / file, draw_seen(seed))
            write_image(root / "touch" / name / file, draw_felt(seed))
    split = {part: [] for part in ("train", "test")}
    for name, part in PARTS.items():
        split[part] += [[name, instance] for instance in range(COUNT)]
    (root / "split.json").write_text(json.dumps(split))
    (root / "label.json").write_text(json.dumps(LABELS))


def problems_of(root, **arguments) -> list[str]:
    return [str(problem) for problem in check(read_dataset(root, **arguments)).problems]


def exchange(first, second) -> None:
    between = first.with_suffix(".between")
    first.rename(between)
    second.rename(first)
    between.rename(second)


def test_a_good_one(root) -> None:
    report = check(read_dataset(root))
    assert report.good
    assert report.notes == ()
    assert report.examples == {"train": 2 * COUNT, "test": 2 * COUNT}
    assert report.groups == {"train": 2, "test": 2}


def test_unreadable(root) -> None:
    for path, content in (("vision/a/0.png", b"rubbish"), ("touch/b/3.png", None)):
        old = (root / path).read_bytes()
        (root / path).write_bytes(old[:-30] if content is None else content)
    first, second = problems_of(root)
    assert first == f"unreadable: {root / 'vision/a/0.png'}: cannot be decoded"
    assert second.startswith(f"unreadable: {root / 'touch/b/3.png'}: ")


@pytest.mark.parametrize("same_size", [True, False])
def test_swapped(tmp_path, scene, gel, write_image, same_size) -> None:
    size = (48, 64) if same_size else (30, 40)
    write_tree(tmp_path, scene, lambda seed: gel(seed, *size), write_image)
    seen, felt = tmp_path / "vision" / "b" / "2.png", tmp_path / "touch" / "b" / "2.png"
    exchange(seen, felt)
    assert problems_of(tmp_path) == [f"swapped: b/2: {seen} and {felt} look exchanged"]


def test_whether_pairs_are_swapped_may_not_be_told(tmp_path, gel, write_image) -> None:
    write_tree(tmp_path, lambda seed: gel(seed + 500), gel, write_image)
    exchange(tmp_path / "vision" / "b" / "2.png", tmp_path / "touch" / "b" / "2.png")
    report = check(read_dataset(tmp_path))
    assert report.good
    assert report.notes == ("whether images of camera and tactile are exchanged cannot be told",)


def test_wrong_size(root, gel, write_image) -> None:
    path = write_image(root / "touch" / "c" / "1.png", gel(21, 50, 60))
    (problem,) = problems_of(root)
    assert problem == f"size: {path}: is 60x50; 47 of 48 are 64x48"


def test_sizes_that_vary_are_no_fault(tmp_path, scene, gel, write_image) -> None:
    write_tree(tmp_path, lambda seed: scene(seed, 40 + seed, 60), gel, write_image)
    assert problems_of(tmp_path) == []


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_gels(root, gel, write_image, channels) -> None:
    grey = cv2.cvtColor(gel(0), cv2.COLOR_RGB2GRAY)
    image = grey if channels == 1 else np.dstack([grey] * 3)
    path = write_image(root / "touch" / "a" / "0.png", image)
    assert problems_of(root) == [f"grey: {path}: a gel image without colour"]


def test_sixteen_bits(root, gel, write_image) -> None:
    path = write_image(root / "touch" / "a" / "0.png", gel(0).astype(np.uint16) * 257)
    assert problems_of(root) == [f"depth: {path}: 16 bits per channel; expected 8"]


def test_the_same_image_twice(root) -> None:
    first, second, third = (root / "touch" / n for n in ("a/0.png", "a/1.png", "c/0.png"))
    shutil.copy(first, second)
    shutil.copy(first, third)
    assert problems_of(root) == [
        f"duplicated: {second}: the same bytes as {first}",
        f"leak: {third}: the same bytes as {first}, which is in train, not test",
    ]


def test_an_object_in_two_parts(root) -> None:
    split = json.loads((root / "split.json").read_text())
    split["test"].append(split["train"].pop(0))
    (root / "split.json").write_text(json.dumps(split))
    (problem,) = problems_of(root)
    assert problem == f"leak: {root}, split 'official': of 'a' are 1 in test and 11 in train"


def test_a_class_that_is_not_trained(root) -> None:
    (root / "label.json").write_text(json.dumps({**LABELS, "b": "wood"}))
    (problem,) = problems_of(root)
    assert problem == (
        f"class: {root}, split 'official': material 'steel' is 12 times in test, never in train"
    )


def test_a_file_that_is_not_what_the_split_was_made_of(tmp_path, record) -> None:
    for k, name in enumerate(("one", "two")):
        record(tmp_path / name, seed=100 * k)
    rows = [(f"{n}/{n}.mcap", n, p) for n, p in (("one", "train"), ("two", "test"))]
    write_split(tmp_path / "split.csv", tmp_path, rows)
    assert problems_of(tmp_path) == []
    shutil.rmtree(tmp_path / "two")
    record(tmp_path / "two", seed=300)
    assert problems_of(tmp_path) == [
        f"changed: {tmp_path / 'two' / 'two.mcap'}: not what the split was made of"
    ]
    text = (tmp_path / "split.csv").read_text().replace("two/two.mcap", "two")  # its folder
    (tmp_path / "split.csv").write_text(text)
    assert problems_of(tmp_path) == [
        f"changed: {tmp_path / 'two'}: not what the split was made of"
    ]


def test_counts_and_baselines(root) -> None:
    (root / "label.json").write_text(json.dumps({"a": "wood", "c": "steel", "d": "steel"}))
    report = check(read_dataset(root))
    train, test = (report.heads["material"][part] for part in ("train", "test"))
    assert (train.counts, train.majority, train.constant) == ({"wood": 12}, 1.0, 1.0)
    assert (test.counts, test.majority, test.constant) == ({"steel": 24}, 1.0, 0.0)


def test_the_official_split_of_touch_and_go_leaks(touch_and_go) -> None:
    where = f"{touch_and_go}, split 'official'"
    assert problems_of(touch_and_go, split="official") == [
        f"class: {where}: roughness '0' is 1 times in test, never in train",
        f"leak: {where}: of '20220318_110000' are 2 in test and 2 in train",
    ]


def test_progress(root) -> None:
    calls = []
    check(read_dataset(root), lambda done, total: calls.append((done, total)))
    assert calls == [(k, 96) for k in range(1, 97)]


def test_exit_code_and_json(root) -> None:
    run = CliRunner().invoke
    good = run(data_app, ["check", str(root)])
    assert (good.exit_code, "nothing is wrong with it" in good.output) == (0, True)
    shutil.copy(root / "touch/a/0.png", root / "touch/a/1.png")
    bad = run(data_app, ["check", str(root)])
    assert (bad.exit_code, "objectfolder): problems: 1 duplicated" in bad.output) == (1, True)
    assert f"duplicated: {root / 'touch/a/1.png'}: the same" in bad.output
    told = run(
        data_app, ["check", str(root), "--kind", "objectfolder", "--split", "official", "--json"]
    )
    assert told.exit_code == 1
    content = json.loads(told.output)
    assert (content["good"], content["examples"]) == (
        False,
        {"train": 2 * COUNT, "test": 2 * COUNT},
    )
    assert [problem["kind"] for problem in content["problems"]] == ["duplicated"]
    assert content["heads"]["material"]["test"]["majority"] == 0.5


def test_a_note_on_many_places_is_told_once(root, monkeypatch) -> None:
    from xmodal_ros.data import cli

    notes = ("a.mcap: too few", "nothing said of: it", "b.mcap: too few", "c.mcap: too few")
    report = replace(check(read_dataset(root)), notes=(*notes, "it cannot be told"))
    monkeypatch.setattr(cli, "_check", lambda *_: report)
    lines = CliRunner().invoke(data_app, ["check", str(root)]).output.splitlines()
    assert [line for line in lines if line.startswith("note: ")] == [
        "note: a.mcap: too few (and 2 more like it)",
        "note: nothing said of: it",
        "note: it cannot be told",
    ]


def test_what_is_asked_for_has_to_exist(root, tmp_path_factory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(DataError, match="is no data set that is known by its layout; expected"):
        read_dataset(empty)
    with pytest.raises(DataError, match="nowhere: no such folder"):
        read_dataset(empty / "nowhere")
    with pytest.raises(DataError, match="unknown kind 'mnist'; expected one of touch_and_go, "):
        read_dataset(root, kind="mnist")
    with pytest.raises(DataError, match="objectfolder has no split 'mine'; expected one of off"):
        read_dataset(root, split="mine")


def test_a_kind_that_finds_nothing(tmp_path) -> None:
    assert problems_of(tmp_path, kind="feeling_of_success") == [
        f"missing: {tmp_path}: no example that can be used"
    ]


def test_every_kind_names_itself() -> None:
    assert all(name == reader.KIND and reader.SPLITS for name, reader in KINDS.items())
