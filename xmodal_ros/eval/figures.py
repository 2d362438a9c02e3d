"""The report's charts, made with plotly from plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmodal_ros.eval.results import HeadResult

MOST_POINTS = 3000
"""Per trace; longer runs are thinned so that the page stays small."""
INK, BLUE, AMBER, GREEN, GRID = "#1d2733", "#2c6fbb", "#e08a00", "#5b8c3a", "#e4e8ee"
COLORS = (BLUE, AMBER, GREEN)
SCALE = [[0, "#f5f8fc"], [0.5, "#8db8e2"], [1, "#123f75"]]
FONT = {"family": "system-ui, sans-serif", "size": 12, "color": INK}


def timeline(heads: Mapping[str, HeadResult], start_ns: int) -> go.Figure:
    """Probabilities of every head over time; thick amber lines are the true labels."""
    rows = list(heads.values())
    heights = [max(90, 16 * _rows_drawn(h) + 20) for h in rows]
    total = sum(heights) + 40 * len(rows)
    figure = make_subplots(
        rows=len(rows),
        cols=1,
        shared_xaxes=True,
        row_heights=[float(h) for h in heights],
        vertical_spacing=34 / total if len(rows) > 1 else 0,
        subplot_titles=[_title(h) for h in rows],
    )
    for row, head in enumerate(rows, start=1):
        draw = _line if len(head.labels) == 2 else _heatmap
        draw(figure, head, start_ns, row)
        _truth(figure, head, start_ns, row)
    figure.update_xaxes(title_text="time since the start of the recording, s", row=len(rows))
    for note in figure.layout.annotations:
        note.update(x=0, xanchor="left", font={"size": 13})
    return _styled(figure, total + 40)


def ages(ages_ns: Mapping[str, Sequence[int]], spread_ns: Sequence[int]) -> go.Figure:
    """Quartiles of each stream's age and of the spread within a set, ms; whiskers hold 98 %."""
    figure = go.Figure()
    for name, values in {**ages_ns, "spread of a set": spread_ns}.items():
        low, q1, median, q3, high = np.percentile(np.asarray(values) / 1e6, [1, 25, 50, 75, 99])
        figure.add_box(
            y=[name],
            lowerfence=[low],
            q1=[q1],
            median=[median],
            q3=[q3],
            upperfence=[high],
            orientation="h",
            marker_color=BLUE if name in ages_ns else AMBER,
        )
    figure.update_layout(showlegend=False)
    figure.update_xaxes(title_text="age at the anchor's stamp, ms (negative: newer)")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return _styled(figure, 100 + 34 * (len(ages_ns) + 1))


def latencies(stages_ns: Mapping[str, Sequence[int]]) -> go.Figure:
    """Histogram of the time each stage took, ms."""
    figure = go.Figure()
    stages = {name: np.asarray(values) / 1e6 for name, values in stages_ns.items()}
    longest = max(float(np.percentile(values, 99.5)) for values in stages.values())
    edges = np.linspace(0, longest, 61)
    for (name, values), color in zip(stages.items(), COLORS, strict=False):
        count, _ = np.histogram(values, edges)
        figure.add_bar(
            x=edges[:-1] + edges[1] / 2, y=count, name=name, marker_color=color, opacity=0.7
        )
    figure.update_layout(
        barmode="overlay", bargap=0, legend={"orientation": "h", "y": 1.2, "x": 0}
    )
    figure.update_xaxes(title_text="ms per observation (slowest 0.5 % not drawn)")
    figure.update_yaxes(title_text="observations")
    return _styled(figure, 280)


def confusion(matrix: np.ndarray, labels: Sequence[str]) -> go.Figure:
    """Counts of true against predicted classes `(C, C)`, over the classes that occur in either."""
    used = np.flatnonzero(matrix.sum(0) + matrix.sum(1))
    names = [labels[i] for i in used]
    counts = matrix[np.ix_(used, used)]
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = go.Figure(
        go.Heatmap(
            z=share.astype(np.float32),
            x=names,
            y=names,
            text=counts,
            texttemplate="%{text}",
            colorscale=SCALE,
            zmin=0,
            zmax=1,
            showscale=False,
            hovertemplate="true %{y}, predicted %{x}: %{text}<extra></extra>",
        )
    )
    figure.update_xaxes(title_text="predicted", showgrid=False)
    figure.update_yaxes(title_text="true", autorange="reversed", showgrid=False)
    return _styled(figure, 150 + 30 * len(names))


