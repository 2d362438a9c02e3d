"""Spoiled images: what they are said to be, of the same shape, by seed."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def corruptions(monkeypatch, repository):
    monkeypatch.syspath_prepend(str(repository / "tools"))
    import corruptions

    return corruptions


@pytest.fixture
def clip() -> np.ndarray:
    return np.random.default_rng(0).integers(60, 200, (2, 48, 64, 3), dtype=np.uint8)


def test_every_one_changes_a_clip_and_nothing_else(corruptions, clip) -> None:
    before = clip.copy()
    for name, spoil in corruptions.GELS.items():
        first, again = (spoil(clip, np.random.default_rng(3)) for _ in range(2))
        assert (first.shape, first.dtype) == (clip.shape, clip.dtype), name
        assert not np.array_equal(first, clip), name
        np.testing.assert_array_equal(first, again)
        np.testing.assert_array_equal(clip, before)


def test_covers_are_dark_and_flat(corruptions, clip) -> None:
    for spoil in (corruptions.black, corruptions.dark_cover, corruptions.blurred_cover):
        made = spoil(clip, np.random.default_rng(0))
        assert made.mean() < 0.7 * clip.mean()
        assert made.std() < clip.std() / 2
    assert corruptions.one_colour(clip, np.random.default_rng(0)).std((0, 1, 2)).max() == 0
    assert corruptions.bright(clip, np.random.default_rng(0)).mean() > 240
