"""Load a model bundle and predict one observation made from plain arrays."""

import argparse

import numpy as np

from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import Modality, Observation, StreamData
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.predictor import Predictor

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--bundle", default="", help="its folder; the installed one if not given")
parser.add_argument("--backend", default="auto")
arguments = parser.parse_args()

bundle = Bundle.load(arguments.bundle)
for name, spec in bundle.inputs.items():
    print(f"reads {name}: {spec.modality.value}, {spec.window}")

stamp_ns = 1_700_000_000_000_000_000
photo = np.full((480, 640, 3), 128, np.uint8)  # (H, W, 3) RGB, any size
camera = StreamData(Modality.CAMERA, photo, stamps_ns=(stamp_ns,), age_ns=0)
observation = Observation(stamp_ns, "gripper", anchor="camera", streams={"camera": camera})

with Predictor(bundle, InferenceSettings(backend=arguments.backend)) as predictor:
    prediction = predictor.predict(observation)
for name, head in prediction.heads.items():  # heads that read none of the streams give nothing
    print(f"{name}: {head.label} {head.confidence:.2f}, abstained: {head.abstained}")
