"""A query to hits: the nearest moments of an index, and what is known of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xmodal_ros.core.errors import BundleError
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.manifest import TEXT
from xmodal_ros.search.entries import Known, StoreError
from xmodal_ros.search.gather import fingerprint
from xmodal_ros.search.nearest import Nearest
from xmodal_ros.search.query import Query
from xmodal_ros.search.store import Store


@dataclass(frozen=True)
class Hit:
    """A moment that was found."""

    recording: str
    time_s: float
    """Since the recording's first message."""
    stream: str
    similarity: float
    """Cosine of the embeddings."""
    answers: Mapping[str, tuple[str, float]]
    """Label and probability by head."""
    picture: bytes
    """JPEG, empty where no camera or gel saw it."""
    note: str
    """What is wrong with the recording's place, if anything."""


class Finder:
    """Searches an index again and again.

    Args:
        store: The index.
        bundle: That it was made with.

    Raises:
        StoreError: the index is empty.
    """

    def __init__(self, store: Store, bundle: Bundle) -> None:
        self._store, self._bundle = store, bundle
        self._nearest = {stream: Nearest(store, stream) for stream in store.streams()}
        if not self._nearest:
            raise StoreError("is empty", where=str(store.folder), do="See `xmodal index`")

    def find(
        self,
        query: Query,
        count: int = 10,
        among: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        apart_s: float = 0.0,
    ) -> list[Hit]:
        """The nearest moments.

        Args:
            query: What is searched for.
            count: Most hits.
            among: Streams that are compared with it; empty for those of its own branch, and of
                words for all that share their space. Streams of another branch are never as near
                as its own, so they are for asking alone.
            labels: Only moments with these labels, by head.
            apart_s: Least time between two hits of one recording: neighbours look alike.

        Raises:
            BundleError: a stream's embeddings cannot be compared with the query's.
            StoreError: the index holds nothing of a stream, or no such label.
        """
        allowed = self._store.labelled(labels or {})
        best: dict[int, tuple[float, str]] = {}
        """By moment, of the stream that is nearest."""
        for stream in self._streams(query.stream, among):
            for moment, cosine in self._nearest[stream].search(query.vector, allowed):
                best[moment] = max(best.get(moment, (cosine, stream)), (cosine, stream))
        hits: list[Hit] = []
        for moment, (similarity, stream) in sorted(best.items(), key=lambda entry: -entry[1][0]):
            recording, stamp_ns, picture, answers = self._store.moment(moment)
            path, time_s = _shown(recording.path), (stamp_ns - recording.start_ns) / 1e9
            if any(h.recording == path and abs(h.time_s - time_s) < apart_s for h in hits):
                continue
            note = _note(recording)
            hits.append(Hit(path, time_s, stream, similarity, answers, picture, note))
            if len(hits) == count:
                break
        return hits

    def _streams(self, stream: str, among: Sequence[str]) -> list[str]:
        branches, held = self._bundle.spec.streams, list(self._nearest)
        comparable = [name for name in self._bundle.comparable(stream) if name in branches]
        for name in among:
            if name in branches and name not in comparable:
                raise BundleError(
                    f"'{name}' was not trained to be compared with '{stream}'",
                    where=self._bundle.id,
                    expected="one of " + ", ".join(comparable),
                )
        own = [n for n in comparable if stream == TEXT or branches[n] == branches[stream]]
        wanted = among or own
        missing = [name for name in wanted if name not in held]
        if missing == list(wanted) or (among and missing):
            raise StoreError(
                "holds nothing of " + ", ".join(missing),
                where=str(self._store.folder),
                expected="one of " + ", ".join(held),
            )
        return [name for name in wanted if name in held]


def _shown(path: Path) -> str:
    """From here where it is below, else whole."""
    here = os.path.relpath(path)
    return str(path) if here.startswith("..") else here


def _note(recording: Known) -> str:
    """Nothing where the recording is still at its place."""
    if not recording.path.exists():
        return "not there any more"
    same = fingerprint(recording.path) == recording.print
    return "" if same else "another recording is there now"
