"""Answers questions about an observation: encoders, reader, and a frozen language model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import torch

from xmodal_ros.core.errors import BundleError, DataError, SettingsError
from xmodal_ros.core.language import LanguageSettings
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import Modality, Observation
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.language.folder import DescriberFolder, read_folder
from xmodal_ros.runtime.language.hub import load_language_model
from xmodal_ros.runtime.language.model import END, LanguageModel
from xmodal_ros.runtime.language.reader import Reader
from xmodal_ros.runtime.manifest import WEIGHTS
from xmodal_ros.runtime.predictor import Predictor

UNKNOWN = "I do not know."
CANCELLED, DEADLINE = "cancelled", "deadline"
_READ = (Modality.CAMERA, Modality.IMU)


@dataclass(frozen=True)
class Description:
    """An answer, and what became of the question."""

    text: str
    """`UNKNOWN` where it abstained, whatever was streamed before."""
    used: int
    """Bit mask of the modalities that were read."""
    seconds: float
    """From the call on."""
    ended: str
    """"end", "length", "deadline" or "cancelled"."""
    abstained: bool
    confidence: float
    """Least probability of the answer's tokens."""
    tokens: int

    @property
    def truncated(self) -> bool:
        """Whether the text is not all that the model would have said."""
        return self.ended != END


class Describer:
    """Loads a describer and answers; one question at a time.

    Args:
        settings: Which, where and how long.
        inference: Of the encoders; `bundle` in it is not read.

    Raises:
        SettingsError: no describer is configured.
        BundleError: the folder, its encoders or its language model are incomplete.
        DeviceError: a device or package is missing.
    """

    def __init__(
        self, settings: LanguageSettings, inference: InferenceSettings | None = None
    ) -> None:
        if not settings.path:
            raise SettingsError(
                "no language model is configured",
                where="language.path",
                expected="the folder of a describer",
                do="`xmodal language train` makes a small one",
            )
        self.settings = settings
        self.folder = read_folder(Path(settings.path))
        self.bundle = Bundle.load(self.folder.encoders)
        """The encoders: `bundle.fit(settings)` says what to synchronize."""
        _check_streams(self.folder, self.bundle)
        model, tokenizer = load_language_model(
            self.folder.language_model, settings.device, settings.precision
        )
        self.language = LanguageModel(model, tokenizer)
        self.reader = load_reader(self.folder, self.bundle.spec.trunk.dim, self.language.hidden)
        self.predictor = Predictor(self.bundle, inference)

    def describe(
        self,
        question: str,
        observation: Observation,
        on_token: Callable[[str], None] | None = None,
        deadline_s: float = 0.0,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Description:
        """Answer a question about an observation.

        Args:
            question: Any text, in any script.
            observation: Of the bundle's windows; streams may be missing.
            on_token: Given the text as it comes.
            deadline_s: Time after which the answer is cut off; 0 for that of the settings.
                Tokens are not interrupted, so it takes up to one more.
            cancelled: Asked after each token, in the thread of the call.

        Raises:
            PromptError: the question is empty, too long or has control tokens.
            DataError: the observation has none of the streams, or a window that does not fit.
        """
        begun, limit_s = monotonic(), deadline_s or self.settings.deadline_s
        torch.set_num_threads(self.settings.threads)

        def stop() -> str:
            if cancelled():
                return CANCELLED
            return DEADLINE if monotonic() - begun >= limit_s else ""

        streams = [name for name in self.folder.streams if name in observation.streams]
        if not streams:
            raise DataError(
                "has none of the streams that are described",
                where="observation",
                expected="one of " + ", ".join(self.folder.streams),
            )
        positions = len(streams) * self.folder.reader.latents
        self.language.prompt(question, positions)  # refused before it costs time
        self.predictor.predict(observation)
        encoded = self.predictor.encoded
        with torch.inference_mode():
            latents = self.reader(
                {
                    name: (torch.from_numpy(encoded[name][0]), torch.from_numpy(encoded[name][1]))
                    for name in streams
                }
            )
        [answer] = self.language.answer(
            question, latents, self.settings.max_tokens, on_token, stop
        )
        used = 0
        for name in streams:
            used |= observation.streams[name].modality.bit
        # What was cut off is no answer yet, and so none that could be taken back.
        abstained = answer.ended == END and answer.confidence < self.folder.abstain_below
        return Description(
            text=UNKNOWN if abstained else answer.text,
            used=used,
            seconds=monotonic() - begun,
            ended=answer.ended,
            abstained=abstained,
            confidence=answer.confidence,
            tokens=len(answer.probabilities),
        )

    def warm_up(self) -> None:
        """Answer once about a blank observation, so that the first real answer is not slow."""
        self.describe("?", self.predictor.blank_observation())
        self.predictor.clear()

    def close(self) -> None:
        """Free the models; the describer is of no use afterwards."""
        self.predictor.close()
        del self.language, self.reader
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def load_reader(folder: DescriberFolder, dim: int, hidden: int) -> Reader:
    """The reader of a folder with its weights, in evaluation mode, single precision.

    Raises:
        BundleError: the weights do not fit encoders and language model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    reader = Reader(folder.reader, folder.streams, dim, hidden)
    try:
        reader.load_state_dict(load_file(folder.path / WEIGHTS))
    except (RuntimeError, SafetensorError) as error:
        raise BundleError(
            f"does not fit the encoders and the language model ({' '.join(str(error).split())})",
            where=str(folder.path / WEIGHTS),
            expected=f"weights for embeddings of {dim} and a language model of {hidden}",
        ) from error
    return reader.eval().requires_grad_(False)


def _check_streams(folder: DescriberFolder, bundle: Bundle) -> None:
    for name in folder.streams:
        spec = bundle.inputs.get(name)
        if spec is None or spec.modality not in _READ:
            known = [n for n, s in bundle.inputs.items() if s.modality in _READ]
            raise BundleError(
                f"reads '{name}'",
                where=str(folder.path),
                expected="streams of camera or IMU that its encoders have: " + ", ".join(known),
            )
