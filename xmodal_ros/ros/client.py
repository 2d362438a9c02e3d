"""What a pipeline asks of the perception node, from within a node of its own.

    perception = Perception(node)
    if perception.assess_grasp(timeout_s=2.0).holds:
        lift()

Each question has two forms. The plain one waits: while another thread spins the node, or where
nothing does; then it spins the node itself until the answer is there. The `_async` one returns a
future of rclpy at once, to be awaited in a coroutine or given a callback; to cancel the future is
to cancel the question. Neither needs an executor or a thread besides.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from xmodal_msgs.action import AssessGrasp
from xmodal_msgs.msg import Activity, MaterialClass, ModelInfo
from xmodal_ros.core.assess import Terms, check_timeout
from xmodal_ros.core.errors import SettingsError, UserError
from xmodal_ros.data.encode import seconds
from xmodal_ros.ros import qos
from xmodal_ros.ros.alarm import Alarm
from xmodal_ros.ros.answers import Assessment, Recognized, Unanswered
from xmodal_ros.ros.encode import fill
from xmodal_ros.ros.guard import GuardedClient
from xmodal_ros.ros.question import Question

ALIVE_S = 1.0
"""An executor that runs nothing for so long is taken for one that never will."""


class WouldBlock(UserError):
    """Who waits here keeps what he waits for from coming."""


class Perception:
    """The perception node, as a pipeline sees it.

    Args:
        node: Your node. Its executor hears the answers.
        name: Name of the perception node, relative to the namespace of yours.
        material: Name of the head whose materials are wanted.
        activity: Name of the head whose activities are.
    """

    def __init__(
        self,
        node: Node,
        name: str = "perception",
        *,
        material: str = "material",
        activity: str = "activity",
    ) -> None:
        self._node, self._name, self._activity = node, name, activity
        # An awaiting callback holds its group, and must not keep the answer from coming.
        self._group = ReentrantCallbackGroup()
        self._labels: tuple[str, ...] = ()
        self._material: Recognized | None = None
        self._waiting: list[tuple[str, Future]] = []
        self._assess = GuardedClient(
            node, AssessGrasp, f"{name}/assess_grasp", callback_group=self._group
        )
        self._subscriptions = [
            self._listen(MaterialClass, material, self._take_material),
            self._listen(Activity, activity, self._take_activity),
            self._listen(ModelInfo, "model_info", self._take_model, qos.latched()),
        ]

    def close(self) -> None:
        """Remove what listens; questions under way are not answered any more."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._assess.destroy()

    def assess_grasp(self, timeout_s: float, **options: Any) -> Assessment:
        """Ask whether the grasp holds, and wait; the rest as `assess_grasp_async`.

        Raises:
            SettingsError: a value is out of its range.
            Refused: the node cannot judge; the text says why.
            Unanswered: the node is not there, or gave no answer.
            WouldBlock: called from a callback of the only thread that could hear the answer.
        """
        return self._wait(self.assess_grasp_async(timeout_s, **options))

    def assess_grasp_async(
        self,
        timeout_s: float,
        *,
        min_confidence: float = 0.0,
        threshold: float = 0.0,
        required_streams: Sequence[str] = (),
        overlay: bool = False,
        feedback: Callable[[AssessGrasp.Feedback], Any] | None = None,
    ) -> Future:
        """Ask whether the grasp holds.

        Args:
            timeout_s: Longest wait for the node and its decision together; simulated time where
                your node has `use_sim_time`.
            min_confidence: Least probability of what is decided, 0.5 to 1; 0: the bundle's own.
            threshold: Hold from this probability on, 0 to 1; 0: the bundle's own.
            required_streams: Predictions without one of them do not count.
            overlay: Whether pictures of what the decision looked at are wanted.
            feedback: Given each prediction that counts.

        Returns:
            Future of an `Assessment`, or of what `assess_grasp` raises.

        Raises:
            SettingsError: a value is out of its range.
        """
        terms = Terms(timeout_s, min_confidence, threshold, tuple(required_streams))

        def goal(left_s: float) -> AssessGrasp.Goal:
            fields = {
                "timeout": seconds(round(left_s * 1e9)),
                "min_confidence": terms.min_confidence,
                "threshold": terms.threshold,
                "required_streams": list(terms.required_streams),
                "overlay": overlay,
            }
            return fill(AssessGrasp.Goal, fields)

        where = f"{self._name}/assess_grasp"
        read = partial(Assessment.read, where=where)
        return Question(
            self._node, self._assess, where, timeout_s, goal, read, feedback, self._group
        ).future

    def latest_material(self, max_age_s: float = 1.0) -> Recognized | None:
        """The newest material that was recognized; never waits.

        Args:
            max_age_s: An older one, by its anchor's stamp, does not count.

        Returns:
            None where there is none, or the head is too unsure of it.
        """
        found = self._material
        if found is None or found.abstained:
            return None
        age_ns = self._node.get_clock().now().nanoseconds - found.stamp_ns
        return found if age_ns <= max_age_s * 1e9 else None

    def wait_for_activity(self, label: str, timeout_s: float) -> Recognized:
        """Wait until an activity is recognized.

        Raises:
            SettingsError: the time limit is not positive, or no activity has this name.
            Unanswered: it was not recognized in time.
            WouldBlock: called from a callback of the only thread that could hear it.
        """
        return self._wait(self.wait_for_activity_async(label, timeout_s))

    def wait_for_activity_async(self, label: str, timeout_s: float) -> Future:
        """Future of the first `Recognized` with this label that comes from now on.

        Args:
            label: One of the head's labels.
            timeout_s: Longest wait; simulated time where your node has `use_sim_time`.

        Raises:
            SettingsError: the time limit is not positive, or no activity has this name.
        """
        check_timeout(timeout_s)
        if unknown := self._unknown(label):
            raise unknown
        future = Future()
        waiting = label, future
        self._waiting.append(waiting)

        def late() -> None:
            text = f"'{label}' was not recognized within {timeout_s:g} s"
            do = "" if self._labels else "Nothing was heard of the node: is it there, and active?"
            error = Unanswered(text, where=f"{self._name}/{self._activity}", do=do)
            future.set_exception(error)

        alarm = Alarm(self._node, timeout_s, late, self._group)

        def forget(_: Future) -> None:
            alarm.stop()
            self._waiting.remove(waiting)

        future.add_done_callback(forget)
        return future

    def _listen(self, kind: Any, topic: str, take: Callable[[Any], None], how: Any = 10) -> Any:
        return self._node.create_subscription(
            kind, f"{self._name}/{topic}", take, how, callback_group=self._group
        )

    def _take_material(self, message: MaterialClass) -> None:
        self._material = Recognized.read(message)

    def _take_activity(self, message: Activity) -> None:
        if message.info.abstained:
            return
        for label, future in tuple(self._waiting):
            if label == message.label:
                future.set_result(Recognized.read(message))

    def _take_model(self, message: ModelInfo) -> None:
        heads = [head for head in message.heads if head.name == self._activity]
        self._labels = tuple(heads[0].labels) if heads else ()
        for label, future in tuple(self._waiting):
            if unknown := self._unknown(label):
                future.set_exception(unknown)

    def _unknown(self, label: str) -> SettingsError | None:
        """What is wrong with a label, as far as it is known which the model has."""
        if not self._labels or label in self._labels:
            return None
        known = ", ".join(self._labels)
        return SettingsError(f"got '{label}'", where="label", expected=f"one of {known}")

    def _wait(self, future: Future) -> Any:
        """Wait for a future of this node, in whichever thread spins it."""
        try:
            executor = self._node.executor
            if executor and self._node in executor.get_nodes():
                self._wait_for_other_thread(executor, future)
            else:
                spinner = SingleThreadedExecutor(context=self._node.context)
                spinner.add_node(self._node)
                try:
                    spinner.spin_until_future_complete(future)
                finally:
                    spinner.remove_node(self._node)
                    spinner.shutdown()
        except BaseException:
            future.cancel()
            raise
        if not future.done():
            raise Unanswered("ROS was shut down meanwhile", where=self._name)
        return future.result()

    def _wait_for_other_thread(self, executor: Any, future: Future) -> None:
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        alive = threading.Event()
        executor.create_task(alive.set)
        while not done.wait(ALIVE_S):
            if not alive.is_set():
                raise WouldBlock(
                    f"the executor of this node has run nothing for {ALIVE_S:g} s",
                    where=self._node.get_fully_qualified_name(),
                    expected="to be spun by another thread, or to be in no executor",
                    do="In a callback, await the _async form of this call",
                )
            alive.clear()
            executor.create_task(alive.set)
