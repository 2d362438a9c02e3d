from __future__ import annotations

import numpy as np
import pytest
import torch

from xmodal_ros.nn.losses.rays import (
    Neighbours,
    Queries,
    draw_queries,
    neighbours,
    ray_loss,
    relative_intensity,
    seen_from_sensor,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def scan(count=500):
    points = 3 * torch.randn(count, 4, generator=generator())
    points[:, 3] = torch.arange(count) / count  # tells which point a query is of
    return points


def test_a_third_is_behind_a_third_before_and_a_third_along_the_rays():
    points = scan()
    queries = draw_queries(points, 900, depth_m=0.2, generator=generator())
    assert queries.occupied.tolist() == [1.0] * 300 + [0.0] * 600
    known = ~queries.intensity.isnan()
    assert known.tolist() == [True] * 600 + [False] * 300
    point = points[(queries.intensity[known] * 500).round().long(), :3]
    place = queries.position[known]
    cosine = torch.cosine_similarity(place, point)
    torch.testing.assert_close(cosine, torch.ones(600))
    further = place.norm(dim=1) - point.norm(dim=1)
    assert ((further[:300] >= 0) & (further[:300] <= 0.2 + 1e-5)).all()
    assert ((further[300:] <= 0) & (further[300:] >= -0.2 - 1e-5)).all()
    assert further.abs().mean() == pytest.approx(0.1, abs=0.01)


def test_queries_along_a_ray_are_before_its_point():
    points = torch.tensor([[0.0, 4.0, 3.0, 0.5]])
    far = draw_queries(points, 600, generator=generator()).position[400:]
    share = far.norm(dim=1) / 5
    torch.testing.assert_close(far, share[:, None] * points[:, :3])
    assert 0 <= share.min() < 0.05
    assert 0.95 < share.max() <= 1


def test_near_the_sensor_nothing_is_behind_it():
    points = torch.tensor([[0.01, 0.0, 0.0, 1.0]])
    queries = draw_queries(points, 300, depth_m=0.5, generator=generator())
    assert (queries.position[:, 0] >= 0).all()


@pytest.mark.parametrize(
    "points", [torch.zeros(0, 4), torch.zeros(5, 4), torch.full((5, 4), float("nan"))]
)
def test_a_scan_without_points_gives_no_queries_and_no_loss(points):
    queries = draw_queries(points, 30, generator=generator())
    assert queries.position.shape == (0, 3)
    near = neighbours(queries, points)
    decoded = torch.zeros(len(near.query), 2, requires_grad=True)
    loss = ray_loss(decoded, queries, near)
    (loss.occupancy + loss.intensity).backward()
    assert (loss.occupancy.item(), loss.intensity.item()) == (0, 0)


def test_bad_points_are_never_drawn():
    points = scan()
    points[::2, 0] = float("nan")
    points[1::4, :3] = 0
    queries = draw_queries(points, 900, generator=generator())
    assert torch.isfinite(queries.position).all()
    drawn = (queries.intensity[:600] * 500).round().long()
    assert set((drawn % 4).tolist()) == {3}


@pytest.mark.parametrize("most", [1, 4, 1000])
def test_neighbours_agree_with_all_distances(most):
    points, far = scan(), torch.tensor([100.0, 0, 0])
    points[:, :3] += far  # differences of large numbers
    queries = Queries(scan(80)[:, :3] + far, torch.zeros(80), torch.zeros(80))
    found = neighbours(queries, points, radius_m=1.0, most=most)
    difference = queries.position.numpy()[:, None] - points.numpy()[None, :, :3]
    distance = np.linalg.norm(difference, axis=2)
    expected = {
        (q, int(p))
        for q in range(80)
        for p in np.argsort(distance[q])[:most]
        if distance[q, p] <= 1.0
    }
    assert set(zip(found.query.tolist(), found.point.tolist(), strict=True)) == expected
    assert expected
    np.testing.assert_array_equal(found.offset, difference[found.query, found.point])


def test_losses_agree_with_numpy():
    rng = np.random.default_rng(0)
    decoded = rng.normal(size=(40, 2))
    occupied, intensity = rng.integers(0, 2, 10).astype(float), rng.random(10)
    intensity[6:] = np.nan
    query = rng.integers(0, 10, 40)
    found = ray_loss(
        torch.from_numpy(decoded),
        Queries(torch.zeros(10, 3), torch.from_numpy(occupied), torch.from_numpy(intensity)),
        Neighbours(torch.from_numpy(query), torch.zeros(40).long(), torch.zeros(40, 3)),
    )
    probability = 1 / (1 + np.exp(-decoded[:, 0]))
    truth = occupied[query]
    entropy = -np.mean(truth * np.log(probability) + (1 - truth) * np.log(1 - probability))
    error = np.nanmean(np.abs(decoded[:, 1] - intensity[query]))
    assert float(found.occupancy) == pytest.approx(entropy)
    assert float(found.intensity) == pytest.approx(error)


def test_intensity_is_relative_to_that_of_the_scans_points():
    points = scan()
    points[::3, :3] = 0  # no points
    points[::3, 3] = 7.0
    there = np.arange(len(points)) % 3 != 0
    found = relative_intensity(points)
    assert torch.equal(found[:, :3], points[:, :3])
    own = points[there, 3].numpy()
    np.testing.assert_allclose(found[there, 3], (own - own.mean()) / own.std(), rtol=1e-3)
    brighter = points * torch.tensor([1, 1, 1, 3.0])
    torch.testing.assert_close(relative_intensity(brighter)[there], found[there])
    assert not relative_intensity(torch.zeros(4, 4)).any()


def test_offsets_from_the_sensor_do_not_change_when_all_turns():
    rng = np.random.default_rng(0)
    points, offset = rng.normal(size=(2, 30, 3))
    azimuth = np.arctan2(points[:, 1], points[:, 0])
    found = seen_from_sensor(torch.from_numpy(offset), torch.from_numpy(points)).numpy()
    for k, angle in enumerate(azimuth):  # turned so that its point is straight ahead
        back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        np.testing.assert_allclose(found[k], [*(back @ offset[k, :2]), offset[k, 2]])
    above = seen_from_sensor(torch.ones(1, 3), torch.tensor([[0.0, 0, 2]]))
    assert above.tolist() == [[0, 0, 1]]
