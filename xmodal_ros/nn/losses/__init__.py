"""Losses, one per module."""
