"""The simulated robot cell: physics and what every sensor makes of it, headless, on a CPU."""
