"""Row `describing`: what perception loses while a language model answers without a pause.

As a process, `python -m bench.describing FOLDER` runs `xmodal describe` with a describer and asks
it again and again; it says "ready" after the first answer. The language model has random weights:
what it says is nonsense, what it costs is not.
"""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.live import ours_of, rate_hz, run, scene_of
from bench.row import Row, compare
from xmodal_ros.runtime.bundle import Bundle, default_bundle

LOAD_HZ = {"tactile": 15.0, "camera": 15.0, "imu": 100.0, "lidar": 5.0}
"""What a machine of two cores answers with time to spare, so that there is something to lose."""
REPEATS, PAUSE_S = 3, 0.2
STREAMS, WIDTH, DEPTH, TOKENS = ("camera", "imu"), 512, 8, 200


def describing() -> Row:
    """Predictions per second with and without it, in turns."""
    path = default_bundle()
    bundle = Bundle.load(path)
    ours = ours_of(path, bundle)
    with tempfile.TemporaryDirectory() as folder:
        size = write_describer(Path(folder), path, bundle.spec.trunk.dim)
        beside = ("bench.describing", folder)
        found = []
        for _ in range(REPEATS):
            alone = run(scene_of(bundle, LOAD_HZ), **ours)
            both = run(scene_of(bundle, LOAD_HZ), **ours, beside=beside)
            found.append((both, alone))
    late = [
        [1e3 * float(np.percentile(h.arrival_s - h.stamp_s, 99)) for h in pair] for pair in found
    ]
    return compare(
        "describing",
        f"predictions per second of the live node, {LOAD_HZ['tactile']:g} Hz of gel images "
        f"offered, while a language model of {size / 1e6:.0f} million parameters answers",
        "the same without it",
        [rate_hz(both) for both, _ in found],
        [rate_hz(alone) for _, alone in found],
        unit="1/s",
        scale=1.0,
        at_least=0.95,
        details={
            "p99 from stamp to arrival, with it (ms)": statistics.median(a for a, _ in late),
            "p99 from stamp to arrival, without it (ms)": statistics.median(b for _, b in late),
        },
    )


def write_describer(folder: Path, encoders: Path, dim: int) -> int:
    """Write one with random weights; return how many parameters its language model has."""
    import torch

    from xmodal_ros.runtime.language.folder import LANGUAGE_MODEL, write_folder
    from xmodal_ros.runtime.language.reader import Reader
    from xmodal_ros.runtime.language.settings import ReaderSettings, ReadingSettings
    from xmodal_ros.train.language.decoder import make_decoder, make_tokenizer, save_decoder
    from xmodal_ros.train.language.settings import DecoderSettings

    torch.manual_seed(0)
    decoder = DecoderSettings(
        vocabulary=300, width=WIDTH, depth=DEPTH, heads=8, positions=2 * TOKENS
    )
    tokenizer = make_tokenizer(["what is the robot doing?"], decoder.vocabulary)
    model = make_decoder(decoder, tokenizer)
    save_decoder(folder / LANGUAGE_MODEL, model, tokenizer)
    settings, streams = ReaderSettings(), {name: ReadingSettings() for name in STREAMS}
    reader = Reader(settings, streams, dim, WIDTH)
    tensors = reader.state_dict()
    write_folder(folder, tensors, settings, streams, licence="MIT", encoders=str(encoders))
    return sum(p.numel() for p in model.parameters())


def main(folder: str) -> None:
    """Ask until a signal comes."""
    import rclpy
    from rclpy.action import ActionClient
    from rclpy.signals import SignalHandlerOptions

    from xmodal_msgs.action import DescribeScene
    from xmodal_ros.ros import spin

    stopping = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    settings = [f"language.path={folder}", f"language.max_tokens={TOKENS}"]
    command = [sys.executable, "-m", "xmodal_ros", "describe"]
    node = subprocess.Popen([*command, *(part for s in settings for part in ("--set", s))])
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    peer, spinner = rclpy.create_node("asks"), spin.executor()
    spinner.add_node(peer)
    client = ActionClient(peer, DescribeScene, "/describe/describe_scene")
    goal = DescribeScene.Goal(question="what is the robot doing?")

    def until(done: Callable[[], bool]) -> None:
        while not done() and not stopping.is_set():
            spinner.spin_once(timeout_sec=0.1)

    until(client.server_is_ready)
    told = False
    while not stopping.is_set():
        sent = client.send_goal_async(goal)
        until(sent.done)
        if stopping.is_set():
            break
        answer = sent.result().get_result_async()
        until(answer.done)
        if answer.done() and answer.result().result.error_code:
            stopping.wait(PAUSE_S)  # the sensors have not begun
        if not told:
            print("ready", flush=True)
            told = True
    node.send_signal(signal.SIGINT)
    node.wait()


if __name__ == "__main__":
    main(sys.argv[1])
