"""What is kept of gel frames, and for how long."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from xmodal_ros.runtime.frames import Frame, FrameStore


def image(value: int) -> np.ndarray:
    return np.full((10, 10, 3), value, np.uint8)


class Counting:
    """A stage that counts its runs."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        self.runs += 1
        return inputs


def test_the_same_image_is_prepared_once():
    store, prepare = FrameStore(), Counting()
    first = store.get(("left", 1), image(1), lambda x: prepare(x)[0])
    again = store.get(("left", 1), image(1), lambda x: prepare(x)[0])
    assert again is first
    assert prepare.runs == 1


def test_another_image_with_the_same_stamp_takes_its_place():
    store = FrameStore()
    for value in (1, 2, 1):
        assert (store.get(("left", 1), image(value), lambda x: x).ready == value).all()
    odd = np.zeros((3, 3, 3), np.uint8)  # not a multiple of eight bytes
    assert store.get(("left", 1), odd, lambda x: x).ready.shape == odd.shape
    odd = odd.copy()
    odd[2, 2, 2] = 1
    assert store.get(("left", 1), odd, lambda x: x).ready[2, 2, 2] == 1


def test_memory_is_bounded_and_the_oldest_goes_first():
    store, prepare = FrameStore(megabytes=0.001), Counting()  # three images of 300 bytes
    for stamp in range(50):
        store.get(("left", stamp), image(stamp), lambda x: x)
    assert list(store.frames) == [("left", s) for s in (47, 48, 49)]
    store.get(("left", 49), image(49), lambda x: prepare(x)[0])
    assert prepare.runs == 0


def test_features_belong_to_a_pair_of_frames():
    frame, other, third = (Frame(image(v), image(v)) for v in range(3))
    stage = Counting()
    for partner, runs in ((other, 1), (other, 1), (third, 2), (None, 3), (None, 3), (other, 3)):
        frame.features(partner, stage, frame.ready)
        assert stage.runs == runs


def test_features_of_the_last_few_pairs_are_kept():
    frame, *others = (Frame(image(v), image(v)) for v in range(5))
    stage = Counting()
    for partner in others:
        frame.features(partner, stage, partner.ready)
    np.testing.assert_array_equal(
        frame.features(others[-1], stage, frame.ready)[0], others[-1].ready
    )
    assert stage.runs == 4
    frame.features(others[0], stage, frame.ready)
    assert stage.runs == 5


def test_at_60_hz_a_clip_costs_few_encodings():
    frames = [Frame(image(0), image(0)) for _ in range(400)]
    stage = Counting()
    for newest in range(110, 400):
        if newest == 300:
            stage.runs = 0
        clip = [frames[newest - round(9.6 * k)] for k in range(12)]  # 0.16 s apart
        for frame, before in pairwise(clip):
            frame.features(before, stage, frame.ready)
    assert stage.runs <= 100 * 2.5  # and not 11 each
