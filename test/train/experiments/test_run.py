"""Every experiment, end to end on a small data set, with three steps per run."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.train.experiments import laboratory
from xmodal_ros.train.experiments.cost import ROUNDS
from xmodal_ros.train.experiments.run import run_experiment

NOISY = [f"{which} noisy, {n}" for which in ("camera", "touch", "both") for n in (10, 25, 50)]
FUSIONS = [
    "CEC, patch tokens", "CEC, pooled",
    "CEC off (mean of tokens)", "concatenation",
    "self-attention, after VTFSA",
]  # fmt: skip
BASELINES = [
    "majority", "colour only", "colour only, normalized as for the networks",
    "5 nearest neighbours, frozen features", "linear probe, frozen features",
]  # fmt: skip
ROWS = {
    "conditioning": [*FUSIONS, "camera alone", "touch alone", *BASELINES],
    "encoders": ["not pretrained on pairs: random", "random"],
    "separate": [
        "shared (adapters on the frozen encoder)", "separate (a second encoder learns)"
    ],
    "sizes": [f"attention heads: {n}" for n in (1, 2, 4, 8, 16)]
    + [f"width: {n}" for n in (64, 128, 256)],
    "robustness": [
        f"{variant}: {condition}"
        for variant in ("modality dropout 0.15", "no modality dropout")
        for condition in ("all there", "no camera", "no touch", *NOISY)
    ],
}  # fmt: skip


@pytest.fixture
def perform(tmp_path, small):
    """Run an experiment in the test's folder; gives what the JSON file and the page say."""

    def run(name, data, **options):
        options = {"seeds": 1, **options}
        paths = run_experiment(name, data, tmp_path / "out", tmp_path / "res", small, **options)
        other = options.get("test_data")
        stem = f"touch-{name}-on-{other.root.name}" if other else f"touch-{name}"
        assert [p.name for p in paths] == [f"{stem}{s}" for s in (".json", ".md", ".svg")]
        ElementTree.fromstring(paths[2].read_text())
        return json.loads(paths[0].read_text()), paths[1].read_text()

    return run


def labels(found) -> list[str]:
    return [": ".join(filter(None, (r["variant"], r["condition"]))) for r in found["rows"]]


@pytest.mark.parametrize("name", ROWS)
def test_every_row_is_there(name, data, perform) -> None:
    found, page = perform(name, [data])
    assert labels(found) == ROWS[name]
    for part in ("test", "validation"):
        (table,) = (b for b in page.split("## ") if b.startswith(f"{part.capitalize()} part"))
        for row in ROWS[name]:
            assert f"\n| {row} | " in table
    for row in found["rows"]:
        (seed,) = row["seeds"]
        for part in ("test", "validation"):
            assert {head: s["count"] for head, s in seed[part].items()} == dict.fromkeys(
                ("material", "grasp"), 8
            )
    for facts in found["variants"].values():
        assert 0 < facts["parameters"]["trained"] < facts["parameters"]["all"]
        assert facts["milliseconds"]["encoders"] > 0


def test_seeds_and_their_spread(data, perform) -> None:
    found, page = perform("separate", [data], seeds=2)
    assert [s["seed"] for s in found["rows"][0]["seeds"]] == [0, 1]
    accuracies = [s["test"]["material"]["accuracy"] for s in found["rows"][0]["seeds"]]
    mean, half = sum(accuracies) / 2, abs(accuracies[0] - accuracies[1]) / 2
    assert f"| {ROWS['separate'][0]} | {mean:.3f} ± {half:.3f} |" in page
    first, other = (
        [s["test"]["material"]["accuracy"] for s in row["seeds"]] for row in found["rows"]
    )
    difference = found["rows"][1]["difference"]["test"]["material"]
    assert difference["mean"] == pytest.approx(np.mean(other) - np.mean(first))
    assert found["rows"][0]["together"]["test"]["material"]["count"] == 8
    assert "All seeds together" in page


def test_transfer_between_two_data_sets(data, gels, perform) -> None:
    found, page = perform("transfer", [data, gels])
    first, second = data.root.name, gels.root.name
    assert labels(found) == [
        f"trained on {first}: asked about {first}",
        f"trained on {first}: asked about {second}",
        f"trained on {first}: asked about {second}, adapted",
        f"trained on {second}: asked about {second}",
        f"trained on {second}: asked about {first}",
        f"trained on {second}: asked about {first}, adapted",
        f"trained on both: asked about {first}",
        f"trained on both: asked about {second}",
    ]
    assert "Streams: tactile_left, tactile_right." in page
    for row in found["rows"]:
        assert set(row["seeds"][0]["test"]) == {"grasp"}
    plain, adapted = (row["seeds"][0]["test"]["grasp"] for row in found["rows"][1:3])
    assert plain["nll"] != adapted["nll"]


def test_another_data_set_is_the_test_part(data, gels, perform, monkeypatch) -> None:
    own, _ = perform("conditioning", [data])
    monkeypatch.setattr(laboratory, "train_touch", read_back(laboratory.train_touch))
    copied = dataclasses.replace(data, root=data.root / "copy", examples=data.part("test"))
    same, _ = perform("conditioning", [data], test_data=copied)
    found, page = perform("conditioning", [data], test_data=gels)
    assert labels(found) == labels(same) == labels(own)
    for row, again, before in zip(found["rows"], same["rows"], own["rows"], strict=True):
        (seed,), (repeated,), (was,) = row["seeds"], again["seeds"], before["seeds"]
        assert seed["validation"] == repeated["validation"] == was["validation"]
        assert repeated["test"] == was["test"]
        if row["variant"] == "camera alone":  # of which the gels' data set has nothing
            assert "test" not in seed
        else:  # all parts of it
            assert seed["test"]["material"]["count"] == len(gels.examples)
    assert "\n| camera alone |  |" in page


