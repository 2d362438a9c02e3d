"""How well `xmodal calibrate-time` finds clock errors that are known, on the simulated cell.

python tools/time_offset_study.py CELL... --seconds 60 --seconds 180    a few minutes

How the data sets are made is told in docs/calibration.md. The cell's clocks are drawn anew for
each episode; a robot's stay as they are. So the stamps of the episodes that are calibrated
together are moved to clock errors that are drawn once for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from rich.console import Console

from xmodal_ros.core.settings import Settings
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.settings_file import load_settings
from xmodal_ros.data.time_offsets.compare import Motions
from xmodal_ros.data.time_offsets.estimate import SHARED_S, OffsetSettings, estimate
from xmodal_ros.data.time_offsets.motion import read_motion
from xmodal_ros.progress import progress_bar
from xmodal_ros.sim.robot import GEL_DAMPING_NS_M, GEL_STIFFNESS_N_M
from xmodal_ros.train.pretrain.files import save_text

GEL_LAG_S = GEL_DAMPING_NS_M[0] / GEL_STIFFNESS_N_M[0]
"""Of the cell's gels: how late their skin follows a force along it."""
GOAL_S = 0.005
WRIST = "camera_wrist"

Read = tuple[Motions, Mapping[str, int]]
"""Motion in a recording, and by how much its stamps are late."""


def study(
    cells: Annotated[list[Path], typer.Argument(help="Data sets of the simulated cell.")],
    seconds: Annotated[
        list[float],
        typer.Option(help="Recordings are calibrated together until they last so long, s."),
    ],
    error_s: Annotated[float, typer.Option(help="Standard deviation of a clock's error.")] = 0.03,
    seed: Annotated[int, typer.Option(help="Of the clocks' errors.")] = 0,
    results: Annotated[Path, typer.Option(help="Folder of the table.")] = Path("docs/results"),
) -> None:
    """Calibrate, compare with the truth, and write calibrate-time.json and calibrate-time.md."""
    cv2.setNumThreads(1)
    rng, rows, console = np.random.default_rng(seed), list[dict[str, Any]](), Console()
    for cell in cells:
        settings = _settings(cell)
        places = sorted(cell.glob("episode_*"))
        read = list[Read]()
        with progress_bar(console, f"reading {cell.name}", len(places)) as bar:
            for place in places:
                read.append((read_motion(place, settings), _errors_ns(place)))
                bar.update(
                    len(read), f"{len(read)}/{len(places)}, {bar.rate(len(read)):.1f} per s"
                )
        groups = [(least_s, group) for least_s in seconds for group in _groups(read, least_s)]
        with progress_bar(console, "calibrating", len(groups)) as bar:
            for done, (least_s, group) in enumerate(groups, start=1):
                drawn = {s.name: round(1e9 * error_s * rng.normal()) for s in settings.streams}
                some = [_moved(*one, drawn) for one in group]
                about = {"data": cell.name, "least_s": least_s}
                rows += ({**about, **row} for row in measure(some, settings, drawn))
                bar.update(done, f"{done}/{len(groups)}")
    found = {"error_s": error_s, "seed": seed, "gel_lag_s": GEL_LAG_S, "rows": rows}
    save_text(results / "calibrate-time.json", json.dumps(found, indent=1) + "\n")
    save_text(results / "calibrate-time.md", page(found))


