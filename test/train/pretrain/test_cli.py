"""`xmodal pretrain`: files from a data set, one line for a mistake."""

from __future__ import annotations

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
