"""`sensor_msgs/msg/Imu` to a vector, by REP 145."""

from __future__ import annotations

from typing import Any

import numpy as np

from xmodal_ros.core.errors import DataError

_LARGEST = 3e38  # of a float32


def decode_imu(message: Any, where: str = "imu") -> np.ndarray:
    """Decode to `(6,) float32`, in the sensor's frame.

    Specific force in m/s², which includes gravity (a sensor at rest reads 9.81 upwards), then
    angular rate in rad/s. The orientation is not read: an absent one does no harm.

    Raises:
        DataError: a value is NaN or infinite, or the message says that one of the two is absent.
    """
    for name in ("linear_acceleration", "angular_velocity"):
        if getattr(message, f"{name}_covariance")[0] == -1:
            raise DataError(
                f"{name}_covariance[0] is -1: this IMU does not measure it (REP 145)",
                where=where,
                expected=f"a {name}",
                do="Point the stream at an IMU that has both.",
            )
    force, rate = message.linear_acceleration, message.angular_velocity
    values = (force.x, force.y, force.z, rate.x, rate.y, rate.z)
    if not sum(map(abs, values)) < _LARGEST:  # also false for NaN
        raise DataError(
            "specific force or angular rate is NaN or infinite",
            where=where,
            expected="finite values",
            do="Check the driver. The message is left out.",
        )
    return np.array(values, np.float32)
