"""Contact masks of simulated recordings, for the gel images that examples consist of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.decode import decode_image, stamp_ns
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.source import Source

TRUTH = "/truth/contact/"


def contact_masks(images: Iterable[Source]) -> dict[Source, np.ndarray]:
    """Where the gel of each image is touched.

    A gel's mask has its image's header stamp; the topic of `/<gel>/image_raw...` is
    `/truth/contact/<gel>`.

    Args:
        images: Of recordings, as `data.visual_tactile` finds them.

    Returns:
        By image `(H, W) bool`.

    Raises:
        DataError: an image is not from a recording, or has no mask.
    """
    found: dict[Source, np.ndarray] = {}
    wanted: dict[Path, dict[str, dict[int, Source]]] = defaultdict(lambda: defaultdict(dict))
    for source in images:
        topic, _, log_ns = source.place.rpartition("@")
        if not topic:
            raise DataError("is not from a recording", where=str(source))
        wanted[source.path][topic][int(log_ns)] = source
    for path, topics in wanted.items():
        with Recording(path) as recording:
            for topic, sources in topics.items():
                found |= _masks(recording, topic, sources)
    return found


def _masks(
    recording: Recording, topic: str, sources: dict[int, Source]
) -> dict[Source, np.ndarray]:
    truth = TRUTH + topic.strip("/").split("/")[0]
    stamps = {
        stamp_ns(message.header.stamp): sources[log_ns]
        for _, _, log_ns, message in recording.messages([topic])
        if log_ns in sources
    }
    found = {}
    for _, _, _, message in recording.messages([truth]):
        source = stamps.pop(stamp_ns(message.header.stamp), None)
        if source:
            found[source] = decode_image(message, truth) > 0
    if len(found) < len(sources):
        lacking = next(source for source in sources.values() if source not in found)
        raise DataError(f"has no mask of its stamp on {truth}", where=str(lacking))
    return found
