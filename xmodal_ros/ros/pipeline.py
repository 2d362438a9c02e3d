"""From messages to published predictions: decode, synchronize, predict, and measure every stage.

Live, sets go to a worker that predicts the newest one or, while it is to be patient, all of them.
In lock-step, time is the messages' own and everything that follows from a message is done before
`push` returns, so that a replay gives what the offline evaluation gives.
"""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.health import Health
from xmodal_ros.core.settings import OutputSettings, Settings
from xmodal_ros.core.smoothing import Smoother
from xmodal_ros.core.throttle import Throttle
from xmodal_ros.core.types import Modality, Observation, Prediction
from xmodal_ros.core.windows import Window
from xmodal_ros.data.decode import stamp_ns
from xmodal_ros.data.ingest import Ingest
from xmodal_ros.ros.worker import Worker

LATENCY_WINDOW = 1000
_MAX_ARRIVALS = 512


Publish = Callable[[Observation, Prediction, int], None]
"""Takes an observation, its prediction and the synchronization latency in ns."""


class Predicts(Protocol):
    """What the pipeline needs of a `runtime.Predictor`."""

    def predict(self, observation: Observation) -> Prediction:
        """Answer for one observation."""


@dataclass(frozen=True)
class Outcome:
    """What became of a message."""

    sets: int
    """Sets that left because of it."""
    predictions: int
    """Predictions published by the time `push` returned; all of them in lock-step."""


@dataclass(frozen=True)
class _Answering:
    """What becomes of a set."""

    predictor: Predicts
    publish: Publish
    smoother: Smoother


@dataclass(frozen=True)
class _Set:
    observation: Observation
    answering: _Answering
    """Who answered when the set left; for it they do so after an exchange, too."""
    sync_ns: int
    left_ns: int


class Pipeline:
    """Synchronizer, worker and counters of a running node.

    Args:
        settings: All settings; `output` can be replaced while running.
        windows: How the bundle reads each stream.
        predictor: What answers.
        publish: Called with an observation, its prediction and the synchronization latency in ns,
            in the worker's thread.
        failed: Called with what `predict` or `publish` raised, in the worker's thread.
        refused: Called with a stream's name and why its message could not be decoded.
        patient: Whether sets that leave now are predicted late rather than not at all.
    """

    def __init__(
        self,
        settings: Settings,
        windows: Mapping[str, Window],
        predictor: Predicts,
        publish: Publish,
        failed: Callable[[Exception], None],
        refused: Callable[[str, DataError], None],
        patient: Callable[[], bool] = lambda: False,
    ) -> None:
        self.output: OutputSettings = settings.output
        self._settings, self._failed = settings, failed
        self._anchor = settings.anchor.name
        self._ingest = Ingest(settings, windows, refused)
        self._arrivals: OrderedDict[int, int] = OrderedDict()  # anchor stamp -> monotonic time
        self._stages: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=LATENCY_WINDOW))
        self._begin(predictor, publish)
        self.published = self.limited = self.failures = 0
        lock_step = settings.output.lock_step
        self._worker = None if lock_step else Worker(self._predict, "inference", patient)

    @property
    def health(self) -> Health:
        """Counters of the synchronizer, and what could not be decoded."""
        return self._ingest.health

    @property
    def dropped(self) -> int:
        """Sets that a newer one replaced because inference was busy."""
        return self._worker.dropped if self._worker else 0

    def push(self, stream: str, message: Any, now_ns: int) -> Outcome:
        """Take one message."""
        if stream == self._anchor:
            self._arrivals[stamp_ns(message.header.stamp)] = time.monotonic_ns()
            if len(self._arrivals) > _MAX_ARRIVALS:
                self._arrivals.popitem(last=False)
        return self._take(self._ingest.message(stream, message, now_ns if self._worker else None))

    def poll(self, now_ns: int) -> None:
        """Let sets leave whose deadline has passed; in lock-step, only messages move time."""
        if self._worker:
            self._take(self._ingest.synchronizer.poll(now_ns))

    def flush(self) -> None:
        """Let all sets leave that wait, and start anew."""
        self._take(self._ingest.flush())
        self.clear()

    def clear(self) -> None:
        """Forget what is buffered, because the clock was set back."""
        self._ingest.clear()
        self._arrivals.clear()
        self._begin(self._answering.predictor, self._answering.publish)

    def exchange(
        self,
        predictor: Predicts,
        publish: Publish,
        done: Callable[[], None],
    ) -> None:
        """Let another predictor answer for the sets that leave from now on.

        Args:
            predictor: It reads the same streams in the same way.
            publish: As for the pipeline.
            done: Called once the one before has answered for the sets that left before, in the
                worker's thread; not if the pipeline is closed earlier.
        """
        self._answering = _Answering(predictor, publish, Smoother(self._settings.smoothing))
        if self._worker:
            self._worker.after(done)
        else:
            done()

    def recapture_references(self) -> list[str]:
        """Estimate the no-contact images anew; return the names of the tactile streams."""
        streams = self._settings.streams
        names = [s.name for s in streams if s.modality == Modality.TACTILE.value]
        for name in names:
            self._ingest.synchronizer.recapture_reference(name)
        return names

    def latency_ms(self) -> dict[str, tuple[float, float]]:
        """50th and 99th percentile of each stage over the last sets, in ms."""
        found = {}
        for stage, values in tuple(self._stages.items()):
            p50, p99 = np.percentile(tuple(values), (50, 99)) / 1e6
            found[stage] = float(p50), float(p99)
        return found

    def close(self) -> None:
        """Finish the prediction at work and stop."""
        if self._worker:
            self._worker.stop()

    def _begin(self, predictor: Predicts, publish: Publish) -> None:
        self._throttle = Throttle()
        self._answering = _Answering(predictor, publish, Smoother(self._settings.smoothing))

    def _take(self, observations: Sequence[Observation]) -> Outcome:
        published = self.published
        for observation in observations:
            now = time.monotonic_ns()
            sync_ns = now - self._arrivals.pop(observation.stamp_ns, now)
            item = _Set(observation, self._answering, sync_ns, now)
            if not self._throttle.admits(observation.stamp_ns, self.output.max_rate_hz):
                self.limited += 1
            elif self._worker:
                self._worker.submit(item)
            else:
                self._predict(item)
        return Outcome(len(observations), self.published - published)

    def _predict(self, item: _Set) -> None:
        begun, answering = time.monotonic_ns(), item.answering
        try:
            predicted = answering.predictor.predict(item.observation)
            prediction = answering.smoother.apply(predicted)
            answered = time.monotonic_ns()
            answering.publish(item.observation, prediction, item.sync_ns)
        except Exception as error:  # the next observation may be fine; the node must live
            self.failures += 1
            self._failed(error)
            return
        done = time.monotonic_ns()
        self.published += 1
        stages = {
            "sync": item.sync_ns,
            "queue": begun - item.left_ns,
            "preprocess": prediction.preprocess_ns,
            "inference": prediction.inference_ns,
            "publish": done - answered,
            "overhead": done - item.left_ns + item.sync_ns - prediction.inference_ns,
        }
        for stage, duration_ns in stages.items():
            self._stages[stage].append(duration_ns)
