"""What `/diagnostics` says of a running node: each input, the sets, and the predictions.

The level follows from what happened since the last report; the values are totals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from xmodal_ros.core import health as reasons
from xmodal_ros.core import windows
from xmodal_ros.core.health import StreamHealth
from xmodal_ros.core.settings import Settings
from xmodal_ros.ros.inputs import Input
from xmodal_ros.ros.model import Model
from xmodal_ros.ros.pipeline import Pipeline
from xmodal_ros.ros.session import NO_CLOCK, Session

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
COUNTED = ("refused", "dropped", "missing")
"""Counters of `StreamHealth` by reason."""

JUMPED = "jumped back"
ADVICE = {
    reasons.ZERO_STAMP: "let its driver fill header.stamp",
    reasons.FUTURE_STAMP: "synchronize the machines' clocks, or set use_sim_time for a recording",
    reasons.DUPLICATE: "two publishers send the same messages, or its driver repeats stamps",
    reasons.OVERFLOW: "raise sync.max_messages or sync.max_megabytes",
    reasons.LATE: "it came after the set of its time had left; raise sync.timeout_s",
    JUMPED: "by over sync.jump_back_s, so all that waited was forgotten: a recording that starts "
    "again, or a driver whose clock is not steady",
    NO_CLOCK: "start what publishes /clock, or unset use_sim_time",
    windows.SKEW: "raise its tolerance_s, or set its offset_s if it is constant",
}


class Diagnostics:
    """Makes the statuses of one node.

    Args:
        name: Name of the node, the first part of every status's name.
        settings: The node's settings; can be replaced while running.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        self.settings = settings
        self._name = name
        self._before: dict[str, Counter[str]] = {}

    def statuses(self, session: Session | None, model: Model) -> list[DiagnosticStatus]:
        """All statuses; those of inputs, sets and predictions while the node is active."""
        if session is None:
            return [self._status("state", OK, "inactive", model.status())]
        pipeline = session.pipeline
        streams = pipeline.health.streams
        return [
            *(self.input(source, streams[name]) for name, source in session.inputs.items()),
            self.sets(pipeline),
            self.predictions(pipeline, model.status()),
        ]

    def input(self, source: Input, health: StreamHealth) -> DiagnosticStatus:
        """Status of one stream's input."""
        stream = source.stream
        news = {
            kind: self._news(f"{stream.name} {kind}", getattr(health, kind)) for kind in COUNTED
        }
        stamps = self._news(f"{stream.name} stamps", {JUMPED: health.jumps_back})
        heard = self._news(f"{stream.name} heard", {"messages": source.heard})["messages"]
        starved = source.silent_s > self.settings.output.starved_after_s
        vital = stream.required or stream.name == self.settings.anchor.name
        level, text = OK, f"{health.rate_hz:.1f} Hz"
        if starved:
            level, text = ERROR if vital else WARN, source.why_silent()
        elif not source.heard:
            text = "waiting for the first message"
        elif trouble := self._trouble(source, health, {**news, "stamps": stamps}, heard):
            level, text = WARN, trouble
            if vital and heard and news["refused"].total() >= heard:
                level = ERROR
        values = {
            "topic": source.topic,
            "type": source.type,
            "messages": source.heard,
            "rate (Hz)": round(health.rate_hz, 2),
            "age (s)": round(source.silent_s, 3),
            "stamp to arrival (s)": round(health.delay_ns * 1e-9, 4),
            "skew to anchor (s)": round(health.skew_ns * 1e-9, 4),
            "out of order": health.out_of_order,
            "jumps back": health.jumps_back,
        }
        for kind in COUNTED:
            values |= {f"{kind}: {what}": n for what, n in getattr(health, kind).items()}
        return self._status(f"input {stream.name}", level, text, values, source.topic)

    def sets(self, pipeline: Pipeline) -> DiagnosticStatus:
        """Status of the synchronizer: whether sets are formed, and which stream is in the way."""
        health = pipeline.health
        refused = Counter({f"{s}: {why}": n for (s, why), n in health.refused.items()})
        lost = self._news("sets refused", refused)
        formed = self._news("sets", {"formed": health.formed})["formed"]
        level, text = OK, f"{formed} sets"
        if lost:
            names = ", ".join(f"{n} x {what}" for what, n in lost.most_common(3))
            level, text = (WARN if formed else ERROR), f"{formed} sets; not formed: {names}"
        elif not formed:
            silent = f"the anchor '{self.settings.anchor.name}' gives no time"
            level, text = WARN, f"no set: {silent}; {reasons.OTHER_ANCHOR}"
        values = {
            "formed": health.formed,
            "partial": health.partial,
            "clock resets": health.clock_resets,
            "rate limited": pipeline.limited,
        }
        values |= {f"not formed: {what}": n for what, n in refused.items()}
        return self._status("synchronizer", level, text, values)

    def predictions(self, pipeline: Pipeline, model: Mapping[str, Any]) -> DiagnosticStatus:
        """Status of inference and output: latencies, drops and what the model runs on."""
        totals = {
            "published": pipeline.published,
            "dropped": pipeline.dropped,
            "failed": pipeline.failures,
        }
        news = self._news("predictions", totals)
        level, text = OK, f"{news['published']} predictions"
        if news["dropped"]:
            level = WARN
            text += f", {news['dropped']} sets dropped: inference is slower than sets come"
            text += "; lower output.max_rate_hz or use a faster backend"
        if news["failed"]:
            level, text = ERROR, f"{news['failed']} predictions failed; the log says why"
        latency = {
            f"{stage} {name} (ms)": round(value, 3)
            for stage, pair in pipeline.latency_ms().items()
            for name, value in zip(("p50", "p99"), pair, strict=True)
        }
        return self._status("predictions", level, text, {**totals, **latency, **model})

    def _trouble(
        self,
        source: Input,
        health: StreamHealth,
        news: Mapping[str, Counter[str]],
        heard: int,
    ) -> str:
        """What is wrong with an input that is heard, or ""."""
        found = []
        for kind, counts in news.items():
            for what, n in counts.most_common(2):
                text = what
                if what == windows.SKEW:
                    text += f", nearest message {health.skew_ns * 1e-6:+.1f} ms from the anchor"
                elif kind == "refused" and what not in ADVICE:
                    text = source.error
                if what in ADVICE:
                    text += f" ({ADVICE[what]})"
                found.append(f"{n} {kind}: {text}")
        late = health.delay_ns * 1e-9 > self.settings.sync.timeout_s
        if heard and late and source.stream.wait:
            found.append(
                f"stamps are {health.delay_ns * 1e-9:.2f} s old when they arrive, more than "
                "sync.timeout_s: set use_sim_time for a recording, synchronize the clocks, "
                "or raise sync.timeout_s"
            )
        return "; ".join(found)

    def _news(self, key: str, totals: Mapping[str, int]) -> Counter[str]:
        """How much each total has grown since the last call with `key`."""
        now = Counter(totals)
        news = now - self._before.get(key, Counter())
        self._before[key] = now
        return news

    def _status(
        self,
        part: str,
        level: bytes,
        text: str,
        values: Mapping[str, Any],
        hardware: str = "",
    ) -> DiagnosticStatus:
        pairs: Iterable[KeyValue] = [KeyValue(key=k, value=str(v)) for k, v in values.items()]
        return DiagnosticStatus(
            level=level,
            name=f"{self._name}: {part}",
            message=text,
            hardware_id=hardware,
            values=list(pairs),
        )
