"""The thread that reads a device, and opens it again when it was lost."""

from __future__ import annotations

import threading
from collections.abc import Callable

from xmodal_ros.core.errors import DeviceError
from xmodal_ros.drivers.capture import Ended, Frame, Source

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
"""Between attempts to open a device again; each one is twice as long as the one before."""


class Reader:
    """Reads a device until it is stopped.

    Args:
        source: The device, open.
        reopen: Opens it again.
        deliver: Called in the reading thread with each image; must not take long.
        lost: Called in it with the reason, each time that reading or opening fails.
        back: Called in it when the device gives images again.
    """

    def __init__(
        self,
        source: Source,
        reopen: Callable[[], Source],
        deliver: Callable[[Frame], None],
        lost: Callable[[DeviceError], None],
        back: Callable[[], None],
    ) -> None:
        self._source: Source | None = source
        self._reopen, self._deliver, self._lost, self._back = reopen, deliver, lost, back
        self._stopping = threading.Event()
        self.error = ""
        """Why there are no images just now."""
        self.ended = False
        """Whether a video file has come to its end."""
        self.reconnects = 0
        self._thread = threading.Thread(target=self._run, name="gel camera", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and let the device go."""
        self._stopping.set()
        self._thread.join()
        self._let_go()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                if self._source is None:
                    self._source = self._reopen()
                frame = self._source.read(self._stopping)
            except Ended:
                self.ended = True
                return
            except DeviceError as error:
                self._let_go()
                self.error = str(error)
                self._lost(error)
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            if self.error:
                self.error, pause_s = "", FIRST_PAUSE_S
                self.reconnects += 1
                self._back()
            self._deliver(frame)

    def _let_go(self) -> None:
        if self._source:
            self._source.close()
        self._source = None
