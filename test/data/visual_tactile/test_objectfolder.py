"""ObjectFolder Real, and the ObjectFolder benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.visual_tactile import open_dataset, read_dataset

TABLE = "Index,Name,Material\n1,mug,Ceramic\n2,spoon,Steel\n10,plank,Wood\n"


@pytest.fixture
def real(tmp_path, gel, write_image) -> Path:
    """Objects 1, 2 and 10 with two trials of eleven images each."""
    (tmp_path / "objects.csv").write_text(TABLE)
    for number in ("1", "2", "10"):
        for trial in ("1", "2"):
            for k in range(11):
                path = tmp_path / number / "tactile_data" / trial / "0" / "gelsight" / f"{k}.png"
                write_image(path, gel(1000 * int(number) + 100 * int(trial) + k))
    return tmp_path


def test_trials_are_clips_in_the_order_of_their_numbers(real, gel) -> None:
    data = open_dataset(real)
    assert (data.kind, data.problems) == ("objectfolder_real", ())
    assert {(e.group, e.labels["material"]) for e in data.examples} == {
        ("1", "ceramic"), ("2", "steel"), ("10", "wood"),
    }  # fmt: skip
    example = next(e for e in data.examples if e.name == "10/2")
    np.testing.assert_array_equal(
        data.load(example)["tactile"], [gel(10200 + k) for k in range(11)]
    )


def test_folders_may_have_the_names_of_objects(real) -> None:
    (real / "10").rename(real / "plank")
    assert {e.group for e in open_dataset(real).examples} == {"1", "2", "plank"}


def test_trials_without_gel_images_and_unknown_objects_are_named(real) -> None:
    gelsight = real / "2" / "tactile_data" / "1" / "0" / "gelsight"
    gelsight.rename(gelsight.with_name("other"))
    (real / "1").rename(real / "11")
    data = read_dataset(real)
    assert [str(problem) for problem in data.problems] == [
        f"label: {real / '11'}: is not in the table of materials",
        f"missing: {gelsight}: no gel image",
    ]
    assert sorted(e.name for e in data.examples) == ["10/1", "10/2", "2/2"]


def test_a_missing_table(real) -> None:
    (real / "objects.csv").unlink()
    with pytest.raises(DataError, match="0 CSV files; expected one, with columns Index, Name, M"):
        open_dataset(real)


@pytest.fixture
def benchmark(tmp_path, scene, gel, write_image) -> Path:
    """Objects a, b and c with two pairs each, every object in a part of its own."""
    for number, name in enumerate("abc"):
        for instance in range(2):
            file, seed = f"{instance}.png", 10 * number + instance
            write_image(tmp_path / "vision" / name / file, scene(seed))
            write_image(tmp_path / "touch" / name / file, gel(seed))
    (tmp_path / "label.json").write_text(json.dumps({"a": 0, "b": 2, "c": 2}))
    parts = {"train": "a", "val": "b", "test": "c"}
    split = {part: [[name, k] for k in range(2)] for part, name in parts.items()}
    (tmp_path / "split.json").write_text(json.dumps(split))
    return tmp_path


def test_pairs_and_parts(benchmark, scene, gel) -> None:
    data = open_dataset(benchmark)
    assert (data.kind, data.split, data.problems) == ("objectfolder", "official", ())
    assert [(e.name, e.part, e.labels["material"]) for e in data.examples] == [
        ("a/0", "train", "0"), ("a/1", "train", "0"),
        ("b/0", "validation", "2"), ("b/1", "validation", "2"),
        ("c/0", "test", "2"), ("c/1", "test", "2"),
    ]  # fmt: skip
    images = data.load(data.examples[3])
    np.testing.assert_array_equal(images["camera"], [scene(11)])
    np.testing.assert_array_equal(images["tactile"], [gel(11)])
    (note,) = data.notes
    assert "classes are integers, whose order is unconfirmed; name them in" in note


@pytest.mark.parametrize("names", [["ceramic", "glass", "wood"], {"0": "ceramic", "2": "wood"}])
def test_materials_by_name(benchmark, names) -> None:
    (benchmark / "materials.json").write_text(json.dumps(names))
    data = open_dataset(benchmark)
    assert data.classes("material") == ("ceramic", "wood")
    assert not data.notes


def test_classes_that_are_names_already(benchmark) -> None:
    (benchmark / "label.json").write_text(json.dumps({"a": "iron", "b": "wood", "c": "wood"}))
    data = open_dataset(benchmark)
    assert (data.classes("material"), data.notes) == (("iron", "wood"), ())


def test_a_class_without_a_name(benchmark) -> None:
    (benchmark / "materials.json").write_text('["ceramic", "glass"]')
    with pytest.raises(DataError, match=r"materials\.json: no name for 2; expected every class"):
        open_dataset(benchmark)


def test_an_official_split_that_leaks_is_refused_unless_forced_or_named(benchmark, caplog) -> None:
    split = {"train": [["a", 0], ["b", 0]], "test": [["a", 1], ["c", 0]]}
    (benchmark / "split.json").write_text(json.dumps(split))
    with pytest.raises(DataError, match=r"'official': 1 groups are .* 'a' in test and train; exp"):
        open_dataset(benchmark)
    for arguments in ({"force": True}, {"split": "official"}):
        caplog.clear()
        assert len(open_dataset(benchmark, **arguments).examples) == 4
        assert "scores on it are too good" in caplog.text
    assert len(open_dataset(benchmark, split="disjoint").examples) == 4


def test_pairs_that_are_not_whole_are_named(benchmark) -> None:
    (benchmark / "touch" / "c" / "1.png").unlink()
    data = read_dataset(benchmark)
    assert [str(problem) for problem in data.problems] == [
        f"missing: {benchmark / 'touch' / 'c' / '1.png'}: no such file",
        f"mismatched: {benchmark / 'vision' / 'c' / '1.png'}: no image of that name in touch",
    ]
    assert [e.name for e in data.part("test")] == ["c/0"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"split\.json: cannot be read \(.*\); expected JSON"),
        ("[]", r"split\.json: is no mapping; expected names and values"),
        ('{"valid": []}', r"split\.json: no part 'valid'; expected train, val, test"),
        ('{"train": [["a"]]}', r"split\.json: got \['a'\]; expected \[object, instance\]"),
    ],
)
def test_a_split_of_another_form(benchmark, text, message) -> None:
    (benchmark / "split.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_dataset(benchmark)
