"""Loading of language models: what is incomplete is named, what is whole is used as it is."""

import json
import shutil

import pytest
import torch

from xmodal_ros.core.errors import BundleError, DeviceError
from xmodal_ros.runtime.language.hub import load_language_model
from xmodal_ros.runtime.language.model import LanguageModel


@pytest.fixture
def folder(tiny_describer, tmp_path):
    """A copy of the tiny language model, to spoil."""
    return shutil.copytree(tiny_describer / "language_model", tmp_path / "model")


def load(folder, device="cpu", precision="fp32"):
    return load_language_model(str(folder), device, precision)


def test_a_model_is_loaded_as_it_was_written_and_cannot_learn(folder):
    from safetensors.torch import load_file

    model, tokenizer = load(folder)
    written = load_file(folder / "model.safetensors")
    for name, tensor in model.state_dict().items():
        if name in written:
            assert torch.equal(tensor, written[name])
    assert not any(p.requires_grad for p in model.parameters())
    assert not model.training
    assert tokenizer.chat_template


def test_formats(folder):
    assert load(folder, precision="bf16")[0].dtype is torch.bfloat16
    assert load(folder, precision="auto")[0].dtype is torch.float32  # on a CPU


def test_a_model_is_spread_over_what_there_is(folder):
    pytest.importorskip("accelerate")
    model, tokenizer = load(folder, device="spread")
    [answer] = LanguageModel(model, tokenizer).answer("what?", torch.zeros(1, 2, 32), 3)
    assert len(answer.probabilities) == 3


def test_a_vision_language_model_is_asked_in_the_same_way(folder, tmp_path):
    from transformers import (
        AutoTokenizer,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
    )

    tokenizer = AutoTokenizer.from_pretrained(folder)
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    config = LlavaConfig(
        text_config=LlamaConfig(vocab_size=len(tokenizer), num_attention_heads=2, **sizes),
        vision_config=CLIPVisionConfig(
            image_size=32, patch_size=16, num_attention_heads=2, **sizes
        ),
    )
    made = LlavaForConditionalGeneration(config)
    made.save_pretrained(tmp_path / "vlm")
    tokenizer.save_pretrained(tmp_path / "vlm")
    model, tokenizer = load(tmp_path / "vlm")
    assert type(model) is LlavaForConditionalGeneration
    language = LanguageModel(model, tokenizer)
    assert language.hidden == 32
    first, second = language.answer("what?", torch.randn(2, 4, 32), 3)
    assert first.probabilities != second.probabilities


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("config.json", "config.json is missing"),
        ("tokenizer_config.json", "tokenizer_config.json is missing"),
        ("tokenizer.json", "tokenizer.json or tokenizer.model or vocab.json or vocab.txt is"),
        ("model.safetensors", "model.safetensors is missing"),
    ],
)
def test_what_is_missing_is_named(folder, missing, named):
    (folder / missing).unlink()
    with pytest.raises(BundleError) as caught:
        load(folder)
    assert str(caught.value).startswith(f"{folder}: {named}")
    assert "Copy the whole folder again." in str(caught.value)


def test_a_missing_shard_is_named(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BundleError, match=r"model-2\.safetensors is missing"):
        load(folder)
    (folder / "model.safetensors.index.json").write_text("{")
    with pytest.raises(BundleError, match=r"index\.json: is not readable"):
        load(folder)


def test_weights_in_a_pickle_are_not_opened(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BundleError, match=r"pickle files \(\.bin\) can run code and are not"):
        load(folder)


def test_damaged_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BundleError, match="cannot be loaded"):
        load(folder)


def test_weights_of_which_some_are_missing_are_not_made_up(folder):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["model.norm.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(
        BundleError, match=r"1 tensors are missing from the weights, first model\.norm\.weight"
    ):
        load(folder)


def test_code_that_comes_with_a_model_is_not_run(folder):
    (folder / "code.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nclass C: pass\n")
    own = {"model_type": "own", "auto_map": {"AutoConfig": "code.C"}}
    (folder / "config.json").write_text(json.dumps(own))
    with pytest.raises(BundleError, match="cannot be loaded"):
        load(folder)
    assert not (folder / "ran").exists()


def test_a_path_that_is_not_there():
    with pytest.raises(BundleError, match=r"^/no/such/model: there is no such folder"):
        load("/no/such/model")


def test_a_hub_that_cannot_be_reached(monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(BundleError) as caught:
        load("somebody/some-model")
    assert "somebody/some-model: is no folder here, and cannot be had from the hub" in str(
        caught.value
    )
    assert "or name a folder that has the model" in str(caught.value)


def test_a_device_that_is_not_there(folder):
    with pytest.raises(DeviceError, match="no device 'cuda:7'; expected one of auto, spread, cpu"):
        load(folder, device="cuda:7")
