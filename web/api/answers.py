"""The body and the replies of `PUT /api/v1/sittings/{id}/answers`, as the hot path and Litestar give them."""

from __future__ import annotations

import binascii
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

import msgspec

from exams.answers import (
    MOST_ANSWERS,
    Acknowledged,
    AnswerAct,
    DeviceTaken,
    NumberUsed,
    SittingEnded,
    SittingPaused,
    WrongDevice,
    check_act,
)
from exams.models import SittingStatus
from exams.timing import seconds_left
from training.errors import N_, AnpeiError, BadInput
from web.answer_writer import Busy
from web.errors import status_of
from web.i18n.catalogue import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

_KNOWN_YEARS = range(2000, 2101)
TIME_IS_UP = "TIMED_OUT"
_LINK_CHARACTERS = 43
_URL_SAFE = str.maketrans("-_", "+/")


class BadBody(BadInput):
    """Not the JSON that is documented."""

    message = N_("提交的答案不完整或格式有误，没有保存。请刷新页面后重试。")


class AnswerIn(msgspec.Struct, forbid_unknown_fields=False):
    """One answer act."""

    seq: Annotated[int, msgspec.Meta(ge=1, description="The client's own number, counting from 1 in each sitting.")]
    position: Annotated[int, msgspec.Meta(ge=1, description="The item's place on the paper, from 1.")]
    choice: Annotated[
        str,
        msgspec.Meta(
            max_length=8,
            description='Displayed letters: "B", "ACD"; "T" or "F" for true/false; "" clears the answer.',
            examples=["B"],
        ),
    ]
    at: Annotated[
        str, msgspec.Meta(description="When the act was made, ISO 8601 with milliseconds, by the server's time.")
    ] = ""
    link: Annotated[
        str,
        msgspec.Meta(
            description="The act's link of the hash chain (exams/chain.py), 32 bytes as base64url without padding. "
            "Optional in time; after the deadline only linked acts can still count."
        ),
    ] = ""


class AnswersIn(msgspec.Struct):
    """Acts to save, in any order; sending one again is harmless."""

    answers: Annotated[list[AnswerIn], msgspec.Meta(max_length=MOST_ANSWERS)]


class AnswersSaved(msgspec.Struct):
    """Every number in `saved` is committed to the database."""

    saved: list[int]
    answered: int
    total: int
    seconds_left: int
    status: str


class AnswersRefused(msgspec.Struct):
    """Why not everything is saved. `saved` still lists what is, so that a client can let go of it.

    It lets go of `kept_late` too: these came too late, do not count, and are shown to the authority.
    """

    error: str
    code: str
    message: str
    status: str
    saved: list[int]
    kept_late: list[int] = []
    seconds_left: int = 0
    field: str = ""


_decode = msgspec.json.Decoder(AnswersIn).decode


def read_acts(body: bytes) -> list[AnswerAct]:
    """The acts of a request's body. Raises `BadBody` or `BadAnswer`."""
    try:
        sent = _decode(body)
    except msgspec.MsgspecError as error:
        raise BadBody(field="answers") from error
    return check_acts(sent)


def check_acts(sent: AnswersIn) -> list[AnswerAct]:
    """The acts, each number once. Raises `BadBody` or `BadAnswer`."""
    acts = {
        answer.seq: check_act(
            answer.seq, answer.position, answer.choice, _instant(answer.at), _link(answer.link) if answer.link else None
        )
        for answer in sent.answers
    }
    if len(acts) != len(sent.answers) or not acts:
        raise BadBody(field="answers")
    return list(acts.values())


def _instant(text: str) -> datetime | None:
    """The client's clock if it makes sense; an answer is never lost for its sake."""
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    if instant.year not in _KNOWN_YEARS:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _link(text: str) -> bytes | None:
    """32 bytes; anything else is no link, and no reason to lose an answer."""
    if len(text) != _LINK_CHARACTERS:
        return None
    try:
        return binascii.a2b_base64(text.translate(_URL_SAFE) + "=", strict_mode=True)
    except (binascii.Error, ValueError):
        return None


def saved_reply(found: Acknowledged, *, now: datetime) -> AnswersSaved:
    """The reply when everything that was sent is saved."""
    left = seconds_left(found.deadline, now=now) if found.deadline else 0
    return AnswersSaved(list(found.saved), found.answered, found.total, left, _status(found, now))


def refused_reply(error: AnpeiError, *, now: datetime, found: Acknowledged | None = None) -> tuple[int, AnswersRefused]:
    """Status and body of a refusal."""
    status, code = status_of(error), type(error).__name__
    if isinstance(error, Busy):
        status, code = HTTPStatus.SERVICE_UNAVAILABLE, "BUSY"
    elif isinstance(error, WrongDevice):
        status, code = HTTPStatus.UNAUTHORIZED, "TOKEN"
    elif isinstance(error, NumberUsed):
        code = "NUMBER"
    elif isinstance(error, SittingEnded):
        status, code = HTTPStatus.GONE, "ENDED"
    elif isinstance(error, SittingPaused):
        status, code = HTTPStatus.LOCKED, "PAUSED"
    elif isinstance(error, DeviceTaken):
        code = "DEVICE"
    # Who never held the sitting learns nothing of it.
    saved: Sequence[int] = found.saved if found and not isinstance(error, WrongDevice) else ()
    left = seconds_left(found.deadline, now=now) if found and found.deadline and found.is_holder else 0
    reply = AnswersRefused(
        error=type(error).__name__,
        code=code,
        message=sentence(error),
        status=_status(found, now) if found and found.is_holder else "",
        saved=list(saved),
        kept_late=list(found.kept_late) if found else [],
        seconds_left=left,
        field=getattr(error, "field", ""),
    )
    return int(status), reply


def _status(found: Acknowledged, now: datetime) -> str:
    if found.status is SittingStatus.OPEN and found.deadline is not None and now >= found.deadline:
        return TIME_IS_UP
    return found.status.value if found.status else ""
