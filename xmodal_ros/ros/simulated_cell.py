"""The node `simulated_cell`: a robot cell without hardware, live, with its sensors' topics.

In real time, or at a multiple of it, the simulated time is never ahead of the machine's, and falls
behind where the machine is too slow; in lock-step, the cell waits until the perception node is
done with each message. One thread simulates, publishes and runs the callbacks by turns.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from xmodal_msgs.action import MoveArm
from xmodal_ros.ros import parameters, spin
from xmodal_ros.ros.arm_server import ArmServer
from xmodal_ros.ros.cell_outputs import CellOutputs
from xmodal_ros.ros.lock_step import LockStep, LockStepError
from xmodal_ros.ros.pace import Pace
from xmodal_ros.ros.profile import use_profile
from xmodal_ros.sim.live import Live, Timed
from xmodal_ros.sim.live_settings import CellSettings, cell_settings, rows

NAME = "simulated_cell"
FIXED_EPOCH_NS = 1_700_000_000_000_000_000
"""Stamp of the start where time is the cell's own."""
FEEDBACK_NS = 100_000_000
TIMEOUT_S = 10.0
LOG_PERIOD_S = 10.0
IDLE_S = 0.1


class SimulatedCell(Node):
    """See the module; every setting is a parameter (see `sim.live_settings`).

    Args:
        options: Those of `rclpy.node.Node`.

    Raises:
        SettingsError: a parameter was given an unknown name or a bad value.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(NAME, automatically_declare_parameters_from_overrides=True, **options)
        settings = self._declare()
        self._run = settings.run
        own_time = self._run.clock or self._run.lock_step
        self._live = Live(
            settings.sim,
            self._run.sensors,
            self._run.seed,
            autonomous=self._run.autonomous,
            aim_errors=self._run.aim_errors,
            epoch=(lambda: FIXED_EPOCH_NS) if own_time else time.time_ns,
            warn=self.get_logger().warning,
        )
        jpeg = settings.sim.topics.jpeg_quality > 0
        self._outputs = CellOutputs(
            self, self._run.sensors, compressed=jpeg, clock=self._run.clock
        )
        self._arm = ArmServer(self, self._live.commands)
        self.create_service(Trigger, "~/reset", self._reset)
        self._reports = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._told_ns = 0
        self._lock_step: LockStep | None = None
        self._heard: Counter[str] | None = None
        """Acknowledgements per message of each topic, while the perception node is in step."""
        self._next: Timed = self._live.next()
        self._reported_ns = time.monotonic_ns()
        self._pace, self._lost_ns = Pace(self._reported_ns, self._run.rate), 0
        self.get_logger().info(self._live.describe())

    def turn(self, spinner: Any) -> None:
        """Run callbacks, and publish the next message once its time has come.

        Args:
            spinner: The executor that this node is in.
        """
        now_ns = time.monotonic_ns()
        if now_ns - self._reported_ns >= self._run.diagnostics_period_s * 1e9:
            self._report(now_ns)
        if self._run.lock_step:
            spinner.spin_once(timeout_sec=0)
            if self._in_step(spinner):
                self._publish()
            return
        wait_ns = self._pace.wait_ns(self._next.time_ns, now_ns)
        spinner.spin_once(timeout_sec=max(0.0, min(wait_ns * 1e-9, IDLE_S)))
        if self._pace.wait_ns(self._next.time_ns, time.monotonic_ns()) <= 0:
            self._publish()

    def close(self) -> None:
        """Leave the graph."""
        self._arm.close()
        self.destroy_node()

    def _declare(self) -> CellSettings:
        """Declare every setting as a parameter, and return the settings they make."""
        given = {
            name: value
            for name, value in parameters.given(self).items()
            if name.partition(".")[0] not in parameters.OTHERS
        }
        settings = cell_settings(given)
        parameters.declare_rows(
            self, ((row, given.get(row.name, default)) for row, default in rows())
        )
        return settings

    def _publish(self) -> None:
        time_ns, message = self._next
        topic = self._outputs.publish(message, self._live.epoch_ns + time_ns)
        if self._heard and self._lock_step and self._heard[topic]:
            try:
                self._lock_step.wait(topic, self._heard[topic])
            except LockStepError as error:
                self.get_logger().error(str(error))
                self._heard = None
        self._advance()

    def _advance(self) -> None:
        """Simulate up to the next message, and tell whoever commands the arm."""
        self._next = self._live.next()
        if self._arm.commands is not self._live.commands:
            self._arm.abort(MoveArm.Result.FAILED, "the simulation diverged: other objects came")
            self._arm.commands = self._live.commands
        if self._next.time_ns - self._told_ns >= FEEDBACK_NS or not self._arm.moving:
            self._told_ns = self._next.time_ns
            self._arm.update()

    def _in_step(self, spinner: Any) -> bool:
        """Whether the perception node waits for messages; if not, look for it."""
        if self._heard is not None:
            return True
        target = self._run.perception
        if self._lock_step is None:
            self._lock_step = LockStep(self, spinner, target, TIMEOUT_S)
        if not self._lock_step.ready:
            self.get_logger().info(
                f"waiting for {target}, active and with output.lock_step set",
                throttle_duration_sec=LOG_PERIOD_S,
            )
            spinner.spin_once(timeout_sec=IDLE_S)
            return False
        try:
            heard = self._lock_step.begin()
            self._outputs.wait_for_subscribers(heard, spinner, TIMEOUT_S)
        except LockStepError as error:
            self.get_logger().error(str(error))
            return False
        self._heard = heard
        return True

    def _reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Put other objects into the cell."""
        self._arm.abort(MoveArm.Result.CANCELED, "the cell was reset: other objects came")
        self._live.change()
        self._arm.commands = self._live.commands
        response.success, response.message = True, self._live.describe()
        self.get_logger().info(response.message)
        return response

    def _report(self, now_ns: int) -> None:
        """Say on /diagnostics how fast the cell runs, and what is in it."""
        self._reported_ns = now_ns
        factor = self._pace.factor(self._next.time_ns, now_ns)
        level, text = DiagnosticStatus.OK, f"{factor:.2f} of real time"
        if self._run.lock_step:
            text = f"in lock-step with {self._run.perception}, {text}"
            if self._heard is None:
                level, text = DiagnosticStatus.WARN, f"waiting for {self._run.perception}"
        elif self._pace.lost_ns > self._lost_ns:
            self._lost_ns = self._pace.lost_ns
            level, late_s = DiagnosticStatus.WARN, self._lost_ns * 1e-9
            text += (
                f": this machine is too slow, and stamps are {late_s:.1f} s late by now. Take "
                "fewer 'streams', smaller images or lower rates"
            )
            self.get_logger().warning(text, throttle_duration_sec=LOG_PERIOD_S)
        values: Mapping[str, object] = {
            "factor": f"{factor:.3f}",
            "behind_s": f"{self._pace.lost_ns * 1e-9:.3f}",
            "simulated_s": f"{self._next.time_ns * 1e-9:.3f}",
            "objects": self._live.describe(),
            "episodes": self._live.episodes,
            "diverged": self._live.diverged,
            **{f"grasps {name}": count for name, count in sorted(self._live.outcomes.items())},
        }
        status = DiagnosticStatus(
            level=level,
            name=f"{self.get_fully_qualified_name().strip('/')}: simulation",
            message=text,
            hardware_id="simulated",
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        report = DiagnosticArray(status=[status])
        report.header.stamp = self.get_clock().now().to_msg()
        self._reports.publish(report)


def run(values: Mapping[str, Any], args: Sequence[str] | None) -> int:
    """Run the node until a signal comes; return the process's exit code.

    Args:
        values: Parameters by name; they win over ROS arguments.
        args: ROS arguments; the process's own if None.
    """
    use_profile()
    chosen = [Parameter(name, value=value) for name, value in values.items()]
    return spin.serve(
        lambda: SimulatedCell(parameter_overrides=chosen),
        args,
        begin=lambda node: True,
        turn=SimulatedCell.turn,
        end=SimulatedCell.close,
    )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node as an executable of the package."""
    return run({}, args)
