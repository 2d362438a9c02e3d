"""How activities follow one another: changes over seconds, from labels."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from xmodal_ros.data.inertial.track import ACCELERATION, Track, channels
from xmodal_ros.data.labels import Interval
from xmodal_ros.train.align.order import counted_rates

CLASSES = ("idle", "reach", "grasp")


def track(session: str, spans, device: str = "watch") -> Track:
    """Labelled as (begin in s, end in s, label)."""
    labels = [Interval(round(b * 1e9), round(e * 1e9), name) for b, e, name in spans]
    values, times_ns = np.zeros((2, 3)), np.array([0, 10**9])
    kinds = channels(ACCELERATION)
    return Track(
        session, "anna", device, "train", times_ns, values, kinds, tuple(labels), 1.0, "x"
    )


def test_changes_are_counted_by_the_seconds_of_what_was_left() -> None:
    first = [(0, 4, "idle"), (4, 5, "reach"), (5, 7, "grasp"), (7, 8, "reach"), (8, 9, "grasp")]
    tracks = [
        track("a", first),
        track("a", first, device="phone"),  # of the same session: not twice
        track("b", [(0, 1, "grasp"), (2, 3, "idle"), (3, 4, "dance"), (4, 5, "reach")]),
    ]
    # Once and 1 s beforehand; after a break, and after an unknown activity, nothing is counted.
    changes = np.array([[0, 1 + 1, 1], [1, 0, 1 + 2], [1, 1 + 1, 0]])
    seconds = 1 + np.array([4 + 1, 2 + 1, 3 + 1])
    np.testing.assert_allclose(counted_rates(tracks, CLASSES), changes / seconds[:, None])


def test_rates_of_a_chain_are_found_again() -> None:
    rates = np.array([[0, 0.5, 0.1], [0.2, 0, 0.8], [1.0, 0.4, 0]])
    rng, now, state, spans = np.random.default_rng(0), 0.0, 0, []
    for _ in range(6000):
        stay = rng.exponential(1 / rates[state].sum())
        spans.append((now, now + stay, CLASSES[state]))
        now, state = now + stay, rng.choice(3, p=rates[state] / rates[state].sum())
    found = counted_rates([track("a", spans)], CLASSES)
    np.testing.assert_allclose(found, rates, rtol=0.15)
