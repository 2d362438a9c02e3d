"""Writes loss and gradients, in float64, of one step over a folder; run alone or by torchrun."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from xmodal_ros.data.visual_tactile.pairs import open_pairs
from xmodal_ros.train.pretrain.batches import Batches
from xmodal_ros.train.pretrain.gradients import compute_gradients
from xmodal_ros.train.pretrain.run import make_fabric, make_model
from xmodal_ros.train.pretrain.settings import read_overrides


def main(root: Path, out: Path, overrides: str) -> None:
    settings = read_overrides(json.loads(overrides))
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
    save_file(gradients, out / f"{os.environ.get('RANK', 'alone')}.safetensors")


if __name__ == "__main__":
    torch.Tensor.float = torch.Tensor.double  # see test_gradients.py
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
