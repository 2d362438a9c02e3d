"""MCAP files: rosbags' reader with one copy per message, and one for files that were cut."""

from __future__ import annotations

import heapq
import struct
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator
from io import BytesIO

from lz4.frame import LZ4FrameDecompressor
from rosbags.interfaces import Connection
from rosbags.rosbag2.errors import ReaderError
from rosbags.rosbag2.storage_mcap import ChunkInfo, McapReader, decompress, zstd

_MAGIC = b"\x89MCAP0\r\n"
_MESSAGE, _CHUNK, _DATA_END = 0x05, 0x06, 0x0F  # opcodes of the MCAP specification
_RECORD = struct.Struct("<BQ")  # opcode, length
_MESSAGE_HEADER = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
_CHUNK_HEADER = struct.Struct("<QQQII")  # start, end, uncompressed size, checksum, name length


class Mcap(McapReader):
    """Copies each message once out of its chunk, where rosbags does it three times.

    Views of the chunk would be faster to make, but a gel image that is kept for its clip would
    keep its whole chunk, and memory that is not used again costs more than the copy.
    """

    def messages(
        self,
        connections: Collection[Connection],
        start: int | None = None,
        stop: int | None = None,
    ) -> Generator[tuple[Connection, int, bytes], None, None]:
        """Yield (connection, log time, CDR) in the order of time; of equal times, as stored.

        A file without chunks has no index, and is read as it was stored.
        """
        if not self.chunks or start is not None or stop is not None:
            yield from self.messages_scan(connections, start, stop)
            return
        wanted = {connection.id: connection for connection in connections}
        chunks = [c for c in self.chunks if any(c.channel_count.get(key, 0) for key in wanted)]
        waiting: list[tuple[int, int, Connection, bytes]] = []
        for chunk in sorted(chunks, key=lambda c: (c.message_start_time, c.chunk_start_offset)):
            while waiting and waiting[0][0] < chunk.message_start_time:
                time_ns, _, connection, data = heapq.heappop(waiting)
                yield connection, time_ns, data
            for message in self._chunk(chunk, wanted):
                heapq.heappush(waiting, message)
        while waiting:
            time_ns, _, connection, data = heapq.heappop(waiting)
            yield connection, time_ns, data

    def _chunk(
        self, chunk: ChunkInfo, wanted: dict[int, Connection]
    ) -> Iterator[tuple[int, int, Connection, bytes]]:
        """Yield (log time, place in the file, connection, CDR)."""
        data = memoryview(self._content(chunk))
        for opcode, begin, end in _records(data):
            if opcode == _MESSAGE:
                channel, _, time_ns, _ = _MESSAGE_HEADER.unpack_from(data, begin)
                if channel in wanted:
                    place = chunk.chunk_start_offset + begin
                    message = bytes(data[begin + _MESSAGE_HEADER.size : end])
                    yield time_ns, place, wanted[channel], message

    def _content(self, chunk: ChunkInfo) -> bytes:
        assert self.bio is not None  # open
        self.bio.seek(chunk.chunk_start_offset + _RECORD.size)
        header = self.bio.read(_CHUNK_HEADER.size + len(chunk.compression) + 8)
        (checksum,) = struct.unpack_from("<I", header, 24)
        packed = self.bio.read(chunk.compressed_size)
        return decompress(packed, chunk.compression, chunk.uncompressed_size, checksum)


class CutMcap(Mcap):
    """An MCAP file up to its last whole message; `unread` says how much that leaves out."""

    unread = ""
    _rest = b""
    """Whole records of the chunk in which the file ends."""

    def _open(self) -> None:
        assert self.bio is not None  # set by `open`
        size = self.path.stat().st_size
        head = self.bio.read(len(_MAGIC) + _RECORD.size)
        if len(head) < len(_MAGIC) + _RECORD.size or not head.startswith(_MAGIC):
            raise ReaderError("not an MCAP file")
        self.data_start = len(head) + _RECORD.unpack(head[len(_MAGIC) :])[1]
        chunks, used = self._walk(size)
        counts, self.start_time, self.end_time = self._scan()
        self.connections = [c._replace(msgcount=counts[c.id]) for c in self.connections]
        self.chunks = [c._replace(channel_count=counts) for c in chunks]
        self.unread = f"{size - used} of {size} bytes"

    def _walk(self, size: int) -> tuple[list[ChunkInfo], int]:
        """Find the chunks and how many bytes of the file they use, and set `data_end`."""
        assert self.bio is not None
        chunks = []
        position = self.data_start
        while position + _RECORD.size <= size:
            self.bio.seek(position)
            opcode, length = _RECORD.unpack(self.bio.read(_RECORD.size))
            end = position + _RECORD.size + length
            if not 0 < opcode < _DATA_END or (end > size and opcode != _CHUNK):
                break
            if opcode == _CHUNK:
                header = self.bio.read(_CHUNK_HEADER.size)
                if len(header) < _CHUNK_HEADER.size:
                    break
                first, last, whole, _, letters = _CHUNK_HEADER.unpack(header)
                compression = self.bio.read(letters).decode()
                packed = int.from_bytes(self.bio.read(8), "little")
                span = (first, last, position, end - position)
                chunks.append(ChunkInfo(*span, {}, 0, compression, packed, whole, {}))
            if end > size:
                self.data_end = position
                return chunks, position + self._keep_rest(self.bio.read(), compression)
            position = end
        self.data_end = position
        return chunks, position

    def _keep_rest(self, packed: bytes, compression: str) -> int:
        """Keep the whole records of a chunk that was cut; return how much of it that is."""
        data = _BEGINNINGS[compression](packed)
        whole = max((end for _, _, end in _records(data)), default=0)
        self._rest = data[:whole]
        return len(packed) * whole // max(len(data), 1)

    def _scan(self) -> tuple[Counter[int], int, int]:
        """Read channels, and count messages by channel; also first time and end."""
        self.meta_scan()
        parts = [self.statistics]
        if self._rest:
            place = self.bio, self.data_start, self.data_end
            self.bio, self.data_start, self.data_end = BytesIO(self._rest), 0, len(self._rest)
            self.meta_scan()
            parts.append(self.statistics)
            self.bio, self.data_start, self.data_end = place
        found = [part for part in parts if part]
        counts = Counter[int]()
        for part in found:
            counts.update(part.channel_message_counts)
        return counts, min(p.start_time for p in found), max(p.end_time for p in found) + 1

    def _content(self, chunk: ChunkInfo) -> bytes:
        return self._rest if chunk.chunk_start_offset == self.data_end else super()._content(chunk)


_BEGINNINGS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda packed: packed,
    "lz4": lambda packed: LZ4FrameDecompressor().decompress(packed),
    "zstd": lambda packed: zstd.ZstdDecompressor().decompress(packed),
}
"""What can be decompressed of a chunk that was cut."""


def _records(data: bytes | memoryview) -> Iterator[tuple[int, int, int]]:
    """Yield opcode, begin and end of each whole record."""
    position = 0
    while position + _RECORD.size <= len(data):
        opcode, length = _RECORD.unpack_from(data, position)
        begin, position = position + _RECORD.size, position + _RECORD.size + length
        if position > len(data):
            return
        yield opcode, begin, position
