"""InfoNCE and the four terms of MViTac against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xmodal_ros.nn.losses.infonce import info_nce
from xmodal_ros.nn.losses.mvitac import Projected, mvitac
from xmodal_ros.nn.losses.pairs import Weights

TEMPERATURE = 0.07


def manual_info_nce(queries: np.ndarray, keys: np.ndarray) -> float:
    """Query by query."""
    losses = []
    for i, query in enumerate(queries):
        scores = [
            query @ key / np.linalg.norm(query) / np.linalg.norm(key) / TEMPERATURE for key in keys
        ]
        losses.append(-scores[i] + np.log(np.exp(scores).sum()))
    return float(np.mean(losses))


@pytest.fixture
def arrays() -> np.ndarray:
    """Queries and keys, modality, space, pair, dimension."""
    return np.random.default_rng(0).normal(size=(2, 2, 2, 6, 4))


def given(arrays: np.ndarray, *, learns: bool = False) -> list[dict[str, Projected]]:
    return [
        {
            name: Projected(*(torch.tensor(x, requires_grad=learns) for x in spaces))
            for name, spaces in zip(("camera", "tactile"), modalities, strict=True)
        }
        for modalities in arrays
    ]


def test_info_nce_agrees_with_its_formula(arrays):
    queries, keys = arrays[0, 0, 0], arrays[1, 0, 0]
    found = info_nce(torch.from_numpy(queries), torch.from_numpy(keys), TEMPERATURE)
    assert float(found) == pytest.approx(manual_info_nce(queries, keys))


def test_candidates_are_keys_only():
    same = torch.ones(4, 3)
    assert float(info_nce(same, same)) == pytest.approx(np.log(4))  # NT-Xent would have 7


def test_is_the_sum_of_four_terms(arrays):
    loss = mvitac(*given(arrays), Weights(1.0, 1.0, 1.0), TEMPERATURE)
    (v, t), (key_v, key_t) = arrays
    within_v, within_t = manual_info_nce(v[0], key_v[0]), manual_info_nce(t[0], key_t[0])
    across = manual_info_nce(v[1], key_t[1]) + manual_info_nce(t[1], key_v[1])
    assert {k: float(x) for k, x in loss.terms.items()} == pytest.approx(
        {"camera": within_v, "tactile": within_t, "cross": across}
    )
    assert float(loss.total) == pytest.approx(within_v + within_t + across)


def test_weights_and_what_they_switch_off(arrays):
    queries, keys = given(arrays, learns=True)
    loss = mvitac(queries, keys, Weights(0.0, 2.0, 0.0), TEMPERATURE)
    assert list(loss.terms) == ["tactile"]
    torch.testing.assert_close(loss.total, 2 * loss.terms["tactile"])
    loss.total.backward()
    assert queries["tactile"].within.grad.abs().sum() > 0
    assert all(x.grad is None for x in (*queries["camera"], queries["tactile"].across))
