"""One training loop and one small recipe per method. Never loads rclpy."""
