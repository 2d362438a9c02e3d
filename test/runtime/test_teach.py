"""Materials that a predictor is taught."""

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from xmodal_ros.core.errors import BundleError
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import Modality, Observation, StreamData
from xmodal_ros.runtime import discriminant
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.contact import NoContact, TooFew
from xmodal_ros.runtime.discriminant import Space
from xmodal_ros.runtime.ood import fit_statistics, ood_score
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.runtime.taught import BadName, Material
from xmodal_ros.runtime.teach import LikeAnother, NotPossible, Teachable, Unknown

SECOND = 1_000_000_000
KNOWN = ("wood", "metal", "fabric")


@pytest.fixture(scope="module")
def predictor(touch_bundle):
    with Predictor(Bundle.load(touch_bundle), InferenceSettings(backend="torch")) as made:
        yield made


@pytest.fixture
def path(tmp_path):
    return tmp_path / "taught.safetensors"


def look(pressed, time_s):
    """An observation of a gel that is pressed so much, 0 for not at all."""
    y, x = np.mgrid[:48, :64]
    rest = np.stack([110 + x / 4, 100 + y / 4, 90 + 0 * x], 2)
    bump = 90 * pressed * np.exp(-((x - 32) ** 2 + (y - 24) ** 2) / 150)
    image = (rest + bump[..., None]).astype(np.uint8)
    stamps = tuple(int(time_s * SECOND) - k * SECOND // 10 for k in (3, 2, 1, 0))
    gel = StreamData(
        Modality.TACTILE, image, stamps, 0, (image,) * 4, rest.astype(np.uint8), reference_id=1
    )
    camera = StreamData(Modality.CAMERA, image, stamps[-1:], 0)
    streams = {"camera": camera, "tactile_left": gel}
    return Observation(stamps[-1], "hand", "tactile_left", streams)


def touch(teachable, *depths, begin_s=1.0):
    """Touch and let go, once for each depth."""
    for number, depth in enumerate(depths):
        teachable.predict(look(depth, begin_s + number))
        teachable.predict(look(0.0, begin_s + number + 0.5))


def test_a_taught_class_is_one_more_normal_distribution_with_the_same_covariance():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 6))
    means = rng.normal(0, 3, size=(4, 6))
    labels = np.arange(800) % 3
    statistics = fit_statistics(
        (means[labels] + rng.normal(size=(800, 6)) @ mixing).astype(np.float32), labels
    )
    touches = (means[3] + rng.normal(size=(5, 6)) @ mixing).astype(np.float32)
    feature = (means[3] + rng.normal(size=6) @ mixing).astype(np.float32)
    own = np.array([0.2, 0.7, 0.1], np.float32)

    whitening = statistics["whitening"].astype(np.float64)
    inverse = whitening.T @ whitening  # of the covariance
    known, taught = (
        np.array([mahalanobis(feature, mean, inverse) ** 2 for mean in means])
        for means in (statistics["means"], touches.mean(0, keepdims=True))
    )
    known = np.exp(-discriminant.SHARPNESS / 2 * known).sum()
    taught = np.exp(
        discriminant.PRIOR - discriminant.SHARPNESS / 2 * taught / (1 + discriminant.SPREAD / 5)
    )
    expected = np.append(own * known, taught) / (known + taught)

    space = Space(statistics, [Material("cork", touches)])
    found, distance = space.extend(feature, own)
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    alone = {**statistics, "means": touches.mean(0, keepdims=True)}
    assert distance == pytest.approx(ood_score(feature, alone), rel=1e-4)


def test_with_nothing_taught_answers_are_the_predictors_own(predictor, path):
    observation = look(0.5, 1.0)
    expected = predictor.predict(observation).heads["material"]
    for teachable in (Teachable(predictor), Teachable(predictor, path)):
        found = teachable.predict(observation).heads["material"]
        assert found.labels == expected.labels == KNOWN
        np.testing.assert_array_equal(found.probabilities, expected.probabilities)
        assert found.ood_score == expected.ood_score
    assert not path.exists()


