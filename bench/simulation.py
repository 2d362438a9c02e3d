"""Row `simulation`: what a minute of simulated data of every sensor costs."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.row import Row, timed

EPISODES = 4


def simulation() -> Row:
    """Whole episodes as `xmodal sim dataset` makes them, from the drawn scene to MCAP on disk."""
    from xmodal_ros.sim.dataset import Facts, make_episode, use_one_thread
    from xmodal_ros.sim.settings import SimSettings

    use_one_thread()
    costs, sizes = [], []
    with TemporaryDirectory() as folder:
        for number in range(EPISODES + 1):  # the first one also loads libraries
            made: list[Facts] = []

            def work(number: int = number, made: list[Facts] = made) -> None:
                made.append(make_episode(Path(folder), number, 0, SimSettings()))

            spent_s = timed(work, time.process_time)
            files = (Path(folder) / made[0].name).iterdir()
            costs.append(60 * spent_s / made[0].seconds)
            sizes.append(60e-6 * sum(file.stat().st_size for file in files) / made[0].seconds)
    return Row(
        "simulation",
        "one minute of simulated data: camera 224x224 at 30 Hz and at the wrist at 10 Hz, two "
        "gels 320x240 at 25 Hz, LiDAR of 16,384 points at 10 Hz, IMU at 400 Hz; one thread",
        "90 s of one core",
        "s",
        statistics.median(costs[1:]),
        None,
        tuple(costs[1:]),
        at_most=90.0,
        details={"written (MB)": statistics.median(sizes[1:])},
    )
