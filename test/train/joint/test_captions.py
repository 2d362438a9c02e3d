"""Captions of labels."""

import numpy as np
import pytest

from xmodal_ros.train.joint.captions import caption, prompts

FACTS = {
    "activity": np.array(["reach", "press", "press", "shake"]),
    "material": np.array(["", "brushed_steel", "cork", ""]),
    "hardness": np.array(["", "hard", "soft", ""]),
    "roughness": np.array(["", "", "rough", ""]),
}


def test_captions_are_true_of_the_moments_whose_labels_they_name() -> None:
    made = caption(FACTS)
    true = dict(zip(made.texts, made.true.tolist(), strict=True))
    assert true["the robot is busy with press"] == [False, True, True, False]
    assert true["touching brushed steel"] == [False, True, False, False]
    assert true["the fingers are on soft and rough cork"] == [False, False, True, False]
    assert true["the robot is busy with press, touching cork"] == [False, False, True, False]
    assert len(set(made.texts)) == len(made.texts)
    assert not any("{" in text or "  " in text for text in made.texts)


def test_prompts_say_nothing_but_the_class() -> None:
    assert prompts("material", ["brushed_steel"]) == [["touching brushed steel"]]
    assert all("press" in text for text in prompts("activity", ["press"])[0])
    with pytest.raises(ValueError, match="no caption is about 'grasp'"):
        prompts("grasp", ["held"])
