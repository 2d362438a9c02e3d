from __future__ import annotations

import numpy as np
import pytest
import torch

from xmodal_ros.nn.losses.geometry_image import cells_seen, splat
from xmodal_ros.nn.losses.masked_image import draw_patches, hide, reconstruction
from xmodal_ros.nn.losses.point_pixel import Pairs


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_half_of_the_patches_of_half_of_the_images_are_hidden():
    hidden = draw_patches(400, (64, 96), generator=generator())
    assert hidden.shape == (400, 64, 96)
    assert hidden.dtype == torch.bool
    patches = hidden.view(400, 4, 16, 6, 16).transpose(2, 3).flatten(3)
    assert (patches.all(3) == patches.any(3)).all()  # whole patches
    counts = patches.all(3).flatten(1).sum(1)
    assert set(counts.tolist()) == {0, 12}
    assert 0.4 < (counts > 0).float().mean() < 0.6
    shares = patches.all(3).float().mean(0)
    assert 0.15 < shares.min() < shares.max() < 0.35  # every patch, about a quarter of the time


def test_patches_at_the_edge_are_cut():
    hidden = draw_patches(2, (40, 50), probability=1.0, share=1.0, generator=generator())
    assert hidden.shape == (2, 40, 50)
    assert hidden.all()


def test_hidden_is_black_and_the_rest_as_it_was():
    images = torch.randint(1, 256, (3, 32, 48, 3), dtype=torch.uint8, generator=generator())
    hidden = draw_patches(3, (32, 48), probability=1.0, generator=generator())
    found = hide(images, hidden)
    assert found.dtype == torch.uint8
    assert (found[hidden] == 0).all()
    assert torch.equal(found[~hidden], images[~hidden])
    assert (images > 0).all()


@pytest.mark.parametrize("seen_weight", [1.0, 0.1, 0.0])
def test_reconstruction_is_a_weighted_mean_of_squared_errors(seen_weight):
    images = torch.randint(0, 256, (2, 8, 6, 3), dtype=torch.uint8, generator=generator())
    decoded = torch.rand(2, 3, 8, 6, generator=generator())
    hidden = torch.rand(2, 8, 6, generator=generator()) < 0.4
    errors = (decoded.numpy().transpose(0, 2, 3, 1) - images.numpy() / 255) ** 2
    weights = np.where(hidden.numpy(), 1, seen_weight)[..., None].repeat(3, axis=3)
    expected = np.average(errors, weights=weights)
    found = reconstruction(decoded, images, hidden, seen_weight)
    assert float(found) == pytest.approx(expected, rel=1e-5)
    nothing = reconstruction(decoded, images, torch.zeros_like(hidden), 0.0)
    assert float(nothing) == 0


def test_cells_are_seen_where_their_middle_is():
    hidden = draw_patches(3, (64, 96), probability=1.0, generator=generator())
    seen = cells_seen(hidden, 8)
    assert seen.shape == (3, 1, 8, 12)
    cells = hidden.view(3, 8, 8, 12, 8).transpose(2, 3).flatten(3)  # patches hold whole cells
    assert torch.equal(seen[:, 0] == 1, ~cells.any(3))


def test_points_are_averaged_in_the_cell_that_shows_them():
    uv = torch.rand(60, 2, generator=generator()) * torch.tensor([64.0, 48.0]) - 0.5
    example = torch.randint(2, (60,), generator=generator())
    values = torch.randn(60, 5, generator=generator())
    found = splat(values, Pairs(example, torch.arange(60), uv), torch.zeros(2, 9, 6, 8), (48, 64))
    expected = np.zeros((2, 5, 6, 8), np.float32)
    for b in range(2):
        for row in range(6):
            for column in range(8):
                low = torch.tensor([8 * column, 8 * row]) - 0.5
                here = (example == b) & (uv >= low).all(1) & (uv < low + 8).all(1)
                if here.any():
                    expected[b, :, row, column] = values[here].mean(0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert (expected == 0).any()


def test_the_image_teaches_the_points_through_the_splat():
    values = torch.ones(3, 4, requires_grad=True)
    uv = torch.tensor([[1.0, 1.0], [2.0, 2.0], [30.0, 40.0]])
    found = splat(
        values,
        Pairs(torch.zeros(3).long(), torch.arange(3), uv),
        torch.zeros(1, 1, 6, 8),
        (48, 64),
    )
    found[0, :, 0, 0].sum().backward()
    torch.testing.assert_close(values.grad[:, 0], torch.tensor([0.5, 0.5, 0.0]))


def test_no_points_leave_an_empty_map():
    nothing = Pairs(torch.zeros(0).long(), torch.zeros(0).long(), torch.zeros(0, 2))
    found = splat(torch.zeros(0, 4), nothing, torch.zeros(2, 1, 6, 8), (48, 64))
    assert found.shape == (2, 4, 6, 8)
    assert not found.any()
