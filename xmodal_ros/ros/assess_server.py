"""The action `~/assess_grasp`: will this grasp hold? Any number of goals at once.

A goal whose client has gone ends by itself, at its limit at the latest.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from rclpy.node import Node

from xmodal_msgs.action import AssessGrasp
from xmodal_ros.core.assess import TASK, Decision, Evidence, Terms
from xmodal_ros.core.errors import SettingsError, UserError
from xmodal_ros.data.encode import Fields, seconds
from xmodal_ros.data.fields import compressed_fields
from xmodal_ros.ros.encode import fill
from xmodal_ros.ros.goals import Goals
from xmodal_ros.ros.model import Model
from xmodal_ros.ros.requests import NotActive, NothingCame, Request, Requests
from xmodal_ros.ros.session import Seen

Result = AssessGrasp.Result
JPEG_QUALITY = 90
NO_TIME = "there was no time for pictures"


class NoGraspHead(UserError):
    """The bundle cannot judge grasps."""


class _Canceled(UserError):
    """The client wishes no answer any more."""


CODES: dict[type[UserError], int] = {
    SettingsError: Result.BAD_GOAL,
    NoGraspHead: Result.NO_GRASP_HEAD,
    NotActive: Result.NOT_ACTIVE,
    NothingCame: Result.NO_PREDICTION,
    _Canceled: Result.CANCELED,
}
"""Code by what is raised."""


class AssessServer:
    """Answers goals from the predictions that come.

    Args:
        node: Node to serve with; its executor has one thread.
        requests: Where goals wait for predictions.
    """

    def __init__(self, node: Node, requests: Requests) -> None:
        self.requests = requests
        self._goals: dict[bytes, _Goal] = {}
        self._artist = ThreadPoolExecutor(1, "pictures of decisions")
        self._served = Goals(node, AssessGrasp, "~/assess_grasp", self._accept, self._cancel)

    def close(self) -> None:
        """Remove the server; goals under way are not answered any more."""
        self._artist.shutdown(wait=True, cancel_futures=True)
        self._served.close()

    def end(self, handle: Any, result: AssessGrasp.Result) -> None:
        """Answer a goal."""
        self._goals.pop(bytes(handle.goal_id.uuid), None)
        self._served.end(handle, result)

    def draw(self, goal: _Goal, seen: Seen) -> None:
        """Have pictures made of what a prediction looked at, in another thread."""
        drawn = self._artist.submit(_pictures, goal.head, seen)
        drawn.add_done_callback(lambda done: self.requests.soon(partial(goal.drawn, done)))

    def _accept(self, handle: Any) -> None:
        try:
            goal = self._goal(handle)
            self.requests.add(goal)
        except UserError as error:
            self.end(handle, _failed(error))
            return
        self._goals[bytes(handle.goal_id.uuid)] = goal
        if goal.pictures:
            self._artist.submit(self.requests.session.served.overlays.focus.load)

    def _goal(self, handle: Any) -> _Goal:
        """Check what was asked.

        Raises:
            SettingsError: a field is wrong.
            NoGraspHead: the bundle cannot judge grasps, or not from the streams there are.
            NotActive: the node is not.
        """
        asked, session = handle.request, self.requests.session
        terms = Terms(
            asked.timeout.sec + asked.timeout.nanosec * 1e-9,
            asked.min_confidence,
            asked.threshold,
            tuple(asked.required_streams),
        )
        bundle = session.model.bundle
        heads = [name for name, head in bundle.heads.items() if head.task == TASK]
        choose = "Set parameter 'inference.bundle' to one that can"
        if not heads:
            raise NoGraspHead("has no head that judges grasps", where=bundle.id, do=choose)
        head = heads[0]
        read = bundle.spec.heads[head].streams
        if not set(read) & set(session.inputs):
            raise NoGraspHead(
                f"head '{head}' reads {', '.join(read)}, and this node hears none of them",
                where=bundle.id,
                do="Add one to parameter 'streams'",
            )
        self.requests.check_streams(terms.required_streams, read)
        if asked.overlay and head not in session.served.overlays.focus.streams:
            raise SettingsError(
                "got true", where="overlay", expected=f"false: '{head}' does not weigh places"
            )
        return _Goal(self, handle, terms, head, read, asked.overlay)

    def _cancel(self, handle: Any) -> None:
        # It can only be ended as canceled once this has returned.
        self.requests.soon(partial(self._canceled, handle))

    def _canceled(self, handle: Any) -> None:
        if goal := self._goals.get(bytes(handle.goal_id.uuid)):
            self.requests.remove(goal)
            goal.fail(_Canceled("on request of the client", where="canceled"))


class _Goal(Request):
    """A goal under way.

    Args:
        server: What answers it.
        handle: rclpy's handle.
        terms: What was asked.
        head: Name of the head that judges grasps.
        read: Streams that it reads.
        pictures: Whether pictures are wanted.
    """

    def __init__(
        self,
        server: AssessServer,
        handle: Any,
        terms: Terms,
        head: str,
        read: tuple[str, ...],
        pictures: bool,
    ) -> None:
        super().__init__(terms.timeout_s, terms.required_streams)
        self.head, self.pictures = head, pictures
        self.hopes = self.required or read
        self._server, self._handle = server, handle
        self._evidence = Evidence(terms)
        self._last: Seen | None = None

    def take(self, seen: Seen) -> bool:
        evidence = self._evidence
        if evidence.decision:
            return False  # its pictures are being drawn
        head = seen.prediction.heads.get(self.head)
        if head is None or self.lacks(seen.observation):
            self.pass_over(seen.observation)
            return False
        self._last = seen
        if evidence.add(seen.prediction.stamp_ns, head):
            if self.pictures:
                self._server.draw(self, seen)
            else:
                self._end()
                return True
        self._handle.publish_feedback(fill(AssessGrasp.Feedback, self._so_far()))
        return False

    def follow(self, model: Model) -> UserError | None:
        head = model.bundle.heads.get(self.head)
        if head and head.task == TASK:
            return None
        return NoGraspHead(
            f"has no head '{self.head}' that judges grasps, and was loaded meanwhile",
            where=model.bundle.id,
        )

    def drawn(self, done: Future[dict[str, Fields]]) -> None:
        """Answer with the pictures, unless the time was up before."""
        requests = self._server.requests
        if self not in requests:
            return
        requests.remove(self)
        if error := done.exception():
            self._end(f"the pictures could not be drawn: {error!r}")
        else:
            pictures = done.result()
            self._end(overlay_streams=list(pictures), overlays=list(pictures.values()))

    def late(self, why: UserError) -> None:
        if self._evidence.observations:
            self._end(NO_TIME if self.pictures else "")
        else:
            self.fail(why)

    def fail(self, error: UserError) -> None:
        self._server.end(self._handle, _failed(error))

    def _end(self, remark: str = "", **pictures: Any) -> None:
        evidence, seen = self._evidence, self._last
        assert seen
        decision = evidence.decision
        text = f"{decision.name.lower()}: it holds with probability {evidence.probability:.2f}"
        text += f", by {evidence.observations} predictions"
        if decision == Decision.UNSURE:
            text += (
                f", and {evidence.least_confidence:.2f} is asked of either answer: allow more "
                "time, or lower min_confidence"
            )
        fields = {
            **self._so_far(),
            **pictures,
            "decision": int(decision),
            "header": {
                "stamp": seconds(seen.prediction.stamp_ns),
                "frame_id": seen.prediction.frame_id,
            },
            "error_code": Result.OK,
            "message": f"{text}; {remark}" if remark else text,
        }
        self._server.end(self._handle, fill(Result, fields))

    def _so_far(self) -> Fields:
        assert self._last
        return {
            "probability": self._evidence.probability,
            "observations": self._evidence.observations,
            "modalities_used": self._last.prediction.heads[self.head].used,
        }


def _pictures(head: str, seen: Seen) -> dict[str, Fields]:
    """By stream, the fields of a compressed image of what a head looked at."""
    observation, focus = seen.observation, seen.served.overlays.focus
    drawn = focus.overlays(head, focus.streams[head], observation, seen.encoded)
    return {
        name: compressed_fields(
            observation.streams[name].stamps_ns[-1],
            observation.streams[name].frame_id,
            image,
            JPEG_QUALITY,
        )
        for name, image in drawn.items()
    }


def _failed(error: UserError) -> AssessGrasp.Result:
    return Result(error_code=CODES[type(error)], message=str(error))
