"""The `xmodal language` commands: one line for a mistake, an answer for a question."""

import pytest

from xmodal_ros.__main__ import main


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        main([str(a) for a in arguments])
    written = capsys.readouterr()
    return exit_.value.code or 0, written.out, written.err


def test_a_recording_is_asked_about(capsys, tiny_describer, small_recording):
    code, out, _ = run(
        capsys, "language", "ask", tiny_describer, small_recording, "what is it?", "--at", "1.5",
        "--set", "language.max_tokens=5",
    )  # fmt: skip
    assert code == 0
    assert "from camera, imu, 5 tokens in" in out
    assert "ended by length" in out


def test_a_time_after_the_recording(capsys, tiny_describer, small_recording):
    code, _, error = run(
        capsys, "language", "ask", tiny_describer, small_recording, "what?", "--at", "60"
    )
    assert code == 2
    assert "has no set of" in error
    assert "60 s after the first one" in error


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["no-such-folder"], "no-such-folder: there is no such folder; expected a data set"),
        (["x", "--set", "schedule.stepps=3"], "Did you mean 'steps'?"),
        (["x", "--set", "decoder.width=1"], "decoder.width: got 1; expected a value from 16"),
    ],
)
def test_mistakes_are_told_before_anything_is_done(capsys, arguments, told):
    code, _, error = run(capsys, "language", "train", *arguments)
    assert code == 2
    assert told in " ".join(error.split())
