"""Files are whole or not there; a failure says what to do."""

from __future__ import annotations

import os
import resource

import pytest
import torch

from xmodal_ros.core.errors import DataError
from xmodal_ros.train.pretrain.files import load_tensors, save_tensors


def test_what_is_saved_is_loaded(tmp_path):
    path = tmp_path / "new" / "a.safetensors"
    tensors = {"x": torch.arange(6.0).view(2, 3), "step": torch.tensor(3), "t": torch.eye(3).T}
    save_tensors(path, tensors, {"step": "3"})
    found, facts = load_tensors(path)
    assert facts == {"step": "3"}
    torch.testing.assert_close(found, tensors)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_others_may_read_a_file_as_far_as_the_umask_allows(tmp_path):
    path = tmp_path / "a.safetensors"
    before = os.umask(0o022)
    try:
        save_tensors(path, {"x": torch.zeros(3)}, {})
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644


def test_no_room_is_told_and_the_old_file_stays(tmp_path):
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"x": torch.zeros(3)}, {})
    # A limit of file size makes writing fail half way, as a full disk does.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(DataError) as caught:
            save_tensors(path, {"x": torch.ones(250_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    told = str(caught.value)
    assert str(path) in told
    assert "cannot be written (" in told
    assert "it needs 1.0 MB" in told
    assert "MB are free" in told
    assert "Make room and run the same command again: it continues." in told
    assert "The file that was there before is kept." in told
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    torch.testing.assert_close(load_tensors(path)[0]["x"], torch.zeros(3))


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be written"):
        save_tensors(tmp_path / "file" / "a.safetensors", {"x": torch.zeros(3)}, {})


def test_a_damaged_file_is_told(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"a\.safetensors: cannot be read .* whole safetensors"):
        load_tensors(path)
