"""Networks and losses in torch: encoders, CEC, heads; one concept per file. Never loads rclpy."""
