"""`xmodal experiment`: files from a data set, one line for a mistake."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from xmodal_ros.__main__ import main


def run(capsys, *arguments):
    """Run a command in this process: exit code, standard output, standard error."""
    with pytest.raises(SystemExit) as exit_:
        main(["experiment", *map(str, arguments)])
    written = capsys.readouterr()
    return exit_.value.code or 0, written.out, written.err


@pytest.fixture
def folder(tmp_path):
    """Images in the layout of the ObjectFolder benchmark, two objects in each part."""
    root, rng = tmp_path / "objects", np.random.default_rng(0)
    listed = {"train": [], "val": [], "test": []}
    for number, part in enumerate(("train", "train", "val", "val", "test", "test")):
        for instance in range(2):
            listed[part].append([f"object{number}", str(instance)])
            for sense in ("vision", "touch"):
                path = root / sense / f"object{number}" / f"{instance}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), rng.integers(0, 255, (40, 40, 3), np.uint8))
    (root / "label.json").write_text(json.dumps({f"object{n}": n % 2 for n in range(6)}))
    (root / "split.json").write_text(json.dumps(listed))
    return root


def test_table_and_picture(capsys, folder, small, tmp_path) -> None:
    options = [f"--set={text}" for text in (*small, "encoder.frames=1")]
    places = ["--out", tmp_path / "out", "--results", tmp_path / "results"]
    code, text, _ = run(capsys, "separate", folder, *places, "--seeds=1", "--no-test", *options)
    assert code == 0
    assert "| shared (adapters on the frozen encoder) | " in text
    names = [tmp_path / "results" / f"touch-separate.{s}" for s in ("json", "md", "svg")]
    assert text.split()[-3:] == [str(name) for name in names]
    assert all(name.exists() for name in names)


def test_a_split_that_leaks_is_refused_unless_forced(capsys, folder, small, tmp_path) -> None:
    split = json.loads((folder / "split.json").read_text())
    split["test"].append(split["train"][0])
    (folder / "split.json").write_text(json.dumps(split))
    places = ["--out", tmp_path / "out", "--results", tmp_path / "results"]
    options = [f"--set={text}" for text in (*small, "encoder.frames=1")]
    code, _, err = run(capsys, "speed", folder, *places, *options)
    assert code == 2
    assert "such as 'object0' in test and train" in err
    assert "use this one by --force" in err
    code, _, _ = run(capsys, "speed", folder, *places, *options, "--force")
    assert code == 0
    assert (tmp_path / "results" / "touch-speed.md").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["magic"], "NAME: no experiment 'magic'; expected one of conditioning, encoders"),
        (["transfer"], "transfer: got 1 data sets; expected two, such as CELL SLIP"),
        (["speed", "--set=trunk.magic=1"], "trunk: unknown setting 'magic'"),
        (["speed", "--encoder=nowhere"], "pretrain.json: cannot be read"),
    ],
)
def test_a_mistake_is_told_in_one_line(capsys, folder, tmp_path, arguments, text) -> None:
    name, *options = arguments
    code, _, err = run(capsys, name, folder, "--out", tmp_path, "--results", tmp_path, *options)
    assert code == 2
    assert text in err
