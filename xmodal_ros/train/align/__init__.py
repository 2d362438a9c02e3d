"""An IMU encoder aligned to a frozen vision encoder, and both together (arXiv 2308.16493)."""
