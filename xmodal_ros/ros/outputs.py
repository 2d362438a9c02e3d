"""Publishers of what a bundle answers: one topic per head, and the embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rclpy.lifecycle import LifecycleNode

from xmodal_ros.core.types import Modality, Prediction
from xmodal_ros.data.encode import EMBEDDING_TYPE, encode, encode_embedding
from xmodal_ros.ros import qos
from xmodal_ros.ros.encode import fill
from xmodal_ros.ros.messages import message_class


class Outputs:
    """Publishes each head's answers on `~/<head>`, and embeddings on `~/embedding`.

    Args:
        node: Node to publish with; nothing goes out while it is not active.
        types: Message type by name of head.
        modalities: Modality by name of stream.
    """

    def __init__(
        self,
        node: LifecycleNode,
        types: Mapping[str, str],
        modalities: Mapping[str, Modality],
    ) -> None:
        self._node, self._modalities = node, modalities
        self._heads = {head: self._publisher(kind, head) for head, kind in types.items()}
        self._embedding = self._publisher(EMBEDDING_TYPE, "embedding")

    def publish(self, prediction: Prediction, sync_ns: int, embeddings: bool) -> None:
        """Publish every head's answer, and the embeddings on request."""
        for head, (kind, fields) in encode(prediction, sync_ns).items():
            self._heads[head].publish(fill(message_class(kind), fields))
        if embeddings:
            for stream in prediction.embeddings:
                fields = encode_embedding(prediction, stream, self._modalities[stream])
                self._embedding.publish(fill(message_class(EMBEDDING_TYPE), fields))

    def close(self) -> None:
        """Remove the publishers."""
        for publisher in (*self._heads.values(), self._embedding):
            self._node.destroy_lifecycle_publisher(publisher)

    def _publisher(self, type_name: str, topic: str) -> Any:
        return self._node.create_lifecycle_publisher(
            message_class(type_name),
            f"~/{topic}",
            qos.output(),
            qos_overriding_options=qos.OVERRIDABLE,
        )
