"""From a model bundle to predictions: bundles, preprocessing, backends, Predictor; no rclpy."""
