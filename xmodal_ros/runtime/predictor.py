"""From observations to calibrated predictions, for live node, evaluator and benchmark alike."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from time import perf_counter_ns
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.probabilities import entropy, softmax, winner
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import HeadPrediction, Modality, Observation, Prediction, StreamData
from xmodal_ros.runtime.backends import (
    Backend,
    ConversionCache,
    Result,
    Stage,
    create,
    select,
)
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.frames import Features, Frame, FrameStore, same
from xmodal_ros.runtime.ood import branch_feature, look, ood_score
from xmodal_ros.runtime.preprocess import check_window, range_image, resize_image

Array = npt.NDArray[Any]


class Predictor:
    """Runs a bundle on observations.

    A prediction depends on its observation alone. Streams that the bundle does not know are
    ignored; heads none of whose streams are present give nothing.

    Args:
        bundle: The model.
        inference: Backend, device, precision and threads; `bundle` in it is not read.

    Raises:
        DeviceError: a backend or device that is asked for by name is not there.
    """

    def __init__(self, bundle: Bundle, inference: InferenceSettings | None = None) -> None:
        self.bundle = bundle
        name, target = select(inference or InferenceSettings(), bundle.backends)
        self.backend: Backend = create(name, target, ConversionCache(_cache_key(bundle)))
        self.statistics, self.sensors = bundle.statistics(), bundle.stream_statistics()
        self.inputs, self.labelled = bundle.inputs, bundle.labelled
        self.differences = {
            name: getattr(bundle.spec.branch(name), "difference", "none") for name in self.inputs
        }
        self.store = FrameStore()
        self._newest: dict[str, tuple[StreamData, Result | None]] = {}
        """By stream, the image or scan of the last observation, and what it gave."""
        self._read: dict[str, Array] = {}
        """By stream, what its branch read of it last, of a clip the newest image."""
        self.encoded: dict[str, Features] = {}
        """By stream of the last observation, its tokens and embedding; where points have classes
        also logits by pixel, and the pixel of each point, for `runtime.points`."""
        self._first_ns = 0
        self._compile()

    def _compile(self) -> None:
        import torch

        from xmodal_ros.nn.network import FuseStage

        network = self.bundle.network()
        self.encode: dict[str, Stage] = {}
        self.fuse: dict[str, Stage] = {}
        self.blank: dict[str, Features] = {}
        """By stream, what stands for it where it is absent."""
        with torch.no_grad():
            for name, branch in network.branches.items():
                example = tuple(x.numpy() for x in branch.example())
                self.encode[name] = self.backend.compile(f"encode_{name}", branch, example)
            for name in network.heads:
                stage = FuseStage(network, name).eval()
                example = tuple(x.numpy() for x in stage.example())
                self.fuse[name] = self.backend.compile(f"fuse_{name}", stage, example)
                for i, stream in enumerate(stage.streams):
                    pair = example[1 + 2 * i : 3 + 2 * i]
                    self.blank[stream] = tuple(np.zeros_like(x) for x in pair)

    def __enter__(self) -> Predictor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the compiled network and what is kept; the predictor is of no use afterwards."""
        self.encode.clear()
        self.fuse.clear()
        self.clear()
        if self.backend.target.kind == "cuda":
            import torch

            torch.cuda.empty_cache()  # torch keeps what is freed, and other processes need it

    def clear(self) -> None:
        """Forget kept frame features. Predictions do not depend on it."""
        self.store.clear()
        self._newest.clear()
        self.encoded = {}

    def warm_up(self, runs: int = 3) -> None:
        """Predict blank observations, so that the first real one is not slow."""
        for _ in range(runs):
            self.predict(self.blank_observation())
            self.clear()

    def blank_observation(self) -> Observation:
        """An observation in which every stream is present and zero, scans but for one point."""
        streams = {name: spec.blank() for name, spec in self.inputs.items()}
        return Observation(0, "", next(iter(streams)), streams)

    def predict(self, observation: Observation) -> Prediction:
        """Predict one observation.

        Raises:
            DataError: a stream's data has another kind, length or type than the bundle reads.
        """
        start, self._first_ns = perf_counter_ns(), 0
        # Everything is begun before anything is waited for: a backend may compute it side by side.
        begun = {
            name: self._encode(name, observation.streams[name])
            for name in self.inputs
            if name in observation.streams
        }
        looks = {
            n: look(self._read[n]) for n, result in begun.items() if result and n in self.sensors
        }
        encoded = {name: result() for name, result in begun.items() if result}
        self.encoded = encoded
        fused = {}
        for name in self.bundle.heads:
            streams = self.bundle.spec.heads[name].streams
            if any(s in encoded for s in streams):
                present = np.array([[s in encoded for s in streams]], np.float32)
                parts = [x for s in streams for x in encoded.get(s, self.blank[s])[:2]]
                fused[name] = self._begin(self.fuse[name], present, *parts)
        heads = {
            name: self._answer(name, result(), set(encoded)) for name, result in fused.items()
        }
        steps = {name: _unit(e[1].reshape(-1, e[1].shape[-1])) for name, e in encoded.items()}
        ood = {
            name: ood_score(branch_feature(steps[name], seen), self.sensors[name])
            for name, seen in looks.items()
        }
        done, first_ns = perf_counter_ns(), self._first_ns or start
        return Prediction(
            stamp_ns=observation.stamp_ns,
            frame_id=observation.frame_id,
            heads=heads,
            age_ns=observation.age_ns,
            embeddings={name: units[-1] for name, units in steps.items()},
            model_id=self.bundle.id,
            weights_hash=self.bundle.weights_hash,
            preprocess_ns=first_ns - start,
            inference_ns=done - first_ns,
            ood=ood,
        )

    def _begin(self, stage: Stage, *inputs: Array) -> Result:
        """Begin a stage and note when the first one of an observation began.

        What is prepared later is prepared while the network computes.
        """
        self._first_ns = self._first_ns or perf_counter_ns()
        return stage(*inputs)

    def _encode(self, name: str, stream: StreamData) -> Result | None:
        """Tokens and embedding of a stream, with a batch axis and, for a clip, a frame axis.

        None of a scan without points: it is as absent as one that did not come.
        """
        spec = self.inputs[name]
        if stream.modality is not spec.modality:
            raise DataError(
                f"is a {stream.modality.value} stream",
                where=name,
                expected=f"{spec.modality.value}, which the bundle reads",
            )
        stage = self.encode[self.bundle.spec.streams[name]]
        if spec.modality is Modality.TACTILE:
            return self._encode_clip(name, stream, stage)
        if spec.modality is Modality.IMU:
            self._read[name] = check_window(stream.data, spec.frames)
            return self._begin(stage, self._read[name][None])
        # A camera or LiDAR that is slower than the anchor is in several sets.
        seen, result = self._newest.get(name, (None, None))
        if seen is None or seen.stamps_ns != stream.stamps_ns or not same(seen.data, stream.data):
            result = self._encode_whole(name, stream.data, stage)
            self._newest[name] = stream, result
        return result

    def _encode_whole(self, name: str, data: Array, stage: Stage) -> Result | None:
        """An image or a scan."""
        spec = self.inputs[name]
        if spec.view is None:
            self._read[name] = resize_image(data, spec.height, spec.width)
            return self._begin(stage, self._read[name][None])
        scan = range_image(data, spec.view)
        if scan is None:
            return None
        self._read[name] = scan.image
        begun = self._begin(stage, scan.image[None])
        return (lambda: (*begun(), scan.pixels)) if name in self.labelled else begun

    def _encode_clip(self, name: str, stream: StreamData, stage: Stage) -> Result:
        spec = self.inputs[name]
        if not len(stream.frames) == len(stream.stamps_ns) == spec.frames:
            raise DataError(
                f"got a clip of {len(stream.frames)} images and {len(stream.stamps_ns)} stamps",
                where=name,
                expected=f"{spec.frames} images and as many stamps",
                do="Give the synchronizer the bundle's windows",
            )
        frames = [
            self._frame(name, stamp, image)
            for image, stamp in zip(stream.frames, stream.stamps_ns, strict=True)
        ]
        self._read[name] = frames[-1].ready[0]
        difference, begin = self.differences[name], partial(self._begin, stage)
        others: list[Frame | None] = [None] * len(frames)
        if difference == "previous":
            frames, others = frames[1:], [*frames[:-1]]
        elif difference == "reference" and stream.reference is not None:
            key = f"{name}/reference"
            reference = self._frame(key, stream.reference_id, stream.reference)
            others = [reference] * len(frames)
        steps: list[Result] = []
        for frame, other in zip(frames, others, strict=True):
            inputs = [frame.ready]
            if difference == "previous" and other:
                inputs.append(other.ready)
            elif difference == "reference":
                known = np.array([other is not None], np.float32)
                inputs += [(other or frame).ready, known]
            steps.append(frame.features(other, begin, *inputs))
        return lambda: tuple(
            np.stack(parts, axis=1) for parts in zip(*(step() for step in steps), strict=True)
        )

    def _frame(self, name: str, stamp: int, image: Array) -> Frame:
        """An image at its network's size, from the store or into it."""
        spec = self.inputs[name.partition("/")[0]]
        return self.store.get(
            (name, stamp), image, lambda x: resize_image(x, spec.height, spec.width)[None]
        )

    def _answer(self, name: str, fused: Features, present: set[str]) -> HeadPrediction:
        card = self.bundle.heads[name]
        logits, feature = (x[0] for x in fused)
        streams = [s for s in self.bundle.spec.heads[name].streams if s in present]
        probabilities = softmax(logits / card.temperature_of(streams))
        chosen = winner(probabilities, card.threshold)
        statistics = self.statistics.get(name)
        used = 0
        for stream in streams:
            used |= self.inputs[stream].modality.bit
        return HeadPrediction(
            task=card.task,
            labels=card.labels,
            probabilities=probabilities,
            class_id=chosen,
            entropy=entropy(probabilities),
            abstained=bool(probabilities[chosen] < card.abstain_below),
            used=used,
            expected=self.bundle.expected(name),
            threshold=card.threshold,
            abstain_below=card.abstain_below,
            order=card.order,
            ood_score=ood_score(feature, statistics) if statistics else float("nan"),
            feature=np.asarray(feature, np.float32),
        )


def _unit(vectors: Array) -> npt.NDArray[np.float32]:
    """Unit length again, which half precision rounds away from. Shape: (N, d)."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def _cache_key(bundle: Bundle) -> str:
    architecture = json.dumps(bundle.architecture, sort_keys=True)
    return hashlib.sha256(f"{bundle.weights_hash}{architecture}".encode()).hexdigest()
