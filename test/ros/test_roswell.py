"""An independent DDS stack reads our predictions with nothing but the text of our messages."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from sensor_msgs.msg import Image

roswell = pytest.importorskip("roswell", reason="the independent DDS peer is not installed")


def test_a_foreign_peer_reads_grasps(graph, messages, repository: Path) -> None:
    texts = repository / "xmodal_msgs" / "msg"
    foreign = roswell.Node("foreign", domain=int(os.environ["ROS_DOMAIN_ID"]))
    kind = foreign.load_type(
        str(texts / "GraspSuccess.msg"), deps=[str(texts / "PredictionInfo.msg")]
    )
    graph.perception()
    finger = graph.connected("/tactile_left/image_raw", Image)
    found = []
    sent = {}

    with foreign.subscribe("/perception/grasp", kind) as subscription:

        def see() -> bool:
            now_ns = time.time_ns()
            sent[now_ns] = None
            finger.publish(messages.image(now_ns))
            message = subscription.take()
            if message is not None:
                found.append(message)
            return bool(found)

        graph.until(see)
        message = found[0]
        assert message.header.stamp.sec * 10**9 + message.header.stamp.nanosec in sent
        assert message.header.frame_id == "finger"
        assert message.info.model_id == "tiny"
        assert message.info.modalities_used == 2
        assert 0 <= message.probability <= 1
        assert message.success == (message.probability >= message.threshold)
    foreign.close()
