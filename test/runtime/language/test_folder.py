"""A describer's folder: what is written is read, and what is wrong with it is named."""

import shutil

import pytest
import yaml

from xmodal_ros.core.errors import BundleError
from xmodal_ros.runtime.language.folder import MANIFEST, read_folder
from xmodal_ros.runtime.language.settings import ReaderSettings, ReadingSettings
from xmodal_ros.runtime.manifest import WEIGHTS


@pytest.fixture
def folder(tiny_describer, tmp_path):
    return shutil.copytree(tiny_describer, tmp_path / "made")


def test_what_was_written_is_read(tiny_describer, tiny_bundle):
    found = read_folder(tiny_describer)
    assert found.reader == ReaderSettings(latents=4, depth=1, heads=2, head_dim=8)
    assert found.streams == {"camera": ReadingSettings(), "imu": ReadingSettings()}
    assert found.encoders == tiny_bundle
    assert found.language_model == str(tiny_describer / "language_model")
    assert found.licence == "MIT"


def test_a_language_model_may_have_a_name_on_the_hub(folder):
    change(folder, language_model="somebody/some-model")
    assert read_folder(folder).language_model == "somebody/some-model"


def change(folder, **values):
    said = yaml.safe_load((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(yaml.safe_dump({**said, **values}))


def spoil_weights(folder):
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1] + b"x")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (shutil.rmtree, "there is no such folder; expected a describer"),
        (lambda f: (f / WEIGHTS).unlink(), "weights.safetensors missing; expected a describer as"),
        (lambda f: (f / MANIFEST).unlink(), "describer.yaml missing"),
        (lambda f: (f / MANIFEST).write_text("a: ["), "describer.yaml: is not readable as YAML"),
        (lambda f: (f / MANIFEST).write_text("3"), "describer.yaml: lacks format, licence"),
        (spoil_weights, "weights.safetensors: is not the file that was written; expected SHA-256"),
        (lambda f: change(f, format=1), "describer.yaml: format is 1; expected 2"),
        (
            lambda f: change(f, reader={"latent": 3}),
            "cannot be used (reader: unknown setting 'latent'. Did you mean 'latents'?)",
        ),
        (
            lambda f: change(f, streams={"imu": {"tokens": 3}}),
            "got 3; expected true or false",
        ),
        (lambda f: change(f, streams=["imu"]), "describer.yaml: cannot be used"),
    ],
)
def test_what_is_wrong_is_named(folder, spoil, told):
    spoil(folder)
    with pytest.raises(BundleError) as caught:
        read_folder(folder)
    assert str(folder) in str(caught.value)
    assert told in str(caught.value)
