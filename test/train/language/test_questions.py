"""Questions, true answers, and reading answers back."""

import itertools

import numpy as np
import pytest

from xmodal_ros.train.language.questions import (
    DOING,
    KINDS,
    YES,
    activities_in,
    ask,
    every_text,
    materials_in,
)
from xmodal_ros.train.language.score import judge

MATERIALS = ["brushed_steel", "glass", "glazed_ceramic", "paper", "sandpaper", "wood"]
FACTS = [
    {"activity": activity, "material": material, "grasp": grasp}
    for activity, material, grasp in itertools.product(
        DOING, ["", "sandpaper", "brushed_steel"], ["", "success", "fail"]
    )
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_true_answer_is_right_and_invents_nothing(kind):
    rng = np.random.default_rng(0)
    for facts in FACTS:
        asked = ask(kind, facts, rng, MATERIALS, any_wording=True)
        if asked is not None:
            reply = judge(asked, facts, asked.answer, 0.9, MATERIALS)
            assert reply.right, (facts, asked)
            assert not reply.invented, (facts, asked)


def test_answers_name_what_is_there():
    rng = np.random.default_rng(0)
    for facts in FACTS:
        said = ask("caption", facts, rng, MATERIALS).answer
        assert activities_in(said) == {facts["activity"]}
        assert materials_in(said, MATERIALS) == {facts["material"]} - {""}


def test_names_within_names_are_told_apart():
    assert materials_in("It touches sandpaper.", MATERIALS) == {"sandpaper"}
    assert materials_in("glazed ceramic or glass", MATERIALS) == {"glazed_ceramic", "glass"}
    assert materials_in("steel", MATERIALS) == set()


@pytest.mark.parametrize("kind", ["is activity", "is material"])
def test_yes_and_no_are_asked_for_equally_often_where_both_can_be(kind):
    rng = np.random.default_rng(0)
    facts = {"activity": "lift", "material": "wood", "grasp": ""}
    asked = [ask(kind, facts, rng, MATERIALS) for _ in range(1000)]
    assert np.mean([one.answer == YES for one in asked]) == pytest.approx(0.5, abs=0.05)
    assert all(one.absent is (one.answer != YES) for one in asked)


def test_no_motion_is_asked_of_what_may_move_or_not():
    rng = np.random.default_rng(0)
    facts = {"material": "", "grasp": ""}
    assert ask("motion", {**facts, "activity": "handover"}, rng, MATERIALS) is None
    assert ask("motion", {**facts, "activity": "shake"}, rng, MATERIALS).answer == YES
    assert ask("motion", {**facts, "activity": "idle"}, rng, MATERIALS).answer != YES


def test_the_tokenizer_sees_all_that_is_asked_and_answered():
    rng, words = np.random.default_rng(0), set(" ".join(every_text(MATERIALS)).split())
    for facts, kind in itertools.product(FACTS, KINDS):
        asked = ask(kind, facts, rng, MATERIALS, any_wording=True)
        if asked is not None:
            assert set(f"{asked.question} {asked.answer}".split()) <= words
