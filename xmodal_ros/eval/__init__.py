"""Metrics, calibration and the report of an offline evaluation. Never loads rclpy."""
