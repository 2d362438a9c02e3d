"""A service that answers when there is something to answer with.

With a coroutine as its callback, which is how the other executors of rclpy would do it, the
`EventsExecutor` fails. But every executor sends what a callback returns by `Service.send_response`
with the header of the request: here that is where request and header are kept until the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.node import Node

Answer = Callable[[Any], None]


class LaterService:
    """Serves requests that wait; callbacks go on meanwhile.

    Args:
        node: Node to serve with.
        kind: Type of the service.
        name: Its name.
        receive: Called with each request, and with what sends its response: once, from the
            node's thread.
    """

    def __init__(
        self, node: Node, kind: Any, name: str, receive: Callable[[Any, Answer], None]
    ) -> None:
        self._node, self._receive = node, receive
        self._service = node.create_service(kind, name, lambda request, _: request)
        self._send = self._service.send_response
        self._service.send_response = self._keep

    def close(self) -> None:
        """Remove the service."""
        self._node.destroy_service(self._service)

    def _keep(self, request: Any, header: Any) -> None:
        self._receive(request, partial(self._answer, header))

    def _answer(self, header: Any, response: Any) -> None:
        try:
            self._send(response, header)
        except RuntimeError as error:  # rclpy's RCLError is one
            self._node.get_logger().warning(f"an answer found nobody to take it: {error}")
