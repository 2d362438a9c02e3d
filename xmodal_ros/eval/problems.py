"""What went wrong in an evaluation, in words, with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from xmodal_ros.core import health as reasons
from xmodal_ros.core.health import StreamHealth
from xmodal_ros.core.settings import StreamSettings
from xmodal_ros.core.windows import GAP, HISTORY, SKEW
from xmodal_ros.data.replay import Replay
from xmodal_ros.eval.points import PointsResult
from xmodal_ros.eval.results import HeadResult

MISSING_CURES = {
    reasons.REFUSED: "",  # told with the messages that were not used
    reasons.ABSENT: "it was silent: check that the sensor was recorded all the time",
    SKEW: "none of its messages was near enough: raise streams.{name}.tolerance_s, or set "
    "streams.{name}.offset_s if its clock is off",
    GAP: "its window has a hole: messages were lost while recording",
    HISTORY: "",  # every window fills up once; nothing to mend
}
REFUSED_CURES = {
    reasons.ZERO_STAMP: "the driver does not stamp its messages",
    reasons.FUTURE_STAMP: "its clock is ahead of the others: set streams.{name}.offset_s",
    reasons.DUPLICATE: "the first message of each stamp was used",
}
LARGEST_NORMAL_LATE = 0.02
"""Share of observations that may lack a stream, at a recording's edges, before it is told."""


def stream_problems(
    streams: Iterable[StreamSettings], replay: Replay, topics: Iterable[str]
) -> list[str]:
    """Streams that are not there, missing in observations, or with messages that were not used.

    Args:
        streams: Settings of the streams that were to be read.
        replay: The replay, read to its end.
        topics: All topics of the recording.
    """
    found = []
    health = replay.health
    for stream in streams:
        counts = health.streams[stream.name]
        if stream.name not in replay.topics:
            found.append(
                f"Stream '{stream.name}' gave nothing: no topic '{stream.topic}' was recorded. "
                f"Set streams.{stream.name}.topic to one of {', '.join(sorted(topics))}."
            )
            continue
        found += _refused(stream.name, counts, replay.errors.get(stream.name, ""))
        found += _missing(stream.name, counts, health.formed)
    for (name, reason), count in health.refused.items():
        found.append(
            f"{count} anchors gave no observation, because stream '{name}' is required and was "
            f"missing: {reason}."
        )
    if health.clock_resets:
        found.append(
            f"The clock was set back {health.clock_resets} times; buffers were cleared each time. "
            "A recording that was looped while recording does this."
        )
    return found


def head_problems(
    expected: Mapping[str, tuple[str, ...]],
    heads: Mapping[str, HeadResult],
    labelled: Iterable[str],
) -> list[str]:
    """Heads of the bundle without an answer, and labels that no head knows.

    Args:
        expected: The bundle's heads and the streams each reads.
        heads: What was predicted.
        labelled: Heads for which the recording has a label topic.
    """
    found = [
        f"Head '{name}' gave no answer: it needs one of the streams {', '.join(streams)}."
        for name, streams in expected.items()
        if name not in heads
    ]
    found += [
        f"The recording has labels for '{name}', which the bundle cannot predict; it has "
        f"{', '.join(expected) or 'no head'}."
        for name in labelled
        if name not in expected
    ]
    found += [
        f"Labels of '{head.name}' which the bundle does not know were left out of the scores: "
        f"{', '.join(head.unknown_labels)}. It knows {', '.join(head.labels)}."
        for head in heads.values()
        if head.unknown_labels
    ]
    return found


def point_problems(points: Mapping[str, PointsResult]) -> list[str]:
    """LiDARs whose points could be labelled and were not, or not compared with what they are."""
    found = []
    for name, result in points.items():
        if not result.scans:
            found.append(f"No point of '{name}' has a class: no scan of it showed anything.")
        if result.unfit:
            found.append(
                f"{result.unfit} of {result.scans} scans of '{name}' were left out of the scores: "
                "the recording has not one class for each of their points."
            )
        untold = result.scans - result.scored - result.unfit
        if result.scored and untold:
            found.append(
                f"{untold} of {result.scans} scans of '{name}' were left out of the scores: the "
                "recording has no classes with their stamp."
            )
        if result.scored and not result.scores:
            found.append(
                f"The points of '{name}' have classes of which the bundle knows none. It knows "
                f"{', '.join(result.labels)}."
            )
    return found


def _refused(name: str, counts: StreamHealth, last_error: str) -> list[str]:
    found = []
    for reason, count in (counts.refused + counts.dropped).items():
        cure = REFUSED_CURES.get(reason, "").format(name=name)
        note = f"; {cure}" if cure else ""
        found.append(
            f"{count} of {counts.received} messages of stream '{name}' were not used: "
            f"{reason}{note}."
        )
    return [*found, f"The last such message of '{name}': {last_error}."] if last_error else found


def _missing(name: str, counts: StreamHealth, formed: int) -> list[str]:
    found = []
    for reason, count in counts.missing.items():
        cure = MISSING_CURES[reason].format(name=name)
        if cure and count > LARGEST_NORMAL_LATE * formed:
            found.append(
                f"Stream '{name}' was missing in {count} of {formed} observations ({reason}): "
                f"{cure}."
            )
    return found
