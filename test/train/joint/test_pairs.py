"""Which views of a batch are positives, candidates, or neither."""

import torch

from xmodal_ros.train.joint.pairs import Views, relations

CAMERA, LEFT, RIGHT, TEXT = range(4)


def views() -> tuple[Views, torch.Tensor]:
    """Instances 0 (moments 0 and 1) and 1 (moment 2); one camera image is in 1 and 2."""
    rows = [  # moment, instance, modality, stream, data, caption
        (0, 0, 0, CAMERA, 5, -1),
        (0, 0, 1, LEFT, 1, -1),
        (0, 0, 1, RIGHT, 1, -1),
        (1, 0, 0, CAMERA, 6, -1),
        (2, 1, 0, CAMERA, 6, -1),
        (0, 0, 2, TEXT, 0, 0),  # true of both instances
        (2, 1, 2, TEXT, 1, 1),  # true of instance 1 alone
    ]
    true = torch.tensor([[True, True], [False, True]])
    return Views(*torch.tensor(rows).T), true


def test_one_positive_is_what_another_modality_sensed_at_the_same_moment() -> None:
    positives, candidates = relations(*views(), "one")
    assert positives[0].nonzero().flatten().tolist() == [1, 2, 5]
    assert positives[1].nonzero().flatten().tolist() == [0, 5]  # not the other finger
    # Another moment of the instance, and the finger, are neither; instance 1 is another thing.
    assert candidates[0].nonzero().flatten().tolist() == [4, 6]
    assert not (positives & candidates).any()


def test_several_positives_are_the_instance_and_captions_that_are_true_of_it() -> None:
    positives, candidates = relations(*views(), "several")
    assert positives[0].nonzero().flatten().tolist() == [1, 2, 3, 5]
    assert positives[4].nonzero().flatten().tolist() == [5, 6]
    assert candidates[0].nonzero().flatten().tolist() == [4, 6]


def test_equal_data_and_captions_of_both_are_no_candidates() -> None:
    _, candidates = relations(*views(), "several")
    assert not candidates[3, 4]  # one image in two moments
    assert not candidates[5, 6]  # caption 0 is true of instance 1, too
    assert not candidates.diagonal().any()
    assert (candidates == candidates.T).all()
