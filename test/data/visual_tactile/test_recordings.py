"""Recordings as data sets: labels from topics and from the sidecar, splits, the simulated cell."""

from __future__ import annotations

import json

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.splits import write_split
from xmodal_ros.data.visual_tactile import open_dataset, read_dataset

WOOD_THEN_FELT = [(0, "material", "wood"), (3, "material", ""), (5, "material", "felt")]


def labels_of(data, head: str) -> list[str]:
    return [example.labels.get(head, "") for example in data.examples]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_gel_images_with_the_nearest_camera_image(tmp_path, record, scene, gel, storage) -> None:
    record(tmp_path / "run", storage=storage, labels=WOOD_THEN_FELT)
    data = open_dataset(tmp_path)
    assert (data.kind, data.split, data.problems) == ("recordings", "disjoint", ())
    assert labels_of(data, "material") == ["wood"] * 3 + [""] * 2 + ["felt"] * 3
    assert {example.group for example in data.examples} == {"run"}
    for k in (0, 5):
        images = data.load(data.examples[k])
        assert images.keys() == {"camera", "tactile_left"}
        np.testing.assert_array_equal(images["camera"], [scene(k)])
        np.testing.assert_array_equal(images["tactile_left"], [gel(k)])


def test_single_files_without_metadata(tmp_path, record, gel) -> None:
    run = record(tmp_path / "run")
    (run / "metadata.yaml").unlink()
    data = open_dataset(tmp_path)
    assert data.examples[0].name.startswith("run/run.mcap@")
    np.testing.assert_array_equal(data.load(data.examples[7])["tactile_left"], [gel(7)])


def test_the_sidecar_replaces_the_topic_of_its_heads(tmp_path, record, stamp_s) -> None:
    record(tmp_path / "run", labels=[*WOOD_THEN_FELT, (0, "grasp", "fail")])
    (tmp_path / "labels.csv").write_text(
        "recording,start_s,end_s,head,label\n"
        f"run,{stamp_s(1)},{stamp_s(3)},material,cork\n"
        f"run,{stamp_s(6)},{stamp_s(9)},roughness,rough\n"
    )
    data = open_dataset(tmp_path)
    assert labels_of(data, "material") == ["", "cork", "cork", "", "", "", "", ""]
    assert labels_of(data, "roughness") == [""] * 6 + ["rough"] * 2
    assert labels_of(data, "grasp") == ["fail"] * 8


def test_rows_of_the_sidecar_that_cannot_be_are_named(tmp_path, record) -> None:
    record(tmp_path / "run")
    (tmp_path / "labels.csv").write_text(
        "recording,start_s,end_s,head,label\n"
        "walk,1,2,grasp,fail\n"
        "run,one,2,grasp,fail\n"
        "run,2,1,grasp,fail\n"
        "run,1,2,Grasp,fail\n"
        "run,1,3,grasp,fail\n"
        "run,2,4,grasp,success\n"
    )
    file = tmp_path / "labels.csv"
    assert [str(problem) for problem in read_dataset(tmp_path).problems] == [
        f"missing: {file}, line 2: no recording 'walk'",
        f"label: {file}, line 3: got start_s 'one' and end_s '2'; expected seconds",
        f"label: {file}, line 4: got 2 to 1; expected start_s < end_s",
        f"label: {file}, line 5: got head 'Grasp', label 'fail'; expected names",
        f"label: {file}: grasp is both fail and success for a time in {tmp_path / 'run'}",
        f"missing: {tmp_path / 'run'}: no gel image has the stamp of a time that is labelled",
    ]


def test_a_sidecar_without_a_column(tmp_path, record) -> None:
    record(tmp_path / "run")
    (tmp_path / "labels.csv").write_text("recording,head,label\n")
    with pytest.raises(DataError, match=r"labels\.csv: no column start_s, end_s; expected"):
        open_dataset(tmp_path)


def test_a_camera_that_is_never_near_is_named(tmp_path, record) -> None:
    record(tmp_path / "run", camera_late_ns=100_000_000)
    data = read_dataset(tmp_path)
    (problem,) = data.problems
    assert problem.kind == "missing"
    assert problem.what == "8 of 8 gel images have no image of 'camera' near enough"
    assert all(example.streams.keys() == {"tactile_left"} for example in data.examples)


def test_a_recording_that_cannot_be_read_is_named(tmp_path, record) -> None:
    record(tmp_path / "good")
    (tmp_path / "bad.mcap").write_bytes(b"rubbish")
    data = read_dataset(tmp_path)
    assert [(p.kind, p.where) for p in data.problems] == [
        ("unreadable", str(tmp_path / "bad.mcap"))
    ]
    assert len(data.examples) == 8


def test_streams_are_named_in_settings(tmp_path, record) -> None:
    record(tmp_path / "run")
    (tmp_path / "settings.yaml").write_text(
        "streams:\n  palm: {modality: tactile, topic: /tactile_left/image_raw}\n"
    )
    data = open_dataset(tmp_path)
    assert all(example.streams.keys() == {"palm"} for example in data.examples)


@pytest.fixture
def cell(tmp_path, record):
    """Two episodes of the simulated cell: wood in train, felt in test."""
    episodes = []
    for k, (material, hardness, ra_m) in enumerate([("wood", 10.0, 2e-5), ("felt", 6.1, 5e-5)]):
        name = f"episode_{k:06d}"
        record(tmp_path / name, seed=100 * k, labels=[(2, "material", material)])
        thing = {"id": f"ball-{k}", "material": material, "texture": f"{material}-{k}"}
        thing |= {"hardness": hardness, "roughness_m": ra_m}
        facts = {"textures": [thing["texture"]], "gel_units": [f"unit-{k}"]}
        episodes.append({"name": name, "objects": [thing], **facts})
    write_cell(tmp_path, episodes)
    return tmp_path, episodes


