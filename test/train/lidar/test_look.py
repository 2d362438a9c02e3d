"""Pictures of scans, with and without networks, by the command and by what is in them."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.range_image import to_range_image
from xmodal_ros.data.point_cloud.drawing import class_colours
from xmodal_ros.nn.network import build_network
from xmodal_ros.runtime.manifest import PointsCard
from xmodal_ros.runtime.save import save_bundle
from xmodal_ros.train.lidar.cli import lidar_app
from xmodal_ros.train.lidar.learned import learned
from xmodal_ros.train.lidar.look import HEADING_PX, STRIP_PX, chosen, look, save


@pytest.fixture(scope="module")
def bundle(run, drive, tmp_path_factory):
    """Classes at random from the run's encoder."""
    lidar = {"kind": "lidar", **vars(run.model.settings.lidar)}
    architecture = {
        "dim": 16,
        "attention_heads": 2,
        "branches": {"roof": lidar},
        "streams": {"lidar": "roof"},
        "points": {"roof": {"classes": len(drive.classes)}},
    }
    torch.manual_seed(0)
    return save_bundle(
        tmp_path_factory.mktemp("bundle"), name="mine", network=build_network(architecture),
        architecture=architecture, heads={}, points={"roof": PointsCard(drive.classes)},
        licence="", card="",
    )  # fmt: skip


def strip(picture: np.ndarray, number: int) -> np.ndarray:
    top = number * (HEADING_PX + STRIP_PX) + HEADING_PX
    return picture[top : top + STRIP_PX]


def test_classes_have_their_colours_and_the_bundles_its_own_strip(drive, run, bundle) -> None:
    sweep = chosen(drive, "test", 0)
    picture = look(drive, sweep, run, bundle)
    assert picture.dtype == np.uint8
    labels = drive.load(sweep).labels
    expected = {tuple(colour) for colour in class_colours(np.unique(labels)).tolist()}
    found = {tuple(colour) for colour in strip(picture, 2).reshape(-1, 3).tolist()}
    assert expected <= found
    assert not np.array_equal(strip(picture, 2), strip(picture, 3))
    assert look(drive, sweep).shape[0] < look(drive, sweep, run).shape[0] < picture.shape[0]


def test_what_was_learned_is_drawn_of_objectives_that_have_a_weight(run, drive) -> None:
    model = run.model
    height, width = model.settings.lidar.height, model.settings.lidar.width
    sweep = chosen(drive, "test", 0)
    scan = to_range_image(drive.load(sweep).points, model.settings.lidar.view).image
    assert scan.shape == (height, width, 4)
    found = dict(learned(model, scan, sweep.views))
    assert [title.split(" at ")[0] for title in found] == [
        "occupancy", "half of it hidden", "reconstructed", "reconstructed with points",
        "codes of the image", "codes of points in it", "use of codes: image up, points down",
    ]  # fmt: skip
    black = (found["half of it hidden"] == 0).all(2).mean()
    assert 0.4 < black < 0.6
    difference = np.abs(found["reconstructed"].astype(int) - found["reconstructed with points"])
    assert difference.max() > 0
    alone = dict(learned(model, scan, ()))
    assert [title.split(" at ")[0] for title in alone] == ["occupancy"]
    loss = dataclasses.replace(model.settings.loss, occupancy=0.0, image=0.0, geometry=0.0)
    settings = model.settings
    model.settings = dataclasses.replace(settings, loss=loss)
    try:
        assert len(dict(learned(model, scan, sweep.views))) == 3
    finally:
        model.settings = settings


def test_the_command_writes_a_picture(root, run, bundle, tmp_path) -> None:
    out = tmp_path / "pictures" / "scan.png"
    options = ["--run", str(run.folder), "--bundle", str(bundle.path), "--out", str(out)]
    done = CliRunner().invoke(lidar_app, ["look", str(root), "--number", "1", *options])
    assert done.exit_code == 0, done.output
    assert cv2.imread(str(out)).shape[1] == 1024


def test_a_scan_that_is_not_there_and_a_file_that_is_no_picture_are_refused(drive, tmp_path):
    with pytest.raises(SettingsError, match=r"--number: got 2; expected 0 to 1"):
        chosen(drive, "test", 2)
    with pytest.raises(SettingsError, match=r"--out: got 'a\.gif'; expected \.jpg or \.png"):
        save(np.zeros((2, 2, 3), np.uint8), tmp_path / "a.gif")
