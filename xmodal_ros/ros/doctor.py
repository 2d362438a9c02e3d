"""Looks at the live graph: whether each stream comes, as what, how often, how old, and from whom.

It subscribes as perception does, and listens for some seconds. What it finds is judged in
`doctor_advice` and shown by `doctor_show`.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.srv import GetState
from rclpy.node import Node
from rclpy.parameter import Parameter

from xmodal_ros.core.settings import Settings, StreamSettings, SyncSettings
from xmodal_ros.data.settings_file import load_settings, read_yaml
from xmodal_ros.drivers.robot_file import ARMS, load_robot
from xmodal_ros.ros import spin
from xmodal_ros.ros.doctor_advice import Seen, advise, advise_transport
from xmodal_ros.ros.inputs import Input
from xmodal_ros.ros.profile import VARIABLES

NAME = "xmodal_doctor"
SHARED_MEMORY = Path("/dev/shm")
TURN_S = 0.05
ANSWER_S = 2.0
DIAGNOSTICS_DEPTH = 50


@dataclass(frozen=True)
class Wanted:
    """A stream to look for, with its topic's name as it is in the graph."""

    arm: str
    stream: StreamSettings
    anchor: bool
    sync: SyncSettings

    @property
    def vital(self) -> bool:
        """Whether nothing is predicted without it."""
        return self.stream.required or self.anchor


@dataclass(frozen=True)
class StreamReport:
    """What is known of one stream.

    Attributes:
        arm: Namespace of its arm; empty for a file of settings.
        stream: Its name.
        topic: Where it is looked for.
        type: Message type that is wanted.
        vital: Whether nothing is predicted without it.
        publishers: Node, type and quality of service of each publisher.
        seen: What came.
        errors: What is wrong and what to do; empty where it comes as it should.
    """

    arm: str
    stream: str
    topic: str
    type: str
    vital: bool
    publishers: list[dict[str, str]]
    seen: Seen
    errors: list[str]


