"""The Feeling of Success: HDF5 files as deepdish wrote them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.visual_tactile import open_dataset, read_dataset

h5py = pytest.importorskip("h5py", reason="requirements/datasets.txt is not installed")

SENSORS = ("kinectA_rgb", "gelsightA", "gelsightB")


def write_boolean(group, name: str, value: bool) -> None:
    """As PyTables writes a Python bool: a bit field."""
    space, kind = h5py.h5s.create(h5py.h5s.SCALAR), h5py.h5t.NATIVE_B8
    attribute = h5py.h5a.create(group.id, name.encode(), kind, space)
    attribute.write(np.array(value, np.uint8), mtype=kind)


@pytest.fixture
def root(tmp_path, scene, gel) -> Path:
    """Two files with two grasps of each of two objects."""
    seed = 0
    for number, name in enumerate(("mug", "ball")):
        with h5py.File(tmp_path / f"calandra_corl2017_{number:03d}.h5", "w") as file:
            for place in range(2):
                grasp = file.create_group(f"data/i{place}")
                grasp.attrs["object_name"] = np.bytes_(name)
                write_boolean(grasp, "is_gripping", bool(place))
                for moment in ("before", "during", "after"):
                    for sensor in SENSORS:
                        seed += 1
                        draw = gel if sensor.startswith("gel") else scene
                        grasp[f"{sensor}_{moment}"] = draw(seed)
    return tmp_path


def test_grasps(root) -> None:
    data = open_dataset(root)
    assert (data.kind, data.problems) == ("feeling_of_success", ())
    assert [(e.name, e.group, dict(e.labels)) for e in data.examples] == [
        ("calandra_corl2017_000/i0", "mug", {"grasp": "fail"}),
        ("calandra_corl2017_000/i1", "mug", {"grasp": "success"}),
        ("calandra_corl2017_001/i0", "ball", {"grasp": "fail"}),
        ("calandra_corl2017_001/i1", "ball", {"grasp": "success"}),
    ]


def test_images_of_before_and_during_and_never_of_after(root, scene, gel) -> None:
    data = open_dataset(root)
    images = data.load(data.examples[1])
    # The second grasp's images have seeds 10 to 18: three sensors before, during and after.
    np.testing.assert_array_equal(images["camera"], [scene(10), scene(13)])
    np.testing.assert_array_equal(images["tactile_left"], [gel(11), gel(14)])
    np.testing.assert_array_equal(images["tactile_right"], [gel(12), gel(15)])
    places = [s.place for e in data.examples for clip in e.streams.values() for s in clip]
    assert len(places) == 4 * 6
    assert not any("after" in place for place in places)


def test_scalars_may_be_data_sets(root) -> None:
    with h5py.File(root / "calandra_corl2017_000.h5", "a") as file:
        grasp = file["data/i0"]
        del grasp.attrs["object_name"], grasp.attrs["is_gripping"]
        grasp["object_name"], grasp["is_gripping"] = np.bytes_("cup"), np.array([True])
    example = read_dataset(root).examples[0]
    assert (example.group, dict(example.labels)) == ("cup", {"grasp": "success"})


def test_what_is_wrong_is_named(root) -> None:
    first, second = sorted(root.glob("*.h5"))
    with h5py.File(first, "a") as file:
        del file["data/i0/gelsightB_during"]
        del file["data/i1"].attrs["is_gripping"]
    second.write_bytes(second.read_bytes()[:300])
    data = read_dataset(root)
    assert [(p.kind, p.where) for p in data.problems] == [
        ("missing", f"{first}:data/i0/gelsightB_during"),
        ("label", f"{first}:data/i1"),
        ("unreadable", str(second)),
    ]
    assert not data.examples
    with pytest.raises(DataError, match=r"holds no example that can be used: missing: .*_during"):
        open_dataset(root)
