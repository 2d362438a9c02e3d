"""Teaches a bundle the materials that are touched in a recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings
from xmodal_ros.data.labels import Track, label_tracks
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import observations
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.contact import NoContact, Touch, Touches
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.runtime.teach import HEAD, Lesson, NotPossible, Teachable

Listener = Callable[[float, float], None]
"""Called with how much of the recording is done and how long it is, s."""


def adapt(
    recording: str | Path,
    settings: Settings,
    name: str = "",
    *,
    force: bool = False,
    listener: Listener = lambda done_s, total_s: None,
) -> list[Lesson]:
    """Teach from each touch of a recording; the file is `settings.inference.taught`.

    Args:
        recording: rosbag2 recording, sqlite3 or MCAP.
        settings: All settings.
        name: The material that is touched; if empty, the recording's own labels of materials name
            those that the bundle does not know.
        force: Teach it although the touches are like another material.
        listener: Called after each observation.

    Raises:
        DataError: the recording cannot be read, or says nothing new.
        NoContact: nothing is touched in it.
        UserError: as `Teachable.teach`; of several materials, those before it are taught.
    """
    if not settings.inference.taught:
        raise NotPossible(
            "no file is named for what is taught", where=str(recording), do="Name --taught"
        )
    with Recording(recording) as source:
        bundle = Bundle.load(settings.inference.bundle)
        used, windows = bundle.fit(settings)
        replay = observations(source, used, windows)
        total_s = (source.end_ns - source.start_ns) / 1e9
        with Predictor(bundle, used.inference) as predictor:
            touches = Touches(remembered_s=float("inf"), most=None)
            teachable = Teachable(predictor, used.inference.taught, touches)
            for observation in replay:
                teachable.predict(observation)
                listener((observation.stamp_ns - source.start_ns) / 1e9, total_s)
            found = touches.all()
            if not found:
                raise NoContact("nothing touches a gel in it", where=str(recording))
            named = {name: found} if name else _by_label(source, found, teachable)
            return [teachable.learn(label, some, force) for label, some in named.items()]


def _by_label(
    source: Recording, found: list[Touch], teachable: Teachable
) -> dict[str, list[Touch]]:
    """Touches by what the recording says of them, without the bundle's own materials."""
    track = label_tracks(source).get(HEAD, Track(()))
    known = ("", *teachable.predictor.bundle.heads[HEAD].labels)
    named: dict[str, list[Touch]] = {}
    for touch in found:
        label = track.at((touch.begin_ns + touch.end_ns) // 2)
        if label not in known:
            named.setdefault(label, []).append(touch)
    if not named:
        raise DataError(
            f"none of its {len(found)} touches has a label that the bundle does not know",
            where=str(source.path),
            do="Name the material with --name",
        )
    return named