def test_a_material_is_known_once_it_is_taught_also_after_a_restart(predictor, path):
    teachable = Teachable(predictor, path)
    touch(teachable, 0.5, 0.6, 0.7, 0.8, 0.9)
    lesson = teachable.teach("かし", 5)
    assert (lesson.name, lesson.touches) == ("かし", 5)
    assert str(lesson) == "'かし' is known from 5 touches"
    before = predictor.predict(look(0.7, 9.0)).heads["material"]
    found = teachable.predict(look(0.7, 9.0)).heads["material"]
    assert found.labels == teachable.labels("material") == (*KNOWN, "かし")
    assert found.label == "かし"
    assert found.probabilities.dtype == np.float32
    assert found.probabilities.sum() == pytest.approx(1, abs=1e-6)
    ratio = found.probabilities[:3] / before.probabilities
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)  # as the classifier divides it
    assert found.ood_score < before.ood_score

    again = Teachable(predictor, path).predict(look(0.7, 9.0)).heads["material"]
    np.testing.assert_array_equal(again.probabilities, found.probabilities)


def test_touches_are_added_to_a_material_and_used_once(predictor, path):
    teachable = Teachable(predictor, path)
    teachable.predict(look(0.6, 1.0))
    lesson = teachable.teach("cork")  # while it is touched
    assert str(lesson).startswith("'cork' is known from 1 touch; it is known better from 5")
    with pytest.raises(NoContact):
        teachable.teach("cork")
    touch(teachable, 0.7, begin_s=3.0)
    with pytest.raises(TooFew):
        teachable.teach("cork", 2)
    assert teachable.teach("cork", 1).touches == 2
    assert [(m.name, len(m.touches)) for m in Teachable(predictor, path).materials] == [
        ("cork", 2)
    ]


def test_touches_of_a_taught_material_are_not_taught_as_another(predictor, path):
    teachable = Teachable(predictor, path)
    touch(teachable, 0.6, 0.6)
    teachable.teach("cork", 1)
    with pytest.raises(LikeAnother, match=r"^'amber': the touches are like 'cork' \(\d+%\)"):
        teachable.teach("amber", 1)
    assert [m.name for m in teachable.materials] == ["cork"]
    teachable.teach("amber", 1, force=True)
    assert [m.name for m in teachable.materials] == ["cork", "amber"]


def test_materials_are_renamed_and_forgotten(predictor, path):
    teachable = Teachable(predictor, path)
    touch(teachable, 0.6, 0.9)
    teachable.teach("cork", 1)
    teachable.teach("amber", 1, force=True)
    with pytest.raises(BadName, match=r"^new_name: 'amber' is taught already"):
        teachable.rename("cork", "amber")
    with pytest.raises(BadName, match=r"^name: got ''; expected"):
        teachable.rename("cork", "")
    teachable.rename(" cork", "Kork")
    assert teachable.labels("material") == (*KNOWN, "Kork", "amber")
    for name in ("Kork", "amber"):
        teachable.forget(name)
    with pytest.raises(Unknown, match=r"^name: 'Kork' is not taught"):
        teachable.forget("Kork")
    with pytest.raises(Unknown, match="'' is not taught"):
        teachable.forget("")
    assert Teachable(predictor, path).materials == ()
    expected = predictor.predict(look(0.6, 9.0)).heads["material"]
    found = teachable.predict(look(0.6, 9.0)).heads["material"]
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)


def test_what_cannot_be_taught_is_refused(predictor, path, tiny_bundle):
    teachable = Teachable(predictor, path)
    with pytest.raises(NoContact, match=r"^gel: nothing touches it"):
        teachable.teach("cork")
    with pytest.raises(BadName, match=r"^name: 'metal' is a class of the bundle"):
        teachable.teach("metal")
    with pytest.raises(NotPossible, match=r"^inference.taught: is not set"):
        Teachable(predictor).teach("cork")
    with (
        Predictor(Bundle.load(tiny_bundle), InferenceSettings(backend="torch")) as without,
        pytest.raises(BundleError, match="'tiny' has no head 'material' that reads a gel"),
    ):
        Teachable(without, path)
