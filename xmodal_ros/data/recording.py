"""Recordings read and written without ROS: rosbag2 folders (sqlite3, MCAP) and single files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode
from rosbags.serde import SerdeError

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.storage import open_storages
from xmodal_ros.data.typestore import default_typestore, make_message, recorded_types

_PLUGINS = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}


@dataclass(frozen=True, slots=True)
class Topic:
    """A recorded topic."""

    type: str
    count: int


class Message(NamedTuple):
    """One recorded message; `message` is an object, or CDR bytes from `Recording.raw`."""

    topic: str
    type: str
    log_time_ns: int
    message: Any


class Recording:
    """A recording, opened. Of one that was cut, what is whole is read; `unread` says what is not.

    Args:
        path: A rosbag2 folder, or an `.mcap` or `.db3` file.

    Raises:
        DataError: nothing is there, it cannot be read at all, or it holds no message.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise DataError("no such recording", where=str(self.path))
        self._readers, self._problems = open_storages(self.path)
        information = self._information()
        self.metadata: dict[str, str] = dict(information.get("custom_data") or {})
        connections = [c for reader in self._readers for c in reader.connections]
        self.topics = {
            name: Topic(
                next(c.msgtype for c in connections if c.topic == name),
                sum(c.msgcount for c in connections if c.topic == name),
            )
            for name in sorted({c.topic for c in connections})
        }
        if not self.message_count:
            self.close()
            cut = f"; {self.unread} cannot be read" if self.unread else ""
            raise DataError(f"holds no message{cut}", where=str(self.path))
        expected = information.get("message_count", 0)
        if self.unread and expected > self.message_count:
            self._problems["count"] = f"{expected - self.message_count} of {expected} messages"
        self.start_ns: int = min(r.start_time for r in self._readers)
        """Log time of the first message."""
        self.end_ns: int = max(r.end_time for r in self._readers) - 1
        """Log time of the last message."""
        definitions = {c.msgtype: c.msgdef for c in connections}
        self._store, self.unknown_types = recorded_types(tuple(definitions.items()))

    @property
    def unread(self) -> str:
        """What of the recording could not be read, empty if nothing; complete after reading it."""
        return ", ".join(self._problems.values())

    @property
    def message_count(self) -> int:
        """Messages that can be read."""
        return sum(topic.count for topic in self.topics.values())

    def messages(self, topics: Iterable[str] | None = None) -> Iterator[Message]:
        """Yield messages as objects in the order of their log times, of all topics if None.

        A message that cannot be deserialized is left out and told in `unread`.

        Raises:
            DataError: a topic is not recorded, or its type is not known.
        """
        wanted = self._select(topics)
        unknown = [t for t in wanted if self.topics[t].type in self.unknown_types]
        if unknown and topics is not None:
            raise DataError(
                "type not known: " + ", ".join(f"{t} ({self.topics[t].type})" for t in unknown),
                where=str(self.path),
                expected="a recording that carries the definitions of its types",
                do="Record it anew as MCAP, which does.",
            )
        known = [t for t in wanted if t not in unknown]
        deserialize, broken = self._store.deserialize_cdr, Counter[str]()
        for connection, time_ns, data in self._read(known):
            topic, kind = connection.topic, connection.msgtype
            try:
                message = deserialize(memoryview(data), kind)  # a view, so that nothing is copied
            except SerdeError as error:
                broken[topic] += 1
                self._problems[topic] = f"{broken[topic]} messages of {topic} ({error})"
                continue
            yield Message(topic, kind, time_ns, message)

    def raw(self, topics: Iterable[str] | None = None) -> Iterator[Message]:
        """Yield messages as CDR bytes in the order of their log times, of all topics if None.

        Raises:
            DataError: a topic is not recorded.
        """
        for connection, time_ns, data in self._read(self._select(topics)):
            yield Message(connection.topic, connection.msgtype, time_ns, data)

    def close(self) -> None:
        """Close the files."""
        for reader in self._readers:
            reader.close()
        self._readers = []

    def __enter__(self) -> Recording:
        """Nothing more to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        self.close()

    def _read(self, topics: Collection[str]) -> Iterator[tuple[Connection, int, bytes]]:
        for place, reader in enumerate(self._readers):
            connections = [c for c in reader.connections if c.topic in topics]
            if not connections:
                continue
            read = 0
            try:
                for message in reader.messages(connections):
                    read += 1
                    yield message
            except Exception as error:  # whatever a decompressor raises on damaged bytes
                expected = sum(c.msgcount for c in connections)
                text = f"{expected - read} of {expected} messages ({error})"
                self._problems[f"reader {place}"] = text

    def _information(self) -> dict[str, Any]:
        """What `metadata.yaml` says (of a single file, the one beside it); empty without one."""
        folder = self.path if self.path.is_dir() else self.path.parent
        try:
            text = (folder / "metadata.yaml").read_text(encoding="utf-8")
            information = yaml.safe_load(text)["rosbag2_bagfile_information"]
            names = [Path(name).name for name in information["relative_file_paths"]]
        except (OSError, yaml.YAMLError, KeyError, TypeError):
            return {}
        return information if self.path.is_dir() or names == [self.path.name] else {}

    def _select(self, topics: Iterable[str] | None) -> list[str]:
        if not self._readers:
            raise DataError("the recording is closed", where=str(self.path))
        wanted = list(self.topics) if topics is None else list(topics)
        missing = [topic for topic in wanted if topic not in self.topics]
        if missing:
            raise DataError(
                "no topic " + ", ".join(missing),
                where=str(self.path),
                expected="one of its topics: " + ", ".join(self.topics),
            )
        return wanted


class RecordingWriter:
    """Writes a rosbag2 folder; a context manager.

    Args:
        path: Folder to make; must not exist.
        storage: "mcap" or "sqlite3".
        metadata: Texts kept in `metadata.yaml`.
        compress: Compress with zstd what MCAP calls chunks.

    Raises:
        DataError: the folder exists.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        storage: str = "mcap",
        metadata: Mapping[str, str] | None = None,
        compress: bool = False,
    ) -> None:
        self.path = Path(path)
        self.store = default_typestore()
        self._connections: dict[tuple[str, str], Connection] = {}
        try:
            self._writer = Writer(self.path, version=9, storage_plugin=_PLUGINS[storage])
            if compress:
                self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            self._writer.open()
        except WriterError as error:
            raise DataError(
                "exists already", where=str(self.path), do="Choose another path, or remove it."
            ) from error
        for key, text in (metadata or {}).items():
            self._writer.set_custom_data(key, text)

    def write(self, topic: str, type_name: str, log_time_ns: int, message: Any) -> None:
        """Write a rosbags message, or one as nested mappings.

        Raises:
            DataError: a mapping has a field that the type has not, or there is no room.
        """
        if isinstance(message, Mapping):
            message = make_message(self.store, type_name, message)
        self.write_raw(topic, type_name, log_time_ns, self.store.serialize_cdr(message, type_name))

    def write_raw(
        self, topic: str, type_name: str, log_time_ns: int, data: bytes | memoryview
    ) -> None:
        """Write a message that is serialized already (CDR).

        Raises:
            DataError: there is no room.
        """
        key = topic, type_name
        if key not in self._connections:
            self._connections[key] = self._writer.add_connection(
                topic, type_name, typestore=self.store
            )
        try:
            self._writer.write(self._connections[key], log_time_ns, data)
        except OSError as error:
            raise self._unwritten(error) from error

    def __enter__(self) -> RecordingWriter:
        """Open already."""
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Finish the files; after an exception, leave them without an index."""
        if kind is not None:
            self._writer.abort()
            return
        try:
            self._writer.close()
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> DataError:
        return DataError(
            f"cannot be written ({error.strerror})",
            where=str(self.path),
            do="Make room, and run the same command again",
        )
