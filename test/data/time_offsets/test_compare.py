"""How alike two streams are, against what is known of Gaussian variables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from xmodal_ros.core.types import Modality
from xmodal_ros.data.time_offsets.compare import compare, peak
from xmodal_ros.data.time_offsets.motion import Motion

PERIOD_NS = 40_000_000


@pytest.mark.parametrize("correlation", [0.6, 0.9])
def test_the_correlation_of_gaussian_variables_is_found_at_their_lag(correlation) -> None:
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(2, 6000, 1))
    y = correlation * x + np.sqrt(1 - correlation**2) * noise
    times_ns = 10**18 + PERIOD_NS * np.arange(len(x))
    motions = {
        "one": Motion("one", Modality.TACTILE, times_ns, x),
        "other": Motion("other", Modality.TACTILE, times_ns + 2 * PERIOD_NS, y),
    }
    found = compare([motions], "one", "other", 0.3)
    assert not isinstance(found, str)
    assert found.lag_s == pytest.approx(2 * PERIOD_NS / 1e9, abs=1e-3)
    assert found.correlation == pytest.approx(correlation, abs=0.05)
    shown = found.aligned()
    assert abs(np.corrcoef(shown.stream, shown.reference)[0, 1]) > correlation - 0.05
    assert abs(np.corrcoef(shown.stream, shown.before)[0, 1]) < 0.3


def test_a_peak_is_that_of_the_parabola_through_it() -> None:
    lags = np.arange(-0.05, 0.051, 0.005)
    assert peak(lags, 1 - (lags - 0.0123) ** 2) == pytest.approx(0.0123, abs=1e-9)
    assert peak(lags, lags) == pytest.approx(0.05)


def test_what_differs_between_recordings_is_in_the_spread() -> None:
    rng = np.random.default_rng(0)
    times_ns = 10**18 + PERIOD_NS * np.arange(1500)

    def recording(late_ns: int) -> dict[str, Motion]:
        x = ndimage.gaussian_filter1d(rng.normal(size=(len(times_ns), 1)), 1.0, axis=0)
        return {
            "one": Motion("one", Modality.TACTILE, times_ns, x),
            "other": Motion("other", Modality.TACTILE, times_ns + late_ns, x),
        }

    def spread_s(lates_ms: list[int]) -> float:
        found = compare([recording(1_000_000 * ms) for ms in lates_ms], "one", "other", 0.3)
        assert not isinstance(found, str)
        return float(np.ptp(np.percentile(found.draws_s, (5, 95))))

    assert spread_s([0] * 6) < 0.001
    assert spread_s([0, 10] * 3) > 0.005