def write_cell(root, episodes) -> None:
    (root / "dataset.json").write_text(json.dumps({"episodes": episodes}))
    files = [f"{e['name']}/{e['name']}.mcap" for e in episodes]
    rows = zip(files, (e["name"] for e in episodes), ("train", "test"), strict=True)
    write_split(root / "split.csv", root, rows)


def test_the_cell_knows_hardness_and_roughness_of_what_is_touched(cell) -> None:
    data = open_dataset(cell[0])
    assert (data.kind, data.split, data.problems) == ("simulated_cell", "official", ())
    train, test = data.part("train"), data.part("test")
    assert dict(train[0].labels) == {}
    wood = {"material": "wood", "hardness": "hard", "roughness": "smooth"}
    assert dict(train[2].labels) == wood
    assert dict(test[7].labels) == {"material": "felt", "hardness": "soft", "roughness": "rough"}


def test_objects_that_differ_in_roughness_leave_it_open(cell) -> None:
    root, episodes = cell
    (thing,) = episodes[0]["objects"]
    episodes[0]["objects"].append({**thing, "id": "box-7", "roughness_m": 9e-5})
    write_cell(root, episodes)
    assert dict(open_dataset(root).part("train")[2].labels) == {
        "material": "wood", "hardness": "hard",
    }  # fmt: skip


def test_what_episodes_of_two_parts_share_is_a_leak(cell) -> None:
    root, episodes = cell
    episodes[1]["gel_units"] = episodes[0]["gel_units"]
    write_cell(root, episodes)
    (problem,) = read_dataset(root).problems
    assert str(problem) == f"leak: {root / 'split.csv'}: unit-0 is in test and train"


def test_a_leaking_split_file_is_refused_unless_forced(cell, caplog) -> None:
    root, _ = cell
    text = (root / "split.csv").read_text()
    (root / "split.csv").write_text(text.replace(",episode_000001,", ",episode_000000,"))
    with pytest.raises(DataError, match="'episode_000000' in test and train; expected every obj"):
        open_dataset(root)
    assert len(open_dataset(root, force=True).examples) == 16
    assert "leaks" in caplog.text
    assert len(open_dataset(root, split="disjoint").part("train")) == 16


def test_a_row_of_the_sidecar_within_another(tmp_path, record, stamp_s) -> None:
    record(tmp_path / "run")
    (tmp_path / "labels.csv").write_text(
        "recording,start_s,end_s,head,label\n"
        f"run,{stamp_s(0)},{stamp_s(8)},grasp,fail\n"
        f"run,{stamp_s(1)},{stamp_s(2)},grasp,fail\n"
    )
    assert labels_of(open_dataset(tmp_path), "grasp") == ["fail"] * 8


def test_a_recording_without_a_gel_is_named(tmp_path, record) -> None:
    record(tmp_path / "run")
    (tmp_path / "settings.yaml").write_text("streams:\n  tactile_left: {topic: /palm}\n")
    (problem,) = read_dataset(tmp_path).problems
    assert str(problem).startswith(
        f"unreadable: {tmp_path / 'run'}: no topic '/palm' of stream 'tactile_left' (the anchor)"
    )
    (tmp_path / "settings.yaml").write_text("streams:\n  camera: {}\n")
    (problem,) = read_dataset(tmp_path).problems
    assert problem.what == "no stream of the settings is tactile"


def test_the_cell_without_its_split_file(cell) -> None:
    root, _ = cell
    (root / "split.csv").unlink()
    data = open_dataset(root)
    assert data.split == "disjoint"
    assert sorted(data.classes("hardness")) == ["hard", "soft"]


def test_of_a_recording_that_was_cut_the_whole_part_is_used(tmp_path, record, gel) -> None:
    run = record(tmp_path / "run")
    file = run / "run.mcap"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    data = read_dataset(tmp_path)
    (problem,) = data.problems
    assert (problem.kind, problem.where) == ("unreadable", str(run))
    assert 1 <= len(data.examples) < 8
    for k, example in enumerate(data.examples):
        np.testing.assert_array_equal(data.load(example)["tactile_left"], [gel(k)])


def test_labels_of_another_time_are_named(tmp_path, record) -> None:
    record(tmp_path / "run")
    (tmp_path / "labels.csv").write_text(
        "recording,start_s,end_s,head,label\nrun,12.5,14,grasp,fail\n"
    )
    (problem,) = read_dataset(tmp_path).problems
    assert problem.what == "no gel image has the stamp of a time that is labelled"


def test_clips_of_gels_reach_back_in_time(tmp_path, record, scene, gel) -> None:
    record(tmp_path / "run", labels=WOOD_THEN_FELT)
    data = open_dataset(tmp_path, history_s=0.6)
    first, later = data.examples[0], data.examples[5]
    assert (len(first.streams["tactile_left"]), len(first.streams["camera"])) == (1, 1)
    images = data.load(later)
    np.testing.assert_array_equal(images["tactile_left"], [gel(3), gel(4), gel(5)])
    np.testing.assert_array_equal(images["camera"], [scene(5)])
    assert later.rates == {"tactile_left": pytest.approx(4.0)}
    assert open_dataset(tmp_path).examples[5].rates == {}
