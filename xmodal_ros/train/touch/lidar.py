"""Settings of stage 2 that read a LiDAR as well, by an encoder that was pretrained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from xmodal_ros.core.errors import DataError
from xmodal_ros.nn.lidar_settings import LidarSettings
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.manifest import MANIFEST, WEIGHTS
from xmodal_ros.train.lidar.pretrain import ENCODER, read_record, settings_of
from xmodal_ros.train.touch.settings import LidarStart, SettingsWithLidar, TouchSettings


def add_lidar(settings: TouchSettings, folder: str) -> SettingsWithLidar:
    """Settings that read a LiDAR as well.

    Args:
        settings: Of camera and gels.
        folder: Whose encoder: of `xmodal lidar pretrain`, or of a bundle with one LiDAR.

    Raises:
        DataError: it is neither of a finished run of `xmodal lidar pretrain` nor of a bundle that
            reads one kind of LiDAR.
        BundleError: it is a bundle that is not whole.
    """
    start = _of_bundle if (Path(folder) / MANIFEST).is_file() else _of_run
    return SettingsWithLidar(**vars(settings), lidar=start(folder))


def _of_run(folder: str) -> LidarStart:
    lidar = settings_of(read_record(Path(folder))).lidar
    return LidarStart(folder, ENCODER, "", replace(lidar, frozen=True))


def _of_bundle(folder: str) -> LidarStart:
    branches = Bundle.load(folder).spec.branches
    found = {n: b for n, b in branches.items() if isinstance(b, LidarSettings)}
    if len(found) != 1:
        raise DataError(
            f"reads {len(found)} kinds of LiDAR", where=folder, expected="a bundle with one"
        )
    ((name, lidar),) = found.items()
    prefix = f"branches.{name}.contrastive.encoder."
    return LidarStart(folder, WEIGHTS, prefix, replace(lidar, frozen=True))
