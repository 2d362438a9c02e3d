"""What the lifecycle nodes have in common: transitions that say why they fail."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from xmodal_ros.core.errors import UserError
from xmodal_ros.ros import qos

_Transition = Callable[[Any, LifecycleState], TransitionCallbackReturn]


def reported(transition: _Transition) -> _Transition:
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


class Lifecycle(LifecycleNode):
    """A lifecycle node that a request for an impossible transition does not end."""

    _active = False

    def create_output(self, kind: Any, topic: str) -> Any:
        """A publisher on `~/<topic>` that says nothing while the node is not active."""
        made = self.create_lifecycle_publisher(
            kind, f"~/{topic}", qos.output(), qos_overriding_options=qos.OVERRIDABLE
        )
        if self._active:  # the transition enables only what is there already
            made.on_activate(None)
        return made

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let publishers speak."""
        self._active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Silence them."""
        self._active = False
        return super().on_deactivate(state)

    def free(self) -> None:
        """Stop and give back all that configuring made, from whichever state."""

    @reported
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free what configuring made."""
        self.free()
        return super().on_cleanup(state)

    @reported
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop from whichever state."""
        self.free()
        return super().on_shutdown(state)

    @reported
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After a bug in a transition: free everything, to be configured again."""
        self.free()
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
