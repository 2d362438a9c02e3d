from __future__ import annotations

import dataclasses
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from xmodal_ros.core.errors import BundleError, SettingsError
from xmodal_ros.core.settings import DEFAULT_STREAMS, Settings, StreamSettings
from xmodal_ros.core.types import Modality
from xmodal_ros.core.windows import Clip, Nearest, Resampled
from xmodal_ros.nn.network import build_network
from xmodal_ros.runtime import bundle as module
from xmodal_ros.runtime.bundle import DEFAULT, Bundle, check_bundle, default_bundle
from xmodal_ros.runtime.manifest import HeadCard, file_hash
from xmodal_ros.runtime.ood import fit_branch
from xmodal_ros.runtime.save import save_bundle


@pytest.fixture
def copy(tiny_bundle, tmp_path) -> Path:
    """A bundle to be damaged."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


@pytest.fixture
def edit(copy) -> Callable[..., None]:
    """Change a value of bundle.yaml."""

    def edit(*path: str, value: Any) -> None:
        manifest = yaml.safe_load((copy / "bundle.yaml").read_text())
        part = manifest
        for key in path[:-1]:
            part = part[key]
        if value is None:
            del part[path[-1]]
        else:
            part[path[-1]] = value
        (copy / "bundle.yaml").write_text(yaml.safe_dump(manifest))

    return edit


def rewrite(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Replace the weights, with the right hash."""
    save_file(tensors, folder / "weights.safetensors")
    manifest = yaml.safe_load((folder / "bundle.yaml").read_text())
    manifest["weights_sha256"] = file_hash(folder / "weights.safetensors")
    (folder / "bundle.yaml").write_text(yaml.safe_dump(manifest))


def test_a_whole_bundle_has_no_problem(tiny_bundle):
    assert check_bundle(tiny_bundle) == []


def test_settings_are_fitted_to_what_is_read(tiny_bundle):
    bundle = Bundle.load(tiny_bundle)
    extra = StreamSettings(name="roof", modality="lidar", topic="roof/points")
    streams = {s.name: s for s in (*DEFAULT_STREAMS, extra)}
    del streams["imu"]

    fitted, windows = bundle.fit(Settings(streams=tuple(streams.values())))
    assert [s.name for s in fitted.streams] == list(windows)
    assert set(windows) == {"camera", "tactile_left", "tactile_right"}

    streams["camera"] = dataclasses.replace(streams["camera"], modality="lidar")
    with pytest.raises(SettingsError, match=r"camera.modality: got 'lidar'.*'camera', which"):
        bundle.fit(Settings(streams=tuple(streams.values())))


def test_says_what_is_read_from_each_stream(tiny_bundle):
    bundle = Bundle.load(tiny_bundle)
    assert bundle.windows() == {
        "camera": Nearest(),
        "tactile_left": Clip(4, 0.1),
        "tactile_right": Clip(4, 0.1),
        "imu": Resampled(64, 50.0),
    }
    gel, imu, camera = (bundle.inputs[n] for n in ("tactile_left", "imu", "camera"))
    assert (gel.modality, gel.height, gel.width) == (Modality.TACTILE, 48, 64)
    assert (gel.frames, gel.spacing_s) == (4, 0.1)
    assert (imu.frames, imu.spacing_s, imu.height) == (64, 0.02, 0)
    assert (camera.frames, camera.spacing_s) == (1, 0.0)
    assert bundle.expected("grasp") == Modality.TACTILE.bit


