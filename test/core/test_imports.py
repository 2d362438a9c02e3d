"""The core is numpy and the standard library: importing it loads nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

CODE = """
import importlib, json, pkgutil, sys
import xmodal_ros.core as core
names = [m.name for m in pkgutil.iter_modules(core.__path__)]
for name in names:
    importlib.import_module("xmodal_ros.core." + name)
print(json.dumps([names, sorted({name.split(".")[0] for name in sys.modules})]))
"""


def test_core_loads_no_torch_ros_or_opencv(repository):
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=repository, capture_output=True, text=True, check=True
    )
    names, loaded = json.loads(done.stdout)
    assert "sync" in names
    assert "numpy" in loaded
    assert not {"torch", "rclpy", "cv2", "yaml", "rosbags", "scipy", "timm"} & set(loaded)
