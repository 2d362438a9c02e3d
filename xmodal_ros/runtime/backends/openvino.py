"""OpenVINO backend: Intel and AMD CPUs."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xmodal_ros.runtime.backends.base import Array, ConversionCache, Stage, Target

if TYPE_CHECKING:
    import openvino
    from torch import nn

PACKAGES = ("openvino",)
_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
_REQUESTS = 4
"""Inputs of one stage computed at a time, each by its share of the threads: a set brings about as
many new images, and threads that share one image spend much of their time waiting."""


class OpenVinoBackend:
    """Converts through torch.export and compiles for the CPU, for several inputs at a time."""

    name = "openvino"

    def __init__(self, target: Target, cache: ConversionCache) -> None:
        import openvino

        self.target, self.cache = target, cache
        self.core = openvino.Core()
        self.requests = min(_REQUESTS, target.threads or os.cpu_count() or 1)
        self.config: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": self.requests,
            # A thread that is bound to a core waits there for whatever else runs on it.
            "ENABLE_CPU_PINNING": False,
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
        model = self.core.compile_model(path, "CPU", self.config)
        return _Stage([model.create_infer_request() for _ in range(self.requests)])


class _Stage:
    """Requests of one compiled model, used in turns."""

    def __init__(self, requests: list[openvino.InferRequest]) -> None:
        self.idle = requests
        self.running: deque[_Run] = deque()

    def __call__(self, *arrays: Array) -> _Run:
        """Begin; waits for the oldest run where all requests are at work."""
        if not self.idle:
            self.running[0].finish()
        self.idle[-1].start_async(arrays, share_inputs=True)
        run = _Run(self, self.idle.pop(), arrays)
        self.running.append(run)
        return run


class _Run:
    """One input on its way through a stage."""

    def __init__(
        self, stage: _Stage, request: openvino.InferRequest, arrays: tuple[Array, ...]
    ) -> None:
        self.stage, self.request, self.arrays = stage, request, arrays
        self.results: tuple[Array, ...] = ()
        self.error: RuntimeError | None = None

    def __call__(self) -> tuple[Array, ...]:
        """Wait for the results."""
        if self in self.stage.running:
            self.finish()
        if self.error:
            raise self.error
        return self.results

    def finish(self) -> None:
        """Wait, keep the results and give the request back."""
        try:
            self.request.wait()
            outputs = range(len(self.request.model_outputs))
            self.results = tuple(np.array(self.request.get_output_tensor(i).data) for i in outputs)
        except RuntimeError as error:
            self.error = error
        self.stage.running.remove(self)
        self.stage.idle.append(self.request)
        self.arrays = ()


def _convert(module: nn.Module, example: tuple[Array, ...], path: Path) -> None:
    import openvino
    import torch

    with torch.no_grad():
        program = torch.export.export(module, tuple(map(torch.from_numpy, example)))
    model = openvino.convert_model(program)
    model.reshape({i: list(x.shape) for i, x in enumerate(example)})
    openvino.save_model(model, path, compress_to_fp16=False)
