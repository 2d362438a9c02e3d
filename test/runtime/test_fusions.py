"""Every fusion that an architecture may ask for is a stage that the backends compute alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xmodal_ros.nn.network import FuseStage, build_network
from xmodal_ros.runtime.backends.base import ConversionCache, Target
from xmodal_ros.runtime.backends.selection import create

FORMS = [
    {"fusion": "mean"},
    {"fusion": "concat"},
    {"fusion": "self_attention"},
    {"fusion": "gate"},
    {"fusion": "cec"},
    {"fusion": "cec", "tokens": "pooled"},
]


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("changes", FORMS, ids=str)
def test_backends_agree_whichever_streams_are_there(tiny_architecture, backend, changes):
    pytest.importorskip(backend)
    streams = ["camera", "tactile_left", "tactile_right"]
    tiny_architecture["heads"] = {"grasp": {"classes": 2, "streams": streams}}
    torch.manual_seed(0)
    network = build_network({**tiny_architecture, **changes}).eval()
    stage = FuseStage(network, "grasp").eval()
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(x.shape, generator=generator) for x in stage.example()[1:]]
    arrays = [x.numpy() for x in inputs]
    example = tuple(x.numpy() for x in stage.example())
    made = create(backend, Target("cpu", "fp32", 1), ConversionCache(f"{changes}"))
    compiled = made.compile("fuse_grasp", stage, example)
    for there in ([1.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]):
        with torch.no_grad():
            expected = stage(torch.tensor([there]), *inputs)
        found = compiled(np.array([there], np.float32), *arrays)()
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)
