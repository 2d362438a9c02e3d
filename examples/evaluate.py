"""Evaluate a recording and use the numbers."""

import argparse

from xmodal_ros.core.settings import Settings
from xmodal_ros.eval.evaluate import evaluate

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("recording", help="rosbag2 folder, .mcap or .db3 file")
parser.add_argument("--bundle", default="", help="its folder; the installed one if not given")
parser.add_argument("--out", default="out/eval")
arguments = parser.parse_args()

settings = Settings.from_mapping({"inference": {"bundle": arguments.bundle}})
summary = evaluate(arguments.recording, arguments.out, settings)
for name, head in summary["heads"].items():
    scores = head["scores"]
    print(name, head["answers"], "answers", f"AUC {scores['auc']}" if scores else "no labels")
print(*summary["problems"], sep="\n")
