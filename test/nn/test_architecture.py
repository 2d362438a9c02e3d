from __future__ import annotations

import math

import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.nn.network import build_network


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (("encoders",), "twin", "architecture.encoders: got 'twin'; expected one of shared, sep"),
        (("dim",), 30, "architecture.dim: 30 cannot be split into 4 heads"),
        (("dimm",), 3, "architecture: unknown setting 'dimm'. Did you mean 'dim'?"),
        (("branches",), {}, "architecture.branches: got {}; expected a mapping with an entry"),
        (
            ("branches", "camera", "kind"),
            "video",
            "architecture.branches.camera.kind: got 'video'; expected one of image, gel, imu",
        ),
        (
            ("branches", "camera", "height"),
            0,
            "architecture.branches.camera.height: got 0; expected a value from 8 to 4096 px",
        ),
        (
            ("branches", "gel", "frames"),
            1,
            "architecture.branches.gel.frames: got 1; expected at least 2 to take differences",
        ),
        (
            ("branches", "imu", "patch"),
            65,
            "architecture.branches.imu.patch: got 65; expected at most samples (64)",
        ),
        (
            ("branches", "camera", "backbone"),
            "resnet9000",
            "architecture.branches.camera.backbone: timm",
        ),
        (
            ("branches", "camera", "level"),
            9,
            "architecture.branches.camera.level: got 9; expected -1 to",
        ),
        (
            ("streams", "imu"),
            "arm",
            "architecture.streams.imu: got 'arm'; expected one of camera, gel, imu",
        ),
        (
            ("heads", "grasp", "streams"),
            ["tactile"],
            "architecture.heads.grasp.streams: got 'tactile'; expected one of camera",
        ),
        (
            ("heads", "grasp", "streams"),
            [],
            "architecture.heads.grasp.streams: no stream is named; expected at least one",
        ),
        (
            ("heads", "grasp", "classes"),
            1,
            "architecture.heads.grasp.classes: got 1; expected a value from 2",
        ),
    ],
)
def test_says_what_is_wrong_and_where(tiny_architecture, path, value, text):
    part = tiny_architecture
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    with pytest.raises(SettingsError) as caught:
        build_network(tiny_architecture)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("backbone", "changes", "tokens", "pooled"),
    [
        ("test_efficientnet", {}, (4, 256), 256),
        ("test_vit", {}, (16, 64), 64),
        ("test_vit", {"rows": 2, "columns": 3}, (6, 128), 64),
        ("test_efficientnet", {"level": 2}, (64, 32), 64),
        ("test_efficientnet", {"height": 50, "width": 70}, (6, 256), 256),
        ("test_resnet", {"height": 50, "width": 70, "level": 2}, (63, 48), 96),
        ("test_vit", {"level": 1}, (16, 64), 128),
    ],
)
def test_tokens_of_vits_and_cnns(backbone, changes, tokens, pooled):
    import torch

    from xmodal_ros.nn.architecture import ImageSettings
    from xmodal_ros.nn.image import ImageEncoder

    settings = ImageSettings(backbone=backbone, **{"height": 64, "width": 64, **changes})
    encoder = ImageEncoder(settings).eval()
    images = torch.zeros(2, settings.height, settings.width, 3, dtype=torch.uint8)
    found, feature = encoder(images)
    assert found.shape == (2, *tokens) == (2, math.prod(encoder.grid), encoder.token_width)
    assert feature.shape == (2, pooled) == (2, encoder.pooled_width)


@pytest.mark.parametrize("channels", [6, 12])
def test_imu_tokens_are_a_strided_convolution(channels):
    import torch

    from xmodal_ros.nn.architecture import ImuSettings
    from xmodal_ros.nn.imu import ImuEncoder

    settings = ImuSettings(samples=40, channels=channels, patch=16, stride=8, width=32, depth=1)
    encoder = ImuEncoder(settings).eval()
    windows = torch.randn(2, 40, channels, generator=torch.Generator().manual_seed(0))
    kernel = encoder.patches.weight.unflatten(1, (16, channels)).transpose(1, 2)
    expected = torch.nn.functional.conv1d(
        encoder.norm(windows.transpose(1, 2)), kernel, encoder.patches.bias, stride=8
    )
    found = []
    encoder.patches.register_forward_hook(lambda module, inputs, output: found.append(output))
    tokens, cls = encoder(windows)
    torch.testing.assert_close(found[0], expected.transpose(1, 2), rtol=1e-4, atol=1e-5)
    assert (tokens.shape, cls.shape) == ((2, 4, 32), (2, 32))


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_units_of_the_channels_do_not_matter_once_it_has_seen_them(norm):
    """The first BatchNorm learns mean and deviation of each channel, whatever its unit."""
    import torch

    from xmodal_ros.nn.architecture import ImuSettings
    from xmodal_ros.nn.imu import ImuEncoder

    settings = ImuSettings(samples=40, channels=12, width=32, depth=1, norm=norm, dropout=0.0)
    windows = torch.randn(8, 40, 12, generator=torch.Generator().manual_seed(0))
    made = []
    for scale, offset in ((1.0, 0.0), (57.3, -9.81)):
        torch.manual_seed(0)
        encoder = ImuEncoder(settings)
        encoder.norm.momentum = None  # a plain mean over what was seen
        encoder.train()(scale * windows + offset)
        made.append(encoder.eval()(scale * windows + offset)[1])
    torch.testing.assert_close(made[0], made[1], rtol=1e-3, atol=1e-3)
