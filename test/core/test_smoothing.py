"""Activities over time: filters against scipy and closed forms, and the label's rules."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.smoothing import Smoother, SmoothingSettings, transitions
from xmodal_ros.core.types import HeadPrediction, Order, Prediction

START_S = 1_700_000_000.0
LABELS = ("idle", "reach", "grasp")
RATES = np.array([[0.0, 0.7, 0.0], [0.0, 0.0, 1.5], [0.4, 0.1, 0.0]])
"""Of what follows what, per second: idle, reach, grasp, idle, and seldom back."""
HMM = SmoothingSettings(method="hmm")


def prediction(time_s: float, values, task: str = "activity", **fields) -> Prediction:
    """One head's answer, `time_s` after the start."""
    probabilities = np.array(values, np.float32)
    head = HeadPrediction(
        task=task,
        labels=LABELS[: len(values)],
        probabilities=probabilities,
        class_id=int(probabilities.argmax()),
        entropy=float("nan"),
        abstained=False,
        used=4,
        expected=4,
        **fields,
    )
    return Prediction(stamp_ns(time_s), "wrist", {"doing": head}, {}, {}, "model", "hash")


def stamp_ns(time_s: float) -> int:
    return round((START_S + time_s) * 1e3) * 1_000_000


def run(settings: SmoothingSettings, answers, **fields) -> list[HeadPrediction]:
    """Filtered heads of (time in s, probabilities)."""
    smoother = Smoother(settings)
    return [smoother.apply(prediction(t, p, **fields)).heads["doing"] for t, p in answers]


def random_answers(times, seed: int = 0):
    rng = np.random.default_rng(seed)
    return [(t, rng.dirichlet(np.ones(3)).astype(np.float32)) for t in times]


@pytest.mark.parametrize(
    ("method", "order"), [("none", Order(RATES, 1.0)), ("hmm", None)], ids=["none", "no order"]
)
def test_without_a_filter_answers_stay_as_they_are(method: str, order: Order | None) -> None:
    answers = random_answers(np.arange(20) * 0.1)
    heads = run(SmoothingSettings(method=method), answers, order=order)
    for (_, values), head in zip(answers, heads, strict=True):
        assert head.probabilities.tobytes() == values.tobytes()
        assert head.over_time.raw.tobytes() == values.tobytes()
        assert head.label == LABELS[values.argmax()]


def test_other_tasks_are_left_alone() -> None:
    before = prediction(0, [0.5, 0.3, 0.2], task="material", order=Order(RATES, 1.0))
    smoother = Smoother(HMM)
    assert smoother.apply(before).heads["doing"] is before.heads["doing"]


def test_exponential_is_a_step_response_in_time() -> None:
    """After a step, 1 - exp(-t / T) of the way is gone, whatever the rate."""
    settings = SmoothingSettings(method="exponential", time_constant_s=0.7)
    for rate_hz in (3, 10, 100):
        times = np.arange(1, 2 * rate_hz + 1) / rate_hz
        heads = run(settings, [(0, [1, 0, 0]), *((t, [0, 0, 1]) for t in times)])
        expected = 1 - np.exp(-times / 0.7)
        np.testing.assert_allclose([h.probabilities[2] for h in heads[1:]], expected, atol=1e-3)


def test_hmm_is_the_forward_filter_of_a_markov_chain() -> None:
    """Between answers that come at uneven times, against scipy."""
    times = np.cumsum([0.0, 0.2, 0.5, 0.1, 1.9, 0.3])  # steps of at least the evidence's time
    answers = random_answers(times)
    generator = RATES - np.diag(RATES.sum(1))  # each row sums to 0
    belief = answers[0][1].astype(float)
    heads = run(HMM, answers, order=Order(RATES, 0.1))
    for step, head in zip(range(1, len(times)), heads[1:], strict=True):
        belief = belief @ expm(generator * (times[step] - times[step - 1])) * answers[step][1]
        belief /= belief.sum()
        np.testing.assert_allclose(head.probabilities, belief, atol=1e-6)


