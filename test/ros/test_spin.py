"""The executor that nodes run in."""

from __future__ import annotations

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation

from xmodal_ros.ros import spin


@pytest.fixture(autouse=True)
def context(own_domain):
    rclpy.init(args=[])
    yield
    rclpy.shutdown()


def test_without_an_events_executor_the_single_threaded_one_is_taken_and_told(
    monkeypatch, capfd
) -> None:
    monkeypatch.setattr(spin, "rclpy_implementation", None)
    executor = spin.executor()

    assert type(executor) is SingleThreadedExecutor
    executor.shutdown()
    assert "this rclpy has no EventsExecutor" in "".join(capfd.readouterr())


def test_with_one_it_is_taken() -> None:
    executor = spin.executor()

    assert isinstance(executor, rclpy_implementation.EventsExecutor)
    executor.shutdown()
