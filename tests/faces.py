"""Faces for tests, from public-domain NASA and US Navy portraits inside the wheels of scikit-image and matplotlib.

No picture is committed. "The same person again" is the one portrait under strong but realistic changes;
it says nothing about error rates, for which real pairs are needed.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

CAMERA = (640, 480)
_FRAMES_A_SECOND, _SECONDS = 10, 2


def person_a() -> list[bytes]:
    """Three enrolment photos of one woman (Eileen Collins, NASA), 360×480."""
    head = _astronaut()[0:320, 103:343]
    return [
        as_jpeg(_scaled(head, 360, 480), 90),
        as_jpeg(_scaled(_lit(_turned(head, 4), 0.9, 8), 360, 480), 85),
        as_jpeg(_scaled(_turned(head, -3)[10:290, 15:225], 360, 480), 85),
    ]


def person_a_again() -> bytes:
    """The same woman before a camera, 640×480: mirrored, tilted by 8°, dimmer, slightly blurred, JPEG 60."""
    picture = _scaled(_astronaut()[10:250, 64:384], *CAMERA)[:, ::-1]
    return as_jpeg(_blurred(_turned(_lit(picture, 0.75), -8), 1.2), 60)


def person_b() -> bytes:
    """Another woman (Grace Hopper, US Navy) before the camera, 640×480."""
    return as_jpeg(_scaled(_hopper()[40:424], *CAMERA), 85)


def two_people() -> bytes:
    """Both women side by side, 640×480."""
    a, b = _astronaut()[10:250, 143:303], _hopper()[60:444, 128:384]
    return as_jpeg(np.hstack([_scaled(a, 320, 480), _scaled(b, 320, 480)]), 85)


def nobody() -> bytes:
    """A camera picture of an empty wall, 640×480."""
    ramp = np.linspace(120, 190, CAMERA[0], dtype=np.uint8)
    return as_jpeg(np.repeat(np.tile(ramp, (CAMERA[1], 1))[:, :, None], 3, axis=2), 80)


def camera_video(path: Path, picture: bytes) -> Path:
    """Write two seconds for Chromium's `--use-file-for-fake-video-capture`, which repeats them.

    640×480, the picture covering the frame, swaying by a few pixels as a waiting person does. A name that
    ends in .mjpeg gives MJPEG (small, played at 30 frames a second), any other Y4M.
    """
    still = as_pixels(picture)
    scale = max(CAMERA[0] / still.shape[1], CAMERA[1] / still.shape[0])
    still = _scaled(still, round(still.shape[1] * scale), round(still.shape[0] * scale))
    y, x = (still.shape[0] - CAMERA[1]) // 2, (still.shape[1] - CAMERA[0]) // 2
    still = still[y : y + CAMERA[1], x : x + CAMERA[0]]
    is_mjpeg = path.suffix == ".mjpeg"
    with path.open("wb") as file:
        if not is_mjpeg:
            file.write(b"YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n" % (*CAMERA, _FRAMES_A_SECOND))
        for number in range(_FRAMES_A_SECOND * _SECONDS):
            phase = 2 * np.pi * number / (_FRAMES_A_SECOND * _SECONDS)
            frame = _moved(still, 4 * np.sin(phase), 2 * np.sin(2 * phase))
            if is_mjpeg:
                file.write(as_jpeg(frame, 85) * (30 // _FRAMES_A_SECOND))
            else:
                file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420).tobytes())
    return path


def as_jpeg(pixels: Pixels, quality: int) -> bytes:
    """Encode BGR pixels."""
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def as_pixels(picture: bytes) -> Pixels:
    """Decode to BGR pixels."""
    return _bytes(cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR))


@cache
def _astronaut() -> Pixels:
    return _read("skimage", "data/astronaut.png")


@cache
def _hopper() -> Pixels:
    return _read("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")


def _read(package: str, name: str) -> Pixels:
    # Only the file is wanted: importing either package would take a second.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"The test faces need the development dependency that brings {package}.")
    return as_pixels((Path(spec.submodule_search_locations[0]) / name).read_bytes())


def _scaled(pixels: Pixels, width: int, height: int) -> Pixels:
    return _bytes(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))


def _turned(pixels: Pixels, degrees: float) -> Pixels:
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return _bytes(cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))


def _moved(pixels: Pixels, right: float, down: float) -> Pixels:
    height, width = pixels.shape[:2]
    matrix = np.array([[1, 0, right], [0, 1, down]], dtype=np.float64)
    return _bytes(cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))


def _lit(pixels: Pixels, gain: float, lift: float = 0) -> Pixels:
    return np.clip(pixels.astype(np.float64) * gain + lift, 0, 255).astype(np.uint8)


def _blurred(pixels: Pixels, sigma: float) -> Pixels:
    return _bytes(cv2.GaussianBlur(pixels, (0, 0), sigma))


def _bytes(pixels: object) -> Pixels:
    return np.asarray(pixels, dtype=np.uint8)
