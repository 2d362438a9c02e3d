"""Hits on the terminal, as plain data and as one HTML page that needs nothing from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from xmodal_ros.search.find import Hit
from xmodal_ros.search.query import Query


def plain(query: Query, hits: Sequence[Hit]) -> dict[str, Any]:
    """What JSON knows, without pictures."""
    return {
        "stream": query.stream,
        "hits": [
            {
                "recording": hit.recording,
                "time_s": round(hit.time_s, 6),
                "stream": hit.stream,
                "similarity": round(hit.similarity, 6),
                "answers": {
                    head: {"label": label, "probability": round(probability, 6)}
                    for head, (label, probability) in hit.answers.items()
                },
                "note": hit.note,
            }
            for hit in hits
        ],
    }


def table(query: Query, hits: Sequence[Hit]) -> Table:
    """One row per hit, the nearest first."""
    made = Table(title=f"{len(hits)} moments nearest to {query.asked}", title_justify="left")
    made.add_column("recording", overflow="fold")
    for name in ("time, s", "similarity"):
        made.add_column(name, justify="right")
    made.add_column("stream")
    made.add_column("answers")
    for hit in hits:
        note = f" [yellow]({hit.note})[/]" if hit.note else ""
        made.add_row(
            escape(hit.recording) + note,
            f"{hit.time_s:.2f}",
            f"{hit.similarity:.3f}",
            hit.stream,
            ", ".join(answers(hit)),
        )
    return made


def answers(hit: Hit) -> list[str]:
    """Label and probability of each head."""
    return [f"{head} {label} {odds:.0%}" for head, (label, odds) in sorted(hit.answers.items())]


def write_page(query: Query, hits: Sequence[Hit], title: str, path: Path) -> None:
    """Write the page."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"inline": _inline, "answers": answers}
    page = environment.get_template("page.html.j2").render(title=title, query=query, hits=hits)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def _inline(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
