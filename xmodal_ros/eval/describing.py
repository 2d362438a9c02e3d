"""Asks a describer about a moment of a recording."""

from __future__ import annotations

from itertools import dropwhile
from pathlib import Path

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import observations
from xmodal_ros.runtime.language.describer import Describer, Description


def describe_recording(
    path: Path, settings: Settings, question: str, after_s: float = 0.0
) -> Description:
    """Answer a question about the first observation that is so long after the first of all.

    Args:
        path: The recording.
        settings: Names describer and streams.
        question: Any text.
        after_s: Time in the recording, s.

    Raises:
        DataError: there is no observation at that time, or the recording cannot be read.
        UserError: as `Describer` and its `describe`.
    """
    describer = Describer(settings.language, settings.inference)
    used, windows = describer.bundle.fit(settings)
    with Recording(path) as recording:
        replay = iter(observations(recording, used, windows))
        first = next(replay, None)
        begin_ns = first.stamp_ns if first else 0
        late = dropwhile(lambda o: o.stamp_ns < begin_ns + round(after_s * 1e9), replay)
        chosen = first if after_s == 0 else next(late, None)
    if chosen is None:
        raise DataError(
            f"has no set of {', '.join(windows)} {after_s:g} s after the first one",
            where=str(path),
            do="Name an earlier time by --at",
        )
    return describer.describe(question, chosen)
