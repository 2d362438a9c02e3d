"""The evaluation as one HTML page that needs nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import plotly.graph_objects as go
import yaml
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from xmodal_ros.data.point_cloud.drawing import class_colours
from xmodal_ros.eval import figures
from xmodal_ros.eval.pictures import Moment
from xmodal_ros.eval.summary import STAGES, Evaluation

MOST_COLUMNS = 5


def write_report(evaluation: Evaluation, summary: Mapping[str, Any], path: Path) -> None:
    """Write the page that explains the run at a glance."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"number": number, "readable": readable}
    scored = {name: head for name, head in summary["heads"].items() if head["scores"]}
    answered = bool(evaluation.gathered.stamps_ns)
    start_ns = evaluation.recording.start_ns
    page = environment.get_template("report.html.j2").render(
        title=f"Evaluation of {evaluation.recording.path.name}",
        summary=summary,
        plotly_js=Markup(get_plotlyjs()),
        tiles=_tiles(summary),
        timeline=_html(figures.timeline(evaluation.heads, start_ns)) if evaluation.heads else "",
        moments=[_moment(m, evaluation) for m in evaluation.moments],
        columns=max((min(len(m.pictures), MOST_COLUMNS) for m in evaluation.moments), default=1),
        scored=scored,
        caveat=_caveat(scored),
        confusions={
            name: _html(figures.confusion(head.scores.confusion, head.labels))
            for name, head in evaluation.heads.items()
            if head.scores
        },
        risks={
            name: _html(figures.risks(head.risks))
            for name, head in evaluation.heads.items()
            if head.scores
        },
        points={name: part for name, part in summary["points"].items() if part["scores"]},
        colours={
            name: "#" + "".join(f"{value:02x}" for value in class_colours(np.array(k)))
            for part in summary["points"].values()
            for k, name in enumerate(part["labels"])
        },
        ages=_html(figures.ages(evaluation.gathered.ages_ns, evaluation.gathered.spread_ns))
        if answered
        else "",
        latencies=_html(
            figures.latencies({n: getattr(evaluation.gathered, k) for k, n in STAGES.items()})
        )
        if answered
        else "",
        settings_yaml=yaml.safe_dump(evaluation.settings.to_mapping(), sort_keys=False),
    )
    path.write_text(page, encoding="utf-8")


def number(value: float | None) -> str:
    """Three digits after the point; a dash where a score is not defined."""
    return "-" if value is None else f"{value:.3f}"


def readable(text: str) -> Markup:
    """Metadata of a recording; a table where it is JSON of mappings."""
    try:
        values = json.loads(text)
    except ValueError:
        values = text
    if not isinstance(values, dict):
        return escape(values)
    rows = Markup("").join(
        Markup("<tr><th>{}</th><td>{}</td></tr>").format(key, _flat(value))
        for key, value in values.items()
    )
    return Markup("<table>{}</table>").format(rows)


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_flat(part)}" for key, part in value.items())
    return ", ".join(map(_flat, value)) if isinstance(value, list) else str(value)


def _html(figure: go.Figure) -> Markup:
    config = {"displayModeBar": False, "responsive": True}
    return Markup(figure.to_html(full_html=False, include_plotlyjs=False, config=config))


def _tiles(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    observations, timing = summary["observations"], summary["timing"]
    inference = timing["stages_ms"]["inference"]
    tiles = [
        {
            "name": "observations",
            "value": str(observations["count"]),
            "note": f"{observations['partial']} with a stream missing",
        },
        {
            "name": "speed",
            "value": f"{timing['predictions_per_s']:.0f} /s",
            "note": f"{timing['times_real_time']:.1f} times real time",
        },
    ]
    if inference:
        tiles.append(
            {
                "name": "inference, p50",
                "value": f"{inference['p50']:.1f} ms",
                "note": f"p99 {inference['p99']:.1f} ms",
            }
        )
    for name, head in summary["heads"].items():
        scores = head["scores"]
        value = f"{scores['balanced_accuracy']:.2f}" if scores else f"{head['answers']}"
        note = (
            f"balanced accuracy, {head['labelled_segments']} labelled stretches"
            if scores
            else "answers, no labels to compare with"
        )
        tiles.append({"name": name, "value": value, "note": note})
    return tiles


def _caveat(scored: Mapping[str, Any]) -> str:
    if not scored:
        return ""
    stretches = ", ".join(f"{name} {head['labelled_segments']}" for name, head in scored.items())
    return (
        f"Labelled stretches of the recording: {stretches}. Answers within one stretch are not "
        "independent, so the scores say as much as that many trials do: they show that the data "
        "path works, not how good the model is. The model card has scores on whole test splits."
    )


def _moment(moment: Moment, evaluation: Evaluation) -> dict[str, Any]:
    answers = {name: _answer(name, moment, evaluation) for name in moment.prediction.heads}
    seen = {name for picture in moment.pictures for name in picture.answers}
    return {
        "time_s": (moment.stamp_ns - evaluation.recording.start_ns) / 1e9,
        "missing": moment.missing,
        "looks": moment.looks,
        "unseen": [answer for name, answer in answers.items() if name not in seen],
        "pictures": [
            {
                "stream": picture.stream,
                "modality": picture.modality.value,
                "html": picture.html,
                "age_ms": picture.age_ms,
                "answers": [answers[name] for name in picture.answers],
            }
            for picture in moment.pictures
        ],
    }


def _answer(name: str, moment: Moment, evaluation: Evaluation) -> dict[str, Any]:
    answer, head = moment.prediction.heads[name], evaluation.heads[name]
    truth = next((s.label for s in head.segments if s.start_ns <= moment.stamp_ns < s.end_ns), "")
    abstained = " (abstains)" if answer.abstained else ""
    return {
        "text": f"{name}: {answer.label} {answer.confidence:.0%}{abstained}",
        "percent": round(100 * answer.confidence),
        "truth": truth,
        "right": truth == answer.label,
    }
