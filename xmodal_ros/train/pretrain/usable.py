"""Which pairs a run uses: those that cannot be read are named, counted and left out."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from xmodal_ros.data.visual_tactile.pairs import Pairs
from xmodal_ros.progress import progress_bar
from xmodal_ros.train.pretrain.checkpoint import CHECKPOINT
from xmodal_ros.train.pretrain.files import save_text
from xmodal_ros.train.pretrain.run import RECORD

LEFT_OUT = "left_out.json"


def leave_out_unusable(pairs: Pairs, out: Path, console: Console, *, keep: bool = True) -> None:
    """Look at all images once, tell what is wrong with some, and leave their pairs out.

    A run that continues leaves out what it did before.

    Args:
        pairs: Changed in place.
        out: Folder of the run.
        console: Where to tell.
        keep: Write into `out` what was found; one of several processes does.

    Raises:
        DataError: there is no room in `out`.
    """
    path, count = out / LEFT_OUT, len(pairs)
    begun = (out / CHECKPOINT).exists() or (out / RECORD).exists()
    if begun and path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
    else:
        with progress_bar(console, "looking at images") as bar:

            def listen(done: int, total: int) -> None:
                bar.update(done, f"{done}/{total}, {bar.rate(done):.0f} images/s", total=total)

            found = pairs.unusable(listen)
        if keep:
            out.mkdir(parents=True, exist_ok=True)
            save_text(path, json.dumps(found, indent=1) + "\n")
    told = [f"{name} is left out: {why}" for name, why in found.items()]
    for line in [*told, f"{len(found)} of {count} pairs are left out"] if found else ():
        console.print(line, style="yellow", soft_wrap=True, markup=False, highlight=False)
    pairs.leave_out(found)
