"""Readers of the data sets, on small made ones and on the real ones where they are."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.gelsight_slip import GelsightSlip
from xmodal_ros.data.imu_activity import ImuActivity
from xmodal_ros.data.material_photos import MaterialPhotos

SLIP = "grasp,object,slip,split,recorded_frames\ncup_00,cup,1,train,450\nball_00,ball,0,test,9\n"
PHOTOS = "tile,category,content_w,content_h,split\nWood_1.png,Wood,6,4,train\n"


@pytest.fixture
def slip(tmp_path) -> GelsightSlip:
    (tmp_path / "manifest.csv").write_text(SLIP)
    (tmp_path / "clips").mkdir()
    return GelsightSlip(tmp_path)


def test_grasps(slip) -> None:
    cup, ball = slip.grasps
    assert (cup.name, cup.object, cup.slip, cup.split) == ("cup_00", "cup", True, "train")
    assert (ball.slip, ball.split) == (False, "test")


def test_clip_is_rgb(slip) -> None:
    path = slip.path("cup_00", "L")
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    for _ in range(3):
        writer.write(np.full((48, 64, 3), (200, 100, 20), np.uint8))  # BGR
    writer.release()
    clip = slip.clip("cup_00", "L")
    assert clip.shape == (3, 48, 64, 3)
    assert np.abs(clip.astype(int) - (20, 100, 200)).max() < 8


def test_a_missing_clip_is_named(slip) -> None:
    with pytest.raises(DataError, match=r"clips/cup_00_R\.avi: no such file"):
        slip.clip("cup_00", "R")


def test_a_clip_without_frames_is_named(slip) -> None:
    slip.path("cup_00", "L").write_bytes(b"rubbish")
    with pytest.raises(DataError, match=r"cup_00_L\.avi: no frame can be read"):
        slip.clip("cup_00", "L")


def test_a_missing_manifest_is_named(tmp_path) -> None:
    for reader in (GelsightSlip, MaterialPhotos):
        with pytest.raises(DataError, match=r"manifest\.csv: no such file or folder. Check the"):
            reader(tmp_path)


@pytest.fixture
def activity(tmp_path) -> ImuActivity:
    (tmp_path / "meta.json").write_text(json.dumps({"labels": ["SEATED", "WALKING"]}))
    np.savez(
        tmp_path / "s03.npz",
        s03_01_sw_x=np.arange(12).reshape(2, 6),
        s03_01_sw_t=np.array([1657533977813, 1657533977823]),
        s03_01_sw_y=np.array([0, 1], np.uint8),
    )
    return ImuActivity(tmp_path)


def test_runs(activity) -> None:
    assert (activity.people, activity.labels) == (("s03",), ("SEATED", "WALKING"))
    (run,) = activity.runs("s03")
    assert (run.name, run.person) == ("s03_01_sw", "s03")
    assert run.data.dtype == np.float32
    np.testing.assert_array_equal(run.data, np.arange(12).reshape(2, 6))
    assert run.stamps_ns.tolist() == [1657533977813 * 10**6, 1657533977823 * 10**6]
    assert run.labels.tolist() == [0, 1]


def test_a_device_without_runs(activity) -> None:
    with pytest.raises(DataError, match=r"s03\.npz: no run of the phone; expected arrays \*_sp_x"):
        activity.runs("s03", "phone")


def test_a_person_that_is_not_there(activity) -> None:
    with pytest.raises(DataError, match=r"s04\.npz: no such file"):
        activity.runs("s04")


def test_a_folder_without_people(tmp_path) -> None:
    (tmp_path / "meta.json").write_text(json.dumps({"labels": []}))
    with pytest.raises(DataError, match=r"no person's file; expected sNN\.npz"):
        ImuActivity(tmp_path)


@pytest.fixture
def photos(tmp_path) -> MaterialPhotos:
    (tmp_path / "manifest.csv").write_text(PHOTOS)
    (tmp_path / "tiles").mkdir()
    return MaterialPhotos(tmp_path)


def test_padding_is_cut_off(photos) -> None:
    image = np.full((8, 8, 3), 255, np.uint8)
    image[:4, :6] = (30, 20, 10)  # BGR
    cv2.imwrite(str(photos.root / "tiles" / "Wood_1.png"), image)
    (tile,) = photos.tiles
    assert (tile.category, tile.split) == ("Wood", "train")
    np.testing.assert_array_equal(photos.image(tile), np.broadcast_to([10, 20, 30], (4, 6, 3)))


def test_a_tile_that_is_no_image_is_named(photos) -> None:
    (photos.root / "tiles" / "Wood_1.png").write_bytes(b"rubbish")
    with pytest.raises(DataError, match=r"Wood_1\.png: cannot be decoded; expected an image"):
        photos.image(photos.tiles[0])


def test_the_real_clips(shared_data) -> None:
    slip = GelsightSlip(shared_data / "gelsight_slip")
    assert len(slip.grasps) == 149
    assert slip.clip(slip.grasps[0].name, "L").shape == (48, 240, 320, 3)
    assert len(slip.clip("tin_box_00", "R", full=True)) > 48


def test_the_real_watches(shared_data) -> None:
    activity = ImuActivity(shared_data / "imu_activity")
    assert len(activity.people) == 18
    run = activity.runs("s01")[0]
    assert len(run.data) == len(run.stamps_ns) == len(run.labels)
    assert np.diff(run.stamps_ns).min() >= 0
    gravity = np.linalg.norm(run.data[:, :3], axis=1).mean()
    assert 9 < gravity < 11.5


def test_the_real_photos(shared_data) -> None:
    photos = MaterialPhotos(shared_data / "material_photos")
    assert len(photos.tiles) == 1208
    narrow = next(tile for tile in photos.tiles if tile.height < 128)
    image = photos.image(narrow)
    assert image.shape == (narrow.height, narrow.width, 3)
    assert image.mean() < 240  # no padding
