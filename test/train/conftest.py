"""What tests of training share: frozen features without a conversion."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")

from xmodal_ros.runtime.backends import create
from xmodal_ros.train import features


@pytest.fixture(scope="session", autouse=True)
def eager_features() -> Iterator[None]:
    """Frozen features by torch: OpenVINO converts every encoder anew, for seconds each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "create", lambda name, *rest: create("torch", *rest))
        yield
