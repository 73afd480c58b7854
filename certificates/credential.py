"""The signed credential inside a certificate's QR code (design decision 3): what proves it without a network.

A CWT (RFC 8392) in a COSE_Sign1 (RFC 9052), EdDSA over Ed25519, key id in the protected header. It never holds
the certificate number or the document number, nor a hash of either.
"""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cwt import COSE, COSEKey, VerifyError

from certificates.models import CertificateKind
from training.calendar import china_date, start_of_day
from training.errors import N_, BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_ONE_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1)
_PUBLIC_ID_BYTES = 16
_PUBLIC_ID = re.compile(r"[A-Z2-7]{26}")
_LONGEST = 1024
_SIGN1_TAG = 18
# COSE header parameters and values (RFC 9052, 9053).
_ALG, _KID, _EDDSA = 1, 4, -8
_KTY, _KEY_ID, _KEY_ALG, _CRV, _X, _D = 1, 2, 3, -1, -2, -4
_OKP, _ED25519 = 1, 6
# CWT claims (RFC 8392); ours stand together under one private-use key, with small keys of their own.
_ISS, _EXP, _NBF, _IAT, _CTI = 1, 4, 5, 6, 7
_OURS = -65537
_KIND, _HOLDER, _CODE, _ITEM, _REVIEW = 1, 2, 3, 4, 5
# Never renumber: these lie in QR codes on paper.
_KIND_NUMBERS = {
    CertificateKind.SPECIAL_OPERATION: 1,
    CertificateKind.MANAGER: 2,
    CertificateKind.INSPECTOR: 3,
    CertificateKind.TRAINING_PROOF: 4,
}
_KINDS = {number: kind for kind, number in _KIND_NUMBERS.items()}


class NotGenuine(BadInput):
    """What was shown does not prove itself."""


class NotACredential(NotGenuine):
    """Not of the form that this system makes."""

    message = N_("这不是本系统签发的证书二维码，或二维码没有扫描完整。请重新扫描证书上的二维码。")


class UnknownKey(NotGenuine):
    """Signed, if at all, with a key that no issuer known here has."""

    message = N_("签名所用的密钥不属于任何已知的发证机关，不能证明证书真实。请向签发机关核实。")


class Altered(NotGenuine):
    """The signature does not fit the content."""

    message = N_("证书内容与签名不符：内容被改动过，或签名是伪造的。请勿采信，并向签发机关核实。")


@dataclass(frozen=True)
class Credential:
    """What the QR says. The holder's name is masked already; a training proof has no `valid_to`."""

    issuer: str
    public_id: str
    kind: CertificateKind
    holder_masked: str
    item_code: str
    item_name: str
    issued_at: datetime
    valid_from: date
    valid_to: date | None = None
    review_due_on: date | None = None


def make_public_id() -> str:
    """128 random bits in base32: 26 characters, no padding."""
    return _to_base32(secrets.token_bytes(_PUBLIC_ID_BYTES))


def make_credential(facts: Credential, *, kid: str, key: Ed25519PrivateKey) -> bytes:
    """Sign. The same facts and key give the same bytes; `issued_at` is kept to the second."""
    cose_key = COSEKey.new(
        {
            _KTY: _OKP,
            _CRV: _ED25519,
            _X: key.public_key().public_bytes_raw(),
            _D: key.private_bytes_raw(),
            _KEY_ALG: _EDDSA,
        }
    )
    payload = cbor2.dumps(_claims(facts), canonical=True)
    signed = COSE.new().encode_and_sign(payload, cose_key, protected={_ALG: _EDDSA, _KID: kid.encode()})
    return bytes(signed)


def open_credential(data: bytes, *, keys: Mapping[str, Ed25519PublicKey]) -> Credential:
    """Check the signature against the issuers' keys and read the facts.

    Says nothing of dates and revocation. Raises `NotACredential`, `UnknownKey` or `Altered`, whatever
    the bytes; there is one encoding only, so that no changed byte goes unseen.
    """
    kid = _read_kid(data)
    if kid not in keys:
        raise UnknownKey
    public_key = {_KTY: _OKP, _CRV: _ED25519, _X: keys[kid].public_bytes_raw(), _KEY_ALG: _EDDSA}
    try:
        payload = COSE.new().decode(data, COSEKey.new({**public_key, _KEY_ID: kid.encode()}))
    except VerifyError as error:
        raise Altered from error
    except Exception as error:  # the library raises whatever broken input leads to
        raise NotACredential from error
    try:
        return _read_claims(cbor2.loads(payload))
    except Exception as error:  # signed by a known key, yet not by this code
        raise NotACredential from error


