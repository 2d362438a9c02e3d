"""sqlite3 recordings that were cut, up to the first row that is not whole."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag2,
    MessageDefinition,
    MessageDefinitionFormat,
)
from rosbags.rosbag2.errors import ReaderError

_NO_DEFINITION = MessageDefinition(MessageDefinitionFormat.NONE, "")


class CutSqlite3:
    """Has the interface of a rosbags storage; `unread` says what is not whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connections: list[Connection] = []
        self.unread = ""
        self.start_time = self.end_time = 0
        self._rows: list[tuple[int, int, int]] = []  # time, row, topic

    def open(self) -> None:
        """Read topics and find the rows that are whole.

        Raises:
            ReaderError: not even the topics can be read.
        """
        self._database = sqlite3.connect(f"file:{self.path}?immutable=1", uri=True)
        try:
            # Otherwise sqlite refuses a file with fewer pages than its header says.
            self._database.execute("PRAGMA writable_schema=ON")
            topics = self._query("SELECT id, name, type, serialization_format FROM topics")
        except sqlite3.Error as error:
            self._database.close()
            raise ReaderError(str(error)) from error
        self._find_rows()
        texts = self._definitions()
        counts = Counter(topic for _, _, topic in self._rows)
        self.connections = [
            Connection(
                key,
                name,
                kind,
                texts.get(kind, _NO_DEFINITION),
                "",
                counts[key],
                ConnectionExtRosbag2(form, []),
                self,
            )
            for key, name, kind, form in topics
        ]

    def messages(
        self, connections: Collection[Connection]
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Yield (connection, log time, CDR) in the order of time."""
        wanted = {c.id: c for c in connections}
        for time_ns, row, topic in self._rows:
            if topic in wanted:
                ((data,),) = self._query("SELECT data FROM messages WHERE id = ?", row)
                yield wanted[topic], time_ns, data

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _query(self, query: str, *values: int) -> list[Any]:
        return self._database.execute(query, values).fetchall()

    def _find_rows(self) -> None:
        # By id, because that reads the table itself; an index may be in the part that is lost.
        query = "SELECT timestamp, id, topic_id, data FROM messages ORDER BY id"
        try:
            for time_ns, row, topic, _ in self._database.execute(query):
                self._rows.append((time_ns, row, topic))
        except sqlite3.Error as error:
            self.unread = f"all behind its message {len(self._rows)} ({error})"
        self._rows.sort()
        if self._rows:
            self.start_time, self.end_time = self._rows[0][0], self._rows[-1][0] + 1

    def _definitions(self) -> dict[str, MessageDefinition]:
        query = (
            "SELECT topic_type, encoded_message_definition FROM message_definitions "
            "WHERE encoding = 'ros2msg'"
        )
        try:
            rows = self._query(query)
        except sqlite3.Error:  # no such table: recordings before ROS 2 Iron carry none
            return {}
        return {kind: MessageDefinition(MessageDefinitionFormat.MSG, text) for kind, text in rows}
