"""ONNX Runtime backend: any CPU, and NVIDIA GPUs through its CUDA and TensorRT providers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xmodal_ros.core.errors import DeviceError
from xmodal_ros.runtime.backends.base import Array, ConversionCache, Result, Stage, Target

if TYPE_CHECKING:
    from torch import nn

PACKAGES = ("onnxruntime", "onnxscript")


class OnnxRuntimeBackend:
    """Exports with the dynamo exporter and runs the graph with the fittest execution provider.

    Raises:
        DeviceError: the installed onnxruntime has no provider for the device.
    """

    name = "onnxruntime"

    def __init__(self, target: Target, cache: ConversionCache) -> None:
        import onnxruntime

        self.target, self.cache = target, cache
        self.providers = _providers(target, onnxruntime.get_available_providers())
        self.options = onnxruntime.SessionOptions()
        self.options.inter_op_num_threads = 1
        self.options.intra_op_num_threads = target.threads
        self.options.use_deterministic_compute = True
        self.options.log_severity_level = 3

    def compile(self, name: str, module: nn.Module, example: tuple[Array, ...]) -> Stage:
        """See `Backend.compile`."""
        import onnxruntime

        path = self.cache.get(
            name, ("onnxscript", "torch"), lambda p: _convert(module, example, p), ".onnx"
        )
        session = onnxruntime.InferenceSession(path, self.options, providers=self.providers)
        names = [entry.name for entry in session.get_inputs()]

        def stage(*arrays: Array) -> Result:
            feeds = dict(zip(names, arrays, strict=True))
            results = tuple(np.asarray(x) for x in session.run(None, feeds))
            return lambda: results

        return stage


def _providers(target: Target, available: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """Execution providers for a target, fittest first."""
    if target.kind == "cpu":
        return [("CPUExecutionProvider", {})]
    device = {"device_id": target.index}
    wanted = [("CUDAExecutionProvider", {**device, "use_tf32": 0})]
    if (
        target.precision == "fp16"
    ):  # the CUDA provider computes in the graph's own single precision
        wanted = [("TensorrtExecutionProvider", {**device, "trt_fp16_enable": True}), *wanted]
    if wanted[0][0] not in available:
        raise DeviceError(
            f"onnxruntime has no {wanted[0][0]}",
            where=f"inference.device {target.device}",
            expected="onnxruntime-gpu" + (" and TensorRT" if len(wanted) > 1 else ""),
            do="Run: pip install onnxruntime-gpu",
        )
    return [*wanted, ("CPUExecutionProvider", {})]


def _convert(module: nn.Module, example: tuple[Array, ...], path: Path) -> None:
    import contextlib

    import torch

    inputs = tuple(map(torch.from_numpy, example))
    # The exporter reports its progress on standard output, which belongs to the caller.
    with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
        program = torch.onnx.export(
            module, inputs, dynamo=True, external_data=False, verbose=False
        )
    assert program is not None
    program.save(path)
