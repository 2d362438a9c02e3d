"""The set-up: its choices, its refusals, and that every step is done once, whatever cut it off."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the set-up reads of a clone."""
    root = tmp_path / "clone"
    root.mkdir()
    for name in ("tools", "requirements", "xmodal_msgs"):
        (root / name).symlink_to(ROOT / name)
    return root


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run Python code in tools/, in a fresh interpreter with a clean environment."""

    def call(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
        names = ("ROS_DISTRO", "XMODAL_ROS", "XMODAL_VENV", "_XMODAL_CLONE")
        clean = {k: v for k, v in os.environ.items() if k not in names}
        return subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, 'tools')\n{code}"],
            cwd=ROOT,
            env={**clean, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def _setup(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if k not in ("ROS_DISTRO", "XMODAL_ROS")}
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "setup_env.py"), *arguments],
        env={**clean, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_unknown_release_is_refused(tmp_path: Path) -> None:
    done = _setup("runtime", XMODAL_ROS="foxy", XMODAL_VENV=str(tmp_path / "venv"))
    assert done.returncode == 1
    assert "XMODAL_ROS=foxy; expected one of jazzy, kilted." in done.stderr


def test_a_release_beside_another_sourced_one_is_refused(tmp_path: Path) -> None:
    venv = str(tmp_path / "venv")
    done = _setup("runtime", ROS_DISTRO="jazzy", XMODAL_ROS="kilted", XMODAL_VENV=venv)
    assert done.returncode == 1
    assert "XMODAL_ROS=kilted, but ROS 2 jazzy is sourced." in done.stderr


def test_a_folder_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("dear")
    done = _setup("runtime", XMODAL_VENV=str(tmp_path))
    assert done.returncode == 1
    assert f"{tmp_path} was not made by this set-up." in done.stderr
    assert (tmp_path / "mine.txt").read_text() == "dear"


@pytest.mark.parametrize("version", [(3, 9), (3, 14)])
def test_python_out_of_range_is_refused(run: Run, version: tuple[int, int]) -> None:
    done = run(f"from machine import check_python; check_python({version})")
    assert f"python3 is {version[0]}.{version[1]}; expected 3.10 to 3.13." in done.stderr
    assert "XMODAL_PYTHON" in done.stderr


def test_other_architectures_are_sent_to_apt(run: Run) -> None:
    done = run(
        "import platform; platform.machine = lambda: 'aarch64'\n"
        "from machine import choose_ros; choose_ros({})"
    )
    assert "Install ROS 2 from apt, source its setup.bash" in done.stderr


def test_a_missing_compiler_is_one_line_to_run_for_who_is_not_root(run: Run) -> None:
    done = run(
        "import os; os.geteuid = lambda: 1000\n"
        "from machine import Ros, install_missing\n"
        "install_missing(Ros('jazzy', sourced=False))",
        CXX="no-such-compiler",
    )
    assert "sudo apt-get update && sudo apt-get install -y g++" in done.stderr


def test_a_sourced_ros_gets_no_wheels_and_its_own_folder(run: Run) -> None:
    done = run(
        "from pathlib import Path\n"
        "from machine import choose_ros\n"
        "from environment import Environment\n"
        "ros = choose_ros({'ROS_DISTRO': 'jazzy'})\n"
        "print(ros.default_folder)\n"
        "print([t.title for t in Environment(Path('.'), Path('v'), ros, ('runtime',)).tasks()])"
    )
    assert ".venv-sourced-jazzy" in done.stdout
    assert "colcon for the sourced ROS 2 jazzy" in done.stdout
    assert "wheels" not in done.stdout


DO = """
from pathlib import Path
import environment
from machine import Ros
made = environment.Environment(Path({clone!r}), Path({venv!r}), Ros("jazzy", False), ("runtime",))
def fake(step, *_, **__):
    print("did", step.title.split()[0], flush=True)
    if step.title.startswith({die!r} or "nothing"):
        import os; os._exit(9)
