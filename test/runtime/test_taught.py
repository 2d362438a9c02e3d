"""The file of taught materials."""

import resource
from contextlib import contextmanager

import numpy as np
import pytest

from xmodal_ros.core.errors import BundleError, DataError
from xmodal_ros.runtime.taught import BadName, Material, NotSaved, TaughtFile, clean_name

NAMES = [
    "cork",
    "Kork, naß",
    "軟木",
    "कॉर्क",
    "\u0645\u06cc\u200c\u0631\u0648\u062f",
    "🪵",
    "a'b\"\\",
]


@pytest.fixture
def file(tmp_path):
    return TaughtFile(tmp_path / "deep" / "taught.safetensors", "touch", "ab" * 32, 8)


def materials(*names):
    rng = np.random.default_rng(0)
    return [
        Material(name, rng.normal(size=(1 + i, 8)).astype(np.float32))
        for i, name in enumerate(names)
    ]


@contextmanager
def full_disk():
    """No file of this process can grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_was_written_is_read(file):
    assert file.read() == ()
    written = materials(*NAMES)
    file.write(written)
    found = file.read()
    assert [m.name for m in found] == NAMES
    for before, after in zip(written, found, strict=True):
        np.testing.assert_array_equal(before.touches, after.touches)
    file.write([])
    assert file.read() == ()


def test_a_full_disk_leaves_what_was_there(file):
    file.write(materials("cork"))
    before = file.path.read_bytes()
    with full_disk(), pytest.raises(NotSaved, match=r"cannot be written \(.*Make room") as error:
        file.write(materials("cork", "amber"))
    assert error.value.where == str(file.path)
    assert file.path.read_bytes() == before
    assert list(file.path.parent.iterdir()) == [file.path]


def test_a_folder_that_is_a_file(file):
    file.path.parent.write_text("")
    with pytest.raises(NotSaved, match="cannot be written"):
        file.write(materials("cork"))


def test_another_bundle_is_refused(file):
    file.write(materials("cork"))
    other = TaughtFile(file.path, "better", "cd" * 32, 8)
    with pytest.raises(
        BundleError,
        match="was taught to bundle 'touch', or to other weights of it; "
        "expected bundle 'better', weights cdcdcdcdcdcd",
    ):
        other.read()


@pytest.mark.parametrize("content", [b"", b"\x10" * 7, b"\xff" * 100])
def test_a_damaged_file_is_refused(file, content):
    file.path.parent.mkdir()
    file.path.write_bytes(content)
    with pytest.raises(DataError, match=r"is not a whole file of taught materials .* Remove it"):
        file.read()


def test_features_of_another_size_are_refused(file):
    file.write([Material("cork", np.zeros((2, 9), np.float32))])
    with pytest.raises(DataError, match=r"the touches of 'cork' are \(2, 9\)"):
        file.read()


@pytest.mark.parametrize("name", NAMES)
def test_names_in_any_script(name):
    assert clean_name(f" {name}\n") == name


def test_names_are_compared_in_their_normal_form():
    assert clean_name("Ka\u0308se") == clean_name("K\u00e4se") == "K\u00e4se"


@pytest.mark.parametrize("name", ["", " \t", "a\nb", "\u200d", "\x00", "x" * 65, "\ud800"])
def test_names_that_cannot_be(name):
    with pytest.raises(BadName, match=r"^name: got .* expected 1 to 64 printable characters"):
        clean_name(name)
