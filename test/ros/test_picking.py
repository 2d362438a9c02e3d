"""Picking: what each tree does after which answer, the table, and picks in a real graph."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the simulation's packages are not there (`make test`)")
pytest.importorskip("py_trees", reason="behaviour trees are not there (`make test`)")

from py_trees.common import Status
from rclpy.task import Future
from rich.console import Console

from xmodal_ros.__main__ import main
from xmodal_ros.core.assess import Decision
from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.demo.picking.behaviours import Pick
from xmodal_ros.demo.picking.hand import ArmError
from xmodal_ros.demo.picking.run import read
from xmodal_ros.demo.picking.run import run as run_picks
from xmodal_ros.demo.picking.settings import PickSettings
from xmodal_ros.demo.picking.table import page, summary
from xmodal_ros.demo.picking.tree import STRATEGIES, pick_tree
from xmodal_ros.ros.answers import Assessment, Unanswered
from xmodal_ros.runtime.bundle import Bundle

HOLD, REGRASP, UNSURE = Decision.HOLD, Decision.REGRASP, Decision.UNSURE


PROBABILITY = {HOLD: 0.95, UNSURE: 0.6, REGRASP: 0.05}


def answer(decision: Decision) -> Assessment:
    return Assessment(decision, PROBABILITY[decision], 1, (), 0, "", {}, "")


class ScriptedHand:
    """Does all that it is told at once, and answers as is written."""

    def __init__(self, *decisions: Decision) -> None:
        self.told: list[tuple[str, float]] = []
        self.asked: list[dict[str, float]] = []
        self.now_s = 0.0
        self.perception = self
        self._decisions = iter(decisions)

    def move(self, command: str, force_n: float) -> Future:
        self.told.append((command, round(force_n, 2)))
        return done("held")

    def assess_grasp_async(self, timeout_s: float, **terms: float) -> Future:
        self.asked.append({"timeout_s": timeout_s, **terms})
        return done(answer(next(self._decisions)))


def done(result: Any) -> Future:
    future = Future()
    future.set_result(result)
    return future


def run(strategy: str, *decisions: Decision, force_n: float = 2.0, **values: Any):
    """The hand after a pick with a scripted hand, and how the tree ended."""
    hand, values = ScriptedHand(*decisions), {"agree": 1, **values}
    tree = pick_tree(STRATEGIES[strategy], hand, Pick(force_n), PickSettings(**values))
    while tree.status in (Status.INVALID, Status.RUNNING):
        tree.tick_once()
    return hand, tree.status


def commands(hand: ScriptedHand) -> str:
    return " ".join(command for command, _ in hand.told)


def test_a_grasp_that_holds_is_lifted() -> None:
    hand, status = run("assess", HOLD)
    assert commands(hand) == "reach grasp raise lift shake"
    assert status == Status.SUCCESS
    assert hand.asked == [{"timeout_s": 0.35, "min_confidence": 0.8, "threshold": 0.8}]


def test_a_lift_takes_several_answers_that_agree() -> None:
    hand, status = run("assess", HOLD, HOLD, HOLD, agree=3)
    assert (commands(hand), status) == ("reach grasp raise lift shake", Status.SUCCESS)
    hand, status = run("assess", HOLD, HOLD, UNSURE, HOLD, HOLD, HOLD, agree=3)
    assert commands(hand) == "reach grasp raise grasp raise lift shake"
    assert status == Status.SUCCESS


def test_one_that_is_doubtful_is_tightened_where_it_is() -> None:
    hand, status = run("assess", UNSURE, UNSURE, HOLD)
    assert commands(hand) == "reach grasp raise grasp raise grasp raise lift shake"
    grips = [force for command, force in hand.told if command == "grasp"]
    assert grips == [2.0, 4.0, 8.0]
    assert status == Status.SUCCESS


def test_one_that_will_not_hold_is_let_go_and_grasped_anew_more_strongly() -> None:
    hand, status = run("assess", REGRASP, HOLD)
    assert commands(hand) == "reach grasp raise release reach grasp raise lift shake"
    assert hand.told[-1] == ("shake", 4.0)
    assert status == Status.SUCCESS


def test_what_never_holds_is_left_alone() -> None:
    hand, status = run("assess", REGRASP, REGRASP, attempts=2)
    assert commands(hand) == "reach grasp raise release reach grasp raise"
    assert status == Status.FAILURE


def test_at_the_strongest_grip_more_probable_than_not_is_good_enough(monkeypatch) -> None:
    hand, status = run("assess", UNSURE, UNSURE, force_n=9.0)
    assert hand.told[-3:] == [("raise", 10.0), ("lift", 10.0), ("shake", 10.0)]
    assert commands(hand) == "reach grasp raise grasp raise lift shake"
    assert status == Status.SUCCESS
    monkeypatch.setitem(PROBABILITY, UNSURE, 0.4)
    hand, status = run("assess", UNSURE, UNSURE, HOLD, force_n=9.0)
    assert commands(hand) == "reach grasp raise grasp raise release reach grasp raise lift shake"


def test_no_answer_is_no_reason_to_lift() -> None:
    hand = ScriptedHand()
    nothing = Future()
    nothing.set_exception(Unanswered("gave no answer", where="perception"))
    hand.assess_grasp_async = lambda timeout_s, **terms: nothing
    tree = pick_tree(STRATEGIES["assess"], hand, Pick(10.0), PickSettings(attempts=1))
    while tree.status in (Status.INVALID, Status.RUNNING):
        tree.tick_once()
    assert (commands(hand), tree.status) == ("reach grasp raise", Status.FAILURE)


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        ("lift", "reach grasp lift shake"),
        ("strongest", "reach grasp lift shake"),
        ("twice", "reach grasp release reach grasp lift shake"),
    ],
)
def test_the_others_ask_nobody(strategy: str, told: str) -> None:
    hand, status = run(strategy)
    assert (commands(hand), hand.asked, status) == (told, [], Status.SUCCESS)
    grip = 10.0 if strategy == "strongest" else 2.0
    assert {force for _, force in hand.told} == {grip}


def test_an_arm_that_refuses_ends_the_pick_with_the_reason() -> None:
    hand = ScriptedHand()
    refused = Future()
    refused.set_exception(ArmError("lift is under way", where="arm"))
    hand.move = lambda command, force_n: refused
    tree = pick_tree(STRATEGIES["lift"], hand, Pick(2.0), PickSettings())
    with pytest.raises(ArmError, match="arm: lift is under way"):
        tree.tick_once()


def test_forces_follow_from_seed_and_number_and_cover_their_range() -> None:
    settings = PickSettings(force_low_n=2.0, force_high_n=8.0)
    drawn = np.array([settings.force(7, number) for number in range(400)])
    assert drawn[3] == settings.force(7, 3)
    assert drawn[3] != settings.force(8, 3)
    assert (drawn.min() > 2.0, drawn.max() < 8.0) == (True, True)
    assert np.median(drawn) == pytest.approx(4.0, rel=0.1)  # even in its logarithm


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"threshold": 0.4}, "pick.threshold: got 0.4; expected a value from 0.5 to 1.0"),
        ({"attempts": 0}, "pick.attempts: got 0; expected a value from 1 to 10"),
        ({"force_low_n": 11.0}, "pick.force_low_n: got 11 N; expected at most pick.force_high_n"),
        ({"strongest_n": 5.0}, "expected at most pick.strongest_n, 5 N"),
    ],
)
def test_settings_out_of_range_are_refused(values, text) -> None:
    with pytest.raises(SettingsError, match=text):
        PickSettings(**values)


def row(number: int, lift: str, shake: str, force_n: float = 4.0, **fields: Any) -> dict[str, Any]:
    """A pick of robot 1 or 2 that ends its lift after 5 s, or is left alone."""
    names = [("reach", "", 1.0), ("grasp", "held", 2.0)]
    if lift:
        names += [("lift", lift, 5.0), ("shake", shake, 7.0)]
    moves = [[name, force_n, outcome, at_s] for name, outcome, at_s in names]
    return {"seed": 1 + number % 2, "number": number, "moves": moves, "answers": [], **fields}


def test_the_table_counts_what_the_picks_were() -> None:
    plain = [row(0, "held", "held"), row(1, "held", "slipped"), row(2, "slipped", "slipped")]
    plain += [row(3, "missed", "missed")]
    sure: Any = {"answers": [["UNSURE", 0.6, 4], ["HOLD", 0.9, 1]]}
    asked = [row(k, "held", "held", 8.0, **sure) for k in range(3)]
    asked += [row(3, "", "", 8.0, answers=[["REGRASP", 0.1, 2]])]
    found = summary({"lift": plain, "assess": asked})
    lift, assess = found["lift"], found["assess"]
    assert (lift["lifted"][0], lift["carried"][0]) == (0.5, 0.25)
    assert (lift["dropped"][0], lift["left"][0]) == (0.5, 0.0)
    assert (assess["lifted"][0], assess["left"][0], assess["dropped"][0]) == (0.75, 0.25, 0.0)
    assert (lift["grip_n"], assess["grip_n"]) == (4.0, 8.0)
    assert (lift["seconds"], assess["seconds"]) == (5.0, (3 * 5.0 + 2.0) / 4)
    # by robot, of two picks each: +1/2 and 0 of one more lifted; draws are of whole robots
    assert assess["gain"] == [0.25, 0.0, 0.5]
    assert "gain" not in lift
    assert assess["answers"] == {"UNSURE": 3, "HOLD": 3, "REGRASP": 1}
    assert (assess["hold_lifted"], lift["hold_lifted"]) == ([1.0], [])


def test_a_pick_that_diverged_with_one_strategy_counts_for_none() -> None:
    gone = {"seed": 1, "number": 0, "diverged": True}
    found = summary(
        {
            "lift": [gone, row(1, "held", "held")],
            "assess": [row(0, "", ""), row(1, "held", "held")],
        }
    )
    assert [found[name]["picks"] for name in ("lift", "assess")] == [1, 1]
    assert [found[name]["diverged"] for name in ("lift", "assess")] == [1, 0]


def test_picks_over_topics_and_actions_go_on_where_they_were_stopped(
    processes, own_domain, tiny_bundle, tmp_path
) -> None:
    out = tmp_path / "picks"
    given = ["--bundle", str(tiny_bundle), "--strategy", "assess", "--set", "attempts=1"]
    before = {"seed": 3, "number": 1, "weights": Bundle.load(tiny_bundle).weights_hash}
    before |= {k: v for k, v in row(0, "held", "held").items() if k not in before}
    out.mkdir()
    (out / "assess.jsonl").write_text(json.dumps(before) + "\n")
    picking = processes.start("pick", str(out), *given, "--seed", "3", "--picks", "2")
    assert picking.wait(240) == 0, processes.output(picking)
    first, second = read(out, "assess")
    assert first == before
    assert (second["seed"], second["number"]) == (3, 2)
    assert second["objects"].startswith("object_0: ")
    assert [move[0] for move in second["moves"]][:3] == ["reach", "grasp", "raise"]
    assert second["moves"][0][1] == pytest.approx(PickSettings().force(3, 2), abs=0.001)
    decision, probability, observations = second["answers"][0]
    assert decision in Decision.__members__
    assert (0 <= probability <= 1, observations >= 1) == (True, True)
    found = json.loads((out / "picking.json").read_text())
    assert found["strategies"]["assess"]["picks"] == 2
    assert page(found) == (out / "picking.md").read_text()
    assert "<svg" in (out / "picking.svg").read_text()


def test_picks_with_other_settings_or_another_bundle_are_not_mixed(tiny_bundle, tmp_path) -> None:
    def pick(**values: Any) -> None:
        settings, quiet = PickSettings(**values), Console(quiet=True)
        run_picks(tmp_path, ["assess"], 1, 3, settings, str(tiny_bundle), quiet)

    (tmp_path / "assess.jsonl").write_text('{"seed": 3, "number": 1, "weights": "others"}\n')
    with pytest.raises(DataError, match=r"assess.jsonl: holds answers of another bundle"):
        pick()
    with pytest.raises(DataError, match="holds picks of another seed, or with other settings"):
        pick(attempts=2)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--strategy", "hope"), "--strategy: got 'hope'; expected one of lift, strongest, twice"),
        (("--set", "atempts=2"), "pick: unknown setting 'atempts'. Did you mean 'attempts'?"),
        (("--bundle", "nowhere"), "nowhere: there is no such folder"),
    ],
)
def test_what_cannot_be_picked_is_told(capsys, tmp_path, arguments, text) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["pick", str(tmp_path / "picks"), *arguments])
    assert ended.value.code == 2
    assert text in capsys.readouterr().err
