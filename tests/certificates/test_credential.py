from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cwt import COSEKey
from cwt import decode as decode_cwt
from hypothesis import assume, given
from hypothesis import strategies as st

from certificates.credential import (
    Altered,
    Credential,
    NotACredential,
    NotGenuine,
    UnknownKey,
    make_credential,
    make_public_id,
    open_credential,
    qr_text,
    read_qr_text,
)
from certificates.models import CertificateKind
from certificates.signing import Signer, export_public_key, import_public_key
from training.printing import qr_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SIGNER = Signer("abcd1234", Ed25519PrivateKey.from_private_bytes(b"1" * 32))
KEYS: Mapping[str, Ed25519PublicKey] = {SIGNER.kid: SIGNER.key.public_key()}
WELDER = Credential(
    issuer="BJ-YJ",
    public_id="ABCDEFGHIJKLMNOPQRSTUVWXYQ",
    kind=CertificateKind.SPECIAL_OPERATION,
    holder_masked="张**",
    item_code="SO_1_2",
    item_name="低压电工作业",
    issued_at=datetime(2026, 11, 21, 2, 30, tzinfo=UTC),
    valid_from=date(2026, 11, 21),
    valid_to=date(2032, 11, 20),
    review_due_on=date(2029, 11, 20),
)
SIGNED = make_credential(WELDER, kid=SIGNER.kid, key=SIGNER.key)

dates = st.dates(date(1990, 1, 1), date(2090, 1, 1))
credentials = st.builds(
    Credential,
    issuer=st.text(max_size=12),
    public_id=st.builds(make_public_id),
    kind=st.sampled_from(CertificateKind),
    holder_masked=st.text(max_size=20),
    item_code=st.text(max_size=10),
    item_name=st.text(max_size=40),
    issued_at=st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    valid_from=dates,
    valid_to=st.none() | dates,
    review_due_on=st.none() | dates,
)


@given(credentials)
def test_what_is_signed_is_what_is_read(credential: Credential) -> None:
    data = make_credential(credential, kid=SIGNER.kid, key=SIGNER.key)
    assert open_credential(data, keys=KEYS) == credential


def test_the_same_facts_give_the_same_bytes() -> None:
    assert make_credential(WELDER, kid=SIGNER.kid, key=SIGNER.key) == SIGNED


def test_an_independent_cwt_reader_finds_the_registered_claims() -> None:
    key = COSEKey.new({1: 1, -1: 6, -2: SIGNER.public_key, 2: SIGNER.kid.encode(), 3: -8, 4: [2]})
    long_lived = replace(WELDER, issued_at=datetime(2020, 1, 1, tzinfo=UTC), valid_from=date(2020, 1, 1), valid_to=None)
    claims = decode_cwt(make_credential(long_lived, kid=SIGNER.kid, key=SIGNER.key), key)
    assert isinstance(claims, dict)
    assert claims[1] == "BJ-YJ"
    assert len(claims[7]) == 16
    assert claims[5] == datetime(2019, 12, 31, 16, 0, tzinfo=UTC).timestamp()


def test_it_counts_to_the_end_of_its_last_day_in_china() -> None:
    claims = cbor2.loads(cbor2.loads(SIGNED).value[2])
    assert claims[4] == datetime(2032, 11, 20, 16, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("place", range(len(SIGNED)))
def test_no_changed_byte_goes_unseen(place: int) -> None:
    for change in (1, 0x20, 0x80):
        forged = bytearray(SIGNED)
        forged[place] ^= change
        with pytest.raises(NotGenuine):
            open_credential(bytes(forged), keys=KEYS)


def test_a_changed_name_is_called_altered() -> None:
    with pytest.raises(Altered):
        open_credential(SIGNED.replace("张".encode(), "李".encode()), keys=KEYS)


def test_a_key_that_no_issuer_has_is_called_unknown() -> None:
    forger = Ed25519PrivateKey.generate()
    with pytest.raises(UnknownKey):
        open_credential(make_credential(WELDER, kid="forger01", key=forger), keys=KEYS)
    with pytest.raises(Altered):
        open_credential(make_credential(WELDER, kid=SIGNER.kid, key=forger), keys=KEYS)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        SIGNED[:-1],
        SIGNED + b"\x00",
        b"\xd8\x3d" + SIGNED,
        SIGNED.replace(b"\xa0", b"\xa1\x04\x41x", 1),
        b"\x81" * 500,
        b"\xd2" * 500,
        b"\x5b\x7f" + b"\xff" * 7,
        b"x" * 5000,
    ],
)
def test_anything_but_the_one_encoding_is_not_a_credential(broken: bytes) -> None:
    with pytest.raises(NotACredential):
        open_credential(broken, keys=KEYS)


