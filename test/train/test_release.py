"""What a release is made of: one architecture of several recipes, test items as streams."""

from __future__ import annotations

import numpy as np

from xmodal_ros.core.windows import Clip
from xmodal_ros.nn.architecture import Architecture
from xmodal_ros.train import serving
from xmodal_ros.train.assemble import merged
from xmodal_ros.train.recipes import find_recipe
from xmodal_ros.train.release import ROWS


def test_recipes_of_a_release_make_one_architecture():
    names = [next(iter(titles)) for titles in ROWS.values()]
    made = Architecture.from_mapping(merged([find_recipe(name) for name in names]))
    assert set(made.heads) == {"grasp", "activity", "material"}
    assert set(made.streams) == {"tactile_left", "tactile_right", "imu", "camera"}


def test_served_clips_end_with_the_recording(shared_data):
    from xmodal_ros.data.gelsight_slip import GelsightSlip

    class Stub:
        def windows(self):
            return {name: Clip(12, 0.16) for name in ("tactile_left", "tactile_right")}

    data = GelsightSlip(shared_data / "gelsight_slip")
    grasp = next(g for g in data.grasps if g.split == "test")
    observation, label = next(serving.grasp_items(Stub(), shared_data))
    assert label == int(not grasp.slip)
    for stream, finger in (("tactile_left", "L"), ("tactile_right", "R")):
        found = np.stack(observation.streams[stream].frames)
        np.testing.assert_array_equal(found, data.clip(grasp.name, finger)[3::4])
