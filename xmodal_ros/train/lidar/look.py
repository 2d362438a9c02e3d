"""One picture of a scan: what the LiDAR and a camera see, and what networks make of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.range_image import RangeView, to_range_image
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import Modality, Observation, StreamData
from xmodal_ros.data.point_cloud import PointClouds, Sweep
from xmodal_ros.data.point_cloud.drawing import (
    as_range_image,
    class_colours,
    from_above,
    over_image,
    shades,
)
from xmodal_ros.data.point_cloud.projection import seen
from xmodal_ros.nn.lidar_settings import LidarSettings
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.points import label_points
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.train.lidar.learned import learned
from xmodal_ros.train.lidar.pretrain import CmcrRun
from xmodal_ros.train.pretrain.files import save_bytes

VIEW = LidarSettings(height=64, width=1024).view
"""Grid of a picture without networks."""
WIDTH_PX, CELL_PX, HEADING_PX, STRIP_PX = 1024, (256, 192), 20, 96
NAMES = 8
"""Of classes in a line."""
SUFFIXES = {".jpg": [cv2.IMWRITE_JPEG_QUALITY, 85], ".png": []}
"""Kinds of pictures, and how they are written."""
NEARBY = 0.95
"""Share of the points whose distances have colours of their own."""
Panel = tuple[str, np.ndarray]
"""Title and picture."""


def look(
    data: PointClouds, sweep: Sweep, run: CmcrRun | None = None, bundle: Bundle | None = None
) -> np.ndarray:
    """Draw a scan: its range images, the scene from above and by a camera, what was learned.

    Args:
        data: Where the scan is.
        sweep: Which one; the first of its cameras is drawn.
        run: Of `xmodal lidar pretrain`, for reconstructions, occupancy and codes.
        bundle: One with classes of points of a LiDAR, which are drawn beside those of the data.

    Returns:
        Shape: (height, 1024, 3), uint8 RGB.

    Raises:
        DataError: scan or image cannot be read, or the image shows no point.
    """
    scan = data.load(sweep)
    points, made = scan.points, to_range_image(scan.points, _grid(run, bundle))
    distance = np.linalg.norm(points[:, :3], axis=1)
    far = float(np.quantile(distance, NEARBY)) if len(points) else 1.0
    near = shades(distance, 0, far)
    strips = [(f"distance, 0 to {far:.1f} m", near), ("intensity", shades(points[:, 3], 0, 1))]
    classes: list[Panel] = []
    if scan.labels is not None:
        classes.append(("classes", class_colours(scan.labels)))
    if bundle is not None:
        classes.append((f"classes by {bundle.id}", class_colours(_labels(bundle, points))))
    rows = [_strip(title, as_range_image(made.nearest, c)) for title, c in strips + classes]
    cells = [(f"{t}, from above", from_above(points, c, 2 * CELL_PX[1])) for t, c in classes]
    if sweep.views:
        camera = sweep.views[0]
        image, shown = camera.image(), seen(points, camera)
        places = shown.uv[shown.inside], shown.depth[shown.inside]
        radius = max(1, image.shape[1] // 400)
        cells += [(camera.name, image)] + [
            (
                f"points in {camera.name}, {title}",
                over_image(image, *places, c[shown.inside], radius),
            )
            for title, c in [strips[0], *classes]
        ]
    if run is not None:
        cells += learned(run.model, made.image, sweep.views)
    names = data.classes or (next(iter(bundle.labelled.values())).labels if bundle else ())
    return np.vstack([*rows, *_rows(cells), *([_legend(names)] if classes else [])])


def chosen(data: PointClouds, part: str, number: int) -> Sweep:
    """A scan of a part.

    Raises:
        DataError: there is no such part.
        SettingsError: it has fewer scans.
    """
    sweeps = data.part(part)
    if number >= len(sweeps):
        raise SettingsError(f"got {number}", where="--number", expected=f"0 to {len(sweeps) - 1}")
    return sweeps[number]


def save(picture: np.ndarray, path: Path) -> None:
    """Write a picture `(H, W, 3)`, RGB.

    Raises:
        SettingsError: the file's name says of no kind of picture, or it cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise SettingsError(f"got '{path.name}'", where="--out", expected=" or ".join(SUFFIXES))
    path.parent.mkdir(parents=True, exist_ok=True)
    _, data = cv2.imencode(path.suffix, picture[..., ::-1], SUFFIXES[path.suffix])
    save_bytes(path, data.tobytes())


def _grid(run: CmcrRun | None, bundle: Bundle | None) -> RangeView:
    """The grid that networks see; of a run, if there is one, since it is drawn as it sees it."""
    if run is not None:
        return run.model.settings.lidar.view
    if bundle is not None:
        return next(spec.view for spec in bundle.inputs.values() if spec.view)
    return VIEW


def _labels(bundle: Bundle, points: np.ndarray) -> np.ndarray:
    """Classes by the bundle. Shape: (N,) uint8."""
    (stream, card), *_ = bundle.labelled.items()
    data = StreamData(Modality.LIDAR, points, (0,), 0)
    with Predictor(bundle, InferenceSettings(backend="torch")) as predictor:
        predictor.predict(Observation(0, "", stream, {stream: data}))
        return label_points(predictor.encoded[stream], card).labels


def _strip(title: str, picture: np.ndarray) -> np.ndarray:
    """A range image over the whole width."""
    size = (WIDTH_PX, max(STRIP_PX, picture.shape[0]))
    wide = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST)
    return np.vstack([_heading(title, WIDTH_PX), wide])


def _rows(cells: Sequence[Panel]) -> Iterator[np.ndarray]:
    """Pictures side by side."""
    width, height = CELL_PX
    columns = WIDTH_PX // width
    for start in range(0, len(cells), columns):
        row = np.full((HEADING_PX + height, WIDTH_PX, 3), 255, np.uint8)
        for k, (title, picture) in enumerate(cells[start : start + columns]):
            cell = np.vstack([_heading(title, width), _fit(picture)])
            row[:, k * width : (k + 1) * width] = cell
        yield row


def _fit(picture: np.ndarray) -> np.ndarray:
    """A picture in a cell, as large as it can be."""
    width, height = CELL_PX
    scale = min((width - 4) / picture.shape[1], height / picture.shape[0])
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    cell = np.full((height, width, 3), 255, np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    small = cv2.resize(picture, size, interpolation=method)
    cell[top : top + size[1], left : left + size[0]] = small
    return cell


def _legend(names: Sequence[str]) -> np.ndarray:
    lines = np.full((-(-len(names) // NAMES), HEADING_PX, WIDTH_PX, 3), 255, np.uint8)
    for k, name in enumerate(names):
        line, left = lines[k // NAMES], k % NAMES * (WIDTH_PX // NAMES)
        colour = class_colours(np.array(k)).tolist()
        cv2.rectangle(line, (left + 4, 5), (left + 14, 15), colour, cv2.FILLED)
        _write(line, name, left + 18)
    return lines.reshape(-1, WIDTH_PX, 3)


def _heading(title: str, width: int) -> np.ndarray:
    line = np.full((HEADING_PX, width, 3), 255, np.uint8)
    _write(line, title, 4)
    return line


def _write(line: np.ndarray, text: str, column: int) -> None:
    cv2.putText(line, text, (column, 14), 0, 0.38, (29, 39, 51), 1, cv2.LINE_AA)
