"""How activities follow one another, counted from labels: what a filter over time goes by."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from xmodal_ros.data.inertial import Track
from xmodal_ros.data.inertial.track import by_session

SEEN_BEFORE = 1.0
"""Changes of each kind, and seconds of each activity, that are counted beforehand, so that nothing
is impossible."""


def counted_rates(tracks: Sequence[Track], classes: Sequence[str]) -> np.ndarray:
    """The mean rates of a Markov chain in continuous time, of which all states are known.

    Changes from one activity to another by the seconds that the first one lasted in all. Only what
    follows without a break counts as a change.

    Args:
        tracks: Of the training part; of tracks of one session the first counts.
        classes: Names, in the order of the rows.

    Returns:
        `core.types.Order.rates` `(C, C)`, per second.
    """
    place = {name: k for k, name in enumerate(classes)}
    changes = np.full((len(classes), len(classes)), SEEN_BEFORE)
    seconds = np.full(len(classes), SEEN_BEFORE)
    for together in by_session(tracks):
        known = [interval for interval in together[0].labels if interval.label in place]
        for begin_ns, end_ns, label in known:
            seconds[place[label]] += (end_ns - begin_ns) * 1e-9
        for first, second in pairwise(known):
            if second.start_ns <= first.end_ns:
                changes[place[first.label], place[second.label]] += 1
    np.fill_diagonal(changes, 0)
    made: np.ndarray = changes / seconds[:, None]
    return made
