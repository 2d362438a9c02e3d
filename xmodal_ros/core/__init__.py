"""Types, synchronizer, windows, settings and health: numpy and the standard library only."""
