"""Runs: folds, reading back, and the text of a user's mistakes."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.train.examples import Index, group_folds
from xmodal_ros.train.recipes import RECIPES, find_recipe
from xmodal_ros.train.run import FOLDS, run
from xmodal_ros.train.tasks import TASKS


@pytest.fixture
def short(recipe):
    return dataclasses.replace(recipe, schedule=dataclasses.replace(recipe.schedule, steps=2))


def test_run_answers_for_the_fold_it_did_not_see(short, waves, tmp_path):
    folds = group_folds(waves.index, FOLDS, seed=0)
    made = run(short, tmp_path, tmp_path, fold=1, examples=waves)
    np.testing.assert_array_equal(made.held_out, np.flatnonzero(folds == 1))
    assert made.logits.shape == (len(made.held_out), 5)
    record = json.loads((made.folder / "run.json").read_text(encoding="utf-8"))
    assert record["trained_on"] == (folds >= 0).sum() - len(made.held_out)
    assert not (made.folder / "checkpoint.ckpt").exists()


def test_finished_run_is_read_back(short, waves, tmp_path):
    first = run(short, tmp_path, tmp_path, fold=0, examples=waves)
    waves.batch = None  # training again would fail
    again = run(short, tmp_path, tmp_path, fold=0, examples=waves)
    np.testing.assert_array_equal(again.logits, first.logits)
    for name, value in first.network.state_dict().items():
        np.testing.assert_array_equal(again.network.state_dict()[name], value)


def test_finished_run_of_another_recipe_is_refused(short, waves, tmp_path):
    run(short, tmp_path, tmp_path, examples=waves)
    other = dataclasses.replace(short, trunk={**short.trunk, "dropout": 0.5})
    with pytest.raises(SettingsError, match=r"seed0: a finished run with another recipe is there"):
        run(other, tmp_path, tmp_path, examples=waves)


def test_unknown_fold_is_refused(short, waves, tmp_path):
    with pytest.raises(SettingsError, match=r"^fold: got 5; expected 0 to 4$"):
        run(short, tmp_path, tmp_path, fold=5, examples=waves)


def test_unknown_recipe_is_refused():
    with pytest.raises(SettingsError, match="no recipe 'grip'; expected one of grasp, "):
        find_recipe("grip")


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_describe_networks_that_exist(name):
    from xmodal_ros.nn.architecture import Architecture

    recipe = RECIPES[name]
    made = Architecture.from_mapping(recipe.architecture(TASKS[recipe.task].classes))
    assert list(made.heads) == [recipe.task]


def test_folds_hold_out_whole_groups_of_like_size():
    rng = np.random.default_rng(0)
    groups = rng.choice([f"g{i}" for i in range(30)], 600)
    labels = rng.integers(0, 2, 600)
    test = np.isin(groups, ["g0", "g1"])
    index = Index(np.eye(2, dtype=np.float32)[labels], groups, test, np.ones(600, bool))
    folds = group_folds(index, 5, seed=0)
    np.testing.assert_array_equal(folds == -1, test)
    assert all(len(set(folds[groups == g])) == 1 for g in np.unique(groups))
    sizes = np.bincount(folds[~test])
    assert len(sizes) == 5
    assert sizes.min() > 0.7 * sizes.max()
