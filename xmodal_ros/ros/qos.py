"""Quality of service of every topic, and what to tell a user when two ends do not fit."""

from __future__ import annotations

from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from rclpy.qos_overriding_options import QoSOverridingOptions, QoSPolicyKind

from xmodal_ros.core.settings import StreamSettings

OVERRIDABLE = QoSOverridingOptions(
    [QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY, QoSPolicyKind.DEPTH]
)
"""Parameters `qos_overrides.<topic>.publisher.<policy>` for a topic we publish."""


def latched() -> QoSProfile:
    """For what is published once and read by whoever comes later."""
    return QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def output() -> QoSProfile:
    """Reliable: predictions are small, and a subscriber of either reliability matches."""
    return QoSProfile(depth=10)


def subscription(stream: StreamSettings) -> QoSProfile:
    """What we request of the publishers of `stream`.

    Reliable by default: best effort loses every message over 512 KiB on Fast DDS's stock shared
    memory.
    """
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=stream.depth,
        reliability=ReliabilityPolicy[stream.reliability.upper()],
        durability=DurabilityPolicy[stream.durability.upper()],
    )


def mismatch(offered: QoSProfile, requested: QoSProfile, stream: str) -> str:
    """Say why a publisher's offer does not meet our request and what to do, else ""."""
    compatibility, _ = qos_check_compatible(_policies(offered), _policies(requested))
    if compatibility != QoSCompatibility.ERROR:
        return ""
    for policy, weaker in (("reliability", "best_effort"), ("durability", "volatile")):
        offer, wish = getattr(offered, policy), getattr(requested, policy)
        if offer.name.lower() == weaker and wish.name.lower() != weaker:
            return (
                f"it offers {policy} {weaker}, we request {wish.name.lower()}: "
                f"set parameter '{stream}.{policy}' to '{weaker}', or change the publisher"
            )
    return "a policy other than reliability and durability is not met: change the publisher"


def _policies(profile: QoSProfile) -> QoSProfile:
    """Reliability and durability alone: the check takes an unset deadline, 0, for a real one."""
    return QoSProfile(depth=1, reliability=profile.reliability, durability=profile.durability)
