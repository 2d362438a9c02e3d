"""One pretraining run: from pairs of images to the weights of encoders on disk."""

from __future__ import annotations

import json
import math
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from rich.console import Console
from torch import nn

from xmodal_ros.core.errors import DataError
from xmodal_ros.train.pretrain.batches import Batch, Batches
from xmodal_ros.train.pretrain.checkpoint import CHECKPOINT, State, check_same, facts_of
from xmodal_ros.train.pretrain.display import Display
from xmodal_ros.train.pretrain.files import load_tensors, save_tensors, save_text
from xmodal_ros.train.pretrain.gradients import Computed, compute_gradients
from xmodal_ros.train.pretrain.measures import measure
from xmodal_ros.train.pretrain.model import PairEncoder
from xmodal_ros.train.pretrain.momentum import MomentumPairEncoder
from xmodal_ros.train.pretrain.pairs import CAMERA, TACTILE, PairSource
from xmodal_ros.train.pretrain.settings import PretrainSettings, ScheduleSettings

RECORD, STOPPED = "pretrain.json", "stopped.txt"
CLIP_NORM = 1.0


def pretrain(
    settings: PretrainSettings, pairs: PairSource, out: Path, console: Console | None = None
) -> list[Path]:
    """Pretrain encoders; an interrupted run continues where its last checkpoint is.

    Under `torchrun` every process calls this; they share each batch, on GPUs or CPUs.

    Args:
        settings: Of the run.
        pairs: What to train on.
        out: Folder of the checkpoint, the weights and the record. A finished run is read back.
        console: Where to show progress.

    Returns:
        The files with the weights, which `model.load_encoder` and `load_pretrained` read.

    Raises:
        SettingsError: the settings do not fit the pairs, the processes, or a run in `out`.
        DataError: a pair cannot be used, the loss is not finite, or there is no room in `out`.
    """
    fabric = make_fabric(settings.schedule)
    facts = facts_of(settings, len(pairs))
    batches = Batches(pairs, settings, fabric.global_rank, fabric.world_size)
    torch.manual_seed(settings.schedule.seed)  # what is not pretrained starts alike everywhere
    model = make_model(settings)
    files = [out / name for name, _ in model.weight_files()]
    if (out / RECORD).exists():
        check_same(out, load_tensors(files[0])[1], facts)
        return files
    state = State(model.to(fabric.device), make_optimizer(model, settings.schedule))
    state.load(out, facts)
    fabric.barrier()  # nobody writes before everybody has read
    _run(state, batches, settings, fabric, out, facts, console or Console(quiet=True))
    if fabric.is_global_zero:
        for name, tensors in model.weight_files():
            save_tensors(out / name, tensors, facts)
        _write_record(out / RECORD, facts, state)
        (out / CHECKPOINT).unlink(missing_ok=True)
    fabric.barrier()
    return files


def make_fabric(schedule: ScheduleSettings) -> Fabric:
    """Processes as `torchrun` has started them, or this one alone."""
    processes = int(os.environ.get("WORLD_SIZE", 1))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    fabric = Fabric(
        accelerator="auto",
        strategy="ddp" if processes > 1 else "auto",
        devices=local,
        num_nodes=processes // local,
        precision="bf16-mixed" if schedule.precision == "bf16" else "32-true",
    )
    fabric.launch()
    return fabric


def learning_rate(schedule: ScheduleSettings, step: int) -> float:
    """Rises for `warmup` steps, then falls as a half cosine to 0 at the end."""
    rise = (step + 1) / schedule.warmup if step < schedule.warmup else 1.0
    done = max(0, step - schedule.warmup) / max(1, schedule.steps - schedule.warmup)
    return schedule.learning_rate * rise * (1 + math.cos(math.pi * done)) / 2


