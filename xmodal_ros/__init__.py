"""Cross-modal perception for manipulators: camera, tactile, IMU and LiDAR as one sense."""

__version__ = "0.1.0"
