"""Whether a gel is touched, and which touches are remembered."""

import numpy as np
import pytest

from xmodal_ros.core.types import Modality, StreamData
from xmodal_ros.runtime.contact import NoContact, TooFew, Touches, touched

SECOND = 1_000_000_000


def gel(pressed=0.0, noise=0.0, brightness=1.0, size=(120, 160)):
    """A gel's image: a gradient, a bump in the middle, noise."""
    y, x = np.mgrid[: size[0], : size[1]] / size[1]
    bump = pressed * np.exp(-((x - 0.5) ** 2 + (y - 0.4) ** 2) / 0.02)
    image = 100 * brightness * (1 + 0.3 * x + bump)
    rng = np.random.default_rng(0)
    return np.clip(image[..., None] + rng.normal(0, noise, (*size, 3)), 0, 255).astype(np.uint8)


def stream(image, reference):
    return StreamData(Modality.TACTILE, image, (0,), 0, (image,), reference)


@pytest.mark.parametrize(
    ("image", "reference", "found"),
    [
        (gel(), gel(), False),
        (gel(noise=3.0), gel(), False),
        (gel(pressed=0.2, noise=3.0), gel(), True),
        (gel(pressed=0.2, brightness=0.3), gel(brightness=0.3), True),
        (gel(pressed=0.2, size=(1200, 1600)), gel(size=(1200, 1600)), True),
        (gel(pressed=0.2), None, False),
        (gel(pressed=0.2), gel(size=(60, 80)), False),
        (np.zeros((120, 160, 3), np.uint8), np.zeros((120, 160, 3), np.uint8), False),
    ],
    ids=["same", "noise", "pressed", "dark", "large", "unknown", "other size", "black"],
)
def test_contact_is_what_differs_from_the_image_without(image, reference, found):
    assert touched(stream(image, reference)) is found


def feel(touches, pattern, begin_s=0):
    """Ten observations per second; "x" stands for a second of contact, "-" for one without."""
    for step in range(10 * len(pattern)):
        contact = pattern[step // 10] == "x"
        stamp_ns = begin_s * SECOND + step * SECOND // 10
        touches.add(stamp_ns, contact, np.full(4, step, np.float32), np.ones(2, np.float32) / 2)


def test_a_touch_ends_when_the_gel_is_let_go():
    touches = Touches()
    feel(touches, "-x-xx-")
    found = touches.last(2)
    assert [(t.begin_ns / 1e9, t.end_ns / 1e9) for t in found] == [(1.0, 1.9), (3.0, 4.9)]
    assert [f[0] for f in found[0].features] == list(range(10, 20))
    assert touches.last(1) == [found[1]]


def test_a_contact_that_is_lost_for_a_moment_is_one_touch():
    touches = Touches()
    for step in range(20):
        feature = np.zeros(4, np.float32)
        touches.add(step * SECOND // 10, step not in (7, 8), feature, feature)
    assert len(touches.last(1)[0].features) == 18
    with pytest.raises(TooFew, match=r"^touches: 1 touches are remembered"):
        touches.last(2)


def test_the_touch_that_goes_on():
    touches = Touches()
    with pytest.raises(NoContact, match=r"^gel: nothing touches it .* expected contact while it"):
        touches.last(0)
    feel(touches, "x-xx")
    (found,) = touches.last(0)
    assert found.begin_ns == 2 * SECOND
    found.taught = True
    with pytest.raises(NoContact):
        touches.last(0)
    feel(touches, "-", begin_s=4)
    with pytest.raises(NoContact):
        touches.last(0)
    assert [t.begin_ns for t in touches.last(1)] == [0]


def test_what_is_old_or_from_before_time_was_set_back_is_forgotten():
    touches = Touches(remembered_s=4.5, most=3)
    feel(touches, "x-x-x-x-")
    assert [t.begin_ns // SECOND for t in touches.all()] == [4, 6]
    feel(touches, "x-", begin_s=3)
    assert [t.begin_ns // SECOND for t in touches.all()] == [3]
    feel(touches, "-", begin_s=20)
    with pytest.raises(NoContact, match=r"expected a touch in the last 4.5 s"):
        touches.last(1)
