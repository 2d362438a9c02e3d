"""Parts made here, and pairs for pretraining."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.visual_tactile.example import divide
from xmodal_ros.data.visual_tactile.pairs import open_pairs


def test_divide_shares_within_each_stratum() -> None:
    strata = {f"{kind}{k}": kind for kind in ("wood", "steel") for k in range(100)}
    parts = divide(strata)
    for kind in ("wood", "steel"):
        shares = Counter(parts[group] for group in strata if strata[group] == kind)
        assert shares == {"train": 70, "test": 15, "validation": 15}


def test_divide_does_not_depend_on_order_or_on_other_strata() -> None:
    strata = {f"wood{k}": "wood" for k in range(20)}
    parts = divide(strata)
    more = {"steel0": "steel", **dict(reversed(strata.items()))}
    assert {group: part for group, part in divide(more).items() if group in strata} == parts


@pytest.mark.parametrize(("count", "expected"), [(1, ["train"]), (2, ["train"] * 2)])
def test_a_small_stratum_is_trained_on(count, expected) -> None:
    assert list(divide({str(k): "rare" for k in range(count)}).values()) == expected


def test_pairs_are_of_train_and_of_unlabelled_examples(touch_and_go, scene, gel) -> None:
    pairs = open_pairs(touch_and_go, split="official")
    names = [pairs[k].name for k in range(len(pairs))]
    assert len(names) == 8
    assert {name.partition("/")[0] for name in names} == {
        "20220318_100000", "20220318_110000", "20220320_130000",
    }  # fmt: skip
    pair = pairs[0]
    assert pair.name == "20220318_100000/0000000000 tactile"
    for image, drawn in ((pair.camera, scene(1)), (pair.tactile, gel(1))):
        assert image.shape == (48, 64, 3)
        assert np.abs(image.astype(int) - drawn).mean() < 12  # JPEG


def test_each_finger_makes_a_pair(tmp_path, record) -> None:
    record(tmp_path / "run")
    streams = "{topic: /tactile_left/image_raw, modality: tactile}"
    (tmp_path / "settings.yaml").write_text(
        f"streams:\n  camera: {{}}\n  left: {streams}\n  right: {streams}\n"
    )
    pairs = open_pairs(tmp_path)
    assert Counter(pairs[k].name.split()[1] for k in range(len(pairs))) == {"left": 8, "right": 8}


def test_without_a_camera_there_are_no_pairs(tmp_path, record) -> None:
    record(tmp_path / "run", camera_late_ns=100_000_000)
    with pytest.raises(DataError, match="no example to train on has a camera and a gel image"):
        open_pairs(tmp_path)
