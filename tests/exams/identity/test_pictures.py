import io

import numpy as np
import pytest
from PIL import Image

from exams.identity.pictures import LONGEST_SIDE, UnreadablePictureError, read_picture


def encoded(picture: Image.Image, form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def half_and_half() -> Image.Image:
    """Red above, blue below."""
    picture = Image.new("RGB", (40, 60), (255, 0, 0))
    picture.paste((0, 0, 255), (0, 30, 40, 60))
    return picture


@pytest.mark.parametrize(("orientation", "size"), [(1, (60, 40)), (3, (60, 40)), (6, (40, 60)), (8, (40, 60))])
def test_a_turned_phone_picture_is_set_upright(orientation: int, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = read_picture(encoded(half_and_half(), "JPEG", exif=exif, quality=95))
    assert pixels.shape == (*size, 3)
    if orientation == 3:
        assert pixels[5, 20, 2] > 200  # the blue half is now above


def test_a_huge_picture_is_scaled_down() -> None:
    pixels = read_picture(encoded(Image.new("RGB", (6000, 4000), "grey"), "JPEG"))
    assert max(pixels.shape) == LONGEST_SIDE
    assert pixels.shape[0] == pytest.approx(LONGEST_SIDE * 4000 / 6000, abs=1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_kind_of_colour_becomes_rgb(mode: str) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"
    pixels = read_picture(encoded(half_and_half().convert(mode), form))
    assert pixels.shape == (60, 40, 3)
    assert pixels.dtype == np.uint8


def test_transparency_is_laid_on_white() -> None:
    pixels = read_picture(encoded(Image.new("RGBA", (10, 10), (0, 0, 0, 0))))
    assert (pixels == 255).all()


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"not a picture at all", b"\xff\xd8\xff\xe0" + b"\0" * 500])
def test_bytes_that_are_no_picture_are_refused(data: bytes) -> None:
    with pytest.raises(UnreadablePictureError):
        read_picture(data)


def test_another_format_is_refused_even_if_it_is_a_picture() -> None:
    with pytest.raises(UnreadablePictureError):
        read_picture(encoded(half_and_half(), "BMP"))


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.9])
def test_a_picture_cut_off_on_the_way_is_refused(form: str, part: float) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    whole = encoded(Image.fromarray(noise), form)
    with pytest.raises(UnreadablePictureError):
        read_picture(whole[: int(len(whole) * part)])


def test_a_decompression_bomb_is_refused() -> None:
    with pytest.raises(UnreadablePictureError):
        read_picture(encoded(Image.new("1", (30_000, 30_000))))