def _signed(payload: object) -> bytes:
    protected = cbor2.dumps({1: -8, 4: SIGNER.kid.encode()})
    body = cbor2.dumps(payload, canonical=True)
    signature = SIGNER.key.sign(cbor2.dumps(["Signature1", protected, b"", body]))
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, body, signature]))


@pytest.mark.parametrize(
    "payload",
    [
        {},
        [],
        None,
        {1: "x", 5: 10**30, 6: 0, 7: b"0" * 16, -65537: {1: 1, 2: "", 3: "", 4: ""}},
        {1: "x", 5: 0, 6: 0, 7: b"0" * 15, -65537: {1: 1, 2: "", 3: "", 4: ""}},
        {1: "x", 5: 0, 6: 0, 7: b"0" * 16, -65537: {1: 99, 2: "", 3: "", 4: ""}},
    ],
)
def test_something_else_signed_with_a_known_key_is_not_a_credential(payload: object) -> None:
    with pytest.raises(NotACredential):
        open_credential(_signed(payload), keys=KEYS)


@given(st.binary(max_size=400))
def test_any_bytes_are_answered_with_one_of_three_errors(data: bytes) -> None:
    with pytest.raises(NotGenuine):
        open_credential(data, keys=KEYS)


@given(st.integers(0, len(SIGNED)), st.integers(0, len(SIGNED)), st.binary(max_size=40))
def test_any_splice_is_answered_too(start: int, end: int, inserted: bytes) -> None:
    spliced = SIGNED[:start] + inserted + SIGNED[end:]
    assume(spliced != SIGNED)
    with pytest.raises(NotGenuine):
        open_credential(spliced, keys=KEYS)


def test_ids_are_128_random_bits_in_base32() -> None:
    ids = {make_public_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(public_id) == 26 and public_id.isalnum() and public_id.isupper() for public_id in ids)


@pytest.mark.parametrize(
    ("public_url", "start", "host"),
    [
        ("https://anpei.example.gov.cn", "HTTPS://ANPEI.EXAMPLE.GOV.CN/C/ABC", "anpei.example.gov.cn"),
        ("http://127.0.0.1:8000", "HTTP://127.0.0.1:8000/C/ABC", "127.0.0.1:8000"),
    ],
)
def test_the_qr_text_is_taken_apart_again(public_url: str, start: str, host: str) -> None:
    text = qr_text(public_url, WELDER.public_id, SIGNED)
    assert text.startswith(start)
    for typed in (text, text.lower(), f" {text}\n"):
        scanned = read_qr_text(typed)
        assert (scanned.host, scanned.public_id, scanned.credential) == (host, WELDER.public_id, SIGNED)


def test_the_qr_code_stays_small_enough_to_print() -> None:
    text = qr_text("https://anpei.example.gov.cn", WELDER.public_id, SIGNED)
    version = (len(qr_rows(text)) - 17) // 4
    assert version <= 13
    longest = replace(WELDER, item_name="金属非金属矿山提升机操作作业", holder_masked="阿*****·*****")
    long_text = qr_text(
        "https://anpei.example.gov.cn", longest.public_id, make_credential(longest, kid="abcd1234", key=SIGNER.key)
    )
    assert (len(qr_rows(long_text)) - 17) // 4 <= 15


@given(st.text() | st.from_regex(r"HTTPS?://[A-Z.]{1,20}/C/[A-Z2-7]{26}#[A-Z2-7]{0,80}", fullmatch=True))
def test_any_scanned_text_is_read_or_refused(text: str) -> None:
    try:
        scanned = read_qr_text(text)
    except NotACredential:
        return
    assert len(scanned.public_id) == 26


def test_stray_bits_behind_the_credential_are_refused() -> None:
    text = qr_text("https://a.example", WELDER.public_id, b"\x00")
    assert text.endswith("#AA")
    with pytest.raises(NotACredential):
        read_qr_text(text[:-1] + "B")


def test_a_public_key_survives_storage_as_raw_bytes() -> None:
    raw = SIGNER.public_key
    assert len(raw) == 32
    assert export_public_key(import_public_key(raw)) == raw


def test_the_newest_key_signs() -> None:
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    assert Signer.newest({"old": old, "new": new}) == Signer("new", new)


def test_an_expired_credential_can_still_be_opened() -> None:
    past = replace(WELDER, valid_to=date(2026, 11, 21) + timedelta(days=1))
    assert open_credential(make_credential(past, kid=SIGNER.kid, key=SIGNER.key), keys=KEYS) == past
