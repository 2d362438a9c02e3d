"""The service `~/predict`: the answers of all heads to the next observation."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node

from xmodal_msgs.srv import Predict
from xmodal_ros.core.assess import check_timeout
from xmodal_ros.core.errors import SettingsError, UserError
from xmodal_ros.data.encode import encode, seconds
from xmodal_ros.ros.encode import fill
from xmodal_ros.ros.later import Answer, LaterService
from xmodal_ros.ros.requests import NotActive, NothingCame, Request, Requests
from xmodal_ros.ros.session import Seen

Response = Predict.Response
CODES: dict[type[UserError], int] = {
    SettingsError: Response.BAD_REQUEST,
    NotActive: Response.NOT_ACTIVE,
    NothingCame: Response.NO_PREDICTION,
}
"""Code by what is raised."""
FIELDS = {
    "material": ("material_heads", "materials"),
    "activity": ("activity_heads", "activities"),
    "grasp": ("grasp_heads", "grasps"),
}
"""Fields of the response with names and answers, by a head's task."""


class PredictServer:
    """Answers requests from the predictions that come.

    Args:
        node: Node to serve with; its executor has one thread.
        requests: Where they wait.
    """

    def __init__(self, node: Node, requests: Requests) -> None:
        self._requests = requests
        self._service = LaterService(node, Predict, "~/predict", self._receive)

    def close(self) -> None:
        """Remove the service; requests under way are not answered any more."""
        self._service.close()

    def _receive(self, asked: Predict.Request, answer: Answer) -> None:
        timeout_s = asked.timeout.sec + asked.timeout.nanosec * 1e-9
        request = _Next(timeout_s, tuple(asked.required_streams), answer)
        try:
            check_timeout(timeout_s)
            read = tuple(self._requests.session.model.bundle.inputs)
            self._requests.check_streams(request.required, read)
            self._requests.add(request)
        except UserError as error:
            request.fail(error)


class _Next(Request):
    """A request for the next prediction.

    Args:
        timeout_s: Longest wait.
        required: Streams that it must have seen.
        answer: Sends the response.
    """

    def __init__(self, timeout_s: float, required: tuple[str, ...], answer: Answer) -> None:
        super().__init__(timeout_s, required)
        self._answer = answer

    def take(self, seen: Seen) -> bool:
        if self.lacks(seen.observation):
            self.pass_over(seen.observation)
            return False
        prediction = seen.prediction
        stamp = seconds(prediction.stamp_ns)
        fields: dict[str, Any] = {"header": {"stamp": stamp, "frame_id": prediction.frame_id}}
        for head, (_, answer) in encode(prediction, seen.sync_ns).items():
            names, answers = FIELDS[prediction.heads[head].task]
            fields.setdefault(names, []).append(head)
            fields.setdefault(answers, []).append(answer)
        self._answer(fill(Response, fields))
        return True

    def late(self, why: UserError) -> None:
        self.fail(why)

    def fail(self, error: UserError) -> None:
        self._answer(Response(error_code=CODES[type(error)], message=str(error)))
