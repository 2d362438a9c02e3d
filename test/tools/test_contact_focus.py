"""Contact focus: the numbers of two networks, and the table and picture made from them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("mujoco", reason="the simulated cell is not installed (requirements/sim.txt)")

from xmodal_ros.eval.focus import Batch, evaluate_focus  # noqa: E402
from xmodal_ros.nn.network import build_network  # noqa: E402

GELS = ("tactile_left", "tactile_right")


@pytest.fixture
def tools(monkeypatch, repository):
    monkeypatch.syspath_prepend(str(repository / "tools"))


@pytest.fixture
def networks(tiny_architecture):
    heads = {"grasp": {"classes": 2, "streams": ["camera", *GELS]}}
    made = {}
    for name, fusion in {"on": "cec", "off": "mean"}.items():
        torch.manual_seed(0)
        architecture = {**tiny_architecture, "heads": heads, "fusion": fusion}
        made[name] = build_network(architecture).eval()
    return made


@pytest.fixture
def part(networks):
    """Two examples; only the first one's left gel is touched, in its upper left quarter."""
    rng = np.random.default_rng(0)
    shapes = {"camera": (64, 64, 3), **dict.fromkeys(GELS, (4, 48, 64, 3))}
    images = {s: rng.integers(60, 256, (2, *shape), np.uint8) for s, shape in shapes.items()}
    raw = {s: torch.from_numpy(image) for s, image in images.items()}
    with torch.no_grad():
        features = {s: networks["on"].features(s, raw) for s in raw}
    masks = {gel: np.zeros((2, 24, 32), bool) for gel in GELS}
    masks["tactile_left"][0, :12, :16] = True
    batch = Batch(features, {s: torch.ones(2) for s in raw}, masks)
    return batch, {gel: images[gel][:, -1] for gel in GELS}


@pytest.mark.usefixtures("tools")
def test_energy_is_set_beside_that_of_grad_cam_without_cec(networks, part):
    from contact_focus import measure

    found = measure(networks, {"cell": ([part[0]], 2.0, 1.0), "none": ([part[0]], 2.0, 0.1)})
    for name, network in networks.items():
        assert found["cell"][name] == evaluate_focus(network, [part[0]], 2.0)
    on, off = found["cell"]["on"]["grasp"], found["cell"]["off"]["grasp"]
    assert found["cell"]["energy_ratio"]["grasp"] == {
        name: pytest.approx(on[name]["energy"] / off["grad_cam"]["energy"])
        for name in ("attention", "grad_cam")
    }
    assert found["none"]["energy_ratio"] == {}  # the contact covers a quarter


@pytest.mark.usefixtures("tools")
def test_a_row_shows_the_gel_and_darkens_what_is_not_touched(networks, part):
    from contact_focus_page import CELL_PX, COLUMNS, HEADING_PX, sheet

    drawn = sheet(networks["on"], networks["off"], [([part], 5)])
    width, height = CELL_PX
    assert drawn.shape == (HEADING_PX + height, width * len(COLUMNS), 3)  # one gel is touched
    gel, contact, *maps = np.split(drawn[HEADING_PX:].astype(int), len(COLUMNS), axis=1)
    np.testing.assert_array_equal(contact[:50, :70], gel[:50, :70])
    assert contact[70:].mean() == pytest.approx(gel[70:].mean() / 4, abs=1)
    assert all(np.abs(shown - gel).mean() > 1 for shown in maps)


@pytest.mark.usefixtures("tools")
def test_the_page_is_that_of_the_numbers(repository):
    from contact_focus_page import page

    results: Path = repository / "docs" / "results" / "focus.json"
    found = json.loads(results.read_text(encoding="utf-8"))
    text = page(found)
    assert text == results.with_suffix(".md").read_text(encoding="utf-8")
    measures = found["gelsight"]["on"]["material"]["attention"]
    assert f"| {measures['energy']:.2f} |" in text
