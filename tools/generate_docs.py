"""Write tables of parameters and messages, and the examples, into the documents.

python tools/generate_docs.py            rewrite README.md and docs/
python tools/generate_docs.py --check    exit 1 if a document is not up to date
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a checkout that is not installed

from xmodal_ros.core.declare import Described, describe  # noqa: E402
from xmodal_ros.core.settings import DEFAULT_STREAMS, GROUPS, StreamSettings  # noqa: E402

DOCUMENTS = (
    "README.md",
    "docs/api.md",
    "docs/messages.md",
    "docs/robots.md",
    "docs/simulation.md",
)
MARKED = re.compile(r"(<!-- generated: (?P<table>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
PARTS = {".srv": ("request", "response"), ".action": ("goal", "result", "feedback")}
"""What `---` divides, by the kind of file."""
FIELD = re.compile(
    r"^(?P<type>[\w/\[\]]+)\s+(?P<name>\w+)(?:=(?P<value>\d+))?\s*(?:#\s*(?P<doc>.*))?$"
)


def parameters() -> str:
    """One row per setting: name, default, range, whether a running node applies it, meaning."""
    rows = ["| parameter | default | range | live | meaning |", "|---|---|---|---|---|"]
    for row in _settings():
        live = "" if row.read_only else "yes"
        cells = [f"`{row.name}`", _code(row.default), _range(row), live, row.doc]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def cell_parameters() -> str:
    """One row per setting of the live cell."""
    from xmodal_ros.sim.live_settings import rows as settings

    rows = ["| parameter | default | range | meaning |", "|---|---|---|---|"]
    for row, default in settings():
        cells = [f"`{row.name}`", _code(default), _range(row), row.doc]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def gel_parameters() -> str:
    """One row per setting of a gel camera."""
    from xmodal_ros.drivers.gel_settings import rows as settings

    rows = ["| parameter | default | range | meaning |", "|---|---|---|---|"]
    for row in settings():
        cells = [f"`{row.name}`", _code(row.default), _range(row), row.doc]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def streams() -> str:
    """One row per default stream: name, topic, type."""
    rows = ["| stream | topic | type |", "|---|---|---|"]
    rows += [f"| `{s.name}` | `{s.topic}` | `{s.message_type}` |" for s in DEFAULT_STREAMS]
    return "\n".join(rows)


def messages() -> str:
    """One row per message, service and action: its purpose, from the first comment."""
    rows = [f"| [`{p.stem}`]({_source(p)}) | {_purpose(p)} |" for p in _interfaces()]
    return "\n".join(["| interface | what it says |", "|---|---|", *rows])


def fields() -> str:
    """A table of fields for each message, service and action."""
    parts = []
    for path in _interfaces():
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = ["| field | type | meaning |", "|---|---|---|"]
        names = iter(PARTS.get(path.suffix, ()))
        if path.suffix in PARTS:
            rows.append(f"| **{next(names)}** | | |")
        for line in lines[1:]:
            if line == "---":
                rows.append(f"| **{next(names)}** | | |")
            elif match := FIELD.match(line):
                value = f" = {match['value']}" if match["value"] else ""
                doc = (match["doc"] or "").replace("|", "\\|")
                rows.append(f"| `{match['name']}`{value} | `{match['type']}` | {doc} |")
        parts.append(f"## {path.stem}\n\n{_purpose(path)}\n\n" + "\n".join(rows))
    return "\n\n".join(parts)


def gel_errors() -> str:
    """Errors of rendered gel images, as tools/gel_comparison.py found them."""
    path = ROOT / "docs" / "results" / "gel_comparison.json"
    rows = ["| sensor (presses) | image | near the press | whole image |", "|---|---|---|---|"]
    for sensor, found in json.loads(path.read_text(encoding="utf-8")).items():
        presses = found.pop("presses")
        for name, e in found.items():
            near = f"{e['near']:.1f} ± {e['near_spread']:.1f}"
            whole = f"{e['image']:.1f} ± {e['image_spread']:.1f}"
            rows.append(f"| {sensor} ({presses}) | {name} | {near} | {whole} |")
    return "\n".join(rows).replace("_", " ")


def grasp_outcomes() -> str:
    """How simulated grasps ended, as tools/grasp_outcomes.py counted them."""
    path = ROOT / "docs" / "results" / "grasp_outcomes.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    names = list(found["outcomes"])
    rows = [f"| grip to spare | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in found["by_grip_to_spare"]:
        span = f"{row['from']:g} to {row['to']:g}" if row["to"] else f"over {row['from']:g}"
        rows.append(f"| {span} | {' | '.join(str(row[name]) for name in names)} |")
    rows.append(f"| all | {' | '.join(str(n) for n in found['outcomes'].values())} |")
    last = found["first_seed"] + found["episodes"] - 1
    return "\n".join(rows) + (
        f"\n\n`python tools/grasp_outcomes.py` counted them in the episodes of seeds "
        f"{found['first_seed']} to {last}, {found['mean_duration_s']} s long in the mean: "
        f"{100 * found['held_share']:.0f} % held, {len(found['diverged_seeds'])} diverged."
    )


def example(path: Path) -> str:
    """The source of an example."""
    return f"```python\n{path.read_text(encoding='utf-8')}```"


TABLES: dict[str, Callable[[], str]] = {
    "parameters": parameters,
    "cell-parameters": cell_parameters,
    "gel-parameters": gel_parameters,
    "streams": streams,
    "messages": messages,
    "fields": fields,
    "gel-errors": gel_errors,
    "grasp-outcomes": grasp_outcomes,
}
for _example in sorted((ROOT / "examples").glob("*.py")):
    TABLES[f"example-{_example.stem}"] = functools.partial(example, _example)


def generated(text: str) -> str:
    """`text` with every marked table made anew."""
    return MARKED.sub(lambda m: f"{m[1]}{TABLES[m['table']]()}\n{m[3]}", text)


def main(arguments: list[str]) -> int:
    """Rewrite the documents, or with `--check` only compare."""
    stale = []
    for name in DOCUMENTS:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        if generated(text) != text:
            stale.append(name)
            if arguments != ["--check"]:
                path.write_text(generated(text), encoding="utf-8")
    if stale and arguments == ["--check"]:
        print(f"not up to date: {', '.join(stale)}; run python tools/generate_docs.py")
        return 1
    return 0


def _settings() -> Iterator[Described]:
    for row in describe(StreamSettings, "<stream>."):
        if row.name != "<stream>.name":
            yield row
    for name, group in GROUPS.items():
        yield from describe(group, f"{name}.")


def _interfaces() -> list[Path]:
    folder = ROOT / "xmodal_msgs"
    return [
        p for kind in ("msg", "srv", "action") for p in sorted((folder / kind).glob(f"*.{kind}"))
    ]


def _source(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _purpose(path: Path) -> str:
    return path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")


def _code(value: object) -> str:
    return f"`{value}`" if value != "" else "empty"


def _range(row: Described) -> str:
    if row.choices:
        return ", ".join(f"`{choice}`" if choice else "empty" for choice in row.choices)
    if row.low is None:
        return row.unit
    unit = f" {row.unit}" if row.unit else ""
    return (
        f"{row.low:g} to {row.high:g}{unit}"
        if row.high is not None
        else f"at least {row.low:g}{unit}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
