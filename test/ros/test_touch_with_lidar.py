"""From recordings with a LiDAR to messages that it was used for: training, bundle and node."""

from __future__ import annotations

import numpy as np
import pytest
from sensor_msgs.msg import Image, PointCloud2

from xmodal_msgs.msg import MaterialClass, PredictionInfo
from xmodal_ros.data.fields import cloud_fields
from xmodal_ros.ros.encode import fill

pytest.importorskip("lightning")
FINGER, SCANS = "/tactile_left/image_raw", "/lidar/points"
SMALL = (
    "encoder.backbone=test_efficientnet", "encoder.weights=random", "encoder.level=1",
    "encoder.gel_height=24", "encoder.gel_width=32", "encoder.frames=1", "trunk.dim=16",
    "trunk.attention_heads=2", "schedule.steps=2", "schedule.validate_every=2",
    "schedule.batch=8",
)  # fmt: skip


@pytest.fixture(scope="module")
def bundle(felt_and_scanned, lidar_bundle, tmp_path_factory):
    from typer.testing import CliRunner

    from xmodal_ros.cli import app
    from xmodal_ros.runtime.backends import create
    from xmodal_ros.train import features

    out = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:  # OpenVINO converts for seconds
        patch.setattr(features, "create", lambda name, *rest: create("torch", *rest))
        chosen = [part for name in SMALL for part in ("--set", name)]
        folders = ["--out", str(out / "run"), "--bundle", str(out / "bundle")]
        done = CliRunner().invoke(
            app, ["train", str(felt_and_scanned), "--lidar", str(lidar_bundle), *folders, *chosen]
        )
    assert done.exit_code == 0, done.output
    return out / "bundle"


def test_an_answer_says_that_the_lidar_was_used(graph, messages, bundle) -> None:
    streams = {"tactile_left": {}, "lidar": {}}
    node = graph.perception(
        inference={"bundle": str(bundle)}, sync={"anchor": "tactile_left"}, streams=streams
    )
    answers = graph.collect("/perception/material", MaterialClass)
    finger, scans = graph.connected(FINGER, Image), graph.connected(SCANS, PointCloud2)
    points = np.random.default_rng(0).random((80, 4)) + np.array([2, -0.5, -2, 0])

    def feel(scanned: bool) -> None:
        now_ns = node.get_clock().now().nanoseconds
        if scanned:
            scans.publish(fill(PointCloud2, cloud_fields(now_ns, "tower", points)))
        finger.publish(messages.image(now_ns))

    touch, lidar = PredictionInfo.MODALITY_TACTILE, PredictionInfo.MODALITY_LIDAR
    graph.until(
        lambda: feel(True) or any(a.info.modalities_used == touch | lidar for a in answers)
    )
    assert {answer.info.modalities_expected for answer in answers} == {touch | lidar}
    del answers[:]
    graph.until(lambda: feel(False) or any(a.info.modalities_used == touch for a in answers))
