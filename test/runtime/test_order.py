"""How activities follow one another: in a bundle, in what it predicts, in what is smoothed."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import yaml

pytest.importorskip("torch")

from xmodal_ros.core.smoothing import Smoother, SmoothingSettings
from xmodal_ros.core.types import Modality, Observation, StreamData
from xmodal_ros.runtime.bundle import Bundle, check_bundle
from xmodal_ros.runtime.predictor import Predictor

HEAD = "activity"


def test_a_bundles_order_is_what_the_filter_goes_by(tiny_bundle) -> None:
    bundle = Bundle.load(tiny_bundle)
    spec = bundle.inputs["imu"]
    rng = np.random.default_rng(0)
    smoother = Smoother(SmoothingSettings(method="hmm"))
    with Predictor(bundle) as predictor:
        first, second = (
            predictor.predict(_heard(rng.normal(size=(spec.frames, 6)), round(time_s * 1e9)))
            for time_s in (1.0, 1.3)
        )
    order = first.heads[HEAD].order
    np.testing.assert_array_equal(order.rates, np.roll(np.eye(5), 1, axis=1))
    assert order.evidence_s == 0.2
    before = smoother.apply(first).heads[HEAD].probabilities.astype(np.float64)
    leaving = 1 - np.exp(-0.3)  # of a class in 0.3 s; two changes in that time are rare
    expected = (1 - leaving) * before + leaving * np.roll(before, 1)
    expected *= second.heads[HEAD].probabilities
    found = smoother.apply(second).heads[HEAD].probabilities
    np.testing.assert_allclose(found, expected / expected.sum(), atol=0.03)
    assert not np.allclose(found, second.heads[HEAD].probabilities, atol=0.03)


def test_heads_of_other_tasks_have_none(tiny_bundle) -> None:
    cards = Bundle.load(tiny_bundle).heads
    assert [name for name, card in cards.items() if card.order] == [HEAD]


@pytest.mark.parametrize(
    "rates",
    [
        3,
        "fast",
        [0.0, 1.0],
        [[0.0, 1.0], [1.0, 0.0]],
        [[0.0] * 5] * 4 + [[0.0] * 4],
        [[0.0] * 5] * 4 + [["often"] * 5],
        [[-1.0] * 5] * 5,
        [[1.0] * 5] * 5,
        [[float("nan")] * 5] * 5,
    ],
)
def test_rates_that_are_none_are_named(tiny_bundle, tmp_path, rates) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(tiny_bundle, folder)
    manifest = yaml.safe_load((folder / "bundle.yaml").read_text())
    manifest["heads"][HEAD]["rates"] = rates
    (folder / "bundle.yaml").write_text(yaml.safe_dump(manifest))
    (problem,) = check_bundle(folder)
    assert problem.startswith("heads.activity.rates: got ")
    assert problem.endswith(
        "expected tuple"
        if isinstance(rates, (int, str))
        else "expected 5 rows of 5 numbers from 0 on, 0 on the diagonal"
    )


def _heard(window: np.ndarray, stamp_ns: int) -> Observation:
    data = StreamData(Modality.IMU, window.astype(np.float32), (0, stamp_ns), 0)
    return Observation(stamp_ns, "hand", "imu", {"imu": data})
