"""Recordings to an index: the moments are the evaluation's, and nothing is read twice."""

import shutil

import cv2
import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.throttle import Throttle
from xmodal_ros.data.recording import Recording, RecordingWriter
from xmodal_ros.data.replay import observations
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.search.entries import StoreError
from xmodal_ros.search.gather import gather
from xmodal_ros.search.store import Store


def all_moments(folder):
    """By stamp: vectors by stream, and the rest of what is kept."""
    found = {}
    with Store(folder) as store:
        for stream in store.streams():
            for numbers, vectors in store.vectors(stream):
                for number, vector in zip(numbers.tolist(), vectors, strict=True):
                    recording, stamp_ns, picture, answers = store.moment(number)
                    vectors_of, *_ = found.setdefault(
                        stamp_ns, ({}, recording.path, picture, answers)
                    )
                    vectors_of[stream] = vector
    return found


@pytest.fixture(scope="module")
def made(small_recording, settings, tmp_path_factory):
    out, heard = tmp_path_factory.mktemp("index"), []
    return out, gather([small_recording], out, settings, 0.5, heard.append), heard


def test_moments_are_predictions_at_the_spacing(made, small_recording, settings):
    found, throttle, expected = all_moments(made[0]), Throttle(), {}
    bundle = Bundle.load(settings.inference.bundle)
    used, windows = bundle.fit(settings)
    with Recording(small_recording) as source, Predictor(bundle, used.inference) as predictor:
        for observation in observations(source, used, windows):
            if throttle.admits(observation.stamp_ns, 2.0):
                expected[observation.stamp_ns] = predictor.predict(observation)
    assert list(found) == list(expected)
    for stamp, prediction in expected.items():
        vectors, path, _, answers = found[stamp]
        assert path == small_recording.resolve()
        assert vectors.keys() == prediction.embeddings.keys()
        for stream, vector in vectors.items():
            np.testing.assert_allclose(vector, prediction.embeddings[stream], atol=1e-3)
        material = prediction.heads["material"]
        assert answers == {"material": (material.label, pytest.approx(material.confidence))}


def test_pictures_are_small_and_side_by_side(made):
    for vectors, _, picture, _ in all_moments(made[0]).values():
        image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (72, 96 * len(vectors.keys() - {"imu"}), 3)
        assert len(picture) < 20_000


def test_progress_is_told(made):
    _, result, heard = made
    assert [seen.moments for seen in heard] == list(range(1, 7))
    assert list(result.added.values()) == [6]
    assert {seen.name for seen in heard} == {"small"}
    shares = [seen.recordings for seen in heard]
    assert shares == sorted(shares)
    assert shares[0] >= 0
    assert shares[-1] <= 1


def test_what_is_known_is_not_read_again_even_elsewhere(made, small_recording, settings, tmp_path):
    index = shutil.copytree(made[0], tmp_path / "index")
    elsewhere = shutil.copytree(small_recording, tmp_path / "elsewhere")
    result = gather([small_recording, elsewhere], index, settings, 0.5)
    assert (result.known, result.added) == ([small_recording, elsewhere], {})
    assert {path for _, path, _, _ in all_moments(index).values()} == {elsewhere}


def test_another_spacing_replaces(made, small_recording, settings, tmp_path):
    index = shutil.copytree(made[0], tmp_path / "index")
    result = gather([small_recording], index, settings, 1.0)
    assert list(result.added.values()) == [3]
    assert len(all_moments(index)) == 3


def test_what_cannot_be_read_is_named_and_the_rest_added(small_recording, settings, tmp_path):
    damaged = tmp_path / "damaged.mcap"
    damaged.write_bytes(b"no recording")
    cut = tmp_path / "cut.mcap"
    whole = next(small_recording.glob("*.mcap")).read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    with RecordingWriter(tmp_path / "other") as writer:
        writer.write("/chatter", "std_msgs/msg/String", 10**18, {"data": "hello"})
    paths = [tmp_path / "nowhere", damaged, tmp_path / "other", cut, small_recording]
    result = gather(paths, tmp_path / "index", settings, 0.5)
    assert list(result.problems) == paths[:4]
    assert "nowhere: no such recording" in result.problems[paths[0]]
    assert "no topic 'tactile_left/image_raw'" in result.problems[paths[2]]
    assert "cannot be read" in result.problems[cut]
    assert list(result.added) == [cut, small_recording]
    assert 0 < result.added[cut] < result.added[small_recording] == 6


def test_another_bundle_is_refused(made, small_recording, tiny_bundle):
    other = Settings.from_mapping({"inference": {"bundle": str(tiny_bundle), "backend": "torch"}})
    with pytest.raises(StoreError, match=r"was made with bundle 'shared' .* not with 'tiny'"):
        gather([small_recording], made[0], other, 0.5)


def test_settings_without_a_stream_of_the_bundle_are_refused(settings, small_recording, tmp_path):
    values = {**settings.to_mapping(), "streams": {"nose": {"modality": "camera"}}}
    with pytest.raises(SettingsError, match="no stream is one that the bundle reads"):
        gather([small_recording], tmp_path / "index", Settings.from_mapping(values), 0.5)
    assert not (tmp_path / "index").exists()
