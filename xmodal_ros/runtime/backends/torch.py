"""PyTorch backend: the reference on a CPU, and CUDA with autocast and CUDA graphs."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from xmodal_ros.runtime.backends.base import Array, ConversionCache, Result, Stage, Target

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

PACKAGES = ("torch",)
_WARM_UPS = 3  # runs before a capture, as PyTorch's notes on CUDA graphs ask for


class TorchBackend:
    """Runs the module itself; nothing is converted."""

    name = "torch"

    def __init__(self, target: Target, cache: ConversionCache) -> None:
        import torch

        self.target = target
        if target.kind == "cpu" and target.threads:
            torch.set_num_threads(target.threads)

    def compile(self, name: str, module: nn.Module, example: tuple[Array, ...]) -> Stage:
        """See `Backend.compile`."""
        if self.target.kind == "cuda":
            return _CudaStage(module, example, self.target)
        return self._on_cpu(module)

    def _on_cpu(self, module: nn.Module) -> Stage:
        import torch

        def stage(*arrays: Array) -> Result:
            with torch.inference_mode(), _autocast(self.target):
                # Views of a recording are read-only, which torch warns of.
                inputs = [torch.from_numpy(np.require(x, requirements="W")) for x in arrays]
                outputs = module(*inputs)
            results = tuple(x.float().numpy() for x in outputs)
            return lambda: results

        return stage


class _CudaStage:
    """One CUDA graph with its own buffers: a call copies in, replays and copies out."""

    def __init__(self, module: nn.Module, example: tuple[Array, ...], target: Target) -> None:
        import torch

        self.device = torch.device(target.device)
        self.module = copy.deepcopy(module).to(self.device)
        self.target = target
        self.pinned = [torch.from_numpy(x).pin_memory() for x in example]
        self.inputs = [x.to(self.device) for x in self.pinned]
        self.stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        with torch.cuda.stream(self.stream):
            for _ in range(_WARM_UPS):
                self._run()
        self.stream.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=self.stream):
            self.outputs = self._run()
        self.results = [torch.empty_like(x, device="cpu").pin_memory() for x in self.outputs]

    def _run(self) -> list[Tensor]:
        import torch

        with torch.inference_mode(), _autocast(self.target):
            return [x.float() for x in self.module(*self.inputs)]

    def __call__(self, *arrays: Array) -> Result:
        import torch

        with torch.cuda.stream(self.stream):
            for pinned, device, array in zip(self.pinned, self.inputs, arrays, strict=True):
                pinned.numpy()[...] = array
                device.copy_(pinned, non_blocking=True)
            self.graph.replay()
            for result, output in zip(self.results, self.outputs, strict=True):
                result.copy_(output, non_blocking=True)
        self.stream.synchronize()
        results = tuple(np.array(x.numpy()) for x in self.results)
        return lambda: results


def _autocast(target: Target) -> torch.autocast:
    import torch

    dtype = torch.float16 if target.precision == "fp16" else torch.bfloat16
    enabled = target.precision != "fp32"
    # Casts of weights that are kept between calls must not be captured by a CUDA graph.
    return torch.autocast(target.kind, dtype, enabled=enabled, cache_enabled=False)
