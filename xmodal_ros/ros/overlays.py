"""Pictures of what each head looks at, on request: drawn only while somebody listens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sensor_msgs.msg import Image

from xmodal_ros.core.types import Observation
from xmodal_ros.data.fields import image_fields
from xmodal_ros.ros.encode import fill
from xmodal_ros.ros.lifecycle import Lifecycle
from xmodal_ros.runtime.focus import Focus
from xmodal_ros.runtime.frames import Features
from xmodal_ros.runtime.predictor import Predictor


@dataclass(frozen=True)
class Wanted:
    """What is to be drawn of one observation."""

    heads: Mapping[str, tuple[str, ...]]
    """By head, the streams that somebody listens to."""
    observation: Observation
    encoded: Mapping[str, Features]
    """What the predictor made of it."""


class Overlays:
    """Publishes `~/focus/<head>/<stream>`: the newest image with the head's attention over it.

    There is a topic for each stream of images that a head with CEC over patch tokens reads.

    Args:
        node: Node to publish with; nothing goes out while it is not active.
        predictor: Whose heads.
    """

    what = "picture of the attention"

    def __init__(self, node: Lifecycle, predictor: Predictor) -> None:
        self._node, self.focus = node, Focus(predictor)
        self._publishers = {
            (head, stream): node.create_output(Image, f"focus/{head}/{stream}")
            for head, streams in self.focus.streams.items()
            for stream in streams
        }

    def wanted(self, observation: Observation, encoded: Mapping[str, Features]) -> Wanted | None:
        """What is to be drawn of an observation; None while nobody listens."""
        heads: dict[str, tuple[str, ...]] = {}
        for (head, stream), publisher in self._publishers.items():
            if publisher.get_subscription_count() and stream in encoded:
                heads[head] = (*heads.get(head, ()), stream)
        return Wanted(heads, observation, encoded) if heads else None

    def publish(self, wanted: Wanted) -> None:
        """Draw and publish, with stamp and frame of the prediction."""
        observation = wanted.observation
        for head, streams in wanted.heads.items():
            drawn = self.focus.overlays(head, streams, observation, wanted.encoded)
            for stream, image in drawn.items():
                fields = image_fields(observation.stamp_ns, observation.frame_id, image)
                self._publishers[head, stream].publish(fill(Image, fields))

    def close(self) -> None:
        """Remove the publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
