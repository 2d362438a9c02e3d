"""The choice of backend, device and precision: what is asked for by name is used or refused."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass

from xmodal_ros.core.errors import DeviceError
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.runtime.backends.base import Backend, ConversionCache, Target
from xmodal_ros.runtime.manifest import BackendRecord


@dataclass(frozen=True)
class _Entry:
    """Where a backend is, and the precisions it has on each kind of device."""

    module: str
    cls: str
    precisions: dict[str, tuple[str, ...]]


_HERE = "xmodal_ros.runtime.backends"
BACKENDS = {
    "torch": _Entry(
        f"{_HERE}.torch",
        "TorchBackend",
        {"cpu": ("fp32", "bf16"), "cuda": ("bf16", "fp16", "fp32")},
    ),
    "openvino": _Entry(f"{_HERE}.openvino", "OpenVinoBackend", {"cpu": ("fp32", "bf16")}),
    "onnxruntime": _Entry(
        f"{_HERE}.onnxruntime", "OnnxRuntimeBackend", {"cpu": ("fp32",), "cuda": ("fp32", "fp16")}
    ),
}


def select(settings: InferenceSettings, records: Sequence[BackendRecord]) -> tuple[str, Target]:
    """Choose a backend and its target.

    `auto` on a CPU takes the fastest that passed the check when the bundle was exported, is
    installed and computes in its precision on this CPU; torch in single precision where there is
    none. On a GPU it is torch.

    Args:
        settings: What the user asks for.
        records: The bundle's measurements.

    Raises:
        DeviceError: what is asked for by name is not there.
    """
    device = _device(settings.device)
    kind = device.partition(":")[0]
    names = [settings.backend] if settings.backend != "auto" else list(BACKENDS)
    if settings.backend != "auto":
        _require(settings.backend, kind, settings.precision)
    if kind == "cuda":
        name = "torch" if settings.backend == "auto" else settings.backend
        precision = settings.precision
        if precision == "auto":
            precision = _cuda_precision(name)
        _require(name, kind, precision)
        return name, Target(device, precision)
    fitting = [
        r
        for r in records
        if r.passed
        and r.device == kind
        and r.backend in names
        and settings.precision in ("auto", r.precision)
        and not missing_packages(r.backend)
        and computes(r.precision)
    ]
    if fitting:
        best = min(fitting, key=lambda r: r.milliseconds)
        return best.backend, Target(device, best.precision, settings.threads)
    name = "torch" if settings.backend == "auto" else settings.backend
    precision = "fp32" if settings.precision == "auto" else settings.precision
    _require(name, kind, precision)
    return name, Target(device, precision, settings.threads)


def create(name: str, target: Target, cache: ConversionCache) -> Backend:
    """Make a backend.

    Raises:
        DeviceError: a package is missing, or the backend has no such device or precision.
    """
    _require(name, target.kind, target.precision)
    entry = BACKENDS[name]
    made: Backend = getattr(importlib.import_module(entry.module), entry.cls)(target, cache)
    return made


def missing_packages(name: str) -> list[str]:
    """Packages that a backend needs and that are not installed."""
    packages = importlib.import_module(BACKENDS[name].module).PACKAGES
    return [p for p in packages if importlib.util.find_spec(p) is None]


def computes(precision: str) -> bool:
    """Whether this CPU computes in a precision rather than emulating it."""
    if precision != "bf16":
        return precision == "fp32"
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _device(asked: str) -> str:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked == "auto":
        return "cuda:0" if count else "cpu"
    if asked == "cpu":
        return "cpu"
    match = re.fullmatch(r"cuda(?::(\d+))?", asked)
    if not match:
        raise DeviceError(
            f"got '{asked}'", where="inference.device", expected="auto, cpu, cuda or cuda:N"
        )
    index = int(match[1] or 0)
    if index >= count:
        raise DeviceError(
            f"{asked} was asked for and PyTorch sees {count} CUDA devices",
            where="inference.device",
            do="Set inference.device to auto or cpu, or check the driver with nvidia-smi",
        )
    return f"cuda:{index}"


def _cuda_precision(name: str) -> str:
    import torch

    if name == "torch":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "fp32"


def _require(name: str, kind: str, precision: str) -> None:
    entry = BACKENDS[name]
    missing = missing_packages(name)
    if missing:
        raise DeviceError(
            f"{name} needs packages that are not installed: {', '.join(missing)}",
            where="inference.backend",
            do=f"Run: pip install {' '.join(missing)} (extra '{name}')",
        )
    if kind not in entry.precisions:
        raise DeviceError(
            f"{name} does not run on {kind}",
            where="inference.device",
            expected=" or ".join(entry.precisions),
        )
    known = entry.precisions[kind]
    if precision != "auto" and precision not in known:
        raise DeviceError(
            f"{name} has no {precision} on {kind}",
            where="inference.precision",
            expected=" or ".join(known),
        )
