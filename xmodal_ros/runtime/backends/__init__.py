"""Inference backends behind one interface, and the choice among them."""

from xmodal_ros.runtime.backends.base import Backend, ConversionCache, Result, Stage, Target
from xmodal_ros.runtime.backends.selection import BACKENDS, create, select

__all__ = [
    "BACKENDS",
    "Backend",
    "ConversionCache",
    "Result",
    "Stage",
    "Target",
    "create",
    "select",
]
