"""Put two streams of different rates together: one observation per message of the anchor."""

import numpy as np

from xmodal_ros.core.settings import StreamSettings, SyncSettings
from xmodal_ros.core.sync import EventClock, Synchronizer
from xmodal_ros.core.types import Sample
from xmodal_ros.core.windows import Resampled

streams = (
    StreamSettings(name="camera", modality="camera", topic="camera/image_raw"),
    StreamSettings(name="imu", modality="imu", topic="imu/data_raw"),
)
settings = SyncSettings(timeout_s=0.1)
windows = {"imu": Resampled(samples=50, rate_hz=100.0)}  # the last half second, on a fixed grid
synchronizer = Synchronizer(streams, windows, settings, anchor="camera")
clock = EventClock(settings)  # a node passes its own clock's time instead

image, reading = np.zeros((48, 64, 3), np.uint8), np.zeros(6, np.float32)
for millisecond in range(1, 2000):
    messages = {}
    if millisecond % 4 == 0:
        messages["imu"] = reading
    if millisecond % 33 == 0:
        messages["camera"] = image
    for name, data in messages.items():
        sample = Sample(stamp_ns=millisecond * 1_000_000, frame_id=name, data=data)
        now_ns = clock.advance(name, sample.stamp_ns)
        for observation in synchronizer.push(name, sample, now_ns):
            imu = observation.streams.get("imu")
            seen = f"window {imu.data.shape}" if imu else f"missing: {observation.missing['imu']}"
            print(f"{observation.stamp_ns / 1e9:.3f} s, imu {seen}")
print(f"{synchronizer.health.formed} observations, {synchronizer.health.partial} partial")
