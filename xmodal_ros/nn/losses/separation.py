"""What is shared and what is specific are kept apart (CMCR, arXiv 2412.08973)."""

from __future__ import annotations

from torch import Tensor


def separation(shared: Tensor, specific: Tensor) -> Tensor:
    """No dimension of one varies with a dimension of the other: ||F_s^T F_p|| / dim^2.

    The norm is Frobenius', over a sum of points, not their mean: it grows with their number, as in
    CMCR, which weighs it by 0.1 and gives it specific features of unit length.

    Args:
        shared: Shape: (N, dim).
        specific: Of the same points. Shape: (N, dim).
    """
    return (shared.T @ specific).norm() / shared.shape[1] ** 2
