"""Play a recording in this process, with a progress bar."""

from __future__ import annotations

import signal
from pathlib import Path

import rclpy
from rclpy.signals import SignalHandlerOptions
from rich.console import Console

from xmodal_ros.data.recording import Recording
from xmodal_ros.progress import progress_bar
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
    try:
        with Recording(path) as recording, progress_bar(console, path.name) as bar:
            player = Player(recording, options, lambda text: console.print(text, markup=False))
            length_s = (recording.end_ns - recording.start_ns) * 1e-9 - options.start_s
            total_s = min(length_s, options.duration_s)

            def show(recorded_s: float, count: int) -> None:
                told = f"{recorded_s:.1f} of {total_s:.1f} s, {bar.rate(count):.0f} messages/s"
                bar.update(recorded_s, told, total=total_s)

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
