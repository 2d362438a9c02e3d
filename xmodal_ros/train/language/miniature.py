"""The parts of the miniature while they learn, and the loss of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xmodal_ros.nn.network import Network, build_network
from xmodal_ros.nn.pretrained import load_pretrained
from xmodal_ros.runtime.language.model import LanguageModel
from xmodal_ros.runtime.language.reader import Encoded, Reader
from xmodal_ros.runtime.language.settings import ReadingSettings
from xmodal_ros.train.language.decoder import make_decoder, make_tokenizer
from xmodal_ros.train.language.moments import ACTIVITY, CAMERA, IMU, Moments
from xmodal_ros.train.language.questions import DOING, Asked, classes_of, every_text
from xmodal_ros.train.language.settings import MiniatureSettings

CHUNK = 512
"""Moments that are encoded at a time."""
LATENT_SCALE = 0.05
"""Of the resampler's latents at the start: at their usual size, what they read from an image is a
small part of what they give, and the decoder does not find it in a short training."""


@dataclass
class Miniature:
    """What learns, stage by stage."""

    network: Network
    reader: Reader
    language: LanguageModel
    probes: nn.ModuleDict
    """By head, a linear classifier of the mean of what the reader gives; of use in training."""

    def probe_loss(self, latents: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        """Cross-entropy of the probes, their sum.

        Args:
            latents: From the reader. Shape: (batch, L, hidden).
            truth: Classes by head. Shape: (batch,).
        """
        mean = latents.mean(1)
        return torch.stack(
            [F.cross_entropy(probe(mean), truth[head]) for head, probe in self.probes.items()]
        ).sum()

    def loss(self, latents: Tensor, asked: Sequence[Asked]) -> Tensor:
        """Cross-entropy of the true answers' tokens.

        Args:
            latents: What the model reads besides the questions. Shape: (batch, L, hidden).
            asked: One question for each.
        """
        rows = [self._tokens(one, latents.shape[1]) for one in asked]
        before = torch.tensor([rows[0][0]])  # the same for every question
        length = max(len(question) + len(answer) for _, question, answer in rows)
        ids = torch.full((len(rows), length), self.language.tokenizer.pad_token_id)
        targets, there = torch.full_like(ids, -100), torch.zeros_like(ids)
        for k, (_, question, answer) in enumerate(rows):
            begin, end = len(question), len(question) + len(answer)
            ids[k, :end] = torch.tensor(question + answer)
            targets[k, begin:end], there[k, :end] = ids[k, begin:end], 1
        embed = self.language.embed
        first = torch.cat([embed(before).expand(len(rows), -1, -1), latents], dim=1)
        mask = torch.cat([torch.ones(first.shape[:2], dtype=there.dtype), there], dim=1)
        read = torch.cat([first, embed(ids)], dim=1)
        logits = self.language.model(inputs_embeds=read, attention_mask=mask).logits
        said = logits[:, first.shape[1] - 1 : -1]  # of the tokens of `ids`
        return F.cross_entropy(said.flatten(0, 1), targets.flatten())

    def _tokens(self, asked: Asked, latents: int) -> tuple[list[int], list[int], list[int]]:
        before, after = self.language.prompt(asked.question, latents)
        tokenizer = self.language.tokenizer
        answer = tokenizer(asked.answer, add_special_tokens=False)["input_ids"]
        return before, after, [*answer, tokenizer.eos_token_id]


def architecture(settings: MiniatureSettings) -> dict[str, Any]:
    """Of the encoders, as `nn.build_network` takes it."""
    encoder = settings.encoder
    camera = {
        "kind": "image",
        "backbone": encoder.backbone,
        "height": encoder.size,
        "width": encoder.size,
        "level": encoder.level,
        "rows": encoder.grid,
        "columns": encoder.grid,
    }
    imu = {
        "kind": "imu",
        "samples": encoder.samples,
        "rate_hz": encoder.rate_hz,
        "lowpass": True,
        "patch": 8,
        "stride": 8,
        "width": encoder.imu_width,
        "depth": encoder.imu_depth,
        "frozen": True,  # once it is aligned
    }
    return {
        "dim": encoder.dim,
        "branches": {CAMERA: camera, IMU: imu},
        "streams": {CAMERA: CAMERA, IMU: IMU},
        "heads": {ACTIVITY: {"classes": len(DOING), "streams": [CAMERA, IMU]}},
    }


def make_network(settings: MiniatureSettings) -> Network:
    """Encoders with the image encoder's pretrained weights, the rest random."""
    network = build_network(architecture(settings))
    encoder, weights = settings.encoder, settings.encoder.weights
    if weights != "random":
        backbone = cast(Any, network.branch(CAMERA).contrastive.encoder).backbone
        load_pretrained(backbone, encoder.backbone, weights)
    return network.eval()


