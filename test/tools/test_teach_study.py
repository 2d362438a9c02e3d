"""The study measures what the runtime does."""

import numpy as np
import pytest

pytest.importorskip("torch")

from xmodal_ros.runtime.discriminant import PRIOR, SHARPNESS, Space
from xmodal_ros.runtime.ood import fit_statistics
from xmodal_ros.runtime.taught import Material


@pytest.fixture(autouse=True)
def tools(monkeypatch, repository):
    monkeypatch.syspath_prepend(str(repository / "tools"))


@pytest.fixture
def discriminant():
    import teach_methods

    return teach_methods.discriminant


@pytest.fixture
def cases():
    import teach_cases

    return teach_cases


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


def test_touches_are_of_one_object_each_and_of_the_material(cases):
    fold = {
        "materials": np.repeat(["cork", "wood"], 30),
        "parts": np.repeat(["held_train", "train"], 30),
        "episodes": np.repeat([f"{k}" for k in range(12)], 5),
        "features": np.arange(60.0)[:, None],
    }
    touches, objects = cases.draw(fold, "cork", "train", 4, np.random.default_rng(0))
    assert len(touches) == len(set(objects)) == 4
    for touch, name in zip(touches, objects, strict=True):
        assert len(touch) == cases.WINDOWS
        assert set(fold["episodes"][touch[:, 0].astype(int)]) == {name}
        assert touch.max() < 30


def test_what_is_measured_is_the_mean_of_networks_each_of_which_counts_the_same(cases):
    made = [cases.Case(0, "cork", 1.0, 0.0, 1.0, ()), cases.Case(0, "wood", 0.0, 0.0, 0.0, ())]
    made.append(cases.Case(1, "felt", 0.9, 0.04, 1.0, ("wood",)))
    found = cases.measure(made)
    assert found["taught"] == pytest.approx(0.7)
    assert found["taught_spread"] == pytest.approx(0.2)
    assert found["lost"] == pytest.approx(0.02)
    assert found["cases"] == 3


def test_the_limit_is_the_best_that_one_threshold_reaches_at_what_is_allowed():
    from teach_limits import by_material, limit

    rng = np.random.default_rng(0)
    names, labels = np.array(["cork", "felt", "wood"]), np.tile(np.arange(3), 200)
    logits = rng.normal(size=(600, 3)) + 2 * np.eye(3)[labels]
    half = {
        "labels": labels,
        "materials": names[labels],
        "logits": logits,
        "parts": np.full(600, "validation"),
    }
    whole = {name: np.concatenate([x, x]) for name, x in half.items()}
    whole["parts"][600:] = "test"

    best = {"taught": -1.0, "lost": 0.0}
    right = logits[:, 1:].argmax(1) == labels - 1
    for raised in -np.sort(logits[:, 0] - logits[:, 1:].max(1)) + 1e-9:  # each way to divide them
        won = logits[:, 0] + raised > logits[:, 1:].max(1)
        lost = (won & right)[labels != 0].mean()
        taught = won[labels == 0].mean()
        if lost <= 0.05 and taught >= best["taught"]:
            best = {"taught": taught, "lost": lost}
    found = limit(whole, "cork", 0.05)
    assert found["taught"] == pytest.approx(best["taught"], abs=0.006)
    assert found["lost"] == pytest.approx(best["lost"], abs=0.003)

    from teach_cases import Case

    (row,) = by_material([Case(0, "cork", 0.5, 0.0, 0.5, ("wood", "wood", "felt"))], whole, 0.05)
    assert row["limit"] == found["taught"]
    assert row["taken_for"] == "wood 67%, felt 33%"
