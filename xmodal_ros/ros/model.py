"""The model of a configured node: bundle, predictor, and what to tell others about them."""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from xmodal_msgs.msg import HeadInfo, InputInfo, ModelInfo
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.settings import Settings, StreamSettings
from xmodal_ros.core.types import Modality
from xmodal_ros.data.decode import DECODERS
from xmodal_ros.data.encode import POINTS, message_type
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.memory import memory_bytes
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.runtime.teach import Teachable


class Model:
    """Loads a bundle and warms its predictor.

    Args:
        settings: All settings of the node.

    Raises:
        BundleError: the bundle is damaged or does not fit, or materials were taught to another.
        DataError: the file of taught materials is damaged.
        DeviceError: the device or backend that was asked for is not there.
        SettingsError: no stream, or one of another modality than the bundle's, is configured for
        it.
    """

    def __init__(self, settings: Settings) -> None:
        self.bundle = Bundle.load(settings.inference.bundle)
        self.settings, self.windows = self.bundle.fit(settings)
        """The settings with the streams that are used, and how each of them is read."""
        for stream in self.settings.streams:
            _check_type(stream)
        self.types = {name: message_type(h.task) for name, h in self.bundle.heads.items()}
        """Message type by name of head."""
        self.modalities = {name: spec.modality for name, spec in self.bundle.inputs.items()}
        self.predictor = Predictor(self.bundle, settings.inference)
        self.predictor.warm_up()
        self.teachable = Teachable(self.predictor, settings.inference.taught)

    def info(self, stamp: Time) -> ModelInfo:
        """The message that describes the model."""
        bundle, predictor = self.bundle, self.predictor
        return ModelInfo(
            header=Header(stamp=stamp),
            model_id=bundle.id,
            weights_hash=bundle.weights_hash,
            backend=predictor.backend.name,
            device=predictor.backend.target.device,
            precision=predictor.backend.target.precision,
            embedding_size=bundle.spec.trunk.dim,
            heads=[
                HeadInfo(
                    name=name,
                    task=head.task,
                    labels=list(self.teachable.labels(name)),
                    streams=list(bundle.spec.heads[name].streams),
                    modalities=bundle.expected(name),
                    threshold=head.threshold,
                    abstain_below=head.abstain_below,
                )
                for name, head in bundle.heads.items()
            ]
            + [
                HeadInfo(
                    name=f"{POINTS}/{stream}",
                    task=POINTS,
                    labels=list(card.labels),
                    streams=[stream],
                    modalities=Modality.LIDAR.bit,
                    abstain_below=card.abstain_below,
                )
                for stream, card in bundle.labelled.items()
            ],
            inputs=[
                InputInfo(
                    stream=name,
                    modality=spec.modality.bit,
                    height=spec.height,
                    width=spec.width,
                    frames=spec.frames,
                    spacing=spec.spacing_s,
                )
                for name, spec in bundle.inputs.items()
            ],
        )

    def status(self) -> dict[str, Any]:
        """What diagnostics say of the model."""
        backend = self.predictor.backend
        return {
            "model": self.bundle.id,
            "backend": backend.name,
            "device": backend.target.device,
            "precision": backend.target.precision,
            "memory (MB)": round(memory_bytes(backend.target) / 1e6),
        }

    def __str__(self) -> str:
        """In one line for the log."""
        target = self.predictor.backend.target
        return (
            f"{self.bundle.id} on {self.predictor.backend.name} {target.device} {target.precision}"
        )

    def close(self) -> None:
        """Free the device's memory."""
        self.predictor.close()


def _check_type(stream: StreamSettings) -> None:
    """Refuse a message type that cannot carry the stream's modality."""
    modality = Modality(stream.modality)
    fitting = [name for name, (kinds, _) in DECODERS.items() if modality in kinds]
    if stream.message_type not in fitting:
        raise SettingsError(
            f"got '{stream.message_type}'",
            where=f"{stream.name}.type",
            expected=f"{' or '.join(fitting)}, which can be read as {modality.value}",
        )
