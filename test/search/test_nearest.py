"""The nearest embeddings against comparing with all in numpy, before and after a file is made."""

from pathlib import Path

import faiss
import numpy as np
import pytest

from xmodal_ros.search import nearest
from xmodal_ros.search.entries import Known, Model, Moment, StoreError
from xmodal_ros.search.nearest import Nearest, shorten
from xmodal_ros.search.store import Store

DIM = 32


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def cone(count, seed):
    """Embeddings as encoders give them: much in common, and few directions that tell apart."""
    rng = np.random.default_rng(seed)
    middle, basis = np.ones(DIM), np.random.default_rng(0).normal(size=(10, DIM))
    noise = rng.normal(size=(count, DIM)) * 0.02
    return unit(middle + 0.2 * rng.normal(size=(count, 10)) @ basis + noise)


def true(vectors, query, count):
    return np.argsort(-(vectors @ query), kind="stable")[:count].tolist()


def recall(found, vectors, queries):
    """Share of the ten nearest; moment 1 is row 0."""
    shares = [
        len({m - 1 for m, _ in found.search(q)[:10]} & set(true(vectors, q, 10))) / 10
        for q in queries
    ]
    return np.mean(shares)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path, Model("touch", "0")) as opened:
        yield opened


def add(store, vectors, name="a"):
    moments = (Moment(row, {"camera": vector}, {}, b"") for row, vector in enumerate(vectors))
    store.add(Known(Path(name), name, "", 0), moments)


def test_few_are_compared_one_by_one(store):
    vectors = cone(300, 1)
    add(store, vectors)
    assert not shorten(store, "camera")
    assert [path.suffix for path in store.folder.iterdir() if path.suffix == ".faiss"] == []
    query = cone(1, 2)[0]
    found = Nearest(store, "camera").search(query)
    kept = vectors.astype(np.float16).astype(np.float32)
    assert [moment - 1 for moment, _ in found] == true(kept, query, 300)
    np.testing.assert_allclose([cosine for _, cosine in found[:1]], [(kept @ query).max()], 1e-6)


def test_many_are_found_by_a_file(store, monkeypatch):
    monkeypatch.setattr(nearest, "EXACT", 2000)
    vectors, queries = cone(6000, 1), cone(50, 2)
    add(store, vectors)
    assert shorten(store, "camera")
    assert not shorten(store, "camera")
    monkeypatch.setattr(nearest, "CANDIDATES", 200)
    monkeypatch.setattr(nearest, "PROBES", 32)
    assert recall(Nearest(store, "camera"), vectors, queries) > 0.95


def test_what_came_after_the_file_is_found_and_what_went_is_not(store, monkeypatch):
    monkeypatch.setattr(nearest, "EXACT", 2000)
    add(store, cone(3000, 1))
    shorten(store, "camera")
    query = cone(1, 3)[0]
    add(store, np.concatenate([query[None], cone(5, 4)]), "b")
    assert Nearest(store, "camera").search(query)[0] == (3001, pytest.approx(1, abs=1e-3))
    add(store, cone(10, 5))  # another recording is at the place of the first one
    found = Nearest(store, "camera").search(query)
    assert {moment for moment, _ in found} <= set(range(3001, 3017))
    assert found[0][0] == 3001


def test_the_file_is_made_anew_when_much_came(store, monkeypatch):
    monkeypatch.setattr(nearest, "EXACT", 2000)
    for name in ("a", "b"):
        add(store, cone(2100, ord(name)), name)
        assert shorten(store, "camera")
    assert [p.name for p in store.folder.glob("*.faiss")] == ["camera-4200.faiss"]
    vectors = np.concatenate([cone(2100, ord(name)) for name in "ab"])
    assert recall(Nearest(store, "camera"), vectors, cone(20, 7)) > 0.95


@pytest.mark.parametrize("exact", [100, 100_000])
def test_only_chosen_moments_come_into_question(store, monkeypatch, exact):
    monkeypatch.setattr(nearest, "EXACT", exact)
    vectors, query = cone(3000, 1), cone(1, 2)[0]
    add(store, vectors)
    assert shorten(store, "camera") == (exact == 100)
    chosen = np.arange(5, 3000, 300)
    found = Nearest(store, "camera").search(query, chosen)
    assert [moment for moment, _ in found] == chosen[true(vectors[chosen - 1], query, 10)].tolist()
    assert Nearest(store, "camera").search(query, np.zeros(0, np.int64)) == []


def test_a_full_disk_leaves_the_file_before(store, monkeypatch):
    monkeypatch.setattr(nearest, "EXACT", 1500)
    add(store, cone(2000, 1))
    shorten(store, "camera")
    add(store, cone(2000, 2), "b")
    write = faiss.write_index
    monkeypatch.setattr(faiss, "write_index", lambda made, path: write(made, "/dev/full"))
    with pytest.raises(StoreError, match=r"No space left on device.*Make room, and run"):
        shorten(store, "camera")
    assert [p.name for p in store.folder.glob("camera*")] == ["camera-2000.faiss"]
    assert Nearest(store, "camera").search(cone(1, 3)[0])


def test_a_damaged_file_is_told(store, monkeypatch):
    monkeypatch.setattr(nearest, "EXACT", 1500)
    add(store, cone(2000, 1))
    shorten(store, "camera")
    (store.folder / "camera-2000.faiss").write_bytes(b"IxPQ but not really")
    with pytest.raises(StoreError, match=r"camera-2000.faiss: cannot be read \(.*\)"):
        Nearest(store, "camera").search(cone(1, 3)[0])