environment.check_room = lambda *_: None
made._make_python = made._install_ros = made._build_messages = made._pip = fake
made.bring_up()
"""


def test_a_set_up_that_was_cut_off_goes_on_where_it_was(
    run: Run, clone: Path, tmp_path: Path
) -> None:
    venv = str(tmp_path / "venv")
    first = run(DO.format(clone=str(clone), venv=venv, die="xmodal_msgs"))
    assert first.returncode == 9
    assert first.stdout.split("did ")[1:] == ["Python\n", "pip\n", "ROS\n", "xmodal_msgs\n"]
    second = run(DO.format(clone=str(clone), venv=venv, die=""))
    assert second.stdout.split("did ")[1:] == ["xmodal_msgs\n", "packages\n"]
    assert run(DO.format(clone=str(clone), venv=venv, die="")).stdout == ""


def test_the_command_is_put_into_an_environment_that_was_made_without_it(
    run: Run, clone: Path, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    (venv / "xmodal" / "stamps").mkdir(parents=True)
    (venv / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    (venv / "bin").mkdir()
    (venv / "bin" / "python").write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    (venv / "bin" / "python").chmod(0o755)
    code = DO.format(clone=str(clone), venv=str(venv), die="")
    assert run(code + "made.use_here()\n").returncode == 0
    command = [str(venv / "bin" / "xmodal"), "eval", "my recording"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "-m|xmodal_ros|eval|my recording|"


def test_changed_pins_are_installed_again_and_nothing_else(
    run: Run, clone: Path, tmp_path: Path
) -> None:
    venv = str(tmp_path / "venv")
    code = DO.format(clone=str(clone), venv=venv, die="")
    assert run(code).returncode == 0
    (clone / "requirements").unlink()
    (clone / "requirements").mkdir()
    for file in (ROOT / "requirements").iterdir():
        (clone / "requirements" / file.name).write_text(file.read_text())
    with (clone / "requirements" / "runtime.txt").open("a") as runtime:
        runtime.write("# changed\n")
    assert run(code).stdout == "did packages\n"


def test_another_python_in_the_same_folder_is_refused(
    run: Run, clone: Path, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    code = DO.format(clone=str(clone), venv=str(venv), die="")
    assert run(code).returncode == 0
    (venv / "bin").mkdir()
    (venv / "bin" / "python").touch()
    done = run(code.replace('"jazzy"', '"kilted"'))
    assert "was made with another Python than" in done.stderr


ROOM = """
import collections, platform
from pathlib import Path
import machine, room
disk = collections.namedtuple("Disk", "free")
platform.machine = lambda: "x86_64"
room.shutil.disk_usage = lambda path: disk({free_gb} * 1e9)
try:
    room.check_room(Path({venv!r}), ["python", "ros", "runtime"])
except machine.SetupError as error:
    print(error)
"""


def test_a_disk_that_is_too_small_is_named_before_anything_is_done(
    run: Run, tmp_path: Path
) -> None:
    venv = tmp_path / "not" / "there"
    done = run(ROOM.format(free_gb=7.1, venv=str(venv)))
    assert done.stdout.splitlines()[0] == (
        f"{venv} has no room: expected 7.2 GB free on its disk, and about as much again while pip "
        "works; it has 7.1 GB."
    )
    assert "XMODAL_VENV=DIR" in done.stdout
    assert run(ROOM.format(free_gb=7.3, venv=str(venv))).stdout == ""


def test_what_is_there_already_needs_no_room(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "half").open("wb") as half:
        os.posix_fallocate(half.fileno(), 0, 200_000_000)
    assert "expected 7.0 GB" in run(ROOM.format(free_gb=6.9, venv=str(tmp_path))).stdout
    assert run(ROOM.format(free_gb=7.1, venv=str(tmp_path))).stdout == ""


def test_two_set_ups_of_one_folder_wait_for_each_other(clone: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    (venv / "xmodal" / "stamps").mkdir(parents=True)
    code = DO.format(clone=str(clone), venv=str(venv), die="")
    with (venv / "xmodal" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        other = subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, 'tools')\n{code}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert other.stderr
        assert other.stderr.readline() == f"waiting for another set-up of {venv}\n"
        assert not list((venv / "xmodal" / "stamps").iterdir())
    out, _ = other.communicate(timeout=60)
    assert "did packages" in out


def test_what_pip_had_not_finished_is_installed_again(run: Run, tmp_path: Path) -> None:
    packages = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    for name in ("whole-1.dist-info", "half-1.dist-info"):
        (packages / name).mkdir(parents=True)
        (packages / name / "METADATA").touch()
    (packages / "whole-1.dist-info" / "INSTALLER").touch()
    done = run(
        "from pathlib import Path; from environment import Environment; from machine import Ros\n"
        f"venv = Path({str(tmp_path / 'venv')!r})\n"
        "Environment(Path('.'), venv, Ros('jazzy', False), ())._drop_half_installed()"
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in packages.iterdir()] == ["whole-1.dist-info"]


def test_the_wheels_get_this_machines_paths(run: Run, tmp_path: Path) -> None:
    cmake = tmp_path / "share" / "some_msgs" / "cmake" / "someExport.cmake"
    cmake.parent.mkdir(parents=True)
    built = "/opt/python/cp311-cp311"
    cmake.write_text(
        f'INCLUDE_DIRECTORIES "{built}/include/python3.11;${{_IMPORT_PREFIX}}/include;'
        f'{built}/lib/python3.11/site-packages/numpy/_core/include"\n'
    )
    code = (
        "from pathlib import Path; from ros_workspace import repair_wheels\n"
        f"print(repair_wheels(Path({str(tmp_path)!r}), '/here/python', '/here/numpy'))"
    )
    assert run(code).stdout == "1\n"
    expected = 'INCLUDE_DIRECTORIES "/here/python;${_IMPORT_PREFIX}/include;/here/numpy"\n'
    assert cmake.read_text() == expected
    assert run(code).stdout == "0\n"


def test_requirements_are_pinned() -> None:
    for file in (ROOT / "requirements").glob("*.txt"):
        for line in file.read_text().splitlines():
            requirement = line.partition("#")[0].strip()
            assert not requirement or "==" in requirement.partition(";")[0], (file.name, line)
