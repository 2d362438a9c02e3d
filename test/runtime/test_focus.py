"""Attention beside a compiled network: what the network itself would give, drawn over images."""

import numpy as np
import pytest
import torch

from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.nn.block import Attention
from xmodal_ros.runtime.focus import MOST, Focus, overlay, watched
from xmodal_ros.runtime.predictor import Predictor

GRASP = ("tactile_left", "tactile_right")


@pytest.fixture(scope="module", params=["torch", "openvino", "onnxruntime"])
def predictor(request, bundle, graph_cache):
    with Predictor(bundle, InferenceSettings(backend=request.param, threads=1)) as made:
        yield made


def test_heads_that_see_places_are_watched(bundle):
    assert watched(bundle) == {"material": ("camera",), "grasp": GRASP}


def test_maps_average_one_over_the_streams_of_a_head(predictor, observe):
    predictor.predict(observe())
    maps = Focus(predictor).maps("grasp", predictor.encoded)
    assert {name: x.shape for name, x in maps.items()} == dict.fromkeys(GRASP, (2, 3))
    assert np.mean([*maps.values()]) == pytest.approx(1, rel=1e-4)
    assert len({round(float(x), 4) for x in maps["tactile_left"].flat}) == 6


def test_maps_are_the_softmax_that_the_network_mixes_tokens_with(predictor, observe, monkeypatch):
    """Oracle: the attention's own forward with values that name their token."""
    predictor.predict(observe())
    found = Focus(predictor).maps("grasp", predictor.encoded)
    network = predictor.bundle.network()
    attention: Attention = network.heads["grasp"].cec.attention
    encoded = [predictor.encoded[s] for s in GRASP]
    with torch.no_grad():
        pairs = [network.branches["gel"].combine(*map(torch.from_numpy, e)) for e in encoded]
        keys = torch.cat([t for t, _ in pairs], dim=1)
        queries = torch.stack([e for _, e in pairs], dim=1) * 32**0.5
        heads = [
            layer(x)[0].unflatten(1, (4, 8)).transpose(0, 1)  # (N, 32) -> (4, N, 8)
            for layer, x in ((attention.query, queries), (attention.key, keys))
        ]
        scores = heads[0] @ heads[1].transpose(1, 2) / 8**0.5
        weights = scores.softmax(2).mean((0, 1)).numpy()  # 2 fingers, 6 places, 3 steps
    expected = 36 * weights.reshape(2, 2, 3, 3).mean(3)
    for stream, one in zip(GRASP, expected, strict=True):
        np.testing.assert_allclose(found[stream], one, rtol=1e-3)


def test_an_absent_stream_has_no_map_and_takes_no_weight(predictor, observe):
    predictor.predict(observe(streams=("tactile_right", "imu")))
    maps = Focus(predictor).maps("grasp", predictor.encoded)
    assert list(maps) == ["tactile_right"]
    assert maps["tactile_right"].mean() == pytest.approx(1, rel=1e-4)


def test_looking_changes_no_answer(predictor, observe):
    before = predictor.predict(observe(1)).heads["grasp"].probabilities
    Focus(predictor).maps("grasp", predictor.encoded)
    predictor.clear()
    assert np.array_equal(predictor.predict(observe(1)).heads["grasp"].probabilities, before)


def test_overlays_are_of_the_newest_image(predictor, observe):
    observation = observe(5)
    predictor.predict(observation)
    drawn = Focus(predictor).overlays("grasp", ["tactile_left"], observation, predictor.encoded)
    maps = Focus(predictor).maps("grasp", predictor.encoded)
    image = observation.streams["tactile_left"].frames[-1]
    assert list(drawn) == ["tactile_left"]
    assert np.array_equal(drawn["tactile_left"], overlay(image, maps["tactile_left"]))


def test_an_overlay_colours_where_the_weight_is():
    image = np.full((40, 60, 3), 128, np.uint8)
    focus = np.zeros((4, 6), np.float32)
    focus[1, 4] = 2 * MOST  # saturates
    drawn = overlay(image, focus)
    changed = (drawn != image).any(axis=2)
    assert changed[15, 45]
    assert not changed[:, :30].any()
    assert np.array_equal(image, np.full((40, 60, 3), 128, np.uint8))
    red, green, blue = drawn[15, 45].astype(int)
    assert red > green
    assert red > blue  # the hot end of the colours
