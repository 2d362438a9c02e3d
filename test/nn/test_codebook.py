from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from xmodal_ros.nn.codebook import Codebook, perplexity


def unit(*shape, seed=0):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_takes_the_nearest_code():
    torch.manual_seed(0)
    book, features = Codebook(20, 8), unit(5, 6, 8)
    found = book(features)
    codes = book.codes.numpy()
    distance = np.linalg.norm(features.numpy()[..., None, :] - codes, axis=-1)
    np.testing.assert_array_equal(found.code, distance.argmin(-1))
    np.testing.assert_allclose(found.values, codes[distance.argmin(-1)], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), 1, rtol=1e-5)


def test_gradients_go_straight_through():
    features = unit(7, 8).requires_grad_()
    weights = torch.arange(56.0).view(7, 8)
    (Codebook(20, 8)(features).values * weights).sum().backward()
    torch.testing.assert_close(features.grad, weights)


@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_posterior_is_the_softmax_of_minus_the_distance(temperature):
    torch.manual_seed(0)
    book, features = Codebook(20, 8), unit(5, 8)
    distance = np.linalg.norm(features.numpy()[:, None] - book.codes.numpy(), axis=-1)
    scores = np.exp(-distance / temperature)
    found = book.log_posterior(features, temperature).exp()
    np.testing.assert_allclose(found, scores / scores.sum(1, keepdims=True), rtol=1e-4)


def test_posterior_has_a_finite_gradient_at_a_code():
    book = Codebook(20, 8)
    features = book.codes[:3].clone().requires_grad_()
    book.log_posterior(features)[:, 0].sum().backward()
    assert torch.isfinite(features.grad).all()


def test_codes_follow_half_their_features_and_half_the_partners():
    torch.manual_seed(0)
    book, first, second = Codebook(6, 4, decay=0.9), unit(40, 4, seed=1), unit(40, 4, seed=2)
    codes = book.codes.numpy().copy()
    sums = 0.9 * codes
    for features in (first, second):
        nearest = (features.numpy() @ codes.T).argmax(1)
        for k, a, b in zip(nearest, first.numpy(), second.numpy(), strict=True):
            sums[k] += 0.1 * (0.5 * a + 0.5 * b)
    book.update(first, second)
    expected = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    np.testing.assert_allclose(book.codes, expected, rtol=1e-4, atol=1e-6)


def test_a_code_that_nothing_uses_becomes_a_feature_and_the_others_stay():
    book = Codebook(3, 2, decay=1.0, patience=4)
    book.codes.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    book.sums.copy_(book.codes)
    features = F.normalize(torch.tensor([[1.0, 0.1], [0.1, 1.0]]), dim=1)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        book.update(features, features, generator)
    torch.testing.assert_close(book.codes[2], torch.tensor([0.0, -1.0]))
    book.update(features, features, generator)
    assert (book.codes[2] - features).norm(dim=1).min() < 1e-6
    torch.testing.assert_close(book.codes[:2], torch.eye(2))
    assert book.unused.tolist() == [0, 0, 0]


def test_revival_brings_all_codes_into_use():
    """Features in a narrow cone, where few random codes are."""
    torch.manual_seed(0)
    book = Codebook(32, 16, patience=3)
    features = F.normalize(unit(512, 16) + 3 * unit(1, 16, seed=5), dim=1)
    before = perplexity(book(features).code, 32)
    for _ in range(8):
        book.update(features, features, torch.Generator().manual_seed(0))
    assert perplexity(book(features).code, 32) > 4 * before


def test_nothing_to_learn_from_changes_nothing():
    book = Codebook(5, 4)
    before = {name: value.clone() for name, value in book.state_dict().items()}
    book.update(torch.zeros(0, 4), torch.zeros(0, 4))
    assert book(torch.zeros(0, 4)).values.shape == (0, 4)
    for name, value in book.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(("index", "expected"), [([3, 3, 3], 1), ([0, 1, 2, 3], 4), ([0, 1], 2)])
def test_perplexity_counts_codes(index, expected):
    assert float(perplexity(torch.tensor(index), 400)) == pytest.approx(expected)
