"""Evaluation of a small recording: what is written, what is found, what is refused."""

import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings
from xmodal_ros.data.recording import Recording, RecordingWriter
from xmodal_ros.eval import evaluate
from xmodal_ros.eval.parity import compare, read_answers
from xmodal_ros.runtime.bundle import Bundle


def settings_for(bundle, **groups):
    inference = {"bundle": str(bundle), "backend": "torch", "threads": 1}
    return Settings.from_mapping({"inference": inference, **groups})


@pytest.fixture(scope="module")
def result(tiny_bundle, small_recording, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluation")
    heard = []
    summary = evaluate.evaluate(small_recording, out, settings_for(tiny_bundle), heard.append)
    return out, summary, heard


def test_every_anchor_gives_an_observation(result):
    _, summary, heard = result
    assert summary["observations"]["count"] == 75
    assert [p.predictions for p in heard] == list(range(1, 76))
    assert heard[-1].done_s <= heard[-1].total_s


def test_the_summary_on_disk_is_the_one_returned(result):
    out, summary, _ = result
    assert json.loads((out / "summary.json").read_text()) == json.loads(json.dumps(summary))


def test_the_summary_says_what_ran(result, tiny_bundle):
    _, summary, _ = result
    assert summary["model"] == {
        "id": "tiny",
        "weights_hash": Bundle.load(tiny_bundle).weights_hash,
        "backend": "torch",
        "device": "cpu",
        "precision": "fp32",
    }
    assert summary["recording"]["metadata"] == {"source": "random numbers"}
    used = {t["topic"]: t["stream"] for t in summary["recording"]["topics"]}
    assert used["/imu/data_raw"] == "imu"
    assert used["/labels/grasp"] == ""


def test_scores_come_from_the_labelled_stretches(result):
    out, summary, _ = result
    grasp = summary["heads"]["grasp"]
    assert grasp["labelled_segments"] == 2
    with Recording(out / "predictions") as predictions:
        answers = [m for t, _, _, m in predictions.messages() if t == "/perception/grasp"]
    begin_s = 1_700_000_000
    truth = {True: range(1_500, 3_000), False: range(1_000)}
    right = [
        m.success is truth_is
        for m in answers
        for truth_is, milliseconds in truth.items()
        if (m.header.stamp.sec - begin_s) * 1000 + m.header.stamp.nanosec // 10**6 in milliseconds
    ]
    assert grasp["scores"]["count"] == len(right)
    assert grasp["scores"]["accuracy"] == pytest.approx(np.mean(right))


def test_the_area_of_risk_is_the_mean_risk_over_all_coverages(result):
    out, summary, _ = result
    with Recording(out / "predictions") as predictions:
        answers = [m for t, _, _, m in predictions.messages() if t == "/perception/grasp"]
    known = []
    for m in answers:
        time_s = m.header.stamp.sec - 1_700_000_000 + m.header.stamp.nanosec / 1e9
        if not 1.0 <= time_s < 1.5:
            confidence = m.probability if m.success else 1 - m.probability
            known.append((confidence, m.info.ood_score, m.success is not (time_s >= 1.5)))
    confidence, ood, wrong = (np.array(values) for values in zip(*known, strict=True))
    for name, trust in (("confidence", confidence), ("ood", -ood)):
        kept = [wrong[trust >= value].mean() for value in np.sort(trust)[::-1]]
        # Not to the last digit: here those that are trusted alike come all at once.
        area = summary["heads"]["grasp"]["risk_area"][name]
        assert area == pytest.approx(np.mean(kept), abs=0.002)


def test_a_head_without_labels_has_no_scores(result):
    _, summary, _ = result
    assert summary["heads"]["material"]["risk_area"] == {}
    assert summary["heads"]["material"]["scores"] is None
    assert summary["heads"]["material"]["answers"] == 75


def test_labels_the_bundle_lacks_are_told(result):
    _, summary, _ = result
    assert any("Labels of 'activity'" in p and "dancing" in p for p in summary["problems"])


def test_effective_settings_are_written_and_can_be_read_again(result):
    out, _, _ = result
    written = Settings.from_mapping(yaml.safe_load((out / "settings.yaml").read_text()))
    assert [s.name for s in written.streams] == ["camera", "tactile_left", "tactile_right", "imu"]


def test_evaluating_again_gives_the_same_bits_and_replaces_the_results(
    result, tiny_bundle, small_recording, tmp_path
):
    out, _, _ = result
    again = tmp_path / "again"
    shutil.copytree(out, again)
    (again / "predictions" / "predictions.mcap").write_bytes(b"of an earlier run")
    evaluate.evaluate(small_recording, again, settings_for(tiny_bundle))
    assert compare(read_answers(out / "predictions"), read_answers(again / "predictions")).complete


class Links(HTMLParser):
    """Collects what a page would load."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [v for k, v in attributes if k in ("src", "href", "srcset", "data")]


def test_the_report_needs_nothing_from_elsewhere(result):
    out, _, _ = result
    page = (out / "report.html").read_text()
    links = Links()
    links.feed(page)
    assert links.found
    assert all(link.startswith("data:") for link in links.found)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style
    assert len(page) < 6e6


def test_the_report_shows_predictions_scores_and_problems(result):
    out, _, _ = result
    page = (out / "report.html").read_text()
    for text in ("Predictions over time", "What the sensors saw", "Labelled stretches", "dancing"):
        assert text in page
    assert (
        page.count("Plotly.newPlot(") == 7
    )  # timeline, ages, latencies; per head confusion and risk


def test_the_report_shows_what_the_heads_looked_at(result):
    out, _, _ = result
    page = (out / "report.html").read_text()
    assert page.count("What the heads looked at</summary>") == page.count('class="moment"') > 1
    for text in ("material on camera", "grasp on tactile_left", "grasp on tactile_right"):
        assert f"<figcaption>{text}</figcaption>" in page
    assert "activity on" not in page  # which reads no image


def test_a_stream_that_was_not_recorded_is_told_with_the_topics_there_are(
    tiny_bundle, small_recording, tmp_path
):
    streams = {"tactile_left": {}, "camera": {"topic": "/nowhere"}}
    summary = evaluate.evaluate(
        small_recording, tmp_path, settings_for(tiny_bundle, streams=streams)
    )
    (problem,) = [p for p in summary["problems"] if "'camera'" in p]
    assert "/nowhere" in problem
    assert "Set streams.camera.topic to one of /camera/image_raw," in problem
    assert any(p.startswith("Head 'activity' gave no answer") for p in summary["problems"])


def test_a_recording_without_the_anchor_is_refused(tiny_bundle, small_recording, tmp_path):
    streams = {"tactile_left": {"topic": "/nowhere"}}
    with pytest.raises(
        DataError, match=r"/nowhere.*expected one of its topics: /camera/image_raw"
    ):
        evaluate.evaluate(small_recording, tmp_path, settings_for(tiny_bundle, streams=streams))
    assert list(tmp_path.iterdir()) == []


def test_messages_that_cannot_be_decoded_are_counted_and_told(
    tiny_bundle, small_recording, tmp_path
):
    with Recording(small_recording) as source, RecordingWriter(tmp_path / "bad") as writer:
        for number, (topic, kind, time_ns, message) in enumerate(source.messages()):
            if topic == "/camera/image_raw" and number % 2:
                message.encoding = "yuv9000"
            writer.write(topic, kind, time_ns, message)
    summary = evaluate.evaluate(tmp_path / "bad", tmp_path / "out", settings_for(tiny_bundle))
    refused = summary["sync"]["streams"]["camera"]["refused"]
    assert sum(refused.values()) > 0
    assert any("yuv9000" in p for p in summary["problems"])


def test_examples_are_whole_and_spread_over_the_recording(tiny_bundle, small_recording):
    chosen = evaluate.examples(small_recording, Bundle.load(tiny_bundle), 5)
    stamps = [o.stamp_ns for o in chosen]
    assert len(chosen) == 5
    assert all(
        set(o.present) == {"camera", "tactile_left", "tactile_right", "imu"} for o in chosen
    )
    assert max(stamps) - min(stamps) > 1e9
