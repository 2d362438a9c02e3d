"""A frozen language model that answers questions about what camera and IMU saw."""
