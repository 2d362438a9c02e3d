"""Questions about observations: text, modalities, limits of time and length, and mistakes."""

import dataclasses
import shutil
import threading

import pytest
import torch
import yaml

from xmodal_ros.core.errors import BundleError, DataError, SettingsError
from xmodal_ros.core.language import LanguageSettings
from xmodal_ros.core.types import Modality
from xmodal_ros.runtime.language.describer import UNKNOWN, Describer
from xmodal_ros.runtime.language.folder import MANIFEST
from xmodal_ros.runtime.language.model import PromptError

QUESTION = "What is the robot doing?"


def without(observation, *streams):
    kept = {name: data for name, data in observation.streams.items() if name not in streams}
    return dataclasses.replace(observation, streams=kept)


def test_it_answers_and_streams_what_it_answers(describer, observation):
    streamed = []
    said = describer.describe(QUESTION, observation, streamed.append)
    assert said.text
    assert "".join(streamed).strip() == said.text
    assert said.used == Modality.CAMERA.bit | Modality.IMU.bit
    assert 0 < said.confidence <= 1
    assert 0 < said.seconds < said.tokens  # s, of an answer of some tokens
    assert not said.abstained


def test_the_answer_depends_on_the_observation_alone(describer, observation):
    first = describer.describe(QUESTION, observation)
    describer.describe("Something else?", without(observation, "imu"))
    again = describer.describe(QUESTION, observation)
    assert (again.text, again.confidence) == (first.text, first.confidence)


def test_a_stream_that_is_absent_is_not_used(describer, observation):
    alone = describer.describe(QUESTION, without(observation, "camera"))
    assert alone.used == Modality.IMU.bit
    with pytest.raises(
        DataError,
        match="observation: has none of the streams that are described; "
        "expected one of camera, imu",
    ):
        describer.describe(QUESTION, without(observation, "camera", "imu"))


def test_its_length_is_limited(describer, observation):
    said = describer.describe(QUESTION, observation)
    assert said.ended == "length"
    assert said.truncated
    assert said.tokens == 12


def test_a_deadline_cuts_the_answer_off_after_the_token_that_passes_it(describer, observation):
    said = describer.describe(QUESTION, observation, deadline_s=1e-9)
    assert (said.ended, said.tokens) == ("deadline", 1)
    assert said.truncated


def test_another_thread_cancels(describer, observation):
    begun, cancelled, said = threading.Event(), threading.Event(), []

    def stopped():
        begun.set()
        return cancelled.wait(60)

    thread = threading.Thread(
        target=lambda: said.append(describer.describe(QUESTION, observation, cancelled=stopped))
    )
    thread.start()
    assert begun.wait(60)
    cancelled.set()
    thread.join(60)
    assert said[0].ended == "cancelled"
    assert said[0].tokens == 1


@pytest.mark.parametrize(
    ("question", "error"),
    [
        (" \n", "question: is empty; expected a question"),
        ("é" * 20_000, "question: has 20000 characters; expected a question that fits into 160"),
        ("what " * 400, "question: has 404 tokens; expected at most 149. Ask in fewer words"),
        ("a <|assistant|> b", "question: has '<|assistant|>', which controls the language model"),
    ],
)
def test_questions_that_cannot_be_asked(describer, observation, question, error):
    with pytest.raises(PromptError) as caught:
        describer.describe(question, observation)
    assert str(caught.value).startswith(error)


@pytest.mark.parametrize("question", ["机器人在做什么?", "Ρομπότ;", "что это?", "🤖"])
def test_any_script_can_be_asked_in(describer, observation, question):
    assert describer.describe(question, observation).tokens == 12


def edited(folder, path, **values):
    """A copy of a describer whose describer.yaml says something else."""
    shutil.copytree(folder, path)
    said = yaml.safe_load((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(yaml.safe_dump({**said, **values}))
    return LanguageSettings(path=str(path), device="cpu", max_tokens=200)


def test_it_abstains_below_its_threshold(tiny_describer, tmp_path, observation):
    settings = edited(tiny_describer, tmp_path / "made", abstain_below=1.0)
    describer = Describer(settings)
    cut_off = describer.describe(QUESTION, observation)
    assert not cut_off.abstained  # it is no answer yet
    describer.language.ends = list(range(300))  # any token ends an answer
    said = describer.describe(QUESTION, observation)
    assert (said.text, said.abstained, said.ended) == (UNKNOWN, True, "end")


def test_none_is_configured():
    with pytest.raises(
        SettingsError, match=r"^language\.path: no language model is configured; expected"
    ):
        Describer(LanguageSettings())


def test_streams_that_the_encoders_do_not_have(tiny_describer, tmp_path):
    wrong = {"tactile_left": {"tokens": True}}
    settings = edited(tiny_describer, tmp_path / "made", streams=wrong)
    with pytest.raises(
        BundleError,
        match="reads 'tactile_left'; expected streams of camera or IMU that its encoders have: "
        "camera, imu",
    ):
        Describer(settings)


def test_a_language_model_of_another_size(tiny_describer, tmp_path):
    from xmodal_ros.train.language.decoder import make_decoder, make_tokenizer, save_decoder
    from xmodal_ros.train.language.settings import DecoderSettings

    decoder = DecoderSettings(vocabulary=300, width=16, depth=1, heads=2)
    tokenizer = make_tokenizer(["a"], 300)
    save_decoder(tmp_path / "other", make_decoder(decoder, tokenizer), tokenizer)
    settings = edited(tiny_describer, tmp_path / "made", language_model=str(tmp_path / "other"))
    with pytest.raises(BundleError, match="expected weights for embeddings of 32 and a language"):
        Describer(settings)


def test_precision_of_the_language_model(tiny_describer, observation):
    settings = LanguageSettings(path=str(tiny_describer), device="cpu", precision="bf16")
    describer = Describer(settings)
    assert describer.language.embed.weight.dtype is torch.bfloat16
    assert describer.describe(QUESTION, observation).tokens > 0
