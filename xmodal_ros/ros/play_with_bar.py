"""Play a recording in this process, with a progress bar."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import rclpy
from rclpy.signals import SignalHandlerOptions
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from xmodal_ros.data.recording import Recording
from xmodal_ros.ros.play import Player, PlayOptions
from xmodal_ros.ros.profile import use_profile


def play_recording(path: Path, options: PlayOptions) -> None:
    """Play a recording in this process, with a progress bar; Ctrl-C ends it.

    Raises:
        UserError: as `Player`; or the recording cannot be read.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    use_profile()
    console = Console(stderr=True)
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(
            "{task.completed:.1f} of {task.total:.1f} s, {task.fields[rate]:.0f} messages/s"
        ),
        TimeRemainingColumn(),
    )
    try:
        with Recording(path) as recording, Progress(*columns, console=console) as bars:
            player = Player(recording, options, lambda text: console.print(text, markup=False))
            length_s = (recording.end_ns - recording.start_ns) * 1e-9 - options.start_s
            total_s = min(length_s, options.duration_s)
            bar = bars.add_task(path.name, total=total_s, rate=0.0)
            begun_s = time.monotonic()

            def show(recorded_s: float, count: int) -> None:
                rate = count / max(time.monotonic() - begun_s, 1e-3)
                bars.update(bar, completed=recorded_s, rate=rate)

            try:
                player.play(show)
            finally:
                player.close()
            if recording.unread:
                console.print(f"not readable: {recording.unread}", markup=False)
    except KeyboardInterrupt:
        console.print("stopped")
    finally:
        rclpy.shutdown()
