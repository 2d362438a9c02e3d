"""One space for all senses and text: several positives, and a fusion that only training has."""
