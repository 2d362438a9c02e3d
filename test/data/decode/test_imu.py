"""IMU messages by REP 145."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.decode import decode_imu
from xmodal_ros.data.fields import imu_fields

IMU = "sensor_msgs/msg/Imu"
SAMPLE = np.array([0.1, -0.2, 9.81, 0.01, 0.02, -0.03], np.float32)


def test_specific_force_then_angular_rate(build) -> None:
    vector = decode_imu(build(IMU, imu_fields(5, "imu", SAMPLE)))
    np.testing.assert_array_equal(vector, SAMPLE)
    assert vector.dtype == np.float32


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("place", range(6))
def test_what_is_not_finite_is_refused(build, place, value) -> None:
    sample = SAMPLE.astype(np.float64)
    sample[place] = value
    with pytest.raises(DataError, match="/imu: specific force or angular rate is NaN or infinite"):
        decode_imu(build(IMU, imu_fields(5, "imu", sample)), "/imu")


@pytest.mark.parametrize("name", ["linear_acceleration", "angular_velocity"])
def test_an_absent_quantity_is_refused(build, name) -> None:
    fields = imu_fields(5, "imu", SAMPLE) | {f"{name}_covariance": [-1.0] + [0.0] * 8}
    with pytest.raises(DataError, match=rf"/imu: {name}_covariance\[0\] is -1.*REP 145"):
        decode_imu(build(IMU, fields), "/imu")
