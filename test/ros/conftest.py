"""A ROS graph of its own for each test, and messages to send through it."""

from __future__ import annotations

import dataclasses
import fcntl
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not there (`make test` installs it)")

import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import Image, Imu
from std_msgs.msg import Header

from xmodal_ros.ros import spin
from xmodal_ros.ros.node import PerceptionNode, make
from xmodal_ros.runtime.predictor import Predictor

TIMEOUT_S = 120.0


@pytest.fixture(scope="session", autouse=True)
def own_domain() -> Iterator[None]:
    """No other graph on this machine or network is seen; child processes inherit it."""
    with ExitStack() as held:
        os.environ["ROS_DOMAIN_ID"] = str(_free_domain(held))
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        yield


def _free_domain(held: ExitStack) -> int:
    """A domain that no other run of these tests on this machine uses, until `held` is closed."""
    for domain in range(1, 101):
        lock = os.open(Path(gettempdir(), f"ros_domain_{domain}.lock"), os.O_CREAT | os.O_RDWR)
        held.callback(os.close, lock)
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return domain
    raise RuntimeError("all ROS domains are in use by tests")


class Processes:
    """`xmodal` commands in processes of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `xmodal ARGUMENTS`; `output` has what it prints."""
        log = self._folder / f"{len(self._running)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "xmodal_ros", *arguments],
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self._running.append(process)
        return process

    def output(self, process: subprocess.Popen[bytes]) -> str:
        """What a process has printed, without line ends."""
        log = self._folder / f"{self._running.index(process)}.log"
        return " ".join(log.read_text(encoding="utf-8").split())

    def stop(self, process: subprocess.Popen[bytes], number: int = signal.SIGINT) -> int:
        """Ask a process to end and return its exit code."""
        process.send_signal(number)
        return process.wait(TIMEOUT_S)

    def close(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.kill()
                process.wait()
            print(self.output(process))  # pytest shows it of a test that failed


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    yield made
    made.close()


class Graph:
    """Perception nodes and one peer in this process; the peer is a DDS participant of its own."""

    def __init__(self, bundle: Path) -> None:
        self.bundle = bundle
        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context)
        self.peer = rclpy.create_node("peer", context=self._context)
        self._executors = spin.executor(), spin.executor(self._context)
        self._executors[1].add_node(self.peer)
        self.nodes: list[PerceptionNode] = []
        self._reports: list[DiagnosticArray] = []
        self.listen("/diagnostics", DiagnosticArray, self._reports.append)

    def perception(self, *, start: bool = True, **groups: dict[str, Any]) -> PerceptionNode:
        """Make a node with the tiny bundle and these groups of settings, and activate it."""
        groups["inference"] = {
            "bundle": str(self.bundle),
            "backend": "torch",
            "threads": 1,
            **groups.get("inference", {}),
        }
        groups["output"] = {"diagnostics_period_s": 0.1, **groups.get("output", {})}
        node = make(groups)
        self.nodes.append(node)
        self._executors[0].add_node(node)
        if start:
            assert node.trigger_configure() == spin.SUCCESS
            assert node.trigger_activate() == spin.SUCCESS
        return node

    def add(self, node: Any) -> None:
        """Let another node of this process run its callbacks."""
        self._executors[0].add_node(node)

    def listen(self, topic: str, kind: Any, to: Callable[[Any], Any], qos: Any = 100) -> None:
        """Subscribe the peer."""
        self.peer.create_subscription(kind, topic, to, qos)

    def collect(self, topic: str, kind: Any, qos: Any = 100) -> list[Any]:
        """A list that grows with what comes on a topic."""
        found: list[Any] = []
        self.listen(topic, kind, found.append, qos)
        return found

    def publisher(self, topic: str, kind: Any, qos: Any = 10) -> Any:
        """A publisher of the peer that is connected, where anything can connect."""
        return self.peer.create_publisher(kind, topic, qos)

    def connected(self, topic: str, kind: Any, qos: Any = 10) -> Any:
        """A publisher of the peer, once a subscriber is matched."""
        publisher = self.publisher(topic, kind, qos)
        self.until(lambda: publisher.get_subscription_count() > 0)
        return publisher

    def until(self, condition: Callable[[], Any], timeout_s: float = TIMEOUT_S) -> Any:
        """Spin until `condition` gives something true, and return it; fail when it never does."""
        end = time.monotonic() + timeout_s
        while not (found := condition()):
            assert time.monotonic() < end, "waited in vain"
            self.spin(0.01)
        return found

    def spin(self, timeout_s: float) -> None:
        """Let every executor handle one event, if one comes in time."""
        for executor in self._executors:
            executor.spin_once(timeout_sec=timeout_s)

    def status(
        self, part: str, text: str, each: Callable[[], Any] = lambda: None
    ) -> DiagnosticStatus:
        """Wait for a status whose name ends with `part` and whose message has `text`."""
        del self._reports[:]
        seen: set[str] = set()

        def find() -> DiagnosticStatus | None:
            each()
            for report in self._reports:
                for status in report.status:
                    if status.name.endswith(part):
                        seen.add(status.message)
                        if text in status.message:
                            return status
            del self._reports[:]
            return None

        try:
            return self.until(find)
        except AssertionError:
            raise AssertionError(f"no '{text}' among {seen}") from None

    def call(self, kind: Any, service: str, request: Any) -> Any:
        """Call a service and return its answer."""
        client = self.peer.create_client(kind, service)
        self.until(client.service_is_ready)
        # A service that has not discovered its client yet answers into the void: ask again.
        answers = [client.call_async(request)]
        asked_s = time.monotonic()

        def answered() -> bool:
            nonlocal asked_s
            if time.monotonic() > asked_s + 2:
                asked_s = time.monotonic()
                answers.append(client.call_async(request))
            return any(answer.done() for answer in answers)

        self.until(answered)
        return next(answer.result() for answer in answers if answer.done())

    def close(self) -> None:
        for executor in self._executors:
            executor.shutdown()
        for node in self.nodes:
            spin.finish(node)
        self.peer.destroy_node()
        rclpy.shutdown(context=self._context)
        self.nodes.clear()
        del self.peer, self._context, self._executors


