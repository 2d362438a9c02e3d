"""What a backend is: it compiles one stage of a network for one device and precision."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

from xmodal_ros.core.errors import DeviceError

if TYPE_CHECKING:
    from torch import nn

Array = npt.NDArray[Any]
Result = Callable[[], tuple[Array, ...]]
"""Waits for a stage; float32 arrays that belong to the caller. May be called again."""
Stage = Callable[..., Result]
"""A compiled stage: begins to compute from arrays, which must not change until it is done."""


@dataclass(frozen=True)
class Target:
    """Where and how a backend computes."""

    device: str
    """"cpu" or "cuda:N"."""
    precision: str
    """"fp32", "fp16" or "bf16"."""
    threads: int = 0
    """CPU threads; 0 for the backend's own choice."""

    @property
    def kind(self) -> str:
        """The device without its number: "cpu" or "cuda"."""
        return self.device.partition(":")[0]

    @property
    def index(self) -> int:
        """Number of the GPU."""
        return int(self.device.partition(":")[2] or 0)


class Backend(Protocol):
    """A way to run a network, made with a `Target` and the `ConversionCache` to use."""

    name: str
    target: Target

    def compile(self, name: str, module: nn.Module, example: tuple[Array, ...]) -> Stage:
        """Compile a stage for inputs of the example's shapes and types.

        Args:
            name: Of the stage, unique in the network.
            module: In evaluation mode, on the CPU, single precision.
            example: One array per input.
        """
        ...


class ConversionCache:
    """Folder of converted graphs. The name of a file says all that its content depends on.

    Args:
        key: Identifies weights and architecture.
    """

    def __init__(self, key: str) -> None:
        root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self.folder = Path(root) / "xmodal_ros" / "graphs"
        self.key = key

    def get(
        self, name: str, packages: tuple[str, ...], make: Callable[[Path], None], suffix: str
    ) -> Path:
        """Path of a converted graph; converts where there is none.

        Args:
            name: Of the stage.
            packages: Whose versions the conversion depends on.
            make: Writes the graph to the path it is given.
            suffix: Of the file.

        Raises:
            DeviceError: the folder cannot be made.
        """
        versions = [importlib.metadata.version(p) for p in packages]
        text = "\n".join([self.key, name, *packages, *versions, _source_hash()])
        path = self.folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:24]}{suffix}"
        if not path.is_file():
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DeviceError(
                    f"converted graphs cannot be kept ({error.strerror})",
                    where=str(self.folder),
                    do="Set XDG_CACHE_HOME to a folder that can be written",
                ) from error
            # Another process may convert the same graph: write aside, then rename, weights (.bin)
            # before the graph (.xml) that is looked for.
            partial = path.with_name(f"{os.getpid()}-{path.name}")
            make(partial)
            for written in sorted(self.folder.glob(f"{partial.stem}.*")):
                written.rename(path.with_suffix(written.suffix))
        return path


def _source_hash() -> str:
    """Hash of the network's source code, which conversion traces."""
    import xmodal_ros.nn

    digest = hashlib.sha256()
    for path in sorted(Path(xmodal_ros.nn.__path__[0]).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
