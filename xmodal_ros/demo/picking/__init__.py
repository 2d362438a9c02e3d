"""Picks objects in the simulated cell, with and without asking whether the grasp holds.

The arm and the perception node are processes of their own; all that this knows of them comes over
topics, services and actions, as on a robot. `docs/picking.md` says what comes of it.
"""
