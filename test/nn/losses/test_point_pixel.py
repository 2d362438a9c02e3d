from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from xmodal_ros.nn.losses.point_pixel import Pairs, draw_pairs, point_pixel, sample_pixels


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def scene(batch=2, points=300, size=(48, 64)):
    """Places in the image of points, of which about half are inside it."""
    uv = torch.rand(batch, points, 2, generator=generator()) * torch.tensor(size[::-1]) - 0.5
    inside = torch.rand(batch, points, generator=generator(1)) < 0.5
    return torch.where(inside[:, :, None], uv, float("nan")), inside


def test_agrees_with_the_formula_pair_by_pair():
    points, pixels = np.random.default_rng(0).normal(size=(2, 7, 5))
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (points, pixels)]
    scores = unit[0] @ unit[1].T / 0.07
    expected = np.mean([np.log(np.exp(scores[i]).sum()) - scores[i, i] for i in range(7)])
    found = point_pixel(torch.from_numpy(points), torch.from_numpy(pixels))
    assert float(found) == pytest.approx(expected)


def test_pairs_are_points_inside_drawn_once():
    uv, inside = scene()
    pairs = draw_pairs(uv, inside, 100, generator=generator())
    chosen = set(zip(pairs.example.tolist(), pairs.point.tolist(), strict=True))
    assert len(chosen) == 100
    assert inside[pairs.example, pairs.point].all()
    torch.testing.assert_close(pairs.uv, uv[pairs.example, pairs.point])
    everything = draw_pairs(uv, inside, 10_000, generator=generator())
    assert len(everything.point) == int(inside.sum())


def test_hidden_pixels_give_no_pairs_and_all_others_do():
    """`1 - mask` as an index would leave two points of the whole batch."""
    uv, inside = scene()
    hidden = torch.zeros(2, 48, 64, dtype=torch.bool)
    hidden[0, :, :32], hidden[1, 10:20] = True, True
    pairs = draw_pairs(uv, inside, 10_000, hidden, generator())
    found = set(zip(pairs.example.tolist(), pairs.point.tolist(), strict=True))
    expected = set()
    for b, n in inside.nonzero().tolist():
        column, row = np.floor(uv[b, n].numpy() + 0.5).astype(int)
        if not hidden[b, row, column]:
            expected.add((b, n))
    assert found == expected
    assert 50 < len(found) < int(inside.sum())


@pytest.mark.parametrize("grid", [(48, 64), (12, 16), (7, 9)])
def test_pixels_are_interpolated_as_torch_does(grid):
    uv, inside = scene()
    maps = torch.randn(2, 5, *grid, generator=generator())
    pairs = draw_pairs(uv, inside, 80, generator=generator())
    found = sample_pixels(maps, pairs, (48, 64))
    for b in range(2):
        mine = pairs.example == b
        place = 2 * (pairs.uv[mine] + 0.5) / torch.tensor([64, 48]) - 1
        expected = F.grid_sample(
            maps[b : b + 1], place[None, None], padding_mode="border", align_corners=False
        )
        torch.testing.assert_close(found[mine], expected[0, :, 0].T)


def test_an_image_of_coordinates_gives_the_coordinates_back():
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(64.0), indexing="ij")
    uv = torch.tensor([[3.25, 40.5], [0.0, 0.0], [63.0, 47.0], [-0.5, 47.4]])
    pairs = Pairs(torch.zeros(4, dtype=torch.int64), torch.arange(4), uv)
    found = sample_pixels(torch.stack([columns, rows])[None], pairs, (48, 64))
    torch.testing.assert_close(found, uv.maximum(torch.zeros(())).minimum(torch.tensor([63, 47])))


def test_a_camera_that_sees_no_point_gives_zero():
    uv, inside = scene()
    pairs = draw_pairs(uv, torch.zeros_like(inside), generator=generator())
    points = torch.zeros(2, 300, 5, requires_grad=True)
    pixels = sample_pixels(torch.zeros(2, 5, 6, 8), pairs, (48, 64))
    loss = point_pixel(points[pairs.example, pairs.point], pixels)
    loss.backward()
    assert loss.item() == 0
    assert not points.grad.any()
