"""The file of an index: all of a recording or nothing, one bundle, one writer."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xmodal_ros.search.entries import Known, Model, Moment, StoreError
from xmodal_ros.search.store import FILE, Store

MODEL = Model("touch", "0123456789abcdef")


def known(name, content="a", made="1 s"):
    return Known(Path(name), content, made, 5)


def moments(count, stream="camera", picture=b"", first=0):
    rng = np.random.default_rng(first)
    for k in range(first, first + count):
        yield Moment(k, {stream: rng.normal(size=8)}, {"material": ("wood", 0.5)}, picture)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path, MODEL) as opened:
        yield opened


def contents(store):
    """Stamps of what is in an index."""
    parts = [some for stream in store.streams() for some, _ in store.vectors(stream)]
    return [store.moment(number)[1] for number in np.concatenate(parts).tolist()]


def test_what_is_added_is_read_back(store):
    vector = np.linspace(-1, 1, 8)
    answers = {"material": ("wood", 0.75), "grasp": ("fail", 0.25)}
    assert store.add(known("a"), [Moment(7, {"camera": vector}, answers, b"jpeg")]) == 1
    ((numbers, vectors),) = store.vectors("camera")
    np.testing.assert_allclose(vectors, vector[None], atol=1e-3)
    assert vectors.dtype == np.float32
    assert store.moment(numbers.item()) == (known("a"), 7, b"jpeg", answers)


def test_streams_have_moments_of_their_own(store):
    store.add(known("a"), [*moments(3), *moments(2, "imu", first=3)])
    assert store.streams() == ["camera", "imu"]
    assert [store.count(stream) for stream in store.streams()] == [3, 2]
    numbers, vectors = store.some("imu", [1, 4, 5])
    assert numbers.tolist() == [4, 5]
    assert vectors.shape == (2, 8)


def test_a_recording_that_fails_leaves_nothing_and_what_was_there(store):
    def failing():
        yield from moments(3, "tactile", first=10)
        raise KeyboardInterrupt

    store.add(known("a"), moments(2))
    with pytest.raises(KeyboardInterrupt):
        store.add(known("a", "changed"), failing())
    assert contents(store) == [0, 1]
    assert store.add(known("a", "changed"), moments(1, "tactile", first=10)) == 1
    assert contents(store) == [10]


def test_a_killed_writer_leaves_the_index_whole(tmp_path):
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_store import *
def dying():
    yield from moments(500, first=10, picture=bytes(10_000))
    os.kill(os.getpid(), 9)
with Store(Path({str(tmp_path)!r}), MODEL) as store:
    store.add(known("a"), moments(2))
    store.add(known("b", "b"), dying())
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    with Store(tmp_path, MODEL) as store:
        assert contents(store) == [0, 1]
        assert not store.has(known("b", "b"))
        assert store.add(known("b", "b"), moments(3, first=10)) == 3


def test_the_same_recording_elsewhere_is_known_and_its_place_is_noted(store):
    store.add(known("a"), moments(2))
    assert store.has(known("moved"))
    assert store.moment(1)[0].path == Path("moved")
    assert not store.has(known("moved", made="0.5 s"))
    assert not store.has(known("moved", "changed"))


def test_a_recording_that_changed_is_replaced(store):
    store.add(known("a"), moments(2))
    store.add(known("a", "changed"), moments(1, first=20))
    assert contents(store) == [20]


def test_labels_choose_moments(store):
    def one(stamp, **answers):
        told = {head: (label, 1.0) for head, label in answers.items()}
        return Moment(stamp, {"camera": np.ones(8)}, told, b"")

    told = [one(0, a="x", b="y"), one(1, a="x", b="z"), one(2, a="w", b="y")]
    store.add(known("a"), told)
    assert store.labelled({}) is None
    assert store.labelled({"a": "x"}).tolist() == [1, 2]
    assert store.labelled({"a": "x", "b": "y"}).tolist() == [1]
    assert store.labelled({"a": "w", "b": "z"}).tolist() == []
    with pytest.raises(StoreError, match="no moment with a=v; expected one of a=w, a=x, b=y, b"):
        store.labelled({"a": "v"})


def test_another_bundle_is_refused_by_id(store, tmp_path):
    with pytest.raises(StoreError) as error:
        Store(tmp_path, Model("activity", "fedcba9876543210"))
    assert str(error.value) == (
        f"{tmp_path}: was made with bundle 'touch' (weights 0123456789ab), not with 'activity' "
        "(weights fedcba987654). Name the bundle that made it, or another folder for a new index"
    )


def test_no_index_is_told(tmp_path):
    with pytest.raises(StoreError, match=r"there is no index. Make one: `xmodal index`"):
        Store(tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_file_of_the_name_is_told(tmp_path):
    (tmp_path / FILE).write_bytes(b"not a database, but a text of some length" * 100)
    with pytest.raises(StoreError, match="is no index, or damaged"):
        Store(tmp_path)


def test_a_second_writer_is_refused_and_a_reader_sees_what_was_there(store, tmp_path):
    def meanwhile():
        yield from moments(1, first=10)
        with Store(tmp_path) as other:
            seen.extend(contents(other))
            with pytest.raises(StoreError, match=r"database is locked.*nobody else writes to it"):
                other.add(known("c", "c"), moments(1))

    seen = []
    store.add(known("a"), moments(2))
    store.add(known("b", "b"), meanwhile())
    assert seen == [0, 1]
    assert contents(store) == [0, 1, 10]


def test_a_full_disk_is_told_and_leaves_the_index_whole(tmp_path, monkeypatch):
    with Store(tmp_path, MODEL) as store:
        store.add(known("a"), moments(2))

    def full(*arguments, connect=sqlite3.connect, **options):
        database = connect(*arguments, **options)
        database.execute("PRAGMA max_page_count = 20")
        return database

    monkeypatch.setattr(sqlite3, "connect", full)
    with Store(tmp_path, MODEL) as store:
        with pytest.raises(StoreError, match=r"disk is full\). Run the command again when"):
            store.add(known("b", "b"), moments(9, picture=bytes(100_000)))
        assert contents(store) == [0, 1]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=f"{tmp_path}/file/index: cannot be made"):
        Store(tmp_path / "file" / "index", MODEL)
