"""Data sets of LiDAR scans in small, each in exactly its layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from xmodal_ros.data.fields import (
    camera_info_fields,
    cloud_fields,
    image_fields,
    mask_fields,
    transform_fields,
)
from xmodal_ros.data.point_cloud.calibration import Camera
from xmodal_ros.data.point_cloud.scan import View
from xmodal_ros.data.recording import RecordingWriter
from xmodal_ros.data.source import Source

FORWARD = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
"""A camera (z forward, y down) where the LiDAR is (x forward, z up)."""


def points_around(count: int, seed: int = 0) -> np.ndarray:
    """Points on all sides `(N, 4) float32`, 3 to 30 m away, with intensity."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    xyz = direction * rng.uniform(3, 30, (count, 1))
    return np.hstack([xyz, rng.uniform(0.1, 0.9, (count, 1))]).astype(np.float32)


def write_image(path: Path, width: int, height: int, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    assert cv2.imwrite(str(path), image)


@pytest.fixture
def around() -> Callable[..., np.ndarray]:
    """`(count, seed)` to points on all sides."""
    return points_around


@pytest.fixture
def view() -> View:
    """A camera of 640x480 with distortion, 0.3 m beside the LiDAR."""
    matrix = np.array([[500.0, 0, 320], [0, 510, 230], [0, 0, 1]])
    camera = Camera(matrix, np.array((-0.1, 0.05, 0.001, -0.002)), 640, 480, "made")
    from_lidar = FORWARD.copy()
    from_lidar[:3, 3] = (0.3, -0.1, 0.05)
    return View("front", camera, from_lidar, Source(Path("none.png")), 0.5)


@pytest.fixture
def kitti(tmp_path: Path) -> Path:
    """Two scans each of the sequences 00, 08 and 11 (which has no labels)."""
    for sequence in ("00", "08", "11"):
        folder = tmp_path / "dataset" / "sequences" / sequence
        for name in ("velodyne", "labels", "image_2"):
            if (sequence, name) != ("11", "labels"):
                (folder / name).mkdir(parents=True)
        for k in range(2):
            points = points_around(200, seed=k)
            points.tofile(folder / "velodyne" / f"{k:06d}.bin")
            if sequence != "11":
                raw = np.resize(np.array((10, 252, 40, 0), np.uint32), 200)
                (raw | np.uint32(7 << 16)).tofile(folder / "labels" / f"{k:06d}.label")
            write_image(folder / "image_2" / f"{k:06d}.png", 64, 32)
        aside = np.hstack([np.array([[30.0, 0, 32], [0, 30, 16], [0, 0, 1]]), [[-1.5], [0], [0]]])
        lines = [f"P{k}: " + " ".join(map(str, aside.ravel())) for k in range(4)]
        lines.append("Tr: " + " ".join(map(str, FORWARD[:3].ravel())))
        (folder / "calib.txt").write_text("\n".join(lines) + "\n")
        (folder / "times.txt").write_text("0.000000e+00\n1.036300e-01\n")
        poses = np.stack([np.eye(4)[:3], np.eye(4)[:3]])
        poses[1, 2, 3] = 1.25  # camera 0 moves forward
        text = "\n".join(" ".join(map(str, pose.ravel())) for pose in poses)
        (folder / "poses.txt").write_text(text + "\n")
    return tmp_path


CATEGORIES = {0: "noise", 1: "vehicle.car", 2: "flat.driveable_surface", 3: "static.vegetation"}


@pytest.fixture
def nuscenes(tmp_path: Path) -> Path:
    """One key frame of two scenes of mini: LiDAR and front camera, the car moves in between."""
    tables: dict[str, list[dict[str, Any]]] = {
        "sensor": [
            {"token": "s-lidar", "channel": "LIDAR_TOP", "modality": "lidar"},
            {"token": "s-front", "channel": "CAM_FRONT", "modality": "camera"},
        ],
        "calibrated_sensor": [
            {
                "token": "c-lidar",
                "sensor_token": "s-lidar",
                "translation": [0.9, 0.0, 1.8],
                "rotation": [0.7071067811865476, 0.0, 0.0, -0.7071067811865476],
                "camera_intrinsic": [],
            },
            {
                "token": "c-front",
                "sensor_token": "s-front",
                "translation": [1.7, 0.0, 1.5],
                "rotation": [0.5, -0.5, 0.5, -0.5],
                "camera_intrinsic": [[80.0, 0.0, 80.0], [0.0, 80.0, 45.0], [0.0, 0.0, 1.0]],
            },
        ],
        "category": [
            {"token": f"k{k}", "name": name, "index": k} for k, name in CATEGORIES.items()
        ],
    }
    for scene, name in enumerate(("scene-0061", "scene-0916")):
        _key_frame(tmp_path, tables, scene, name)
    for name, records in tables.items():
        path = tmp_path / "v1.0-mini" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(records, indent=1))
    return tmp_path