def test_what_was_saved_is_loaded(tiny_architecture, tmp_path):
    torch.manual_seed(1)
    network = build_network(tiny_architecture).eval()
    statistics = {"grasp": {"means": np.ones((2, 32), np.float32)}}
    heads = {
        "material": HeadCard("material", ("a", "b", "c")),
        "grasp": HeadCard(
            "grasp", ("fail", "success"), 2.5, 0.6, 0.4, temperatures=(("tactile_left", 3.0),)
        ),
        "activity": HeadCard("activity", tuple("abcde")),
    }
    statistics["grasp"]["whitening"] = np.eye(32, dtype=np.float32)
    statistics["grasp"]["scale"] = np.ones(1, np.float32)
    looks = np.random.default_rng(0).normal(size=(99, 32 + 45)).astype(np.float32)
    bundle = save_bundle(
        tmp_path / "new" / "name",
        name="name",
        network=network,
        architecture=tiny_architecture,
        heads=heads,
        licence="BSD-2-Clause",
        card="# card",
        training={"seed": 7, "sizes": (1, np.int64(2))},
        metrics={"auc": np.float32(0.5)},
        statistics=statistics,
        branch_statistics={"gel": fit_branch(looks)},
    )
    assert (bundle.id, bundle.licence, bundle.heads) == ("name", "BSD-2-Clause", heads)
    assert bundle.training == {"seed": 7, "sizes": [1, 2]}
    assert bundle.metrics == {"auc": 0.5}
    assert (bundle.path / "README.md").read_text() == "# card"
    np.testing.assert_array_equal(
        bundle.statistics()["grasp"]["whitening"], statistics["grasp"]["whitening"]
    )
    known = bundle.stream_statistics()
    assert known.keys() == {"tactile_left", "tactile_right"}
    for name, value in fit_branch(looks).items():
        np.testing.assert_array_equal(known["tactile_left"][name], value)
    loaded = bundle.network()
    assert not loaded.training
    for name, value in network.state_dict().items():
        # Half precision keeps 11 bits; what is small or large, as a variance may be, stays whole.
        exact = value.ndim < 2
        torch.testing.assert_close(
            loaded.state_dict()[name], value, rtol=0 if exact else 1e-3, atol=0 if exact else 1e-6
        )


def test_parts_that_do_not_fit_are_refused_when_saving(tiny_architecture, tmp_path):
    with pytest.raises(BundleError, match=r"heads\.material has 2 labels for 3 classes"):
        save_bundle(
            tmp_path,
            name="x",
            network=build_network(tiny_architecture),
            architecture=tiny_architecture,
            heads={"material": HeadCard("material", ("a", "b"))},
            licence="MIT",
            card="",
        )


def test_missing_files_are_all_named(copy):
    for name in ("weights.safetensors", "README.md"):
        (copy / name).unlink()
    assert check_bundle(copy) == ["weights.safetensors is missing", "README.md is missing"]
    (copy / "bundle.yaml").unlink()
    assert "bundle.yaml is missing" in check_bundle(copy)
    assert check_bundle(copy / "nowhere") == ["there is no such folder"]


def test_loading_lists_everything_at_once(copy, edit):
    edit("heads", "grasp", "temperature", value=0)
    edit("licence", value=None)
    (copy / "README.md").unlink()
    with pytest.raises(BundleError) as caught:
        Bundle.load(copy)
    text = str(caught.value)
    assert text.startswith(f"{copy}: README.md is missing; bundle.yaml lacks 'licence'; ")
    assert "heads.grasp.temperature: got 0.0; expected a value from 0.01 to 100.0" in text


def test_a_wrong_hash_is_named(copy):
    path = copy / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    (problem,) = check_bundle(copy)
    assert problem.startswith("weights.safetensors has SHA-256 ")


def test_each_tensor_that_does_not_fit_is_named(copy):
    tensors = load_file(copy / "weights.safetensors")
    del tensors["heads.grasp.classifier.bias"]
    tensors["heads.material.classifier.weight"] = torch.zeros(4, 32)
    tensors["extra"] = torch.zeros(1)
    rewrite(copy, tensors)
    assert sorted(check_bundle(copy)) == [
        "weights.safetensors has extra, which the architecture does not",
        "weights.safetensors lacks heads.grasp.classifier.bias (2,)",
        "weights.safetensors: heads.material.classifier.weight has shape (4, 32), "
        "expected (3, 32)",
    ]


