"""Encoders that `xmodal pretrain` wrote, in experiments."""

from __future__ import annotations

import json

import pytest

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.data.visual_tactile.pairs import Pairs
from xmodal_ros.train.experiments.run import run_experiment
from xmodal_ros.train.pretrain.run import pretrain
from xmodal_ros.train.pretrain.settings import read_overrides
from xmodal_ros.train.touch.pretrained import encoder_overrides, encoder_title

SHORT = (
    "encoder.weights=random", "encoder.height=32", "encoder.width=32", "encoder.dim=64",
    "schedule.batch=4", "schedule.chunk=0", "schedule.steps=1", "schedule.warmup=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def make_encoder(data, tmp_path_factory):
    """Pretrain a backbone for a step; gives the folder."""

    def make(backbone: str, level: int):
        out = tmp_path_factory.mktemp("pretrained") / backbone
        own = (f"encoder.backbone={backbone}", f"encoder.level={level}")
        pretrain(read_overrides([*SHORT, *own]), Pairs(data), out)
        return out

    return make


@pytest.fixture(scope="module")
def cnn(make_encoder):
    return make_encoder("test_efficientnet", 1)


@pytest.fixture(scope="module")
def vit(make_encoder):
    return make_encoder("test_vit", -1)


def test_a_network_becomes_what_the_encoder_asks_for(cnn, vit) -> None:
    expected = {
        f"encoder.weights={cnn}", "trunk.dim=64", "encoder.backbone=test_efficientnet",
        "encoder.level=1", "encoder.camera_normalization=centred",
        "encoder.tactile_normalization=relative",
    }  # fmt: skip
    assert set(encoder_overrides(str(cnn))) == expected
    assert "encoder.level=-1" in encoder_overrides(str(vit / "encoder.safetensors"))
    assert encoder_overrides("") == []


def test_encoders_are_swapped(data, small, cnn, vit, tmp_path) -> None:
    paths = run_experiment(
        "encoders", [data], tmp_path / "out", tmp_path, small,
        encoders=[str(cnn), str(vit / "encoder.safetensors")], seeds=1,
    )  # fmt: skip
    text = paths[0].read_text()
    found = json.loads(text)
    assert [row["variant"] for row in found["rows"]] == [
        "pretrained on pairs alone: test_efficientnet, test_efficientnet",
        "pretrained on pairs alone: test_vit, test_vit",
        "not pretrained on pairs: random",
        "random",
    ]
    assert str(tmp_path) not in text
    assert str(cnn) not in text
    hashes = [json.dumps(row["seeds"][0]["encoder_sha256"]) for row in found["rows"]]
    assert len(set(hashes[:3])) == 3


def test_mvitac_is_a_row_with_its_own_encoder(data, small, cnn, vit, tmp_path) -> None:
    paths = run_experiment(
        "conditioning", [data], tmp_path / "out", tmp_path, small,
        encoders=[str(cnn)], mvitac=str(vit), seeds=1, test=False,
    )  # fmt: skip
    found = json.loads(paths[0].read_text())
    settings = {title: v["settings"] for title, v in found["variants"].items()}
    assert settings["MViTac, concatenation"]["encoder"]["weights"] == "test_vit, test_vit"
    assert settings["MViTac, concatenation"]["trunk"]["fusion"] == "concat"
    assert settings["concatenation"]["encoder"]["weights"] == encoder_title(str(cnn))
    assert "MViTac was not run" not in paths[1].read_text()


def test_the_same_encoder_twice_is_refused(data, small, cnn, tmp_path) -> None:
    with pytest.raises(SettingsError, match="--encoder: two variants are called 'pretrained on"):
        run_experiment("encoders", [data], tmp_path, tmp_path, small, encoders=[str(cnn)] * 2)


def test_a_file_without_its_record_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match=r"pretrain\.json: cannot be read .* `xmodal pretrain`"):
        encoder_overrides(str(tmp_path / "encoder.safetensors"))
