"""Clouds in which each point has a class, on request: made only while somebody listens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sensor_msgs.msg import PointCloud2

from xmodal_ros.core.types import Observation, StreamData
from xmodal_ros.data.encode import POINTS
from xmodal_ros.data.fields import labelled_cloud_fields
from xmodal_ros.ros.encode import fill
from xmodal_ros.ros.lifecycle import Lifecycle
from xmodal_ros.runtime.frames import Features
from xmodal_ros.runtime.points import label_points
from xmodal_ros.runtime.predictor import Predictor


@dataclass(frozen=True)
class Seen:
    """A scan to label."""

    stream: str
    data: StreamData
    encoded: Features
    """What the predictor made of it."""


class PointLabels:
    """Publishes `~/points/<stream>`: each scan once, its points with a class and how sure it is.

    There is a topic for each LiDAR whose points the bundle has classes for.

    Args:
        node: Node to publish with; nothing goes out while it is not active.
        predictor: Whose bundle.
        allowed: Whether it is published at all.
    """

    what = "labels of points"

    def __init__(self, node: Lifecycle, predictor: Predictor, allowed: bool) -> None:
        self._node, self._cards = node, predictor.labelled
        self._labelled_ns: dict[str, int] = {}
        self.allowed = allowed
        """May be changed while the node runs."""
        self._publishers = {
            stream: node.create_output(PointCloud2, f"{POINTS}/{stream}") for stream in self._cards
        }

    def wanted(
        self, observation: Observation, encoded: Mapping[str, Features]
    ) -> list[Seen] | None:
        """Scans of an observation that somebody wants labels of; None if there are none."""
        found = [
            Seen(stream, observation.streams[stream], encoded[stream])
            for stream, publisher in self._publishers.items()
            if self.allowed and publisher.get_subscription_count() and stream in encoded
        ]
        # A LiDAR that is slower than the anchor is in several sets.
        new = [s for s in found if self._labelled_ns.get(s.stream) != s.data.stamps_ns[0]]
        self._labelled_ns.update({s.stream: s.data.stamps_ns[0] for s in new})
        return new or None

    def publish(self, wanted: list[Seen]) -> None:
        """Label and publish, with stamp and frame of the scan."""
        for seen in wanted:
            found = label_points(seen.encoded, self._cards[seen.stream])
            fields = labelled_cloud_fields(
                seen.data.stamps_ns[0], seen.data.frame_id, seen.data.data, *found
            )
            self._publishers[seen.stream].publish(fill(PointCloud2, fields))

    def close(self) -> None:
        """Remove the publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
