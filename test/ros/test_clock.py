"""Simulated time: the node follows /clock, and forgets what it has when the clock is set back."""

from __future__ import annotations

from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from xmodal_msgs.msg import GraspSuccess

START_S, FINGER = 1_000, "/tactile_left/image_raw"
SIM_TIME = [Parameter("use_sim_time", value=True)]


def test_without_clock_messages_wait_for_it_by_name(graph, messages) -> None:
    node = graph.perception(start=False)
    node.set_parameters(SIM_TIME)
    node.trigger_configure()
    node.trigger_activate()
    finger = graph.connected(FINGER, Image)

    status = graph.status(
        "input tactile_left",
        "use_sim_time is set and no /clock has come",
        lambda: finger.publish(messages.image(START_S * 10**9)),
    )
    assert "start what publishes /clock" in status.message


def test_after_the_clock_was_set_back_old_stamps_are_new_again(graph, messages, capfd) -> None:
    node = graph.perception(start=False)
    node.set_parameters(SIM_TIME)
    node.trigger_configure()
    node.trigger_activate()
    clock, finger = graph.publisher("/clock", Clock), graph.connected(FINGER, Image)
    answers = graph.collect("/perception/grasp", GraspSuccess)
    graph.until(lambda: clock.get_subscription_count() > 0)

    def play_from(second: int) -> None:
        """Let the clock run from `second` and send images until one is answered."""
        time_ns = second * 10**9

        def tick() -> bool:
            nonlocal time_ns
            time_ns += 20_000_000
            clock.publish(Clock(clock=messages.stamp(time_ns)))
            if 0 <= time_ns - node.get_clock().now().nanoseconds < 10**9:
                finger.publish(messages.image(time_ns))
            return any(0 <= a.header.stamp.sec - second < 100 for a in answers)

        graph.until(tick)

    play_from(START_S + 1_000)
    answers.clear()
    play_from(START_S)

    assert "the clock was set back" in capfd.readouterr().err
