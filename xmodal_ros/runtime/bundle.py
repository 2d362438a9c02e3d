"""Model bundles: a folder with weights.safetensors, bundle.yaml and a card."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from xmodal_ros.core.errors import BundleError, SettingsError
from xmodal_ros.core.range_image import RangeView, middle
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.types import IMU_VALUES, Modality, StreamData
from xmodal_ros.core.windows import Clip, Nearest, Resampled, Window
from xmodal_ros.runtime.check import read_manifest
from xmodal_ros.runtime.manifest import (
    BRANCH_STATISTICS,
    MANIFEST,
    STATISTICS,
    TEXT,
    WEIGHTS,
    Manifest,
    PointsCard,
)
from xmodal_ros.runtime.text import NAME, TextSpace, installed_version, text_projection

if TYPE_CHECKING:
    from xmodal_ros.nn.architecture import Architecture
    from xmodal_ros.nn.network import Network

DEFAULT = "xmodal"
"""Name of the bundle that is loaded where none is named."""


@dataclass(frozen=True)
class InputSpec:
    """What the network reads from one stream."""

    modality: Modality
    window: Window
    height: int = 0
    """0 where it is not an image."""
    width: int = 0
    view: RangeView | None = None
    """How a scan becomes an image; None for all other modalities."""

    @property
    def frames(self) -> int:
        """Images in a clip or samples in a window, at least 1."""
        if isinstance(self.window, Clip):
            return self.window.frames
        return self.window.samples if isinstance(self.window, Resampled) else 1

    def blank(self) -> StreamData:
        """What the stream gives when all of it is zero, of a scan but for one point."""
        image = np.zeros((self.height, self.width, 3), np.uint8)
        if self.modality is Modality.IMU:
            window = np.zeros((self.frames, IMU_VALUES), np.float32)
            return StreamData(self.modality, window, (0,), 0)
        if self.view:
            return StreamData(self.modality, middle(self.view), (0,), 0)
        if self.modality is Modality.TACTILE:
            stamps, clip = tuple(range(self.frames)), (image,) * self.frames
            return StreamData(self.modality, image, stamps, 0, clip)
        return StreamData(self.modality, image, (0,), 0)

    @property
    def spacing_s(self) -> float:
        """Time between images of a clip or samples of a window; 0 for a single image."""
        if isinstance(self.window, Clip):
            return self.window.spacing_s
        return 1 / self.window.rate_hz if isinstance(self.window, Resampled) else 0.0


@dataclass(frozen=True)
class Bundle(Manifest):
    """A model that was verified: what it reads, what it answers, where its weights are."""

    @classmethod
    def load(cls, path: str | Path = "") -> Bundle:
        """Load and verify a bundle.

        Args:
            path: Its folder; empty for the one that is installed.

        Raises:
            BundleError: lists everything that is wrong with it.
        """
        folder = Path(path) if str(path) else default_bundle()
        manifest, problems = read_manifest(folder)
        if manifest is None or problems:
            raise BundleError(
                "; ".join(problems), where=str(folder), do="See `xmodal bundle check`"
            )
        return cls(**vars(manifest))

    @property
    def inputs(self) -> dict[str, InputSpec]:
        """What is read from each stream."""
        return {stream: _input(self.spec, stream) for stream in self.spec.streams}

    def windows(self) -> dict[str, Window]:
        """How the synchronizer has to read each stream."""
        return {stream: spec.window for stream, spec in self.inputs.items()}

    def fit(self, settings: Settings) -> tuple[Settings, dict[str, Window]]:
        """The settings with only the streams that are read here, and how each of them is read.

        Raises:
            SettingsError: none of the streams is read here, or one is of another modality.
        """
        used = settings.reading(self.inputs)
        for stream in used.streams:
            spec = self.inputs.get(stream.name)
            if spec and stream.modality != spec.modality.value:
                raise SettingsError(
                    f"got '{stream.modality}'",
                    where=f"{stream.name}.modality",
                    expected=f"'{spec.modality.value}', which bundle '{self.id}' reads",
                )
        names = [stream.name for stream in used.streams]
        return used, {n: window for n, window in self.windows().items() if n in names}

    @property
    def labelled(self) -> dict[str, PointsCard]:
        """By stream of which each point gets a class, what is said of the classes."""
        return {
            stream: self.points[branch]
            for stream, branch in self.spec.streams.items()
            if branch in self.points
        }

    def comparable(self, stream: str) -> tuple[str, ...]:
        """Streams whose embeddings may be compared with a stream's, or with `TEXT`, itself first.

        Those are the streams of its branch, and those of branches that share its space.
        """
        own = stream if stream == TEXT else self.spec.streams[stream]
        shared = {own}.union(*(group for group in self.spaces if own in group))
        others = (n for n, branch in self.spec.streams.items() if branch in shared)
        return stream, *(name for name in others if name != stream)

    def expected(self, head: str) -> int:
        """Bit mask of the modalities a head was trained for."""
        mask = 0
        for stream in self.spec.heads[head].streams:
            mask |= self.spec.branch(stream).modality.bit
        return mask

    def network(self) -> Network:
        """The network with its weights, in evaluation mode, single precision."""
        from safetensors.torch import load_file

        from xmodal_ros.nn.network import Network

        network = Network(self.spec)
        state = load_file(self.path / WEIGHTS)
        others = (STATISTICS, BRANCH_STATISTICS, TEXT)
        network.load_state_dict(
            {k: v for k, v in state.items() if k.partition(".")[0] not in others}
        )
        return network.eval()

    def text_space(self) -> TextSpace:
        """What embeds sentences for comparison with the streams `comparable(TEXT)`.

        Raises:
            BundleError: the bundle has none, or it was trained with another sentence encoder.
            DeviceError: the sentence encoder is not installed.
        """
        if self.text is None:
            raise BundleError(
                "has no text encoder, so words cannot be compared with what it senses",
                where=self.id,
                expected=f"a bundle with '{TEXT}' in its {MANIFEST}",
            )
        installed = NAME, installed_version()
        if (self.text.encoder, self.text.version) != installed:
            raise BundleError(
                f"was trained with text encoder {self.text.encoder} {self.text.version}, "
                f"and {' '.join(installed)} is installed",
                where=self.id,
                do=f"Install version {self.text.version}, or take another bundle",
            )
        from safetensors.torch import load_file

        project, state = text_projection(self.spec.trunk.dim), load_file(self.path / WEIGHTS)
        prefix = f"{TEXT}."
        project.load_state_dict(
            {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        )
        return TextSpace(project.eval())

    def statistics(self) -> dict[str, dict[str, npt.NDArray[np.float32]]]:
        """Out-of-distribution statistics by head, where there are any."""
        return self._statistics(STATISTICS)

    def stream_statistics(self) -> dict[str, dict[str, npt.NDArray[np.float32]]]:
        """Out-of-distribution statistics by stream, those of its branch, where there are any."""
        known = self._statistics(BRANCH_STATISTICS)
        return {s: known[branch] for s, branch in self.spec.streams.items() if branch in known}

    def _statistics(self, prefix: str) -> dict[str, dict[str, npt.NDArray[np.float32]]]:
        from safetensors import safe_open

        found: dict[str, dict[str, npt.NDArray[np.float32]]] = {}
        with safe_open(self.path / WEIGHTS, framework="numpy") as tensors:
            for key in tensors.keys():  # noqa: SIM118, not a mapping
                if key.startswith(f"{prefix}."):
                    _, owner, name = key.split(".")
                    found.setdefault(owner, {})[name] = tensors.get_tensor(key)
        return found


def check_bundle(path: str | Path) -> list[str]:
    """Everything that is wrong with a bundle, in words; empty when it is whole."""
    return read_manifest(Path(path))[1]


def default_bundle() -> Path:
    """The installed bundle: in `models/` of the source tree, else in the share folder.

    Of several it is `DEFAULT`.

    Raises:
        BundleError: there is none, or several others (which are listed).
    """
    roots = [Path(__file__).resolve().parents[2] / "models"]
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    roots += [Path(p) / "share" / "xmodal_ros" / "models" for p in prefixes if p]
    for root in roots:
        found = sorted(m.parent for m in root.glob(f"*/{MANIFEST}"))
        usual = [folder for folder in found if folder.name == DEFAULT]
        if len(found) > 1 and not usual:
            names = ", ".join(f.name for f in found)
            raise BundleError(
                f"several bundles are installed: {names}",
                where=str(root),
                do="Set inference.bundle to the folder of one of them",
            )
        if found:
            return (usual or found)[0]
    raise BundleError(
        "no bundle is installed",
        where=", ".join(map(str, roots)),
        do="Set inference.bundle to the folder of one",
    )


def _input(spec: Architecture, stream: str) -> InputSpec:
    from xmodal_ros.nn.architecture import GelSettings, ImuSettings, LidarSettings

    branch = spec.branch(stream)
    if isinstance(branch, ImuSettings):
        return InputSpec(branch.modality, branch.window)
    if isinstance(branch, LidarSettings):
        return InputSpec(branch.modality, Nearest(), branch.height, branch.width, branch.view)
    window: Window = Nearest()
    if isinstance(branch, GelSettings):
        window = Clip(branch.frames, branch.spacing_s)
    return InputSpec(branch.modality, window, branch.height, branch.width)
