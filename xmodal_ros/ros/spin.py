"""Run one node, or some in one process, until SIGINT or SIGTERM, with a clean end."""

from __future__ import annotations

import contextlib
import faulthandler
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from xmodal_ros.core.errors import UserError
from xmodal_ros.ros.guard import guarded

Made = TypeVar("Made", bound="Node | Sequence[Node]")
SUCCESS = TransitionCallbackReturn.SUCCESS
EXIT_SETTINGS, EXIT_TRANSITION = 2, 1


def executor(context: Context | None = None) -> Any:
    """The executor for a node: one thread, driven by events where this rclpy can do that.

    Measured at 51 MB/s of four sensors, it costs 15 % CPU where the single-threaded one costs
    25 %, and neither loses a message; the multi-threaded one loses nine of ten. Use `spin_once`:
    its `spin` ignores signals.
    """
    kind = getattr(rclpy_implementation, "EventsExecutor", None)
    if not kind:  # rclpy of Jazzy has it since a patch release
        logger = rclpy.logging.get_logger("xmodal")
        logger.info("this rclpy has no EventsExecutor; SingleThreadedExecutor takes more CPU")
        return SingleThreadedExecutor(context=context)
    # As rclpy.experimental.EventsExecutor does, which makes it of its own class only.
    faulthandler.enable()
    context = context or rclpy.get_default_context()
    made = guarded(kind)(context)
    context.on_shutdown(made.wake)
    return made


def run(
    make: Callable[[], LifecycleNode | Sequence[LifecycleNode]],
    args: Sequence[str] | None,
    *,
    autostart: bool,
) -> int:
    """Run a lifecycle node, or several, in this process.

    Args:
        make: Makes them, once rclpy is there.
        args: ROS arguments; the process's own if None.
        autostart: Configure and activate each at once, in their order, as launch does on a robot.

    Returns:
        The process's exit code, as of `serve`.
    """
    return serve(
        make,
        args,
        begin=lambda made: not autostart or all(_start(node) for node in _each(made)),
        turn=lambda made, spinner: spinner.spin_once(timeout_sec=0.2),
        end=_finish_each,
    )


def serve(
    make: Callable[[], Made],
    args: Sequence[str] | None,
    *,
    begin: Callable[[Made], bool],
    turn: Callable[[Made, Any], None],
    end: Callable[[Made], None],
) -> int:
    """Run a node, or several, in this process until a signal comes.

    Args:
        make: Makes them, once rclpy is there.
        args: ROS arguments; the process's own if None.
        begin: Whether they could be started.
        turn: Called with them and the executor that they are in, again and again.
        end: Removes them.

    Returns:
        The process's exit code: 0 after SIGINT or SIGTERM, 2 for bad settings, 1 where it could
        not be started.
    """
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    # With rclpy's own handlers the context would be gone before the node can finish.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        made = make()
    except UserError as error:
        rclpy.logging.get_logger("xmodal").fatal(str(error))
        rclpy.shutdown()
        return EXIT_SETTINGS
    try:
        if not begin(made):
            return EXIT_TRANSITION
        spinner = executor()
        for node in _each(made):
            spinner.add_node(node)
        while not stopping.is_set():
            turn(made, spinner)
        spinner.shutdown()
        return 0
    finally:
        end(made)
        rclpy.shutdown()


def finish(node: LifecycleNode) -> None:
    """Shut a node down, unless its lifecycle service did already, and remove it."""
    with contextlib.suppress(RuntimeError):  # "not possible": it is finalized
        node.trigger_shutdown()
    node.destroy_node()


def _start(node: LifecycleNode) -> bool:
    return node.trigger_configure() == SUCCESS and node.trigger_activate() == SUCCESS


def _finish_each(made: LifecycleNode | Sequence[LifecycleNode]) -> None:
    for node in _each(made):
        finish(node)


def _each(made: Any) -> Sequence[Any]:
    """The nodes that were made."""
    return made if isinstance(made, Sequence) else (made,)
