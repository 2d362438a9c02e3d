"""The demonstration's child processes: started in groups of their own, ended whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from xmodal_ros.ros.profile import VARIABLES, profile

GRACE_S = 10.0
TAIL_LINES = 15


def own_graph() -> dict[str, str]:
    """Environment of a graph of our own on this machine, with room for large messages."""
    return {
        "ROS_DOMAIN_ID": str(20 + os.getpid() % 80),  # 0 to 101 are safe, low ones are in use
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        **dict.fromkeys(VARIABLES, str(profile())),
    }


def end_on_signals() -> None:
    """Have SIGINT and SIGTERM interrupt; a shell's background job would ignore SIGINT."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


class Children:
    """Runs `xmodal` commands in processes of their own; leaving the block ends them all.

    Args:
        logs: Folder for what they write.
        environment: Added to this process's environment.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs, self._environment = logs, {**os.environ, **environment}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in list(self._running):
            self.stop(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the processes that were started, and not stopped."""
        return tuple(self._running)

    def start(self, name: str, *arguments: str) -> None:
        """Start `xmodal ARGUMENTS`; its output goes to `<name>.log`."""
        with self.log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "xmodal_ros", *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches this process alone, which ends them
            )

    def exit_code(self, name: str) -> int | None:
        """Exit code of a process, None while it runs."""
        return self._running[name].poll()

    def stop(self, name: str) -> None:
        """End a process with SIGINT; kill its group where that does not help."""
        process = self._running.pop(name)
        for number in (signal.SIGINT, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, number)
                try:
                    process.wait(GRACE_S)
                except subprocess.TimeoutExpired:
                    continue

    def log(self, name: str) -> Path:
        """Where a process writes."""
        return self._logs / f"{name}.log"

    def tail(self, name: str) -> str:
        """The last lines of what a process wrote."""
        lines = self.log(name).read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])
