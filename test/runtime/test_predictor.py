from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import Modality, StreamData
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.ood import branch_feature, look, ood_score
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.runtime.preprocess import resize_image
from xmodal_ros.runtime.save import save_bundle

SETTINGS = InferenceSettings(backend="torch", threads=1)


@pytest.fixture(scope="module")
def predictor(bundle):
    with Predictor(bundle, SETTINGS) as made:
        yield made


def same(first, second) -> bool:
    return (
        first.heads.keys() == second.heads.keys()
        and all(
            np.array_equal(head.probabilities, second.heads[name].probabilities)
            and head.ood_score == second.heads[name].ood_score
            for name, head in first.heads.items()
        )
        and first.ood == second.ood
    )


def test_gives_what_the_network_gives(bundle, predictor, observe):
    observation = observe(3)
    prediction = predictor.predict(observation)
    batch = {}
    for name, spec in bundle.inputs.items():
        stream = observation.streams[name]
        images = stream.frames or (stream.data,)
        if spec.modality is Modality.IMU:
            batch[name] = torch.from_numpy(stream.data)[None]
        else:
            resized = np.stack([resize_image(x, spec.height, spec.width) for x in images])
            batch[name] = torch.from_numpy(resized if spec.frames == 1 else resized[None])
    with torch.no_grad():
        output = bundle.network()(batch)
    for name, head in prediction.heads.items():
        card = bundle.heads[name]
        expected = (output.logits[name][0] / card.temperature).softmax(0).numpy()
        np.testing.assert_allclose(head.probabilities, expected, atol=1e-5)
        score = ood_score(output.features[name][0].numpy(), bundle.statistics()[name])
        assert head.ood_score == pytest.approx(score, rel=1e-3)
    for name, embedding in prediction.embeddings.items():
        np.testing.assert_allclose(embedding, output.embeddings[name][0].numpy(), atol=1e-5)
        assert np.linalg.norm(embedding) == pytest.approx(1)


def test_says_what_it_is_made_of(bundle, predictor, observe):
    prediction = predictor.predict(observe(2))
    assert (prediction.stamp_ns, prediction.frame_id) == (200_000_000, "hand")
    assert (prediction.model_id, prediction.weights_hash) == ("tiny", bundle.weights_hash)
    assert prediction.age_ns == {"camera": 3, "tactile_left": 0, "tactile_right": 0, "imu": 0}
    assert prediction.inference_ns > 0
    assert prediction.preprocess_ns > 0
    head = prediction.heads["material"]
    assert (head.task, head.labels) == ("material", ("wood", "metal", "fabric"))
    assert (head.used, head.expected) == (Modality.CAMERA.bit, Modality.CAMERA.bit)
    assert head.probabilities.sum() == pytest.approx(1)
    assert head.entropy == pytest.approx(-(head.probabilities * np.log(head.probabilities)).sum())


def test_thresholds_decide_and_abstain(tiny_bundle, observe):
    bundle = Bundle.load(tiny_bundle)
    with Predictor(bundle, SETTINGS) as predictor:
        probability = float(predictor.predict(observe()).heads["grasp"].probabilities[1])
    for shift, winner in ((-0.001, 1), (0.001, 0)):
        card = dataclasses.replace(
            bundle.heads["grasp"], threshold=probability + shift, abstain_below=0.999
        )
        changed = dataclasses.replace(bundle, heads={"grasp": card})
        with Predictor(changed, SETTINGS) as predictor:
            head = predictor.predict(observe()).heads["grasp"]
        assert (head.class_id, head.label) == (winner, ("fail", "success")[winner])
        assert head.threshold == pytest.approx(probability + shift)
        assert head.abstained


