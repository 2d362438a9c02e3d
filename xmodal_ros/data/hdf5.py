"""Opens HDF5 files, if the package for it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.files import require


def open_hdf5(path: Path) -> Any:
    """Open a file for reading, as `h5py.File`.

    Raises:
        DataError: h5py is not installed, the file is missing, or it is no HDF5 file.
    """
    try:
        import h5py
    except ImportError as error:
        raise DataError(
            "the package that reads it is not installed",
            where=str(path),
            expected="h5py",
            do="pip install -r requirements/datasets.txt",
        ) from error
    try:
        return h5py.File(require(path), "r")
    except OSError as error:
        raise DataError(f"cannot be read ({error})", where=str(path)) from error
