"""How a describer's reader is built, as its folder says it."""

from __future__ import annotations

from dataclasses import dataclass

from xmodal_ros.core.declare import setting, validate


@dataclass(frozen=True)
class ReaderSettings:
    """The Perceiver Resampler between encoders and language model; defaults: arXiv 2308.16493."""

    latents: int = setting(
        64, "positions that a language model spends on sensors", low=1, high=4096
    )
    depth: int = setting(6, "blocks", low=1, high=64)
    heads: int = setting(8, "attention heads", low=1, high=64)
    head_dim: int = setting(64, "size of one head", low=1, high=1024)

    def __post_init__(self) -> None:
        validate(self, "reader")


@dataclass(frozen=True)
class ReadingSettings:
    """How one stream is read."""

    tokens: bool = setting(
        True,
        "whether its tokens are read besides its embedding; false for an encoder that was aligned "
        "by its embedding alone",
    )

    def __post_init__(self) -> None:
        validate(self, "")
