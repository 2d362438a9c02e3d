"""Tensors on disk: safetensors files that are whole or not there at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from xmodal_ros.core.errors import DataError

FACTS = "facts"


def save_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> None:
    """Write a file in place of the one that is there, at once: a reader sees the one or the other.

    Args:
        path: The file.
        tensors: On any device.
        facts: What else the file says.

    Raises:
        DataError: there is no room, or writing fails otherwise; the old file stays.
    """
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with _replacing(path, sum(tensor.nbytes for tensor in whole.values())) as part:
        # One entry: several would be written in any order, and equal runs not give equal files.
        # Not `save_file`: what it makes only its owner may read.
        part.write_bytes(save(whole, {FACTS: json.dumps(dict(facts), sort_keys=True)}))


def save_text(path: Path, text: str) -> None:
    """Write a text file in the same way, and with the same errors."""
    with _replacing(path, len(text)) as part:
        part.write_text(text, encoding="utf-8")


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors, on the CPU, and facts of a file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {}).get(FACTS, "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"cannot be read ({error})", where=str(path), expected="a whole safetensors file"
        ) from error


def save_bytes(path: Path, data: bytes) -> None:
    """Write any file in the same way, and with the same errors."""
    with _replacing(path, len(data)) as part:
        part.write_bytes(data)


def require_room(folder: Path, size: int) -> None:
    """Refuse to begin what would not fit.

    Raises:
        DataError: fewer than `size` bytes are free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < size:
        raise DataError(
            f"it needs {size / 1e6:.1f} MB, {free / 1e6:.1f} MB are free",
            where=str(folder),
            do="Make room, or name another folder, and run the same command again",
        )


@contextlib.contextmanager
def _replacing(path: Path, size: int) -> Iterator[Path]:
    """Yield the name to write to, which then takes the place of `path`."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _flush(part)
        part.replace(path)
        _flush(path.parent)  # the new name, too, survives a loss of power
    except (OSError, SafetensorError) as error:
        _discard(part)  # before what is free is told
        raise _unwritten(path, size, error) from error
    finally:
        _discard(part)


def _discard(part: Path) -> None:
    with contextlib.suppress(OSError):  # it is there only after a failure
        part.unlink()


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritten(path: Path, size: int, error: Exception) -> DataError:
    try:
        free = f"{shutil.disk_usage(path.parent).free / 1e6:.1f} MB are free"
    except OSError:
        free = "the folder is not there"
    kept = " The file that was there before is kept." if path.exists() else ""
    return DataError(
        f"cannot be written ({error}): it needs {size / 1e6:.1f} MB, {free}",
        where=str(path),
        do=f"Make room and run the same command again: it continues.{kept}",
    )
