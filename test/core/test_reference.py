"""The no-contact image: on synthetic presses, on real presses of a ball, and on real grasps."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from xmodal_ros.core.reference import WINDOW, ReferenceEstimator

SIZE = (240, 320)
Y, X = np.mgrid[: SIZE[0], : SIZE[1]]


def gel(rng: np.random.Generator, press: float = 0.0, x: float = 160.0) -> np.ndarray:
    """A gel in coloured light with black markers; `press` is the contrast of a round contact."""
    shading = np.stack([90 + 0.1 * X, 120 + 0.1 * Y, 140 - 0.05 * X], axis=-1)
    distance = np.hypot(X - x, Y - 120) / 30
    slope = np.where(distance < 1.5, distance * np.exp(-(distance**2)), 0) * np.sign(X - x)
    image = shading + press * slope[..., None] * np.array([1.0, -0.3, -1.0])
    image[((X % 50 - 25) ** 2 + (Y % 50 - 25) ** 2) < 36] = 25
    return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)


def feed(estimator: ReferenceEstimator, frames) -> None:
    for frame in frames:
        estimator.add(frame)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def clean() -> np.ndarray:
    return gel(np.random.default_rng(1))


CONTACT = np.s_[75:165, 115:205]


def error(image: np.ndarray, other: np.ndarray) -> float:
    """Mean difference where `gel` is touched."""
    return float(np.abs(image[CONTACT].astype(float) - other[CONTACT]).mean())


def test_there_is_none_before_the_first_still_window(rng):
    estimator = ReferenceEstimator()
    feed(estimator, [gel(rng) for _ in range(WINDOW - 1)])
    assert estimator.image is None
    feed(estimator, [gel(rng)])
    assert estimator.image.shape == (*SIZE, 3)
    assert estimator.image.dtype == np.uint8


def test_it_is_less_noisy_than_a_frame(rng):
    estimator = ReferenceEstimator()
    feed(estimator, [gel(rng) for _ in range(WINDOW)])

    class Noiseless:
        def normal(self, *_):
            return 0.0

    truth = gel(Noiseless())
    assert error(estimator.image, truth) < 0.8 * error(gel(rng), truth)


def test_contact_at_the_start_is_replaced_by_the_first_still_moment_without(rng, clean):
    estimator = ReferenceEstimator()
    feed(estimator, [gel(rng, press=80) for _ in range(10)])
    assert error(estimator.image, clean) > 5
    first = estimator.id
    feed(estimator, [gel(rng) for _ in range(10)])
    assert error(estimator.image, clean) < 3
    assert estimator.id != first


def test_contact_later_does_not_replace_it(rng, clean):
    estimator = ReferenceEstimator()
    feed(estimator, [gel(rng) for _ in range(10)])
    known = estimator.id
    feed(estimator, [gel(rng, press=p) for p in (10, 20, 40, 80) for _ in range(10)])
    assert estimator.id == known
    assert error(estimator.image, clean) < 3


def test_equally_flat_frames_do_not_replace_it(rng):
    estimator = ReferenceEstimator()
    feed(estimator, [gel(rng) for _ in range(60)])
    assert estimator.id == 1


def test_a_moving_contact_gives_no_reference(rng):
    estimator = ReferenceEstimator()
    feed(estimator, [gel(rng, press=200, x=40 + 60 * (k % 4)) for k in range(40)])
    assert estimator.image is None


def test_reset_starts_again_and_never_reuses_an_id(rng):
    estimator = ReferenceEstimator()
    seen = [estimator.id]
    for _ in range(2):
        feed(estimator, [gel(rng) for _ in range(WINDOW)])
        seen.append(estimator.id)
        estimator.reset()
        assert estimator.image is None
        seen.append(estimator.id)
    assert len(set(seen)) == len(seen)


def test_another_image_size_starts_again(rng):
    estimator = ReferenceEstimator()
    feed(estimator, [gel(rng) for _ in range(WINDOW)])
    feed(estimator, [gel(rng)[::2, ::2] for _ in range(WINDOW)])
    assert estimator.image.shape == (120, 160, 3)
    estimator.reset()
    feed(estimator, [gel(rng)[:, :319], *[gel(rng)] * (WINDOW - 1)])
    assert estimator.image is None


def test_a_black_image_is_no_reference():
    estimator = ReferenceEstimator()
    feed(estimator, [np.zeros((48, 64, 3), np.uint8)] * 20)
    assert estimator.image is None


def test_equal_frames_give_a_bit_equal_reference(rng):
    frames = [gel(rng, press=p) for p in (80, 80, 80, 0, 0, 0, 0) for _ in range(4)]
    one, other = ReferenceEstimator(), ReferenceEstimator()
    feed(one, frames)
    feed(other, frames)
    assert one.id == other.id
    assert one.image.tobytes() == other.image.tobytes()


@pytest.mark.parametrize(
    ("clip", "free", "touching"),
    [
        # Frames judged by eye; these clips begin in contact or meet an object later.
        ("ball_white_thread_08_L", 10, 47),
        ("ball_white_thread_04_L", 10, 47),
        ("wooden_statue_01_L", 10, 47),
        ("usb_hub_02_L", 20, 34),
        ("marker_pen_00_L", 20, 34),
    ],
)
def test_real_grasps(shared_data, clip, free, touching):
    cv2 = pytest.importorskip("cv2")
    capture = cv2.VideoCapture(str(shared_data / "gelsight_slip" / "clips" / f"{clip}.avi"))
    frames = [capture.read()[1] for _ in range(48)]
    capture.release()
    estimator = ReferenceEstimator()
    feed(estimator, frames)
    reference = estimator.image.astype(float)
    to_free, to_touching = (np.abs(reference - frames[k]).mean() for k in (free, touching))
    assert to_free < 3
    assert to_free < 0.5 * to_touching


@pytest.mark.parametrize("sensor", ["gelsight", "gelsight_mini"])
def test_real_presses_of_a_ball(sensor):
    spec = importlib.util.find_spec("taxim")
    if spec is None:
        pytest.skip("taxim, which carries the images, is not installed")
    package = Path(spec.submodule_search_locations[0])
    with np.load(package / "calib" / sensor / "dataPack.npz") as pack:
        presses, free = pack["imgs"], pack["f0"]
    estimator = ReferenceEstimator()
    feed(estimator, [press for press in presses[:12] for _ in range(WINDOW)])
    assert (estimator.image != free).any()
    feed(estimator, [free] * 2 * WINDOW)
    np.testing.assert_array_equal(estimator.image, free)
    known = estimator.id
    feed(estimator, [press for press in presses for _ in range(WINDOW)])
    assert estimator.id == known
