"""Batches follow from seed, step and place alone, however they are made."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.train.pretrain.batches import Batches

MODALITIES = ("camera", "tactile")


def same(first, second):
    assert first.names == second.names
    for name in MODALITIES:
        assert torch.equal(first.images[name], second.images[name])


def test_shape(pairs, make_settings):
    batch = next(Batches(pairs, make_settings()).after(0))
    for name in MODALITIES:
        assert batch.images[name].shape == (2, 8, 32, 32, 3)
        assert batch.images[name].dtype == torch.uint8
        assert not torch.equal(batch.images[name][0], batch.images[name][1])
    assert len(batch.names) == 8


def test_an_epoch_has_every_pair_once_and_another_order_than_the_next(pairs, make_settings):
    batches = Batches(pairs, make_settings())
    epochs = [[i for s in range(3) for i in batches.chosen(s + 3 * e)] for e in range(2)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(24))] * 2
    assert epochs[0] != epochs[1]


def test_a_run_that_continues_sees_what_a_whole_run_sees(pairs, make_settings):
    batches = Batches(pairs, make_settings())
    whole = list(batches.after(0))
    assert len(whole) == 6
    for expected, found in zip(whole[4:], batches.after(4), strict=True):
        same(expected, found)


def test_threads_change_nothing(pairs, make_settings):
    one = Batches(pairs, make_settings("schedule.threads=1")).after(0)
    four = Batches(pairs, make_settings("schedule.threads=4")).after(0)
    for first, second in islice(zip(one, four, strict=True), 2):
        same(first, second)


def test_processes_share_the_batch_of_one(pairs, make_settings):
    settings = make_settings()
    whole = next(Batches(pairs, settings).after(3))
    parts = [next(Batches(pairs, settings, rank, 2).after(3)) for rank in range(2)]
    assert parts[0].names + parts[1].names == whole.names
    for name in MODALITIES:
        joined = torch.cat([part.images[name] for part in parts], dim=1)
        assert torch.equal(joined, whole.images[name])


def test_only_one_batch_is_made_ahead(pairs, make_settings):
    batches = Batches(pairs, make_settings()).after(0)
    next(batches)
    batches.close()
    assert len(pairs.read) <= 16


def test_a_batch_larger_than_the_data_or_not_to_be_shared_is_refused(pairs, make_settings):
    with pytest.raises(SettingsError, match=r"schedule.batch: got 25; .* number of pairs, 24"):
        Batches(pairs, make_settings("schedule.batch=25"))
    with pytest.raises(SettingsError, match=r"got 8; expected a multiple of the 3 processes"):
        Batches(pairs, make_settings(), 0, 3)


def test_a_batch_of_one_is_refused(make_settings):
    with pytest.raises(SettingsError, match=r"schedule.batch: got 1; expected a value from 2"):
        make_settings("schedule.batch=1")


GREY = np.zeros((20, 20, 3), np.uint8) + np.arange(20, dtype=np.uint8)[:, None]


@pytest.mark.parametrize(
    ("modality", "image", "text"),
    [
        ("tactile", GREY, r"pair 5 \(tactile\): is grey: its three channels are alike"),
        ("camera", GREY[..., 0], r"pair 5 \(camera\): got an array \(20, 20\) uint8"),
        ("tactile", GREY.astype(np.uint16), r"got an array \(20, 20, 3\) uint16; expected an 8"),
        ("camera", np.zeros((0, 4, 3), np.uint8), r"got an array \(0, 4, 3\) uint8"),
    ],
)
def test_what_is_no_colour_image_is_refused_with_its_name(
    make_pairs, make_settings, modality, image, text
):
    class Spoilt(make_pairs):
        def __getitem__(self, index):
            pair = super().__getitem__(index)
            return pair._replace(**{modality: image}) if index == 5 else pair

    with pytest.raises(DataError, match=text):
        list(Batches(Spoilt(), make_settings()).after(0))


def test_an_image_that_cannot_be_read_ends_the_run_and_is_never_replaced(
    make_pairs, make_settings
):
    class Unreadable(make_pairs):
        def __getitem__(self, index):
            if index == 5:
                raise DataError("cannot be read as an image", where="5.png")
            return super().__getitem__(index)

    with pytest.raises(DataError, match=r"5\.png: cannot be read"):
        list(Batches(Unreadable(), make_settings()).after(0))
