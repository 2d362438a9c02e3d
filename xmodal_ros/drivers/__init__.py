"""Devices that are read here, without ROS: the cameras behind tactile gels."""
