"""What the client hands to a pipeline: answers of the perception node as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xmodal_msgs.action import AssessGrasp
from xmodal_ros.core.assess import Decision
from xmodal_ros.core.errors import UserError
from xmodal_ros.core.types import Modality
from xmodal_ros.data.decode import decode_compressed, stamp_ns


class Unanswered(UserError):
    """The node is not there, or did not answer in time."""


class Refused(UserError):
    """The node could not do what was asked.

    Args:
        code: Constant of the action's result, such as `AssessGrasp.Result.NO_PREDICTION`.
        message: What the node says of it.
        where: What was asked.
    """

    def __init__(self, code: int, message: str, where: str) -> None:
        self.code = code
        super().__init__(message, where=where)

    def __reduce__(self) -> tuple[object, ...]:
        """Let it come back from another process."""
        return type(self), (self.code, self.what, self.where)


@dataclass(frozen=True)
class Assessment:
    """Whether a grasp will hold, and by what evidence."""

    decision: Decision
    probability: float
    """That it holds, calibrated."""
    observations: int
    """Predictions that counted."""
    modalities: tuple[Modality, ...]
    """What the prediction that decided saw."""
    stamp_ns: int
    """Of the anchor message that decided, or of the last one."""
    frame_id: str
    overlays: Mapping[str, np.ndarray]
    """By stream, `(H, W, 3) uint8` RGB: what the decision looked at; empty unless asked for."""
    message: str
    """The same for a person."""

    @property
    def holds(self) -> bool:
        """Whether it was decided that the grasp holds."""
        return self.decision == Decision.HOLD

    @classmethod
    def read(cls, result: AssessGrasp.Result, where: str) -> Assessment:
        """Read a result of the action; `where` names it.

        Raises:
            Refused: it is none, but a reason.
        """
        if result.error_code != result.OK:
            raise Refused(result.error_code, result.message, where)
        pictures = zip(result.overlay_streams, result.overlays, strict=True)
        return cls(
            decision=Decision(result.decision),
            probability=result.probability,
            observations=result.observations,
            modalities=tuple(m for m in Modality if m.bit & result.modalities_used),
            stamp_ns=stamp_ns(result.header.stamp),
            frame_id=result.header.frame_id,
            overlays={stream: decode_compressed(image, where) for stream, image in pictures},
            message=result.message,
        )


@dataclass(frozen=True)
class Recognized:
    """A class that a head has recognized: a material, or an activity."""

    label: str
    confidence: float
    abstained: bool
    """The head is too unsure: do not act on it."""
    modalities: tuple[Modality, ...]
    stamp_ns: int
    """Of the anchor message."""
    frame_id: str

    @classmethod
    def read(cls, message: Any) -> Recognized:
        """Read a `MaterialClass` or `Activity`."""
        return cls(
            label=message.label,
            confidence=message.confidence,
            abstained=message.info.abstained,
            modalities=tuple(m for m in Modality if m.bit & message.info.modalities_used),
            stamp_ns=stamp_ns(message.header.stamp),
            frame_id=message.header.frame_id,
        )
