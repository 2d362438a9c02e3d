"""What networks cost: parameters, and time on this machine, measured in one run."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xmodal_ros.nn.architecture import GelSettings
from xmodal_ros.nn.network import Network

ROUNDS = 30


def machine() -> dict[str, Any]:
    """Processor, the threads that torch uses, and how busy it was before."""
    load = round(os.getloadavg()[0], 2)
    return {"cpu": _processor(), "threads": torch.get_num_threads(), "load_before": load}


def parameters(network: Network) -> dict[str, int]:
    """Number of parameters, all and trained."""
    every = list(network.parameters())
    trained = sum(p.numel() for p in every if p.requires_grad)
    return {"all": sum(p.numel() for p in every), "trained": trained}


def measure_times(
    networks: Mapping[str, Network], rounds: int = ROUNDS
) -> dict[str, dict[str, float]]:
    """Milliseconds per example, one at a time, of the encoders of all streams and of the rest.

    Eager torch. The networks take turns, so that a busy moment of the machine hits all alike, and
    the fastest round counts, which other work disturbed least.

    Args:
        networks: By name, in evaluation mode, on the CPU.
        rounds: Measurements of each; one more comes first.
    """
    inputs = {name: example_inputs(network) for name, network in networks.items()}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in networks}
    with torch.inference_mode():
        for _ in range(rounds + 1):
            for name, network in networks.items():
                begun = time.perf_counter()
                features = {s: network.features(s, inputs[name]) for s in inputs[name]}
                seen = time.perf_counter()
                network.forward_features(features)
                taken[name].append((seen - begun, time.perf_counter() - seen))
    return {
        name: {
            stage: 1e3 * min(pair[k] for pair in pairs[1:])
            for k, stage in enumerate(("encoders", "fusion"))
        }
        for name, pairs in taken.items()
    }


def example_inputs(network: Network) -> dict[str, Tensor]:
    """Random images of one example by stream."""
    rng = np.random.default_rng(0)
    made = {}
    for stream in network.architecture.streams:
        settings: Any = network.architecture.branch(stream)
        frames = (settings.frames,) if isinstance(settings, GelSettings) else ()
        shape = (1, *frames, settings.height, settings.width, 3)
        made[stream] = torch.from_numpy(rng.integers(0, 256, shape, np.uint8))
    return made


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
