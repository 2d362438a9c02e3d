"""Writes loss and gradients, in float64, of one step with each of several lists of overrides."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from xmodal_ros.data.visual_tactile.pairs import open_pairs
from xmodal_ros.train.pretrain.batches import Batches
from xmodal_ros.train.pretrain.gradients import compute_gradients
from xmodal_ros.train.pretrain.run import make_fabric, make_model
from xmodal_ros.train.pretrain.settings import read_overrides


def write(root: Path, out: Path, overrides: Mapping[str, Sequence[str]], process: str) -> None:
    for name, texts in overrides.items():
        settings = read_overrides(texts)
        fabric = make_fabric(settings.schedule)
        torch.manual_seed(0)
        model = make_model(settings).double().train()
        batches = Batches(open_pairs(root), settings, fabric.global_rank, fabric.world_size)
        batch = next(batches.after(0))
        computed = compute_gradients(model, batch, settings.schedule, fabric, 0)
        gradients = {
            name: p.grad.contiguous() for name, p in model.named_parameters() if p.grad is not None
        }
        gradients["loss"] = computed.loss.total.detach()
        save_file(gradients, out / f"{name}-{process}.safetensors")


if __name__ == "__main__":
    torch.Tensor.float = torch.Tensor.double  # see test_gradients.py
    write(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]), os.environ["RANK"])