def test_a_temperature_is_that_of_the_streams_that_are_there(tiny_bundle, observe):
    bundle = Bundle.load(tiny_bundle)
    card = dataclasses.replace(bundle.heads["grasp"], temperatures=(("tactile_right", 10.0),))
    warmer = dataclasses.replace(bundle, heads={**bundle.heads, "grasp": card})
    with Predictor(bundle, SETTINGS) as usual, Predictor(warmer, SETTINGS) as changed:
        for streams in (("tactile_left", "tactile_right"), ("tactile_left",)):
            before, after = (p.predict(observe(1, streams)) for p in (usual, changed))
            assert same(before, after)
        right = observe(1, ("tactile_right",))
        before, after = (p.predict(right).heads["grasp"].probabilities for p in (usual, changed))
    odds = np.log(before[1] / before[0]) / 10
    assert np.log(after[1] / after[0]) == pytest.approx(odds, rel=1e-3)


def test_depends_on_the_observation_alone(bundle, predictor, observe):
    fresh = []
    for step in range(4):
        predictor.clear()
        fresh.append(predictor.predict(observe(step)))
    predictor.clear()
    assert all(same(predictor.predict(observe(step)), fresh[step]) for step in (3, 0, 2, 1, 3))
    # Other images under the same stamps, as in a recording that is looped or a second one.
    other = observe(7)
    streams = {
        name: dataclasses.replace(s, stamps_ns=observe(3).streams[name].stamps_ns)
        for name, s in other.streams.items()
    }
    twin = predictor.predict(dataclasses.replace(other, streams=streams))
    predictor.clear()
    assert same(twin, predictor.predict(other))
    assert not same(twin, fresh[3])


def test_a_stream_is_scored_by_its_embedding_and_what_was_read(bundle, predictor, observe):
    observation = observe(5)
    prediction = predictor.predict(observation)
    known = bundle.stream_statistics()
    assert known.keys() == {"camera", "tactile_left", "tactile_right"}
    expected = {}
    for name, statistics in known.items():
        spec, newest = bundle.inputs[name], observation.streams[name].data
        seen = look(resize_image(newest, spec.height, spec.width))
        steps = predictor.encoded[name][1].reshape(-1, 32)
        assert len(steps) == (3 if name.startswith("tactile") else 1)  # differences of 4 images
        feature = branch_feature(steps, seen)
        expected[name] = ood_score(feature, statistics)
    assert prediction.ood == pytest.approx(expected)
    dark = dataclasses.replace(
        observation.streams["camera"], data=np.zeros((96, 128, 3), np.uint8)
    )
    streams = {**observation.streams, "camera": dark}
    changed = predictor.predict(dataclasses.replace(observation, streams=streams)).ood
    assert changed == {**prediction.ood, "camera": changed["camera"]}
    assert changed["camera"] != prediction.ood["camera"]
    assert predictor.predict(observe(5, ("imu", "camera"))).ood.keys() == {"camera"}


def test_a_frame_is_encoded_once(bundle, observe):
    with Predictor(bundle, SETTINGS) as predictor:
        runs = []
        stage = predictor.encode["gel"]
        predictor.encode["gel"] = lambda *x: (runs.append(1), stage(*x))[1]
        predictor.predict(observe(10))
        assert len(runs) == 6  # 3 differences in a clip of 4, two fingers
        predictor.predict(observe(11))
        assert len(runs) == 8


def test_an_image_that_comes_with_several_sets_is_encoded_once(bundle, observe):
    with Predictor(bundle, SETTINGS) as predictor:
        runs = []
        stage = predictor.encode["camera"]
        predictor.encode["camera"] = lambda *x: (runs.append(1), stage(*x))[1]
        first, slow = observe(10), observe(11)
        again = dataclasses.replace(
            slow, streams={**slow.streams, "camera": first.streams["camera"]}
        )
        found = [predictor.predict(seen).heads["material"] for seen in (first, again)]
        assert len(runs) == 1
        np.testing.assert_array_equal(found[0].probabilities, found[1].probabilities)
        predictor.predict(slow)
        assert len(runs) == 2


