"""The receipt as a file in the candidate's hands: its acts and the countersigned facts, made and checked.

It names nobody and holds no question, so that anyone may be shown it. Checking needs nothing but the
file and the public keys of this installation.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from exams.chain import fold
from exams.marking import last_choices
from exams.receipts import VERSION, Receipt, instant
from exams.sitting_states import SittingAct
from training.errors import N_, BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exams.chain import Linked
    from exams.receipts import CheckSignature

LARGEST_FILE = 1024 * 1024
_LARGEST_NUMBER = 2**31 - 1
_ENDS = {SittingAct.HANDED_IN, SittingAct.TIMED_OUT, SittingAct.CLOSED_BY_SITE}
_DIGEST = re.compile("[0-9a-f]{64}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_CHOICE = re.compile("[TF]|[A-H]{0,8}")
_KEY_ID = re.compile("[!-~]{1,32}")
_SIGNATURE = re.compile("[A-Za-z0-9_-]{86}")


class ReceiptTooLarge(BadInput):
    """No receipt is so large."""

    message = N_("文件超过 {most} KB，不会是作答回执。请选择在成绩页面下载的“作答回执（JSON）”文件。")


class NotAReceipt(BadInput):
    """Another file."""

    message = N_("这个文件不是作答回执。请选择在成绩页面下载的 JSON 文件；PDF、截图和照片不能在这里核验。")


class OtherVersion(BadInput):
    """A receipt of another version of the format."""

    message = N_("这份回执的格式版本是“{version}”，本系统只能核验“{ours}”。请到出具这份回执的系统核验。")


class DamagedReceipt(BadInput):
    """A receipt whose text was damaged, or changed to what no receipt holds."""

    message = N_("回执文件不完整或被改动过（{part}），无法核验。请重新下载，不要用其他软件打开后另存。")


class SignatureState(StrEnum):
    """What a signature says."""

    HOLDS = "HOLDS"
    WRONG = "WRONG"
    KEY_UNKNOWN = "KEY_UNKNOWN"


@dataclass(frozen=True, slots=True)
class FileAct:
    """One act of the file."""

    seq: int
    position: int
    choice: str
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReceiptFile:
    """What stands in a file that can be read."""

    receipt: Receipt
    acts: tuple[FileAct, ...]
    key_id: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class ReceiptVerdict:
    """What a file proves. `chain_holds`: its acts make the head; `counts_hold`: there are as many as it says."""

    receipt: Receipt
    key_id: str
    signature: SignatureState
    chain_holds: bool
    counts_hold: bool

    @property
    def stands(self) -> bool:
        """Whether everything holds."""
        return self.signature is SignatureState.HOLDS and self.chain_holds and self.counts_hold


def write_receipt_file(receipt: Receipt, acts: Iterable[Linked], *, key_id: str, signature: bytes) -> bytes:
    """The file, one act a line so that people can read along."""
    lines = [
        json.dumps(
            {"seq": act.seq, "position": act.position, "choice": act.choice,
             "at": None if act.answered_at is None else instant(act.answered_at)}
        )
        for act in sorted(acts, key=lambda act: act.seq)
    ]  # fmt: skip
    facts = json.dumps(receipt.facts(), sort_keys=True, indent=1)
    signed = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    listed = "[\n" + ",\n".join(lines) + "\n]"
    return (
        f'{{\n"receipt": {facts},\n"key_id": {json.dumps(key_id)},\n"signature": "{signed}",\n"acts": {listed}\n}}\n'
    ).encode()


def check_receipt_file(data: bytes, check_signature: CheckSignature) -> ReceiptVerdict:
    """Make the chain again and check the signature. Pure. Raises the errors of `read_receipt_file`."""
    file = read_receipt_file(data)
    receipt = file.receipt
    head = fold(receipt.sitting_id, ((act.seq, act.position, act.choice, act.answered_at) for act in file.acts))
    answered = last_choices((act.seq, act.position, act.choice) for act in file.acts)
    holds = check_signature(file.key_id, receipt.signed_bytes(), file.signature)
    state = {None: SignatureState.KEY_UNKNOWN, True: SignatureState.HOLDS, False: SignatureState.WRONG}[holds]
    return ReceiptVerdict(
        receipt=receipt,
        key_id=file.key_id,
        signature=state,
        chain_holds=head == receipt.head,
        counts_hold=(len(file.acts), len(answered)) == (receipt.events, receipt.answered),
    )


def read_receipt_file(data: bytes) -> ReceiptFile:
    """Raises `ReceiptTooLarge`, `NotAReceipt`, `OtherVersion` or `DamagedReceipt`."""
    if len(data) > LARGEST_FILE:
        raise ReceiptTooLarge(most=LARGEST_FILE // 1024, field="file")
    try:
        sent = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise NotAReceipt(field="file") from error
    if not isinstance(sent, dict) or not isinstance(sent.get("receipt"), dict):
        raise NotAReceipt(field="file")
    version = sent["receipt"].get("version")
    if not isinstance(version, str):
        raise NotAReceipt(field="file")
    if version != VERSION:
        raise OtherVersion(version=version[:40], ours=VERSION, field="file")
    return ReceiptFile(
        receipt=_read_facts(sent["receipt"]),
        acts=_read_acts(sent.get("acts")),
        key_id=_matching(sent, "key_id", _KEY_ID),
        signature=_read_signature(sent),
    )


def _read_facts(sent: Mapping[str, Any]) -> Receipt:
    status = sent.get("status")
    if not isinstance(status, str) or status not in _ENDS:
        raise _damaged("status")
    receipt = Receipt(
        sitting_id=_read_id(sent),
        paper=bytes.fromhex(_matching(sent, "paper_sha256", _DIGEST)),
        head=bytes.fromhex(_matching(sent, "chain_head", _DIGEST)),
        events=_number(sent, "events"),
        answered=_number(sent, "answered"),
        status=status,
        started_at=_read_instant(sent, "started_at"),
        ended_at=_read_instant(sent, "ended_at"),
    )
    # What the signature covers is made from what was read: nothing else may stand beside it.
    if receipt.facts() != sent:
        raise _damaged("receipt")
    return receipt


def _read_id(sent: Mapping[str, Any]) -> UUID:
    try:
        return UUID(str(sent.get("sitting_id")))
    except ValueError as error:
        raise _damaged("sitting_id") from error


def _read_acts(sent: object) -> tuple[FileAct, ...]:
    if not isinstance(sent, list) or not all(isinstance(act, dict) for act in sent):
        raise _damaged("acts")
    acts = tuple(
        FileAct(
            seq=_number(act, "seq"),
            position=_number(act, "position"),
            choice=_matching(act, "choice", _CHOICE),
            answered_at=None if act.get("at") is None else _read_instant(act, "at"),
        )
        for act in sent
    )
    numbers = [act.seq for act in acts]
    if numbers != sorted(set(numbers)):
        raise _damaged("seq")
    return acts


def _read_instant(sent: Mapping[str, Any], name: str) -> datetime:
    try:
        return datetime.fromisoformat(_matching(sent, name, _INSTANT))
    except ValueError as error:
        raise _damaged(name) from error


def _read_signature(sent: Mapping[str, Any]) -> bytes:
    try:
        return base64.urlsafe_b64decode(_matching(sent, "signature", _SIGNATURE) + "==")
    except binascii.Error as error:
        raise _damaged("signature") from error


def _matching(sent: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = sent.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _damaged(name)
    return value


def _number(sent: Mapping[str, Any], name: str) -> int:
    value = sent.get(name)
    if type(value) is not int or not 0 <= value <= _LARGEST_NUMBER:
        raise _damaged(name)
    return value


def _damaged(part: str) -> DamagedReceipt:
    return DamagedReceipt(part=part, field="file")