def _run(
    state: State,
    batches: Batches,
    settings: PretrainSettings,
    fabric: Fabric,
    out: Path,
    facts: dict[str, str],
    console: Console,
) -> None:
    schedule = settings.schedule
    images = 2 * schedule.views * schedule.batch
    display = Display(console, schedule.steps, images) if fabric.is_global_zero else None
    state.model.train()
    with display or nullcontext():
        for batch in batches.after(state.step):
            computed = _step(state, batch, schedule, fabric, out)
            last = state.step == schedule.steps
            if state.step % schedule.measure_every == 0 or last:
                row = _row(computed)
                for name, value in {"step": float(state.step), **row}.items():
                    state.history.setdefault(name, []).append(value)
                if display:
                    display.show(state.step, row)
            if display:
                display.advance(state.step)
            if fabric.is_global_zero and (state.step % schedule.save_every == 0 or last):
                state.save(out, facts)


def _step(
    state: State, batch: Batch, schedule: ScheduleSettings, fabric: Fabric, out: Path
) -> Computed:
    """One optimizer step; with a loss or gradient that is not finite none, and an error."""
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(schedule, state.step)
    state.optimizer.zero_grad()
    seed = (schedule.seed << 32) + state.step * 1_000_003
    computed = compute_gradients(state.model, batch, schedule, fabric, seed)
    finite = bool(torch.isfinite(computed.loss.total))
    if finite:
        finite = bool(nn.utils.clip_grad_norm_(state.model.parameters(), CLIP_NORM).isfinite())
    if not finite:
        raise _stopped(state.step, batch, computed, fabric, out)
    state.optimizer.step()
    if isinstance(state.model, MomentumPairEncoder):
        state.model.follow()
    state.step += 1
    return computed


def make_model(settings: PretrainSettings) -> PairEncoder:
    """Encoders for the objective; what is not pretrained is random."""
    if settings.schedule.objective == "mvitac":
        return MomentumPairEncoder(settings.encoder, settings.schedule.momentum)
    return PairEncoder(settings.encoder)


def make_optimizer(model: PairEncoder, schedule: ScheduleSettings) -> torch.optim.Optimizer:
    """AdamW without weight decay of biases and normalizations, as SimCLR has it."""
    learned = [p for p in model.parameters() if p.requires_grad]
    decayed = [p for p in learned if p.ndim > 1]
    others = [p for p in learned if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, schedule.learning_rate, weight_decay=schedule.weight_decay)


def _row(computed: Computed) -> dict[str, float]:
    """Loss, its terms, and measures of the first views."""
    loss = computed.loss
    terms = {f"loss_{name}": term.item() for name, term in loss.terms.items()}
    first = {name: views[0] for name, views in computed.projected.items()}
    return {"loss": loss.total.item(), **terms, **measure(first[CAMERA], first[TACTILE])}


def _stopped(step: int, batch: Batch, computed: Computed, fabric: Fabric, out: Path) -> DataError:
    """The error of a loss that is not finite, with the names of the batch's files in a file."""
    names = list(batch.names)
    if fabric.world_size > 1:
        everyone: list[list[str]] = [[] for _ in range(fabric.world_size)]
        torch.distributed.all_gather_object(everyone, names)
        names = [name for part in everyone for name in part]
    if fabric.is_global_zero:
        save_text(out / STOPPED, "\n".join(names) + "\n")
    checkpoint = out / CHECKPOINT
    last = (
        f"step {load_tensors(checkpoint)[1]['step']} is in {checkpoint}"
        if checkpoint.exists()
        else "none was written yet"
    )
    return DataError(
        f"loss {computed.loss.total.item():g} or its gradient is not finite; its batch: "
        f"{len(names)} pairs from {names[0]} on, all in {out / STOPPED}",
        where=f"step {step}",
        do=f"Last good checkpoint: {last}. Continue from it with a lower schedule.learning_rate",
    )


def _write_record(path: Path, facts: dict[str, str], state: State) -> None:
    """The run as JSON: settings and the history of its measures."""
    record = {
        "settings": json.loads(facts["settings"]),
        "pairs": int(facts["pairs"]),
        "history": state.history,
    }
    save_text(path, json.dumps(record, indent=1) + "\n")
