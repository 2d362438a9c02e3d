"""An index on disk: all that was seen in one SQLite file, which a killed writer leaves whole.

Beside it there may be a file per stream that makes a long search short (`nearest`); this one says
which of them are current, so that both change at once.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from xmodal_ros.search.entries import Known, Model, Moment, StoreError

FILE = "index-1.sqlite"
"""1 is its format: another format is another file."""
BATCH = 50_000
"""Vectors that are in memory at a time where all are read."""
_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE recordings (
    id INTEGER PRIMARY KEY, path TEXT, print TEXT, made TEXT, start_ns INTEGER
);
CREATE TABLE moments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, recording INTEGER, stamp_ns INTEGER, picture BLOB
);
CREATE INDEX moments_of ON moments (recording);
CREATE TABLE answers (
    moment INTEGER, head TEXT, label TEXT, probability REAL, PRIMARY KEY (moment, head)
) WITHOUT ROWID;
CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT UNIQUE, file TEXT, last INTEGER);
"""
"""Each stream has a table of its own besides: what is searched together lies together."""


class Store:
    """An index, opened; a context manager.

    Args:
        folder: Of the index.
        model: With it the index is made where there is none; None to read one.

    Raises:
        StoreError: there is no index, it is of another bundle, or it cannot be read or written.
    """

    def __init__(self, folder: Path, model: Model | None = None) -> None:
        self.folder, self.path = folder, folder / FILE
        if model is None and not self.path.exists():
            raise StoreError("there is no index", where=str(folder), do="Make one: `xmodal index`")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot be made ({error.strerror})", where=str(folder)) from error
        with self._told():
            self._database = sqlite3.connect(self.path, timeout=2.0, isolation_level=None)
        try:
            if model is not None and not self._one("SELECT 1 FROM sqlite_master"):
                self._make(model)
            self._database.execute(f"PRAGMA mmap_size = {1 << 40}")
            self.model = Model(**self.fact("model"))
            if model is not None:
                self.require(model)
        except StoreError:
            self._database.close()
            raise

    def _make(self, model: Model) -> None:
        with self._told():
            self._database.execute("PRAGMA journal_mode = WAL")  # searches while it grows
        with self._changing():
            for statement in _TABLES.split(";"):
                self._database.execute(statement)
            self.note(model=vars(model))

    def __enter__(self) -> Store:
        """Nothing more to open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._database.close()

    def require(self, model: Model) -> None:
        """Refuse another bundle than the index's.

        Raises:
            StoreError: it is another.
        """
        if model != self.model:
            raise StoreError(
                f"was made with bundle {self.model}, not with {model}",
                where=str(self.folder),
                do="Name the bundle that made it, or another folder for a new index",
            )

    def fact(self, name: str) -> Any:
        """What was noted under a name."""
        (value,) = self._one("SELECT value FROM facts WHERE name = ?", name)
        return json.loads(value)

    def note(self, **facts: Any) -> None:
        """Keep plain data under names."""
        rows = [(name, json.dumps(value)) for name, value in facts.items()]
        with self._told():
            self._database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)

    def has(self, recording: Known) -> bool:
        """Whether the recording is known, made in the same way; its place is noted anew."""
        place = str(recording.path), recording.print, recording.made
        with self._changing():
            text = "UPDATE recordings SET path = ? WHERE print = ? AND made = ?"
            return self._database.execute(text, place).rowcount > 0

    def add(self, recording: Known, moments: Iterable[Moment]) -> int:
        """Add all moments of a recording, or none of them if anything goes wrong.

        What there was of the same file, or of the same path, is gone then.

        Returns:
            How many they were.

        Raises:
            StoreError: there is no room, or somebody else is writing.
        """
        count = 0
        with self._changing():
            text = "SELECT id FROM recordings WHERE path = ? OR print = ?"
            for (number,) in self._all(text, str(recording.path), recording.print):
                self._remove(number)
            added = self._database.execute(
                "INSERT INTO recordings (path, print, made, start_ns) VALUES (?, ?, ?, ?)",
                (str(recording.path), recording.print, recording.made, recording.start_ns),
            )
            for count, moment in enumerate(moments, 1):  # noqa: B007, it is returned
                self._insert(added.lastrowid or 0, moment)
        return count

    def _insert(self, recording: int, moment: Moment) -> None:
        added = self._database.execute(
            "INSERT INTO moments (recording, stamp_ns, picture) VALUES (?, ?, ?)",
            (recording, moment.stamp_ns, moment.picture),
        )
        answers = ((added.lastrowid, head, *told) for head, told in moment.answers.items())
        self._database.executemany("INSERT INTO answers VALUES (?, ?, ?, ?)", answers)
        for stream, vector in moment.vectors.items():
            if stream not in self.streams():
                self._database.execute("INSERT INTO streams (name) VALUES (?)", (stream,))
                self._database.execute(
                    f"CREATE TABLE {self._table(stream)} (moment INTEGER PRIMARY KEY, vector BLOB)"
                )
            values = added.lastrowid, vector.astype(np.float16).tobytes()
            self._database.execute(f"INSERT INTO {self._table(stream)} VALUES (?, ?)", values)

    def _remove(self, recording: int) -> None:
        of = "IN (SELECT id FROM moments WHERE recording = ?)"
        for stream in self.streams():
            text = f"DELETE FROM {self._table(stream)} WHERE moment {of}"
            self._database.execute(text, (recording,))
        self._database.execute(f"DELETE FROM answers WHERE moment {of}", (recording,))
        self._database.execute("DELETE FROM moments WHERE recording = ?", (recording,))
        self._database.execute("DELETE FROM recordings WHERE id = ?", (recording,))

    def streams(self) -> list[str]:
        """Streams that have been seen."""
        return [name for (name,) in self._all("SELECT name FROM streams ORDER BY id")]

    def vectors(self, stream: str, after: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Moments `(n,) int64` and vectors `(n, d) float32` of a stream, some at a time."""
        rows = self._database.execute(
            f"SELECT moment, vector FROM {self._table(stream)} WHERE moment > ? ORDER BY moment",
            (after,),
        )
        while some := rows.fetchmany(BATCH):
            yield _unpacked(some)

    def count(self, stream: str, after: int = 0) -> int:
        """Vectors of a stream."""
        text = f"SELECT count(*) FROM {self._table(stream)} WHERE moment > ?"
        return int(self._one(text, after)[0])

    def some(self, stream: str, moments: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
        """As `vectors`, of those of the named moments that are still there."""
        wanted = ",".join(str(int(moment)) for moment in sorted(moments))
        text = f"SELECT moment, vector FROM {self._table(stream)} WHERE moment IN ({wanted})"
        return _unpacked(self._all(text))

    def labelled(self, wanted: Mapping[str, str]) -> np.ndarray | None:
        """Moments `(n,) int64` with certain labels by head; None where nothing is asked for.

        Raises:
            StoreError: there is none with one of the labels.
        """
        found: np.ndarray | None = None
        for head, label in wanted.items():
            rows = self._all(
                "SELECT moment FROM answers WHERE (head, label) = (?, ?)", head, label
            )
            if not rows:
                known = self._all("SELECT DISTINCT head, label FROM answers ORDER BY 1, 2")
                raise StoreError(
                    f"holds no moment with {head}={label}",
                    where=str(self.folder),
                    expected="one of " + ", ".join(f"{h}={name}" for h, name in known),
                )
            those = np.array([row[0] for row in rows], np.int64)
            found = those if found is None else np.intersect1d(found, those)
        return found

    def moment(self, number: int) -> tuple[Known, int, bytes, dict[str, tuple[str, float]]]:
        """Recording, stamp in ns, picture, and answers by head of a moment."""
        recording, stamp_ns, picture = self._one(
            "SELECT recording, stamp_ns, picture FROM moments WHERE id = ?", number
        )
        text = "SELECT path, print, made, start_ns FROM recordings WHERE id = ?"
        path, *rest = self._one(text, recording)
        text = "SELECT head, label, probability FROM answers WHERE moment = ?"
        answers = {head: (label, odds) for head, label, odds in self._all(text, number)}
        return Known(Path(path), *rest), stamp_ns, picture, answers

    def file(self, stream: str) -> tuple[Path | None, int]:
        """The file that makes the search of a stream short, if any, and the last moment in it."""
        name, last = self._one("SELECT file, last FROM streams WHERE name = ?", stream)
        path = self.folder / name if name else None
        return (path, last) if path and path.exists() else (None, 0)

    def set_file(self, stream: str, name: str, last: int) -> None:
        """Say which one it is; it is complete already."""
        old, _ = self.file(stream)
        with self._changing():
            text = "UPDATE streams SET file = ?, last = ? WHERE name = ?"
            self._database.execute(text, (name, last, stream))
        if old and old.name != name:
            old.unlink(missing_ok=True)

    def _table(self, stream: str) -> str:
        """Of a stream's vectors."""
        (number,) = self._one("SELECT id FROM streams WHERE name = ?", stream)
        return f"vectors_{number}"

    def _one(self, text: str, *values: Any) -> Any:
        with self._told():
            return self._database.execute(text, values).fetchone()

    def _all(self, text: str, *values: Any) -> list[Any]:
        with self._told():
            return self._database.execute(text, values).fetchall()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """All changes within become one, or none is made."""
        with self._told():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # SQLite itself gives up on some errors
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what SQLite says into a user's error: disk full, another writer, no index."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"cannot be read or written ({error})",
                where=str(self.path),
                do="Run the command again when there is room and nobody else writes to it",
            ) from error
        except sqlite3.Error as error:
            raise StoreError(
                f"is no index, or damaged ({error})", where=str(self.path), do="Make it anew"
            ) from error


def _unpacked(rows: list[tuple[int, bytes]]) -> tuple[np.ndarray, np.ndarray]:
    moments = np.array([row[0] for row in rows], np.int64)
    values = np.frombuffer(b"".join(row[1] for row in rows), np.float16)
    return moments, values.reshape(len(rows), -1 if rows else 0).astype(np.float32)
