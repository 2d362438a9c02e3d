"""The virtual environment: its steps, their stamps and the lock that keeps two set-ups apart."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from machine import Ros, SetupError
from progress import Step
from room import check_room
from ros_workspace import build_messages, messages_key, repair_wheels
from xmodal_env import STATE, WHEELS_GUARD, record

HOOK = Path(__file__).with_name("xmodal_env.py")
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Task:
    """A step of the set-up: done when its stamp holds the hash of what it is made from."""

    name: str
    title: str
    inputs: str
    do: Callable[[Step], None]


class Environment:
    """One environment, for one clone.

    Args:
        root: The clone.
        venv: Folder of the environment.
        ros: Which ROS 2 goes into it.
        extras: Names of the requirement files that this call needs besides ROS, in order.
    """

    def __init__(self, root: Path, venv: Path, ros: Ros, extras: tuple[str, ...]) -> None:
        self.root, self.venv, self.ros, self.extras = root, venv, ros, extras
        self.state = venv / STATE
        self.stamps = self.state / "stamps"
        self.python = venv / "bin" / "python"
        self.lock: int | None = None

    def tasks(self) -> list[Task]:
        """All steps, in order."""
        python = _hash(VERSION, repr(self.ros))
        release = self.ros.release
        if self.ros.sourced:
            title, files = f"colcon for the sourced ROS 2 {release}", ["colcon"]
        else:
            title, files = f"ROS 2 {release} wheels", ["base", "colcon", f"ros-{release}"]
        ros = _hash(python, *self._texts(["constraints", *files]))
        built_with = self._texts([name for name in files if name != "colcon"])
        self.messages = messages_key(self.root / "xmodal_msgs", python, *built_with)
        tasks = [
            Task("python", f"Python {VERSION} in {self.venv}", python, self._make_python),
            Task("pip", "pip", _hash(*self._texts(["pip"])), partial(self._pip, names=["pip"])),
            Task("ros", title, ros, partial(self._install_ros, files=files)),
            Task(f"messages-{self.messages}", "xmodal_msgs", self.messages, self._build_messages),
        ]
        for extra in self.extras:
            files = [*files, extra]
            tasks.append(
                Task(
                    extra,
                    f"packages for {extra}",
                    _hash(ros, *self._texts(files)),
                    partial(self._pip, names=files),
                )
            )
        return tasks

    def pending(self) -> list[Task]:
        """The steps that are still to do."""
        return [task for task in self.tasks() if self._stamp(task.name) != task.inputs]

    def bring_up(self) -> None:
        """Do the steps that are still to do.

        Raises:
            SetupError: the folder is something else, or holds another Python or ROS 2, or a disk
                has too little room.
            CommandFailed: a step's command failed.
        """
        self._check_folder()
        with self._locked():
            pending = self.pending()
            if pending:
                check_room(self.venv, [task.name for task in self.tasks()])
            for number, task in enumerate(pending, 1):
                stamp = self.stamps / task.name
                stamp.unlink(missing_ok=True)
                log = self.state / f"{task.name}.log"
                with Step(task.title, number, len(pending), log) as step:
                    task.do(step)
                _write(stamp, task.inputs)

    def use_here(self) -> None:
        """Put the command `xmodal` and the start-up hook into the environment.

        The hook is told which messages this clone has.
        """
        [packages] = self.venv.glob("lib/python3.*/site-packages")
        command = self.venv / "bin" / "xmodal"
        for file, text in {
            command: f'#!/bin/sh\nexec "{self.python}" -m xmodal_ros "$@"\n',
            packages / "xmodal_env.py": HOOK.read_text(),
            packages / "_xmodal_env.pth": "import xmodal_env\n",
            record(self.state, self.root): self.messages,
            self.state / "last_clone": str(self.root),
        }.items():
            if not file.is_file() or file.read_text() != text:
                _write(file, text)
        command.chmod(0o755)

    def variables(self) -> dict[str, str]:
        """Environment variables of a command that runs in the environment."""
        variables = {k: v for k, v in os.environ.items() if k not in (WHEELS_GUARD, "PYTHONHOME")}
        if not self.ros.sourced:
            variables.pop("PYTHONPATH", None)
        variables["VIRTUAL_ENV"] = str(self.venv)
        variables["PATH"] = os.pathsep.join([str(self.venv / "bin"), variables.get("PATH", "")])
        return variables

    def _check_folder(self) -> None:
        if not self.venv.exists() or not any(self.venv.iterdir()):
            return
        cure = "Name another folder with XMODAL_VENV, or remove it."
        if not self.stamps.is_dir():
            raise SetupError(f"{self.venv} was not made by this set-up. {cure}")
        made = self._stamp("python")
        if made and self.python.exists() and made != self.tasks()[0].inputs:
            raise SetupError(
                f"{self.venv} was made with another Python than {VERSION} or another ROS 2 than "
                f"{self.ros.release}. {cure}"
            )

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock. Commands inherit it: one that outlives us keeps the next call waiting."""
        self.stamps.mkdir(parents=True, exist_ok=True)
        (self.state / "clones").mkdir(exist_ok=True)
        self.lock = os.open(self.state / "lock", os.O_RDWR | os.O_CREAT)
        try:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"waiting for another set-up of {self.venv}", file=sys.stderr, flush=True)
                fcntl.flock(self.lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(self.lock)

    def _make_python(self, step: Step) -> None:
        for left in self.venv.iterdir():  # of one that was half made
            if left != self.state:
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        for stamp in self.stamps.iterdir():
            stamp.unlink()
        base = getattr(sys, "_base_executable", sys.executable)
        shared = ["--system-site-packages"] if self.ros.sourced else []
        self._run(step, base, "-m", "venv", *shared, str(self.venv))

    def _install_ros(self, step: Step, files: list[str]) -> None:
        if self.ros.sourced and not self._ask("import rclpy; print(rclpy)", check=False):
            raise SetupError(
                f"ROS 2 {self.ros.release} is sourced, but {sys.executable} cannot import rclpy. "
                "Name the Python it was built for: XMODAL_PYTHON=/usr/bin/python3 make ..."
            )
        self._pip(step, files)
        if not self.ros.sourced:
            python = self._ask("import sysconfig; print(sysconfig.get_paths()['include'])")
            numpy = self._ask("import numpy; print(numpy.get_include())")
            repair_wheels(self.venv, python, numpy)

    def _build_messages(self, step: Step) -> None:
        variables = self.variables()
        if not self.ros.sourced:
            variables["AMENT_PREFIX_PATH"] = variables["CMAKE_PREFIX_PATH"] = str(self.venv)
            variables["LD_LIBRARY_PATH"] = str(self.venv / "lib")
        install = self.state / "msgs" / self.messages
        build_messages(
            lambda *command: step.run(command, variables, self._keep()),
            self.root / "xmodal_msgs",
            self.venv,
            install,
        )

    def _pip(self, step: Step, names: list[str]) -> None:
        """Install requirement files, together, so that pip sees all their pins at once."""
        self._drop_half_installed()
        requirements = self.root / "requirements"
        arguments = ["--disable-pip-version-check", "-c", str(requirements / "constraints.txt")]
        if names != ["pip"]:  # the pip that comes with Python may be too old for it
            arguments += ["--progress-bar", "raw"]
        if self.ros.sourced:  # what the sourced ROS 2 was compiled with has to stay
            numpy = self._ask("import numpy; print(numpy.__version__)")
            _write(self.state / "numpy.txt", f"numpy=={numpy}\n")
            arguments += ["-c", str(self.state / "numpy.txt")]
        for name in names:
            arguments += ["-r", str(requirements / f"{name}.txt")]
        self._run(step, str(self.python), "-m", "pip", "install", *arguments)

    def _drop_half_installed(self) -> None:
        """Forget packages that were cut off: pip, which writes INSTALLER last, trusts them."""
        for info in self.venv.glob("lib/python3.*/site-packages/*.dist-info"):
            if not (info / "INSTALLER").is_file():
                shutil.rmtree(info)

    def _run(self, step: Step, *command: str) -> None:
        step.run(command, self.variables(), self._keep())

    def _ask(self, code: str, check: bool = True) -> str:
        command = [str(self.python), "-c", code]
        answer = subprocess.run(
            command, env=self.variables(), stdout=subprocess.PIPE, text=True, check=check
        )
        return answer.stdout.strip()

    def _keep(self) -> tuple[int, ...]:
        return () if self.lock is None else (self.lock,)

    def _texts(self, names: list[str]) -> list[str]:
        return [(self.root / "requirements" / f"{name}.txt").read_text() for name in names]

    def _stamp(self, name: str) -> str:
        stamp = self.stamps / name
        return stamp.read_text() if stamp.is_file() else ""


def _hash(*texts: str) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]


def _write(file: Path, text: str) -> None:
    """Write whole or not at all."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.write_text(text)
    os.replace(beside, file)
