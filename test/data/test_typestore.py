"""Where our message definitions are found, and messages from nested fields."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data import typestore
from xmodal_ros.data.typestore import default_typestore, make_message


@pytest.fixture
def installed(tmp_path, repository, monkeypatch):
    """As on a robot: no source tree around the package."""
    source = repository / "xmodal_msgs" / "msg"
    target = tmp_path / "prefix" / "share" / "xmodal_msgs" / "msg"
    target.mkdir(parents=True)
    for path in source.glob("*.msg"):
        (target / path.name).write_text(path.read_text())
    monkeypatch.setattr(typestore, "__file__", str(tmp_path / "lib" / "p" / "data" / "t.py"))
    monkeypatch.setattr(typestore, "find_spec", lambda name: None)
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    default_typestore.cache_clear()
    yield tmp_path / "prefix"
    default_typestore.cache_clear()


def test_definitions_of_the_source_tree() -> None:
    assert "xmodal_msgs/msg/GraspSuccess" in default_typestore().fielddefs


def test_definitions_of_an_installed_package(installed, monkeypatch) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere:{installed}")
    assert "xmodal_msgs/msg/GraspSuccess" in default_typestore().fielddefs


@pytest.mark.usefixtures("installed")
def test_definitions_that_are_nowhere() -> None:
    with pytest.raises(DataError, match="xmodal_msgs: its message definitions are not found"):
        default_typestore()


def test_fields_that_are_not_named_are_zero() -> None:
    store = default_typestore()
    message = make_message(store, "sensor_msgs/msg/Imu", {"orientation": {"w": 1.0}})
    assert (message.orientation.w, message.orientation.x) == (1.0, 0)
    assert message.header.frame_id == ""
    np.testing.assert_array_equal(message.orientation_covariance, np.zeros(9))
    cloud = make_message(store, "sensor_msgs/msg/PointCloud2", {"fields": [{"name": "x"}]})
    assert [field.name for field in cloud.fields] == ["x"]
    assert (cloud.is_dense, cloud.data.size, cloud.data.dtype) == (False, 0, np.uint8)
    store.serialize_cdr(message, "sensor_msgs/msg/Imu")
    store.serialize_cdr(cloud, "sensor_msgs/msg/PointCloud2")