def read_back(train):
    """Training that only reads finished runs."""

    def run(chosen, folder, *rest, **options):
        assert (folder / "run.json").exists()
        return train(chosen, folder, *rest, **options)

    return run


def test_a_test_data_set_that_cannot_be_asked_about(data, gels, perform) -> None:
    with pytest.raises(DataError, match=r"--test-data .*: is trained on; expected another data"):
        perform("sizes", [data], test_data=data)
    for name, roots, options in (
        ("speed", [data], {}),
        ("transfer", [data, gels], {}),
        ("sizes", [data], {"test": False}),
    ):
        other = dataclasses.replace(gels, root=gels.root.parent / "third")
        with pytest.raises(SettingsError, match=r"nothing would be asked about it; .* Leave it"):
            perform(name, roots, test_data=other, **options)
    strange = [
        dataclasses.replace(e, streams={"tactile": e.streams["camera"]}) for e in data.examples
    ]
    other = dataclasses.replace(data, root=data.root / "other", examples=tuple(strange))
    with pytest.raises(DataError, match=r"no example has a label and a stream .* some of camera,"):
        perform("sizes", [data], test_data=other)
    felt = [dataclasses.replace(e, labels={"material": "felt"}) for e in data.examples]
    other = dataclasses.replace(other, examples=tuple(felt))
    with pytest.raises(DataError, match="material 'felt' is no class that was trained on"):
        perform("sizes", [data], test_data=other)


def test_speed_trains_nothing(data, perform, monkeypatch) -> None:
    monkeypatch.setattr(laboratory, "train_touch", None)
    found, page = perform("speed", [data])
    assert found["rows"] == []
    assert "\n| separate (a second encoder learns) | " in page
    assert f"the fastest of {ROUNDS}" in page
    assert "## Test part" not in page


def test_the_test_part_is_read_only_if_asked_for(data, perform, monkeypatch) -> None:
    parts = []
    ask = laboratory.ask

    def asked(run, examples, *rest):
        parts.extend(examples)
        return ask(run, examples, *rest)

    monkeypatch.setattr(laboratory, "ask", asked)
    found, page = perform("separate", [data], test=False)
    assert set(parts) == {"validation"}
    assert found["parts"] == ["validation"]
    assert "## Test part" not in page
    assert "test" not in found["rows"][0]["seeds"][0]


def test_a_killed_experiment_continues(data, perform, monkeypatch) -> None:
    train, trained = laboratory.train_touch, []

    def killed(chosen, folder, *rest, **options):
        if trained:
            raise KeyboardInterrupt
        trained.append(folder)
        return train(chosen, folder, *rest, **options)

    monkeypatch.setattr(laboratory, "train_touch", killed)
    with pytest.raises(KeyboardInterrupt):
        perform("separate", [data])
    monkeypatch.undo()
    (folder,) = trained
    weights = folder / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    found, _ = perform("separate", [data])
    assert weights.stat().st_mtime_ns == before
    assert found["rows"][0]["seeds"][0]["run"] == folder.name
    assert labels(found) == ROWS["separate"]


def test_equal_runs_of_two_experiments_are_trained_once(data, perform, tmp_path) -> None:
    perform("separate", [data])
    before = set((tmp_path / "out" / "runs").iterdir())
    found, _ = perform("robustness", [data])
    assert found["rows"][0]["seeds"][0]["run"] in {folder.name for folder in before}


def test_an_encoder_that_training_changed_stops_the_experiment(data, perform, monkeypatch) -> None:
    train = laboratory.train_touch

    def changed(*arguments, **options):
        run = train(*arguments, **options)
        run.record["encoder_sha256_after"] = {"camera": "another"}
        return run

    monkeypatch.setattr(laboratory, "train_touch", changed)
    with pytest.raises(DataError, match="training has changed the frozen encoder"):
        perform("separate", [data])


def test_an_unknown_name_is_told_the_known_ones(data, perform) -> None:
    known = "conditioning, encoders, separate, sizes, robustness, transfer, speed"
    with pytest.raises(SettingsError, match=f"NAME: no experiment 'magic'; .* one of {known}"):
        perform("magic", [data])


def test_one_sense_has_no_row_alone_and_none_missing(gels, perform) -> None:
    found, _ = perform("robustness", [gels], test=False)
    assert [row["condition"] for row in found["rows"]][:4] == [
        "all there", "touch noisy, 10", "touch noisy, 25", "touch noisy, 50"
    ]  # fmt: skip
    assert "touch alone" not in perform("conditioning", [gels], test=False)[0]["variants"]


def test_transfer_wants_two_data_sets(data, perform) -> None:
    with pytest.raises(DataError, match="transfer: got 1 data sets; expected two"):
        perform("transfer", [data])


def test_an_encoder_file_is_no_setting_of_all(data, tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"encoder\.weights: .* Name it by --encoder"):
        run_experiment("sizes", [data], tmp_path, tmp_path, ["encoder.weights=some.safetensors"])
