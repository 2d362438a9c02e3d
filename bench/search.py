"""Rows `search` and `search_recall`: a million moments, and the nearest ten of them."""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import faiss
import numpy as np

from bench.row import Row
from xmodal_ros.cli import shared_data
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import Modality
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.search.entries import Known, Model, Moment
from xmodal_ros.search.nearest import Nearest, shorten
from xmodal_ros.search.query import of_image
from xmodal_ros.search.store import FILE, Store

COUNT, CHUNK, QUERIES, NEAREST = 1_000_000, 50_000, 500, 10
DIM, CLUSTERS, NOISE = 128, 10_000, 0.5
"""Of the synthetic ones: directions drawn at random, and the length of what is added to each."""
MIXED = 0.3
"""Share of the difference of two photos that is added to a third one's embedding."""
STREAM = "camera"
Draw = Callable[[int, int], np.ndarray]
"""From a count and a seed to unit vectors, shape: (count, DIM), float32."""


@dataclass(frozen=True)
class Measured:
    """A million embeddings, searched for the nearest of each query."""

    milliseconds: list[float]
    """CPU time of each query."""
    recalls: list[float]
    """Share of the nearest ten that were found, of each query."""
    exact_ms: float
    """CPU time of a query that FAISS compares with all, one by one."""
    build_s: float
    vectors_mb: float
    file_mb: float
    resident_mb: float


def search() -> Row:
    """Time of a query, its ten hits read from the index."""
    found = _measured()
    slowest = max(found.values(), key=lambda one: statistics.median(one.milliseconds))
    details: dict[str, float] = {}
    for name, one in found.items():
        details |= {
            f"{name}: 99 % of the queries within (ms)": float(np.percentile(one.milliseconds, 99)),
            f"{name}: making the file (s of CPU)": one.build_s,
            f"{name}: file of FAISS (MB)": one.file_mb,
            f"{name}: embeddings in SQLite (MB)": one.vectors_mb,
            f"{name}: memory of the search beside libraries (MB)": one.resident_mb,
        }
    return Row(
        "search",
        "the nearest ten of 1,000,000 embeddings, with stamp and recording",
        "comparing with all, one by one (IndexFlatIP)",
        "ms",
        statistics.median(slowest.milliseconds),
        slowest.exact_ms,
        tuple(slowest.milliseconds[:: QUERIES // 50]),
        at_most=10.0,
        note="CPU time of one core, files in the page cache; the slower of two sets",
        details=details,
    )


def recall() -> Row:
    """Share of the true nearest that are found."""
    found = _measured()
    worst = min(found.values(), key=lambda one: statistics.mean(one.recalls))
    mean = statistics.mean(worst.recalls)
    return Row(
        "search_recall",
        "recall@10 of the same search",
        "the bound",
        "",
        mean,
        None,
        (mean,),
        at_least=0.95,
        note="the worse of two sets: random clusters; photos with differences of photos added",
        details={name: statistics.mean(one.recalls) for name, one in found.items()},
    )


@lru_cache(maxsize=1)
def _measured() -> dict[str, Measured]:
    sets = {"clusters": _clusters(), "photos": _photos()}
    return {name: _measure(draw) for name, draw in sets.items() if draw}


def _clusters() -> Draw:
    centres = _unit(np.random.default_rng(0).normal(size=(CLUSTERS, DIM)))

    def draw(count: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=(count, DIM)) * NOISE / np.sqrt(DIM)
        return _unit(centres[rng.integers(CLUSTERS, size=count)] + noise)

    return draw


def _photos() -> Draw | None:
    """Embeddings of real photos, moved a little along what tells other photos apart."""
    folder = shared_data(None)
    if folder is None:
        return None
    files = sorted((folder / "material_photos").rglob("*.webp"))
    with Predictor(Bundle.load(), InferenceSettings(device="cpu")) as predictor:
        real = np.stack([of_image(predictor, file, Modality.CAMERA).vector for file in files])

    def draw(count: int, seed: int) -> np.ndarray:
        own, one, other = np.random.default_rng(seed).integers(len(real), size=(3, count))
        return _unit(real[own] + MIXED * (real[one] - real[other]))

    return draw


def _unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _measure(draw: Draw) -> Measured:
    queries = draw(QUERIES, COUNT)  # a seed that no chunk has
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Store(folder, Model("synthetic", "none")) as store:
            store.add(Known(folder, "synthetic", "", 0), _moments(draw))
            vectors_mb = (folder / FILE).stat().st_size / 1e6
            begun = time.process_time()
            shorten(store, STREAM)
            build_s = time.process_time() - begun
            file, _ = store.file(STREAM)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            milliseconds, found, resident_mb = pool.apply(_searched, (folder, queries))
        file_mb = file.stat().st_size / 1e6 if file else 0.0
    true, exact_ms = _exact(draw, queries)
    recalls = [len({*a} & {*b}) / NEAREST for a, b in zip(found, true, strict=True)]
    return Measured(milliseconds, recalls, exact_ms, build_s, vectors_mb, file_mb, resident_mb)


def _moments(draw: Draw) -> Iterator[Moment]:
    for chunk in range(COUNT // CHUNK):
        for row, vector in enumerate(draw(CHUNK, chunk)):
            yield Moment(chunk * CHUNK + row, {STREAM: vector}, {}, b"")


def _searched(folder: Path, queries: np.ndarray) -> tuple[list[float], list[list[int]], float]:
    """In a process of its own: times, stamps that were found, memory that came to it in MB."""
    faiss.omp_set_num_threads(1)
    before, times, found = _resident_mb(), [], []
    with Store(folder) as store:
        nearest = Nearest(store, STREAM)
        nearest.search(queries[0])
        for query in queries:
            begun = time.process_time()
            hits = [store.moment(moment) for moment, _ in nearest.search(query)[:NEAREST]]
            times.append(1e3 * (time.process_time() - begun))
            found.append([stamp for _, stamp, _, _ in hits])
    return times, found, _resident_mb() - before


def _resident_mb() -> float:
    text = Path("/proc/self/status").read_text()
    return float(text.partition("VmRSS:")[2].split()[0]) / 1e3


def _exact(draw: Draw, queries: np.ndarray) -> tuple[list[list[int]], float]:
    """Stamps of the true nearest of each query, and milliseconds per query."""
    heap, taken = faiss.ResultHeap(QUERIES, NEAREST, keep_max=True), 0.0
    faiss.omp_set_num_threads(1)
    for chunk in range(COUNT // CHUNK):
        flat = faiss.IndexFlatIP(DIM)
        flat.add(draw(CHUNK, chunk))
        begun = time.process_time()
        for row in range(0, QUERIES, 100):  # one by one, as searches come
            flat.search(queries[row : row + 1], NEAREST)
        taken += time.process_time() - begun
        similarity, rows = flat.search(queries, NEAREST)
        heap.add_result(similarity, rows + chunk * CHUNK)
    heap.finalize()
    return heap.I.tolist(), 1e3 * taken / len(range(0, QUERIES, 100))
