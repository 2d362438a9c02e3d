"""The text of user errors: where, what, what was expected and what to do."""

from __future__ import annotations

import pickle

import pytest

from xmodal_ros.core.errors import BundleError, DataError, DeviceError, SettingsError, UserError


@pytest.mark.parametrize("kind", [SettingsError, DataError, BundleError, DeviceError])
def test_all_are_user_errors(kind):
    assert issubclass(kind, UserError)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "/gel: no stamp"),
        ({"expected": "a stamp"}, "/gel: no stamp; expected a stamp"),
        ({"do": "Set the clock."}, "/gel: no stamp. Set the clock."),
        (
            {"expected": "a stamp", "do": "Set the clock."},
            "/gel: no stamp; expected a stamp. Set the clock.",
        ),
    ],
)
def test_the_text_leaves_out_what_is_not_said(more, text):
    error = DataError("no stamp", where="/gel", **more)
    assert str(error) == text
    assert (error.what, error.where) == ("no stamp", "/gel")


def test_it_comes_back_from_another_process_as_it_was():
    error = SettingsError("got 3", where="gel.width", expected="more", do="Widen it.")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is SettingsError
    assert str(again) == str(error)
    assert (again.where, again.do) == ("gel.width", "Widen it.")
