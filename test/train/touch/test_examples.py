from __future__ import annotations

import dataclasses
import logging

import cv2
import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.source import Source
from xmodal_ros.nn.network import build_network
from xmodal_ros.train.touch.examples import TouchExamples, plan
from xmodal_ros.train.touch.run import prepare
from xmodal_ros.train.touch.settings import read_overrides


def test_examples_keep_parts_labels_and_the_last_images(data, small, cache) -> None:
    _, _, examples = prepare([data], small, cache)
    assert examples.heads == {
        "material": ("rubber", "steel", "wood"),
        "grasp": ("fail", "success"),
    }
    assert [len(examples.indices(p)) for p in ("train", "validation", "test")] == [18, 6, 6]
    first = examples.plan.examples[0]
    assert examples.heads["material"][examples.labels["material"][0]] == first.labels["material"]
    (clip,) = examples.images("tactile_left", np.array([0]))
    assert clip.shape == (2, 24, 32, 3)
    # 0.16 s at 12.5 Hz are two images: the first and the last of three
    wanted = [first.streams["tactile_left"][k].path for k in (0, 2)]
    means = [cv2.imread(str(path)).mean() for path in wanted]
    assert np.allclose([image.mean() for image in clip], means, atol=1)


def test_a_batch_is_what_the_frozen_encoder_gives(data, small, cache) -> None:
    _, network, examples = prepare([data], small, cache)
    chosen = np.array([3, 11])
    tokens, pooled = examples.batch(chosen)["tactile_left"]
    images = np.array(examples.images("tactile_left", chosen))
    import torch

    with torch.inference_mode():
        encoder = network.branch("tactile_left").contrastive.encoder
        expected = encoder(torch.from_numpy(images.reshape(-1, *images.shape[2:])))
    assert torch.allclose(tokens.flatten(0, 1), expected[0], atol=1e-2)  # kept in half precision
    assert torch.allclose(pooled.flatten(0, 1), expected[1], atol=1e-5)


def test_what_cannot_be_read_is_named_counted_and_not_replaced(
    make_data, small, tmp_path, caplog
) -> None:
    made = make_data(tmp_path / "data")
    paths = [made.examples[k].streams["camera"][0].path for k in (0, 4)]
    paths[0].write_bytes(b"nothing")
    cv2.imwrite(str(paths[1]), np.zeros((48, 64), np.uint16))
    with caplog.at_level(logging.WARNING):
        _, _, examples = prepare([made], small, tmp_path / "cache")
    bad = [f"data/{made.examples[k].name}" for k in (0, 4)]
    assert sorted(examples.left_out) == sorted(bad)
    assert "16 bits per channel" in examples.left_out[bad[1]]
    assert all(name in caplog.text for name in bad)
    assert len(examples) == len(made.examples) - 2
    assert not set(bad) & set(examples.names)
    kept = [e for e in made.examples if f"data/{e.name}" not in bad]
    (image,) = examples.images("camera", np.array([len(kept) - 1]))
    last = cv2.imread(str(kept[-1].streams["camera"][0].path))
    assert abs(image.mean() - last.mean()) < 1
    again = TouchExamples(
        plan([made], small), tmp_path / "cache",
        build_network(small.architecture(examples.streams, examples.heads)), small,
    )  # fmt: skip
    assert again.left_out == examples.left_out


def test_images_of_other_sizes_are_brought_to_the_networks(make_data, small, tmp_path) -> None:
    made = make_data(tmp_path / "data")
    path = made.examples[0].streams["camera"][0].path
    cv2.imwrite(str(path), np.full((301, 77, 3), 120, np.uint8))
    _, _, examples = prepare([made], small, tmp_path / "cache")
    assert (examples.images("camera", np.array([0])) == 120).all()


def test_without_a_validation_part_groups_are_held_out(make_data, small, tmp_path) -> None:
    made = make_data(tmp_path / "data", ("train",) * 8 + ("test",))
    found = plan([made], small)
    groups = {
        part: {found.examples[k].group for k in found.indices(part)}
        for part in ("train", "validation", "test")
    }
    assert all(groups.values())
    assert not groups["train"] & groups["validation"]


def test_a_class_without_training_examples_is_told(make_data, small, tmp_path, caplog) -> None:
    made = make_data(tmp_path / "data")
    examples = tuple(
        e for e in made.examples if e.part == "test" or e.labels["material"] != "wood"
    )
    with caplog.at_level(logging.WARNING):
        found = plan([dataclasses.replace(made, examples=examples)], small)
    assert "no example of material 'wood' to train on" in caplog.text
    assert found.heads["material"] == ("rubber", "steel", "wood")


def test_groups_give_at_most_so_many_examples(data, small) -> None:
    few = read_overrides(["schedule.per_group=1", "heads.names=material"], small)
    found = plan([data], few)
    counts = {e.group: 0 for e in found.examples}
    for example in found.examples:
        counts[example.group] += 1
    assert set(counts.values()) == {1}


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("heads.streams=tactile_right", "no stream 'tactile_right'; expected some of camera"),
        ("heads.names=hardness", "fewer than two classes of 'hardness' to train on"),
    ],
)
def test_what_the_data_do_not_have_is_refused(data, small, override, text) -> None:
    with pytest.raises(DataError, match=text):
        plan([data], read_overrides([override], small))


def test_an_example_without_a_stream_is_absent_there(make_data, small, tmp_path) -> None:
    made = make_data(tmp_path / "data")
    first = made.examples[0]
    blind = dataclasses.replace(first, streams={"tactile_left": first.streams["tactile_left"]})
    made = dataclasses.replace(made, examples=(blind, *made.examples[1:]))
    _, _, examples = prepare([made], small, tmp_path / "cache")
    assert examples.present["camera"].tolist() == [False] + [True] * (len(examples) - 1)
    assert examples.present["tactile_left"].all()
    assert not examples.images("camera", np.array([0])).any()


def test_a_video_is_cut_at_its_rate(make_data, small, tmp_path) -> None:
    made = make_data(tmp_path / "data")
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    for k in range(12):
        writer.write(np.full((48, 64, 3), 20 * k, np.uint8))
    writer.release()
    first = dataclasses.replace(
        made.examples[0], streams={"tactile_left": (Source(path),)}, rates={"tactile_left": 25.0}
    )
    made = dataclasses.replace(made, examples=(first, *made.examples[1:]))
    _, _, examples = prepare([made], small, tmp_path / "cache")
    (clip,) = examples.images("tactile_left", np.array([0]))
    assert np.abs(clip.mean((1, 2, 3)) - [20 * 7, 20 * 11]).max() < 4  # 4 frames at 25 Hz
