"""The lifecycle node `perception`: sensor topics in, calibrated predictions out.

Configure loads and warms the bundle, activate subscribes, deactivate stops, cleanup frees the
model. One thread runs every callback; callbacks decode and hand over, inference has its own
thread (see `pipeline`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from xmodal_msgs.msg import ModelInfo
from xmodal_ros.core.settings import Settings
from xmodal_ros.ros import parameters, qos, spin
from xmodal_ros.ros.assess_server import AssessServer
from xmodal_ros.ros.bundle_server import BundleServer, NotConfigured, check_inputs
from xmodal_ros.ros.diagnostics import Diagnostics
from xmodal_ros.ros.lifecycle import Lifecycle, reported
from xmodal_ros.ros.model import Model
from xmodal_ros.ros.outputs import Outputs
from xmodal_ros.ros.predict_server import PredictServer
from xmodal_ros.ros.requests import Requests
from xmodal_ros.ros.served import Served
from xmodal_ros.ros.session import Session
from xmodal_ros.ros.teach_server import TeachServer

NAME = "perception"


class PerceptionNode(Lifecycle):
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
        self._served: Served | None = None
        self._replaced: list[Served] = []
        """Still at work on sets that left before."""
        self._session: Session | None = None
        self._requests = Requests(self)
        self._assess = AssessServer(self, self._requests)
        self._predict = PredictServer(self, self._requests)
        self._bundles = BundleServer(
            self, lambda: self._settings, self._configured, self._exchange, self._requests.soon
        )

    def destroy_node(self) -> None:
        """Leave the graph, with what is served in every state."""
        self._assess.close()
        self._predict.close()
        self._bundles.close()
        super().destroy_node()

    @reported
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm the bundle, and say what it is on `~/model_info`."""
        model = Model(self._settings)
        self._outputs = Outputs(self, model.types, model.modalities)
        served = Served(self, model, self._settings.output.points)
        self._info = self.create_publisher(ModelInfo, "~/model_info", qos.latched())
        self._teach = TeachServer(self, model.teachable, self._tell)
        self._diagnostics = Diagnostics(self.get_fully_qualified_name().strip("/"), model.settings)
        self._reports = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._timer = self.create_timer(
            model.settings.output.diagnostics_period_s,
            self._report,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self._served = served
        self._tell()
        self.get_logger().info(f"configured with {model}")
        return super().on_configure(state)

    @reported
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe."""
        self._session = Session(
            self,
            self._used(),
            self._configured(),
            self._outputs,
            self._requests.offer,
            lambda: self._bundles.loading,
        )
        self._requests.begin(self._session)
        self.get_logger().info("active")
        return super().on_activate(state)

    @reported
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and finish the prediction at work."""
        self._end_session()
        return super().on_deactivate(state)

    def _end_session(self) -> None:
        if self._session:
            self._session.close()
            self._requests.end()
        self._session = None
        for served in tuple(self._replaced):
            self._forget(served)

    def free(self) -> None:
        """Stop, and free the model and what was published with it."""
        self._end_session()
        if self._served:
            self._served.close()
            self._outputs.close()
            self._teach.close()
            self.destroy_timer(self._timer)
            self.destroy_publisher(self._info)
            self.destroy_publisher(self._reports)
        self._served = None

    def _configured(self) -> Served:
        """What answers.

        Raises:
            NotConfigured: nothing does.
        """
        if self._served is None:
            name = self.get_fully_qualified_name()
            raise NotConfigured(
                "the node is not configured",
                where=name,
                do=f"Configure it: ros2 lifecycle set {name} configure",
            )
        return self._served

    def _exchange(self, model: Model) -> None:
        """Let another model answer for the sets that leave from now on.

        Raises:
            NotConfigured: the node was cleaned up meanwhile.
            OtherInputs: the node is active, and the model reads its streams otherwise.
            BundleError: a head has another type than before.
        """
        before = self._configured()
        if self._session:
            check_inputs(before.model, model)
        self._outputs.add(model.types, model.modalities)
        self._served = Served(self, model, self._settings.output.points)
        self._replaced.append(before)
        self._diagnostics.settings = self._used()
        self._teach.teachable = model.teachable
        if self._session:
            release = partial(self._release, self._session, before)
            self._session.exchange(self._served, partial(self._bundles.aside, release))
            self._requests.follow(model)
        else:
            self._forget(before)
        self._tell()

    def _release(self, session: Session, served: Served) -> None:
        """Wait for what is drawn beside a model that predicts no more; in the loader's thread."""
        session.release(served)
        self._requests.soon(partial(self._forget, served))

    def _forget(self, served: Served) -> None:
        """Free a model that was replaced, unless that was done when the session ended."""
        if served not in self._replaced:
            return
        self._replaced.remove(served)
        served.close()
        used = [*self._replaced, self._configured()]
        self._outputs.keep({head for s in used for head in s.model.types})

    def _tell(self) -> None:
        """Publish what the model is, and the labels that were taught."""
        self._info.publish(self._configured().model.info(self.get_clock().now().to_msg()))

    def _used(self) -> Settings:
        """The settings with the streams that the model reads."""
        used = self._configured().model.settings
        return dataclasses.replace(used, output=self._settings.output)

    def _apply(self, settings: Settings) -> None:
        self._settings = settings
        if self._served:
            self._diagnostics.settings = self._used()
            self._served.points.allowed = settings.output.points
        if self._session:
            self._session.apply(settings.output)

    def _report(self) -> None:
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        message.status = self._diagnostics.statuses(self._session, self._configured().model)
        self._reports.publish(message)


def make(
    values: Mapping[str, Any] | None = None,
    others: Mapping[str, Any] | None = None,
    **options: Any,
) -> PerceptionNode:
    """Make the node.

    Args:
        values: Settings, nested as in a settings file; they win over ROS arguments.
        others: Parameters of any node by name, such as `use_sim_time`; they win too.
        options: Those of `rclpy.node.Node`.
    """
    chosen = parameters.overrides(values or {})
    chosen += [Parameter(name, value=value) for name, value in (others or {}).items()]
    return PerceptionNode(parameter_overrides=chosen, **options)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is stopped; launch drives its lifecycle."""
    return spin.run(PerceptionNode, args, autostart=False)
