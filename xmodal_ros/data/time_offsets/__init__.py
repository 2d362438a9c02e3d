"""How far the clocks of a robot's sensors are apart, estimated from what moves in recordings."""
