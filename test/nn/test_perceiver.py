from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from transformers import IdeficsConfig
from transformers.models.idefics.perceiver import IdeficsPerceiverResampler

from xmodal_ros.nn.perceiver import PerceiverResampler
from xmodal_ros.runtime.backends.base import ConversionCache, Target
from xmodal_ros.runtime.backends.selection import create

DIM = 24  # not heads * head_dim
ROUNDING = {torch.float32: 1e-5, torch.float64: 1e-12}
THEIR_NAMES = {
    "token_norm": "context_layer_norm",
    "latent_norm": "latents_layer_norm",
    "query": "q_proj",
    "key": "k_proj",
    "value": "v_proj",
    "query_norm": "q_layer_norm",
    "key_norm": "k_layer_norm",
    "out": "output_proj",
    "0": "ln",
    "1": "fc",
    "3": "c_proj",
}


def random_weights(module: nn.Module) -> nn.Module:
    """Also of norms, which begin as the identity and would hide a swap."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.2 * torch.randn(weight.shape, generator=generator))
    return module.eval()


def resampler(**options) -> nn.Module:
    torch.manual_seed(0)
    small = {"latents": 5, "depth": 2, "heads": 2, "head_dim": 8}
    return random_weights(PerceiverResampler(DIM, **{**small, **options}))


def idefics(ours: nn.Module, qk_norm: bool) -> nn.Module:
    """Their resampler in its published size with our weights, each of which has its place."""
    config = IdeficsConfig(
        vision_config={"embed_dim": DIM}, perceiver_config={"qk_layer_norms_perceiver": qk_norm}
    )
    theirs = IdeficsPerceiverResampler(config, DIM, 6, 8, 64, 64)
    weights = {}
    for name, weight in ours.state_dict().items():
        part, _, rest = name.partition(".")
        if part in ("attentions", "feed_forwards"):
            block, layer, kind = rest.split(".")
            index = int(part == "feed_forwards")
            name = f"blocks.{block}.{index}.{THEIR_NAMES[layer]}.{kind}"
        weights[name.replace("norm.", "layer_norm.") if part == "norm" else name] = weight
    theirs.load_state_dict(weights)
    return theirs.eval()


def tokens(count: int, batch: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return 2 * torch.randn(batch, count, DIM, generator=generator) + 1


def half_masked(count: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens and masks: padding at the end, padding in between, nothing but padding."""
    mask = torch.zeros(3, count)
    mask[0, :4] = 1
    mask[1, 1::2] = 1
    return tokens(count), mask


@pytest.mark.parametrize("dtype", ROUNDING, ids=str)
@pytest.mark.parametrize("qk_norm", [False, True])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_agrees_with_the_one_of_idefics(activation, qk_norm, dtype):
    torch.manual_seed(0)
    options = {"activation": activation, "qk_norm": qk_norm}
    ours = random_weights(PerceiverResampler(DIM, **options))
    theirs = idefics(ours, qk_norm)
    if activation == "gelu":  # theirs is ReLU, OpenFlamingo's and Otter's GELU
        for _, feed_forward in theirs.blocks:
            feed_forward.act = nn.GELU()
    x = tokens(17).to(dtype)
    found, expected = ours.to(dtype)(x), theirs.to(dtype)(x)
    assert found.shape == (3, 64, DIM)
    torch.testing.assert_close(found, expected, rtol=ROUNDING[dtype], atol=ROUNDING[dtype])


def test_no_query_key_norm_and_gelu_unless_asked_for():
    torch.manual_seed(0)
    plain = random_weights(PerceiverResampler(DIM))
    asked = PerceiverResampler(DIM, activation="gelu", qk_norm=False).eval()
    asked.load_state_dict(plain.state_dict())
    assert torch.equal(plain(tokens(4)), asked(tokens(4)))


@pytest.mark.parametrize("qk_norm", [False, True])
@pytest.mark.parametrize("padding", [0.0, 1e30, float("nan"), float("inf")])
def test_masked_tokens_are_as_good_as_not_there(padding, qk_norm):
    ours = resampler(qk_norm=qk_norm)
    x, mask = half_masked()
    found = ours(torch.where(mask[:, :, None] > 0, x, padding), mask)
    for example, row, kept in zip(found, x, mask > 0, strict=True):
        torch.testing.assert_close(example, ours(row[None, kept])[0], rtol=1e-5, atol=1e-5)


def test_without_any_token_the_result_is_finite_and_always_the_same():
    ours = resampler()
    found = ours(tokens(9), torch.zeros(3, 9))
    assert found.isfinite().all()
    torch.testing.assert_close(found, ours(tokens(0)), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found[0], found[2], rtol=0, atol=1e-6)


def test_a_mask_of_ones_is_no_mask():
    ours = resampler()
    torch.testing.assert_close(
        ours(tokens(9), torch.ones(3, 9)), ours(tokens(9)), rtol=1e-5, atol=1e-5
    )


def test_order_of_tokens_does_not_matter():
    ours = resampler()
    x, mask = half_masked()
    order = torch.randperm(9, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(
        ours(x[:, order], mask[:, order]), ours(x, mask), rtol=1e-5, atol=1e-5
    )
    assert not torch.allclose(ours(x[:1]), ours(x[1:2]), atol=1e-2)  # but what they are does


def test_training_reaches_every_weight_and_no_padding():
    ours = resampler(qk_norm=True)
    x, mask = half_masked()
    x = torch.where(mask[:, :, None] > 0, x, torch.nan).requires_grad_()
    (ours(x, mask) * tokens(5)).sum().backward()
    for name, weight in ours.named_parameters():
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().max() > 0, name
    assert torch.equal(x.grad.abs().amax(dim=2) > 0, mask > 0)


def test_works_in_bfloat16():
    ours = resampler()
    x, mask = half_masked()
    expected = ours(x, mask)
    found = ours.bfloat16()(x.bfloat16(), mask)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=0.1)


def test_exported_program_takes_any_length_and_batch():
    ours = resampler()
    batch, count = torch.export.Dim("batch"), torch.export.Dim("count")
    shapes = ({0: batch, 1: count}, {0: batch, 1: count})
    program = torch.export.export(ours, half_masked(), dynamic_shapes=shapes).module()
    for inputs in (half_masked(), half_masked(30), (tokens(3, batch=2), torch.ones(2, 3))):
        torch.testing.assert_close(program(*inputs), ours(*inputs), rtol=1e-5, atol=1e-5)


class Stage(nn.Module):
    """Backends compile what gives a tuple."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.module(x, mask),)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_backends_agree_whatever_is_masked(backend, tmp_path, monkeypatch):
    pytest.importorskip(backend)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    stage = Stage(resampler(qk_norm=True)).eval()
    made = create(backend, Target("cpu", "fp32", 1), ConversionCache("perceiver"))
    example = (np.zeros((1, 9, DIM), np.float32), np.ones((1, 9), np.float32))
    compiled = made.compile("perceiver", stage, example)
    for x, mask in zip(*half_masked(), strict=True):
        with torch.no_grad():
            (expected,) = stage(x[None], mask[None])
        (found,) = compiled(x[None].numpy(), mask[None].numpy())()
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)