def make_miniature(
    settings: MiniatureSettings, network: Network, materials: Sequence[str]
) -> Miniature:
    """Reader and decoder with random weights, and a tokenizer of all that is to be said."""
    tokenizer = make_tokenizer(every_text(materials), settings.decoder.vocabulary)
    language = LanguageModel(make_decoder(settings.decoder, tokenizer), tokenizer)
    streams = {CAMERA: ReadingSettings(), IMU: ReadingSettings()}
    reader = Reader(settings.reader, streams, settings.encoder.dim, language.hidden)
    with torch.no_grad():
        reader.resampler.latents.mul_(LATENT_SCALE)
    sizes = {head: len(names) for head, names in classes_of(materials).items()}
    probes = nn.ModuleDict({head: nn.Linear(language.hidden, n) for head, n in sizes.items()})
    return Miniature(network, reader, language, probes)


@torch.no_grad()
def centre(embed: nn.Linear, pooled: np.ndarray) -> None:
    """Change a projection so that it first standardizes its input.

    Pooled features of a CNN are positive: unprepared, the embeddings of all images would be almost
    the same, and what differs between them would be learned late.

    Args:
        embed: From pooled features.
        pooled: Of the training part `(N, width)`.
    """
    mean = torch.from_numpy(pooled.mean(0))
    embed.weight.div_(torch.from_numpy(pooled.std(0) + 1e-3))
    embed.bias.sub_(embed.weight @ mean)


def see(network: Network, moments: Moments, chosen: np.ndarray) -> Encoded:
    """Tokens and embedding of the camera, from the frozen features. Learns where they learn."""
    branch = network.branch(CAMERA)
    tokens, pooled = moments.features[chosen]
    return branch.adapt(tokens), F.normalize(branch.contrastive.embed(pooled), dim=1)


def feel(network: Network, moments: Moments, chosen: np.ndarray) -> Encoded:
    """Tokens and embedding of the IMU."""
    return cast(Encoded, network.branch(IMU)(torch.from_numpy(moments.windows[chosen])))


@torch.no_grad()
def encode(network: Network, moments: Moments, chosen: np.ndarray) -> dict[str, Encoded]:
    """What the frozen encoders give of the chosen moments, adapted; by stream."""
    parts = np.array_split(chosen, -(-len(chosen) // CHUNK))
    made = {}
    for stream, encoder in ((CAMERA, see), (IMU, feel)):
        tokens, embeddings = zip(*(encoder(network, moments, p) for p in parts), strict=True)
        made[stream] = torch.cat(tokens), torch.cat(embeddings)
    return made


def learning(*modules: nn.Module) -> list[nn.Parameter]:
    """Let modules learn, and return what does."""
    for module in modules:
        module.requires_grad_(True).train()
    return [p for module in modules for p in module.parameters()]


def frozen(*modules: nn.Module) -> None:
    """End of a stage."""
    for module in modules:
        module.requires_grad_(False).eval()
