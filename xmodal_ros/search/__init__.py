"""Search over recordings: moments by what cameras, gels, IMUs and LiDARs sensed."""
