"""The subscription of a stream: what it hears, and why it may hear nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from rclpy.node import Node
from rclpy.topic_endpoint_info import TopicEndpointInfo

from xmodal_ros.core.settings import StreamSettings
from xmodal_ros.ros import qos
from xmodal_ros.ros.messages import message_class


class Input:
    """Subscribes to one stream's topic and counts what comes.

    Args:
        node: Node to subscribe with.
        stream: Settings of the stream.
        receive: Called with this input and each message.
    """

    def __init__(
        self, node: Node, stream: StreamSettings, receive: Callable[[Input, Any], None]
    ) -> None:
        self.stream, self._node = stream, node
        self.type, self.qos = stream.message_type, qos.subscription(stream)
        self.heard = 0
        self.size = 0
        """Bytes of the last message's image or cloud."""
        self.heard_s = time.monotonic()
        """Time of the last message; of the subscription before the first one."""
        self.error = ""
        """Why the last message that was refused could not be used."""

        self._closed = False

        def on_message(message: Any) -> None:
            if self._closed:  # the executor had it already
                return
            self.heard += 1
            self.heard_s = time.monotonic()
            self.size = len(getattr(message, "data", ()))
            receive(self, message)

        self._subscription = node.create_subscription(
            message_class(self.type), stream.topic or stream.name, on_message, self.qos
        )

    @property
    def topic(self) -> str:
        """Resolved name of the topic."""
        return self._subscription.topic_name

    @property
    def silent_s(self) -> float:
        """Time since the last message, or since the subscription."""
        return time.monotonic() - self.heard_s

    def publishers(self) -> list[TopicEndpointInfo]:
        """Publishers on the topic, of whatever type."""
        return self._node.get_publishers_info_by_topic(self.topic)

    def why_silent(self) -> str:
        """Say why no message comes and what to do."""
        return why_silent(self, self.publishers())

    def close(self) -> None:
        """End the subscription."""
        self._closed = True
        self._node.destroy_subscription(self._subscription)


def why_silent(source: Input, publishers: Iterable[TopicEndpointInfo]) -> str:
    """Say from the graph why `source` hears nothing and what to do."""
    publishers, topic, stream = list(publishers), source.topic, source.stream.name
    if not publishers:
        return (
            f"nothing publishes {topic}: start its driver, or remap or set parameter "
            f"'{stream}.topic' to where it publishes"
        )
    typed = [p for p in publishers if p.topic_type == source.type]
    if not typed:
        found = ", ".join(sorted({f"{p.topic_type} by {_name(p)}" for p in publishers}))
        return (
            f"{topic} is published as {found}, not as {source.type}: set parameter "
            f"'{stream}.type', or '{stream}.topic' to another topic"
        )
    reasons = {_name(p): qos.mismatch(p.qos_profile, source.qos, stream) for p in typed}
    if all(reasons.values()):
        return "; ".join(f"{name} publishes {topic}, but {why}" for name, why in reasons.items())
    silent = ", ".join(name for name, why in reasons.items() if not why)
    silence = (
        f"{silent} publishes {topic} and is matched, but nothing has come for "
        f"{source.silent_s:.0f} s"
    )
    if source.stream.reliability == "reliable":
        return f"{silence}: it sends nothing; check that its sensor delivers, and its log"
    # Discovery says nothing of sizes, so that only a message tells.
    size = (
        f"Its last message had {source.size / 1024:.0f} KiB"
        if source.size
        else "How large its messages are is not known before one has come (VGA colour: 900 KiB)"
    )
    return (
        f"{silence}. {size}; sent best effort, those over 512 KiB are lost in Fast DDS's shared "
        "memory, unless the publisher's process is started with our profile config/fastdds.xml: "
        f"start it with that profile, or set '{stream}.reliability' to 'reliable'"
    )


def _name(endpoint: TopicEndpointInfo) -> str:
    return f"{endpoint.node_namespace.rstrip('/')}/{endpoint.node_name}"
