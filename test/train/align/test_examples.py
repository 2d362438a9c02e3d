"""Windows with the newest image before their end, from any number of data sets."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.data.inertial import read_tracks
from xmodal_ros.data.inertial.seen import newest_frames
from xmodal_ros.data.inertial.windows import cut
from xmodal_ros.train.align.run import prepare
from xmodal_ros.train.align.settings import read_overrides


def test_the_newest_image_before_a_windows_end_is_its_pair(root):
    data = read_tracks(root)
    windows = cut(data.tracks)
    sources, problems = newest_frames(data, windows, "camera", oldest_s=0.25)
    assert not problems
    for window, source in zip(windows, sources, strict=True):
        taken_ns = int(source.place.rpartition("@")[2])
        assert 0 <= window.end_ns - taken_ns <= 200_000_000  # a camera of 5 Hz


def test_an_image_that_is_too_old_is_none(root):
    data = read_tracks(root)
    windows = cut(data.tracks)
    sources, _ = newest_frames(data, windows, "camera", oldest_s=0.05)
    start_ns = min(window.start_ns for window in windows)
    taken_ns = start_ns + 200_000_000 * np.arange(40)
    ages = [min(w.end_ns - taken_ns[taken_ns <= w.end_ns]) for w in windows]
    assert [s is not None for s in sources] == [age < 50_000_000 for age in ages]


def test_without_a_camera_windows_have_no_image_and_it_is_told(
    blind_root, settings, tmp_path, caplog
):
    with caplog.at_level(logging.WARNING):
        examples = prepare([read_tracks(blind_root)], settings, tmp_path)
    assert (examples.frames == -1).all()
    assert examples.features is None
    assert "no topic 'camera/image_raw' of stream 'camera'" in caplog.text


def test_an_image_that_cannot_be_read_is_named_counted_and_left_out(
    root, examples, settings, tmp_path, monkeypatch, caplog
):
    """Twice: features that were kept tell of it again."""
    from xmodal_ros.train.align import examples as module

    data, whole = read_tracks(root), module.read
    sources, _ = newest_frames(data, cut(data.tracks), "camera", oldest_s=0.3)
    torn, grey = sources[0], next(s for s in sources if s != sources[0])

    def read(together):
        for source, found in whole(together):
            if source == torn:
                found = DataError("is cut off", where=str(source))
            if source == grey:
                found = [found[0][..., 0]]
            yield source, found

    monkeypatch.setattr(module, "read", read)
    for again in (False, True):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            found = prepare([data], settings, tmp_path)
        assert f"{torn} is left out: is cut off" in caplog.text
        assert f"{grey} is left out: is " in caplog.text, again
        lost = np.flatnonzero((found.frames < 0) & (examples.frames >= 0))
        assert found.left_out["the image cannot be read, so only the label is used"] == len(lost)
        both = found.indices("train", seen=True)
        np.testing.assert_array_equal(
            found.features.pooled[found.frames[both]],
            examples.features.pooled[examples.frames[both]],
        )
        assert set(lost) <= set(found.indices("train", labelled=True))
        assert 0 < len(lost) < 10


def test_several_data_sets_are_one(root, blind_root, settings, examples, tmp_path):
    both = prepare([read_tracks(root), read_tracks(blind_root)], settings, tmp_path)
    labelled = examples.indices("train", labelled=True)
    assert len(both.indices("train", labelled=True)) == 2 * len(labelled)
    assert both.classes == ("idle", "shake")
    seen = both.indices("train", seen=True)
    assert len(seen) == len(examples.indices("train", seen=True))
    assert (seen < len(examples)).all()


def test_a_stream_that_is_not_there_is_an_error(root, tmp_path, settings):
    wrong = read_overrides(["vision.stream=eye"], settings)
    with pytest.raises(SettingsError, match="no stream is named"):
        prepare([read_tracks(root)], wrong, tmp_path)


def test_a_part_without_labels_is_an_error(root, tmp_path, settings):
    data = read_tracks(root)
    kept = tuple(track for track in data.tracks if track.part == "train")
    silent = type(data)(data.kind, root, data.split, kept[:1], data.classes)
    with pytest.raises(DataError, match=r"validation part: fewer than 2 labelled windows"):
        prepare([silent], settings, tmp_path)


def test_other_windows_leave_the_examples_as_they_were(examples):
    other = examples.with_windows(np.zeros_like(examples.windows))
    assert not other.windows.any()
    assert examples.windows.any()
    assert other.names == examples.names
