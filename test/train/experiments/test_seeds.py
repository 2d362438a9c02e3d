"""Seeds put together, and differences between variants, against numpy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import bootstrap

from xmodal_ros.eval.calibration import fit_temperature
from xmodal_ros.eval.metrics import score
from xmodal_ros.train.experiments.asking import Answers
from xmodal_ros.train.experiments.seeds import compare, score_together

GROUPS, EACH, CLASSES = 30, 6, 4


def answers(seed: int, strength: float = 2.0, groups: int = GROUPS) -> Answers:
    """Of a network whose answers are right the more often, the stronger it is."""
    labels = np.random.default_rng(0).integers(0, CLASSES, groups * EACH)
    logits = np.random.default_rng(seed).normal(0, 1, (len(labels), CLASSES))
    logits[np.arange(len(labels)), labels] += strength
    return Answers(
        names=[f"{k // EACH}/{k % EACH}" for k in range(len(labels))],
        groups=np.repeat([f"group {g}" for g in range(groups)], EACH),
        labels={"material": labels},
        logits={"material": logits},
    )


def parts(seed: int, strength: float = 2.0) -> dict[str, Answers]:
    return {"validation": answers(seed, strength), "test": answers(seed + 100, strength)}


def test_seeds_together_are_their_mean_probabilities_calibrated() -> None:
    found = [parts(seed) for seed in (1, 2, 3)]
    made = score_together(found)

    def pooled(part):
        return np.log(np.mean([softmax(x[part].logits["material"], axis=1) for x in found], 0))

    labels = found[0]["test"].labels["material"]
    temperature = fit_temperature(pooled("validation"), labels)
    expected = score(softmax(pooled("test") / temperature, axis=1), labels)
    assert made["test"]["material"]["accuracy"] == expected.accuracy
    assert made["test"]["material"]["nll"] == pytest.approx(expected.nll)
    alone = [score(softmax(x["test"].logits["material"], axis=1), labels) for x in found]
    assert expected.accuracy > max(one.accuracy for one in alone)


def test_a_difference_is_between_the_same_examples() -> None:
    first, other = parts(1), parts(2)
    kept = np.arange(10, 100)
    fewer = Answers(
        names=[other["test"].names[k] for k in kept],
        groups=other["test"].groups[kept],
        labels={"material": other["test"].labels["material"][kept]},
        logits={"material": other["test"].logits["material"][kept]},
    )
    found = compare([first], [{"test": fewer}])
    assert set(found) == {"test"}

    def right(one):
        return one.logits["material"].argmax(1) == one.labels["material"]

    expected = (right(fewer).astype(float) - right(first["test"])[kept]).mean()
    assert found["test"]["material"]["mean"] == pytest.approx(expected)


def test_examples_without_a_label_do_not_count() -> None:
    first, other = parts(1), parts(2, strength=9.0)
    for one in (first, other):
        one["test"].labels["material"][5:] = -1
    wrong = first["test"].logits["material"][:5].argmax(1) != first["test"].labels["material"][:5]
    found = compare([first], [other])["test"]["material"]
    assert found["mean"] == pytest.approx(wrong.mean())
    assert found["low"] == found["high"] == found["mean"]  # all of them are of one group


def test_the_interval_is_a_bootstrap_over_groups() -> None:
    first = [parts(seed, 1.0) for seed in (1, 2)]
    other = [parts(seed, 1.5) for seed in (3, 4)]
    found = compare(first, other)["test"]["material"]
    labels = first[0]["test"].labels["material"]

    def right(by_seed):
        return np.mean([x["test"].logits["material"].argmax(1) == labels for x in by_seed], axis=0)

    by_group = (right(other) - right(first)).reshape(GROUPS, EACH).mean(1)
    expected = bootstrap((by_group,), np.mean, method="percentile", rng=0).confidence_interval
    assert found["mean"] == pytest.approx(by_group.mean())
    assert found["low"] == pytest.approx(expected.low, abs=0.01)
    assert found["high"] == pytest.approx(expected.high, abs=0.01)
