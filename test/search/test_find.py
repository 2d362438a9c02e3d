"""Questions to an index, and what cannot be asked."""

import dataclasses
import shutil

import cv2
import numpy as np
import pytest

from xmodal_ros.core.errors import BundleError, DataError
from xmodal_ros.core.types import Modality
from xmodal_ros.data.recording import Recording, RecordingWriter
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.search.entries import Model, StoreError
from xmodal_ros.search.find import Finder
from xmodal_ros.search.gather import gather
from xmodal_ros.search.query import Query, of_image, of_moment, of_text
from xmodal_ros.search.store import Store


@pytest.fixture(scope="module")
def bundle(settings):
    return Bundle.load(settings.inference.bundle)


@pytest.fixture(scope="module")
def predictor(bundle, settings):
    with Predictor(bundle, settings.inference) as made:
        yield made


@pytest.fixture(scope="module")
def recording(small_recording, tmp_path_factory):
    """A copy that may be moved."""
    return shutil.copytree(small_recording, tmp_path_factory.mktemp("recordings") / "moving")


@pytest.fixture(scope="module")
def folder(recording, settings, tmp_path_factory):
    out = tmp_path_factory.mktemp("index")
    gather([recording], out, settings, 0.2)
    return out


@pytest.fixture
def finder(folder, bundle):
    with Store(folder) as store:
        yield Finder(store, bundle)


@pytest.fixture
def image(tmp_path):
    def write(shape):
        path = tmp_path / "image.png"
        pixels = np.random.default_rng(3).integers(0, 255, shape, np.uint8)
        cv2.imwrite(str(path), pixels)
        return path

    return write


def test_a_moment_finds_itself(finder, predictor, settings, recording):
    query = of_moment(predictor, settings, recording, 1.0, "tactile_left")
    first, *others = finder.find(query, among=["tactile_left"])
    assert (first.recording, first.stream) == (str(recording), "tactile_left")
    assert first.time_s == pytest.approx(1.0, abs=0.05)
    assert first.similarity == pytest.approx(1.0, abs=2e-3)
    assert [hit.similarity for hit in others] == sorted(
        (hit.similarity for hit in others), reverse=True
    )
    assert first.answers["material"][0] in ("wood", "metal", "fabric")
    assert first.picture
    assert first.note == ""


def test_the_first_stream_is_asked_about_if_none_is_named(predictor, settings, recording):
    query = of_moment(predictor, settings, recording, 1.5)
    assert query.stream == "camera"
    np.testing.assert_allclose(np.linalg.norm(query.vector), 1, rtol=1e-5)
    assert query.picture


def test_streams_of_the_same_branch_are_looked_among_and_a_moment_comes_once(
    finder, predictor, settings, recording
):
    query = of_moment(predictor, settings, recording, 1.0, "tactile_left")
    hits = finder.find(query, 100)
    assert {hit.stream for hit in hits} == {"tactile_left", "tactile_right"}
    times = [hit.time_s for hit in hits]
    assert len(times) == len(set(times)) == 15


def test_other_senses_are_looked_among_where_they_share_a_space(
    finder, predictor, settings, recording
):
    query = of_moment(predictor, settings, recording, 1.0, "camera")
    hits = finder.find(query, among=["tactile_right"])
    assert {hit.stream for hit in hits} == {"tactile_right"}
    with pytest.raises(BundleError) as error:
        finder.find(query, among=["imu"])
    assert str(error.value) == (
        "shared: 'imu' was not trained to be compared with 'camera'; expected one of camera, "
        "tactile_left, tactile_right"
    )


def test_hits_lie_apart_and_carry_the_labels_asked_for(finder, predictor, settings, recording):
    query = of_moment(predictor, settings, recording, 1.0)
    hits = finder.find(query, 10, apart_s=0.9)
    times = sorted(hit.time_s for hit in hits)
    assert len(times) in (3, 4)
    assert min(np.diff(times)) >= 0.9
    label = hits[0].answers["material"][0]
    chosen = finder.find(query, 100, labels={"material": label})
    every = finder.find(query, 100)
    assert chosen == [hit for hit in every if hit.answers["material"][0] == label]
    with pytest.raises(StoreError, match=r"holds no moment with colour=red; expected one of mat"):
        finder.find(query, labels={"colour": "red"})


@pytest.mark.parametrize("shape", [(64, 64, 3), (31, 200, 3), (64, 64)])
def test_images_of_any_size_and_grey_ones_are_asked_with(finder, predictor, image, shape):
    path = image(shape)
    for modality, streams in (
        (Modality.CAMERA, {"camera"}),
        (Modality.TACTILE, {"tactile_left", "tactile_right"}),
    ):
        query = of_image(predictor, path, modality)
        assert {hit.stream for hit in finder.find(query, 100)} <= streams


def test_an_image_is_embedded_as_a_message_is(predictor, settings, recording, tmp_path):
    with Recording(recording) as source:
        message = next(m.message for m in source.messages(["/tactile_left/image_raw"]))
        second = source.start_ns / 1e9
    pixels = message.data.reshape(48, 64, 3)
    cv2.imwrite(str(tmp_path / "gel.png"), pixels[..., ::-1])
    query = of_image(predictor, tmp_path / "gel.png", Modality.TACTILE, "tactile_left")
    stamp = message.header.stamp.sec + message.header.stamp.nanosec / 1e9 - second
    expected = of_moment(predictor, settings, recording, stamp, "tactile_left")
    np.testing.assert_allclose(query.vector, expected.vector, atol=1e-5)