@dataclass(frozen=True)
class Report:
    """Everything that was found."""

    seconds: float
    streams: list[StreamReport]
    transport: dict[str, str]
    clock: str
    perception: dict[str, str]
    """State in the lifecycle of each perception node that should be there."""
    twice: list[str]
    """Names that several nodes have."""
    advice: list[str]
    """About the graph and its transport."""
    diagnostics: dict[str, str]
    """What nodes say themselves on /diagnostics, by status, where it is not good."""

    @property
    def healthy(self) -> bool:
        """Whether every stream that is vital comes as it should, and names are unique."""
        return not self.twice and not any(s.vital and s.errors for s in self.streams)

    def mapping(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {"healthy": self.healthy, **dataclasses.asdict(self)}


def wanted(file: Path | None) -> list[Wanted]:
    """The streams of a robot's file, or of a file of settings; the default ones without.

    Raises:
        SettingsError: the file is wrong.
    """
    if file and ARMS in read_yaml(file):
        arms = load_robot(file).values()
        return [
            dataclasses.replace(
                entry,
                stream=dataclasses.replace(entry.stream, topic=arm.topic(entry.stream.topic)),
            )
            for arm in arms
            for entry in _streams(arm.namespace, arm.perception)
        ]
    return _streams("", load_settings(file))


def examine(streams: Sequence[Wanted], seconds: float, args: Sequence[str] | None) -> Report:
    """Listen for some seconds and say what came.

    Args:
        streams: What to look for.
        seconds: How long.
        args: ROS arguments; the process's own if None.
    """
    rclpy.init(args=args)
    try:
        node, spinner = rclpy.create_node(NAME), spin.executor()
        spinner.add_node(node)
        try:
            return _examine(node, spinner, streams, seconds)
        finally:
            spinner.shutdown()
            node.destroy_node()
    finally:
        rclpy.shutdown()


def _examine(node: Node, spinner: Any, streams: Sequence[Wanted], seconds: float) -> Report:
    listeners = [_Listener(node, entry) for entry in streams]
    statuses: dict[str, DiagnosticStatus] = {}
    node.create_subscription(
        DiagnosticArray,
        "/diagnostics",
        lambda message: statuses.update({status.name: status for status in message.status}),
        DIAGNOSTICS_DEPTH,
    )
    arms = dict.fromkeys(f"/{entry.arm}/" if entry.arm else "" for entry in streams)
    clients = [node.create_client(GetState, f"{arm}perception/get_state") for arm in arms]
    end = time.monotonic() + seconds
    simulated = False
    while time.monotonic() < end:
        spinner.spin_once(timeout_sec=TURN_S)
        if not simulated and node.count_publishers("/clock"):
            simulated = True
            node.set_parameters([Parameter("use_sim_time", value=True)])
    names = Counter(
        f"{namespace.rstrip('/')}/{name}"
        for name, namespace in node.get_node_names_and_namespaces()
    )
    reports = [listener.report() for listener in listeners]
    transport = _transport()
    return Report(
        seconds=seconds,
        streams=reports,
        transport=transport,
        clock="/clock" if simulated else "of this machine",
        perception={
            client.service_name.removesuffix("/get_state"): _state(client, spinner)
            for client in clients
        },
        twice=sorted(name for name, count in names.items() if count > 1),
        advice=advise_transport(transport, [r.seen for r in reports]),
        diagnostics={
            name: status.message
            for name, status in sorted(statuses.items())
            if status.level != DiagnosticStatus.OK
        },
    )


def _state(client: Any, spinner: Any) -> str:
    """What a lifecycle node says of its state, if it is there."""
    if not client.service_is_ready():
        return "not there"
    answer, end = client.call_async(GetState.Request()), time.monotonic() + ANSWER_S
    while not answer.done():
        if time.monotonic() > end:
            return "there, without an answer"
        spinner.spin_once(timeout_sec=TURN_S)
    return str(answer.result().current_state.label)


class _Listener:
    """Hears one stream and keeps what tells how it is."""

    def __init__(self, node: Node, entry: Wanted) -> None:
        self._entry, self._clock = entry, node.get_clock()
        self._arrivals_s: list[float] = []
        self._ages_s: list[float] = []
        self._frame_id = ""
        self._newest_ns = 0
        self._input = Input(node, entry.stream, self._receive)

    def report(self) -> StreamReport:
        """What came until now, and what is wrong with it."""
        entry, source, came = self._entry, self._input, self._arrivals_s
        gaps = [b - a for a, b in itertools.pairwise(came)]
        seen = Seen(
            messages=len(came),
            rate_hz=len(gaps) / sum(gaps) if sum(gaps) > 0 else 0.0,
            longest_gap_s=max(gaps, default=0.0),
            bytes=source.size,
            age_s=statistics.median(self._ages_s) if self._ages_s else 0.0,
            newest_ns=self._newest_ns,
            frame_id=self._frame_id,
        )
        publishers = source.publishers()
        errors = advise(entry.stream, entry.sync, seen, anchor=entry.anchor)
        if not came:
            errors = [source.why_silent()]
        elif len(publishers) > 1:
            names = ", ".join(p.node_name for p in publishers)
            errors.append(f"{len(publishers)} publishers send it: {names}; stop all but one")
        return StreamReport(
            arm=entry.arm,
            stream=entry.stream.name,
            topic=source.topic,
            type=source.type,
            vital=entry.vital,
            publishers=[
                {
                    "node": f"{p.node_namespace.rstrip('/')}/{p.node_name}",
                    "type": p.topic_type,
                    "reliability": p.qos_profile.reliability.name.lower(),
                    "durability": p.qos_profile.durability.name.lower(),
                }
                for p in publishers
            ],
            seen=seen,
            errors=errors,
        )

    def _receive(self, source: Input, message: Any) -> None:
        stamp = message.header.stamp
        self._newest_ns = stamp.sec * 10**9 + stamp.nanosec
        self._arrivals_s.append(time.monotonic())
        if now_ns := self._clock.now().nanoseconds:  # 0 before the first of /clock
            self._ages_s.append((now_ns - self._newest_ns) * 1e-9)
        self._frame_id = message.header.frame_id


def _streams(arm: str, settings: Settings) -> list[Wanted]:
    anchor = settings.anchor.name
    return [Wanted(arm, s, s.name == anchor, settings.sync) for s in settings.streams]


def _transport() -> dict[str, str]:
    """What decides whether messages come across, in this process's environment."""
    found = {
        "middleware": rclpy.get_rmw_implementation_identifier(),
        "ROS_DOMAIN_ID": os.environ.get("ROS_DOMAIN_ID", "0"),
        "discovery range": os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET"),
        "Fast DDS profile": next((os.environ[v] for v in VARIABLES if os.environ.get(v)), ""),
    }
    if SHARED_MEMORY.is_dir():
        free = shutil.disk_usage(SHARED_MEMORY).free / 2**20
        found["shared memory free (MiB)"] = f"{free:.0f}"
    return found
