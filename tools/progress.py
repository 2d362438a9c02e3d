"""Shows what a long command is at: a live line on a terminal, a line now and then in a log."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, cast

HEARTBEAT_S = 15.0  # without a terminal, the longest silence
PIP_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")


class CommandFailed(Exception):
    """A command of the set-up ended with an error; the text holds its last lines."""


class Step:
    """One numbered step with its time."""

    def __init__(self, title: str, number: int, of: int, log: Path) -> None:
        self.title, self.label, self.log = title, f"[{number}/{of}] {title}", log
        self.terminal = sys.stderr.isatty()
        self.started = time.monotonic()

    def __enter__(self) -> Step:
        self.log.write_bytes(b"")
        self.say(self.label)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.say(f"{self.label}: done in {self.elapsed:.0f} s")

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.started

    def say(self, text: str) -> None:
        """Write a line of its own."""
        clear = "\r\x1b[K" if self.terminal else ""
        print(f"{clear}{text}", file=sys.stderr, flush=True)

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], keep: Sequence[int] = ()
    ) -> None:
        """Run one command; its output goes to the log.

        Args:
            command: Program and arguments.
            environment: The whole environment of the program.
            keep: File descriptors that it inherits.

        Raises:
            CommandFailed: with the last lines of the output.
        """
        with (
            self.log.open("ab") as log,
            subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=keep,
            ) as process,
        ):
            self._follow(cast("BinaryIO", process.stdout).fileno(), log)
        if process.returncode:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-25:])
            raise CommandFailed(
                f"{self.title} failed: {' '.join(command)}\n{tail}\nThe whole output: {self.log}"
            )

    def _follow(self, output: int, log: BinaryIO) -> None:
        doing, percent, rest, silent_since = "", "", "", time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while True:
                if selector.select(timeout=1.0):
                    data = os.read(output, 65536)
                    if not data:
                        return
                    log.write(data)
                    *lines, rest = (rest + data.decode(errors="replace")).split("\n")
                    for line in lines:
                        if progress := PIP_PROGRESS.match(line):
                            done, total = map(int, progress.groups())
                            percent = f" {100 * done / max(total, 1):.0f} %"
                        elif line.strip():
                            doing, percent = line.strip(), ""
                if self.terminal:
                    print(
                        f"\r\x1b[K{self.label} {self.elapsed:.0f} s  {doing[:50]}{percent}",
                        end="",
                        file=sys.stderr,
                        flush=True,
                    )
                elif time.monotonic() - silent_since > HEARTBEAT_S:
                    self.say(f"    {self.elapsed:.0f} s  {doing[:70]}{percent}")
                    silent_since = time.monotonic()
