"""Table and picture from the plain values of a results file."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from xmodal_ros.train.experiments.picture import draw
from xmodal_ros.train.experiments.table import page, scores_table

SVG = "{http://www.w3.org/2000/svg}"


def scores(accuracy: float, auc: float = float("nan")) -> dict[str, float]:
    return {"accuracy": accuracy, "auc": auc, "ece": 0.05, "count": 40}


@pytest.fixture
def found():
    """Two variants, the first one with two seeds."""
    facts = {
        "parameters": {"all": 3_000_000, "trained": 250_000},
        "milliseconds": {"encoders": 12.0, "fusion": 1.5},
    }
    return {
        "experiment": "conditioning",
        "question": "Is A <better> than B?",
        "notes": ["A note."],
        "data": ["cell"],
        "test_data": "",
        "overrides": ["trunk.dim=64"],
        "encoders": [],
        "machine": {"cpu": "Processor", "threads": 2, "load_before": 0.1},
        "parts": ["test"],
        "rows": [
            {
                "variant": "A",
                "condition": "no <camera>",
                "seeds": [
                    {"test": {"material": scores(0.5), "grasp": scores(0.8)}},
                    {"test": {"material": scores(0.7), "grasp": scores(0.8)}},
                ],
            },
            {
                "variant": "B",
                "condition": "",
                "baseline": True,
                "seeds": [{"test": {"grasp": scores(0.6)}}],
            },
        ],
        "variants": {"A": facts},
    }


def test_a_cell_is_the_mean_over_seeds_and_half_their_range(found) -> None:
    lines = scores_table(found, "test").splitlines()
    assert lines[0] == (
        "| | material, accuracy | material, ECE | grasp, accuracy | grasp, AUC | grasp, ECE |"
    )
    assert lines[2].startswith("| A: no <camera> | 0.600 ± 0.100 | 0.050 ± 0.000 | 0.800 ± 0.000")
    assert lines[3].startswith("| B |  |  | 0.600 | nan | ")


def test_the_page_says_what_made_it(found) -> None:
    text = page(found)
    assert "| A | 3.00 M | 0.25 M | 12.0 | 1.50 |" in text
    assert "- A note." in text
    assert "Scores are means over 2 seeds" in text
    assert "2 threads, on Processor" in text
    assert "`xmodal experiment conditioning --set trunk.dim=64`" in text
    assert "Examples: 40 of material, 40 of grasp." in text


def test_the_page_says_what_it_was_tested_on(found) -> None:
    text = page({**found, "test_data": "other"})
    assert text.startswith("# conditioning, tested on other\n")
    assert "(touch-conditioning-on-other.svg)" in text
    assert "- Test part: all of other, " in text
    assert "`xmodal experiment conditioning --test-data other --set trunk.dim=64`" in text


def test_seeds_together_and_differences_have_tables(found) -> None:
    for row in found["rows"][:2]:
        row["together"] = {"test": {"material": scores(0.75), "grasp": scores(0.85)}}
        row["difference"] = {"test": {"material": {"mean": -0.1, "low": -0.22, "high": 0.034}}}
    text = page(found)
    assert "All seeds together" in text
    assert "| A: no <camera> | 0.750 | 0.050 | 0.850 | nan | 0.050 |" in text
    assert 'How much more often right than "A: no <camera>", ' in text
    assert text.count("-0.100 (-0.220 to +0.034)") == 1  # the first row differs from none
    assert "| B | -0.100 (-0.220 to +0.034) |" in text


def test_the_picture_has_a_mark_where_a_row_has_a_score(found) -> None:
    root = ElementTree.fromstring(draw(found))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert "A: no <camera>" in texts
    assert {"material, accuracy (test)", "grasp, accuracy (test)"} <= set(texts)  # no AUC there
    assert texts.count("0.6") >= 2  # A's material, B's grasp
    means = [c for c in root.iter(f"{SVG}circle") if c.get("class") == "mean"]
    assert len(means) == 3
    plain = [g for g in root.iter(f"{SVG}g") if g.get("class") == "plain"]
    assert len(plain) == 1


def test_dots_are_where_their_values_are(found) -> None:
    root = ElementTree.fromstring(draw(found))
    first = next(root.iter(f"{SVG}g"))  # A's material: seeds 0.5 and 0.7, mean 0.6
    dots = [float(c.get("cx")) for c in first.iter(f"{SVG}circle") if c.get("class") == "dot"]
    (mean,) = (float(c.get("cx")) for c in first.iter(f"{SVG}circle") if c.get("class") == "mean")
    assert dots[0] < mean < dots[1]
    assert mean == pytest.approx(sum(dots) / 2, abs=0.2)


def test_a_picture_of_times_where_nothing_was_trained(found) -> None:
    root = ElementTree.fromstring(draw({**found, "rows": []}))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"encoders, ms", "fusion, ms", "12", "1.5"} <= set(texts)
