"""The services with which a robot is taught materials: teach, list, rename and forget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from xmodal_msgs.srv import ForgetMaterial, ListMaterials, RenameMaterial, TeachMaterial
from xmodal_ros.core.errors import UserError
from xmodal_ros.runtime.contact import NoContact, TooFew
from xmodal_ros.runtime.taught import BadName, NotSaved
from xmodal_ros.runtime.teach import LikeAnother, NotPossible, Teachable, Unknown

CODES: dict[type[UserError], str] = {
    BadName: "BAD_NAME",
    NoContact: "NO_CONTACT",
    TooFew: "TOO_FEW",
    LikeAnother: "LIKE_ANOTHER",
    NotSaved: "NOT_SAVED",
    NotPossible: "NOT_POSSIBLE",
    Unknown: "UNKNOWN",
}
"""Constant of the response, by what is raised."""


class TeachServer:
    """Serves `~/teach_material`, `~/list_materials`, `~/rename_material`, `~/forget_material`.

    Args:
        node: Node to serve with.
        teachable: What is taught; can be replaced.
        changed: Called when the labels have changed.
    """

    def __init__(self, node: Node, teachable: Teachable, changed: Callable[[], None]) -> None:
        self.teachable = teachable
        self._node, self._changed = node, changed
        self._services = [
            node.create_service(TeachMaterial, "~/teach_material", self._teach),
            node.create_service(ListMaterials, "~/list_materials", self._list),
            node.create_service(RenameMaterial, "~/rename_material", self._rename),
            node.create_service(ForgetMaterial, "~/forget_material", self._forget),
        ]

    def close(self) -> None:
        """Remove the services."""
        for service in self._services:
            self._node.destroy_service(service)

    def _teach(
        self, request: TeachMaterial.Request, response: TeachMaterial.Response
    ) -> TeachMaterial.Response:
        def teach() -> str:
            lesson = self.teachable.teach(request.name, request.touches, request.force)
            response.touches = lesson.touches
            return str(lesson)

        return self._answer(response, teach)

    def _list(
        self, _: ListMaterials.Request, response: ListMaterials.Response
    ) -> ListMaterials.Response:
        response.names = [m.name for m in self.teachable.materials]
        response.touches = [len(m.touches) for m in self.teachable.materials]
        return response

    def _rename(
        self, request: RenameMaterial.Request, response: RenameMaterial.Response
    ) -> RenameMaterial.Response:
        def rename() -> str:
            self.teachable.rename(request.name, request.new_name)
            return f"'{request.name}' is now '{request.new_name}'"

        return self._answer(response, rename)

    def _forget(
        self, request: ForgetMaterial.Request, response: ForgetMaterial.Response
    ) -> ForgetMaterial.Response:
        def forget() -> str:
            self.teachable.forget(request.name)
            return f"'{request.name}' is forgotten"

        return self._answer(response, forget)

    def _answer(self, response: Any, work: Callable[[], str]) -> Any:
        """Fill in what came of it: a message, and a code where it was refused."""
        try:
            response.message = work()
        except UserError as error:
            response.error_code = getattr(response, CODES[type(error)])
            response.message = str(error)
        else:
            self._changed()
            self._node.get_logger().info(response.message)
        return response
