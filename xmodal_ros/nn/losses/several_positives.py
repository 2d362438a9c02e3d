"""Contrastive losses of views that have any number of positives: softmax and sigmoid."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def several_info_nce(scores: Tensor, positives: Tensor, candidates: Tensor) -> Tensor:
    """InfoNCE whose anchors find each of their positives among all candidates.

    The mean over an anchor's positives is outside of the logarithm, as in L_out of supervised
    contrastive learning (arXiv 2004.11362, equation 2). With one positive it is InfoNCE.

    Args:
        scores: Similarities, divided by the temperature. Shape: (anchors, views).
        positives: Which views mean the same as an anchor. Shape: (anchors, views), bool.
        candidates: Which views an anchor is compared with; positives count in any case. Shape:
            (anchors, views), bool.

    Returns:
        Mean over the anchors that have a positive; 0 if none has.
    """
    hidden = scores.masked_fill(~(candidates | positives), float("-inf"))
    some = positives.any(1)
    shares = F.log_softmax(hidden[some], dim=1).masked_fill(~positives[some], 0.0)
    each = -shares.sum(1) / positives[some].sum(1)
    return each.mean() if len(each) else scores.sum() * 0.0


def sigmoid_pairs(scores: Tensor, positives: Tensor, candidates: Tensor) -> Tensor:
    """Each pair of views alone: the same, or not (SigLIP, arXiv 2303.15343, equation 1).

    Args:
        scores: Similarities times a scale plus a bias, both learned; SigLIP begins with 10 and
            -10. Shape: (anchors, views).
        positives: Which views mean the same as an anchor. Shape: (anchors, views), bool.
        candidates: Which other views an anchor is compared with. Shape: (anchors, views), bool.

    Returns:
        Sum over an anchor's pairs, mean over the anchors that have a positive, as InfoNCE has it;
        0 if none has.
    """
    some = positives.any(1)
    signs = positives[some].float() * 2 - 1
    pairs = -F.logsigmoid(signs * scores[some])
    each = pairs.masked_fill(~(candidates | positives)[some], 0.0).sum(1)
    return each.mean() if len(each) else scores.sum() * 0.0
