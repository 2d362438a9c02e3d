"""The lifecycle node `gel_camera`: a tactile sensor's camera as topics, and how it is.

One thread reads the device, a second one makes and publishes the newest image, so that a slow
machine loses images and never time. A device that is missing, busy or of another size fails
configure; one that is lost later is opened again and again, with growing pauses.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from xmodal_ros.drivers.capture import open_source
from xmodal_ros.drivers.gel_settings import GelSettings, gel_settings, rows
from xmodal_ros.drivers.reference import Reference
from xmodal_ros.drivers.shape import Shape
from xmodal_ros.ros import parameters, spin
from xmodal_ros.ros.gel_outputs import GelOutputs
from xmodal_ros.ros.gel_session import GelSession
from xmodal_ros.ros.lifecycle import Lifecycle, reported
from xmodal_ros.ros.profile import use_profile

NAME = "gel_camera"


class GelCamera(Lifecycle):
    """See the module; every setting is a parameter (see `drivers.gel_settings`).

    Args:
        name: Of the node, and so of its topics: `~/image_raw`.
        options: Those of `rclpy.node.Node`.

    Raises:
        SettingsError: a parameter was given an unknown name or a bad value.
    """

    def __init__(self, name: str = NAME, **options: Any) -> None:
        super().__init__(name, automatically_declare_parameters_from_overrides=True, **options)
        self._settings = self._declare()
        self._session: GelSession | None = None
        self._outputs: GelOutputs | None = None

    @reported
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Look whether the device gives what is wanted, and make the topics."""
        settings = self._settings
        shape = Shape(settings.image, settings.device)
        file = settings.reference.file
        reference = Reference(Path(file).expanduser() if file else None)
        source = open_source(settings.device)
        try:
            source.read(threading.Event())
        finally:
            source.close()
        self._shape, self._reference = shape, reference
        self._outputs = GelOutputs(self, settings.image, shape)
        if reference.image is not None:
            self._outputs.reference(self.get_clock().now().nanoseconds, reference.image)
        self._capture = self.create_service(Trigger, "~/capture_reference", self._take_reference)
        self._reports = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(settings.health.period_s, self._report, clock=steady)
        return super().on_configure(state)

    @reported
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read and publish."""
        assert self._outputs
        self._session = GelSession(
            self, self._settings, self._shape, self._reference, self._outputs
        )
        self.get_logger().info(f"reads {self._settings.device.path}")
        return super().on_activate(state)

    @reported
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let the device go."""
        self._stop()
        return super().on_deactivate(state)

    def _declare(self) -> GelSettings:
        """Declare every setting as a parameter, and return the settings they make."""
        given: dict[str, dict[str, Any]] = {}
        flat = parameters.given(self)
        for full, value in flat.items():
            group, _, name = full.partition(".")
            if group not in parameters.OTHERS:
                given.setdefault(group, {})[name] = value
        settings = gel_settings(given)
        parameters.declare_rows(self, ((r, flat.get(r.name, r.default)) for r in rows()))
        return settings

    def _take_reference(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._session is not None
        response.message = "not active: nothing is read"
        if response.success:
            self._reference.capture()
            response.message = "the next still images without contact are taken"
        return response

    def _report(self) -> None:
        report = DiagnosticArray(status=[self._status()])
        report.header.stamp = self.get_clock().now().to_msg()
        self._reports.publish(report)

    def _status(self) -> DiagnosticStatus:
        """How device and images are."""
        level, text, values = (
            self._session.status() if self._session else (DiagnosticStatus.OK, "inactive", {})
        )
        return DiagnosticStatus(
            level=level,
            name=f"{self.get_fully_qualified_name().strip('/')}: gel camera",
            message=text,
            hardware_id=self._settings.device.path,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )

    def _stop(self) -> None:
        if self._session:
            self._session.close()
        self._session = None

    def free(self) -> None:
        """Stop, and remove the topics."""
        self._stop()
        if self._outputs:
            self._outputs.close()
            self.destroy_service(self._capture)
            self.destroy_timer(self._timer)
            self.destroy_publisher(self._reports)
        self._outputs = None


def make(values: Mapping[str, Mapping[str, Any]], name: str = NAME, **options: Any) -> GelCamera:
    """Make the node.

    Args:
        values: Settings by group and name; they win over ROS arguments.
        name: Of the node.
        options: Those of `rclpy.node.Node`.
    """
    flat = {f"{group}.{key}": v for group, given in values.items() for key, v in given.items()}
    chosen = [Parameter(key, value=value) for key, value in flat.items()]
    return GelCamera(name, parameter_overrides=chosen, **options)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is stopped; launch drives its lifecycle."""
    use_profile()
    return spin.run(GelCamera, args, autostart=False)
