"""Row `overlays`: what pictures of the attention cost a prediction while nobody listens."""

from __future__ import annotations

import statistics
import time

import numpy as np

from bench.row import Row, repeat, timed
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.predictor import Predictor

REPEATS, CALLS, DRAWINGS = 7, 1000, 20


def overlays() -> Row:
    """Ask every topic for a subscriber, as after each prediction; and draw them all."""
    import rclpy

    from xmodal_ros.ros.lifecycle import Lifecycle
    from xmodal_ros.ros.overlays import Overlays
    from xmodal_ros.runtime.focus import Focus

    rclpy.init(args=[])
    try:
        with Predictor(Bundle.load(), InferenceSettings(device="cpu")) as predictor:
            observation = predictor.blank_observation()
            predictor.predict(observation)
            encoded, focus = predictor.encoded, Focus(predictor)
            node = Lifecycle("overlays")
            asked = Overlays(node, predictor)
            ask = repeat(lambda _: asked.wanted(observation, encoded), None, CALLS)
            costs = [1e6 * timed(ask, time.process_time) / CALLS for _ in range(REPEATS)]
            focus.load()
            drawn = []
            for _ in range(DRAWINGS):
                begun = time.process_time()
                for head, streams in focus.streams.items():
                    focus.overlays(head, streams, observation, encoded)
                drawn.append(1e3 * (time.process_time() - begun))
            node.destroy_node()
    finally:
        rclpy.shutdown()
    return Row(
        "overlays",
        "CPU of a prediction for pictures of the attention that nobody listens to",
        "20 µs",
        "µs",
        statistics.median(costs),
        None,
        tuple(costs),
        at_most=20.0,
        details={
            "topics": float(sum(map(len, focus.streams.values()))),
            "drawing all of them, beside the predictions (ms)": float(np.median(drawn)),
        },
    )
