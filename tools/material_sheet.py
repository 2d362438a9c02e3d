"""Draw every material in both senses, as the gel feels it and as the camera sees it.

python tools/material_sheet.py    write docs/pictures/materials.jpg

Each pair shows the same instance: a lying rod of 30 mm, pressed 0.6 mm into a GelSight Mini (left,
a field of 19 x 14 mm), and seen by a camera that shows 40 x 30 mm of it (right).
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import mujoco
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a checkout that is not installed

from xmodal_ros.sim import materials  # noqa: E402
from xmodal_ros.sim.camera import Camera, CameraSettings, CameraUnit  # noqa: E402
from xmodal_ros.sim.contact import Pad, height_field  # noqa: E402
from xmodal_ros.sim.gel import Renderer  # noqa: E402
from xmodal_ros.sim.gel_unit import GelUnit  # noqa: E402
from xmodal_ros.sim.shading import Lighting, Painter  # noqa: E402
from xmodal_ros.sim.surface import Surface  # noqa: E402

PICTURE = ROOT / "docs" / "pictures" / "materials.jpg"
COLUMNS, WIDTH, HEIGHT, CAPTION = 4, 168, 126, 18
RADIUS_M, PRESSED_M = 0.015, 0.6e-3
SCENE = f"""
<mujoco>
  <visual><headlight ambient="0.25 0.25 0.25"/></visual>
  <worldbody>
    <light pos="-0.4 0.3 0.25" diffuse="0.9 0.9 0.9" castshadow="false"/>
    <geom type="plane" size="1 1 1" pos="0 0 -{RADIUS_M}" rgba="0.5 0.5 0.5 1"/>
    <camera name="above" pos="0 0 0.215" fovy="8.6"/>
    <body><geom name="rod" type="capsule" size="{RADIUS_M} 0.03" zaxis="1 0 0"/></body>
  </worldbody>
</mujoco>"""
CAMERA = CameraUnit(exposure=0.2, white=(1, 1, 1), blur_px=0.5, vignette=0, shot=1e-5, read=1e-3)


def main() -> None:
    """Render all pairs and write the sheet."""
    pairs = [_pair(materials.from_id(f"{name}-1")) for name in materials.CATALOGUE]
    rows = [np.hstack(pairs[i : i + COLUMNS]) for i in range(0, len(pairs), COLUMNS)]
    PICTURE.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(PICTURE), np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size / 1e3:.0f} kB")


def _pair(surface: Surface) -> np.ndarray:
    model = mujoco.MjModel.from_xml_string(SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    geom = model.geom("rod").id
    both = np.hstack([_felt(model, data, geom, surface), _seen(model, data, geom, surface)])
    caption = np.full((CAPTION, 2 * WIDTH, 3), 255, np.uint8)
    text = surface.material.name.replace("_", " ")
    cv2.putText(caption, text, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0,) * 3, 1, cv2.LINE_AA)
    return np.pad(np.vstack([caption, both]), ((0, 4), (0, 4), (0, 0)), constant_values=255)


def _felt(model: mujoco.MjModel, data: mujoco.MjData, geom: int, surface: Surface) -> np.ndarray:
    top = np.array([0.0, 0.0, RADIUS_M - PRESSED_M])
    looking_down = np.diag([1.0, -1.0, -1.0])
    field = height_field(model, data, Pad(top, looking_down, (geom,)), {geom: surface})
    renderer = Renderer(GelUnit(noise=1.0))
    image = renderer.render(field, np.zeros(2), np.random.default_rng(0)).image
    return cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def _seen(model: mujoco.MjModel, data: mujoco.MjData, geom: int, surface: Surface) -> np.ndarray:
    lighting = Lighting(model, data, np.zeros(3), 0.1)
    settings = CameraSettings(width=2 * WIDTH, height=2 * HEIGHT)
    painter = Painter(model, {geom: surface})
    camera = Camera(model, data, "above", painter, lighting, CAMERA, settings)
    picture = camera.render(data, np.random.default_rng(0))
    return cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    main()
