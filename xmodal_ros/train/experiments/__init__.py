"""Experiments of stage 2: variants trained on the same data, seeds and budget, in one table."""