def _key_frame(root: Path, tables: dict[str, list[dict[str, Any]]], scene: int, name: str) -> None:
    def add(table: str, **record: Any) -> None:
        tables.setdefault(table, []).append(record)

    add("log", token=f"log{scene}", logfile=f"n015-{scene}")
    add("scene", token=f"scene{scene}", name=name, log_token=f"log{scene}")
    add("sample", token=f"sample{scene}", scene_token=f"scene{scene}", timestamp=0)
    lidar = f"samples/LIDAR_TOP/{name}.pcd.bin"
    photo = f"samples/CAM_FRONT/{name}.jpg"
    for kind, file, stamp_us, size in (
        ("lidar", lidar, 1_500_000, (0, 0)),
        ("front", photo, 1_510_000, (160, 90)),
    ):
        data = {
            "sample_token": f"sample{scene}",
            "calibrated_sensor_token": f"c-{kind}",
            "width": size[0],
            "height": size[1],
        }
        key = {"token": f"{kind}{scene}", "ego_pose_token": f"pose-{kind}{scene}"}
        sweep = {"token": f"{kind}{scene}s", "ego_pose_token": "of no key frame"}
        add("sample_data", **key, **data, filename=file, timestamp=stamp_us, is_key_frame=True)
        add("sample_data", **sweep, **data, filename="sweeps/x", timestamp=0, is_key_frame=False)
        add(
            "ego_pose",
            token=f"pose-{kind}{scene}",
            timestamp=stamp_us,
            translation=[100.0 + (0.5 if kind == "front" else 0.0), 50.0, 0.0],
            rotation=[0.9950041652780258, 0.0, 0.0, 0.09983341664682815],  # 0.2 rad to the left
        )
    add("ego_pose", token="of no key frame", translation=[], rotation=[])
    points = points_around(200, seed=scene)
    rows = np.hstack([points, np.resize(np.arange(32), (200, 1))]).astype(np.float32)
    rows[:, 3] *= 255
    (root / lidar).parent.mkdir(parents=True, exist_ok=True)
    rows.tofile(root / lidar)
    write_image(root / photo, 160, 90)
    labels = f"lidarseg/v1.0-mini/lidar{scene}_lidarseg.bin"
    (root / labels).parent.mkdir(parents=True, exist_ok=True)
    np.resize(np.arange(4, dtype=np.uint8), 200).tofile(root / labels)
    add("lidarseg", token=f"seg{scene}", sample_data_token=f"lidar{scene}", filename=labels)


START_NS = 1_700_000_000_000_000_000


