"""Fixtures that several test folders share."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real recordings, or a skip with the reason."""
    path = Path(os.environ.get("XMODAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"the real recordings are not in {path} (set XMODAL_DATA)")
    return path


TINY_ARCHITECTURE: dict[str, Any] = {
    "dim": 32,
    "encoders": "shared",
    "tokens": "patch",
    "attention_heads": 4,
    "branches": {
        "camera": {"kind": "image", "backbone": "test_efficientnet", "height": 64, "width": 64},
        "gel": {
            "kind": "gel",
            "backbone": "test_vit",
            "height": 48,
            "width": 64,
            "frames": 4,
            "spacing_s": 0.1,
        },
        "imu": {"kind": "imu", "samples": 64, "rate_hz": 50.0, "width": 32, "depth": 1},
    },
    "streams": {
        "camera": "camera",
        "tactile_left": "gel",
        "tactile_right": "gel",
        "imu": "imu",
    },
    "heads": {
        "material": {"classes": 3, "streams": ["camera"]},
        "grasp": {"classes": 2, "streams": ["tactile_left", "tactile_right"]},
        "activity": {"classes": 5, "streams": ["imu"]},
    },
}


@pytest.fixture
def tiny_architecture() -> dict[str, Any]:
    """Architecture of `tiny_bundle`, a copy to change at will."""
    return copy.deepcopy(TINY_ARCHITECTURE)


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a whole bundle with small random weights: heads material, grasp and activity."""
    torch = pytest.importorskip("torch")
    import numpy as np

    from xmodal_ros.nn.network import build_network
    from xmodal_ros.runtime.manifest import HeadCard
    from xmodal_ros.runtime.ood import fit_branch, fit_statistics
    from xmodal_ros.runtime.save import save_bundle

    torch.manual_seed(0)
    network = build_network(TINY_ARCHITECTURE)
    rng = np.random.default_rng(0)
    heads = {
        "material": HeadCard("material", ("wood", "metal", "fabric"), temperature=0.5),
        "grasp": HeadCard("grasp", ("fail", "success"), threshold=0.45, abstain_below=0.3),
        "activity": HeadCard(
            "activity",
            ("seated", "standing_up", "walking", "turning", "still"),
            rates=tuple(tuple(row) for row in np.roll(np.eye(5), 1, axis=1).tolist()),
            evidence_s=0.2,
        ),
    }
    statistics = {
        name: fit_statistics(
            rng.normal(size=(64, 32)).astype(np.float32),
            np.arange(64) % len(card.labels),
        )
        for name, card in heads.items()
    }
    dim = TINY_ARCHITECTURE["dim"]
    sensors = {  # none of the IMU: a bundle need not have all
        name: fit_branch(rng.normal(size=(64, dim + 45)).astype(np.float32))
        for name in ("camera", "gel")
    }
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    save_bundle(
        folder,
        name="tiny",
        network=network,
        architecture=TINY_ARCHITECTURE,
        heads=heads,
        licence="MIT",
        card="# tiny\n\nRandom weights for tests.\n",
        statistics=statistics,
        branch_statistics=sensors,
    )
    return folder


@pytest.fixture(scope="session")
def touch_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a bundle with random weights that can be taught: its material head reads a gel."""
    torch = pytest.importorskip("torch")
    import numpy as np

    from xmodal_ros.nn.network import build_network
    from xmodal_ros.runtime.manifest import HeadCard
    from xmodal_ros.runtime.ood import fit_statistics
    from xmodal_ros.runtime.save import save_bundle

    torch.manual_seed(0)
    architecture = copy.deepcopy(TINY_ARCHITECTURE)
    del architecture["branches"]["imu"]
    architecture["streams"] = {"camera": "camera", "tactile_left": "gel"}
    architecture["heads"] = {"material": {"classes": 3, "streams": ["camera", "tactile_left"]}}
    features = np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32)
    folder = tmp_path_factory.mktemp("bundles") / "touch"
    save_bundle(
        folder,
        name="touch",
        network=build_network(architecture),
        architecture=architecture,
        heads={"material": HeadCard("material", ("wood", "metal", "fabric"))},
        licence="MIT",
        card="# touch\n",
        statistics={"material": fit_statistics(features, np.arange(64) % 3)},
    )
    return folder


POINT_CLASSES = ("background", "table", "object", "arm", "gripper", "person")
LIDAR_ARCHITECTURE: dict[str, Any] = {
    "dim": 32,
    "attention_heads": 4,
    "branches": {
        "lidar": {
            "kind": "lidar",
            "backbone": "test_efficientnet",
            "level": 2,
            "height": 16,
            "width": 64,
            "lowest_deg": -60.0,
            "highest_deg": -10.0,
            "farthest_m": 20.0,
        },
        "imu": {"kind": "imu", "samples": 64, "width": 32},
    },
    "streams": {"lidar": "lidar", "imu": "imu"},
    "heads": {"activity": {"classes": 3, "streams": ["lidar", "imu"]}},
    "points": {"lidar": {"classes": len(POINT_CLASSES)}},
}


@pytest.fixture(scope="session")
def lidar_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a bundle with random weights that reads a LiDAR and an IMU, and labels points."""
    torch = pytest.importorskip("torch")
    from xmodal_ros.nn.network import build_network
    from xmodal_ros.runtime.manifest import HeadCard, PointsCard
    from xmodal_ros.runtime.save import save_bundle

    torch.manual_seed(0)
    network = build_network(LIDAR_ARCHITECTURE)
    torch.nn.init.normal_(network.branches["lidar"].classify.weight)  # else all points are alike
    folder = tmp_path_factory.mktemp("bundles") / "lidar"
    save_bundle(
        folder,
        name="lidar",
        network=network,
        architecture=LIDAR_ARCHITECTURE,
        heads={"activity": HeadCard("activity", ("idle", "reach", "lift"))},
        points={"lidar": PointsCard(POINT_CLASSES, temperature=0.5, abstain_below=0.3)},
        licence="MIT",
        card="# lidar\n",
    )
    return folder


@pytest.fixture(scope="session")
def lidar_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s of a LiDAR with classes of its points and an IMU from random numbers."""
    import numpy as np

    from xmodal_ros.data.fields import cloud_fields, imu_fields, mask_fields
    from xmodal_ros.data.recording import RecordingWriter

    begin_ns, rng = 1_700_000_000_000_000_000, np.random.default_rng(0)
    path = tmp_path_factory.mktemp("recordings") / "lidar"
    with RecordingWriter(path, metadata={"source": "random numbers"}) as writer:
        for step in range(200):
            now_ns = begin_ns + step * 10_000_000
            imu = imu_fields(now_ns, "wrist", rng.normal(size=6))
            writer.write("/imu/data_raw", "sensor_msgs/msg/Imu", now_ns, imu)
            if step % 10 == 3:
                points = rng.normal(0, 2, (500, 4)).astype(np.float32)
                points[:, 2] -= 3
                points[:, 3] = rng.random(500)
                truth = rng.integers(0, len(POINT_CLASSES), (1, 500), np.uint8)
                cloud = cloud_fields(now_ns, "tower", points)
                writer.write("/lidar/points", "sensor_msgs/msg/PointCloud2", now_ns, cloud)
                classes = mask_fields(now_ns, "tower", truth)
                writer.write("/truth/classes/lidar", "sensor_msgs/msg/Image", now_ns, classes)
    return path


@pytest.fixture(scope="session")
def felt_and_scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of recordings of a finger and a LiDAR, of two materials; one has no LiDAR."""
    import numpy as np

    from xmodal_ros.data.fields import cloud_fields, image_fields
    from xmodal_ros.data.recording import RecordingWriter

    root, rng = tmp_path_factory.mktemp("felt"), np.random.default_rng(0)
    for number in range(14):
        begin_ns = 1_700_000_000_000_000_000 + number * 10**10
        with RecordingWriter(root / f"grasp_{number:02d}") as writer:
            said = {"data": ("wood", "steel")[number % 2]}
            writer.write("/labels/material", "std_msgs/msg/String", begin_ns, said)
            for step in range(8):
                now_ns = begin_ns + step * 100_000_000
                image = np.clip(rng.normal(60 + 90 * (number % 2), 9, (24, 32, 3)), 0, 255)
                felt = image_fields(now_ns, "finger", image.astype(np.uint8))
                writer.write("/tactile_left/image_raw", "sensor_msgs/msg/Image", now_ns, felt)
                if number and step % 2:  # at 5 Hz, near enough to every image but the first
                    points = rng.random((80, 4)) + np.array([2 + number % 2, -0.5, -2, 0])
                    cloud = cloud_fields(now_ns, "tower", points)
                    writer.write("/lidar/points", "sensor_msgs/msg/PointCloud2", now_ns, cloud)
    return root


def gel_image(pressed: float = 0.0) -> Any:
    """A gel at rest `(48, 64, 3) uint8`, or pressed in its middle so much."""
    import numpy as np

    y, x = np.mgrid[:48, :64]
    relief = pressed * 90 * np.exp(-((x - 32) ** 2 + (y - 24) ** 2) / 150)
    return np.stack([110 + x / 4 + relief, 100 + y / 4 - relief, 90 + relief], 2).astype(np.uint8)


@pytest.fixture(scope="session")
def touching_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s of a camera and a gel that touches four times: cork, wood, cork harder, amber."""
    import numpy as np

    from xmodal_ros.data.fields import image_fields
    from xmodal_ros.data.recording import RecordingWriter

    begin_ns = 1_700_000_000_000_000_000
    pressed = {1: ("cork", 0.6), 3: ("wood", 0.8), 5: ("cork", 1.0), 7: ("amber", 0.4)}
    camera = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    path = tmp_path_factory.mktemp("recordings") / "touching"
    with RecordingWriter(path) as writer:
        for step in range(80):
            now_ns = begin_ns + step * 100_000_000
            label, depth = pressed.get(step // 10, ("", 0.0))
            if step % 10 == 0:
                writer.write("/labels/material", "std_msgs/msg/String", now_ns, {"data": label})
            kind = "sensor_msgs/msg/Image"
            finger = image_fields(now_ns, "finger", gel_image(depth))
            writer.write("/tactile_left/image_raw", kind, now_ns, finger)
            writer.write("/camera/image_raw", kind, now_ns, image_fields(now_ns, "eye", camera))
    return path


@pytest.fixture(scope="session")
def small_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 s of camera, two gels and IMU from random numbers, with labels of two heads."""
    import numpy as np

    from xmodal_ros.data.recording import RecordingWriter

    begin_ns, end_ns, rng = 1_700_000_000_000_000_000, 3_000_000_000, np.random.default_rng(0)

    def header(time_ns: int) -> dict[str, Any]:
        stamp_ns = begin_ns + time_ns
        return {"stamp": {"sec": stamp_ns // 10**9, "nanosec": stamp_ns % 10**9}, "frame_id": "f"}

    def image(time_ns: int) -> dict[str, Any]:
        pixels = rng.integers(0, 255, 48 * 64 * 3, dtype=np.uint8)
        size = {"height": 48, "width": 64, "step": 192, "encoding": "rgb8"}
        return {"header": header(time_ns), **size, "data": pixels}

    def imu(time_ns: int) -> dict[str, Any]:
        force, rate = rng.normal(size=(2, 3)).tolist()
        return {
            "header": header(time_ns),
            "linear_acceleration": dict(zip("xyz", force, strict=True)),
            "angular_velocity": dict(zip("xyz", rate, strict=True)),
        }

    streams = [
        ("/tactile_left/image_raw", "sensor_msgs/msg/Image", 40_000_000, 0, image),
        ("/tactile_right/image_raw", "sensor_msgs/msg/Image", 40_000_000, 3_000_000, image),
        ("/camera/image_raw", "sensor_msgs/msg/Image", 100_000_000, 11_000_000, image),
        ("/imu/data_raw", "sensor_msgs/msg/Imu", 10_000_000, 1_000_000, imu),
    ]
    events = [
        (time_ns, topic, kind, make(time_ns))
        for topic, kind, period_ns, phase_ns, make in streams
        for time_ns in range(phase_ns, end_ns, period_ns)
    ]
    for head, entries in {
        "grasp": [(0.0, "fail"), (1.0, ""), (1.5, "success")],
        "activity": [(0.0, "seated"), (1.2, "walking"), (2.4, "dancing")],
    }.items():
        for time_s, label in entries:
            event = (
                round(time_s * 1e9),
                f"/labels/{head}",
                "std_msgs/msg/String",
                {"data": label},
            )
            events.append(event)
    path = tmp_path_factory.mktemp("recordings") / "small"
    with RecordingWriter(path, metadata={"source": "random numbers"}) as writer:
        for time_ns, topic, kind, fields in sorted(events, key=lambda event: event[0]):
            writer.write(topic, kind, begin_ns + time_ns, fields)
    return path


@pytest.fixture(scope="session")
def tiny_describer(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a whole describer with small random weights, which reads camera and IMU."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from xmodal_ros.runtime.language.folder import LANGUAGE_MODEL, write_folder
    from xmodal_ros.runtime.language.reader import Reader
    from xmodal_ros.runtime.language.settings import ReaderSettings, ReadingSettings
    from xmodal_ros.train.language.decoder import make_decoder, make_tokenizer, save_decoder
    from xmodal_ros.train.language.settings import DecoderSettings

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("describers") / "tiny"
    decoder = DecoderSettings(vocabulary=300, width=32, depth=1, heads=2, positions=160)
    tokenizer = make_tokenizer(["what is the robot doing?", "it is idle."], decoder.vocabulary)
    model = make_decoder(decoder, tokenizer)
    for weights in model.parameters():  # as small as they begin, they say nothing visible
        if weights.dim() > 1:
            torch.nn.init.normal_(weights)
    save_decoder(folder / LANGUAGE_MODEL, model, tokenizer)
    settings = ReaderSettings(latents=4, depth=1, heads=2, head_dim=8)
    streams = {"camera": ReadingSettings(), "imu": ReadingSettings()}
    reader = Reader(settings, streams, TINY_ARCHITECTURE["dim"], decoder.width)
    write_folder(
        folder,
        reader.state_dict(),
        settings,
        streams,
        licence="MIT",
        encoders=str(tiny_bundle),
    )
    return folder
