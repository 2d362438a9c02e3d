"""The robot as the tree sees it: an arm that moves, a perception node that answers."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.task import Future

from xmodal_msgs.action import MoveArm
from xmodal_ros.core.errors import UserError
from xmodal_ros.ros.client import Perception
from xmodal_ros.ros.encode import fill
from xmodal_ros.ros.guard import GuardedClient


class ArmError(UserError):
    """The arm did not do what it was told."""


class ObjectsChanged(ArmError):
    """The simulation diverged, and the cell has other objects: nothing is known of this pick."""


class Hand:
    """Moves an arm and asks a perception node.

    Args:
        node: Node of the caller.
        arm: Name of the simulated cell.
        perception: Name of the perception node.
    """

    def __init__(self, node: Node, arm: str, perception: str) -> None:
        self._node, self._where = node, f"{arm}/move_arm"
        self._arm = GuardedClient(node, MoveArm, self._where)
        self.perception = Perception(node, perception)

    @property
    def now_s(self) -> float:
        """Simulated time."""
        return float(self._node.get_clock().now().nanoseconds * 1e-9)

    @property
    def ready(self) -> bool:
        """Whether the arm is there."""
        return bool(self._arm.server_is_ready())

    def move(self, command: str, force_n: float) -> Future:
        """Future of what the grasp has become once a motion has been made.

        It raises an `ArmError` where the motion was not made.
        """
        future = Future()

        def ended(done: Future) -> None:
            result = done.result().result
            if result.error_code == MoveArm.Result.OK:
                future.set_result(result.outcome)
                return
            kind = ObjectsChanged if result.error_code == MoveArm.Result.FAILED else ArmError
            future.set_exception(kind(result.message, where=self._where))

        goal = fill(MoveArm.Goal, {"command": command, "force": force_n})
        self._arm.send_goal_async(goal).add_done_callback(
            lambda sent: sent.result().get_result_async().add_done_callback(ended)
        )
        return future

    def close(self) -> None:
        """Remove the clients."""
        self.perception.close()
        self._arm.destroy()
