"""What an active gel camera does: read the device, make images, publish them, and watch them."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode

from xmodal_ros.core.errors import UserError
from xmodal_ros.drivers.capture import Frame, open_source
from xmodal_ros.drivers.gel_health import GelHealth, Look, trouble
from xmodal_ros.drivers.gel_settings import GelSettings
from xmodal_ros.drivers.reader import Reader
from xmodal_ros.drivers.reference import Reference
from xmodal_ros.drivers.shape import Shape
from xmodal_ros.ros.gel_outputs import GelOutputs
from xmodal_ros.ros.worker import Worker

LOG_PERIOD_S = 5.0
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
CONTACT = {None: "not known yet", True: "yes", False: "no"}


class GelSession:
    """From activate to deactivate.

    Args:
        node: The node.
        settings: Its settings.
        shape: What makes images.
        reference: The gel without contact.
        outputs: Where images go.

    Raises:
        DeviceError: the device cannot be opened.
    """

    def __init__(
        self,
        node: LifecycleNode,
        settings: GelSettings,
        shape: Shape,
        reference: Reference,
        outputs: GelOutputs,
    ) -> None:
        self._clock, self._settings = node.get_clock(), settings
        self._shape, self._reference, self._outputs = shape, reference, outputs
        self._health, self._look, self._error = GelHealth(settings.health), Look(), ""
        self._images = self._halves = 0
        self._before: Counter[str] = Counter()
        self._before_s = self._published_s = time.monotonic()
        log, device = node.get_logger(), settings.device
        source = open_source(device)
        self._worker = Worker(self._publish, "gel images")
        self._reader = Reader(
            source,
            lambda: open_source(device),
            self._worker.submit,
            lambda error: log.error(str(error), throttle_duration_sec=LOG_PERIOD_S),
            lambda: log.info(f"{device.path} gives images again"),
        )

    def close(self) -> None:
        """Let the device go and finish the image at work."""
        self._reader.stop()
        self._worker.stop()

    def status(self) -> tuple[bytes, str, dict[str, Any]]:
        """Level, message and values for /diagnostics; rates are those since the last call."""
        counts = Counter(
            {
                "images": self._images,
                "half images": self._halves,
                "dropped": self._worker.dropped,
                "reconnects": self._reader.reconnects,
            }
        )
        now_s, look, unlike = time.monotonic(), self._look, self._reference.unlike
        news = counts - self._before
        rate_hz = news["images"] / max(now_s - self._before_s, 1e-3)
        self._before, self._before_s = counts, now_s
        values = {
            "rate (Hz)": f"{rate_hz:.2f}",
            **counts,
            "contact": CONTACT[look.contact],
            "saturated": f"{look.saturated:.4f}",
            "brightness": f"{look.brightness:.1f}",
            "lights unlike the reference's": f"{unlike:.4f}",
        }
        if self._reader.ended:
            return OK, "the video has ended", values
        if self._reader.error:
            return ERROR, self._reader.error, values
        wrong = trouble(look, unlike)
        if halves := news["half images"]:
            wrong.append(f"{halves} half images were left out: check the cable and the USB hub")
        elif now_s - self._published_s > self._settings.health.silent_after_s:
            return ERROR, f"no image for {now_s - self._published_s:.1f} s", values
        if self._error:
            wrong.append(self._error)
        if wrong:
            return WARN, "; ".join(wrong), values
        return OK, f"{rate_hz:.1f} Hz, contact: {CONTACT[look.contact]}", values

    def _publish(self, frame: Frame) -> None:
        """Make an image of a frame and publish it, in the worker's thread."""
        if self._shape.half(frame.image):
            self._halves += 1
            return
        now_ns: int = self._clock.now().nanoseconds
        stamp_ns = now_ns - (time.monotonic_ns() - frame.captured_ns)
        image = self._shape(frame.image)
        self._outputs.image(stamp_ns, image)
        self._images += 1
        self._published_s = time.monotonic()
        self._look = self._health.look(image, frame.captured_ns, self._reference)
        try:
            if self._reference.add(image) and self._reference.image is not None:
                self._outputs.reference(stamp_ns, self._reference.image)
            self._error = ""
        except UserError as error:
            self._error = str(error)
