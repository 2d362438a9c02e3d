"""Frozen encoders of several bundles, side by side, and what they make of observations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from xmodal_ros.core.errors import BundleError
from xmodal_ros.core.types import Modality, StreamData
from xmodal_ros.core.windows import Window
from xmodal_ros.runtime.backends import ConversionCache, Stage, Target, create
from xmodal_ros.runtime.bundle import Bundle, InputSpec
from xmodal_ros.runtime.ood import look
from xmodal_ros.runtime.preprocess import check_window, range_image, resize_image
from xmodal_ros.train.features import weights_hash


class Encoded(NamedTuple):
    """What becomes of a stream's data."""

    tokens: np.ndarray
    """`([steps,] tokens, width) float16`."""
    pooled: np.ndarray
    """`([steps,] width) float32`."""
    look: np.ndarray
    """`(l,) float32`, of the newest input; see `runtime.ood`."""


@dataclass(frozen=True)
class Encoders:
    """Frozen encoders by branch, and which stream goes into which.

    Branches and streams have the names that they have in their bundles.
    """

    branches: Mapping[str, Mapping[str, Any]]
    """Settings, as `bundle.yaml` has them."""
    streams: Mapping[str, str]
    """Branch by stream."""
    inputs: Mapping[str, InputSpec]
    """What is read from each stream."""
    modules: Mapping[str, nn.Module]
    """By branch, in evaluation mode."""
    sources: Mapping[str, str]
    """By branch, the bundle that it comes from."""

    @property
    def windows(self) -> dict[str, Window]:
        """How the synchronizer has to read each stream."""
        return {stream: spec.window for stream, spec in self.inputs.items()}

    def modality(self, stream: str) -> Modality:
        """Of a stream."""
        return self.inputs[stream].modality

    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of the weights by branch, hexadecimal."""
        return {name: weights_hash(module) for name, module in self.modules.items()}


def take(bundles: Sequence[Bundle], streams: Sequence[str] = ()) -> Encoders:
    """Encoders of bundles; of two that read the same stream the first one is taken.

    Args:
        bundles: Whose encoders.
        streams: That are wanted; all if empty.

    Raises:
        BundleError: no bundle reads a stream that is wanted; two bundles give different branches
            the same name; or a gel's images are subtracted, so that they are not encoded one by
            one.
    """
    branches: dict[str, Mapping[str, Any]] = {}
    modules: dict[str, nn.Module] = {}
    of: dict[str, str] = {}
    inputs: dict[str, InputSpec] = {}
    sources: dict[str, str] = {}
    for bundle in bundles:
        network = bundle.network()
        for stream, name in bundle.spec.streams.items():
            if stream in of or (streams and stream not in streams):
                continue
            if sources.setdefault(name, bundle.id) != bundle.id:
                raise BundleError(
                    f"has a branch '{name}', and so has '{sources[name]}'",
                    where=bundle.id,
                    do="Name the streams that are wanted",
                )
            settings = bundle.spec.branch(stream)
            if getattr(settings, "difference", "none") != "none":
                raise BundleError(
                    f"branch '{name}' subtracts images",
                    where=bundle.id,
                    expected="difference: none",
                )
            frozen = dataclasses.replace(settings, frozen=True)
            branches[name] = {
                "kind": bundle.architecture["branches"][name]["kind"],
                **vars(frozen),
            }
            modules[name] = network.branches[name].contrastive.encoder.eval()
            of[stream], inputs[stream] = name, bundle.inputs[stream]
    for stream in streams:
        if stream not in of:
            raise BundleError(
                f"none reads stream '{stream}'",
                where=", ".join(bundle.id for bundle in bundles),
                expected="some of " + ", ".join(of),
            )
    return Encoders(branches, of, inputs, modules, sources)


class Runner:
    """Encodes what streams gave, as a node's backend does it; equal data is encoded once.

    Args:
        encoders: What encodes.
    """

    def __init__(self, encoders: Encoders) -> None:
        self._encoders = encoders
        gpu = torch.cuda.is_available()
        target = Target("cuda:0" if gpu else "cpu", "fp32", torch.get_num_threads())
        self._stages: dict[str, Stage] = {}
        for name, module in encoders.modules.items():
            key = f"{encoders.branches[name]}\n{weights_hash(module)}"
            backend = create("torch" if gpu else "openvino", target, ConversionCache(key))
            spec = next(encoders.inputs[s] for s, of in encoders.streams.items() if of == name)
            example = _ready(spec, spec.blank().data)
            assert example is not None  # a blank scan has a point
            self._stages[name] = backend.compile(f"features_{name}", module, (example,))
        self._kept: dict[tuple[str, int], Encoded | None] = {}

    def __call__(self, stream: str, data: StreamData) -> Encoded | None:
        """Encode; None of a scan that shows nothing.

        Raises:
            DataError: the data is not what the encoder reads.
        """
        if not self._clips(stream):
            return self._once(stream, data.stamps_ns[-1], data.data)
        found = [
            self._once(stream, stamp, image)
            for stamp, image in zip(data.stamps_ns, data.frames, strict=True)
        ]
        return _clip([x for x in found if x is not None])

    def images(self, stream: str, images: np.ndarray) -> Encoded:
        """Encode a camera's image or a gel's clip.

        Args:
            stream: Which.
            images: Oldest first, one of a camera. Shape: (T, height, width, 3), uint8.
        """
        found = [self._encode(stream, image) for image in images]
        whole = [x for x in found if x is not None]  # an image always shows something
        return _clip(whole) if self._clips(stream) else whole[-1]

    def clear(self) -> None:
        """Forget what is kept; stamps of another recording mean something else."""
        self._kept.clear()

    def _clips(self, stream: str) -> bool:
        return self._encoders.modality(stream) is Modality.TACTILE

    def _once(self, stream: str, stamp_ns: int, data: np.ndarray) -> Encoded | None:
        key = (stream, stamp_ns)
        if key not in self._kept:
            self._kept[key] = self._encode(stream, data)
        return self._kept[key]

    def _encode(self, stream: str, data: np.ndarray) -> Encoded | None:
        ready = _ready(self._encoders.inputs[stream], data)
        if ready is None:
            return None
        tokens, pooled = self._stages[self._encoders.streams[stream]](ready)()
        return Encoded(tokens[0].astype(np.float16), pooled[0], look(ready[0]))


def _clip(images: Sequence[Encoded]) -> Encoded:
    tokens, pooled = (np.stack([x[k] for x in images]) for k in range(2))
    return Encoded(tokens, pooled, images[-1].look)


def _ready(spec: InputSpec, data: np.ndarray) -> np.ndarray | None:
    """What an encoder reads of a stream's data, a batch of one; None of a scan without points."""
    if spec.modality is Modality.IMU:
        return check_window(data, spec.frames)[None]
    if spec.view is None:
        return resize_image(data, spec.height, spec.width)[None]
    scan = range_image(data, spec.view)
    return None if scan is None else scan.image[None]
