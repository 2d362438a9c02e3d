"""A model that answers, and what is published beside its predictions."""

from __future__ import annotations

from xmodal_ros.ros.beside import Extra
from xmodal_ros.ros.lifecycle import Lifecycle
from xmodal_ros.ros.model import Model
from xmodal_ros.ros.overlays import Overlays
from xmodal_ros.ros.point_labels import PointLabels


class Served:
    """A model with the publishers that are its own.

    Args:
        node: Node to publish with.
        model: What answers.
        points: Whether classes of points are published.
    """

    def __init__(self, node: Lifecycle, model: Model, points: bool) -> None:
        self.model = model
        self.overlays = Overlays(node, model.predictor)
        self.points = PointLabels(node, model.predictor, points)
        self.extras: tuple[Extra, ...] = (self.overlays, self.points)

    def close(self) -> None:
        """Free the model and remove the publishers."""
        self.model.close()
        for extra in self.extras:
            extra.close()
