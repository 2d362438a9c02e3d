"""The pipeline: bounded under overload, alive after a failure, everything at once in lock-step."""

from __future__ import annotations

import threading

import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.types import Prediction
from xmodal_ros.ros.pipeline import Pipeline

START_NS = 1_700_000_000_000_000_000
STEP_NS = 40_000_000
STREAM = {"streams": {"camera": {"topic": "camera"}}}


class Model:
    """Answers when it is allowed to, with the stamps it saw."""

    def __init__(self) -> None:
        self.begun, self.allowed = threading.Semaphore(0), threading.Semaphore(0)

    def predict(self, observation):
        self.begun.release()
        assert self.allowed.acquire(timeout=10)
        if observation.stamp_ns == START_NS + 13 * STEP_NS:
            raise DataError("unlucky", where="camera")
        return Prediction(
            observation.stamp_ns, "", {}, {}, {}, "m", "h", preprocess_ns=1, inference_ns=2
        )


class Run:
    """A pipeline over one camera, and what it gave."""

    def __init__(self, messages, model: Model, **output) -> None:
        self.published, self.failed, self.refused = [], [], []
        self.model, self.messages = model, messages
        self.pipeline = Pipeline(
            Settings.from_mapping({**STREAM, "output": output}),
            {},
            model,
            lambda _, prediction, __: self.published.append(prediction.stamp_ns),
            self.failed.append,
            lambda stream, error: self.refused.append((stream, str(error))),
        )

    def push(self, step: int, **fields):
        stamp_ns = START_NS + step * STEP_NS
        return self.pipeline.push("camera", self.messages.image(stamp_ns, **fields), stamp_ns)


def test_under_overload_the_newest_set_is_predicted_and_drops_are_counted(messages) -> None:
    model = Model()
    run = Run(messages, model)
    run.push(0)
    assert model.begun.acquire(timeout=10)
    for step in range(1, 10):
        run.push(step)
    model.allowed.release(2)
    assert model.begun.acquire(timeout=10)
    run.pipeline.close()

    assert run.published == [START_NS, START_NS + 9 * STEP_NS]
    assert run.pipeline.dropped == 8
    assert run.pipeline.health.formed == 10
    assert set(run.pipeline.latency_ms()) >= {
        "sync",
        "queue",
        "preprocess",
        "inference",
        "publish",
    }


def test_in_lock_step_everything_is_done_when_push_returns(messages) -> None:
    model = Model()
    model.allowed.release(1000)
    run = Run(messages, model, lock_step=True)

    outcomes = [run.push(step) for step in range(10)]

    assert [(o.sets, o.predictions) for o in outcomes] == [(1, 1)] * 10
    assert run.published == [START_NS + k * STEP_NS for k in range(10)]
    assert run.pipeline.dropped == 0


def test_a_failed_prediction_is_told_and_the_next_one_made(messages) -> None:
    model = Model()
    model.allowed.release(1000)
    run = Run(messages, model, lock_step=True)

    outcomes = [run.push(step) for step in (12, 13, 14)]

    assert [o.predictions for o in outcomes] == [1, 0, 1]
    assert run.pipeline.failures == 1
    assert [str(e) for e in run.failed] == ["camera: unlucky"]


def test_the_rate_is_limited_by_the_stamps(messages) -> None:
    model = Model()
    model.allowed.release(1000)
    run = Run(messages, model, lock_step=True, max_rate_hz=10.0)

    for step in range(10):  # 25 Hz
        run.push(step)

    assert len(run.published) == 4  # of 0.4 s
    assert run.pipeline.limited == 10 - len(run.published)


def test_what_cannot_be_decoded_is_told_and_counted(messages) -> None:
    model = Model()
    model.allowed.release(1000)
    run = Run(messages, model, lock_step=True)

    assert run.push(0, encoding="rgb9").sets == 0
    assert run.push(1).predictions == 1
    ((stream, text),) = run.refused
    assert stream == "camera"
    assert "rgb9" in text
    assert run.pipeline.health.streams["camera"].refused.total() == 1


def test_flush_predicts_what_waits_and_starts_anew(messages) -> None:
    model = Model()
    model.allowed.release(1000)
    run = Run(messages, model, lock_step=True)
    run.pipeline = Pipeline(
        Settings.from_mapping(
            {
                "streams": {"camera": {"topic": "camera"}, "tactile_left": {}},
                "output": {"lock_step": True},
            }
        ),
        {},
        model,
        lambda _, prediction, __: run.published.append(prediction.stamp_ns),
        run.failed.append,
        lambda *_: None,
    )
    anchor = run.messages.image(START_NS)
    assert run.pipeline.push("tactile_left", anchor, 0).sets == 0  # it waits for the camera
    run.pipeline.flush()

    assert run.published == [START_NS]
    # Anew: a stamp from before is no clock that was set back.
    run.pipeline.push("tactile_left", run.messages.image(START_NS - 10**12), 0)
    assert run.pipeline.health.clock_resets == 0


@pytest.mark.parametrize("lock_step", [True, False])
def test_references_can_be_captured_anew(messages, lock_step) -> None:
    model = Model()
    run = Run(messages, model, lock_step=lock_step)
    assert run.pipeline.recapture_references() == []
    run.pipeline.close()


def test_sets_are_answered_by_who_answered_when_they_left(messages) -> None:
    old, new = Model(), Model()
    run, later, done = Run(messages, old), [], threading.Event()
    run.push(0)
    assert old.begun.acquire(timeout=10)
    run.push(1)
    run.pipeline.exchange(new, lambda _, p, __: later.append(p.stamp_ns), done.set)
    assert not done.is_set()
    old.allowed.release(2)
    assert done.wait(10)
    assert run.published == [START_NS, START_NS + STEP_NS]
    new.allowed.release()
    run.push(2)
    assert new.begun.acquire(timeout=10)
    run.pipeline.close()
    assert later == [START_NS + 2 * STEP_NS]
    assert run.pipeline.dropped == 0
