"""The network: branches, conditioning and heads, as one forward and as inference stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.nn.architecture import (
    Architecture,
    BranchSettings,
    GelSettings,
    Trunk,
    located,
)
from xmodal_ros.nn.branch import Branch
from xmodal_ros.nn.head import Encoded, Head


@dataclass(frozen=True)
class Output:
    """What a training forward gives."""

    logits: dict[str, Tensor]
    """By head. Shape: (batch, classes)."""
    features: dict[str, Tensor]
    """By head, what its classifier reads. Shape: (batch, dim)."""
    embeddings: dict[str, Tensor]
    """By stream, unit length. Shape: (batch, dim)."""


class Network(nn.Module):
    """All branches and heads of an architecture.

    Raises:
        SettingsError: timm does not know a backbone, or it has no such feature map.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        trunk = architecture.trunk
        points = {n: settings.classes for n, settings in architecture.points.items()}
        branches = {
            n: _branch(n, s, trunk, points.get(n, 0)) for n, s in architecture.branches.items()
        }
        heads = {n: Head(s, trunk) for n, s in architecture.heads.items()}
        self.branches = cast(Mapping[str, Branch], nn.ModuleDict(branches))
        self.heads = cast(Mapping[str, Head], nn.ModuleDict(heads))

    def branch(self, stream: str) -> Branch:
        """The branch that reads a stream."""
        return self.branches[self.architecture.streams[stream]]

    def forward(
        self, batch: Mapping[str, Tensor], present: Mapping[str, Tensor] | None = None
    ) -> Output:
        """Predict a batch; streams that are not in it are absent.

        Args:
            batch: Per stream: images (batch, height, width, 3) uint8, clips (batch, frames,
                height, width, 3) uint8, windows (batch, samples, 6). Of a gel with `difference:
                reference` also `<stream>/reference`, (batch, height, width, 3), and
                `<stream>/known`, (batch,).
            present: Per stream 1 where it is there, else 0; streams not named are. Shape:
                (batch,), float.
        """
        streams = [s for s in self.architecture.streams if s in batch]
        return self.forward_features({s: self.features(s, batch) for s in streams}, present)

    def features(self, stream: str, batch: Mapping[str, Tensor]) -> Encoded:
        """What the encoders of a stream give, before anything that learns beside a frozen encoder.

        Returns:
            Tokens (batch, [steps,] tokens, width) and embedding (batch, [steps,] dim).
        """
        branch, data = self.branch(stream), batch[stream]
        settings = branch.settings
        if not isinstance(settings, GelSettings):
            return branch.features(data)
        inputs = [data]
        if settings.difference == "previous":
            inputs = [data[:, 1:], data[:, :-1]]
        elif settings.difference == "reference":
            known = batch[f"{stream}/known"][:, None].expand(data.shape[:2])
            inputs += [batch[f"{stream}/reference"][:, None].expand_as(data), known]
        # (B, T, H, W, 3) -> (B * T, H, W, 3)
        tokens, embedding = branch.features(*(x.flatten(0, 1) for x in inputs))
        sizes = (len(data), settings.steps)
        return tokens.unflatten(0, sizes), embedding.unflatten(0, sizes)

    def forward_features(
        self, features: Mapping[str, Encoded], present: Mapping[str, Tensor] | None = None
    ) -> Output:
        """Predict from what `features` gave; heads without any of their streams are left out."""
        return self.answer(self.refine(features), present)

    def refine(self, features: Mapping[str, Encoded]) -> dict[str, Encoded]:
        """What learns of each stream by itself.

        Args:
            features: From `features`, by stream.

        Returns:
            By stream, tokens (batch, tokens, dim) and embedding (batch, dim).
        """
        made = {}
        for stream, (tokens, embedding) in features.items():
            branch = self.branch(stream)
            made[stream] = branch.combine(branch.adapt(tokens), embedding)
        return made

    def answer(
        self, encoded: Mapping[str, Encoded], present: Mapping[str, Tensor] | None = None
    ) -> Output:
        """Predict from what `refine` gave; see `forward_features`."""
        output = Output({}, {}, {stream: embedding for stream, (_, embedding) in encoded.items()})
        for name, settings in self.architecture.heads.items():
            if any(stream in encoded for stream in settings.streams):
                output.logits[name], output.features[name] = self.heads[name](
                    *_every(settings.streams, encoded, present or {})
                )
        return output


class FuseStage(nn.Module):
    """The inference stage of one head: from its streams' encoded inputs to logits."""

    def __init__(self, network: Network, head: str) -> None:
        super().__init__()
        self.streams = network.architecture.heads[head].streams
        self.head = network.heads[head]
        names = dict.fromkeys(network.architecture.streams[s] for s in self.streams)
        branches = nn.ModuleDict({n: network.branches[n] for n in names})
        self.branches = cast(Mapping[str, Branch], branches)
        self.names = [network.architecture.streams[s] for s in self.streams]

    def forward(self, present: Tensor, *encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Classify.

        Args:
            present: Shape: (1, streams), float.
            encoded: Tokens and embedding of each stream in turn; anything finite for an absent
                one.

        Returns:
            Logits, shape: (1, classes), and feature, shape: (1, dim).
        """
        pairs = zip(self.names, encoded[::2], encoded[1::2], strict=True)
        return self.head([self.branches[n].combine(t, e) for n, t, e in pairs], present)

    def example(self) -> tuple[Tensor, ...]:
        """Inputs of `forward`, for tracing."""
        inputs: list[Tensor] = [torch.ones(1, len(self.streams))]
        for name in self.names:
            branch = self.branches[name]
            with torch.no_grad():
                tensors = branch(*branch.example())[:2]
            if isinstance(branch.settings, GelSettings):
                steps = branch.settings.steps
                tensors = [x[:, None].repeat_interleave(steps, dim=1) for x in tensors]
            inputs += tensors
        return tuple(inputs)


def build_network(architecture: Mapping[str, Any]) -> Network:
    """Build a network with random weights from its plain description.

    Raises:
        SettingsError: what is wrong in the description, and where.
    """
    return Network(Architecture.from_mapping(architecture))


def _branch(name: str, settings: BranchSettings, trunk: Trunk, classes: int) -> Branch:
    try:
        return Branch(settings, trunk, classes)
    except SettingsError as error:
        raise located(error, f"architecture.branches.{name}") from None


def _every(
    streams: Sequence[str], encoded: Mapping[str, Encoded], present: Mapping[str, Tensor]
) -> tuple[list[Encoded], Tensor]:
    """What a head takes: all of its streams, zeros for one that is not there, and which are."""
    tokens, embedding = next(encoded[stream] for stream in streams if stream in encoded)
    nothing = torch.zeros_like(tokens[:, :1]), torch.zeros_like(embedding)
    there = embedding.new_ones(len(embedding))
    masks = [
        present.get(stream, there) if stream in encoded else torch.zeros_like(there)
        for stream in streams
    ]
    return [encoded.get(stream, nothing) for stream in streams], torch.stack(masks, dim=1)
