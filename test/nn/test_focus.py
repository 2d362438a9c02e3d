"""Maps of where a head looks: each weight and slope at its own place, step and stream."""

import numpy as np
import pytest
import torch

from xmodal_ros.nn.architecture import Architecture
from xmodal_ros.nn.block import Attention
from xmodal_ros.nn.focus import (
    attends,
    attention,
    grad_cam,
    image_streams,
    of_all_queries,
)
from xmodal_ros.nn.network import FuseStage, build_network

STREAMS = ["camera", "tactile_left", "tactile_right", "imu"]
STEPS, ROWS, COLUMNS = 3, 2, 3  # of the gel: 4 frames give 3 differences


def stage_of(architecture, streams=STREAMS, **changes) -> FuseStage:
    torch.manual_seed(0)
    heads = {"all": {"classes": 3, "streams": streams}}
    network = build_network({**architecture, "heads": heads, **changes}).eval()
    return FuseStage(network, "all").eval()


def drawn(stage: FuseStage, batch: int = 2, width: bool = False) -> list[torch.Tensor]:
    """Random encoded inputs; with `width`, tokens are as wide as the encoder's."""
    generator = torch.Generator().manual_seed(1)
    inputs = []
    for place, x in enumerate(stage.example()[1:]):
        shape = [batch, *x.shape[1:]]
        if width and place % 2 == 0:
            encoder = stage.branches[stage.names[place // 2]].contrastive.encoder
            shape[-1] = encoder.token_width
        inputs.append(torch.randn(shape, generator=generator))
    return inputs


def test_weights_are_what_the_attention_mixes_with():
    torch.manual_seed(0)
    module = Attention(16, 4)
    queries, keys, bias = torch.randn(2, 3, 16), torch.randn(2, 5, 16), torch.zeros(2, 1, 1, 5)
    bias[1, ..., 3:] = -1e4
    weights = module.weights(queries, keys, bias)
    assert weights.shape == (2, 4, 3, 5)
    values = module.value(keys).unflatten(2, (4, 4)).transpose(1, 2)
    mixed = module.out((weights @ values).transpose(1, 2).flatten(2))
    torch.testing.assert_close(mixed, module(queries, keys, bias))
    assert weights[1, ..., 3:].max() == 0


def test_attention_has_a_map_for_each_stream_step_and_query(tiny_architecture):
    stage = stage_of(tiny_architecture)
    present = torch.ones(2, 4)
    maps = attention(stage, present, *drawn(stage))
    assert {name: tuple(x.shape) for name, x in maps.items()} == {
        "camera": (2, 4, 2, 2),
        "tactile_left": (2, 4, STEPS, ROWS, COLUMNS),
        "tactile_right": (2, 4, STEPS, ROWS, COLUMNS),
        "imu": (2, 4, 1, 4),
    }
    totals = sum(x.flatten(2).sum(2) for x in maps.values())
    torch.testing.assert_close(totals, torch.ones(2, 4))


def test_attention_gives_nothing_to_an_absent_stream_and_leaves_its_query_out(tiny_architecture):
    stage = stage_of(tiny_architecture)
    present = torch.tensor([[1.0, 0, 1, 1], [1, 1, 1, 1]])
    maps = attention(stage, present, *drawn(stage))
    assert maps["tactile_left"][0].abs().max() == 0
    assert maps["tactile_left"][1].min() > 0
    mean = of_all_queries(maps, present)
    totals = sum(x.flatten(1).sum(1) for x in mean.values())
    torch.testing.assert_close(totals, torch.ones(2))
    expected = maps["camera"][0, [0, 2, 3]].mean(0)
    torch.testing.assert_close(mean["camera"][0], expected)


def test_attention_does_not_change_what_the_stage_answers(tiny_architecture):
    stage, present = stage_of(tiny_architecture), torch.ones(2, 4)
    inputs = drawn(stage)
    before = stage(present, *inputs)[0]
    attention(stage, present, *inputs)
    assert torch.equal(stage(present, *inputs)[0], before)


def test_a_weight_of_the_attention_is_at_the_place_of_its_token(tiny_architecture):
    stage, present = stage_of(tiny_architecture, attention_heads=1), torch.ones(2, 4)
    inputs = drawn(stage)
    changed = [x.clone() for x in inputs]
    changed[0][:, 1 * 2 + 0] += 1  # camera, row 1, column 0
    changed[4][:, :, 1 * COLUMNS + 2] += 1  # right gel, row 1, column 2, at every step
    before, after = attention(stage, present, *inputs), attention(stage, present, *changed)
    # Where a token stays, its score does; all weights of a query and head share a denominator.
    moved = {name: (after[name] / before[name])[0, 0] for name in STREAMS}
    same = moved["imu"][0, 0]
    differs = {name: ~torch.isclose(x, same, rtol=1e-4) for name, x in moved.items()}
    assert differs["camera"].nonzero().tolist() == [[1, 0]]
    assert differs["tactile_right"].nonzero().tolist() == [[t, 1, 2] for t in range(STEPS)]
    assert not differs["tactile_left"].any()
    assert not differs["imu"].any()


def test_a_weight_of_a_clip_is_at_its_step(tiny_architecture):
    stage, present = (
        stage_of(tiny_architecture, ["tactile_left", "imu"], attention_heads=1),
        torch.ones(2, 2),
    )
    stage.branches["gel"].temporal.blocks = torch.nn.Identity()  # else every step knows all
    inputs = drawn(stage)
    changed = [x.clone() for x in inputs]
    changed[0][:, STEPS - 1, 4] += 1  # newest step; row 1, column 1
    before, after = attention(stage, present, *inputs), attention(stage, present, *changed)
    moved = (after["tactile_left"] / before["tactile_left"])[0, 0]
    same = (after["imu"] / before["imu"])[0, 0, 0, 0]
    differs = ~torch.isclose(moved, same, rtol=1e-4)
    assert differs.nonzero().tolist() == [[STEPS - 1, 1, 1]]


@pytest.mark.parametrize(
    "changes", [{}, *({"fusion": f} for f in ("mean", "concat", "self_attention"))]
)
def test_grad_cam_agrees_with_differences(tiny_architecture, changes):
    stage = stage_of(tiny_architecture, ["camera", "tactile_left"], **changes)
    present = torch.ones(2, 2, dtype=torch.float64)
    inputs = [x.double() for x in drawn(stage, width=True)]
    stage = stage.double()

    def logits(which: int, moves: np.ndarray) -> np.ndarray:
        """Of the first example, once for each of the moves of one input's tokens."""
        parts = [x[:1].repeat(len(moves), *[1] * (x.ndim - 1)) for x in inputs]
        parts[2 * which] += torch.from_numpy(moves)
        for k, name in enumerate(stage.names):
            parts[2 * k] = stage.branches[name].adapt(parts[2 * k])
        with torch.no_grad():
            return stage(present[:1].expand(len(moves), -1), *parts)[0].numpy()

    maps = grad_cam(stage, present, *inputs)
    for which, name in enumerate(stage.streams):
        tokens = inputs[2 * which][0].numpy()
        steps, places, width = tokens.shape[:-2], tokens.shape[-2], tokens.shape[-1]
        channels = (*steps, 1, width)
        # Each channel of each step in turn, at all of its places.
        moves = 1e-5 * np.eye(int(np.prod(channels))).reshape(-1, *channels)
        known = logits(which, 0 * moves[:1]).argmax()
        change = (logits(which, moves) - logits(which, -moves))[:, known]
        slopes = change.reshape(channels) / 2e-5 / places
        expected = np.maximum((slopes * tokens).sum(-1), 0)
        found = maps[name][0].flatten(-2).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
        assert found.max() > 0


def test_grad_cam_explains_the_class_that_is_asked_for_also_without_gradients(tiny_architecture):
    stage, present = stage_of(tiny_architecture), torch.ones(2, 4)
    inputs = drawn(stage, width=True)
    with torch.no_grad():
        one, two = (
            grad_cam(stage, present, *inputs, classes=torch.tensor([k, k])) for k in (0, 1)
        )
    assert one["tactile_left"].shape == (2, STEPS, ROWS, COLUMNS)
    assert not torch.equal(one["tactile_left"], two["tactile_left"])
    assert not one["camera"].requires_grad


def test_grad_cam_of_an_absent_stream_is_empty(tiny_architecture):
    stage = stage_of(tiny_architecture)
    maps = grad_cam(stage, torch.tensor([[1.0, 1, 0, 1]] * 2), *drawn(stage, width=True))
    assert maps["tactile_right"].max() == 0
    assert maps["tactile_left"].max() > 0


def test_who_looks_where(tiny_architecture):
    tiny_architecture["branches"]["camera"] |= {"rows": 1, "columns": 1}
    made = Architecture.from_mapping(tiny_architecture)
    assert attends(made)
    assert image_streams(made) == {"grasp": ("tactile_left", "tactile_right")}
    for changes in ({"fusion": "mean"}, {"tokens": "pooled"}):
        assert not attends(Architecture.from_mapping({**tiny_architecture, **changes}))
