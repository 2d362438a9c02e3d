"""Label tracks as timelines."""

from xmodal_ros.data.labels import NO_LABEL, UNKNOWN_LABEL, Interval, label_topics, said


def test_a_label_holds_until_the_next_and_an_empty_one_ends_it():
    track = said([(10, "a"), (20, ""), (30, "b")], end_ns=40)
    assert [track.at(t) for t in (9, 10, 19, 20, 29, 30, 39, 40)] == [
        "", "a", "a", "", "", "b", "b", "",
    ]  # fmt: skip
    assert track.intervals == (Interval(10, 20, "a"), Interval(30, 40, "b"))


def test_a_label_said_again_is_the_same_stretch():
    track = said([(0, "a"), (10, "a"), (20, "b")], end_ns=30)
    assert track.intervals == (Interval(0, 20, "a"), Interval(20, 30, "b"))


def test_the_same_label_after_a_pause_is_another_stretch():
    track = said([(0, "a"), (10, ""), (20, "a")], end_ns=30)
    assert track.intervals == (Interval(0, 10, "a"), Interval(20, 30, "a"))


def test_order_of_entries_does_not_matter():
    assert said([(20, "b"), (0, "a")], end_ns=30).at(5) == "a"


def test_indices_tell_no_label_from_one_the_model_lacks():
    track = said([(0, "a"), (10, "x"), (20, "")], end_ns=30)
    assert track.indices([5, 15, 25], ("b", "a")).tolist() == [1, UNKNOWN_LABEL, NO_LABEL]


def test_no_entries():
    track = said([], end_ns=30)
    assert track.intervals == ()
    assert track.at(3) == ""


def test_label_topics_are_found_under_a_namespace_too():
    topics = ["/labels/grasp", "/cell/labels/activity", "/labels", "/mylabels/x", "/camera"]
    assert label_topics(topics) == {"grasp": "/labels/grasp", "activity": "/cell/labels/activity"}


def test_the_last_label_has_no_end_where_none_is_named():
    assert said([(0, "a"), (10, "b")]).at(10**18) == "b"


def test_of_two_labels_at_one_time_the_last_one_holds():
    track = said([(0, "a"), (10, "b"), (10, "c")], end_ns=20)
    assert track.intervals == (Interval(0, 10, "a"), Interval(10, 20, "c"))
