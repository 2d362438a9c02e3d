"""Stage 1: contrastive pretraining of image encoders on pairs of a camera and a gel image."""
