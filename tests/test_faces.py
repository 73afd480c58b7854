"""The camera film is what Chromium can play."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import faces


def test_a_y4m_film_has_whole_frames(tmp_path: Path) -> None:
    data = faces.camera_video(tmp_path / "a.y4m", faces.person_a_again()).read_bytes()
    header, _, frames = data.partition(b"\n")
    assert header.startswith(b"YUV4MPEG2 W640 H480 ")
    frame = len(b"FRAME\n") + 640 * 480 * 3 // 2
    assert len(frames) == 20 * frame
    assert all(frames[place : place + 6] == b"FRAME\n" for place in range(0, len(frames), frame))


@pytest.mark.parametrize("picture", [faces.person_b, lambda: faces.person_a()[0]], ids=["wide", "upright"])
def test_an_mjpeg_film_covers_the_frame(tmp_path: Path, picture: Callable[[], bytes]) -> None:
    data = faces.camera_video(tmp_path / "b.mjpeg", picture()).read_bytes()
    assert data.count(b"\xff\xd8\xff") == 60
    assert faces.as_pixels(data).shape == (480, 640, 3)
