"""The `xmodal people` command: activities of held-out people as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

NAME = "activity-people"
COLUMNS = (
    ("as worn", "balanced_accuracy", "balanced accuracy"),
    ("as worn", "macro_f1", "macro F1"),
    ("rotated", "balanced_accuracy", "balanced accuracy"),
    ("as worn, filtered", "balanced_accuracy", "balanced accuracy"),
    ("rotated, filtered", "balanced_accuracy", "balanced accuracy"),
)
QUESTION = "Which activity does a watch tell of people who are not in the training data?"
NOTES = (
    "Means over {seeds} seeds, ± half the range between them. Each seed holds out other training "
    "people for validation; the test people are always the same.",
    "A window is labelled by its last second, of which the activity fills two thirds at least. "
    "Longer windows hold their first value until they are full, as in a node.",
    "Rotated: the sensor of every window is turned by a rotation of its own, uniform in SO(3).",
    "Filtered: over the past, as a node filters, with an answer every 0.5 s, by the order of the "
    "training people's activities, who all did the same exercise.",
    "Level frame: turned so that it does not follow the sensor and the mean force is upwards. "
    "Both frames: the sensor's and the level one side by side.",
    "MiniRocket has 2000 kernels. With rotations, and of peers in the level frame, each training "
    "window is there twice, once turned at random.",
)


def people_command(
    root: Annotated[Path, typer.Argument(help="Folder of imu_activity.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("out/people"),
    results: Annotated[Path, typer.Option(help="Folder for the table.")] = Path("docs/results"),
    seeds: Annotated[int, typer.Option(min=1, max=5, help="Runs of each method.")] = 3,
    test: Annotated[
        bool, typer.Option(help="Read the test part, too; not while anything is still chosen.")
    ] = True,
    lengths: Annotated[
        list[str] | None, typer.Option("--length", help="Of windows: '1 s', '2.56 s' or both.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="GROUP.NAME=VALUE", help="One setting, of all encoders."),
    ] = None,
) -> None:
    """Compare encoders of a watch's IMU with simple models, on people none of them has seen."""
    import rich

    from xmodal_ros.data.inertial import read_tracks
    from xmodal_ros.data.inertial.problems import screened
    from xmodal_ros.data.visual_tactile.example import TEST, VALIDATION
    from xmodal_ros.progress import progress_bar
    from xmodal_ros.train.align.imu_activity import ENCODERS, LENGTHS, PEERS, run_people
    from xmodal_ros.train.pretrain.files import save_text

    console = rich.get_console()
    data = screened(read_tracks(root))
    parts = (VALIDATION, TEST) if test else (VALIDATION,)
    made: dict[str, Any] = {
        "experiment": NAME,
        "question": QUESTION,
        "data": [data.root.name],
        "parts": list(parts),
        "lengths": lengths or list(LENGTHS),
        "overrides": list(overrides or []),
        "problems": [str(problem) for problem in data.problems],
    }
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    text = ""
    count = seeds * len(made["lengths"]) * (len(PEERS) + len(ENCODERS))
    with progress_bar(console, "models", count) as bar:
        runs = run_people(data, out, seeds, parts, made["overrides"], made["lengths"])
        for done, (method, length, found) in enumerate(runs, 1):
            rows.setdefault((length, method), []).append(found)
            made["rows"] = [
                {"variant": key[0], "condition": key[1], "seeds": of} for key, of in rows.items()
            ]
            text = page(made)
            save_text(results / f"{NAME}.json", json.dumps(made, indent=1) + "\n")
            save_text(results / f"{NAME}.md", text)
            bar.update(done, f"{length}, {method}, seed {found['seed']}")
    console.print(text, markup=False, highlight=False, soft_wrap=True)
    console.print(f"[bold]{results / NAME}.json[/]", soft_wrap=True)


def page(found: Mapping[str, Any]) -> str:
    """Markdown: question, a table for each part, notes."""
    from xmodal_ros.train.experiments.table import scores_table

    blocks = [f"# {found['experiment']}", found["question"]]
    for part in reversed(found["parts"]):
        counts = {s[part]["as worn"]["count"] for row in found["rows"] for s in row["seeds"]}
        windows = " to ".join(str(n) for n in sorted({min(counts), max(counts)}))
        blocks += [
            f"## {part.capitalize()} people",
            scores_table(found, part, COLUMNS),
            f"Windows: {windows}.",
        ]
    seeds = max(len(row["seeds"]) for row in found["rows"])
    notes = [f"- {text.format(seeds=seeds)}" for text in NOTES]
    train = [s["windows"] for row in found["rows"] for s in row["seeds"]]
    notes.append(f"- Training windows: {min(train)} to {max(train)}. {_left_out(found)}")
    changed = "".join(f" --length '{length}'" for length in found["lengths"])
    changed += "".join(f" --set {text}" for text in found["overrides"])
    notes.append(f"- Made by `xmodal people{changed}`.")
    return "\n\n".join([*blocks, "\n".join(notes)]) + "\n"


def _left_out(found: Mapping[str, Any]) -> str:
    most: dict[str, int] = {}
    for row in found["rows"]:
        for seed in row["seeds"]:
            for why, count in seed["left_out"].items():
                most[why] = max(most.get(why, 0), count)
    told = ", ".join(f"{why}: {count}" for why, count in most.items())
    return f"Left out at most: {told}." if told else "None is left out."
