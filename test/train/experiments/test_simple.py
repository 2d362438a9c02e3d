"""Simple models against scikit-learn and numpy on the images themselves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from xmodal_ros.train.experiments.simple import FEATURES, score_simple
from xmodal_ros.train.touch.run import prepare
from xmodal_ros.train.touch.settings import read_overrides


@pytest.fixture
def prepared(data, small, tmp_path):
    """Network and examples."""
    return prepare([data], read_overrides(small), tmp_path)[1:]


def test_colours_are_mean_and_deviation_of_each_image(prepared) -> None:
    network, examples = prepared
    (found,) = FEATURES["colour"](examples, network, np.array([5]))
    row = []
    for stream in ("camera", "tactile_left", "tactile_right"):
        for source in examples.plan.examples[5].streams[stream]:
            image = cv2.resize(cv2.imread(str(source.path)), (32, 32), None, 0, 0, cv2.INTER_AREA)
            pixels = image[..., ::-1].reshape(-1, 3)
            row += [*pixels.mean(0), *pixels.std(0, ddof=1)]
    np.testing.assert_allclose(found, row, rtol=0.01)


def test_normalized_colours_are_of_what_the_encoders_see(prepared) -> None:
    network, examples = prepared
    every = np.arange(len(examples))
    plain = FEATURES["colour"](examples, network, every)
    found = FEATURES["normalized colour"](examples, network, every)
    np.testing.assert_allclose(found[:, :3], (plain[:, :3] - 127) / 128, atol=1e-3)  # centred
    means = plain[:, 6:9]  # of the left gel's first image, which is of one colour but for noise
    np.testing.assert_allclose(found[:, 6:9], means / (means + 8) - 1, atol=0.02)  # relative


def test_nearest_neighbours_as_scikit_learn_finds_them(prepared) -> None:
    network, examples = prepared
    found = score_simple(examples, network, {"test": examples})
    train, test = examples.indices("train"), examples.indices("test")

    def features(chosen):
        return np.concatenate([p.flatten(1) for _, p in examples.batch(chosen).values()], axis=1)

    scale = StandardScaler().fit(features(train))
    model = KNeighborsClassifier(5, weights="distance")
    for head, labels in examples.labels.items():
        model.fit(scale.transform(features(train)), labels[train])
        expected = model.score(scale.transform(features(test)), labels[test])
        title = "5 nearest neighbours, frozen features"
        assert found[title]["test"][head]["accuracy"] == pytest.approx(expected)


def test_majority_is_that_of_the_training_part(prepared) -> None:
    network, examples = prepared
    train = examples.indices("train")
    steel = examples.heads["material"].index("steel")
    some = train[examples.labels["material"][train] == steel][:3]
    examples.labels["material"][some] = -1  # wood is the commonest now
    found = score_simple(examples, network, dict.fromkeys(("validation", "test"), examples))[
        "majority"
    ]
    test = examples.indices("test")
    wood = (examples.labels["material"][test] != steel).mean()
    assert found["test"]["material"]["accuracy"] == pytest.approx(wood)
    assert found["validation"]["grasp"]["count"] == len(examples.indices("validation"))
