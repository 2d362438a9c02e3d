"""Comparison of a bundle's tensors, by name and shape, with those that its architecture needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.runtime.manifest import BRANCH_STATISTICS, STATISTICS, TEXT, WEIGHTS
from xmodal_ros.runtime.ood import look_size
from xmodal_ros.runtime.text import text_projection

if TYPE_CHECKING:
    from xmodal_ros.nn.architecture import Architecture

Shapes = dict[str, tuple[int, ...]]


def compare(spec: Architecture, text: bool, tensors: Shapes, problems: list[str]) -> None:
    """Compare the tensors with those the architecture needs, without allocating any.

    Args:
        spec: The architecture.
        text: Whether there is a projection of sentences.
        tensors: Shapes by name.
        problems: Grows.
    """
    import torch

    from xmodal_ros.nn.network import Network

    try:
        with torch.device("meta"):
            network, words = Network(spec), text_projection(spec.trunk.dim)
    except SettingsError as error:
        problems.append(str(error))
        return
    expected: Shapes = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    if text:
        expected |= {f"{TEXT}.{k}": tuple(v.shape) for k, v in words.state_dict().items()}
    for prefix, owner in dict.fromkeys(tuple(k.split(".")[:2]) for k in tensors if "." in k):
        if prefix == STATISTICS:
            classes = spec.heads[owner].classes if owner in spec.heads else 0
            # A class of which there was no example to train on has no mean.
            known = min(tensors.get(f"{prefix}.{owner}.means", (classes,))[0], classes)
            width = spec.trunk.dim
        elif prefix == BRANCH_STATISTICS and owner in spec.branches:
            known, width = 1, spec.trunk.dim + look_size(spec.branches[owner].modality)
        else:
            continue
        shapes = {"means": (known, width), "whitening": (width, width), "scale": (1,)}
        expected.update({f"{prefix}.{owner}.{k}": v for k, v in shapes.items()})
    problems += [f"{WEIGHTS} lacks {k} {v}" for k, v in expected.items() if k not in tensors]
    for name, shape in tensors.items():
        if name not in expected:
            problems.append(f"{WEIGHTS} has {name}, which the architecture does not")
        elif shape != expected[name]:
            problems.append(f"{WEIGHTS}: {name} has shape {shape}, expected {expected[name]}")
