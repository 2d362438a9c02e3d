"""The file of the materials that a robot was taught: names, and what was read of each touch."""

from __future__ import annotations

import json
import os
import tempfile
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from xmodal_ros.core.errors import BundleError, DataError, UserError

FORMAT = "1"
LONGEST_NAME = 64
JOINERS = "\u200c\u200d"
"""Zero width, not printable, and part of words in some scripts."""


class BadName(UserError):
    """A name that a material cannot have."""


class NotSaved(UserError):
    """The file could not be written."""


@dataclass(frozen=True, eq=False)
class Material:
    """One taught material."""

    name: str
    touches: npt.NDArray[np.float32]
    """The mean of what the classifier read during each touch. Shape: (n, d)."""


def normal_form(name: str) -> str:
    """A name as names are compared: in NFC, without space around it."""
    return unicodedata.normalize("NFC", name).strip()


def clean_name(name: str) -> str:
    """A new name in its normal form.

    Raises:
        BadName: it is empty, too long or not printable.
    """
    clean = normal_form(name)
    plain = "".join(c for c in clean if c not in JOINERS)
    if plain and plain.isprintable() and len(clean) <= LONGEST_NAME:
        return clean
    raise BadName(
        f"got {name[: 2 * LONGEST_NAME]!r}",
        where="name",
        expected=f"1 to {LONGEST_NAME} printable characters of any script",
    )


@dataclass(frozen=True)
class TaughtFile:
    """Where the taught materials of one bundle are kept.

    Args:
        path: The file; it need not be there.
        model_id: The bundle's name, for people.
        weights_hash: SHA-256 of its weights: features of another network mean something else.
        size: Length of a feature.
    """

    path: Path
    model_id: str
    weights_hash: str
    size: int

    def read(self) -> tuple[Material, ...]:
        """The materials, none where there is no file yet.

        Raises:
            DataError: the file is damaged, or none of ours.
            BundleError: the materials were taught to another bundle.
        """
        from safetensors import SafetensorError, safe_open

        if not self.path.exists():
            return ()
        try:
            with safe_open(self.path, framework="numpy") as file:
                facts = file.metadata() or {}
                if facts["format"] != FORMAT:
                    raise ValueError(f"format {facts['format']}")
                names = json.loads(facts["names"])
                touches = [file.get_tensor(str(i)) for i in range(len(names))]
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            raise self._damaged(repr(error)) from None
        if facts.get("weights_hash") != self.weights_hash:
            raise BundleError(
                f"was taught to bundle '{facts.get('model_id')}', or to other weights of it",
                where=str(self.path),
                expected=f"bundle '{self.model_id}', weights {self.weights_hash[:12]}",
                do="Name another file in inference.taught and teach the materials again",
            )
        made = tuple(map(Material, names, touches))
        for m in made:
            if m.touches.shape[1:] != (self.size,) or not np.isfinite(m.touches).all():
                raise self._damaged(f"the touches of {m.name!r} are {m.touches.shape}")
        return made

    def write(self, materials: Sequence[Material]) -> None:
        """Replace the file at once: a crash or a full disk leaves the one before.

        Raises:
            NotSaved: it cannot be written.
        """
        from safetensors.numpy import save

        facts = {
            "format": FORMAT,
            "model_id": self.model_id,
            "weights_hash": self.weights_hash,
            "names": json.dumps([m.name for m in materials]),
        }
        content = save({str(i): m.touches for i, m in enumerate(materials)}, facts)
        beside = ""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, beside = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.path)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # else the new name may be lost with the power
            finally:
                os.close(folder)
        except OSError as error:
            if beside:
                with suppress(OSError):
                    os.unlink(beside)
            raise NotSaved(
                f"cannot be written ({error.strerror}); nothing has changed",
                where=str(self.path),
                do="Make room, or name another file in inference.taught",
            ) from None

    def _damaged(self, why: str) -> DataError:
        return DataError(
            f"is not a whole file of taught materials ({why})",
            where=str(self.path),
            do="Remove it and teach again, or name another one in inference.taught",
        )