def test_statistics_of_sensors_are_checked(copy):
    tensors = load_file(copy / "weights.safetensors")
    del tensors["branch_statistics.camera.scale"]
    tensors["branch_statistics.gel.means"] = torch.zeros(1, 32)
    tensors["branch_statistics.lidar.scale"] = torch.zeros(1)
    rewrite(copy, tensors)
    assert sorted(check_bundle(copy)) == [
        "weights.safetensors has branch_statistics.lidar.scale, which the architecture does not",
        "weights.safetensors lacks branch_statistics.camera.scale (1,)",
        "weights.safetensors: branch_statistics.gel.means has shape (1, 32), expected (1, 77)",
    ]


class Bomb:
    """Unpickling this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_a_pickle_is_recognized_and_never_opened(copy, tmp_path, form):
    bomb, path = Bomb(tmp_path / "exploded"), copy / "weights.safetensors"
    if form == "pickle":
        path.write_bytes(pickle.dumps(bomb))
    else:
        torch.save(bomb, path)
    problems = check_bundle(copy)
    assert (
        "weights.safetensors is a pickle, which can run any code and is not opened; "
        "expected safetensors" in problems
    )
    with pytest.raises(BundleError, match="is a pickle"):
        Bundle.load(copy)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64, b"\x02" + b"\0" * 7 + b"[]"])
def test_weights_that_are_not_safetensors_are_named(copy, content):
    (copy / "weights.safetensors").write_bytes(content)
    assert "weights.safetensors is not readable as safetensors" in check_bundle(copy)


def test_cut_weights_are_named(copy):
    path = copy / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "weights.safetensors is 100 bytes too short" in check_bundle(copy)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1", "bundle.yaml is not readable as YAML: "),
        ("\x00", "bundle.yaml is not readable as YAML: "),
        ("- 1", "bundle.yaml is not a mapping"),
        ("", "bundle.yaml is not a mapping"),
    ],
)
def test_a_manifest_that_is_not_a_mapping_is_named(copy, text, problem):
    (copy / "bundle.yaml").write_text(text)
    (found,) = check_bundle(copy)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("format",), 9, "format is 9, expected 1"),
        (("colour",), "red", "bundle.yaml has an unknown key 'colour'"),
        (("architecture",), None, "bundle.yaml lacks 'architecture'"),
        (("architecture",), 3, "architecture is 3, expected a mapping"),
        (("heads",), [], "heads is [], expected a mapping"),
        (
            ("heads", "speech"),
            {"task": "grasp", "labels": ["a", "b"]},
            "heads.speech is not in the",
        ),
        (("heads", "grasp"), None, "heads.grasp is missing: labels of the architecture's head"),
        (("heads", "grasp"), 3, "heads.grasp.labels is missing, expected a list with one name"),
        (("heads", "grasp", "labels"), None, "heads.grasp.labels is missing, expected a list"),
        (("heads", "grasp", "labels"), ["a"], "heads.grasp has 1 labels for 2 classes"),
        (("heads", "grasp", "labels"), ["a", "a"], "heads.grasp has a label twice"),
        (
            ("heads", "grasp", "task"),
            "poetry",
            "heads.grasp.task: got 'poetry'; expected one of material, activity, grasp",
        ),
        (
            ("heads", "grasp", "threshold"),
            1.5,
            "heads.grasp.threshold: got 1.5; expected a value from 0.0 to 1.0",
        ),
        (("heads", "grasp", "temperature"), float("nan"), "heads.grasp.temperature: got nan"),
        (("heads", "grasp", "abstain_below"), "high", "heads.grasp.abstain_below: got 'high'"),
        (
            ("heads", "grasp", "temperatures"),
            [["tactile_left", 0]],
            "heads.grasp.temperatures: got ('tactile_left', 0); expected names of streams, and a",
        ),
        (("heads", "grasp", "temperatures"), 2.0, "heads.grasp.temperatures: got 2.0; expected"),
        (
            ("heads", "grasp", "temperatures"),
            [["tactile_right+tactile_left", 2.0]],
            "heads.grasp.temperatures has 'tactile_right+tactile_left', expected some, not all",
        ),
        (
            ("heads", "grasp", "temperatures"),
            [["camera", 2.0]],
            "heads.grasp.temperatures has 'camera', expected some, not all, of tactile_left+",
        ),
        (("heads", "grasp", "treshold"), 0.5, "heads.grasp: unknown setting 'treshold'. Did you"),
        (
            ("architecture", "branches", "camera", "backbone"),
            "resnet9000",
            "architecture.branches.camera.backbone: timm",
        ),
        (
            ("architecture", "branches", "imu", "channels"),
            12,
            "architecture.branches.imu.channels is 12, an IMU has 6",
        ),
        (
            ("architecture", "heads", "grasp", "streams"),
            ["nose"],
            "architecture.heads.grasp.streams: got 'nose'",
        ),
        (("backends",), [{"backend": "torch", "speed": 1}], "backends: backends[0]: unknown sett"),
        (("backends",), 5, "backends is 5, expected a list"),
        (("spaces",), 5, "spaces is 5, expected a list"),
        (("spaces",), ["camera"], "spaces is ['camera'], expected a list of lists of branches"),
        (("spaces",), [["camera", "nose"]], "spaces has 'nose', expected some of the branches"),
        (("spaces",), [["camera"], ["gel", "camera"]], "spaces has a branch twice"),
    ],
)
def test_wrong_values_are_named(copy, edit, path, value, problem):
    edit(*path, value=value)
    problems = check_bundle(copy)
    assert any(p.startswith(problem) for p in problems), problems
    with pytest.raises(BundleError):
        Bundle.load(copy)


class TestDefaultBundle:
    @pytest.fixture(autouse=True)
    def elsewhere(self, tmp_path, monkeypatch):
        """No bundle of the source tree, and one ament prefix."""
        monkeypatch.setattr(module, "__file__", str(tmp_path / "a" / "b" / "bundle.py"))
        monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path / 'no'}:{tmp_path / 'prefix'}")

    def install(self, tmp_path, root: str, name: str) -> Path:
        folder = tmp_path / root / name
        folder.mkdir(parents=True)
        (folder / "bundle.yaml").touch()
        return folder

    def test_is_found_in_the_share_folder(self, tmp_path):
        folder = self.install(tmp_path, "prefix/share/xmodal_ros/models", "one")
        assert default_bundle() == folder

    def test_the_source_tree_comes_first(self, tmp_path):
        self.install(tmp_path, "prefix/share/xmodal_ros/models", "one")
        folder = self.install(tmp_path, "models", "two")
        assert default_bundle() == folder

    def test_several_are_listed(self, tmp_path):
        for name in ("two", "one"):
            self.install(tmp_path, "models", name)
        with pytest.raises(BundleError, match="several bundles are installed: one, two"):
            default_bundle()

    def test_of_several_the_usual_one_is_taken(self, tmp_path):
        folder = self.install(tmp_path, "models", DEFAULT)
        self.install(tmp_path, "models", "a")
        assert default_bundle() == folder

    def test_none_says_where_it_looked(self, tmp_path):
        with pytest.raises(BundleError, match=r"prefix/share/xmodal_ros/models: no bundle is ins"):
            Bundle.load()


def test_only_streams_of_one_space_are_comparable(copy, edit):
    assert Bundle.load(copy).comparable("tactile_right") == ("tactile_right", "tactile_left")
    assert Bundle.load(copy).comparable("camera") == ("camera",)
    edit("spaces", value=[["gel", "camera"]])
    loaded = Bundle.load(copy)
    assert loaded.comparable("camera") == ("camera", "tactile_left", "tactile_right")
    assert loaded.comparable("tactile_right") == ("tactile_right", "camera", "tactile_left")
    assert loaded.comparable("imu") == ("imu",)
