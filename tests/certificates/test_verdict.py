from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from certificates.credential import Altered, Credential, NotACredential, UnknownKey, make_credential, qr_text
from certificates.models import CertificateKind
from certificates.register.public import read_credential
from certificates.scanning import Elsewhere, read_fragment, read_shown
from certificates.status import CertificateFacts
from certificates.verdict import Outcome, PublicRecord, verdict
from training.calendar import start_of_day

HOST = "anpei.example.gov.cn"
ID = "ABCDEFGHIJKLMNOPQRSTUVWXYQ"
KEY = Ed25519PrivateKey.from_private_bytes(b"1" * 32)
KEYS = {"k1": KEY.public_key()}
CLAIMS = Credential(
    issuer="91110105MA0000015F",
    public_id=ID,
    kind=CertificateKind.SPECIAL_OPERATION,
    holder_masked="张**",
    item_code="SO_1_2",
    item_name="低压电工作业",
    issued_at=datetime(2026, 11, 21, 2, 30, tzinfo=UTC),
    valid_from=date(2026, 11, 21),
    valid_to=date(2032, 11, 20),
    review_due_on=date(2029, 11, 20),
)
DATA = make_credential(CLAIMS, kid="k1", key=KEY)
FACTS = CertificateFacts(date(2026, 11, 21), date(2032, 11, 20), date(2029, 11, 20))
RECORD = PublicRecord(
    public_id=ID,
    kind=CLAIMS.kind,
    holder_masked="张**",
    class_name="电工作业",
    item_name="低压电工作业",
    issuer_name="演示市应急管理局",
    facts=FACTS,
    window_days=60,
    claims=CLAIMS,
)
days = st.dates(date(2026, 1, 1), date(2040, 12, 31))
maybe_days = st.none() | days
records = st.builds(
    lambda revoked, cancelled, replaced, reviewed: replace(
        RECORD,
        facts=replace(FACTS, revoked_on=revoked, cancelled_on=cancelled, replaced_on=replaced, reviewed_on=reviewed),
    ),
    maybe_days,
    maybe_days,
    maybe_days,
    maybe_days,
)
shown_things = st.sampled_from(
    [None, CLAIMS, replace(CLAIMS, holder_masked="李**"), NotACredential(), Altered(), UnknownKey()]
)


@given(record=st.none() | records, shown=shown_things, day=days)
def test_good_means_signed_equal_to_the_record_and_in_force(
    record: PublicRecord | None, shown: Credential | None, day: date
) -> None:
    found = verdict(record, shown, now=start_of_day(day))
    is_proved = record is not None and shown == record.claims
    assert found.is_good == (is_proved and record is not None and record.status_on(day).is_usable)


@given(record=records, shown=shown_things, day=days)
def test_what_is_not_the_signed_data_is_altered_and_shows_nothing(
    record: PublicRecord, shown: Credential | None, day: date
) -> None:
    found = verdict(record, shown, now=start_of_day(day))
    if shown is not None and shown != CLAIMS:
        assert found.outcome is Outcome.ALTERED
        assert found.record is None
    else:
        assert found.record == record


@given(shown=shown_things, day=days)
def test_an_unknown_id_is_unknown_whatever_is_shown(shown: Credential | None, day: date) -> None:
    assert verdict(None, shown, now=start_of_day(day)).outcome is Outcome.UNKNOWN


@given(record=records, day=days)
def test_an_id_alone_is_never_called_genuine(record: PublicRecord, day: date) -> None:
    assert verdict(record, None, now=start_of_day(day)).outcome is not Outcome.GENUINE


@given(place=st.integers(0, len(DATA) - 1), bit=st.integers(0, 7))
def test_one_changed_bit_is_altered(place: int, bit: int) -> None:
    forged = bytearray(DATA)
    forged[place] ^= 1 << bit
    shown = read_credential(bytes(forged), keys=KEYS)
    assert verdict(RECORD, shown, now=start_of_day(date(2027, 1, 1))).outcome is Outcome.ALTERED


def test_a_credential_of_another_certificate_does_not_fit() -> None:
    other = make_credential(replace(CLAIMS, public_id="B" * 25 + "A"), kid="k1", key=KEY)
    shown = read_credential(other, keys=KEYS)
    assert verdict(RECORD, shown, now=start_of_day(date(2027, 1, 1))).outcome is Outcome.ALTERED


def test_a_record_that_was_tampered_with_no_longer_fits_its_signature() -> None:
    longer = replace(RECORD, claims=replace(CLAIMS, valid_to=date(2040, 1, 1)))
    shown = read_credential(DATA, keys=KEYS)
    assert verdict(longer, shown, now=start_of_day(date(2027, 1, 1))).outcome is Outcome.ALTERED


def test_our_own_code_is_read_in_capitals_or_not() -> None:
    text = qr_text(f"https://{HOST}", ID, DATA)
    for each in (text, text.lower(), f"  {text}\n"):
        shown = read_shown(each, host=HOST)
        assert (shown.public_id, shown.credential) == (ID, DATA)


def test_another_host_is_elsewhere_before_anything_else() -> None:
    for forged in ("anpei.example.gov.cn.evil.top", "anpei-example.gov.cn", "user@anpei.example.gov.cn:444"):
        with pytest.raises(Elsewhere):
            read_shown(qr_text(f"https://{forged}", ID, DATA), host=HOST)


def test_a_typed_address_has_no_credential() -> None:
    assert read_shown(f"https://{HOST}/c/{ID.lower()}", host=HOST).credential is None
    assert read_shown(ID.lower(), host=HOST).credential is None
    assert read_shown(f"https://{HOST}/C/{ID}#NOT!BASE32", host=HOST).credential == b""


@given(st.text(max_size=200))
def test_reading_never_fails_in_another_way(text: str) -> None:
    with contextlib.suppress(NotACredential):
        read_shown(text, host=HOST)
    read_fragment(text)
    read_fragment("#" + text)


def test_a_stray_ending_is_not_the_same_code() -> None:
    assert read_fragment("ME") == b"a"
    assert read_fragment("MF") == b""
