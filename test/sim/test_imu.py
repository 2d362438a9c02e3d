from __future__ import annotations

import itertools

import numpy as np
import pytest

from xmodal_ros.sim.imu import Imu, ImuSettings

QUIET = dict.fromkeys(
    ("accelerometer_bias", "gyro_bias", "accelerometer_noise", "gyro_noise",
     "accelerometer_walk", "gyro_walk", "vibration"), 0.0,
)  # fmt: skip


def record(robot, imu, motion, steps=4):
    samples = []
    for _ in motion:
        for _ in range(steps):
            robot.cell.step()
            imu.follow()
        samples.append(imu.read())
    return np.array(samples)


def test_at_rest_it_feels_gravity_alone(make_robot, make_crate):
    robot = make_robot(make_crate())
    imu = Imu(robot.cell, ImuSettings(**QUIET), np.random.default_rng(0))
    samples = record(robot, imu, robot.hand.hold(0.2))[5:]
    assert samples.dtype == np.float32
    # The hand points down at home, so up is along its -z axis.
    turn = robot.cell.data.site("imu").xmat.reshape(3, 3)
    np.testing.assert_allclose(samples[:, :3], [turn.T @ [0, 0, 9.81]] * len(samples), atol=0.02)
    np.testing.assert_allclose(samples[:, 3:], 0.0, atol=0.002)


def test_it_feels_what_the_hand_does(make_robot, make_crate):
    robot = make_robot(make_crate())
    imu = Imu(robot.cell, ImuSettings(**QUIET), np.random.default_rng(0))
    motions = robot.hand.move(robot.hand.position, 0.8), robot.hand.hold(0.3)
    turn = record(robot, imu, itertools.chain(*motions))
    turned = 0.005 * turn[:, 3:].sum(axis=0)  # the rates add up to the turn about the vertical
    # Yaw 0 is reached from home, so the hand turns by 0.8 rad; z of the hand points down.
    np.testing.assert_allclose(turned, [0.0, 0.0, -0.8], atol=0.06)
    shake = record(robot, imu, robot.hand.wave(
        lambda t: np.array([0.0, 0.0, 0.01 * np.sin(2 * np.pi * 3 * t)]), 1.0))  # fmt: skip
    swing = np.linalg.norm(shake[:, :3], axis=1)
    assert swing.max() - swing.min() > 0.5 * 2 * 0.01 * (2 * np.pi * 3) ** 2


def test_noise_bias_and_walk_are_as_large_as_set(make_robot, make_crate):
    robot = make_robot(make_crate())
    noisy = ImuSettings(**{**QUIET, "accelerometer_noise": 0.5, "gyro_noise": 0.05})
    imu = Imu(robot.cell, noisy, np.random.default_rng(0))
    samples = np.array([imu.read() for _ in range(2000)])
    np.testing.assert_allclose(samples.std(axis=0), [0.5] * 3 + [0.05] * 3, rtol=0.1)
    biased = ImuSettings(**{**QUIET, "accelerometer_bias": 0.5, "gyro_bias": 0.05})
    readings = [Imu(robot.cell, biased, np.random.default_rng(s)).read() for s in range(300)]
    np.testing.assert_allclose(np.std(readings, axis=0), [0.5] * 3 + [0.05] * 3, rtol=0.2)


def test_vibration_comes_with_motion(make_robot, make_crate):
    robot = make_robot(make_crate())
    imu = Imu(robot.cell, ImuSettings(**{**QUIET, "vibration": 5.0}), np.random.default_rng(0))
    still = record(robot, imu, robot.hand.hold(0.2))[5:]
    moving = record(robot, imu, robot.hand.move(np.array([0.1, 0.2, 0.3]), speed=0.4))

    def rough(samples):
        return float(np.abs(np.diff(samples[:, :3], axis=0)).mean())

    assert rough(moving) > 20 * rough(still)


def test_values_stop_at_the_range(make_robot, make_crate):
    robot = make_robot(make_crate())
    small = ImuSettings(**{**QUIET, "accelerometer_range": 10.0, "accelerometer_bias": 5.0})
    values = [Imu(robot.cell, small, np.random.default_rng(s)).read() for s in range(20)]
    assert np.max(np.abs(values)) == pytest.approx(10.0)