@pytest.fixture
def graph(tiny_bundle: Path) -> Iterator[Graph]:
    rclpy.init(args=[])
    made = Graph(tiny_bundle)
    try:
        yield made
    finally:
        made.close()
        rclpy.shutdown()
        # A participant lives while a cycle of Python objects holds it, and on one machine the
        # 33rd is not discovered by the 34th.
        gc.collect()


class Messages:
    """Small sensor messages; the content follows from the stamp."""

    @staticmethod
    def stamp(time_ns: int) -> Time:
        return Time(sec=time_ns // 10**9, nanosec=time_ns % 10**9)

    @staticmethod
    def image(time_ns: int, **fields: Any) -> Image:
        pixels = np.random.default_rng(time_ns).integers(0, 255, (24, 32, 3), np.uint8)
        message = Image(
            **{"height": 24, "width": 32, "encoding": "rgb8", "step": 96, **fields},
            header=Header(stamp=Messages.stamp(time_ns), frame_id="finger"),
        )
        message.data.frombytes(pixels.tobytes())
        return message

    @staticmethod
    def imu(time_ns: int, x: float = 0.0) -> Imu:
        message = Imu(header=Header(stamp=Messages.stamp(time_ns), frame_id="wrist"))
        message.linear_acceleration.x, message.linear_acceleration.z = x, 9.81
        return message


@pytest.fixture
def messages() -> type[Messages]:
    return Messages


@pytest.fixture
def judged(monkeypatch) -> list[float]:
    """Probabilities that the grasp head gives from now on; the last one again and again."""
    answers, predict = [0.9], Predictor.predict

    def judge(self: Predictor, observation: Any) -> Any:
        prediction = predict(self, observation)
        if "grasp" not in prediction.heads:
            return prediction
        p = answers.pop(0) if len(answers) > 1 else answers[0]
        head = dataclasses.replace(
            prediction.heads["grasp"], probabilities=np.array([1 - p, p], np.float32)
        )
        return dataclasses.replace(prediction, heads={**prediction.heads, "grasp": head})

    monkeypatch.setattr(Predictor, "predict", judge)
    return answers
