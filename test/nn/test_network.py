from __future__ import annotations

import pytest
import torch

from xmodal_ros.nn.branch import ContrastiveEncoder
from xmodal_ros.nn.network import FuseStage, Network, build_network

BATCH = 2


def make(architecture, **changes) -> Network:
    torch.manual_seed(0)
    return build_network({**architecture, **changes})


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = lambda *shape: torch.randint(  # noqa: E731
        0, 256, shape, dtype=torch.uint8, generator=generator
    )
    return {
        "camera": images(BATCH, 64, 64, 3),
        "tactile_left": images(BATCH, 4, 48, 64, 3),
        "tactile_right": images(BATCH, 4, 48, 64, 3),
        "imu": torch.randn(BATCH, 64, 6, generator=generator),
    }


def test_shapes(tiny_architecture, batch):
    output = make(tiny_architecture)(batch)
    assert {k: tuple(v.shape) for k, v in output.logits.items()} == {
        "material": (BATCH, 3),
        "grasp": (BATCH, 2),
        "activity": (BATCH, 5),
    }
    assert {tuple(v.shape) for v in output.features.values()} == {(BATCH, 32)}
    for embedding in output.embeddings.values():
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(BATCH))


def test_a_head_sees_its_own_streams_only(tiny_architecture, batch):
    network = make(tiny_architecture).eval()
    alone = network({"imu": batch["imu"]})
    assert set(alone.logits) == {"activity"}
    torch.testing.assert_close(alone.logits["activity"], network(batch).logits["activity"])


def test_frozen_encoders_keep_their_bytes_while_a_task_trains(tiny_architecture, batch):
    network = make(tiny_architecture).train()
    frozen = {
        name: {k: v.clone() for k, v in branch.contrastive.state_dict().items()}
        for name, branch in network.branches.items()
        if branch.settings.frozen
    }
    assert set(frozen) == {"camera", "gel"}
    trained = network.branches["camera"].adapter.project.weight.clone()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        sum(x.square().sum() for x in network(batch).logits.values()).backward()
        optimizer.step()
    for name, before in frozen.items():
        after = network.branches[name].contrastive.state_dict()
        assert all(torch.equal(before[k], after[k]) for k in before), name
        assert not network.branches[name].contrastive.training
    assert not torch.equal(trained, network.branches["camera"].adapter.project.weight)


def test_separate_encoders_train_a_second_one_and_keep_the_embedding(tiny_architecture, batch):
    shared = make(tiny_architecture).eval()
    separate = make(tiny_architecture, encoders="separate").eval()
    for name, branch in shared.branches.items():
        separate.branches[name].contrastive.load_state_dict(branch.contrastive.state_dict())
    output = separate(batch)
    for stream, embedding in shared(batch).embeddings.items():
        torch.testing.assert_close(output.embeddings[stream], embedding)
    sum(x.square().sum() for x in output.logits.values()).backward()
    assert separate.branches["camera"].task.backbone.conv_stem.weight.grad.abs().max() > 0
    assert separate.branches["imu"].task is None  # its own encoder learns, a second is of no use


def test_an_encoder_that_is_not_frozen_learns(tiny_architecture):
    torch.manual_seed(0)
    settings = build_network(tiny_architecture).architecture.branches["camera"]
    encoder = ContrastiveEncoder(settings, 32, frozen=False).train()
    images = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    encoder(images)[1].sum().backward()
    assert encoder.encoder.backbone.conv_stem.weight.grad is not None


@pytest.mark.parametrize("changes", [{"tokens": "pooled"}, {"fusion": "mean"}])
def test_forms_for_comparison_train(tiny_architecture, batch, changes):
    network = make(tiny_architecture, **changes)
    output = network(batch)
    output.logits["grasp"].sum().backward()
    assert network.branches["gel"].adapter.project.weight.grad.abs().max() > 0


def test_features_can_be_kept_while_the_rest_trains(tiny_architecture, batch):
    network = make(tiny_architecture).eval()
    kept = {s: network.features(s, batch) for s in batch}
    for head, logits in network(batch).logits.items():
        torch.testing.assert_close(network.forward_features(kept).logits[head], logits)


@pytest.mark.parametrize("encoders", ["shared", "separate"])
@pytest.mark.parametrize("difference", ["none", "previous", "reference"])
def test_stages_give_what_the_training_forward_gives(
    tiny_architecture, batch, difference, encoders
):
    tiny_architecture["branches"]["gel"]["difference"] = difference
    network = make(tiny_architecture, encoders=encoders).eval()
    for stream in ("tactile_left", "tactile_right"):
        batch[f"{stream}/reference"] = batch[stream][:, 0]
        batch[f"{stream}/known"] = torch.tensor([1.0, 0.0])
    expected = network(batch).logits["grasp"]
    for i in range(BATCH):
        parts = []
        for stream in ("tactile_left", "tactile_right"):
            clip = batch[stream][i]
            known = batch[f"{stream}/known"][i : i + 1]
            frames = range(1, 4) if difference == "previous" else range(4)
            steps = []
            for t in frames:
                more = {
                    "none": (),
                    "previous": (clip[t - 1 : t],),
                    "reference": (clip[:1], known),
                }[difference]
                steps.append(network.branches["gel"](clip[t : t + 1], *more))
            parts += [torch.stack(x, dim=1) for x in zip(*steps, strict=True)]
        logits, _ = FuseStage(network, "grasp")(torch.ones(1, 2), *parts)
        torch.testing.assert_close(logits[0], expected[i], rtol=1e-4, atol=1e-5)


def test_an_unknown_reference_changes_nothing(tiny_architecture, batch):
    tiny_architecture["branches"]["gel"]["difference"] = "reference"
    network = make(tiny_architecture).eval()
    clip = batch["tactile_left"]
    given = [
        {"tactile_left": clip, "tactile_left/reference": r, "tactile_left/known": torch.zeros(2)}
        for r in (clip[:, 0], clip[:, 1])
    ]
    first, second = (network(g).logits["grasp"] for g in given)
    assert torch.equal(first, second)


def test_lighting_of_a_gel_does_not_reach_the_encoder(tiny_architecture):
    """A clip whose colour is scaled as a whole gives nearly the same; one that moves does not."""
    network = make(tiny_architecture).eval()
    rng = torch.Generator().manual_seed(0)
    clip = torch.randint(100, 140, (1, 4, 48, 64, 3), generator=rng).to(torch.uint8)
    brighter = (clip.float() * 1.5).round().to(torch.uint8)
    moved = clip.roll(1, dims=1)
    still, lit, slid = (
        network({"tactile_left": x}).features["grasp"] for x in (clip, brighter, moved)
    )
    assert (still - lit).norm() < 0.3 * (still - slid).norm()


def test_half_precision_changes_little(tiny_architecture, batch):
    """Some half precision kernels are wrong on some CPUs; an encoder must not meet them."""
    network = make(tiny_architecture).eval()
    exact = network(batch).embeddings
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(batch).embeddings
    for stream, embedding in exact.items():
        assert (embedding * rounded[stream].float()).sum(1).min() > 0.99, stream
