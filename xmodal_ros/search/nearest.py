"""The nearest of many embeddings: one by one up to 100,000, beyond that by FAISS.

A file of FAISS holds codes of 4 bits for every 2 dimensions, in lists by nearest centre (IVF-PQ).
It is not exact, so it only draws candidates, which are compared once more by the embeddings that
the index keeps in half precision. What came after it was made is compared one by one, until that
is too much: then it is made anew.

The file goes by distance, which orders unit vectors as their cosine does. Codes of inner products
lose what tells apart the embeddings of real cameras and gels, since these fill a narrow cone.
"""

from __future__ import annotations

import math
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from xmodal_ros.search.entries import StoreError
from xmodal_ros.search.store import Store

EXACT = 100_000
"""Most embeddings of a stream that are compared one by one; that takes some milliseconds."""
CANDIDATES = 400
"""Of what is nearest; ten or so are wanted, and some of them lie apart in time."""
PROBES = 64
"""Lists that are looked through."""
TRAINING = 40
"""Embeddings per list that centres and codes are learned from; FAISS warns below 39."""
ROUNDS = 10
"""Of k-means; more of them move the centres little."""
DIMENSIONS = 2
"""Coded together."""


class Nearest:
    """The embeddings of one stream of an index, opened for searching.

    Args:
        store: The index.
        stream: A stream that it holds.
    """

    def __init__(self, store: Store, stream: str) -> None:
        self._store, self._stream = store, stream
        self._path, self._last = store.file(stream)

    @cached_property
    def _parts(self) -> list[Any]:
        """What FAISS searches: the file, and what came later."""
        import faiss

        parts = []
        if self._path:
            try:
                parts.append(faiss.read_index(str(self._path), faiss.IO_FLAG_MMAP))
            except RuntimeError as error:
                raise StoreError(
                    f"cannot be read ({_reason(error)})", where=str(self._path), do=_AGAIN
                ) from error
        for moments, vectors in self._store.vectors(self._stream, self._last):
            if len(parts) == bool(self._path):
                parts.append(faiss.IndexIDMap(faiss.IndexFlatIP(vectors.shape[1])))
            parts[-1].add_with_ids(vectors, moments)
        return parts

    def search(
        self, vector: np.ndarray, among: np.ndarray | None = None
    ) -> list[tuple[int, float]]:
        """The nearest moments, by cosine.

        Args:
            vector: Unit length. Shape: (d,), float32.
            among: Moments that come into question; None for all.

        Returns:
            About `CANDIDATES` moments with their cosines, the nearest first.
        """
        import faiss

        options: dict[str, Any] = {} if among is None else {"sel": faiss.IDSelectorBatch(among)}
        found: set[int] = set()
        for part in self._parts:
            if isinstance(part, faiss.IndexIDMap):
                parameters = faiss.SearchParameters(**options)
            else:
                # Of a choice there may be nothing in the lists near by: all of them, then.
                probes = {"nprobe": PROBES if among is None else part.nlist}
                parameters = faiss.SearchParametersIVF(**options, **probes)
            _, moments = part.search(vector[None], CANDIDATES, params=parameters)
            found.update(moments[moments >= 0].tolist())
        moments, vectors = self._store.some(self._stream, found)
        cosines = vectors @ vector if len(moments) else np.zeros(0)
        order = np.argsort(-cosines, kind="stable")
        return list(zip(moments[order].tolist(), cosines[order].tolist(), strict=True))


def shorten(store: Store, stream: str) -> bool:
    """Make the file of a stream where so much came after the last one that it is worth it.

    Returns:
        Whether it was made.

    Raises:
        StoreError: there is no room; the file before stays.
    """
    if store.count(stream, store.file(stream)[1]) <= EXACT:
        return False
    made, last = _trained(store, stream), 0
    for moments, vectors in store.vectors(stream):
        made.add_with_ids(vectors, moments)
        last = int(moments[-1])
    path = store.folder / f"{stream}-{last}.faiss"
    part = path.with_suffix(".part")
    try:
        _write(made, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    store.set_file(stream, path.name, last)
    return True


def _trained(store: Store, stream: str) -> Any:
    """An empty index whose centres and codes fit the stream."""
    import faiss

    count = store.count(stream)
    lists = 2 ** round(math.log2(4 * math.sqrt(count)))
    step = max(1, count // (TRAINING * lists))
    sample = np.concatenate([vectors[::step] for _, vectors in store.vectors(stream)])
    dim = sample.shape[1]
    made: Any = faiss.index_factory(dim, f"IVF{lists},PQ{dim // DIMENSIONS}x4fs")
    made.cp.niter = ROUNDS
    made.train(sample)
    return made


def _write(made: Any, path: Path) -> None:
    import faiss

    try:
        faiss.write_index(made, str(path))
    except RuntimeError as error:
        raise StoreError(
            f"cannot be written ({_reason(error)})", where=str(path), do=_AGAIN
        ) from error


_AGAIN = "Make room, and run `xmodal index` again"


def _reason(error: RuntimeError) -> str:
    """What FAISS says, without its sources' names."""
    return str(error).rpartition(": ")[2].strip()
