"""The package builds with colcon in a workspace, as on a robot, and installs what it should.

`xmodal_msgs`, which compiles for a minute, was built by the environment's set-up, by colcon too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("colcon_core", reason="colcon is part of the environment that make sets up")

from ament_index_python import get_package_share_directory

COLCON = Path(sys.executable).with_name("colcon")
SOURCES = ("package.xml", "setup.py", "setup.cfg", "resource", "launch", "config", "models")
BASES = ("--base-paths", "src", "src/xmodal_ros/xmodal_msgs")
Colcon = Callable[..., str]


@pytest.fixture(scope="module")
def workspace(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the sources in src/, as after cloning."""
    root = tmp_path_factory.mktemp("workspace")
    clone = root / "src" / "xmodal_ros"
    leave = shutil.ignore_patterns("__pycache__")
    for name in (*SOURCES, "xmodal_ros", "xmodal_msgs"):
        source = repository / name
        if source.is_dir():
            shutil.copytree(source, clone / name, ignore=leave)
        elif source.is_file():
            clone.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, clone / name)
    return root


@pytest.fixture(scope="module")
def colcon(workspace: Path) -> Colcon:
    """Run colcon in the workspace; its output."""
    variables = dict(os.environ)
    variables["CMAKE_PREFIX_PATH"] = variables["AMENT_PREFIX_PATH"]
    variables["PATH"] = os.pathsep.join([str(COLCON.parent), variables["PATH"]])

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [COLCON, "--log-base", "log", *arguments],
            cwd=workspace,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


@pytest.fixture(scope="module")
def installed(workspace: Path, colcon: Colcon) -> Path:
    """Install prefix after building the package."""
    colcon("build", "--merge-install", "--base-paths", "src")
    return workspace / "install"


def test_both_packages_are_listed_with_their_build_types(colcon: Colcon) -> None:
    listed = {line.split()[0]: line.split()[-1] for line in colcon("list", *BASES).splitlines()}
    assert listed["xmodal_ros"] == "(ros.ament_python)"
    assert listed["xmodal_msgs"] == "(ros.ament_cmake)"


def test_executables_are_where_ros2_run_looks(installed: Path) -> None:
    for name, module in (("perception", "xmodal_ros.ros.node"), ("xmodal", "xmodal_ros.__main__")):
        script = installed / "lib" / "xmodal_ros" / name
        assert os.access(script, os.X_OK)
        assert module in script.read_text() or "load_entry_point" in script.read_text()


def test_shared_files_are_installed(workspace: Path, installed: Path) -> None:
    share = installed / "share" / "xmodal_ros"
    for folder in ("launch", "config", "models"):
        wanted = _files(workspace / "src" / "xmodal_ros" / folder)
        assert _files(share / folder) == wanted, folder
    assert (share / "package.xml").is_file()
    assert (installed / "share/ament_index/resource_index/packages/xmodal_ros").is_file()


def test_the_installed_package_is_complete(workspace: Path, installed: Path) -> None:
    [package] = installed.glob("lib/python3.*/site-packages/xmodal_ros")
    missing = _files(workspace / "src" / "xmodal_ros" / "xmodal_ros") - _files(package)
    assert not missing


def test_messages_are_installed_with_their_text(repository: Path) -> None:
    xmodal_msgs = pytest.importorskip("xmodal_msgs")
    share = Path(get_package_share_directory("xmodal_msgs"))
    for kind in ("msg", "action"):
        for source in (repository / "xmodal_msgs" / kind).iterdir():
            assert (share / kind / source.name).read_text() == source.read_text()
        assert Path(xmodal_msgs.__path__[0], kind, "__init__.py").is_file()


def _files(folder: Path) -> set[Path]:
    return {
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
