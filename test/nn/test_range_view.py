from __future__ import annotations

import numpy as np
import pytest
import torch

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.range_image import OUTSIDE, RangeView, to_range_image
from xmodal_ros.nn.lidar_settings import LidarSettings
from xmodal_ros.nn.network import build_network
from xmodal_ros.nn.range_view import RangeViewEncoder, gather_points

SMALL = {"backbone": "test_efficientnet", "height": 16, "width": 64, "level": 2, "channels": 16}


@pytest.fixture(scope="module")
def encoder() -> RangeViewEncoder:
    torch.manual_seed(0)
    return RangeViewEncoder(LidarSettings(**SMALL, dim=8)).eval()


def images(batch=2, share=0.7):
    generator = torch.Generator().manual_seed(0)
    there = torch.rand(batch, 16, 64, 1, generator=generator) < share
    return 3 * torch.randn(batch, 16, 64, 4, generator=generator) * there


def architecture(**changes):
    return {
        "dim": 32,
        "attention_heads": 4,
        "branches": {"lidar": {"kind": "lidar", **SMALL, **changes}},
        "streams": {"lidar": "lidar"},
        "heads": {"grasp": {"classes": 2, "streams": ["lidar"]}},
    }


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"backbone": "resnet9000"}, "backbone: timm"),
        ({"backbone": "test_vit"}, "backbone: the feature maps of 'test_vit' are of one size"),
        ({"level": 9}, "level: got 9; expected 0 to"),
        ({"height": 1}, "height: got 1; expected a value from 2 to 4096"),
        ({"lowest_deg": 20.0}, "lowest_deg: got 20.0; expected at most highest_deg, 0.0"),
        ({"nearest_m": 5.0, "farthest_m": 2.0}, "nearest_m: got 5.0; expected at most farthest_m"),
    ],
)
def test_says_what_is_wrong_and_where(changes, text):
    with pytest.raises(SettingsError) as caught:
        build_network(architecture(**changes))
    assert str(caught.value).startswith(f"architecture.branches.lidar.{text}")


def test_tokens_are_mean_and_deviation_of_the_points_in_a_cell(encoder):
    x = images()
    with torch.no_grad():
        tokens, pooled = encoder(x)
        features = encoder.features(x).numpy()
    there = (x[..., :3] != 0).any(dim=3).numpy()
    assert features.shape == (2, 16, 64, 16)
    assert tokens.shape == (2, 16, encoder.token_width) == (2, 2 * 8, 32)
    assert pooled.shape == (2, encoder.pooled_width)
    for b in range(2):
        whole = features[b][there[b]].mean(0)
        for k in range(16):
            row, column = divmod(k, 8)
            cell = (slice(8 * row, 8 * row + 8), slice(8 * column, 8 * column + 8))
            points = features[b][cell][there[b][cell]]
            deviation = np.sqrt(((points - whole) ** 2).mean(0) + 1e-6)
            expected = np.concatenate([points.mean(0), deviation])
            np.testing.assert_allclose(tokens[b, k], expected, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(pooled[b, :16], whole, rtol=1e-3, atol=1e-5)


def test_shared_features_have_unit_length_and_specific_ones_any(encoder):
    with torch.no_grad():
        shared, specific = encoder.heads(encoder.features(images()))
    assert shared.shape == specific.shape == (2, 16, 64, 8)
    torch.testing.assert_close(shared.norm(dim=-1), torch.ones(2, 16, 64))
    assert specific.norm(dim=-1).std() > 0


def test_turning_about_the_axis_changes_no_feature(encoder):
    x = images(1)
    turned = x.clone()
    turned[..., 0], turned[..., 1] = -x[..., 1], x[..., 0]
    with torch.no_grad():
        torch.testing.assert_close(encoder.features(turned), encoder.features(x))


def test_size_of_the_scene_and_brightness_of_the_lidar_change_no_feature(encoder):
    x = images(1)
    x[..., 3] = x[..., 3].abs()
    larger, higher = (x * torch.tensor(by) for by in ([20, 20, 20, 0.1], [1, 1, 2, 1]))
    with torch.no_grad():
        expected = encoder.features(x)
        torch.testing.assert_close(encoder.features(larger), expected, atol=5e-3, rtol=0)
        assert (encoder.features(higher) - expected).abs().max() > 0.1


def test_a_point_far_away_does_not_matter_to_a_feature_but_a_near_one_does(encoder):
    x = images(1, share=1.0)
    moved = x.clone()
    moved[0, 8, 5] *= 1.5
    with torch.no_grad():
        change = (encoder.features(moved) - encoder.features(x)).abs().amax(3)[0]
    assert change[8, 5] > 0
    assert change[8, 5] > 10 * change[:, 60].max()


@pytest.mark.parametrize("points", [np.zeros((0, 4)), np.full((9, 4), np.nan), np.zeros((9, 4))])
def test_a_scan_without_points_gives_finite_and_always_the_same(encoder, points):
    found = to_range_image(points.astype(np.float32), encoder.settings.view)
    x = torch.from_numpy(found.image)[None]
    with torch.no_grad():
        tokens, pooled = encoder(x)
        maps = encoder.features(x)
    assert torch.isfinite(tokens).all()
    assert torch.isfinite(maps).all()
    assert (tokens == tokens[:, :1]).all()
    gathered = gather_points(maps, torch.from_numpy(found.pixels).long()[None])
    assert gathered.shape == (1, len(points), 16)
    assert not gathered.any()
    assert torch.isfinite(pooled).all()


def test_points_get_the_feature_of_their_pixel():
    points = np.random.default_rng(0).normal(0, 4, (300, 4)).astype(np.float32)
    points[::7] = np.nan
    pixels = to_range_image(points, RangeView(8, 32)).pixels
    maps = torch.randn(2, 8, 32, 5, generator=torch.Generator().manual_seed(0))
    index = torch.from_numpy(np.stack([pixels, pixels[::-1]])).long()
    found = gather_points(maps, index)
    for b in range(2):
        for n in range(300):
            pixel = int(index[b, n])
            expected = torch.zeros(5) if pixel == OUTSIDE else maps[b, pixel // 32, pixel % 32]
            assert torch.equal(found[b, n], expected)


def test_a_head_learns_through_the_encoder_unless_it_is_frozen():
    for frozen in (True, False):
        network = build_network(architecture(frozen=frozen)).train()
        output = network({"lidar": images()})
        output.logits["grasp"].square().sum().backward()
        first = network.branch("lidar").contrastive.encoder.backbone.conv_stem.weight
        assert (first.grad is None) == frozen
        norms = output.embeddings["lidar"].norm(dim=1)
        torch.testing.assert_close(norms, torch.ones(2))
