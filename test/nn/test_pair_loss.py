"""NT-Xent between and within modalities against NT-Xent term by term."""

from __future__ import annotations

import pytest
import torch

from xmodal_ros.nn.losses.ntxent import ntxent
from xmodal_ros.nn.losses.pairs import Weights, pair_ntxent


@pytest.fixture
def views():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 2, 6, 4, generator=generator)  # modality, view, pair, dim


def test_is_the_weighted_sum_of_its_terms(views):
    camera, tactile = views
    loss = pair_ntxent(camera, tactile, Weights(2.0, 3.0, 5.0), 0.2)
    cross = (ntxent(camera[0], tactile[0], 0.2) + ntxent(camera[1], tactile[1], 0.2)) / 2
    expected = {
        "camera": ntxent(camera[0], camera[1], 0.2),
        "tactile": ntxent(tactile[0], tactile[1], 0.2),
        "cross": cross,
    }
    torch.testing.assert_close(loss.terms, expected)
    total = 2 * expected["camera"] + 3 * expected["tactile"] + 5 * cross
    torch.testing.assert_close(loss.total, total)


def test_across_modalities_alone_needs_one_view(views):
    weights = Weights(0.0, 0.0, 1.0)
    assert weights.views == 1
    camera, tactile = views[:, :1]
    loss = pair_ntxent(camera, tactile, weights)
    assert list(loss.terms) == ["cross"]
    torch.testing.assert_close(loss.total, ntxent(camera[0], tactile[0]))


def test_a_term_within_a_modality_needs_two_views():
    assert Weights(1.0, 0.0, 1.0).views == 2
    assert Weights(0.0, 1.0, 0.0).views == 2


def test_a_term_of_weight_0_has_no_gradient(views):
    camera, tactile = views.requires_grad_()
    pair_ntxent(camera, tactile, Weights(1.0, 0.0, 0.0)).total.backward()
    assert views.grad[0].abs().sum() > 0
    assert views.grad[1].abs().sum() == 0
