"""The ROS 2 graph: the only package that knows rclpy and message packages."""
