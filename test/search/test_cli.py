"""`xmodal index` and `xmodal find` from the command line."""

import json
import re

import pytest

from xmodal_ros.__main__ import main


def run(capsys, *arguments):
    """Run a command in this process: exit code, standard output, standard error."""
    with pytest.raises(SystemExit) as exit_:
        main([str(a) for a in arguments])
    written = capsys.readouterr()
    return exit_.value.code or 0, written.out, written.err


@pytest.fixture
def index(capsys, shared_bundle, small_recording, tmp_path):
    code, out, _ = run(
        capsys, "index", small_recording, "--out", tmp_path / "index", "--every", "0.5",
        "--bundle", shared_bundle, "--set", "inference.backend=torch",
    )  # fmt: skip
    assert code == 0
    assert "1 recordings added with 6 moments, 0 were known, 0 have problems" in out
    return tmp_path / "index"


def test_an_index_is_made_and_searched(capsys, index, small_recording, tmp_path):
    page = tmp_path / "page.html"
    code, out, _ = run(
        capsys, "find", index, "--like", f"{small_recording}@1.02", "--apart", "0",
        "--count", "4", "--out", page, "--json",
    )  # fmt: skip
    assert code == 0
    found = json.loads(out)
    assert found["stream"] == "camera"
    assert len(found["hits"]) == 4
    assert found["hits"][0]["similarity"] > 0.99
    assert found["hits"][0]["answers"]["material"]["label"] in ("wood", "metal", "fabric")
    text = page.read_text()
    assert len(re.findall(r'<img[^>]* src="data:image/jpeg;base64,', text)) == 5
    assert f"{found['hits'][0]['time_s']:.2f} s" in text
    assert "://" not in text
    code, out, _ = run(capsys, "find", index, "--like", f"{small_recording}@1.02")
    assert code == 0
    assert "moments nearest to this 'camera'" in out
    assert "material" in out


def test_words_find_moments(capsys, words_bundle, small_recording, tmp_path):
    code, *_ = run(
        capsys, "index", small_recording, "--out", tmp_path, "--every", "0.5",
        "--bundle", words_bundle, "--set", "inference.backend=torch",
    )  # fmt: skip
    assert code == 0
    page = tmp_path / "page.html"
    code, out, _ = run(capsys, "find", tmp_path, "--text", "touching cork", "--out", page)
    assert code == 0
    assert "2 moments nearest to these words" in out
    text = page.read_text()
    assert "<h1>text touching cork</h1>" in text
    assert "nearest to these words, by cosine" in text
    assert len(re.findall(r'<img[^>]* src="data:image/jpeg;base64,', text)) == 2


def test_recordings_that_cannot_be_read_are_told_by_the_exit_code(
    capsys, index, shared_bundle, small_recording
):
    code, out, _ = run(
        capsys, "index", small_recording, "nowhere", "--out", index, "--every", "0.5",
        "--bundle", shared_bundle, "--set", "inference.backend=torch",
    )  # fmt: skip
    assert code == 1
    assert "problem: nowhere: no such recording" in out
    assert "0 recordings added with 0 moments, 1 were known, 1 have problems" in out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "xmodal find: got nothing to look for; expected one of --image, --touch, --like"),
        (["--image", "a", "--text", "b"], "xmodal find: got --image, --text; expected one of"),
        (["--like", "recording"], "--like: got 'recording'; expected RECORDING@SECONDS"),
        (["--like", "a@b"], "--like: got 'a@b'; expected RECORDING@SECONDS"),
        (["--image", "a.png", "--where", "wood"], "--where: got 'wood'; expected HEAD=LABEL"),
        (
            ["--text", "soft", "--stream", "camera"],
            "--stream: got 'camera' with --text. Words are",
        ),
        (["--text", "soft"], "shared: has no text encoder, so words cannot be compared with"),
        (["--image", "nowhere.png"], "nowhere.png: there is no such file"),
    ],
)
def test_a_mistake_is_told_in_one_line(capsys, index, arguments, text):
    code, _, err = run(capsys, "find", index, *arguments)
    assert code == 2
    assert text in err
    assert len(err.strip().splitlines()) == 1


def test_no_index_and_another_bundle_are_told(capsys, index, tiny_bundle, tmp_path):
    code, _, err = run(capsys, "find", tmp_path / "none", "--text", "soft")
    assert code == 2
    assert "there is no index. Make one: `xmodal index`" in err
    code, _, err = run(capsys, "find", index, "--image", "a.png", "--bundle", tiny_bundle)
    assert code == 2
    assert "was made with bundle 'shared'" in err
    assert "not with 'tiny'" in err
