"""The tables of activity as Markdown, from the plain values that their JSON files have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xmodal_ros.data.visual_tactile.example import TEST
from xmodal_ros.train.align.combinations import PROBED
from xmodal_ros.train.align.losses import ONCE
from xmodal_ros.train.align.score import GALLERY
from xmodal_ros.train.experiments.table import scores_table

BALANCED = ("balanced_accuracy", "balanced accuracy")
LOSSES = (
    ("classifier", *BALANCED),
    ("classifier, turned", *BALANCED),
    ("probe", *BALANCED),
    ("prototypes", *BALANCED),
    ("space", "recall@1", f"recall@1 of {GALLERY}"),
    ("space", "recall@5", f"recall@5 of {GALLERY}"),
    ("space", "class_recall@1", "class recall@1"),
    ("space", "class_chance@1", "its chance"),
    ("space", "modality_gap", "modality gap"),
)
COMBINATIONS = tuple((way, *BALANCED) for way in ("as mounted", "turned", "no camera", "no imu"))
ABOUT_LOSSES = (
    "All of the IMU alone. Turned: the sensor of each test window turned at random.",
    "Probe: logistic regression on the frozen class token, which all rows have.",
    "Prototypes: the class whose images have the nearest mean embedding, so that with InfoNCE "
    "alone the label of no IMU window is used.",
    f"Recall: whether a window's own image is among the nearest of {GALLERY} images, each of "
    f"another episode (chance 1/{GALLERY} and 5/{GALLERY}).",
    f"Rows of {ONCE} are of one seed.",
    "Class recall: whether the nearest image of another episode shows the same activity, the mean "
    "over activities.",
)
ABOUT_COMBINATIONS = (
    "Turned: the IMU of each test window turned at random. No camera, no imu: the stream is "
    "absent, asked of the same network.",
    "Fixed weights: vision's to the IMU's, both embeddings of unit length as in arXiv 2308.16493, "
    f"with a linear classifier of their sum, fitted on {PROBED} windows of both mountings.",
    "Sensor frame: the IMU as it is mounted, not turned in training; all others see it in a level "
    "frame that does not follow the sensor.",
    "Both encoders are frozen; adapters and heads of the other rows learned beside them, with the "
    "same steps. Chosen on the validation part.",
)


def losses_page(found: Mapping[str, Any]) -> str:
    """The page of `compare_losses`."""
    return _page("Losses of the alignment", ABOUT_LOSSES, found, LOSSES)


def combinations_page(found: Mapping[str, Any]) -> str:
    """The page of `compare_combinations`."""
    return _page("Vision and IMU together", ABOUT_COMBINATIONS, found, COMBINATIONS)


def space_page(found: Mapping[str, Any]) -> str:
    """The page of the joint space: the picture and its measures."""
    columns = ("modality", "activity", "activity, camera", "activity, IMU")
    head = [*(f"silhouette by {name}" for name in columns), "modality gap"]
    lines = [f"| | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    for title, space in found["spaces"].items():
        cells = [*(space["silhouette"][name] for name in columns), space["modality_gap"]]
        lines.append(f"| {title} | {' | '.join(f'{x:.3f}' for x in cells)} |")
    about = (
        "Test windows and their images in the joint space, by t-SNE of cosine distances. "
        "Silhouettes are of the embeddings themselves, not of the map; a low one by modality "
        "means that both lie together."
    )
    table = "\n".join(lines)
    return f"# The joint space\n\n![space](activity-space.svg)\n\n{about}\n\n{table}\n"


def _page(title: str, about: Sequence[str], found: Mapping[str, Any], columns: Any) -> str:
    seeds = max(len(row["seeds"]) for row in found["rows"])
    notes = [
        *about,
        f"Means over {seeds} seeds ± half their range.",
        f"Test part: {found['windows'][TEST]} windows of held-out objects, textures and sensor "
        "units.",
    ]
    lines = "\n".join(f"- {note}" for note in notes)
    return f"# {title}\n\n{scores_table(found, TEST, columns)}\n\n{lines}\n"