@pytest.mark.parametrize("elapsed_s", [0.0, 1e-6, 0.01, 0.3, 2.0, 3600.0])
def test_transitions_are_the_matrix_exponential(elapsed_s: float) -> None:
    rng = np.random.default_rng(0)
    for classes in (2, 3, 10):
        rates = rng.exponential(2.0, (classes, classes))
        rates[:, 0] *= rng.random() < 0.5  # also a class that nothing turns into
        np.fill_diagonal(rates, 0.0)
        found = transitions(rates, elapsed_s)
        expected = expm((rates - np.diag(rates.sum(1))) * elapsed_s)
        np.testing.assert_allclose(found, expected, atol=1e-10)
        assert (found >= 0).all()


def test_classes_that_never_change_stay() -> None:
    np.testing.assert_array_equal(transitions(np.zeros((3, 3)), 5.0), np.eye(3))


def test_order_tells_what_an_answer_alone_does_not() -> None:
    """After reach comes grasp and never idle: of both alike, it is grasp."""
    answers = [(0, [0.0, 1.0, 0.0]), (1.0, [0.45, 0.1, 0.45])]
    assert run(HMM, answers, order=Order(RATES, 0.5))[-1].label == "grasp"
    assert run(HMM, answers)[-1].label == "idle"
    assert run(SmoothingSettings(), answers, order=Order(RATES, 0.5))[-1].label == "idle"


def test_hmm_does_not_count_what_overlaps_twice() -> None:
    """Ten times the rate gives the same belief, but for the transitions between the answers."""
    order = Order((np.ones((3, 3)) - np.eye(3)) / 2000, 1.0)
    step = [(0, [1 / 3, 1 / 3, 1 / 3])]
    slow, fast = (
        run(
            HMM,
            step + [(t, [0.2, 0.6, 0.2]) for t in np.arange(1, 2 * n + 1) / n],
            order=order,
        )[-1]
        for n in (1, 10)
    )
    np.testing.assert_allclose(slow.probabilities, fast.probabilities, atol=2e-3)
    assert slow.probabilities[1] == pytest.approx(0.36 / (0.36 + 2 * 0.04), abs=5e-3)


def test_hmm_recovers_from_certainty() -> None:
    """Even where the order says that what is seen cannot be."""
    order = Order(RATES, 0.1)
    heads = run(HMM, [(0, [1, 0, 0]), (0.5, [0, 1, 0]), (0.6, [0, 1, 0])], order=order)
    assert heads[-1].label == "reach"
    never = Order(np.zeros((3, 3)), 0.1)
    heads = run(HMM, [(0, [1, 0, 0]), (0.5, [0, 1, 0])], order=never)
    assert np.isfinite(heads[-1].probabilities).all()


@pytest.mark.parametrize("method", ["none", "exponential", "hmm"])
@pytest.mark.parametrize("back_or_gap_s", [-0.5, 5.0])
def test_a_gap_and_a_clock_set_back_begin_anew(method: str, back_or_gap_s: float) -> None:
    settings = SmoothingSettings(method=method, hold_s=3.0, reset_after_s=2.0)
    answers = [(0, [0.9, 0.1, 0]), (1, [0.9, 0.1, 0]), (1 + back_or_gap_s, [0, 0, 1])]
    heads = run(settings, answers, order=Order(RATES, 1.0))
    assert heads[1].label == "idle"
    last = heads[-1]
    assert last.probabilities.tolist() == [0, 0, 1]
    assert (last.label, last.over_time.previous) == ("grasp", "")
    assert last.over_time.since_ns == stamp_ns(1 + back_or_gap_s)


