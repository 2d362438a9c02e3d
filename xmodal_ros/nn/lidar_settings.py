"""Settings of a branch that reads the scans of a LiDAR, and of classes of their points."""

from __future__ import annotations

from dataclasses import dataclass

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.range_image import RangeView
from xmodal_ros.core.segmentation import IGNORE
from xmodal_ros.core.types import Modality


@dataclass(frozen=True)
class LidarSettings:
    """A branch that reads a scan as a range image: a convolutional network and a decoder."""

    backbone: str = setting("tf_efficientnet_lite0", "any convolutional network that timm knows")
    level: int = setting(3, "coarsest feature map of the backbone, 0 the finest", low=0, high=64)
    height: int = setting(32, "rows of the range image, best one a ring", low=2, high=4096)
    width: int = setting(512, "columns of the range image", low=2, high=65_536)
    lowest_deg: float = setting(
        0.0,
        "elevation of the last row; rows are the scan's own rings where highest_deg is the same",
        unit="deg",
        low=-90.0,
        high=90.0,
    )
    highest_deg: float = setting(
        0.0, "elevation of the first row", unit="deg", low=-90.0, high=90.0
    )
    span_deg: float = setting(
        360.0,
        "azimuths seen, half of them left of the x axis; 0 for the scan's own",
        unit="deg",
        low=0.0,
        high=360.0,
    )
    nearest_m: float = setting(
        0.05, "distance from which points are read", unit="m", low=0.001, high=1000.0
    )
    farthest_m: float = setting(
        200.0, "distance up to which points are read", unit="m", low=0.01, high=100_000.0
    )
    channels: int = setting(64, "channels of the decoder, a feature a pixel", low=8, high=4096)
    dim: int = setting(
        64, "size of a point's shared and of its specific feature", low=2, high=4096
    )
    rows: int = setting(2, "rows of tokens", low=1, high=64)
    columns: int = setting(8, "columns of tokens", low=1, high=1024)
    frozen: bool = setting(True, "whether the encoder is kept as it was pretrained")

    modality = Modality.LIDAR

    def __post_init__(self) -> None:
        validate(self, "")
        for low, high in (("lowest_deg", "highest_deg"), ("nearest_m", "farthest_m")):
            if getattr(self, low) > getattr(self, high):
                raise SettingsError(
                    f"got {getattr(self, low)}",
                    where=low,
                    expected=f"at most {high}, {getattr(self, high)}",
                )

    @property
    def view(self) -> RangeView:
        """How scans become range images, live and in training."""
        return RangeView(
            self.height,
            self.width,
            self.lowest_deg,
            self.highest_deg,
            self.span_deg,
            self.nearest_m,
            self.farthest_m,
        )


@dataclass(frozen=True)
class PointsSettings:
    """A linear classifier of every point that such a branch sees."""

    classes: int = setting(2, "number of classes; label 255 is none", low=2, high=IGNORE)

    def __post_init__(self) -> None:
        validate(self, "")
