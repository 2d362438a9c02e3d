"""Scores of maps against masks, beside plain numpy; masks of recordings."""

import itertools

import numpy as np
import pytest
import torch

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.fields import image_fields, mask_fields
from xmodal_ros.data.recording import RecordingWriter
from xmodal_ros.data.visual_tactile import read_dataset
from xmodal_ros.eval.focus import Batch, evaluate_focus, look, resampled, score
from xmodal_ros.eval.focus_masks import contact_masks
from xmodal_ros.nn.network import build_network

GELS = ("tactile_left", "tactile_right")


def blob(height: int, width: int, y: float, x: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return (rows - y) ** 2 + (columns - x) ** 2 < radius**2


@pytest.mark.parametrize(("rows", "columns"), [(3, 4), (5, 7), (1, 1), (50, 61)])
def test_resampling_takes_means_of_areas(rows, columns):
    focus = np.random.default_rng(0).random((rows, columns))
    height, width = 24, 32
    # As fine as both, so that each pixel and each cell is whole little squares.
    fine = np.kron(focus, np.ones((height, width)))
    expected = fine.reshape(height, rows, width, columns).mean((1, 3))
    found = resampled(focus, height, width)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found.mean() == pytest.approx(focus.mean())


def test_energy_is_the_share_inside_and_its_chance_the_area():
    focus = np.random.default_rng(1).random((4, 5))
    mask = blob(48, 60, 20, 30, 11)
    expected = (np.kron(focus, np.ones((12, 12))) * mask).sum() / (144 * focus.sum())
    found = score(focus, mask)
    assert found.energy == pytest.approx(expected)
    assert found.energy_chance == mask.sum() / mask.size


@pytest.mark.parametrize("tolerance", [0, 5, 15])
def test_pointing_is_at_most_the_tolerance_off(tolerance):
    mask = blob(48, 60, 17, 25, 6)
    inside = np.argwhere(mask)
    hits = np.zeros((4, 5))
    for row, column in itertools.product(range(4), range(5)):
        middle = np.array([12 * row + 6, 12 * column + 6])
        hits[row, column] = np.sqrt(((inside - middle) ** 2).sum(1).min()) <= tolerance
        focus = np.full((4, 5), 0.1)
        focus[row, column] = 1
        assert score(focus, mask, tolerance).pointing == hits[row, column]
    assert score(focus, mask, tolerance).pointing_chance == pytest.approx(hits.mean())
    assert 0 < hits.sum() < 20


def test_several_maxima_count_by_their_share():
    mask = blob(40, 40, 5, 5, 4)
    focus = np.zeros((4, 4))
    focus[0, 0] = focus[3, 3] = 1
    assert score(focus, mask, 0).pointing == 0.5


def test_a_map_without_weight_scores_what_chance_does():
    found = score(np.zeros((4, 5)), blob(48, 60, 20, 30, 11))
    assert found.pointing == found.pointing_chance
    assert found.energy == pytest.approx(found.energy_chance)
    assert found.empty


def test_a_map_of_the_mask_itself_is_all_inside():
    mask = np.zeros((48, 64), bool)
    mask[12:24, 16:48] = True
    focus = np.zeros((4, 4))
    focus[1, 1:3] = 1
    found = score(focus, mask, 0)
    assert (found.pointing, found.energy, found.empty) == (1, pytest.approx(1), False)
    assert (found.pointing_chance, found.energy_chance) == (2 / 16, 2 / 16)


def batch_for(network, count: int = 4) -> Batch:
    rng = np.random.default_rng(0)
    images = {
        "camera": (64, 64, 3),
        **dict.fromkeys(GELS, (4, 48, 64, 3)),
    }
    raw = {
        s: torch.from_numpy(rng.integers(0, 256, (count, *shape), np.uint8))
        for s, shape in images.items()
    }
    with torch.no_grad():
        features = {s: network.features(s, raw) for s in raw}
    present = {s: torch.ones(count) for s in raw}
    present["tactile_right"][0] = 0
    masks = {s: rng.random((count, 24, 32)) < 0.2 for s in GELS}
    masks["tactile_left"][1] = False  # nothing touches
    return Batch(features, present, masks)


def network_for(architecture, **changes):
    heads = {"grasp": {"classes": 2, "streams": ["camera", *GELS]}}
    torch.manual_seed(0)
    return build_network({**architecture, "heads": heads, **changes}).eval()


def test_means_are_over_the_gels_that_are_there_and_touched(tiny_architecture):
    network = network_for(tiny_architecture)
    batch = batch_for(network)
    # In two parts, to see that what counts is all of them.
    parts = [
        Batch(
            {s: (t[k], e[k]) for s, (t, e) in batch.features.items()},
            {s: x[k] for s, x in batch.present.items()},
            {s: x[k] for s, x in batch.masks.items()},
        )
        for k in (slice(0, 1), slice(1, 4))
    ]
    found = evaluate_focus(network, parts, tolerance_px=2)["grasp"]
    maps = look(network, "grasp", batch)
    scored = [(s, k) for s in GELS for k in range(4)]
    scored = [x for x in scored if x not in (("tactile_right", 0), ("tactile_left", 1))]
    assert set(found) == {"attention", "grad_cam"}
    for measure, result in found.items():
        each = [score(maps[measure][s][k], batch.masks[s][k], 2) for s, k in scored]
        assert result["maps"] == 6
        for name in ("pointing", "pointing_chance", "energy", "energy_chance"):
            expected = np.mean([getattr(one, name) for one in each])
            assert result[name] == pytest.approx(expected, rel=1e-5)
    shares = {name: value for name, value in found["attention"].items() if "share" in name}
    right = maps["attention"]["tactile_right"][1:].sum(axis=(1, 2)).mean()
    assert shares["share_tactile_right"] == pytest.approx(right, rel=1e-5)
    assert set(shares) == {"share_camera", "share_tactile_left", "share_tactile_right"}


def test_contacts_that_are_too_large_are_left_out(tiny_architecture):
    network = network_for(tiny_architecture)
    batch = batch_for(network)
    areas = {s: batch.masks[s].mean(axis=(1, 2)) for s in GELS}
    largest = float(areas["tactile_left"][[0, 2, 3]].min())
    expected = sum(int(((a > 0) & (a <= largest))[k]) for a in areas.values() for k in range(4))
    expected -= int(0 < areas["tactile_right"][0] <= largest)  # absent
    found = evaluate_focus(network, [batch], largest=largest)["grasp"]["grad_cam"]
    assert found["maps"] == expected
    assert found["energy_chance"] <= largest
    assert 0 < expected < 6


def test_attention_of_a_clip_is_added_up_over_its_steps(tiny_architecture):
    network = network_for(tiny_architecture)
    maps = look(network, "grasp", batch_for(network))
    assert maps["grad_cam"]["tactile_left"].shape == (4, 2, 3)
    totals = sum(x.sum(axis=(1, 2)) for x in maps["attention"].values())
    np.testing.assert_allclose(totals, 1, rtol=1e-5)


@pytest.mark.parametrize("changes", [{"fusion": "mean"}, {"tokens": "pooled"}])
def test_without_attention_over_places_there_is_grad_cam_alone(tiny_architecture, changes):
    network = network_for(tiny_architecture, **changes)
    assert set(evaluate_focus(network, [batch_for(network)])["grasp"]) == {"grad_cam"}


@pytest.fixture(scope="module")
def touched(tmp_path_factory):
    """Data set of one recording, whose masks are logged later than their images."""
    root = tmp_path_factory.mktemp("touched")
    rng, masks, begin_ns = np.random.default_rng(0), {}, 1_700_000_000_000_000_000
    with RecordingWriter(root / "one") as writer:
        for k in range(8):
            stamp = begin_ns + k * 50_000_000
            for gel in GELS:
                stamp += 1_000_000
                image = rng.integers(0, 255, (24, 32, 3), np.uint8)
                fields = image_fields(stamp, "gel", image)
                writer.write(
                    f"/{gel}/image_raw", "sensor_msgs/msg/Image", stamp + 4_000_000, fields
                )
                if gel == "tactile_left" or k < 4:
                    masks[gel, k] = rng.random((24, 32)) < 0.3
                    fields = mask_fields(stamp, "gel", masks[gel, k].astype(np.uint8))
                    topic = f"/truth/contact/{gel}"
                    writer.write(topic, "sensor_msgs/msg/Image", stamp + 9_000_000, fields)
    return read_dataset(root), masks


def test_a_mask_is_found_by_the_stamp_of_its_image(touched):
    data, masks = touched
    examples = data.examples  # every 0.2 s: 0 and 4
    sources = [e.streams["tactile_left"][-1] for e in examples]
    found = contact_masks([*sources, examples[0].streams["tactile_right"][-1]])
    assert len(found) == 3
    assert np.array_equal(found[sources[0]], masks["tactile_left", 0])
    assert np.array_equal(found[sources[1]], masks["tactile_left", 4])
    assert np.array_equal(
        found[examples[0].streams["tactile_right"][-1]], masks["tactile_right", 0]
    )


def test_an_image_without_a_mask_is_refused_by_name(touched):
    data, _ = touched
    source = data.examples[1].streams["tactile_right"][-1]
    with pytest.raises(
        DataError,
        match=r"tactile_right/image_raw@\d+: has no mask .* /truth/contact/tactile_right",
    ):
        contact_masks([source])


def test_an_image_that_is_a_file_has_no_mask(tmp_path):
    from xmodal_ros.data.source import Source

    with pytest.raises(DataError, match=r"gel\.png: is not from a recording"):
        contact_masks([Source(tmp_path / "gel.png")])
