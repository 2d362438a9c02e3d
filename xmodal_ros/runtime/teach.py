"""Materials taught on the robot: a predictor whose material head can be given classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from xmodal_ros.core.errors import BundleError, UserError
from xmodal_ros.core.probabilities import entropy, winner
from xmodal_ros.core.types import HeadPrediction, Modality, Observation, Prediction
from xmodal_ros.runtime.contact import Touch, Touches, touched
from xmodal_ros.runtime.discriminant import Space
from xmodal_ros.runtime.taught import BadName, Material, TaughtFile, clean_name, normal_form

if TYPE_CHECKING:
    from xmodal_ros.runtime.predictor import Predictor

Array = npt.NDArray[np.float32]

HEAD = "material"
"""The head that can be taught."""
ALIKE = 0.8
"""Probability of another class from which touches are said to be like it."""
ENOUGH = 5
"""Touches under which an answer says that more would be better."""


class NotPossible(UserError):
    """The bundle cannot be taught, or no file is configured."""


class LikeAnother(UserError):
    """Touches are like a material of another name."""


class Unknown(UserError):
    """No material of this name was taught."""


@dataclass(frozen=True)
class Lesson:
    """What was learned."""

    name: str
    touches: int
    """That the material has been taught with, also before."""

    def __str__(self) -> str:
        text = f"'{self.name}' is known from {self.touches} touch{'es' * (self.touches > 1)}"
        few = f"; it is known better from {ENOUGH}, of several places and objects"
        return text + few * (self.touches < ENOUGH)


class Teachable:
    """A predictor that can be taught materials, and remembers what it was taught.

    Args:
        predictor: What predicts.
        path: The file of taught materials; empty for none: then it only predicts.
        touches: What remembers touches.

    Raises:
        BundleError: the bundle cannot be taught, or the file belongs to another one.
        DataError: the file is damaged.
    """

    def __init__(
        self, predictor: Predictor, path: str | Path = "", touches: Touches | None = None
    ) -> None:
        self.predictor, self.touches = predictor, touches or Touches()
        self._file: TaughtFile | None = None
        self._space: Space | None = None
        if not str(path):
            return
        bundle = predictor.bundle
        head = bundle.spec.heads.get(HEAD)
        self._gels = (
            [s for s in head.streams if bundle.inputs[s].modality is Modality.TACTILE]
            if head
            else []
        )
        if not self._gels or HEAD not in predictor.statistics:
            raise BundleError(
                f"bundle '{bundle.id}' has no head '{HEAD}' that reads a gel and has statistics",
                where="inference.taught",
                expected="a bundle that can be taught, or no file",
            )
        statistics = predictor.statistics[HEAD]
        size = statistics["means"].shape[1]
        self._file = TaughtFile(Path(path), bundle.id, bundle.weights_hash, size)
        self._space = Space(statistics, self._file.read())

    @property
    def materials(self) -> tuple[Material, ...]:
        """What was taught, in its order."""
        return self._space.materials if self._space else ()

    def labels(self, head: str) -> tuple[str, ...]:
        """Labels of a head, those that were taught after the bundle's."""
        own = self.predictor.bundle.heads[head].labels
        return own + tuple(m.name for m in self.materials) if head == HEAD else own

    def predict(self, observation: Observation) -> Prediction:
        """Predict one observation, as the predictor does where nothing was taught.

        Raises:
            DataError: as `Predictor.predict`.
        """
        prediction = self.predictor.predict(observation)
        head, space = prediction.heads.get(HEAD), self._space  # read once: another thread teaches
        if head is None or head.feature is None or space is None:
            return prediction
        gels = (observation.streams[s] for s in self._gels if s in observation.streams)
        self.touches.add(
            observation.stamp_ns, any(map(touched, gels)), head.feature, head.probabilities
        )
        if not space.materials:
            return prediction
        return dataclasses.replace(
            prediction, heads={**prediction.heads, HEAD: _extended(head, space)}
        )

    def teach(self, name: str, touches: int = 0, force: bool = False) -> Lesson:
        """Name the last touches.

        Args:
            name: Of the material; touches of one that is taught already are added to it.
            touches: How many; 0 for the one that goes on.
            force: Teach it although the touches are like another material.

        Raises:
            NotPossible: no file is configured.
            BadName: it cannot be a name, or is one of the bundle's classes.
            NoContact: nothing is touched.
            TooFew: fewer touches are remembered.
            LikeAnother: the touches are like another material.
            NotSaved: the file cannot be written; nothing has changed.
        """
        self._require_file()
        name = self._new_name(name)
        return self.learn(name, self.touches.last(touches), force)

    def learn(self, name: str, touches: Sequence[Touch], force: bool = False) -> Lesson:
        """Teach a material with these touches; for the rest see `teach`."""
        _, space = self._require_file()
        name = self._new_name(name)
        features = np.stack([np.mean(t.features, axis=0) for t in touches])
        if not force:
            self._require_unlike(name, space, touches)
        materials = {m.name: m for m in space.materials}
        if name in materials:
            features = np.concatenate([materials[name].touches, features])
        materials[name] = Material(name, features)
        self._keep(materials.values())
        for touch in touches:
            touch.taught = True
        return Lesson(name, len(features))

    def rename(self, name: str, new_name: str) -> None:
        """Give a taught material another name.

        Raises:
            Unknown: none of that name was taught.
            BadName: the new one cannot be a name, or is in use.
            NotSaved: the file cannot be written; nothing has changed.
        """
        old = self._find(name)
        new = self._new_name(new_name)
        if new != old.name and any(m.name == new for m in self.materials):
            raise BadName(f"'{new}' is taught already", where="new_name", do="Forget it first")
        self._keep(Material(new, m.touches) if m is old else m for m in self.materials)

    def forget(self, name: str) -> None:
        """Forget a taught material.

        Raises:
            Unknown: none of that name was taught.
            NotSaved: the file cannot be written; nothing has changed.
        """
        old = self._find(name)
        self._keep(m for m in self.materials if m is not old)

    def _require_file(self) -> tuple[TaughtFile, Space]:
        if self._file is None or self._space is None:
            raise NotPossible(
                "is not set, so nothing could be kept",
                where="inference.taught",
                expected="a file for the materials that are taught",
            )
        return self._file, self._space

    def _new_name(self, name: str) -> str:
        clean = clean_name(name)
        if clean in self.predictor.bundle.heads[HEAD].labels:
            raise BadName(f"'{clean}' is a class of the bundle", where="name", do="Name it apart")
        return clean

    def _find(self, name: str) -> Material:
        for material in self.materials:
            if material.name == normal_form(name):
                return material
        known = ", ".join(m.name for m in self.materials) or "nothing is"
        raise Unknown(f"'{name}' is not taught", where="name", expected=f"what is: {known}")

    def _require_unlike(self, name: str, space: Space, touches: Sequence[Touch]) -> None:
        """Refuse touches that are answered with another name."""
        means = [(np.mean(t.features, axis=0), np.mean(t.probabilities, axis=0)) for t in touches]
        answers = [space.extend(*mean)[0] if space.materials else mean[1] for mean in means]
        found = np.mean(answers, axis=0)
        best, label = int(found.argmax()), self.labels(HEAD)[int(found.argmax())]
        if label != name and found[best] >= ALIKE:
            raise LikeAnother(
                f"the touches are like '{label}' ({found[best]:.0%})",
                where=f"'{name}'",
                do="Force it where it is another material all the same",
            )

    def _keep(self, materials: Iterable[Material]) -> None:
        file, _ = self._require_file()
        kept = tuple(materials)
        file.write(kept)
        self._space = Space(self.predictor.statistics[HEAD], kept)


def _extended(head: HeadPrediction, space: Space) -> HeadPrediction:
    """An answer among the bundle's classes and the taught ones."""
    assert head.feature is not None
    probabilities, distance = space.extend(head.feature, head.probabilities)
    chosen = winner(probabilities, head.threshold)
    return dataclasses.replace(
        head,
        labels=head.labels + tuple(m.name for m in space.materials),
        probabilities=probabilities,
        class_id=chosen,
        entropy=entropy(probabilities),
        abstained=bool(probabilities[chosen] < head.abstain_below),
        ood_score=min(head.ood_score, float(distance)),
    )
