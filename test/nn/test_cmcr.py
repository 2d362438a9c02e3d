"""All of CMCR's objectives together, and what each part learns from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xmodal_ros.core.range_image import to_range_image
from xmodal_ros.nn.cmcr import ImageDecoder, ImageHeads, RayDecoder
from xmodal_ros.nn.codebook import Codebook
from xmodal_ros.nn.lidar_settings import LidarSettings
from xmodal_ros.nn.losses.code_alignment import code_alignment
from xmodal_ros.nn.losses.commitment import commitment
from xmodal_ros.nn.losses.geometry_image import splat
from xmodal_ros.nn.losses.masked_image import draw_patches, hide, reconstruction
from xmodal_ros.nn.losses.point_pixel import draw_pairs, point_pixel, sample_pixels
from xmodal_ros.nn.losses.rays import draw_queries, neighbours, ray_loss
from xmodal_ros.nn.losses.separation import separation
from xmodal_ros.nn.range_view import RangeViewEncoder, gather_points


def test_heads_give_shared_features_of_unit_length():
    shared, specific = ImageHeads(24, 8)(torch.randn(2, 24, 3, 4))
    assert shared.shape == specific.shape == (2, 8, 3, 4)
    torch.testing.assert_close(shared.norm(dim=1), torch.ones(2, 3, 4))
    assert not torch.allclose(specific.norm(dim=1), torch.ones(2, 3, 4))


def test_decoder_gives_an_image_of_the_maps_cells():
    assert ImageDecoder(8, patch=16)(torch.zeros(2, 8, 3, 4)).shape == (2, 3, 48, 64)


def test_a_decoder_whose_hidden_units_all_fell_silent_still_tells_cells_apart():
    """As they did at high learning rates, one after the other, and never came back."""
    torch.manual_seed(0)
    decoder = ImageDecoder(8, patch=8)
    first = next(part for part in decoder.modules() if isinstance(part, torch.nn.Conv2d))
    with torch.no_grad():
        first.bias.fill_(-50.0)
    same_place_of_each_cell = decoder(torch.randn(1, 8, 3, 4))[:, :, ::8, ::8]
    assert same_place_of_each_cell.std(dim=(2, 3)).min() > 0.05


def test_points_learn_from_what_the_image_hides():
    torch.manual_seed(0)
    book, decoder = Codebook(16, 8), ImageDecoder(8, patch=8)
    points = torch.randn(1, 20, 8).requires_grad_()
    uv, inside = torch.rand(1, 20, 2) * 30, torch.ones(1, 20, dtype=torch.bool)
    pairs = draw_pairs(uv, inside)
    maps = torch.zeros(1, 8, 4, 4)
    codes = book(torch.nn.functional.normalize(points, dim=2)[pairs.example, pairs.point]).values
    decoded = decoder(maps, splat(codes, pairs, maps, (32, 32)))
    images = torch.full((1, 32, 32, 3), 200, dtype=torch.uint8)
    reconstruction(decoded, images, torch.ones(1, 32, 32, dtype=torch.bool)).backward()
    assert (points.grad.abs().sum(2) > 0).all()


def test_features_of_points_learn_where_their_surface_is():
    torch.manual_seed(0)
    points = 2 * torch.randn(60, 4)
    points[:, 3] = torch.rand(60)
    features = torch.zeros(60, 8).requires_grad_()
    decoder, codes = RayDecoder(8, hidden=32), torch.zeros(60, 8)
    optimizer = torch.optim.Adam([features, *decoder.parameters()], 0.03)
    queries = draw_queries(points, 300, depth_m=0.3)
    near = neighbours(queries, points)

    def loss(found):
        decoded = decoder(found[near.point], codes[near.point], near.offset)
        return ray_loss(decoded, queries, near)

    for _ in range(120):
        optimizer.zero_grad()
        sum(loss(features)).backward()
        optimizer.step()
    own, others = loss(features), loss(features.roll(1, 0))
    assert own.occupancy < 0.8 * others.occupancy
    assert own.intensity < 0.8 * others.intensity


class Recipe:
    """One step on pairs of an image of 48x64 and a scan."""

    def __init__(self):
        torch.manual_seed(0)
        settings = LidarSettings(
            backbone="test_efficientnet", level=2, height=16, width=64, channels=16, dim=8
        )
        self.encoder, self.heads = RangeViewEncoder(settings), ImageHeads(3, 8)
        self.decoder, self.rays = ImageDecoder(8, patch=8), RayDecoder(8)
        self.book = Codebook(12, 8)

    def losses(self, images, scans, uv, inside):
        """Shapes: (B, 48, 64, 3), (B, N, 4), (B, N, 2), (B, N)."""
        size, view = images.shape[1:3], self.encoder.settings.view
        projected = [to_range_image(scan.numpy(), view) for scan in scans]
        maps = self.encoder.features(torch.from_numpy(np.stack([p.image for p in projected])))
        pixels = torch.from_numpy(np.stack([p.pixels for p in projected])).long()
        shared, specific = self.encoder.heads(gather_points(maps, pixels))
        hidden = draw_patches(len(images), size)
        seen = hide(images, hidden).permute(0, 3, 1, 2) / 255
        seen, own = self.heads(torch.nn.functional.avg_pool2d(seen, 8))  # for a frozen backbone
        pairs = draw_pairs(uv, inside, 64, hidden)
        point = shared[pairs.example, pairs.point]
        pixel = torch.nn.functional.normalize(sample_pixels(seen, pairs, size), dim=1)
        point_codes, pixel_codes = self.book(point).values, self.book(pixel).values
        image_codes = self.book(seen.permute(0, 2, 3, 1)).values.permute(0, 3, 1, 2)
        every = draw_pairs(uv, inside)
        geometry = splat(self.book(shared[every.example, every.point]).values, every, own, size)
        queries = draw_queries(scans[0], 90)
        near = neighbours(queries, scans[0])
        codes = self.book(shared[0, near.point]).values
        rays = self.rays(specific[0, near.point], codes, near.offset)
        self.book.update(point, pixel)
        posteriors = [self.book.log_posterior(x) for x in (point, pixel)]
        unit = torch.nn.functional.normalize(specific, dim=2)
        return {
            "contrast": point_pixel(point, pixel),
            "image": reconstruction(self.decoder(own, image_codes), images, hidden),
            "geometry": reconstruction(self.decoder(own, image_codes, geometry), images, hidden),
            "rays": sum(ray_loss(rays, queries, near)),
            "commitment": commitment(point, point_codes, pixel_codes)
            + commitment(pixel, pixel_codes, point_codes),
            "codes": code_alignment(*posteriors),
            "separation": 0.1 * separation(shared.flatten(0, 1), unit.flatten(0, 1)),
        }


def pair(points=400):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 48, 64, 3), dtype=torch.uint8, generator=generator)
    scans = 2 * torch.randn(2, points, 4, generator=generator)
    uv = torch.rand(2, points, 2, generator=generator) * torch.tensor([64.0, 48.0]) - 0.5
    return images, scans, uv, torch.rand(2, points, generator=generator) < 0.7


LEARNS = {
    "contrast": {"points shared", "image shared"},
    "image": {"image shared", "image specific"},
    "geometry": {"points shared", "image shared", "image specific"},
    "rays": {"points shared", "points specific"},
    "commitment": {"points shared", "image shared"},
    "codes": {"points shared", "image shared"},
    "separation": {"points shared", "points specific"},
}


@pytest.mark.parametrize("name", LEARNS)
def test_each_objective_teaches_what_it_is_about(name):
    recipe = Recipe()
    recipe.losses(*pair())[name].backward()
    weights = {
        "points shared": recipe.encoder.shared.weight,
        "points specific": recipe.encoder.specific.weight,
        "image shared": recipe.heads.shared.weight,
        "image specific": recipe.heads.specific.weight,
    }
    taught = {k for k, w in weights.items() if w.grad is not None and w.grad.abs().sum() > 0}
    assert taught == LEARNS[name]


def test_one_optimizer_lowers_all_of_them_together():
    recipe, data = Recipe(), pair()
    modules = torch.nn.ModuleList([recipe.encoder, recipe.heads, recipe.decoder, recipe.rays])
    optimizer = torch.optim.AdamW(modules.parameters(), 5e-3)
    totals = []
    for _ in range(60):
        total = sum(recipe.losses(*data).values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert np.mean(totals[-5:]) < 0.9 * np.mean(totals[:5])


@pytest.mark.parametrize("case", ["no points", "none in the image", "all NaN"])
def test_a_useless_pair_gives_finite_losses_and_gradients(case):
    recipe, (images, scans, uv, inside) = Recipe(), pair()
    if case == "no points":
        scans, uv, inside = scans[:, :0], uv[:, :0], inside[:, :0]
    elif case == "none in the image":
        inside = torch.zeros_like(inside)
    else:
        scans, inside = torch.full_like(scans, float("nan")), torch.zeros_like(inside)
    losses = recipe.losses(images, scans, uv, inside)
    assert losses["contrast"].item() == 0
    sum(losses.values()).backward()
    for module in (recipe.encoder, recipe.heads, recipe.decoder, recipe.rays):
        for weight in module.parameters():
            assert weight.grad is None or torch.isfinite(weight.grad).all()
    assert torch.isfinite(recipe.book.codes).all()
