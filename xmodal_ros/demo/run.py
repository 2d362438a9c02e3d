"""The steps of the demonstration, and what must hold for it to succeed."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import rclpy
import yaml
from rich.console import Console

from xmodal_ros.cli import make_demo_recording
from xmodal_ros.core.errors import UserError
from xmodal_ros.core.settings import Settings
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import find_topics
from xmodal_ros.data.settings_file import load_settings
from xmodal_ros.demo.processes import Children, end_on_signals, own_graph
from xmodal_ros.demo.view import live
from xmodal_ros.demo.watch import NODE, Watcher
from xmodal_ros.eval import evaluate, show
from xmodal_ros.eval.parity import Parity, compare, read_answers
from xmodal_ros.eval.summary import percentiles

START_TIMEOUT_S = 90.0
"""For loading and warming the model on a busy machine."""
SETTLE_S = 1.0
"""Silence after the last message that ends a run."""
REFRESH_S = 0.2


class DemoError(UserError):
    """The demonstration did not show what it has to."""


def run(out: Path, recording: Path | None, data: Path | None, bundle: str) -> None:
    """Run the demonstration; see the package.

    Without a recording, the simulated cell's is made; where there are real recordings, one of
    those is shown first, and the cell's after it.

    Args:
        out: Folder for results; earlier ones are replaced. Those of the cell are in `out/cell`
            where there are others.
        recording: Recording to play; None to make the demonstration's.
        data: Folder of the real recordings; None without them.
        bundle: Folder of the model bundle; empty for the installed one.

    Raises:
        DemoError: a process failed, a head gave no prediction, or live and offline differ.
        UserError: the recording or the bundle cannot be used.
    """
    console = Console()
    end_on_signals()
    if recording:
        _show(console, out, recording, bundle)
        return
    if data:
        _show(console, out, _make_recording(out, data, console), bundle)
        out = out / "cell"
    _show(console, out, _make_recording(out, None, console), bundle)


def _show(console: Console, out: Path, recording: Path, bundle: str) -> None:
    """Live, offline, and live in lock-step; `settings.yaml` in the recording says its topics."""
    own = recording / "settings.yaml"
    named = [f"inference.bundle={bundle}"] if bundle else []
    settings = load_settings(own if own.is_file() else None, named)
    out.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(settings.to_mapping(), sort_keys=False)
    (out / evaluate.SETTINGS).write_text(text, encoding="utf-8")
    environment = own_graph()
    os.environ.update(environment)
    rclpy.init(args=[], signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    try:
        with Children(out / "logs", environment) as children:
            console.rule("1 of 3: the live node, in real time")
            watcher = _play(children, console, recording, settings, out / "live", lock_step=False)
            console.rule("2 of 3: the same recording offline, without ROS")
            with show.progress_bar(console, recording.name) as listener:
                evaluation = evaluate.predict(recording, out, settings, listener)
            console.rule("3 of 3: the live node again, in lock-step, to compare bit by bit")
            _play(children, console, recording, settings, out / "lock_step", lock_step=True)
    finally:
        rclpy.shutdown()
    offline = read_answers(out / evaluate.PREDICTIONS)
    parity = {
        "real time": compare(read_answers(out / "live"), offline),
        "lock-step": compare(read_answers(out / "lock_step"), offline),
    }
    latencies_ns = [ns for head in watcher.heads.values() for ns in head.latencies_ns]
    facts = {
        "parity": {name: asdict(p) for name, p in parity.items()},
        "dropped_sets": watcher.dropped,
        "latency_ms": percentiles(latencies_ns),
    }
    summary = evaluate.write_results(evaluation, out, facts)
    _tell(console, out, summary, parity)
    _judge(out, parity, summary, watcher)


def _make_recording(out: Path, data: Path | None, console: Console) -> Path:
    path = out / "recording"
    shutil.rmtree(path, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    with console.status("building the recording"):
        make_demo_recording(path, data)
    with Recording(path) as source:
        facts = source.metadata
    console.print(facts["note"], markup=False)
    for streams, origin in json.loads(facts["sources"]).items():
        console.print(f"  {streams}: {origin['source']} ({origin['licence']})", markup=False)
    return path


def _play(
    children: Children,
    console: Console,
    recording: Path,
    settings: Settings,
    out: Path,
    lock_step: bool,
) -> Watcher:
    """Start the node, play the recording, and keep what it answers."""
    shutil.rmtree(out, ignore_errors=True)
    with Recording(recording) as source:
        tracks, start_ns = evaluate.read_labels(source), source.start_ns
    node, play = f"node_{out.name}", f"play_{out.name}"
    given = ["--settings", str(out.with_name(evaluate.SETTINGS))]
    given += ["--set", f"output.lock_step={str(lock_step).lower()}"]
    with Watcher(out) as watcher:
        children.start(node, "node", *given, "--ros-args", "-p", "use_sim_time:=true")
        with console.status("loading the model"):
            _until_ready(children, node, watcher)
        model = watcher.model
        console.print(f"{model.model_id} on {model.backend} {model.device} {model.precision}")
        options = ["--lock-step"] if lock_step else _waiting_for(recording, settings, watcher)
        timeout = f"--timeout={START_TIMEOUT_S}"
        children.start(play, "play", str(recording), timeout, *options)
        with live(console, watcher, tracks, start_ns) as refresh:
            while children.exit_code(play) is None:
                watcher.listen(REFRESH_S)
                refresh()
                _check_running(children, node)
            heard = -1
            while heard != watcher.count:  # until what is on its way has come
                heard = watcher.count
                watcher.listen(SETTLE_S)
                refresh()
        if children.exit_code(play):
            raise DemoError("playing failed", where=str(recording), do=children.tail(play))
        children.stop(node)
        return watcher


def _waiting_for(recording: Path, settings: Settings, watcher: Watcher) -> list[str]:
    """Options that start the player when the node hears every topic it reads."""
    streams = [stream.stream for stream in watcher.model.inputs]
    with Recording(recording) as source:
        topics = find_topics(source, settings.reading(streams))
    return [part for topic in topics.values() for part in ("--wait-for", topic)]


def _until_ready(children: Children, node: str, watcher: Watcher) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while watcher.model is None:
        _check_running(children, node)
        if time.monotonic() > end:
            text = f"did not get ready within {START_TIMEOUT_S:.0f} s"
            raise DemoError(text, where=NODE, do=children.tail(node))
        watcher.listen(REFRESH_S)


def _check_running(children: Children, node: str) -> None:
    if children.exit_code(node) is not None:
        raise DemoError("the node ended", where=NODE, do=children.tail(node))


def _tell(
    console: Console, out: Path, summary: Mapping[str, Any], parity: Mapping[str, Parity]
) -> None:
    console.print(show.table(summary))
    for line in show.lines(summary):
        console.print(line)
    for name, p in parity.items():
        console.print(
            f"{name}: {p.first} answers live, {p.second} offline, {p.common} of the same stamp, "
            f"{p.equal} of them bit-equal"
            + "".join(f"; {field} differs in {n}" for field, n in p.differing.items()),
            soft_wrap=True,
        )
    latency, dropped = summary["live"]["latency_ms"], summary["live"]["dropped_sets"]
    if latency:
        console.print(
            f"live sync + preprocess + inference: p50 {latency['p50']:.1f} ms, "
            f"p99 {latency['p99']:.1f} ms; "
            f"{dropped} sets dropped because a newer one was there",
            soft_wrap=True,
        )
    for name in (evaluate.REPORT, evaluate.SUMMARY, evaluate.PREDICTIONS, "live", "lock_step"):
        console.print(f"  [bold]{out / name}[/]", soft_wrap=True)


def _judge(
    out: Path, parity: Mapping[str, Parity], summary: Mapping[str, Any], watcher: Watcher
) -> None:
    """Refuse a demonstration in which something is missing."""
    wrong = [f"head '{n}' gave nothing live" for n, h in watcher.heads.items() if not h.count]
    wrong += [
        f"head '{n}' gave nothing offline" for n in watcher.heads if n not in summary["heads"]
    ]
    if not parity["lock-step"].complete:
        wrong.append("in lock-step, live and offline predictions are not the same")
    if not parity["real time"].common:
        wrong.append("in real time, no live prediction has the stamp of an offline one")
    wrong += [
        f"{name} is missing"
        for name in (evaluate.REPORT, evaluate.SUMMARY)
        if not (out / name).is_file()
    ]
    if wrong:
        raise DemoError("; ".join(wrong), where=str(out), do="The logs are in logs/")
