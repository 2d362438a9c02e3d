"""A LiDAR beside camera and gels: scans near examples, range images, the encoder's weights."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.range_image import to_range_image
from xmodal_ros.data.decode import decode_pointcloud2
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.source import Source
from xmodal_ros.nn.branch import ContrastiveEncoder
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.train.lidar.pretrain import ENCODER, RECORD, plain_settings
from xmodal_ros.train.lidar.settings import CmcrSettings
from xmodal_ros.train.pretrain.files import save_tensors
from xmodal_ros.train.touch import scans
from xmodal_ros.train.touch.lidar import add_lidar
from xmodal_ros.train.touch.run import open_datasets, prepare, train_touch
from xmodal_ros.train.touch.settings import read_overrides

SMALL = (
    "encoder.backbone=test_efficientnet", "encoder.weights=random", "encoder.level=1",
    "encoder.gel_height=24", "encoder.gel_width=32", "encoder.gel_rows=2",
    "encoder.gel_columns=2", "encoder.spacing_s=0.1", "trunk.dim=16", "trunk.attention_heads=2",
    "schedule.steps=4", "schedule.validate_every=2", "schedule.batch=8",
)  # fmt: skip


@pytest.fixture(scope="module")
def settings(lidar_bundle):
    return add_lidar(read_overrides(SMALL), str(lidar_bundle))


@pytest.fixture(scope="module")
def data(felt_and_scanned, settings):
    return open_datasets([felt_and_scanned], settings)[0]


@pytest.fixture(scope="module")
def prepared(data, settings, tmp_path_factory):
    return prepare([data], settings, tmp_path_factory.mktemp("cache"))


def test_each_example_has_the_scan_nearest_to_it(data) -> None:
    assert len(data.examples) == 14 * 4  # one each 0.2 s
    for example in data.examples:
        (scan,) = example.streams.get("lidar", (None,))
        if example.group == "grasp_00":
            assert scan is None
            continue
        stamp_ns = int(example.name.rpartition("@")[2])
        assert abs(int(scan.place.rpartition("@")[2]) - stamp_ns) == 100_000_000
        assert scan.path == example.streams["tactile_left"][0].path


def test_range_images_are_those_of_the_messages(data, settings, prepared) -> None:
    _, _, examples = prepared
    view = settings.lidar.settings.view
    by_name = {f"{data.root.name}/{example.name}": example for example in data.examples}
    for k in (0, 9, len(examples) - 1):
        image = examples.images("lidar", np.array([k]))[0, 0]
        example = by_name[examples.names[k]]
        if "lidar" not in example.streams:
            assert not image.any()
            assert not examples.present["lidar"][k]
            continue
        (source,) = example.streams["lidar"]
        log_ns = int(source.place.rpartition("@")[2])
        with Recording(source.path) as recording:
            (message,) = (
                m for _, _, at, m in recording.messages(["/lidar/points"]) if at == log_ns
            )
        points = decode_pointcloud2(message)
        np.testing.assert_array_equal(image, to_range_image(points, view).image)
        assert image.any()


def test_the_encoder_is_the_bundles_and_stays_so(settings, prepared, data, tmp_path) -> None:
    _, network, _ = prepared
    theirs = Bundle.load(settings.lidar.folder).network().branches["lidar"].contrastive.encoder
    ours = network.branches["lidar"].contrastive.encoder
    for name, expected in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], expected)
    run = train_touch([data], tmp_path / "run", settings)
    assert run.record["encoder_sha256"] == run.record["encoder_sha256_after"]
    assert run.record["streams"] == ["tactile_left", "lidar"]


def test_the_run_of_xmodal_lidar_pretrain_is_taken_too(lidar_bundle, settings, tmp_path) -> None:
    theirs = Bundle.load(lidar_bundle).network().branches["lidar"].contrastive.encoder
    save_tensors(tmp_path / ENCODER, theirs.state_dict(), {})
    lidar = dataclasses.replace(settings.lidar.settings, frozen=False)
    record = {"settings": plain_settings(CmcrSettings(lidar=lidar))}
    (tmp_path / RECORD).write_text(json.dumps(record))
    found = add_lidar(read_overrides(SMALL), str(tmp_path))
    assert found.lidar.settings == settings.lidar.settings  # which says that it stays as it is
    made = ContrastiveEncoder(found.lidar.settings, 16, frozen=True)
    scans.load_lidar(made, found.lidar)
    for name, expected in theirs.state_dict().items():
        torch.testing.assert_close(made.encoder.state_dict()[name], expected)


@pytest.mark.parametrize("folder", ["nowhere", "tiny_bundle"])
def test_a_folder_without_a_lidar_is_refused(folder, tiny_bundle, tmp_path) -> None:
    path = tiny_bundle if folder == "tiny_bundle" else tmp_path / folder
    text = "reads 0 kinds of LiDAR; expected a bundle with one"
    with pytest.raises(
        DataError, match=text if path == tiny_bundle else r"lidar\.json: cannot be"
    ):
        add_lidar(read_overrides(SMALL), str(path))


def test_recordings_without_a_lidar_are_refused(data) -> None:
    one = next(example for example in data.examples if example.group == "grasp_00")
    with pytest.raises(DataError, match=r"has no scan near an example.*expected recordings with"):
        scans.with_scans(dataclasses.replace(data, examples=(one,)))


def test_scans_that_cannot_be_used_are_named(data, settings, tmp_path) -> None:
    whole = next(example for example in data.examples if "lidar" in example.streams)
    (source,) = whole.streams["lidar"]
    gone = dataclasses.replace(source, place="/lidar/points@1")
    felt = whole.streams["tactile_left"][0]
    nowhere = Source(tmp_path / "nowhere.mcap", source.place)
    examples = [
        dataclasses.replace(whole, name=name, streams={"tactile_left": (felt,), "lidar": (scan,)})
        for name, scan in {"good": source, "gone": gone, "nowhere": nowhere}.items()
    ]
    view = settings.lidar.settings.view
    made = scans.Scans(examples, view, tmp_path)
    assert made.problems.keys() == {"gone", "nowhere"}
    assert made.problems["gone"].endswith("no such message")
    assert made.array[0].any()
    assert not made.array[1:].any()
    far = dataclasses.replace(view, nearest_m=50.0)
    assert scans.Scans(examples[:1], far, tmp_path).problems["good"].endswith("shows nothing")
