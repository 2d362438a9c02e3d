"""What an active node does: hear the streams, form sets, predict and publish."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from rclpy.clock import Clock, JumpThreshold
from rclpy.clock_type import ClockType
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode
from std_srvs.srv import Trigger

from xmodal_msgs.msg import StreamAck
from xmodal_ros.core.errors import DataError, UserError
from xmodal_ros.core.settings import OutputSettings, Settings
from xmodal_ros.core.types import Observation, Prediction
from xmodal_ros.ros.beside import Beside
from xmodal_ros.ros.inputs import Input
from xmodal_ros.ros.model import Model
from xmodal_ros.ros.outputs import Outputs
from xmodal_ros.ros.pipeline import Pipeline
from xmodal_ros.ros.served import Served
from xmodal_ros.runtime.frames import Features

POLL_PERIOD_S = 0.01
"""How late a set may leave after its deadline."""
LOG_PERIOD_S = 5.0
ACK_DEPTH = 100
NO_CLOCK = "use_sim_time is set and no /clock has come"


@dataclass(frozen=True)
class Seen:
    """A prediction that was published, and what it was made from."""

    observation: Observation
    prediction: Prediction
    sync_ns: int
    """From the anchor message's arrival to the complete set."""
    encoded: Mapping[str, Features]
    served: Served
    """What predicted."""


class Session:
    """From activate to deactivate; begins with empty buffers and counters.

    Args:
        node: The node, whose thread runs every callback here.
        settings: Its settings.
        served: What predicts, and publishes beside it on request.
        outputs: Where predictions go.
        watch: Called with each prediction after it was published, in the thread of inference.
        patient: Whether sets that leave now are predicted late rather than not at all.

    Raises:
        SettingsError: a window does not fit a stream, or a message type its modality.
    """

    def __init__(
        self,
        node: LifecycleNode,
        settings: Settings,
        served: Served,
        outputs: Outputs,
        watch: Callable[[Seen], None],
        patient: Callable[[], bool],
    ) -> None:
        self.settings, self.served = settings, served
        self._node, self._outputs, self._clock = node, outputs, node.get_clock()
        self._watch, lock_step = watch, settings.output.lock_step
        self._besides = {served: self._beside(served)}
        self.pipeline = Pipeline(
            settings,
            served.model.windows,
            served.model.teachable,
            partial(self._publish, served),
            self._failed,
            self._refused,
            patient,
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(POLL_PERIOD_S, self._poll, clock=steady)
        self._services = [
            node.create_service(Trigger, "~/capture_reference", self._capture_reference)
        ]
        back = Duration(seconds=-settings.sync.jump_back_s)
        self._jump = self._clock.create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=back), post_callback=self._on_jump
        )
        self._ack = None
        if lock_step:
            self._ack = node.create_publisher(StreamAck, "~/ack", ACK_DEPTH)
            self._services.append(node.create_service(Trigger, "~/flush", self._flush))
        self._loggers = {s.name: node.get_logger().get_child(s.name) for s in settings.streams}
        self.inputs = {s.name: Input(node, s, self._receive) for s in settings.streams}

    @property
    def model(self) -> Model:
        """What predicts the sets that leave now."""
        return self.served.model

    def exchange(self, served: Served, done: Callable[[], None]) -> None:
        """Let another model predict the sets that leave from now on.

        Args:
            served: It reads the same streams in the same way.
            done: Called when the one before predicts no more, in the thread of inference; not if
                the session is closed earlier.
        """
        self.served = served
        self._besides[served] = self._beside(served)
        self.pipeline.exchange(served.model.teachable, partial(self._publish, served), done)

    def release(self, served: Served) -> None:
        """Finish what is published beside a model that predicts no more; from any thread."""
        for beside in self._besides.pop(served, ()):
            beside.stop()

    def apply(self, output: OutputSettings) -> None:
        """Apply what can change while the node runs."""
        self.pipeline.output = output

    def close(self) -> None:
        """Unsubscribe, finish the prediction at work, and remove everything from the node."""
        for source in self.inputs.values():
            source.close()
        self._jump.unregister()
        self._node.destroy_timer(self._timer)
        for service in self._services:
            self._node.destroy_service(service)
        self.pipeline.close()
        for served in tuple(self._besides):
            self.release(served)
        if self._ack:
            self._node.destroy_publisher(self._ack)

    def _receive(self, source: Input, message: Any) -> None:
        name, now_ns = source.stream.name, self._clock.now().nanoseconds
        if not now_ns and not self._ack:
            self.pipeline.health.streams[name].refused[NO_CLOCK] += 1
            return
        outcome = self.pipeline.push(name, message, now_ns)
        if self._ack:
            self._ack.publish(
                StreamAck(
                    topic=source.topic,
                    stamp=message.header.stamp,
                    observations=outcome.sets,
                    predictions=outcome.predictions,
                )
            )

    def _refused(self, stream: str, error: DataError) -> None:
        self.inputs[stream].error = str(error)
        self._loggers[stream].warning(str(error), throttle_duration_sec=LOG_PERIOD_S)

    def _beside(self, served: Served) -> list[Beside]:
        lock_step = self.settings.output.lock_step
        return [Beside(extra, self._failed_beside, lock_step) for extra in served.extras]

    def _publish(
        self, served: Served, observation: Observation, prediction: Prediction, sync_ns: int
    ) -> None:
        self._outputs.publish(prediction, sync_ns, self.pipeline.output.embeddings)
        encoded = served.model.predictor.encoded
        for beside in self._besides[served]:
            beside.offer(observation, encoded)
        self._watch(Seen(observation, prediction, sync_ns, encoded, served))

    def _failed_beside(self, what: str, error: Exception) -> None:
        self._tell(f"no {what}", error)

    def _failed(self, error: Exception) -> None:
        self._tell("no prediction", error)

    def _tell(self, what: str, error: Exception) -> None:
        known = isinstance(error, UserError)
        text = str(error) if known else "".join(traceback.format_exception(error))
        self._node.get_logger().error(f"{what}: {text}", throttle_duration_sec=LOG_PERIOD_S)

    def _poll(self) -> None:
        self.pipeline.poll(self._clock.now().nanoseconds)

    def _on_jump(self, _: Any) -> None:
        # In lock-step, time is the messages' own, and the synchronizer sees a jump by itself.
        if not self._ack:
            self._node.get_logger().warning("the clock was set back: buffers are cleared")
            self.pipeline.clear()

    def _capture_reference(
        self, _: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        names = self.pipeline.recapture_references()
        response.success = bool(names)
        response.message = (
            f"the no-contact image of {', '.join(names)} is taken from the next still frames"
            if names
            else "no stream is tactile"
        )
        return response

    def _flush(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Predict what still waits and start anew; answer with the acknowledged topics."""
        self.pipeline.flush()
        response.success = True
        response.message = ",".join(source.topic for source in self.inputs.values())
        return response
