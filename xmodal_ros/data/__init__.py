"""Message decoding, recordings, data sets, splits. Never loads torch or rclpy."""
