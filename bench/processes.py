"""Processes of a benchmark: each in a ROS graph of its own on this machine, answering in JSON."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from typing import Any

TIMEOUT_S = 180.0


def graph() -> dict[str, str]:
    """Environment of a new graph."""
    return {
        **os.environ,
        "ROS_DOMAIN_ID": str(random.SystemRandom().randint(1, 100)),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }


def start(environment: dict[str, str], module: str, *arguments: str) -> subprocess.Popen[str]:
    """Start `python -m MODULE ARGUMENTS`."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def answer(process: subprocess.Popen[str]) -> Any:
    """What a process printed last, as JSON, once it has ended; killed where it does not."""
    try:
        text, _ = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()  # or it would take part in all rows that follow
        process.communicate()
        raise
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    return json.loads(text.splitlines()[-1])


def stop(process: subprocess.Popen[str]) -> None:
    """End a process as Ctrl-C does."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
