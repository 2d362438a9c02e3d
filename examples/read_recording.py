"""Read a recording without ROS: its topics, its messages, and observations for a bundle."""

import argparse

from xmodal_ros.core.settings import Settings
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import observations
from xmodal_ros.runtime.bundle import Bundle

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("recording", help="rosbag2 folder, .mcap or .db3 file")
parser.add_argument("--bundle", default="", help="its folder; the installed one if not given")
arguments = parser.parse_args()

bundle = Bundle.load(arguments.bundle)
with Recording(arguments.recording) as recording:
    for name, topic in recording.topics.items():
        print(f"{name}: {topic.count} of {topic.type}")
    _, kind, log_time_ns, message = next(recording.messages())
    print(f"the first message, at {log_time_ns / 1e9:.3f} s, is a {kind}")

    settings, windows = bundle.fit(Settings())
    replay = observations(recording, settings, windows)
    count = sum(1 for observation in replay)
    print(f"{count} observations, {replay.health.partial} with a stream missing")
    print("not readable:", recording.unread or "nothing")
