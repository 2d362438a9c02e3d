from __future__ import annotations

import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.train.touch.settings import TouchSettings, read_overrides


def test_overrides_change_what_they_name_and_nothing_else() -> None:
    base = read_overrides(["schedule.steps=7", "trunk.fusion=mean"])
    made = read_overrides(["heads.names=material,grasp", "schedule.seed=3"], base)
    assert made.heads.names == ("material", "grasp")
    assert (made.schedule.steps, made.schedule.seed, made.trunk.fusion) == (7, 3, "mean")
    assert made.encoder == TouchSettings().encoder


def test_the_architecture_has_a_branch_for_cameras_and_one_for_gels() -> None:
    heads = {"material": ("steel", "wood")}
    made = TouchSettings().architecture(("camera", "tactile_left", "tactile_right"), heads)
    assert made["streams"] == {"camera": "camera", "tactile_left": "gel", "tactile_right": "gel"}
    assert set(made["branches"]) == {"camera", "gel"}
    assert made["heads"]["material"]["classes"] == 2


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("shedule.steps=3", "expected group.name=value with one of the groups encoder, trunk"),
        ("schedule.stepps=3", "Did you mean 'steps'"),
        ("heads.names=colour", "no head 'colour'; expected some of material, hardness"),
        ("schedule.modality_dropout=1.0", "schedule.modality_dropout: got 1.0"),
        ("steps=3", "--set: got 'steps=3'"),
    ],
)
def test_what_is_wrong_is_named(override: str, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        read_overrides([override])