def risks(curves: Mapping[str, np.ndarray]) -> go.Figure:
    """Share of wrong answers `(n,)` among those kept, by what they are sorted by."""
    figure = go.Figure()
    for (name, risk), color in zip(curves.items(), COLORS, strict=False):
        figure.add_scatter(
            x=_thin(np.arange(1, len(risk) + 1) / len(risk)).astype(np.float32),
            y=_thin(risk).astype(np.float32),
            name=f"by {name}",
            line={"color": color, "width": 1.5},
        )
    figure.update_layout(legend={"orientation": "h", "y": 1.2, "x": 0})
    figure.update_xaxes(title_text="share of answers kept", range=[0, 1])
    figure.update_yaxes(title_text="wrong among them", rangemode="tozero")
    return _styled(figure, 280)


def _title(head: HeadResult) -> str:
    truth = " · amber: true label" if head.segments else " · no labels in the recording"
    what = f"P({head.labels[1]})" if len(head.labels) == 2 else "probability of each class"
    return f"<b>{head.name}</b> ({head.task}) · {what}{truth}"


def _rows_drawn(head: HeadResult) -> int:
    return 5 if len(head.labels) == 2 else len(head.labels)


def _line(figure: go.Figure, head: HeadResult, start_ns: int, row: int) -> None:
    time, p = _with_gaps(head, start_ns)
    figure.add_scatter(
        x=time, y=p[:, 1], line={"color": BLUE, "width": 1.5}, name=head.name, row=row, col=1
    )
    figure.add_hline(
        y=head.threshold, line={"color": INK, "dash": "dot", "width": 1}, row=row, col=1
    )
    figure.update_yaxes(
        range=[-0.08, 1.08],
        tickvals=[0, 0.5, 1],
        ticktext=[head.labels[0] + " 0", "0.5", head.labels[1] + " 1"],
        row=row,
    )


def _heatmap(figure: go.Figure, head: HeadResult, start_ns: int, row: int) -> None:
    time, p = _with_gaps(head, start_ns)
    figure.add_heatmap(
        x=time,
        y=list(head.labels),
        z=p.T,
        colorscale=SCALE,
        zmin=0,
        zmax=1,
        showscale=False,
        hovertemplate="%{x:.2f} s, %{y}: %{z:.2f}<extra></extra>",
        row=row,
        col=1,
    )
    figure.update_yaxes(showgrid=False, autorange="reversed", row=row)


def _truth(figure: go.Figure, head: HeadResult, start_ns: int, row: int) -> None:
    x: list[float | None] = []
    y: list[int | str | None] = []
    for segment in head.segments:
        if segment.label in head.labels:
            two = len(head.labels) == 2  # a line between 0 and 1, not rows by name
            place = head.labels.index(segment.label) if two else segment.label
            x += [(segment.start_ns - start_ns) / 1e9, (segment.end_ns - start_ns) / 1e9, None]
            y += [place, place, None]
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": AMBER, "width": 3},
        name="true label",
        hoverinfo="skip",
        row=row,
        col=1,
    )


def _with_gaps(head: HeadResult, start_ns: int) -> tuple[np.ndarray, np.ndarray]:
    """Time in s and probabilities; NaN where the head was silent, so that nothing is drawn."""
    time, p = _thin(head.stamps_ns - start_ns) / 1e9, _thin(head.probabilities)
    if len(time) > 2:
        usual = float(np.median(np.diff(time)))
        gaps = np.flatnonzero(np.diff(time) > 4 * usual)
        edges = np.stack([time[gaps] + usual, time[gaps + 1] - usual], axis=1).ravel()
        places = np.repeat(gaps + 1, 2)
        time, p = np.insert(time, places, edges), np.insert(p, places, np.nan, axis=0)
    return time.astype(np.float32), p.astype(np.float32)


def _thin(values: np.ndarray) -> np.ndarray:
    return values[:: max(1, -(-len(values) // MOST_POINTS))]


def _styled(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 34, "b": 40},
        font=FONT,
        paper_bgcolor="white",
        plot_bgcolor="white",
        **({"showlegend": False} if figure.layout.legend.orientation is None else {}),
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, automargin=True)
    return figure
