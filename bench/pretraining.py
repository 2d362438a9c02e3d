"""Row `pretraining`: contrastive steps, augmentation included, against lightly's SimCLR."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch

from bench.row import Row, Skipped, compare, side_by_side
from xmodal_ros.train.pretrain.batches import Batch
from xmodal_ros.train.pretrain.gradients import compute_gradients
from xmodal_ros.train.pretrain.model import PairEncoder
from xmodal_ros.train.pretrain.pairs import MODALITIES
from xmodal_ros.train.pretrain.run import make_fabric, make_optimizer
from xmodal_ros.train.pretrain.settings import (
    CameraViews,
    EncoderSettings,
    PretrainSettings,
    ScheduleSettings,
)
from xmodal_ros.train.pretrain.views import camera_view

BACKBONE, SIZE, BATCH, REPEATS = "tf_efficientnet_lite0", 224, 16, 5
THEIR_VIEWS = CameraViews(
    crop_area=0.08, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2
)  # the rest is alike
SETTINGS = PretrainSettings(
    # BatchNorm learns and counts in both, and each image is encoded once.
    encoder=EncoderSettings(
        backbone=BACKBONE, weights="random", sharing="separate", batch_norm="batch",
        tactile_normalization="centred",
    ),
    schedule=ScheduleSettings(batch=BATCH, chunk=0, camera=0.0, tactile=0.0),
)  # fmt: skip


def pretraining() -> Row | Skipped:
    """Steps of `BATCH` pairs of views, in this process, without the reading of files."""
    if not importlib.util.find_spec("lightly"):
        return Skipped("pretraining", "lightly is not installed (requirements/bench.txt)")
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (BATCH, 40, 40, 3)).astype(np.uint8)
    images = [np.asarray(cv2.resize(c, (256, 256))) for c in coarse]
    ours, theirs = side_by_side(_ours(images), _theirs(images), REPEATS, time.process_time)
    per_second = [[2 * BATCH / seconds for seconds in times] for times in (ours, theirs)]
    return compare(
        "pretraining",
        f"SimCLR, {BACKBONE} at {SIZE} px, {BATCH} pairs of views, from decoded images to the "
        "optimizer's step; one thread",
        "lightly's transform, head and loss in a plain torch loop",
        *per_second,
        unit="images/s",
        scale=1.0,
        at_least=1.3,
    )


def _ours(images: list[np.ndarray]) -> Callable[[], None]:
    model = PairEncoder(SETTINGS.encoder).train()
    fabric = make_fabric(SETTINGS.schedule)
    optimizer = make_optimizer(model, SETTINGS.schedule)
    view, rng = camera_view(THEIR_VIEWS, SIZE, SIZE), np.random.default_rng(0)

    def step() -> None:
        made = {
            name: torch.from_numpy(np.stack([view(image, rng) for image in images])[None])
            for name in MODALITIES
        }
        optimizer.zero_grad()
        compute_gradients(model, Batch(made, ()), SETTINGS.schedule, fabric, 0)
        optimizer.step()

    return step


def _theirs(images: list[np.ndarray]) -> Callable[[], None]:
    import timm
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead
    from lightly.transforms import SimCLRTransform
    from PIL import Image

    pictures = [Image.fromarray(image) for image in images]
    transform: Any = SimCLRTransform(input_size=SIZE)
    backbone: Any = timm.create_model(BACKBONE, num_classes=0)
    head = SimCLRProjectionHead(backbone.num_features, backbone.num_features, 128)
    criterion = NTXentLoss(temperature=0.1)
    optimizer = torch.optim.AdamW([*backbone.parameters(), *head.parameters()], 3e-4)

    def step() -> None:
        views = zip(*(transform(picture) for picture in pictures), strict=True)
        first, second = (torch.stack(view) for view in views)
        optimizer.zero_grad()
        criterion(head(backbone(first)), head(backbone(second))).backward()
        optimizer.step()

    return step