def turned(angle: float) -> list[float]:
    """Quaternion (w, x, y, z) about z."""
    return [np.cos(angle / 2), 0.0, 0.0, np.sin(angle / 2)]


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Path]:
    """Write `tmp_path/<name>`: a LiDAR that is fixed, a camera at a hand that turns, 0.5 s.

    The camera is 1 m above the LiDAR and sees as `FORWARD` after the hand's turn of 1 rad/s.
    Topics of `without` are left out; `change` gets topic and fields, and may change them.
    """

    def write(
        name: str = "run",
        without: tuple[str, ...] = (),
        change: Callable[[str, dict[str, Any]], None] = lambda topic, fields: None,
    ) -> Path:
        matrix = np.array([[40.0, 0, 32], [0, 40, 24], [0, 0, 1]])
        optical = [0, 0, 0, 0.5, -0.5, 0.5, -0.5]  # of FORWARD's camera at the hand
        entries: list[tuple[int, str, str, dict[str, Any]]] = []

        def add(time_ns: int, topic: str, kind: str, fields: dict[str, Any]) -> None:
            if topic not in without:
                change(topic, fields)
                entries.append((time_ns, topic, kind, fields))

        def frames(topic: str, time_ns: int, *placed: tuple[str, str, list[float]]) -> None:
            made = [transform_fields(time_ns, p, c, np.array(at, float)) for p, c, at in placed]
            add(time_ns, topic, "tf2_msgs/msg/TFMessage", {"transforms": made})

        frames(
            "/tf_static",
            START_NS,
            ("world", "lidar", [1, 2, 0.5, *turned(0.0)]),
            ("hand", "eye", optical),
        )
        for k in range(11):  # at 20 Hz, so that scans and images are between two of them
            time_ns = START_NS + k * 50_000_000
            frames("/tf", time_ns, ("world", "hand", [1, 2, 1.5, *turned(k * 0.05)]))
        for k in range(5):
            scan_ns, image_ns = (START_NS + k * 100_000_000 + more for more in (10**7, 3 * 10**7))
            cloud = cloud_fields(scan_ns, "lidar", points_around(100, seed=k))
            add(scan_ns + 30_000_000, "/lidar/points", "sensor_msgs/msg/PointCloud2", cloud)
            classes = np.resize(np.arange(6, dtype=np.uint8), (1, 100))
            truth = mask_fields(scan_ns, "lidar", classes)
            add(scan_ns + 30_000_000, "/truth/classes/lidar", "sensor_msgs/msg/Image", truth)
            image = np.full((48, 64, 3), k, np.uint8)
            picture = image_fields(image_ns, "eye", image)
            add(image_ns, "/camera/image_raw", "sensor_msgs/msg/Image", picture)
            info = camera_info_fields(image_ns, "eye", matrix, (48, 64))
            add(image_ns, "/camera/camera_info", "sensor_msgs/msg/CameraInfo", info)
        with RecordingWriter(tmp_path / name) as writer:
            for time_ns, topic, kind, fields in sorted(entries, key=lambda entry: entry[0]):
                writer.write(topic, kind, time_ns, fields)
        return tmp_path

    return write


def save_pcd(path: Path, points: np.ndarray, encoding: str = "binary") -> None:
    """A PCD file of x y z intensity ring timestamp, as the scans of SensorsCalibration have them.

    `points` are `(N, 4)`; rings count 0 to 3, times from 1.7e9 s on by a millisecond.
    """
    from pypcd4 import Encoding, PointCloud

    count = len(points)
    columns = [
        *points.T.astype(np.float32),
        (np.arange(count) % 4).astype(np.uint16),
        1.7e9 + np.arange(count) * 1e-3,
    ]
    names = ("x", "y", "z", "intensity", "ring", "timestamp")
    kinds = (np.float32,) * 4 + (np.uint16, np.float64)
    path.parent.mkdir(parents=True, exist_ok=True)
    PointCloud.from_points(columns, names, kinds).save(path, encoding=Encoding(encoding))


@pytest.fixture
def write_pcd() -> Callable[..., None]:
    """`(path, points, encoding)`."""
    pytest.importorskip("pypcd4")
    return save_pcd


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Two calibrated pairs, and three scans with poses."""
    pytest.importorskip("pypcd4")
    points = points_around(50)
    points[:, 3] *= 255
    for k in (1, 2):
        folder = tmp_path / f"frame_{k}"
        save_pcd(folder / "calib.pcd", points, "binary_compressed")
        write_image(folder / "calib.jpg", 64, 48)
        transform = " ".join(map(str, FORWARD[:3].ravel()))
        (folder / "calib.txt").write_text(
            f"K: 40 0 32 0 40 24 0 0 1\nD: -0.1 0.1 0.001 0.002\nT: {transform}\n\n"
        )
    rows = []
    for k in range(3):
        save_pcd(tmp_path / "scans" / f"2021-10-26-16-21-29-{k}68.pcd", points)
        pose = np.eye(4)[:3]
        pose[0, 3] = k / 2
        rows.append(f"2021-10-26-16-21-29-{k}68 " + " ".join(f"{v:.9f}" for v in pose.ravel()))
    (tmp_path / "scans" / "top_center_lidar-pose.txt").write_text("\n".join(rows) + "\n")
    return tmp_path
