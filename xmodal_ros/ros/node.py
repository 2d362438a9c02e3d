"""The lifecycle node `perception`: sensor topics in, calibrated predictions out.

Configure loads and warms the bundle, activate subscribes, deactivate stops, cleanup frees the
model. One thread runs every callback; callbacks decode and hand over, inference has its own
thread (see `pipeline`).
"""

from __future__ import annotations

import dataclasses
import functools
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from xmodal_msgs.msg import ModelInfo
from xmodal_ros.core.errors import UserError
from xmodal_ros.core.settings import Settings
from xmodal_ros.ros import parameters, qos, spin
from xmodal_ros.ros.diagnostics import Diagnostics
from xmodal_ros.ros.model import Model
from xmodal_ros.ros.outputs import Outputs
from xmodal_ros.ros.overlays import Overlays
from xmodal_ros.ros.point_labels import PointLabels
from xmodal_ros.ros.session import Session
from xmodal_ros.ros.teach_server import TeachServer

NAME = "perception"
_Transition = Callable[[Any, LifecycleState], TransitionCallbackReturn]


def _reported(transition: _Transition) -> _Transition:
    """Log what a transition raises, which rclpy would swallow; a user's mistake fails it."""

    @functools.wraps(transition)
    def call(node: LifecycleNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except UserError as error:
            node.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception:
            node.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR

    return call


class PerceptionNode(LifecycleNode):
    """See the module; every setting is a parameter (see `parameters`).

    Args:
        options: Those of `rclpy.node.Node`.

    Raises:
        SettingsError: a parameter was given an unknown name or a bad value.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(NAME, automatically_declare_parameters_from_overrides=True, **options)
        self._settings = parameters.declare(self)
        parameters.on_change(self, self._apply)
        self._model: Model | None = None
        self._session: Session | None = None

    @_reported
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm the bundle, and say what it is on `~/model_info`."""
        model = Model(self._settings)
        self._outputs = Outputs(self, model.types, model.modalities)
        self._overlays = Overlays(self, model.predictor)
        self._points = PointLabels(self, model.predictor, self._settings.output.points)
        self._info = self.create_publisher(ModelInfo, "~/model_info", qos.latched())
        self._tell(model)
        self._teach = TeachServer(self, model.teachable, lambda: self._tell(model))
        self._diagnostics = Diagnostics(self.get_fully_qualified_name().strip("/"), model.settings)
        self._reports = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._timer = self.create_timer(
            model.settings.output.diagnostics_period_s,
            self._report,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self._model = model
        self.get_logger().info(f"configured with {model}")
        return super().on_configure(state)

    @_reported
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe."""
        assert self._model
        extras = (self._overlays, self._points)
        self._session = Session(self, self._used(), self._model, self._outputs, extras)
        self.get_logger().info("active")
        return super().on_activate(state)

    @_reported
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and finish the prediction at work."""
        self._end_session()
        return super().on_deactivate(state)

    @_reported
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model and remove what was published with it."""
        self._free()
        return super().on_cleanup(state)

    @_reported
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop from whichever state."""
        self._free()
        return super().on_shutdown(state)

    @_reported
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After a bug in a transition: free everything, to be configured again."""
        self._free()
        return super().on_error(state)

    def _LifecycleNodeMixin__on_change_state(self, request: Any, response: Any) -> Any:
        """Refuse a transition that is not possible, as rclpy does from Kilted on.

        In Jazzy the error of its private `__on_change_state` ends the process, and nothing public
        stands between; an rclpy that calls it otherwise never comes here.
        """
        try:
            return super()._LifecycleNodeMixin__on_change_state(request, response)
        except RuntimeError as error:  # RCLError is one
            self.get_logger().error(str(error))
            response.success = False
            return response

    def _end_session(self) -> None:
        if self._session:
            self._session.close()
        self._session = None

    def _free(self) -> None:
        self._end_session()
        if self._model:
            self._model.close()
            self._outputs.close()
            self._overlays.close()
            self._points.close()
            self._teach.close()
            self.destroy_timer(self._timer)
            self.destroy_publisher(self._info)
            self.destroy_publisher(self._reports)
        self._model = None

    def _tell(self, model: Model) -> None:
        """Publish what the model is, and the labels that were taught."""
        self._info.publish(model.info(self.get_clock().now().to_msg()))

    def _used(self) -> Settings:
        """The settings with the streams that the model reads."""
        assert self._model
        return dataclasses.replace(self._model.settings, output=self._settings.output)

    def _apply(self, settings: Settings) -> None:
        self._settings = settings
        if self._model:
            self._diagnostics.settings = self._used()
            self._points.allowed = settings.output.points
        if self._session:
            self._session.apply(settings.output)

    def _report(self) -> None:
        assert self._model
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        message.status = self._diagnostics.statuses(self._session, self._model)
        self._reports.publish(message)


def make(
    values: Mapping[str, Any] | None = None, others: Mapping[str, Any] | None = None
) -> PerceptionNode:
    """Make the node.

    Args:
        values: Settings, nested as in a settings file; they win over ROS arguments.
        others: Parameters of any node by name, such as `use_sim_time`; they win too.
    """
    chosen = parameters.overrides(values or {})
    chosen += [Parameter(name, value=value) for name, value in (others or {}).items()]
    return PerceptionNode(parameter_overrides=chosen)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is stopped; launch drives its lifecycle."""
    return spin.run(PerceptionNode, args, autostart=False)