def test_an_absent_stream_is_masked_and_a_head_without_any_is_silent(predictor, observe):
    whole = predictor.predict(observe(1))
    left = predictor.predict(observe(1, ("tactile_left",)))
    assert set(left.heads) == {"grasp"}
    assert set(left.embeddings) == {"tactile_left"}
    assert left.heads["grasp"].used == Modality.TACTILE.bit
    assert not np.array_equal(
        left.heads["grasp"].probabilities, whole.heads["grasp"].probabilities
    )
    camera = predictor.predict(observe(1, ("camera",)))
    assert same_head(camera, whole, "material")
    assert predictor.predict(observe(1, ("imu", "camera"))).heads.keys() == {
        "activity",
        "material",
    }


def same_head(first, second, name) -> bool:
    return np.array_equal(first.heads[name].probabilities, second.heads[name].probabilities)


def test_streams_that_the_bundle_does_not_know_are_ignored(predictor, observe):
    observation = observe(1)
    scan = StreamData(Modality.LIDAR, np.zeros((5, 4), np.float32), (0,), 0)
    more = dataclasses.replace(observation, streams={**observation.streams, "lidar": scan})
    assert same(predictor.predict(more), predictor.predict(observation))
    assert "lidar" not in predictor.predict(more).embeddings


def test_data_that_does_not_fit_is_refused(predictor, observe):
    def refused(name: str, text: str, **changes) -> None:
        observation = observe(1)
        stream = dataclasses.replace(observation.streams[name], **changes)
        bad = dataclasses.replace(observation, streams={**observation.streams, name: stream})
        with pytest.raises(DataError, match=text):
            predictor.predict(bad)

    frames = observe(1).streams["tactile_left"].frames
    refused("tactile_left", "tactile_left: got a clip of 3 images", frames=frames[1:])
    refused("camera", "camera: is a imu stream; expected camera", modality=Modality.IMU)
    refused("camera", r"got an array \(4, 4\)", data=np.zeros((4, 4), np.uint8))
    refused("imu", r"got an array \(9, 6\) ?; expected \(64, 6\)", data=np.zeros((9, 6)))


def test_a_reference_is_subtracted_where_it_is_known(tiny_architecture, bundle, observe, tmp_path):
    from xmodal_ros.nn.network import build_network

    tiny_architecture["branches"]["gel"]["difference"] = "reference"
    torch.manual_seed(0)
    made = save_bundle(
        tmp_path / "reference",
        name="reference",
        network=build_network(tiny_architecture),
        architecture=tiny_architecture,
        heads=bundle.heads,
        licence="MIT",
        card="# reference",
    )
    observation = observe(1, ("tactile_left",))
    stream = observation.streams["tactile_left"]

    def referenced(reference: np.ndarray | None, number: int):
        changed = dataclasses.replace(stream, reference=reference, reference_id=number)
        return dataclasses.replace(observation, streams={"tactile_left": changed})

    dark, light = np.zeros((96, 128, 3), np.uint8), stream.data
    with Predictor(made, SETTINGS) as predictor:
        cases = [(None, 0), (dark, 1), (light, 2), (light, 1)]
        kept = [predictor.predict(referenced(*case)) for case in cases]
        for prediction, case in zip(kept, cases, strict=True):
            predictor.clear()
            assert same_head(predictor.predict(referenced(*case)), prediction, "grasp")
    assert not same_head(kept[0], kept[2], "grasp")
    assert not same_head(kept[1], kept[2], "grasp")
    assert same_head(kept[2], kept[3], "grasp")  # the image counts, not its number


def test_warm_up_leaves_nothing_behind(bundle, observe):
    with Predictor(bundle, SETTINGS) as predictor:
        predictor.warm_up(runs=1)
        assert not predictor.store.frames
        warm = predictor.predict(observe(5))
    with Predictor(bundle, SETTINGS) as predictor:
        assert same(predictor.predict(observe(5)), warm)
