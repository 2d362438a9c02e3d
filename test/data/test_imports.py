"""What importing the data package loads."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import xmodal_ros.data


def test_it_loads_neither_torch_nor_ros() -> None:
    names = [m.name for m in pkgutil.walk_packages(xmodal_ros.data.__path__, "xmodal_ros.data.")]
    assert "xmodal_ros.data.decode.image" in names
    code = (
        f"import sys, {', '.join(names)}\n"
        "heavy = {'torch', 'rclpy', 'sensor_msgs', 'taxim', 'pypcd4'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
