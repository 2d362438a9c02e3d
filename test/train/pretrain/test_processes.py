"""Two processes started by torchrun give the loss and gradients of one, for each objective.

In float64, as in test_gradients.py.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

SCRIPT = Path(__file__).with_name("gradients_of_a_step.py")
TOLERANCE = 1e-9
# With BatchNorm in the heads, chunks, and a batch that both share; the normalization `relative`
# has constants in float32.
SHARED = ("schedule.chunk=3", "encoder.tactile_normalization=colour")
OBJECTIVES = {
    "simclr": (),
    "mvitac": (
        "schedule.objective=mvitac", "schedule.temperature=0.07", "schedule.momentum=0.9",
    ),
}  # fmt: skip


def test_two_processes_give_the_loss_and_gradients_of_one(folder, small, tmp_path, monkeypatch):
    overrides = {name: [*small, *SHARED, *own] for name, own in OBJECTIVES.items()}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, "-m", *torchrun, str(SCRIPT), str(folder), str(tmp_path)]
    subprocess.run([*command, json.dumps(overrides)], check=True, env=environment, timeout=90)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    runpy.run_path(str(SCRIPT))["write"](folder, tmp_path, overrides, "alone")
    for name in OBJECTIVES:
        alone, first, second = (
            load_file(tmp_path / f"{name}-{process}.safetensors")
            for process in ("alone", "0", "1")
        )
        assert first.keys() == second.keys() == alone.keys()
        scale = max(value.abs().max() for key, value in alone.items() if key != "loss")
        assert scale > 0.001
        for key, expected in alone.items():
            unit = 1.0 if key == "loss" else scale
            torch.testing.assert_close(
                first[key] / unit, expected / unit, rtol=0, atol=TOLERANCE, msg=f"{name}: {key}"
            )
            assert torch.equal(first[key], second[key])
