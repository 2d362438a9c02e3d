"""The tasks a network can learn: by name, their examples and what the answers mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xmodal_ros.nn.image import ImageEncoder
from xmodal_ros.nn.network import Network
from xmodal_ros.train import activity, grasp, material
from xmodal_ros.train.examples import Examples


@dataclass(frozen=True)
class Task:
    """One thing to learn."""

    split: str
    """Name of its split file and of its data set's folder."""
    classes: int
    build: Callable[[Path, Path, Network], Examples]
    """Examples from data root, folder of the feature cache and the network that will read them."""


def _grasp(root: Path, cache: Path, network: Network) -> Examples:
    branch: Any = network.branch("tactile_left")
    return grasp.GraspExamples(root, cache, _image(branch), branch.settings)


def _material(root: Path, cache: Path, network: Network) -> Examples:
    branch: Any = network.branch("camera")
    return material.MaterialExamples(root, cache, _image(branch), branch.settings)


def _activity(root: Path, cache: Path, network: Network) -> Examples:
    settings: Any = network.branch("imu").settings
    return activity.ActivityExamples(root, settings)


def _image(branch: Any) -> ImageEncoder:
    encoder: ImageEncoder = branch.contrastive.encoder
    return encoder


TASKS = {
    "grasp": Task(grasp.SPLIT, 2, _grasp),
    "material": Task(material.SPLIT, material.KINDS, _material),
    "activity": Task(activity.SPLIT, 5, _activity),
}
