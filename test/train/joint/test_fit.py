"""Learning a joint space of made-up moments, with and without a fusion."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric

from xmodal_ros.train.joint.captions import caption
from xmodal_ros.train.joint.fit import JointTask
from xmodal_ros.train.joint.measure import recall
from xmodal_ros.train.joint.model import JointSpace
from xmodal_ros.train.joint.moments import Moments
from xmodal_ros.train.joint.run import exported
from xmodal_ros.train.joint.settings import JointSettings, read_overrides
from xmodal_ros.train.learning import learn

COUNT, EACH, WIDTH = 60, 3, 12
SETTINGS = (
    "space.dim=16", "schedule.batch=20", "schedule.steps=120", "schedule.validate_every=40",
    "schedule.learning_rate=0.01", "fusion.heads=2",
)  # fmt: skip


def made() -> Moments:
    """Instances that camera and IMU see through maps of their own; two activities."""
    rng = np.random.default_rng(0)
    instances = np.repeat(np.arange(COUNT), EACH)
    hidden = rng.normal(size=(COUNT, 4))[instances]
    pooled = {
        name: (hidden @ rng.normal(size=(4, WIDTH)) + offset).astype(np.float32)
        for name, offset in (("camera", 2.0), ("imu", -2.0))
    }
    n = len(instances)
    present = {"camera": np.ones(n, bool), "imu": rng.random(n) > 0.2}
    parts = np.where(instances < 45, "train", "validation")
    return Moments(
        names=np.array([f"r{k // 10}@{row}" for row, k in enumerate(instances)]),
        groups=np.array([f"r{k // 10}" for k in instances]),
        parts=parts,
        instances=instances,
        facts={"activity": np.where(hidden[:, 0] > 0, "press", "shake")},
        present=present,
        sensed_ns={name: np.arange(n) for name in present},
        tokens={},
        pooled=pooled,
        looks={},
    )


def task(settings: JointSettings) -> tuple[JointSpace, JointTask, Moments]:
    torch.manual_seed(0)
    moments = made()
    captions = caption(moments.facts)
    texts = np.random.default_rng(1).normal(size=(len(captions.texts), 384)).astype(np.float32)
    model = JointSpace({"camera": WIDTH, "imu": WIDTH}, {s: s for s in moments.present}, settings)
    modalities = {"camera": "camera", "imu": "imu"}
    return model, JointTask(model, moments, captions, texts, modalities, settings), moments


@pytest.mark.parametrize(
    "overrides",
    [
        ("loss.positives=one", "schedule.views=1", "loss.candidates=pair", "fusion.weight=0"),
        ("fusion.balance=gradients",),
        ("loss.infonce=0", "loss.sigmoid=1", "fusion.depth=0", "fusion.balance=uncertainty"),
    ],
)
def test_what_is_of_one_instance_is_found_again(overrides, tmp_path: Path) -> None:
    settings = read_overrides([*SETTINGS, *overrides])
    model, learned, moments = task(settings)
    learn(model, learned, settings.schedule, tmp_path / "checkpoint")
    rows = np.flatnonzero((moments.parts == "validation") & moments.present["imu"])
    with torch.inference_mode():
        camera, imu = (
            model.view(s, torch.from_numpy(moments.pooled[s][rows])).numpy()
            for s in ("camera", "imu")
        )
    same = moments.instances[rows][:, None] == moments.instances[rows]
    found = recall(camera, imu, same)
    assert found["recall@1"] > 5 * found["chance@1"]


def test_only_projections_are_kept() -> None:
    model, _, _ = task(read_overrides(SETTINGS))
    assert {name.partition(".")[0] for name in exported(model)} == {"embed", "text"}


def test_a_ramp_begins_without_the_fusion() -> None:
    settings = read_overrides([*SETTINGS, "fusion.balance=ramp", "space.noise=0"])
    plain = read_overrides([*SETTINGS, "fusion.weight=0", "space.noise=0"])
    fabric, chosen = Fabric(accelerator="cpu", devices=1), np.arange(20)
    losses = []
    for each in (settings, plain):
        model, learned, _ = task(each)
        model.step -= 1  # the first batch is step 1
        torch.manual_seed(3)
        losses.append(learned.loss(chosen, fabric).item())
    assert losses[0] == pytest.approx(losses[1])


def test_a_fused_view_does_not_look_for_what_it_was_given() -> None:
    """All modalities given, one moment each: nothing is left to be found."""
    settings = read_overrides([*SETTINGS, "fusion.dropout=0", "schedule.views=1"])
    _, learned, _ = task(settings)
    fabric = Fabric(accelerator="cpu", devices=1)
    drawn = learned._draw(np.arange(20), np.random.default_rng(0), fabric, noisy=False)
    assert learned._fused(drawn).item() == 0
