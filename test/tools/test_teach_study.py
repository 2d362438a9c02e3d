"""The study measures what the runtime does."""

import numpy as np
import pytest

pytest.importorskip("torch")

from xmodal_ros.runtime.discriminant import PRIOR, SHARPNESS, Space
from xmodal_ros.runtime.ood import fit_statistics
from xmodal_ros.runtime.taught import Material


@pytest.fixture
def study(monkeypatch, repository):
    monkeypatch.syspath_prepend(str(repository / "tools"))
    import teach_study

    return teach_study


@pytest.fixture
def discriminant(study):
    import teach_methods

    return teach_methods.discriminant


def test_the_discriminant_is_that_of_the_runtime(discriminant):
    rng, labels = np.random.default_rng(0), np.arange(300) % 3
    features = (rng.normal(size=(300, 5)) + 4 * np.eye(5)[labels]).astype(np.float32)
    made = {"statistics": fit_statistics(features, labels)}
    touches = [rng.normal(size=(4, 5)).astype(np.float32) for _ in range(3)]
    probabilities = rng.dirichlet(np.ones(3), size=300).astype(np.float32)

    taught, known = discriminant(made, touches, features)
    margin = SHARPNESS * taught + PRIOR - np.logaddexp.reduce(SHARPNESS * known, axis=1)
    material = Material("cork", np.stack([t.mean(0) for t in touches]))
    found, _ = Space(made["statistics"], [material]).extend(features, probabilities)
    np.testing.assert_allclose(found[:, 3], 1 / (1 + np.exp(-margin)), rtol=1e-4, atol=1e-7)


def test_touches_are_of_one_object_each_and_of_the_material(study):
    fold = {
        "materials": np.repeat(["cork", "wood"], 30),
        "parts": np.repeat(["held_train", "train"], 30),
        "episodes": np.repeat([f"{k}" for k in range(12)], 5),
        "features": np.arange(60.0)[:, None],
    }
    touches, objects = study.draw(fold, "cork", "train", 4, np.random.default_rng(0))
    assert len(touches) == len(set(objects)) == 4
    for touch, name in zip(touches, objects, strict=True):
        assert len(touch) == study.WINDOWS
        assert set(fold["episodes"][touch[:, 0].astype(int)]) == {name}
        assert touch.max() < 30
