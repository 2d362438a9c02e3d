"""Tasks on the real recordings: splits, and windows equal to what the synchronizer gives."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from xmodal_ros.data.splits import FOLDER, load_split
from xmodal_ros.nn.architecture import ImuSettings
from xmodal_ros.train import activity, material
from xmodal_ros.train.make_splits import make_splits
from xmodal_ros.train.tasks import TASKS


@pytest.mark.parametrize("task", TASKS)
def test_split_files_fit_the_data(task, shared_data):
    name = TASKS[task].split
    split = load_split(FOLDER / f"{name}.csv", shared_data / name)  # checks hashes and leaks
    assert set(split.groups("train")).isdisjoint(split.groups("test"))


def test_the_split_files_can_be_made_again(shared_data, tmp_path):
    make_splits(shared_data, tmp_path)
    for path in FOLDER.glob("*.csv"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_kinds_are_the_most_frequent_categories(shared_data):
    from xmodal_ros.data.material_photos import MaterialPhotos

    photos = MaterialPhotos(shared_data / material.SPLIT)
    found = material.kinds(photos.tiles)
    counts = [sum(t.category == kind for t in photos.tiles) for kind in found]
    assert len(set(found)) == material.KINDS
    assert counts == sorted(counts, reverse=True)
    others = {t.category for t in photos.tiles} - set(found)
    assert all(sum(t.category == o for t in photos.tiles) <= counts[-1] for o in others)


def test_training_windows_are_what_the_synchronizer_gives(shared_data):
    from xmodal_ros.core.settings import StreamSettings
    from xmodal_ros.core.types import Sample
    from xmodal_ros.core.windows import Resampled
    from xmodal_ros.data.imu_activity import ImuActivity
    from xmodal_ros.train.serving import observe

    settings = ImuSettings()
    examples = activity.ActivityExamples(shared_data, settings, phone=False)
    data = ImuActivity(shared_data / activity.SPLIT)
    run = data.runs(data.people[0])[0]
    ends, labels = activity.scored_units(run, len(data.labels))
    scored = np.flatnonzero(examples.index.scored)[: len(ends)]
    np.testing.assert_array_equal(examples.index.labels[scored], labels)
    ours = examples.batch(scored, None)["imu"].numpy()

    streams = [
        StreamSettings(name="anchor", modality="camera"),
        StreamSettings(name="imu", modality="imu"),
    ]
    samples = [
        ("imu", Sample(int(s - run.stamps_ns[0]) + 10**9, "", row))
        for s, row in zip(run.stamps_ns, run.data, strict=True)
    ]
    blank = np.zeros((2, 2, 3), np.uint8)
    anchors = [round(end * 1e9) - 10**7 for end in ends[1:]]  # the unit's last sample on the grid
    samples += [("anchor", Sample(a + 10**9, "", blank)) for a in anchors]
    samples.sort(key=lambda pair: pair[1].stamp_ns)
    windows = {"imu": Resampled(settings.samples, settings.rate_hz)}
    theirs = [o.streams["imu"].data for o in observe(streams, windows, samples)]
    assert len(theirs) == len(ours) - 1
    # Ours reads a 100 Hz grid, the synchronizer the samples themselves: alike but for fast moves.
    assert np.abs(np.stack(theirs) - ours[1:]).mean() < 0.05


def test_rotations_are_proper():
    made = activity.rotations(np.random.default_rng(0), 10, 0.5)
    np.testing.assert_allclose(
        made @ made.transpose(0, 2, 1), np.tile(np.eye(3), (10, 1, 1)), atol=1e-9
    )
    np.testing.assert_allclose(np.linalg.det(made), 1.0)


def test_views_are_the_eight_symmetries_of_a_photo():
    photo = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    views = material.views(photo)
    np.testing.assert_array_equal(views[0], photo)
    assert len(views) == material.VIEWS
    assert len({(view.shape, view.tobytes()) for view in views}) == material.VIEWS
    for view in views:
        assert any(np.array_equal(np.rot90(view, k), photo) for k in range(4)) or any(
            np.array_equal(np.rot90(view, k)[:, ::-1], photo) for k in range(4)
        )


def test_folds_hold_out_neighbours_together(shared_data):
    from xmodal_ros.data.material_photos import MaterialPhotos

    tiles = MaterialPhotos(shared_data / material.SPLIT).tiles
    groups = material.stretches(tiles)
    for category, part in {(t.category, t.split) for t in tiles}:
        made = [
            g
            for g, t in zip(groups, tiles, strict=True)
            if (t.category, t.split) == (category, part)
        ]
        runs = 1 + sum(a != b for a, b in pairwise(made))
        assert runs == len(set(made)) == min(material.STRETCHES, len(made))
