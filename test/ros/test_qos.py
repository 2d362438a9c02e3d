"""What is said of a publisher whose quality of service does not meet a request."""

import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from xmodal_ros.core.settings import StreamSettings
from xmodal_ros.ros import qos


def test_subscription_is_reliable_with_depth_5_by_default() -> None:
    profile = qos.subscription(StreamSettings())

    assert profile.reliability == ReliabilityPolicy.RELIABLE
    assert profile.durability == DurabilityPolicy.VOLATILE
    assert profile.depth == 5


@pytest.mark.parametrize(
    ("policy", "weak", "strong", "kind"),
    [
        ("reliability", "best_effort", "reliable", ReliabilityPolicy),
        ("durability", "volatile", "transient_local", DurabilityPolicy),
    ],
)
def test_mismatch_names_policy_and_parameter(policy, weak, strong, kind) -> None:
    request = qos.subscription(StreamSettings(name="camera", **{policy: strong}))
    offer = QoSProfile(depth=1, **{policy: kind[weak.upper()]})

    assert qos.mismatch(offer, request, "camera") == (
        f"it offers {policy} {weak}, we request {strong}: "
        f"set parameter 'camera.{policy}' to '{weak}', or change the publisher"
    )


def test_a_stronger_offer_fits() -> None:
    request = qos.subscription(StreamSettings(reliability="best_effort"))
    offer = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)

    assert qos.mismatch(offer, request, "camera") == ""