def test_a_touch_that_is_told_by_motion_cannot_be_one_image(tiny_bundle, settings, image):
    with (
        Predictor(Bundle.load(tiny_bundle), settings.inference) as predictor,
        pytest.raises(DataError) as error,
    ):
        of_image(predictor, image((48, 64, 3)), Modality.TACTILE)
    assert (
        "bundle 'tiny' reads how images of 'tactile_left' change; expected more than one "
        "image. Ask by a moment of a recording: --like RECORDING@SECONDS" in str(error.value)
    )


def test_images_that_cannot_be_read_and_streams_that_are_not_there_are_told(
    predictor, image, tmp_path
):
    with pytest.raises(DataError, match=r"nowhere.png: there is no such file"):
        of_image(predictor, tmp_path / "nowhere.png", Modality.CAMERA)
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(DataError, match=r"text.png: cannot be read as an image"):
        of_image(predictor, tmp_path / "text.png", Modality.CAMERA)
    with pytest.raises(BundleError, match=r"shared: reads no stream 'imu'; expected one of cam"):
        of_image(predictor, image((9, 9, 3)), Modality.CAMERA, "imu")


@pytest.mark.parametrize("seconds", [-1.0, 3.5, float("nan")])
def test_a_time_outside_of_the_recording_is_told(predictor, settings, recording, seconds):
    with pytest.raises(DataError, match=r"s is outside of the recording; expected 0 to 3.0 s"):
        of_moment(predictor, settings, recording, seconds)


def test_a_stream_that_is_not_there_at_the_moment_is_told(
    predictor, settings, recording, tmp_path
):
    with Recording(recording) as source, RecordingWriter(tmp_path / "part") as writer:
        for topic, kind, time_ns, data in source.raw(["/tactile_left/image_raw"]):
            writer.write_raw(topic, kind, time_ns, data)
    with pytest.raises(DataError) as error:
        of_moment(predictor, settings, tmp_path / "part", 1.0, "camera")
    assert str(error.value) == (
        "camera: has nothing at that moment (absent); expected one of tactile_left"
    )
    with pytest.raises(BundleError, match=r"shared: reads no stream 'nose'; expected one of cam"):
        of_moment(predictor, settings, recording, 1.0, "nose")


def test_words_find_moments_of_all_streams_of_their_space(
    words_bundle, recording, settings, tmp_path
):
    spoken = Bundle.load(words_bundle)
    inference = dataclasses.replace(settings.inference, bundle=str(words_bundle))
    gather([recording], tmp_path, dataclasses.replace(settings, inference=inference), 0.2)
    query = of_text(spoken, "touching cork")
    assert (query.stream, query.picture) == ("text", b"")
    with Store(tmp_path) as store:
        hits = Finder(store, spoken).find(query, 100)
        kept = {s: np.concatenate([x for _, x in store.vectors(s)]) for s in store.streams()}
        near = Finder(store, spoken).find(query, 1, among=["tactile_left"])
        with pytest.raises(BundleError, match=r"'imu' was not trained to be compared with 'text'"):
            Finder(store, spoken).find(query, among=["imu"])
    streams = ("camera", "tactile_left", "tactile_right")
    cosines = np.stack([kept[stream] @ query.vector for stream in streams])
    assert len(hits) == cosines.shape[1]
    assert [hit.similarity for hit in hits] == pytest.approx(
        sorted(cosines.max(0), reverse=True), abs=2e-3
    )
    assert {hit.stream for hit in hits} == {streams[k] for k in cosines.argmax(0)}
    assert near[0].stream == "tactile_left"
    assert near[0].similarity == pytest.approx(cosines[1].max(), abs=2e-3)
    assert all(hit.picture for hit in hits)


def test_words_need_another_bundle(bundle):
    with pytest.raises(BundleError, match="shared: has no text encoder, so words cannot be comp"):
        of_text(bundle, "a soft thing")


def test_an_empty_index_and_one_without_the_stream_are_told(bundle, folder, tmp_path):
    with (
        Store(tmp_path, Model(bundle.id, bundle.weights_hash)) as store,
        pytest.raises(StoreError, match=r"is empty. See `xmodal index`"),
    ):
        Finder(store, bundle)
    with Store(folder) as store:
        query = Query("lidar", np.zeros(32, np.float32), b"")
        with pytest.raises(StoreError, match=r"holds nothing of nose; expected one of camera"):
            Finder(store, bundle).find(Query("camera", query.vector, b""), among=["nose"])


def test_a_recording_that_has_moved_is_told(finder, predictor, settings, recording):
    query = of_moment(predictor, settings, recording, 1.0)
    away = recording.rename(recording.with_name("away"))
    assert {hit.note for hit in finder.find(query)} == {"not there any more"}
    recording.mkdir()
    (recording / "other.mcap").write_bytes(b"something else")
    assert {hit.note for hit in finder.find(query)} == {"another recording is there now"}
    shutil.rmtree(recording)
    away.rename(recording)
    assert {hit.note for hit in finder.find(query)} == {""}
