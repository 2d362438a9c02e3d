"""Noise, and statistics of another data set, against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xmodal_ros.core.errors import DataError
from xmodal_ros.train.experiments.asking import NoisyExamples, adapted, ask
from xmodal_ros.train.experiments.experiment import Condition
from xmodal_ros.train.touch.run import prepare, train_touch
from xmodal_ros.train.touch.settings import read_overrides


@pytest.fixture
def prepared(data, small, tmp_path):
    """Network and examples."""
    return prepare([data], read_overrides(small), tmp_path)[1:]


def test_noise_of_no_strength_changes_nothing(prepared, tmp_path) -> None:
    network, examples = prepared
    chosen = examples.indices("test")
    noisy = NoisyExamples(examples, chosen, ["tactile_left"], 0.0, network.eval(), tmp_path)
    for stream, (tokens, pooled) in examples.batch(chosen[2:5]).items():
        same_tokens, same_pooled = noisy.batch(chosen[2:5])[stream]
        torch.testing.assert_close(same_tokens, tokens)
        torch.testing.assert_close(same_pooled, pooled)


def test_noise_reaches_the_named_streams_and_no_other(prepared, tmp_path) -> None:
    network, examples = prepared
    chosen = examples.indices("validation")
    noisy = NoisyExamples(examples, chosen, ["camera"], 30.0, network.eval(), tmp_path)
    plain, changed = examples.batch(chosen), noisy.batch(chosen)
    assert not torch.allclose(plain["camera"][1], changed["camera"][1])
    for stream in ("tactile_left", "tactile_right"):
        assert torch.equal(plain[stream][1], changed[stream][1])
    one = noisy.batch(chosen[3:4])["camera"][1]  # whatever the batch, an example's noise is one
    assert torch.equal(one[0], changed["camera"][1][3])


def test_strength_of_noise_where_encoders_learn(data, small, tmp_path) -> None:
    settings = read_overrides([*small, "trunk.encoders=separate"])
    _, network, examples = prepare([data], settings, tmp_path)
    chosen = examples.indices("test")
    noisy = NoisyExamples(examples, chosen, ["tactile_right"], 10.0, network, tmp_path)
    plain, changed = examples.batch(chosen), noisy.batch(chosen)
    assert torch.equal(plain["camera"], changed["camera"])
    clean = plain["tactile_right"].numpy().astype(float)
    inside = (clean > 60) & (clean < 195)  # where nothing is cut off
    added = changed["tactile_right"].numpy()[inside] - clean[inside]
    assert added.std() == pytest.approx(10.0, rel=0.05)
    assert abs(added.mean()) < 0.5


def test_adapted_statistics_are_those_of_the_training_part(prepared) -> None:
    network, examples = prepared
    before = {name: value.clone() for name, value in network.state_dict().items()}
    made = adapted(network, examples)
    train = examples.batch(examples.indices("train"))
    tokens = [train[s][0].flatten(0, -2).numpy() for s in ("tactile_left", "tactile_right")]
    norm = made.branches["gel"].adapter.norm
    # One batch per stream: cumulative statistics are the mean of both.
    np.testing.assert_allclose(norm.running_mean, np.mean([t.mean(0) for t in tokens], 0), 1e-4)
    variance = np.mean([t.var(0, ddof=1) for t in tokens], 0)
    np.testing.assert_allclose(norm.running_var, variance, 1e-3)
    differing = {n for n, v in made.state_dict().items() if not torch.equal(v, before[n])}
    assert differing
    assert all(".adapter.norm." in name for name in differing)
    assert all(torch.equal(v, before[n]) for n, v in network.state_dict().items())


def test_classes_in_another_order_and_unknown_ones(data, small, tmp_path) -> None:
    settings = read_overrides(small)
    run = train_touch([data], tmp_path / "run", settings, cache=tmp_path)
    _, _, examples = prepare([data], settings, tmp_path)
    first = ask(run, {"test": examples}, Condition(), tmp_path)["test"]
    examples.heads = {**examples.heads, "material": ("wood", "steel")}  # other numbers
    examples.labels["material"] = 1 - examples.labels["material"]
    again = ask(run, {"test": examples}, Condition(), tmp_path)["test"]
    for head, labels in first.labels.items():
        np.testing.assert_array_equal(again.labels[head], labels)
        np.testing.assert_array_equal(again.logits[head], first.logits[head])
    examples.heads["material"] = ("wood", "felt")
    with pytest.raises(DataError, match=r"material 'felt' is no class of the run; .*steel, wood"):
        ask(run, {"test": examples}, Condition(), tmp_path)
