"""A describer with random weights, loaded once, and what it may be asked about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from xmodal_ros.core.language import LanguageSettings
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import Observation
from xmodal_ros.runtime.language.describer import Describer


@pytest.fixture(scope="session")
def describer(tiny_describer: Path) -> Iterator[Describer]:
    """Reads camera and IMU, answers with 12 tokens at most."""
    settings = LanguageSettings(path=str(tiny_describer), device="cpu", max_tokens=12)
    made = Describer(settings, InferenceSettings(backend="torch", device="cpu", precision="fp32"))
    yield made
    made.close()


@pytest.fixture
def observation(describer: Describer) -> Observation:
    """Everything is there, and blank."""
    return describer.predictor.blank_observation()
