"""A scan through its branch, and back to its points, by any backend."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from xmodal_ros.core.range_image import gather, to_range_image
from xmodal_ros.nn.architecture import Trunk
from xmodal_ros.nn.branch import Branch
from xmodal_ros.nn.lidar_settings import LidarSettings
from xmodal_ros.nn.range_view import gather_points
from xmodal_ros.runtime.backends.base import ConversionCache, Target
from xmodal_ros.runtime.backends.selection import create

SETTINGS = LidarSettings(backbone="test_efficientnet", height=16, width=96, level=1, channels=8)
SCANS = (3000, 40, 0)


class Stage(nn.Module):
    """Tokens and embedding of a branch, and the shared feature of every pixel."""

    def __init__(self, branch: Branch) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        encoder = self.branch.contrastive.encoder
        return *self.branch(images), encoder.heads(encoder.features(images)).shared


@pytest.fixture(scope="module")
def stage() -> Stage:
    torch.manual_seed(0)
    return Stage(Branch(SETTINGS, Trunk(dim=16, attention_heads=2))).eval()


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime", "torch"])
def test_backends_agree_for_any_number_of_points(stage, backend):
    if backend != "torch":
        pytest.importorskip(backend)
    made = create(backend, Target("cpu", "fp32", 1), ConversionCache("lidar"))
    example = tuple(x.numpy() for x in stage.branch.example())
    compiled = made.compile("encode_lidar", stage, example)
    for count in SCANS:
        points = np.random.default_rng(0).normal(0, 4, (count, 4)).astype(np.float32)
        scan = to_range_image(points, SETTINGS.view)
        with torch.no_grad():
            expected = stage(torch.from_numpy(scan.image)[None])
        found = compiled(scan.image[None])()
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-4)
        features = gather(found[2][0].reshape(-1, SETTINGS.dim), scan.pixels)
        pixels = torch.from_numpy(scan.pixels).long()[None]
        np.testing.assert_allclose(features, gather_points(expected[2], pixels)[0], atol=1e-4)
        assert features.shape == (count, SETTINGS.dim)
