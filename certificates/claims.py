"""What a certificate's row lets its credential say: made from it at issuing, held against it at checking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certificates.credential import Credential
from training.masking import mask_name

if TYPE_CHECKING:
    from certificates.models import Certificate

# A QR code of 25 mm has no room for a course with a very long title.
_LONGEST_ITEM = 40
_NO_ITEM = "TRAINING"


def claims_of(certificate: Certificate, *, issuer: str) -> Credential:
    """The facts to sign. `issuer` is the 统一社会信用代码 of who issues; review results come later and stay out."""
    return Credential(
        issuer=issuer,
        public_id=certificate.public_id,
        kind=certificate.kind,
        holder_masked=mask_name(certificate.holder_name),
        item_code=certificate.qualification_code or _NO_ITEM,
        item_name=certificate.item_name[:_LONGEST_ITEM],
        issued_at=certificate.issued_at.replace(microsecond=0),
        valid_from=certificate.valid_from,
        valid_to=certificate.valid_to,
        review_due_on=certificate.review_due_on,
    )
