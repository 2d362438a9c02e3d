"""Publishers of what a bundle answers: one topic per head, and the embeddings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from xmodal_ros.core.errors import BundleError
from xmodal_ros.core.types import Modality, Prediction
from xmodal_ros.data.encode import EMBEDDING_TYPE, encode, encode_embedding
from xmodal_ros.ros.encode import fill
from xmodal_ros.ros.lifecycle import Lifecycle
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
        node: Lifecycle,
        types: Mapping[str, str],
        modalities: Mapping[str, Modality],
    ) -> None:
        self._node, self._types, self._modalities = node, dict(types), dict(modalities)
        self._heads = {head: self._publisher(kind, head) for head, kind in types.items()}
        self._embedding = self._publisher(EMBEDDING_TYPE, "embedding")

    def add(self, types: Mapping[str, str], modalities: Mapping[str, Modality]) -> None:
        """Publish what another bundle answers, too; heads of both keep their publishers.

        Raises:
            BundleError: a head has another type than before.
        """
        for head, kind in types.items():
            if self._types.get(head, kind) != kind:
                raise BundleError(
                    f"is published as {self._types[head]}, and would be as {kind}",
                    where=f"head '{head}'",
                    do="Clean the node up and configure it with the other bundle",
                )
        for head, kind in types.items():
            if head not in self._heads:
                self._heads[head] = self._publisher(kind, head)
        self._types |= types
        self._modalities |= modalities

    def keep(self, heads: Collection[str]) -> None:
        """Remove the publishers of other heads."""
        for head in self._heads.keys() - set(heads):
            self._node.destroy_lifecycle_publisher(self._heads.pop(head))
            del self._types[head]

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
        return self._node.create_output(message_class(type_name), topic)
