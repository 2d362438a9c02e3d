"""Encoders of camera and gel images with their projection heads, and the weights they leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.nn.architecture import ImageSettings
from xmodal_ros.nn.branch import ContrastiveEncoder
from xmodal_ros.nn.pretrained import load_pretrained
from xmodal_ros.train.pretrain.files import load_tensors
from xmodal_ros.train.pretrain.pairs import CAMERA, MODALITIES, TACTILE
from xmodal_ros.train.pretrain.settings import EncoderSettings

EMBED = "embed"


class PairEncoder(nn.Module):
    """One encoder of both modalities, or one of each, and projection heads.

    The encoder is a branch's `ContrastiveEncoder`, so that stage 2 takes it over as it is. A
    projection head is SimCLR's MLP of two layers with BatchNorm.

    Args:
        settings: Of encoders and heads.
        heads: Names of the projection heads; one per modality.

    Raises:
        SettingsError: the backbone or its weights are not to be had.
    """

    def __init__(self, settings: EncoderSettings, heads: Sequence[str] = MODALITIES) -> None:
        super().__init__()
        self.settings = settings
        normalizations = {
            CAMERA: settings.camera_normalization,
            TACTILE: settings.tactile_normalization,
        }
        made = {name: _encoder(settings, kind) for name, kind in normalizations.items()}
        if settings.sharing == "shared":
            made[TACTILE].encoder.backbone = made[CAMERA].encoder.backbone
            made[TACTILE].embed = made[CAMERA].embed
        projections = {name: _projection(settings) for name in heads}
        self.encoders = nn.ModuleDict(made)
        self.projections = nn.ModuleDict(projections)
        # Convolutions of 8-bit images that lie in memory pixel by pixel are faster so.
        self.encoders.to(memory_format=torch.channels_last)

    def train(self, mode: bool = True) -> PairEncoder:
        """Set the mode; with fixed statistics a backbone's BatchNorm keeps its own."""
        super().train(mode)
        if self.settings.batch_norm == "fixed":
            for module in self.encoders.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def embed(self, modality: str, images: Tensor) -> Tensor:
        """Encode images.

        Args:
            modality: Which encoder.
            images: Shape: (batch, height, width, 3), uint8 RGB.

        Returns:
            Unit-length embeddings. Shape: (batch, dim).
        """
        _, embedding = self.encoders[modality](images)
        return embedding

    def project(self, head: str, embeddings: Tensor) -> Tensor:
        """Shape: (views, batch, dim) -> (views, batch, projection)."""
        return self.projections[head](embeddings.flatten(0, 1)).unflatten(0, embeddings.shape[:2])

    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers by name, shared ones once."""
        return dict([*self.named_parameters(), *self.named_buffers()])

    def weight_files(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """What stays after pretraining: a file's name and its tensors.

        A file has the backbone's tensors under timm's names, as `load_pretrained` reads them, and
        `embed.weight` and `embed.bias`.
        """
        shared = self.settings.sharing == "shared"
        names = {CAMERA: "encoder"} if shared else {name: name for name in MODALITIES}
        for modality, name in names.items():
            contrastive = cast(Any, self.encoders[modality])
            embed = {f"{EMBED}.{k}": v for k, v in contrastive.embed.state_dict().items()}
            yield f"{name}.safetensors", {**contrastive.encoder.backbone.state_dict(), **embed}


def load_encoder(contrastive: ContrastiveEncoder, path: Path) -> None:
    """Fill a branch's contrastive encoder from a file that pretraining left.

    Raises:
        SettingsError: the file cannot be read, or has weights of another backbone, level or
            embedding size.
    """
    encoder = cast(Any, contrastive.encoder)
    load_pretrained(encoder.backbone, encoder.settings.backbone, str(path))
    tensors, _ = load_tensors(path)
    known = contrastive.embed.state_dict()
    found = {k: tensors[f"{EMBED}.{k}"] for k in known if f"{EMBED}.{k}" in tensors}
    shapes = {k: list(v.shape) for k, v in found.items()}
    if shapes != {k: list(v.shape) for k, v in known.items()}:
        raise SettingsError(
            f"the embedding's tensors are {shapes or 'missing'}",
            where=str(path),
            expected=f"{list(known['weight'].shape)}, embedding by pooled feature",
        )
    contrastive.embed.load_state_dict(found)


def _encoder(settings: EncoderSettings, normalization: str) -> ContrastiveEncoder:
    image = ImageSettings(
        backbone=settings.backbone,
        height=settings.height,
        width=settings.width,
        normalization=normalization,
        level=settings.level,
        frozen=False,
    )
    made = ContrastiveEncoder(image, settings.dim, frozen=False)
    if settings.weights != "random":
        encoder = cast(Any, made.encoder)
        load_pretrained(encoder.backbone, settings.backbone, settings.weights)
    return made


def _projection(settings: EncoderSettings) -> nn.Module:
    return nn.Sequential(
        nn.Linear(settings.dim, settings.dim),
        nn.BatchNorm1d(settings.dim),
        nn.ReLU(),
        nn.Linear(settings.dim, settings.projection),
    )