def _claims(facts: Credential) -> dict[int, Any]:
    ours: dict[int, Any] = {
        _KIND: _KIND_NUMBERS[facts.kind],
        _HOLDER: facts.holder_masked,
        _CODE: facts.item_code,
        _ITEM: facts.item_name,
    }
    if facts.review_due_on:
        ours[_REVIEW] = (facts.review_due_on - _EPOCH).days
    claims: dict[int, Any] = {
        _ISS: facts.issuer,
        _NBF: _seconds(start_of_day(facts.valid_from)),
        _IAT: _seconds(facts.issued_at),
        _CTI: _from_base32(facts.public_id),
        _OURS: ours,
    }
    if facts.valid_to:
        claims[_EXP] = _seconds(start_of_day(facts.valid_to + _ONE_DAY))
    return claims


def _read_claims(claims: dict[int, Any]) -> Credential:
    ours = claims[_OURS]
    public_id = _to_base32(claims[_CTI])
    if not _PUBLIC_ID.fullmatch(public_id):
        raise NotACredential
    return Credential(
        issuer=str(claims[_ISS]),
        public_id=public_id,
        kind=_KINDS[ours[_KIND]],
        holder_masked=str(ours[_HOLDER]),
        item_code=str(ours[_CODE]),
        item_name=str(ours[_ITEM]),
        issued_at=datetime.fromtimestamp(claims[_IAT], UTC),
        valid_from=_china_day(claims[_NBF]),
        valid_to=_china_day(claims[_EXP]) - _ONE_DAY if _EXP in claims else None,
        review_due_on=_EPOCH + timedelta(days=ours[_REVIEW]) if _REVIEW in ours else None,
    )


def _read_kid(data: bytes) -> str:
    """The key id, once the outer form is exactly that of `make_credential`."""
    try:
        if len(data) > _LONGEST:
            raise NotACredential
        tagged = cbor2.loads(data)
        protected, unprotected, _payload, _signature = tagged.value
        header = cbor2.loads(protected)
        kid: str = header[_KID].decode()
        is_ours = tagged.tag == _SIGN1_TAG and unprotected == {} and header == {_ALG: _EDDSA, _KID: kid.encode()}
        if not is_ours or cbor2.dumps(tagged, canonical=True) != data:
            raise NotACredential
    except Exception as error:  # any bytes may come, and lead the decoder anywhere
        raise NotACredential from error
    return kid


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())


def _china_day(seconds: int) -> date:
    return china_date(datetime.fromtimestamp(seconds, UTC))


# --- what the QR code says ---

_SCANNED = re.compile(
    r"(?P<base>https?://[^/?#\s]+)/C/(?P<id>[A-Z2-7]{26})(?:#(?P<credential>[A-Z2-7]+))?", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True)
class Scanned:
    """A QR code's parts. `host` is to be compared with the known ones before anything else is believed."""

    host: str
    public_id: str
    credential: bytes


def qr_text(public_url: str, public_id: str, credential: bytes) -> str:
    """`HTTPS://HOST/C/<id>#<credential>`: capitals, so that all but the `#` packs at 5.5 bits a character.

    What follows `#` is not sent to the server. `public_url` has no path; a demo's scheme and port are kept.
    """
    scheme, host, *_rest = urlsplit(public_url)
    return f"{scheme}://{host}/C/{public_id}#{_to_base32(credential)}".upper()


def read_qr_text(text: str) -> Scanned:
    """Take a scanned address apart, in capitals or not. Raises `NotACredential`."""
    found = _SCANNED.fullmatch(text.strip())
    if found is None or found["credential"] is None:
        raise NotACredential
    try:
        credential = _from_base32(found["credential"].upper())
    except ValueError as error:
        raise NotACredential from error
    host = urlsplit(found["base"].lower()).netloc
    return Scanned(host, found["id"].upper(), credential)


def _to_base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=")


def _from_base32(text: str) -> bytes:
    """Strict: what does not encode back to the same text is refused."""
    data = base64.b32decode(text + "=" * (-len(text) % 8))
    if _to_base32(data) != text:
        raise ValueError("stray bits at the end")
    return data
