"""Which stamps of a track are used, and what counts as a gap."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.data.inertial.stamps import gaps, increasing, pieces


@pytest.mark.parametrize(
    ("stamps", "kept"),
    [
        ([1, 2, 9, 3, 4], [0, 1, 3, 4]),  # one far ahead costs itself alone
        ([1, 2, 3, 0, 4], [0, 1, 2, 4]),
        ([5, 6, 7, 8, 1, 2, 3], [0, 1, 2, 3]),  # a clock that was set back: the longer part
        ([5, 6, 1, 2, 3, 4], [2, 3, 4, 5]),
        ([1, 3, 2, 2, 4], [0, 2, 4]),
        ([7, 7, 7], [0]),
        ([7], [0]),
    ],
)
def test_the_most_samples_whose_stamps_increase(stamps, kept) -> None:
    found = increasing(np.array(stamps))
    assert len(found) == len(kept)
    assert (np.diff(np.array(stamps)[found]) > 0).all()
    if stamps != [1, 3, 2, 2, 4]:  # where there is more than one answer
        assert found.tolist() == kept


def test_gaps_are_what_is_longer_than_the_limit() -> None:
    """0.25 s are missing from 5.00 s on, 0.15 s from 10.00 s on."""
    times_ns = np.arange(2000) * 10_000_000
    seconds = times_ns / 1e9
    kept = ~((seconds > 5.0) & (seconds < 5.25)) & ~((seconds > 10.0) & (seconds < 10.15))
    found = gaps(times_ns[kept], 0.2)
    assert found.tolist() == [[5_000_000_000, 5_250_000_000]]
    assert [len(piece) for piece in pieces(times_ns[kept], 0.2)] == [501, 2000 - 525 - 14]
    assert gaps(times_ns, 0.2).shape == (0, 2)
