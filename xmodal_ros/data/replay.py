"""A recording to observations, offline: the same steps as the live node in lock-step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.health import OTHER_ANCHOR, Health
from xmodal_ros.core.settings import Settings, StreamSettings
from xmodal_ros.core.types import Observation
from xmodal_ros.core.windows import Window
from xmodal_ros.data.ingest import Ingest
from xmodal_ros.data.recording import Recording


def observations(
    recording: Recording, settings: Settings, windows: Mapping[str, Window]
) -> Replay:
    """Decode and synchronize a recording; iterate over the result.

    Raises:
        DataError: the topic of the anchor or of a required stream is not recorded, a topic's type
            is not the stream's, or a name fits several topics.
    """
    return Replay(recording, settings, windows)


class Replay:
    """Iterates once over a recording's observations; its counters grow meanwhile."""

    def __init__(
        self, recording: Recording, settings: Settings, windows: Mapping[str, Window]
    ) -> None:
        self._recording = recording
        self.ingest = Ingest(settings, windows)
        self.topics = find_topics(recording, settings)
        """Topic read for each stream; optional streams that were not recorded have none."""

    @property
    def health(self) -> Health:
        """Counters of the synchronizer; `refused` of a stream has what could not be decoded."""
        return self.ingest.health

    @property
    def errors(self) -> dict[str, str]:
        """Why the last refused message of each stream could not be decoded."""
        return self.ingest.errors

    def __iter__(self) -> Iterator[Observation]:
        streams: dict[str, list[str]] = {}
        for stream, topic in self.topics.items():
            streams.setdefault(topic, []).append(stream)
        for topic, _, _, message in self._recording.messages(list(streams)):
            for stream in streams[topic]:
                yield from self.ingest.message(stream, message)
        yield from self.ingest.flush()


def find_topics(recording: Recording, settings: Settings) -> dict[str, str]:
    """The recorded topic of each stream.

    A relative name fits the topic of that name, or else the only one that ends with it, recorded
    under a namespace.

    Raises:
        DataError: see `observations`.
    """
    found = {}
    for stream in settings.streams:
        topic = _find(recording, stream)
        if topic:
            found[stream.name] = topic
        elif stream.required or stream.name == settings.anchor.name:
            anchor = stream.name == settings.anchor.name
            role = "the anchor" if anchor else "required"
            other = f"; {OTHER_ANCHOR}" if anchor else ""
            raise DataError(
                f"no topic '{stream.topic or stream.name}' of stream '{stream.name}' ({role})",
                where=str(recording.path),
                expected="one of its topics: " + ", ".join(recording.topics),
                do=f"Set streams.{stream.name}.topic{other}.",
            )
    return found


def _find(recording: Recording, stream: StreamSettings) -> str | None:
    name = "/" + (stream.topic or stream.name).lstrip("/")
    fitting = [name] if name in recording.topics else []
    if not fitting and not stream.topic.startswith("/"):
        fitting = [topic for topic in recording.topics if topic.endswith(name)]
    if not fitting:
        return None
    if len(fitting) > 1:
        raise DataError(
            f"'{stream.topic}' fits " + ", ".join(fitting),
            where=str(recording.path),
            expected="one topic",
            do=f"Set streams.{stream.name}.topic to one of them.",
        )
    kind = recording.topics[fitting[0]].type
    if kind != stream.message_type:
        raise DataError(
            f"topic {fitting[0]} is {kind}",
            where=str(recording.path),
            expected=stream.message_type,
            do=f"Set streams.{stream.name}.type or streams.{stream.name}.topic.",
        )
    return fitting[0]
