"""A whole run on a small data set: trained, written, loaded by the real code, asked, told."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.core.language import LanguageSettings
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import observations
from xmodal_ros.data.settings_file import load_settings
from xmodal_ros.runtime.bundle import check_bundle
from xmodal_ros.runtime.language.describer import Describer
from xmodal_ros.train.features import weights_hash
from xmodal_ros.train.language import fit, score
from xmodal_ros.train.language import run as run_module
from xmodal_ros.train.language.miniature import centre, make_miniature, make_network
from xmodal_ros.train.language.moments import read_moments
from xmodal_ros.train.language.questions import Asked, materials_of
from xmodal_ros.train.language.run import run_language
from xmodal_ros.train.language.score import CONDITIONS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def run(cell, small, tmp_path_factory):
    """Folder of a finished run of one seed, and the files of its results."""
    out = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score, "MAX_TOKENS", 2)  # what has learned so little never ends an answer
        return out, run_language(cell, out, out / "results", small, seeds=1)


@pytest.fixture(scope="module")
def network(small):
    return make_network(small)


@pytest.fixture(scope="module")
def moments(cell, small, network, run):
    return read_moments(cell, network, small, run[0] / "cache")


def test_moments_are_what_a_node_would_hear(cell, network, moments):
    assert set(moments.parts) == {"train", "validation", "test"}
    assert set(moments.facts["activity"]) == {"idle", "shake", "lift", "collision"}
    settings = load_settings(None, ["sync.anchor=camera"]).reading(["camera", "imu"])
    window = network.architecture.branch("imu").window
    with Recording(cell / "fourth") as recording:
        heard = {o.stamp_ns: o for o in observations(recording, settings, {"imu": window})}
    for row in moments.indices("test"):
        streams = heard[int(moments.stamps_ns[row])].streams
        np.testing.assert_array_equal(moments.windows[row], streams["imu"].data)
        image = torch.from_numpy(streams["camera"].data[None].copy())
        with torch.no_grad():
            tokens, pooled = network.branch("camera").contrastive.encoder(image)
        np.testing.assert_allclose(moments.features.pooled[row], pooled[0], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(moments.features.tokens[row], tokens[0], rtol=1e-2, atol=1e-2)


def test_facts_hold_at_the_moment_and_a_while_before(moments):
    since_s = (moments.stamps_ns - 1_700_000_000_000_000_000) / 1e9
    place = (since_s / 1.4).astype(int)
    names = np.array(["idle", "shake", "lift", "collision"])
    np.testing.assert_array_equal(moments.facts["activity"], names[place])
    assert (since_s - 1.4 * place >= 0.3).all()
    np.testing.assert_array_equal(moments.facts["material"] != "", place == 2)
    np.testing.assert_array_equal(moments.facts["grasp"] == "success", place == 2)


def test_a_run_leaves_describers_and_tables(run):
    out, paths = run
    found = json.loads(paths[0].read_text())
    [seed] = found["seeds"]
    for part in ("validation", "test"):
        assert list(seed[part]["asked"]) == [c.title for c in CONDITIONS]
        for measured in seed[part]["asked"].values():
            assert measured["activity"]["count"] > 0
    assert seed["language_model_sha256"] == seed["language_model_sha256_after"]
    page = paths[1].read_text()
    for condition in CONDITIONS:
        assert f"| {condition.title} |" in page
    assert "the same SHA-256" in page
    assert check_bundle(out / "seed0" / "encoders") == []


def test_a_describer_of_a_run_answers(run):
    describer = Describer(LanguageSettings(path=str(run[0] / "seed0"), device="cpu"))
    said = describer.describe("what is the robot doing?", describer.predictor.blank_observation())
    assert said.tokens > 0
    assert said.used == 5


def test_a_finished_seed_is_neither_trained_nor_asked_again(cell, small, run, monkeypatch):
    out, paths = run
    before = paths[0].read_text()
    monkeypatch.setattr(fit, "look", None)
    monkeypatch.setattr(run_module, "replies", None)
    assert run_language(cell, out, out / "results", small, seeds=1) == paths
    assert paths[0].read_text() == before
    other = dataclasses.replace(
        small, schedule=dataclasses.replace(small.schedule, learning_rate=0.5)
    )
    with pytest.raises(SettingsError, match="a finished run with other settings or data"):
        run_language(cell, out, out / "results", other, seeds=1)


def test_the_test_part_is_not_asked_about_unless_it_may_be(cell, small, run, tmp_path):
    found = json.loads(
        run_language(cell, run[0], tmp_path, small, seeds=1, test=False)[0].read_text()
    )
    assert found["parts"] == ["validation"]
    assert "test" not in found["seeds"][0]
    assert list(found["majority"]) == ["validation"]


def test_each_stage_changes_what_it_is_about_and_nothing_else(small, moments):
    mini = make_miniature(small, make_network(small), materials_of(moments))
    camera, imu = (mini.network.branch(stream) for stream in ("camera", "imu"))
    parts = {
        "language model": mini.language.model,
        "reader": torch.nn.ModuleList([mini.reader.resampler, mini.reader.project]),
        "beside": mini.reader.beside,
        "image encoder": camera.contrastive.encoder,
        "camera": torch.nn.ModuleList([camera.contrastive.embed, camera.adapter]),
        "IMU encoder": imu.contrastive,
        "IMU adapter": imu.adapter,
        "head": mini.network.heads["activity"],
    }
    changes = {}
    for stage in (fit.look, fit.speak, fit.align, fit.adapt, fit.classify):
        before = {name: weights_hash(part) for name, part in parts.items()}
        stage(mini, moments, small.schedule, lambda stage, step, loss: None)
        changed = {n for n, part in parts.items() if weights_hash(part) != before[n]}
        changes[stage.__name__] = changed
    assert changes == {
        "look": {"reader", "camera"},
        "speak": {"language model"},
        "align": {"IMU encoder"},
        "adapt": {"IMU adapter", "beside"},
        "classify": {"head"},
    }


def test_a_second_moment_tells_what_is_done_and_the_first_all_else(small, moments, monkeypatch):
    told = []

    def note(kind, facts, rng, materials, any_wording):
        told.append(facts)
        return Asked(kind, "?", "!", absent=False)

    monkeypatch.setattr(fit, "ask", note)
    drawn = fit._Drawn(moments, small.schedule, stage=2)
    for two in (False, True):
        told.clear()
        first, second, asked = drawn.questions(two)
        assert len(first) == len(second) == len(asked) == len(told) == small.schedule.batch
        assert two == bool((first != second).any())
        for head, rows in (("activity", second), ("material", first), ("grasp", first)):
            assert [facts[head] for facts in told] == moments.facts[head][rows].tolist()
    assert set(second) <= set(moments.indices("train"))


def test_a_data_set_without_split(tmp_path, small):
    with pytest.raises(DataError, match="no such file"):
        run_language(tmp_path, tmp_path / "out", tmp_path, small)


def test_data_that_nothing_can_be_asked_about(moments):
    dancing = np.where(moments.facts["activity"] == "lift", "dance", moments.facts["activity"])
    strange = dataclasses.replace(moments, facts={**moments.facts, "activity": dancing})
    with pytest.raises(DataError, match="activities: nothing is known to say of 'dance'"):
        materials_of(strange)
    nothing = np.full(len(dancing), "")
    untouched = dataclasses.replace(moments, facts={**moments.facts, "material": nothing})
    with pytest.raises(DataError, match="materials: 0 of them touched in training"):
        materials_of(untouched)


def test_a_centred_projection_standardizes_its_input_first():
    rng = np.random.default_rng(0)
    pooled = rng.normal([5.0, -3.0, 40.0], [1.0, 0.1, 20.0], (500, 3)).astype(np.float32)
    embed = torch.nn.Linear(3, 2)
    plain = {name: value.clone() for name, value in embed.state_dict().items()}
    centre(embed, pooled)
    standard = (pooled - pooled.mean(0)) / (pooled.std(0) + 1e-3)
    expected = standard @ plain["weight"].numpy().T + plain["bias"].numpy()
    found = embed(torch.from_numpy(pooled)).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