def test_a_repeated_stamp_adds_nothing() -> None:
    for method in ("exponential", "hmm"):
        first, second = run(
            SmoothingSettings(method=method),
            [(0, [0.6, 0.4, 0]), (0, [0, 1, 0])],
            order=Order(RATES, 1.0),
        )
        np.testing.assert_allclose(second.probabilities, first.probabilities, atol=1e-7)


@pytest.mark.parametrize("method", ["none", "exponential", "hmm"])
def test_an_answer_that_is_no_number_is_forgotten(method: str) -> None:
    heads = run(
        SmoothingSettings(method=method),
        [(0, [0.6, 0.4, 0]), (0.1, [np.nan] * 3), (0.2, [0, 1, 0])],
        order=Order(RATES, 1.0),
    )
    assert heads[-1].probabilities.tolist() == [0, 1, 0]


def test_a_margin_keeps_a_label_that_is_hardly_beaten() -> None:
    heads = run(
        SmoothingSettings(margin=0.2),
        [(0, [0.5, 0.4, 0.1]), (0.1, [0.4, 0.5, 0.1]), (0.2, [0.3, 0.6, 0.1])],
    )
    assert [h.label for h in heads] == ["idle", "idle", "reach"]
    assert heads[1].confidence == pytest.approx(0.4)
    assert [h.over_time.since_ns for h in heads] == [stamp_ns(t) for t in (0, 0, 0.2)]
    assert [h.over_time.previous for h in heads] == ["", "", "idle"]


def test_a_label_must_lead_without_a_break_and_is_dated_back_to_its_begin() -> None:
    reach, idle = [0.2, 0.8, 0], [0.8, 0.2, 0]
    times = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    values = [idle, reach, idle, reach, reach, reach, reach]
    heads = run(SmoothingSettings(hold_s=0.2), list(zip(times, values, strict=True)))
    assert [h.label for h in heads] == ["idle"] * 5 + ["reach"] * 2
    assert heads[5].over_time.since_ns == stamp_ns(0.3)
    assert heads[6].over_time.since_ns == stamp_ns(0.3)


def test_a_third_class_has_to_hold_for_itself() -> None:
    values = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]
    heads = run(SmoothingSettings(hold_s=0.1), [(0.1 * k, v) for k, v in enumerate(values)])
    assert [h.label for h in heads] == ["idle", "idle", "idle", "grasp"]


def test_two_classes_keep_the_bundles_threshold() -> None:
    answers = [(0, [0.9, 0.1]), (0.1, [0.6, 0.4]), (0.2, [0.7, 0.3]), (0.3, [0.8, 0.2])]
    heads = run(SmoothingSettings(), answers, threshold=0.3)
    assert [h.class_id for h in heads] == [0, 1, 1, 0]
    heads = run(SmoothingSettings(margin=0.15), answers, threshold=0.3)
    assert [h.class_id for h in heads] == [0, 1, 1, 0]
    heads = run(SmoothingSettings(margin=0.3), answers, threshold=0.3)
    assert [h.class_id for h in heads] == [0, 0, 0, 0]


def test_entropy_and_abstention_are_of_what_is_answered() -> None:
    settings = SmoothingSettings(method="exponential", time_constant_s=1.0)
    flat, sure = [0.4, 0.3, 0.3], [1.0, 0.0, 0.0]
    first, last = run(settings, [(0, flat), (2.0, sure)], abstain_below=0.5)
    assert first.abstained
    assert not last.abstained
    p = last.probabilities.astype(float)
    assert last.entropy == pytest.approx(-(p * np.log(p)).sum(), abs=1e-6)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"method": "kalman"}, "smoothing.method: got 'kalman'; expected one of none, expon"),
        ({"margin": 1.5}, "smoothing.margin: got 1.5; expected a value from 0.0 to 1.0"),
        ({"reset_after_s": 0.0}, "smoothing.reset_after_s: got 0.0; expected a value from 0.01"),
    ],
)
def test_bad_settings_are_named(values, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        SmoothingSettings(**values)
