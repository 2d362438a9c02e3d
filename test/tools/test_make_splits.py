"""The split files in the package are what the tool writes."""

from __future__ import annotations

from xmodal_ros.data.splits import FOLDER


def test_the_split_files_can_be_made_again(monkeypatch, repository, shared_data, tmp_path) -> None:
    monkeypatch.syspath_prepend(str(repository / "tools"))
    from make_splits import make_splits

    make_splits(shared_data, tmp_path)
    for path in FOLDER.glob("*.csv"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
