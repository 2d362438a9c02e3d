"""A class for every point of a scan: what the predictor and the bundle's file say of it."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
import yaml

from xmodal_ros.core.errors import BundleError, SettingsError
from xmodal_ros.core.range_image import OUTSIDE, to_range_image
from xmodal_ros.core.segmentation import IGNORE
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import Modality, Observation, StreamData
from xmodal_ros.data.decode import decode_pointcloud2
from xmodal_ros.data.point_cloud.cloud import message_of, scan_of
from xmodal_ros.nn.network import build_network
from xmodal_ros.runtime import export
from xmodal_ros.runtime.bundle import Bundle, check_bundle
from xmodal_ros.runtime.manifest import PointsCard
from xmodal_ros.runtime.points import label_points
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.runtime.save import save_bundle

LABELS = ("background", "table", "object", "arm", "gripper", "person")


@pytest.fixture(scope="module")
def predictor(lidar_bundle):
    settings = InferenceSettings(backend="torch", device="cpu", precision="fp32", threads=1)
    with Predictor(Bundle.load(lidar_bundle), settings) as made:
        yield made


def scan(count=2000, seed=0):
    points = np.random.default_rng(seed).normal(0, 2, (count, 4)).astype(np.float32)
    points[:, 2] -= 3
    return points


def observation(points):
    lidar = StreamData(Modality.LIDAR, points, (0,), 0)
    return Observation(0, "tower", "lidar", {"lidar": lidar})


def probabilities(predictor, points):
    """Of each class in the pixel of each point, by the network alone; NaN in no pixel."""
    network = predictor.bundle.network()
    branch = network.branches["lidar"]
    found = to_range_image(points, predictor.inputs["lidar"].view)
    with torch.no_grad():
        maps = branch.contrastive.encoder.features(torch.from_numpy(found.image)[None])
        logits = branch.classify(maps)[0].flatten(0, 1) / 0.5  # the card's temperature
    every = logits.softmax(1).numpy()[found.pixels]
    every[found.pixels == OUTSIDE] = np.nan
    return every


def test_each_point_gets_the_class_of_its_pixel(predictor):
    points = scan()
    predictor.predict(observation(points))
    found = label_points(predictor.encoded["lidar"], predictor.labelled["lidar"])
    expected = probabilities(predictor, points)
    inside = ~np.isnan(expected[:, 0])
    assert 100 < inside.sum() < len(points)
    np.testing.assert_allclose(found.confidence[inside], expected[inside].max(1), atol=1e-5)
    sure = found.confidence >= 0.3  # the card's threshold
    assert 0 < sure[inside].sum() < inside.sum()
    np.testing.assert_array_equal(found.labels[inside & sure], expected[inside & sure].argmax(1))
    assert (found.labels[~(inside & sure)] == IGNORE).all()
    assert (found.confidence[~inside] == 0).all()
    assert found.labels.dtype == np.uint8
    assert found.confidence.dtype == np.float32
    assert len(np.unique(found.labels)) > 2


def message(columns, height=1, **types):
    """A PointCloud2 with a field for each column, float32 unless another type is named."""
    dtype = np.dtype([(name, types.get(name, "<f4")) for name in columns])
    cloud = np.zeros(len(columns["x"]), dtype)
    for name, values in columns.items():
        cloud[name] = values
    made = message_of(cloud)
    made.height, made.width = height, len(cloud) // height
    made.row_step = made.width * made.point_step
    return made


def plain(points):
    return dict(zip(("x", "y", "z", "intensity"), points.T, strict=True))


def with_holes(points):
    """Organised, every third point without a return."""
    holed = np.insert(points, np.arange(0, len(points), 2), np.nan, axis=0)
    return message(plain(holed), height=50)


LAYOUTS = {
    "organised, with holes": with_holes,
    "0 to 255": lambda points: message(plain(points * [1, 1, 1, 255])),
    "whole numbers": lambda points: message(plain(points * [1, 1, 1, 255]), intensity="u1"),
    "ring and time of a moving sensor": lambda points: message(
        {"t": np.arange(len(points)), "ring": np.arange(len(points)) % 16, **plain(points)},
        t="<u4",
        ring="<u2",
    ),
    "doubles": lambda points: message(plain(points), x="<f8", y="<f8", z="<f8", intensity="<f8"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_scan_has_the_same_classes_in_any_layout(predictor, layout):
    """Live and read from a file alike."""
    points = scan(1000)
    points[:, 3] = np.random.default_rng(1).integers(0, 256, 1000) / 255
    points[0, 3] = 1.0
    given = LAYOUTS[layout](points)
    live, read = decode_pointcloud2(given), scan_of(given, 0, "scan").points
    np.testing.assert_array_equal(live, read)
    np.testing.assert_allclose(live, points, atol=1e-6)
    labels = []
    for each in (points, live):
        predictor.predict(observation(each))
        labels.append(label_points(predictor.encoded["lidar"], predictor.labelled["lidar"]).labels)
    assert (labels[0] == labels[1]).mean() > 0.999  # an intensity may be rounded
    assert len(labels[1]) == len(live)


def test_without_intensity_it_is_that_of_none(predictor):
    points = scan(1000)
    given = message({name: points[:, k] for k, name in enumerate("xyz")})
    predictor.predict(observation(decode_pointcloud2(given)))
    found = label_points(predictor.encoded["lidar"], predictor.labelled["lidar"])
    predictor.predict(observation(points * np.float32([1, 1, 1, 0])))
    dark = label_points(predictor.encoded["lidar"], predictor.labelled["lidar"])
    np.testing.assert_array_equal(found.labels, dark.labels)


def test_the_heads_answer_as_without_classes_of_points(predictor, lidar_bundle, tmp_path):
    with_classes = predictor.predict(observation(scan()))
    network = predictor.bundle.network()
    plain = copy.deepcopy(dict(predictor.bundle.architecture))
    del plain["points"]
    other = build_network(plain)
    other.load_state_dict({k: v for k, v in network.state_dict().items() if "classify" not in k})
    heads = predictor.bundle.heads
    save_bundle(
        tmp_path, name="a", network=other, architecture=plain, heads=heads, licence="", card=""
    )
    with Predictor(
        Bundle.load(tmp_path), InferenceSettings(backend="torch", threads=1)
    ) as without:
        expected = without.predict(observation(scan()))
        assert len(without.encoded["lidar"]) == 2
        assert without.labelled == {}
    found = with_classes.heads["activity"].probabilities
    assert found.tobytes() == expected.heads["activity"].probabilities.tobytes()
    assert with_classes.embeddings["lidar"].tobytes() == expected.embeddings["lidar"].tobytes()


def test_a_bundle_may_label_points_and_nothing_else(predictor, tmp_path):
    architecture = dict(predictor.bundle.architecture) | {"streams": {"roof": "lidar"}}
    architecture["branches"] = {"lidar": architecture["branches"]["lidar"]}
    del architecture["heads"]
    network = build_network(architecture)
    bundle = save_bundle(
        tmp_path, name="a", network=network, architecture=architecture, heads={},
        points={"lidar": PointsCard(LABELS)}, licence="", card="",
    )  # fmt: skip
    assert bundle.labelled == {"roof": PointsCard(LABELS)}
    seen = dataclasses.replace(observation(scan()).streams["lidar"])
    with Predictor(bundle, InferenceSettings(backend="torch", threads=1)) as made:
        prediction = made.predict(Observation(0, "tower", "roof", {"roof": seen}))
        assert prediction.heads == {}
        assert len(label_points(made.encoded["roof"], bundle.labelled["roof"]).labels) == 2000


def test_backends_are_compared_by_points_too(lidar_bundle, monkeypatch):
    monkeypatch.setattr(export, "BACKENDS", {"torch": export.BACKENDS["torch"]})
    monkeypatch.setattr(export, "computes", lambda precision: True)
    shares = iter((0.25, 0.5))
    monkeypatch.setattr(export, "softmax", lambda logits: np.full(logits.shape, next(shares)))
    first, second = export.measure_backends(
        Bundle.load(lidar_bundle), [observation(scan())], threads=1
    )
    assert (first.precision, first.difference, first.passed) == ("fp32", 0.0, True)
    assert (second.difference, second.passed) == (0.25, False)


@pytest.mark.parametrize(
    ("points", "text"),
    [
        ({"imu": {"classes": 3}}, "architecture.points.imu: this branch sees no points; expected"),
        ({"roof": {"classes": 3}}, "architecture.points.roof: got 'roof'; expected one of lidar"),
        ({"lidar": 3}, "architecture.points.lidar: got 3; expected a mapping with classes"),
        ({"lidar": {"classes": 300}}, "architecture.points.lidar.classes: got 300; expected a"),
        ([], "architecture.points: got []; expected a mapping"),
    ],
)
def test_says_what_is_wrong_with_an_architecture(predictor, points, text):
    with pytest.raises(SettingsError) as caught:
        build_network(dict(predictor.bundle.architecture) | {"points": points})
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("points", "problem"),
    [
        ({}, "points.lidar is missing: labels of the architecture's classes of points of branch "),
        ({"lidar": {"labels": ["a"]}}, "points.lidar has 1 labels for 6 classes"),
        ({"lidar": {"labels": list("aabcde")}}, "points.lidar has a label twice"),
        ({"imu": {"labels": ["a"]}}, "points.imu is not in the architecture, which has lidar"),
        ({"lidar": {}}, "points.lidar.labels is missing, expected a list with one name per class"),
        ({"lidar": {"labels": LABELS, "abstain_below": 2.0}}, "points.lidar.abstain_below: got 2"),
        (3, "points is 3, expected a mapping"),
    ],
)
def test_says_what_is_wrong_with_a_bundle(lidar_bundle, tmp_path, points, problem):
    for file in lidar_bundle.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    manifest = yaml.safe_load((tmp_path / "bundle.yaml").read_text())
    if isinstance(points, dict):
        points = {
            n: {k: list(v) if k == "labels" else v for k, v in p.items()}
            for n, p in points.items()
        }
    manifest["points"] = points
    (tmp_path / "bundle.yaml").write_text(yaml.safe_dump(manifest))
    problems = check_bundle(tmp_path)
    assert any(found.startswith(problem) for found in problems), problems
    with pytest.raises(BundleError):
        Bundle.load(tmp_path)
