"""Classes of points in an evaluation: scores against those of the recording, report, problems."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
import yaml

from xmodal_ros.core.segmentation import IGNORE
from xmodal_ros.core.settings import InferenceSettings, Settings
from xmodal_ros.core.types import Modality, Observation, StreamData
from xmodal_ros.data.fields import cloud_fields, mask_fields
from xmodal_ros.data.point_cloud import read_clouds
from xmodal_ros.data.recording import RecordingWriter
from xmodal_ros.eval.evaluate import evaluate
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.points import label_points
from xmodal_ros.runtime.predictor import Predictor

CLASSES = ("background", "table", "object", "arm", "gripper", "person")
START_NS = 1_700_000_000_000_000_000


def settings_for(bundle):
    inference = {"bundle": str(bundle), "backend": "torch", "threads": 1}
    groups = {"inference": inference, "sync": {"anchor": "lidar"}, "streams": {"lidar": {}}}
    return Settings.from_mapping(groups)


@pytest.fixture(scope="module")
def result(lidar_bundle, lidar_recording, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluation")
    return out, evaluate(lidar_recording, out, settings_for(lidar_bundle))


def test_iou_is_of_all_points_of_all_scans(result, lidar_bundle, lidar_recording):
    """By counting points one by one, read by the other reader of the same recording."""
    _, summary = result
    data = read_clouds(lidar_recording.parent)
    hits, either = np.zeros((2, len(CLASSES)), int)
    settings = InferenceSettings(backend="torch", threads=1)
    with Predictor(Bundle.load(lidar_bundle), settings) as predictor:
        for sweep in data.sweeps:
            scan = data.load(sweep)
            seen = StreamData(Modality.LIDAR, scan.points, (0,), 0)
            predictor.predict(Observation(0, "tower", "lidar", {"lidar": seen}))
            found = label_points(predictor.encoded["lidar"], predictor.labelled["lidar"]).labels
            for said, true in zip(found.tolist(), scan.labels.tolist(), strict=True):
                hits[true] += said == true
                either[true] += 1
                if said not in (true, IGNORE):
                    either[said] += 1
    scored = summary["points"]["lidar"]
    assert (scored["scans"], scored["scored"]) == (20, 20)
    assert scored["scores"]["points"]["count"] == 20 * 500
    iou = hits / either
    np.testing.assert_allclose([scored["scores"]["iou"][name] for name in CLASSES], iou)
    assert scored["scores"]["points"]["miou"] == pytest.approx(iou.mean())
    assert summary["problems"] == []


def test_the_report_shows_them(result):
    out, summary = result
    page = (out / "report.html").read_text()
    assert "<h2>Classes of points</h2>" in page
    assert f"{summary['points']['lidar']['scores']['points']['miou']:.3f}" in page
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page)
    assert captions.count("classes on lidar") == captions.count("true classes on lidar") == 8


def record(path, scans):
    """A recording of (points, classes or None) at 10 Hz."""
    with RecordingWriter(path) as writer:
        for k, (points, truth) in enumerate(scans):
            now_ns = START_NS + k * 100_000_000
            cloud = cloud_fields(now_ns, "tower", points)
            writer.write("/lidar/points", "sensor_msgs/msg/PointCloud2", now_ns, cloud)
            if truth is not None:
                classes = mask_fields(now_ns, "tower", truth[None])
                writer.write("/truth/classes/lidar", "sensor_msgs/msg/Image", now_ns, classes)
    return path


def below(count, seed=0):
    return np.random.default_rng(seed).random((count, 4)) + np.array([2, -0.5, -2, 0])


def test_scans_that_cannot_be_compared_are_told(lidar_bundle, tmp_path):
    scans = [
        (below(50), np.zeros(50, np.uint8)),
        (below(50), np.zeros(49, np.uint8)),
        (below(9), None),
    ]
    path = record(tmp_path / "recording", scans)
    summary = evaluate(path, tmp_path / "out", settings_for(lidar_bundle))
    assert summary["points"]["lidar"]["scored"] == 1
    assert summary["points"]["lidar"]["scores"]["points"]["count"] == 50
    told = [problem for problem in summary["problems"] if "scans of 'lidar'" in problem]
    assert told == [
        "1 of 3 scans of 'lidar' were left out of the scores: the recording has not one class for "
        "each of their points.",
        "1 of 3 scans of 'lidar' were left out of the scores: the recording has no classes with "
        "their stamp.",
    ]


def test_without_classes_in_the_recording_there_are_none_to_compare_with(lidar_bundle, tmp_path):
    path = record(tmp_path / "recording", [(below(50), None), (np.full((5, 4), np.nan), None)])
    summary = evaluate(path, tmp_path / "out", settings_for(lidar_bundle))
    assert summary["points"]["lidar"]["scores"] is None
    assert summary["points"]["lidar"]["scans"] == 1  # the other shows nothing
    assert summary["problems"] == []
    assert "<h2>Classes of points</h2>" not in (tmp_path / "out" / "report.html").read_text()


def test_classes_are_compared_by_name(lidar_bundle, tmp_path):
    """A bundle that knows two of the recording's classes, in another order, and one more."""
    bundle = shutil.copytree(lidar_bundle, tmp_path / "bundle")
    manifest = yaml.safe_load((bundle / "bundle.yaml").read_text())
    manifest["points"]["lidar"]["labels"] = ["person", "dog", "table", "tree", "car", "road"]
    (bundle / "bundle.yaml").write_text(yaml.safe_dump(manifest))
    truth = np.repeat(np.array([0, 1, 5], np.uint8), 20)  # background, table, person
    summary = evaluate(
        record(tmp_path / "recording", [(below(60), truth)]),
        tmp_path / "out",
        settings_for(bundle),
    )
    found = np.array(summary["points"]["lidar"]["confusion"])
    assert found.sum(1).tolist() == [20, 0, 20, 0, 0, 0]
    manifest["points"]["lidar"]["labels"] = ["cat", "dog", "bus", "tree", "car", "road"]
    (bundle / "bundle.yaml").write_text(yaml.safe_dump(manifest))
    summary = evaluate(tmp_path / "recording", tmp_path / "out", settings_for(bundle))
    assert summary["problems"] == [
        "The points of 'lidar' have classes of which the bundle knows none. It knows cat, dog, "
        "bus, tree, car, road."
    ]