def measure(
    recordings: Sequence[Motions], settings: Settings, errors_ns: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    """What is found of each stream but the anchor, with and without knowing the gel's lag.

    Args:
        recordings: Motion of each, stamped by the same clocks.
        settings: Name the streams.
        errors_ns: By how much the stamps of each stream are late.
    """
    anchor, seconds = settings.anchor.name, sum(map(_seconds, recordings))
    for gel_lag_s in (0.0, GEL_LAG_S):
        found = estimate(recordings, settings, OffsetSettings(gel_lag_s=gel_lag_s))
        for offset in found.offsets:
            if offset.stream == anchor or all(offset.stream not in m for m in recordings):
                continue
            yield {
                "recordings": len(recordings),
                "seconds": round(seconds, 1),
                "stream": offset.stream,
                "rate_hz": float(f"{recordings[0][offset.stream].rate_hz:.2g}"),
                "gel_lag_s": gel_lag_s,
                "true_s": (errors_ns[anchor] - errors_ns[offset.stream]) / 1e9,
                "found_s": offset.seconds,
                "spread_s": offset.spread_s,
                "why": offset.why,
            }


def page(found: Mapping[str, Any]) -> str:
    """The table as Markdown."""
    lines = [
        "# calibrate-time",
        "",
        "| data | stream | recordings together | length | calibrations | given | within 5 ms "
        "| within ± | error, median | worst | worst, gel's lag unknown |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    known = [row for row in found["rows"] if row["gel_lag_s"]]
    unknown = [row for row in found["rows"] if not row["gel_lag_s"]]
    for key in dict.fromkeys(_key(row) for row in known):
        rows = [row for row in known if _key(row) == key]
        given = [row for row in rows if row["found_s"] is not None]
        errors = _errors_s(rows)
        others = _errors_s([row for row in unknown if _key(row) == key])
        covered = errors <= [row["spread_s"] for row in given]
        data, stream, rate_hz, _ = key
        counts = sorted({row["recordings"] for row in rows})
        together = " to ".join(str(count) for count in {counts[0]: 0, counts[-1]: 0})
        cells = [data, f"{stream}, {rate_hz:g} Hz", together]
        cells.append(f"{np.mean([row['seconds'] for row in rows]):.0f} s")
        cells += [str(len(rows)), str(len(given)), str(int((errors <= GOAL_S).sum()))]
        cells += [str(int(covered.sum())), _ms(np.median, errors), _ms(np.max, errors)]
        cells.append(_ms(np.max, others))
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "Offsets to the clock of the left gel, in ms, found by `xmodal calibrate-time` in "
        "episodes of the simulated cell (`tools/time_offset_study.py`; how they are made: "
        "[Calibrating the clocks](../calibration.md)). Errors "
        f"of the clocks are drawn with a deviation of {1e3 * found['error_s']:.0f} ms, once for "
        "the recordings that are calibrated together. Given are offsets whose spread, ±, is at "
        f"most {1e3 * OffsetSettings().most_spread_s:.0f} ms; the others are refused. The spread "
        f"is half of a 90 % interval, and {1e3 * SHARED_S:.0f} ms for what all recordings have in "
        "common. The skin of the "
        f"gels follows a force {1e3 * found['gel_lag_s']:.1f} ms late, its damping over its "
        "stiffness, which `--gel-lag-s` takes off; without it, offsets between a gel and another "
        "sensor are that much off.",
    ]
    return "\n".join(lines) + "\n"


def _groups(read: Sequence[Read], least_s: float) -> Iterator[list[Read]]:
    """Recordings one after the other, as many together as last so long; the rest is left."""
    group, length_s = list[Read](), 0.0
    for one in read:
        group.append(one)
        length_s += _seconds(one[0])
        if length_s >= least_s:
            yield group
            group, length_s = [], 0.0


def _settings(cell: Path) -> Settings:
    """Those of the data set, with streams named as the cell's sensors."""
    settings = load_settings(cell / "settings.yaml")
    camera = next(s for s in settings.streams if s.name == "camera")
    others = [s for s in settings.streams if s is not camera]
    if camera.topic.startswith(WRIST):
        return replace(settings, streams=(replace(camera, name=WRIST), *others))
    topic = camera.topic.replace("camera", WRIST, 1)
    wrist = replace(camera, name=WRIST, topic=topic)
    return replace(settings, streams=(camera, wrist, *others))


def _errors_ns(recording: Path) -> dict[str, int]:
    """By how much the stamps of each sensor are late."""
    with Recording(recording) as opened:
        errors: dict[str, int] = json.loads(opened.metadata["facts"])["offsets_ns"]
    return errors


def _moved(motions: Motions, had_ns: Mapping[str, int], errors_ns: Mapping[str, int]) -> Motions:
    """Motion with other errors of the clocks."""
    return {
        name: replace(m, times_ns=m.times_ns + errors_ns[name] - had_ns[name])
        for name, m in motions.items()
    }


def _seconds(motions: Motions) -> float:
    return max(float(m.times_ns[-1] - m.times_ns[0]) for m in motions.values()) / 1e9


def _key(row: Mapping[str, Any]) -> tuple[str, str, float, float]:
    return row["data"], row["stream"], row["rate_hz"], row["least_s"]


def _errors_s(rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Of the offsets that were given."""
    return np.abs([r["found_s"] - r["true_s"] for r in rows if r["found_s"] is not None])


def _ms(statistic: Any, seconds: np.ndarray) -> str:
    return f"{1e3 * statistic(seconds):.1f}" if len(seconds) else ""


if __name__ == "__main__":
    typer.run(study)
