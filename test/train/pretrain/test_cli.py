"""`xmodal pretrain`: files from a data set, one line for a mistake."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from xmodal_ros.__main__ import main


def run(capsys, *arguments):
    """Run a command in this process: exit code, standard output, standard error."""
    with pytest.raises(SystemExit) as exit_:
        main(["pretrain", *map(str, arguments)])
    written = capsys.readouterr()
    return exit_.value.code or 0, written.out, written.err


def test_pretrains_on_a_data_set(capsys, folder, small, tmp_path):
    out = tmp_path / "out"
    options = [f"--set={text}" for text in small]
    code, text, _ = run(capsys, folder, "--kind=objectfolder", "--out", out, *options)
    assert code == 0
    assert "step 6, loss " in text
    assert text.splitlines()[-1] == str(out / "encoder.safetensors")
    assert (out / "encoder.safetensors").exists()


def test_pairs_that_cannot_be_used_are_named_counted_and_not_replaced(
    capsys, folder, small, tmp_path
):
    def spoil(name: str, change) -> None:
        path = str(folder / name)
        cv2.imwrite(path, change(cv2.imread(path)))

    cut = folder / "touch/object0/3.png"
    cut.write_bytes(cut.read_bytes()[:-20])
    spoil("touch/object1/4.png", lambda image: image[..., :1].repeat(3, axis=2))
    spoil("touch/object2/5.png", lambda image: image.astype(np.uint16) * 257)
    spoil("vision/object0/6.png", lambda image: image[..., 0])
    spoil("vision/object1/7.png", lambda image: image[..., :1].repeat(3, axis=2))  # may be grey
    (folder / "vision/object2/8.png").write_bytes(b"")
    out = tmp_path / "out"
    options = [f"--set={override}" for override in small]
    code, text, _ = run(capsys, folder, "--out", out, *options)
    assert code == 0
    for name, why in {
        "touch/object0/3.png": "is cut off",
        "touch/object1/4.png": "grey; expected colour",
        "touch/object2/5.png": "16 bits per channel; expected 8",
        "vision/object0/6.png": "grey; expected colour",
        "vision/object2/8.png": "cannot be decoded",
    }.items():
        assert f"is left out: {folder / name}: {why}" in text
    assert "5 of 24 pairs are left out" in text
    assert len(json.loads((out / "left_out.json").read_text())) == 5
    (folder / "vision/object2/8.png").write_bytes((folder / "vision/object2/2.png").read_bytes())
    _, again, _ = run(capsys, folder, "--out", out, *options)
    assert "5 of 24 pairs are left out" in again  # the run that is there did so


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--set=schedule.batch=25"], "schedule.batch: got 25; expected at most the number of"),
        (["--set=schedule.batch=1"], "schedule.batch: got 1; expected a value from 2"),
        (["--kind=magic"], "unknown kind 'magic'"),
    ],
)
def test_a_mistake_is_told_in_one_line(capsys, folder, small, tmp_path, options, text):
    given = [f"--set={override}" for override in small]
    code, _, err = run(capsys, folder, "--out", tmp_path / "out", *given, *options)
    assert code == 2
    assert text in err
    assert err.count("\n") == 1


def test_a_folder_that_is_not_there_is_told(capsys):
    code, _, err = run(capsys, "nowhere")
    assert code == 2
    assert "nowhere: no such folder" in err
