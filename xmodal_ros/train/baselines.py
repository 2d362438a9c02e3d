"""What the networks are compared with: simple models on hand-made features, on the same splits."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.progress import track
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xmodal_ros.data.gelsight_slip import FINGERS, GelsightSlip
from xmodal_ros.data.material_photos import MaterialPhotos
from xmodal_ros.nn.architecture import ImageSettings
from xmodal_ros.nn.image import ImageEncoder
from xmodal_ros.nn.pretrained import load_pretrained
from xmodal_ros.runtime.preprocess import resize_image
from xmodal_ros.train.activity import UNIT_S
from xmodal_ros.train.features import cached
from xmodal_ros.train.material import SPLIT, MaterialExamples

FIRST = 5
"""Frames whose mean colour is the colour-only baseline."""


def forest(seed: int) -> Any:
    """Random forest of 300 trees, classes weighted alike."""
    return RandomForestClassifier(
        300, min_samples_leaf=2, class_weight="balanced", random_state=seed, n_jobs=1
    )


def linear(seed: int) -> Any:
    """Logistic regression on pooled features as they are; standardized they score lower."""
    return LogisticRegression(C=1.0, max_iter=1000, random_state=seed)


def majority(seed: int) -> Any:
    """The most frequent class, always."""
    return DummyClassifier(strategy="most_frequent", random_state=seed)


def minirocket(seed: int) -> Any:
    """MiniRocket features and a linear classifier (Dempster et al. 2021), as aeon has it."""
    from aeon.transformations.collection.convolution_based import MiniRocket

    return make_pipeline(
        MiniRocket(n_kernels=2000, random_state=seed, n_jobs=1),
        StandardScaler(),
        LogisticRegression(C=0.01, max_iter=200, random_state=seed),
    )


def grasp_features(root: Path) -> dict[str, np.ndarray]:
    """Colour and motion of all grasps, in the order of the manifest, both fingers side by side."""
    data = GelsightSlip(root)
    colour, motion = [], []
    for grasp in track(data.grasps, "colour and motion"):
        clips = [data.clip(grasp.name, finger) for finger in FINGERS]
        colour.append(np.concatenate([c[:FIRST].mean((0, 1, 2)) for c in clips]))
        motion.append(np.concatenate([_motion(c) for c in clips]))
    return {"colour": np.stack(colour), "motion": np.stack(motion)}


def _motion(clip: np.ndarray) -> np.ndarray:
    """Mean, deviation, maximum and 90th percentile over time of flow statistics `(56,)`."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flat = [_flat(frame) for frame in clip]
    rows = []
    for earlier, later in pairwise(flat):
        field = flow.calc(
            earlier, later, np.zeros((*earlier.shape, 2), np.float32)
        )  # px per frame
        u, v = field[..., 0], field[..., 1]
        size = np.hypot(u, v)
        divergence = np.gradient(u, axis=1) + np.gradient(v, axis=0)
        curl = np.gradient(v, axis=1) - np.gradient(u, axis=0)
        change = np.abs(later.astype(np.float32) - earlier)
        rows.append(
            [
                size.mean(),
                np.median(size),
                np.percentile(size, 90),
                size.max(),
                u.mean(),
                v.mean(),
                u.std(),
                v.std(),
                divergence.mean(),
                divergence.std(),
                curl.mean(),
                curl.std(),
                change.mean(),
                np.percentile(change, 95),
            ]
        )
    table = np.array(rows)
    return np.concatenate(
        [table.mean(0), table.std(0), table.max(0), np.percentile(table, 90, axis=0)]
    )


def _flat(frame: np.ndarray) -> np.ndarray:
    """Grey image at half size without its lighting `(H / 2, W / 2) uint8`."""
    small = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    grey = small.astype(np.float32).mean(-1)
    light = cv2.GaussianBlur(grey, (0, 0), 8)
    return np.clip(200 * (grey - light) / (light + 10) + 128, 0, 255).astype(np.uint8)


def probe_features(examples: MaterialExamples, root: Path, cache: Path) -> np.ndarray:
    """Last pooled features of the photos at 224 px from the pretrained backbone `(N, 1280)`."""
    settings = ImageSettings()
    encoder = ImageEncoder(settings)
    load_pretrained(encoder.backbone, settings.backbone, "package")
    data = MaterialPhotos(root / SPLIT)
    features = cached(
        cache,
        {"probe": [t.name for t in examples.tiles], "settings": vars(settings)},
        encoder.eval(),
        lambda: (
            (resize_image(data.image(t), settings.height, settings.width)[None],)
            for t in examples.tiles
        ),
        len(examples.tiles),
        "probe features",
    )
    return features.pooled


def unit_features(windows: np.ndarray, rate_hz: float) -> np.ndarray:
    """Statistics and spectrum of the last second of windows `(N, samples, 6)` -> `(N, F)`."""
    last = windows[:, -round(UNIT_S * rate_hz) :]
    sizes = np.stack(
        [np.linalg.norm(last[..., :3], axis=-1), np.linalg.norm(last[..., 3:], axis=-1)], -1
    )
    x = np.concatenate([last, sizes], axis=-1)  # (N, S, 8)
    spectrum = np.abs(np.fft.rfft(x - x.mean(1, keepdims=True), axis=1))[:, 1:8]
    parts = [
        x.mean(1),
        x.std(1),
        x.min(1),
        x.max(1),
        np.median(x, axis=1),
        np.abs(np.diff(x, axis=1)).mean(1),
        x[:, -1] - x[:, 0],
        spectrum.reshape(len(x), -1),
    ]
    return np.concatenate(parts, axis=1)
