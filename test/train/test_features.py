"""Features of a frozen encoder: by OpenVINO what torch gives, computed once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xmodal_ros.nn.architecture import ImageSettings
from xmodal_ros.nn.image import ImageEncoder
from xmodal_ros.runtime.backends import create
from xmodal_ros.train import features


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    settings = ImageSettings(backbone="test_efficientnet", height=32, width=32, level=1)
    return ImageEncoder(settings).eval()


@pytest.fixture
def batches():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 32, 32, 3), np.uint8)
    return [(images[:3],), (images[3:],)]


def test_openvino_gives_what_torch_gives(encoder, batches, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "create", create)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = features.cached(tmp_path, "key", encoder, lambda: batches, 2, "images")
    with torch.no_grad():
        tokens, pooled = encoder(torch.from_numpy(np.concatenate([b for (b,) in batches])))
    np.testing.assert_allclose(found.pooled, pooled.numpy(), atol=1e-4)
    np.testing.assert_allclose(found.tokens, tokens.numpy(), atol=1e-2)  # half precision
    assert found.tokens.dtype == np.float16


def test_they_are_computed_once_for_a_key_and_weights(encoder, batches, tmp_path):
    asked = []

    def made():
        asked.append(1)
        return batches

    for key in ("a", "a", "b"):
        features.cached(tmp_path, key, encoder, made, 2, "images")
    assert len(asked) == 2
    next(iter(encoder.parameters())).data.add_(1)
    features.cached(tmp_path, "a", encoder, made, 2, "images")
    assert len(asked) == 3
