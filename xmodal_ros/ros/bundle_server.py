"""The service `~/load_bundle`: another bundle, loaded beside the one that answers meanwhile."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from rclpy.node import Node

from xmodal_msgs.srv import LoadBundle
from xmodal_ros.core.errors import BundleError, DataError, DeviceError, SettingsError, UserError
from xmodal_ros.core.settings import Settings
from xmodal_ros.ros.later import Answer, LaterService
from xmodal_ros.ros.model import Model

Response = LoadBundle.Response
SWITCH_S = 5e-4
"""How long the loading thread may keep others from Python at a time: to answer one observation,
they have to wait for it some ten times."""


class NotConfigured(UserError):
    """The node has no model that could be exchanged."""


class Busy(UserError):
    """A bundle is being loaded already."""


class OtherInputs(UserError):
    """A bundle reads other streams than the one that answers, or reads them otherwise."""


CODES: dict[type[UserError], int] = {
    NotConfigured: Response.NOT_CONFIGURED,
    Busy: Response.BUSY,
    OtherInputs: Response.OTHER_INPUTS,
    BundleError: Response.BAD_BUNDLE,
    DataError: Response.BAD_BUNDLE,
    DeviceError: Response.BAD_BUNDLE,
    SettingsError: Response.BAD_BUNDLE,
}
"""Code by what is raised."""


class BundleServer:
    """Loads bundles one at a time, in a thread of its own.

    Args:
        node: Node to serve with; its executor has one thread.
        settings: Gives the node's settings.
        check: Called with a request before anything is loaded; raises what is in its way.
        use: Called with the model that was loaded; raises why it cannot be used.
        soon: Lets the node's thread call; from any thread.
    """

    def __init__(
        self,
        node: Node,
        settings: Callable[[], Settings],
        check: Callable[[], object],
        use: Callable[[Model], None],
        soon: Callable[[Callable[[], None]], None],
    ) -> None:
        self._node, self._settings, self._check, self._use = node, settings, check, use
        self._soon = soon
        self.loading = self._closed = False
        """Whether a bundle is being loaded."""
        self._loader = ThreadPoolExecutor(1, "loads bundles")
        self._service = LaterService(node, LoadBundle, "~/load_bundle", self._receive)

    def close(self) -> None:
        """Remove the service; a bundle that is being loaded is not used any more."""
        self._closed = True
        self._loader.shutdown(wait=True, cancel_futures=True)
        self._service.close()

    def aside(self, call: Callable[[], None]) -> None:
        """Call in the thread that loads, not any more once this is closed; from any thread."""
        if not self._closed:
            self._loader.submit(call)

    def _receive(self, request: LoadBundle.Request, answer: Answer) -> None:
        try:
            if self.loading:
                raise Busy("another bundle is being loaded", where=request.path, do="Ask again")
            self._check()
        except UserError as error:
            answer(_refused(error))
            return
        settings = self._settings()
        inference = dataclasses.replace(
            settings.inference, bundle=request.path, taught=request.taught
        )
        self.loading = True
        loaded = self._loader.submit(_load, dataclasses.replace(settings, inference=inference))
        loaded.add_done_callback(lambda done: self._soon(partial(self._loaded, answer, done)))

    def _loaded(self, answer: Answer, done: Future[Model]) -> None:
        self.loading = False
        try:
            model = done.result()
        except UserError as error:
            answer(_refused(error))
            return
        except Exception as error:  # whatever a damaged network makes a backend raise
            answer(Response(error_code=Response.BAD_BUNDLE, message=repr(error)))
            return
        try:
            self._use(model)
        except UserError as error:
            model.close()
            answer(_refused(error))
            return
        text = f"answers with {model}"
        self._node.get_logger().info(text)
        bundle = model.bundle
        answer(Response(model_id=bundle.id, weights_hash=bundle.weights_hash, message=text))


def _load(settings: Settings) -> Model:
    """Make a model while other threads predict."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        return Model(settings)
    finally:
        sys.setswitchinterval(usual_s)


def check_inputs(old: Model, new: Model) -> None:
    """Refuse a model that reads other streams than the one before, or otherwise.

    Raises:
        OtherInputs: says which, and how.
    """
    differ = []
    mine, others = ({s.name for s in model.settings.streams} for model in (old, new))
    if gone := sorted(mine - others):
        differ.append("does not read " + ", ".join(gone))
    if more := sorted(others - mine):
        differ.append("reads " + ", ".join(more) + " as well")
    differ += [
        f"reads {name} as {new.windows[name]}, not {old.windows[name]}"
        for name in sorted(old.windows.keys() & new.windows.keys())
        if old.windows[name] != new.windows[name]
    ]
    if differ:
        raise OtherInputs(
            "; ".join(differ),
            where=new.bundle.id,
            do="Deactivate the node first: the streams are subscribed anew then",
        )


def _refused(error: UserError) -> LoadBundle.Response:
    return Response(error_code=CODES[type(error)], message=str(error))
