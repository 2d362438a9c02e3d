"""The tools that write tables and the bundle: what the bundle says is what was trained."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from xmodal_ros.core.range_image import gather
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.runtime.points import label_points
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.train.lidar.examples import LabelledScans
from xmodal_ros.train.lidar.segment import FINETUNE, train_segmenter


@pytest.fixture
def tools(monkeypatch, repository):
    monkeypatch.syspath_prepend(str(repository / "tools"))


def test_the_bundle_says_of_points_what_the_run_says(
    tools, drive, settings, run, cache, quiet, tmp_path
):
    import release_lidar

    scans = LabelledScans(drive, settings, cache, quiet)
    short = dataclasses.replace(settings.schedule, steps=2)
    made = train_segmenter(
        scans, tmp_path / "run", settings.lidar, short,
        encoder=run.folder / "encoder.safetensors", mode=FINETUNE, share=1.0,
    )  # fmt: skip
    logits, labels = release_lidar.validation_points(made, scans)
    assert logits.shape == (len(labels), len(drive.classes))
    facts = {"scans": {"train": 6}, "scores": {}}
    bundle = release_lidar.write(made, 1.3, facts, "drive", tmp_path / "lidar")
    observation = release_lidar.observations(drive)[0]
    inference = InferenceSettings(backend="torch", device="cpu", precision="fp32", threads=1)
    with Predictor(bundle, inference) as predictor:
        predictor.predict(observation)
        found = label_points(predictor.encoded["lidar"], bundle.labelled["lidar"])
    frame = scans.frame(scans.indices("test")[0])
    with torch.inference_mode():
        expected = made.model(torch.from_numpy(frame.scan)[None])[0]
    best = expected.topk(2, dim=2)
    clear = best.values[..., 0] - best.values[..., 1] > 1e-3  # not rounding's to decide
    points = (frame.pixels >= 0) & gather(clear.numpy().reshape(-1), frame.pixels)
    assert points.mean() > 0.5
    classes = gather(best.indices[..., 0].numpy().reshape(-1), frame.pixels)
    np.testing.assert_array_equal(found.labels[points], classes[points])


def test_the_card_has_scores_and_the_tables_of_the_study(tools, tmp_path):
    import release_lidar

    iou = {"table": 0.9, "person": 0.75}
    scores = {"points": {"miou": 0.825}, "iou": iou}
    made = {
        "objectives": ["contrast", "codes"],
        "scans": {"validation": 3, "test": 4},
        "scores": {"validation": scores, "test": scores},
    }
    (tmp_path / "lidar-shares.md").write_text("# lidar-shares\n\n![x](x.svg)\n\n| a |\n|---|\n")
    text = release_lidar.card(made, tmp_path)
    assert "| test | 4 | 0.825 | 0.900 | 0.750 |" in text
    assert "pretrained by contrast, codes (CMCR" in text
    assert "| a |" in text
    assert "![x]" not in text
    assert "Not measured." in text
    assert "<" not in text.replace("<stream>", "")


def test_the_study_writes_all_tables(tools, root, settings, monkeypatch, tmp_path):
    import lidar_study
    import typer

    plain = dataclasses.asdict(settings)
    small = [f"{g}.{n}={v}" for g, values in plain.items() for n, v in values.items()]
    monkeypatch.setattr(
        lidar_study,
        "RECIPE",
        [t for t in small if not t.startswith("loss.")] + ["schedule.steps=2"],
    )
    monkeypatch.setattr(lidar_study, "SEGMENTING", ("schedule.steps=2", "schedule.batch=2"))
    kept = {n: lidar_study.RECIPES[n] for n in ("contrast", "joint")}
    for name, value in (("RECIPES", kept), ("COMPARED", tuple(kept)), ("SHARES", (1.0,))):
        monkeypatch.setattr(lidar_study, name, value)
    app = typer.Typer()
    app.command()(lidar_study.study)
    results = tmp_path / "results"
    done = CliRunner().invoke(
        app, [str(root), str(root), "--seeds", "1", "--encoder", "random",
              "--out", str(tmp_path / "out"), "--results", str(results)],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    for name in ("shares", "ablation", "retrieval"):
        found = json.loads((results / f"lidar-{name}.json").read_text())
        text = (results / f"lidar-{name}.md").read_text()
        assert all(row["variant"] in text for row in found["rows"] + found["retrieval"])
        assert (results / f"lidar-{name}.svg").exists()
