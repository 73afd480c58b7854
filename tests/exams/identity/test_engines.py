"""The engines on two real faces, in this process."""

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile

from exams.identity.engines import Engines, load_engines
from exams.identity.matcher import MatchRules, Reason, decide
from exams.identity.pictures import UnreadablePictureError
from exams.models import CheckVerdict
from tests import faces

ACCEPT, REFER, REJECT = CheckVerdict.ACCEPT, CheckVerdict.REFER, CheckVerdict.REJECT


@pytest.fixture(scope="module")
def both() -> Engines:
    return load_engines(("sface", "dlib"))


@pytest.fixture(scope="module")
def alone() -> Engines:
    return load_engines(("sface",))


def changed(picture: bytes, **change: float) -> bytes:
    """The camera picture, blurred by `blur` pixels, lit by `light` or shrunk to `part` of its size."""
    pixels = faces.as_pixels(picture).astype(np.float64) * change.get("light", 1.0)
    small = cv2.resize(pixels, None, fx=change.get("part", 1.0), fy=change.get("part", 1.0))
    if sigma := change.get("blur", 0.0):
        small = cv2.GaussianBlur(small, (0, 0), sigma)
    return faces.as_jpeg(np.clip(small, 0, 255).astype(np.uint8), 85)


def test_the_same_person_is_accepted_by_both_engines(both: Engines) -> None:
    scores = both.compare(enrolled=faces.person_a(), live=faces.person_a_again())
    assert decide(scores, MatchRules()) == ACCEPT
    assert (scores.faces_live, scores.faces_enrolled, scores.reasons) == (1, 3, ())
    assert set(scores.engines) == {"sface", "dlib"}


def test_the_same_person_is_accepted_by_sface_alone(alone: Engines) -> None:
    scores = alone.compare(enrolled=faces.person_a(), live=faces.person_a_again())
    assert decide(scores, MatchRules()) == ACCEPT
    assert scores.dlib_distance is None
    assert set(scores.engines) == {"sface"}


def test_another_person_is_never_accepted(both: Engines, alone: Engines) -> None:
    for engines in (both, alone):
        scores = engines.compare(enrolled=faces.person_a(), live=faces.person_b())
        assert decide(scores, MatchRules()) in {REFER, REJECT}


@pytest.mark.parametrize("photos", [1, 2, 3])
def test_fewer_enrolment_photos_do_as_well(both: Engines, photos: int) -> None:
    scores = both.compare(enrolled=faces.person_a()[:photos], live=faces.person_a_again())
    assert decide(scores, MatchRules()) == ACCEPT
    assert scores.faces_enrolled == photos
    assert (scores.enrolled_cosine is None) == (photos == 1)


@pytest.mark.parametrize("light", [0.4, 0.7, 1.3])
def test_dim_and_bright_light_are_borne(both: Engines, light: float) -> None:
    scores = both.compare(enrolled=faces.person_a(), live=changed(faces.person_a_again(), light=light))
    assert decide(scores, MatchRules()) == ACCEPT


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (faces.nobody, Reason.NO_FACE),
        (faces.two_people, Reason.MANY_FACES),
        (lambda: changed(faces.person_a_again(), part=0.3), Reason.TOO_SMALL),
        (lambda: changed(faces.person_a_again(), blur=8), Reason.BLURRED),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "",
)
def test_a_picture_that_cannot_be_judged_goes_to_an_officer(
    both: Engines, picture: Callable[[], bytes], reason: Reason
) -> None:
    scores = both.compare(enrolled=faces.person_a(), live=picture())
    assert reason in scores.reasons
    assert scores.sface_cosine is None
    assert decide(scores, MatchRules()) == REFER


def test_a_bystander_far_behind_is_not_counted(alone: Engines) -> None:
    scene = faces.as_pixels(faces.person_a_again()).copy()
    behind = cv2.resize(faces.as_pixels(faces.person_b()), (120, 90), interpolation=cv2.INTER_AREA)
    scene[10:100, 10:130] = behind
    scores = alone.compare(enrolled=faces.person_a(), live=faces.as_jpeg(scene, 85))
    assert scores.faces_live == 1
    assert decide(scores, MatchRules()) == ACCEPT


def test_without_a_usable_enrolment_photo_an_officer_looks(alone: Engines) -> None:
    live = faces.person_a_again()
    assert alone.compare(enrolled=[], live=live).reasons == (Reason.NOT_ENROLLED,)
    useless = [b"broken", faces.nobody(), faces.two_people()]
    assert alone.compare(enrolled=useless, live=live).reasons == (Reason.ENROLLED_UNUSABLE,)


def test_a_useless_enrolment_photo_is_passed_over(alone: Engines) -> None:
    scores = alone.compare(enrolled=[b"broken", faces.person_a()[0]], live=faces.person_a_again())
    assert scores.faces_enrolled == 1
    assert decide(scores, MatchRules()) == ACCEPT


@pytest.mark.parametrize("live", [faces.person_a_again, faces.person_b], ids=["one", "the other"])
def test_two_people_enrolled_as_one_cannot_both_come_in(both: Engines, live: Callable[[], bytes]) -> None:
    scores = both.compare(enrolled=[faces.person_a()[0], faces.person_b()], live=live())
    assert decide(scores, MatchRules()) == REFER


def test_a_picture_on_its_side_is_compared_upright(alone: Engines) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    upright = Image.open(io.BytesIO(faces.person_a_again()))
    upright.rotate(90, expand=True).save(out, "JPEG", exif=exif, quality=90)
    scores = alone.compare(enrolled=faces.person_a(), live=out.getvalue())
    assert decide(scores, MatchRules()) == ACCEPT


def test_a_grey_picture_is_compared_too(both: Engines) -> None:
    out = io.BytesIO()
    Image.open(io.BytesIO(faces.person_a_again())).convert("L").save(out, "PNG")
    scores = both.compare(enrolled=faces.person_a(), live=out.getvalue())
    assert decide(scores, MatchRules()) == ACCEPT


def test_a_broken_camera_picture_is_told_apart_from_a_stranger(alone: Engines) -> None:
    with pytest.raises(UnreadablePictureError):
        alone.compare(enrolled=faces.person_a(), live=faces.person_a_again()[:4000])


def test_loading_dlib_does_not_let_damaged_pictures_pass(both: Engines) -> None:
    assert both.dlib is not None
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
