"""Settings of the language model that describes what the sensors show."""

from __future__ import annotations

from dataclasses import dataclass

from xmodal_ros.core.declare import setting, validate


@dataclass(frozen=True)
class LanguageSettings:
    """Which describer runs, on what, and how long an answer may get."""

    path: str = setting(
        "", "folder of a describer, as `xmodal language train` writes it; empty for none"
    )
    device: str = setting(
        "auto",
        "auto, cpu, cuda, cuda:N, or spread: over all GPUs and the memory of the CPU (accelerate)",
    )
    precision: str = setting(
        "auto",
        "number format of the language model; auto is bf16 on a GPU, else fp32",
        choices=["auto", "fp32", "bf16"],
    )
    threads: int = setting(
        1,
        "CPU threads of the describer; what it takes more, perception has less",
        low=1,
        high=1024,
    )
    max_tokens: int = setting(64, "longest answer", unit="tokens", low=1, high=100_000)
    deadline_s: float = setting(
        20.0, "time after which an answer is cut off", unit="s", low=0.01, high=3600.0
    )

    def __post_init__(self) -> None:
        validate(self, "language")
