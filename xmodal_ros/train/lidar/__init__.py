"""LiDAR encoders: CMCR's pretraining beside a frozen image backbone, and what it is good for."""
