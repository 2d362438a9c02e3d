"""OpenVINO backend: Intel and AMD CPUs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xmodal_ros.runtime.backends.base import Array, ConversionCache, Stage, Target

if TYPE_CHECKING:
    from torch import nn

PACKAGES = ("openvino",)
_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoBackend:
    """Converts through torch.export and compiles for the CPU."""

    name = "openvino"

    def __init__(self, target: Target, cache: ConversionCache) -> None:
        import openvino

        self.target, self.cache = target, cache
        self.core = openvino.Core()
        self.config: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": _PRECISIONS[target.precision],
            # Integer quantization chosen at run time would not be the network that was measured.
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        }
        if target.threads:
            self.config["INFERENCE_NUM_THREADS"] = target.threads

    def compile(self, name: str, module: nn.Module, example: tuple[Array, ...]) -> Stage:
        """See `Backend.compile`."""
        path = self.cache.get(
            name, ("openvino", "torch"), lambda p: _convert(module, example, p), ".xml"
        )
        request = self.core.compile_model(path, "CPU", self.config).create_infer_request()
        outputs = range(len(request.model_outputs))

        def stage(*arrays: Array) -> tuple[Array, ...]:
            request.infer(arrays, share_inputs=True)
            return tuple(np.array(request.get_output_tensor(i).data) for i in outputs)

        return stage


def _convert(module: nn.Module, example: tuple[Array, ...], path: Path) -> None:
    import openvino
    import torch

    with torch.no_grad():
        program = torch.export.export(module, tuple(map(torch.from_numpy, example)))
    model = openvino.convert_model(program)
    model.reshape({i: list(x.shape) for i, x in enumerate(example)})
    openvino.save_model(model, path, compress_to_fp16=False)
