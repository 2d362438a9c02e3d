"""A miniature vision-language model of the simulated cell, and an IMU that it learns to read."""
