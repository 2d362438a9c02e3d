from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import Modality, Observation, StreamData
from xmodal_ros.eval.calibration import fit_temperature
from xmodal_ros.runtime.bundle import Bundle, check_bundle
from xmodal_ros.runtime.ood import branch_feature, look, ood_score
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.train.touch.bundle import describe, write_bundle
from xmodal_ros.train.touch.run import prepare, train_touch
from xmodal_ros.train.touch.score import answers


@pytest.fixture(scope="module")
def trained(data, small, cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    run = train_touch([data], folder / "run", small, cache=cache)
    _, _, examples = prepare([data], small, cache)
    return run, examples, write_bundle(run, examples, folder / "mine", licence="CC0-1.0")


def test_the_bundle_answers_and_scores_as_training_did(trained) -> None:
    run, examples, bundle = trained
    assert check_bundle(bundle.path) == []
    chosen = examples.indices("test")[:3]
    expected = answers(run.network, examples, chosen)
    _, embeddings = describe(run.network, examples, chosen)
    known = bundle.stream_statistics()
    predictor = Predictor(bundle, InferenceSettings(backend="torch", precision="fp32"))
    for row, k in enumerate(chosen):
        streams = {}
        for number, stream in enumerate(examples.streams):
            frames = tuple(np.array(examples.images(stream, np.array([k]))[0]))
            stamps = tuple(1000 * int(k) + np.arange(len(frames)))
            modality = Modality.CAMERA if stream == "camera" else Modality.TACTILE
            clip = {} if stream == "camera" else {"frames": frames}
            streams[stream] = StreamData(modality, frames[-1], stamps, number, **clip)
        found = predictor.predict(Observation(int(k), "hand", "camera", streams))
        for head, logits in expected.items():
            wanted = softmax(logits[row] / run.temperatures[head])
            assert np.allclose(found.heads[head].probabilities, wanted, atol=5e-3), head
        for stream, steps in embeddings.items():
            assert len(steps[row]) == (1 if stream == "camera" else examples.clips[stream])
            feature = branch_feature(steps[row], look(streams[stream].data))
            assert found.ood[stream] == pytest.approx(ood_score(feature, known[stream]), rel=1e-2)


def test_a_temperature_of_a_subset_is_fitted_with_the_other_streams_hidden(trained) -> None:
    run, examples, bundle = trained
    chosen = examples.indices("validation")
    labels, camera = examples.labels["material"][chosen], examples.present["camera"][chosen]
    hidden = [stream for stream in examples.streams if stream != "camera"]
    logits = answers(run.network, examples, chosen, drop=hidden)["material"]
    known = camera & (labels >= 0)
    card, own = bundle.heads["material"], fit_temperature(logits[known], labels[known])
    stored = card.temperature_of(["camera"])
    assert stored == pytest.approx(own, rel=0.06)  # one that is within 5 % is not kept
    assert card.temperature_of(examples.streams) == run.temperatures["material"]


def test_it_knows_what_its_sensors_give(trained) -> None:
    _, examples, bundle = trained
    usual, dark = [], []
    with Predictor(bundle, InferenceSettings(backend="torch", precision="fp32")) as predictor:
        for k in examples.indices("train")[:20]:
            frame = np.array(examples.images("camera", np.array([k]))[0, -1])
            for image, scores in ((frame, usual), (0 * frame, dark)):
                data = {"camera": StreamData(Modality.CAMERA, image, (int(k),), 0)}
                prediction = predictor.predict(Observation(int(k), "hand", "camera", data))
                scores.append(prediction.ood["camera"])
    assert max(usual) < 1.5
    assert min(dark) > max(usual)


def test_its_card_and_metrics_are_those_of_validation(trained) -> None:
    run, _, bundle = trained
    card = (bundle.path / "README.md").read_text()
    assert f"{run.record['validation']['material']['accuracy']:.3f}" in card
    assert "those of the validation part" in card
    assert bundle.metrics["grasp"]["count"] == 6
    assert bundle.licence == "CC0-1.0"
    assert bundle.training["settings"]["encoder"]["weights"] == "package"
    assert bundle.spaces == ()  # only pairs bring camera and gels together
    assert bundle.heads["grasp"].labels == ("fail", "success")
    assert bundle.heads["grasp"].threshold == run.calibration.thresholds["grasp"]
    assert Bundle.load(bundle.path).heads["material"].temperature == run.temperatures["material"]
