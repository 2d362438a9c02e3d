"""Errors a user can cause and mend: each says what, where, what was expected and what to do."""


class UserError(Exception):
    """A mistake in settings, data or a bundle that the user can mend.

    Args:
        what: What is wrong, in one clause.
        where: The topic, file, parameter or field it is about.
        expected: What would have been right, if that helps.
        do: What to do about it, if it is not obvious.
    """

    def __init__(self, what: str, *, where: str, expected: str = "", do: str = "") -> None:
        self.what, self.where, self.expected, self.do = what, where, expected, do
        text = f"{where}: {what}"
        if expected:
            text += f"; expected {expected}"
        if do:
            text += f". {do}"
        super().__init__(text)

    def __reduce__(self) -> tuple[object, ...]:
        """Let it come back from another process."""
        return _again, (type(self), self.what, self.where, self.expected, self.do)


def _again(kind: type[UserError], what: str, where: str, expected: str, do: str) -> UserError:
    return kind(what, where=where, expected=expected, do=do)


class SettingsError(UserError):
    """A setting has an unknown name, a wrong type or a value out of its range."""


class DataError(UserError):
    """A message, recording or data set cannot be used as it is."""


class BundleError(UserError):
    """A model bundle is incomplete, damaged or does not fit what is asked of it."""


class DeviceError(UserError):
    """A device or backend that was asked for by name is not there."""
