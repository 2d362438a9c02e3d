from __future__ import annotations

import pytest
import torch

from xmodal_ros.nn.architecture import HeadSettings, Trunk
from xmodal_ros.nn.cec import CEC
from xmodal_ros.nn.head import Head

DIM, HEADS = 16, 8


@pytest.fixture
def cec() -> CEC:
    torch.manual_seed(0)
    return CEC(DIM, HEADS).eval()


def inputs(streams: int = 2, tokens: int = 6, batch: int = 3):
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(batch, streams, DIM, generator=generator),
        torch.randn(batch, tokens, DIM, generator=generator),
        torch.ones(batch, tokens),
    )


def head(tokens: str = "patch", streams: tuple[str, ...] = ("a", "b")) -> Head:
    torch.manual_seed(0)
    trunk = Trunk(dim=DIM, attention_heads=HEADS, tokens=tokens)
    return Head(HeadSettings(classes=3, streams=streams), trunk).eval()


def encoded(seed: int, tokens: int = 4):
    generator = torch.Generator().manual_seed(seed)
    tensors = torch.randn(2, tokens + 1, DIM, generator=generator)
    return tensors[:, :tokens], tensors[:, tokens]


def test_agrees_with_torchs_multi_head_attention(cec):
    queries, keys, mask = inputs()
    mask[:, 4:] = 0
    oracle = torch.nn.MultiheadAttention(DIM, HEADS, batch_first=True)
    a = cec.attention
    with torch.no_grad():
        oracle.in_proj_weight.copy_(torch.cat([a.query.weight, a.key.weight, a.value.weight]))
        oracle.in_proj_bias.copy_(torch.cat([a.query.bias, a.key.bias, a.value.bias]))
        oracle.out_proj.load_state_dict(a.out.state_dict())
    attended, _ = oracle(queries, keys, keys, key_padding_mask=mask == 0)
    expected = cec.norm(queries + attended)
    torch.testing.assert_close(cec(queries, keys, mask), expected, rtol=1e-5, atol=1e-5)


def test_what_a_masked_token_holds_has_no_influence(cec):
    queries, keys, mask = inputs()
    mask[:, 2:] = 0
    other = keys.clone()
    other[:, 2:] = 1e3
    assert torch.equal(cec(queries, keys, mask), cec(queries, other, mask))


def test_order_of_keys_does_not_matter_and_order_of_queries_is_kept(cec):
    queries, keys, mask = inputs()
    out = cec(queries, keys, mask)
    torch.testing.assert_close(cec(queries, keys.flip(1), mask), out)
    torch.testing.assert_close(cec(queries.flip(1), keys, mask), out.flip(1))


@pytest.mark.parametrize(("tokens", "learns"), [("patch", True), ("pooled", False)])
def test_queries_and_keys_learn_only_from_patch_tokens(tokens, learns):
    module = head(tokens)
    logits, _ = module([encoded(1), encoded(2)], torch.ones(2, 2))
    logits.square().sum().backward()
    attention = module.cec.attention
    for layer in (attention.query, attention.key):
        assert bool(layer.weight.grad.abs().max() > 1e-7) is learns
    assert attention.value.weight.grad.abs().max() > 1e-7


@pytest.mark.parametrize("tokens", ["patch", "pooled"])
def test_an_absent_stream_is_as_if_it_were_not_there(tokens):
    module = head(tokens)
    present = torch.tensor([[1.0, 0.0]]).expand(2, 2)
    masked, _ = module([encoded(1), encoded(2)], present)
    garbage, _ = module([encoded(1), tuple(1e4 * x for x in encoded(3))], present)
    alone, _ = module([encoded(1)], torch.ones(2, 1))
    assert torch.equal(masked, garbage)
    torch.testing.assert_close(masked, alone)


def test_a_head_without_any_stream_gives_finite_numbers():
    logits, feature = head()([encoded(1), encoded(2)], torch.zeros(2, 2))
    assert torch.isfinite(logits).all()
    assert torch.isfinite(feature).all()


def test_the_two_fingers_may_be_swapped():
    module = head()
    one, _ = module([encoded(1), encoded(2)], torch.ones(2, 2))
    two, _ = module([encoded(2), encoded(1)], torch.ones(2, 2))
    torch.testing.assert_close(one, two)
