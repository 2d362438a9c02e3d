"""Splits: written, read, and refused when they leak or do not fit the data."""

from __future__ import annotations

import hashlib

import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.splits import FOLDER, load_split, write_split

ROWS = [("a1.txt", "a", "train"), ("a2.txt", "a", "train"), ("b1.txt", "b", "test")]


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name, _, _ in ROWS:
        (folder / name).write_text(name)
    return folder


def test_round_trip(tmp_path, root) -> None:
    path = tmp_path / "splits" / "s.csv"
    split = write_split(path, root, ROWS)
    assert split == load_split(path, root)
    assert split.files("train") == ("a1.txt", "a2.txt")
    assert split.groups("train") == ("a",)
    assert split.rows[2].sha256 == hashlib.sha256(b"b1.txt").hexdigest()
    assert split.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_part_that_is_not_there(tmp_path, root) -> None:
    split = write_split(tmp_path / "s.csv", root, ROWS)
    with pytest.raises(DataError, match="no part 'validation'; expected one of train, test"):
        split.files("validation")


def test_a_leak_is_refused(tmp_path, root) -> None:
    rows = [*ROWS[:2], ("b1.txt", "a", "test")]
    text = r"s\.csv: group 'a' is in train and in test; expected every group in one part"
    with pytest.raises(DataError, match=text):
        write_split(tmp_path / "s.csv", root, rows)


def test_changed_content_is_refused(tmp_path, root) -> None:
    write_split(tmp_path / "s.csv", root, ROWS)
    (root / "a2.txt").write_text("other")
    text = r"a2\.txt: its content is not what the split was made of; expected SHA-256"
    with pytest.raises(DataError, match=text):
        load_split(tmp_path / "s.csv", root)
    assert load_split(tmp_path / "s.csv").files("test") == ("b1.txt",)


def test_a_missing_file_is_named(tmp_path, root) -> None:
    write_split(tmp_path / "s.csv", root, ROWS)
    (root / "a2.txt").unlink()
    with pytest.raises(DataError, match=r"a2\.txt: no such file"):
        load_split(tmp_path / "s.csv", root)


def test_a_missing_column_is_named(tmp_path) -> None:
    (tmp_path / "s.csv").write_text("file,group\na,b\n")
    with pytest.raises(DataError, match="no column part, sha256; expected columns file, group"):
        load_split(tmp_path / "s.csv")


@pytest.mark.parametrize("name", ["gelsight_slip", "imu_activity", "material_photos"])
def test_our_splits_fit_the_data(shared_data, name) -> None:
    split = load_split(FOLDER / f"{name}.csv", shared_data / name)
    assert not set(split.groups("train")) & set(split.groups("test"))
