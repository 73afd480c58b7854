"""Numbers printed on certificates (domain.md §2.5, §6.5). All but a training proof's tell the document number."""

from __future__ import annotations

import re

from certificates.models import CertificateKind

# "T" is the ministry's. No rule was found for the others: "AQ" is ours [D].
_PREFIXES = {
    CertificateKind.SPECIAL_OPERATION: "T",
    CertificateKind.MANAGER: "AQ",
    CertificateKind.INSPECTOR: "AQ",
}
_PROOF = re.compile(r"TR([0-9]{14})", re.ASCII)
_LAST_SEQUENCE = 99_999_999
_MODULUS = 97


def certificate_number(kind: CertificateKind, document_number: str) -> str:
    """The number of a regulated certificate. One person's items share it, so the key is (number, item)."""
    return _PREFIXES[kind] + document_number


def training_proof_number(year: int, sequence: int) -> str:
    """`TR`, year, eight digits, and two check digits (ISO 7064 MOD 97-10)."""
    if not 0 < sequence <= _LAST_SEQUENCE:
        raise ValueError(f"the sequence of a year's training proofs has eight digits, not {sequence}")
    body = f"{year:04d}{sequence:08d}"
    return f"TR{body}{_MODULUS + 1 - int(body) * 100 % _MODULUS:02d}"


def is_training_proof_number(number: str) -> bool:
    """Whether the form and the check digits are right; one wrong digit or two swapped ones never are."""
    found = _PROOF.fullmatch(number)
    return found is not None and int(found[1]) % _MODULUS == 1
