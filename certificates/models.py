"""Tables of certificate applications, certificates, issuer keys, licences and enforcement records."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from training.columns import INSTANT, JSON, new_id, one_of


class IssuerType(StrEnum):
    """Who issues. Regulated certificates are for AUTHORITY alone (domain.md, caution 4)."""

    AUTHORITY = "AUTHORITY"
    TRAINING_ORG = "TRAINING_ORG"
    ENTERPRISE = "ENTERPRISE"


class CertificateKind(StrEnum):
    """特种作业操作证, 考核合格证 and the unregulated 培训合格证明."""

    SPECIAL_OPERATION = "SPECIAL_OPERATION"
    MANAGER = "MANAGER"
    INSPECTOR = "INSPECTOR"
    TRAINING_PROOF = "TRAINING_PROOF"


class CertificateRequestStatus(StrEnum):
    """The way of a request for a certificate."""

    SUBMITTED = "SUBMITTED"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"


class RevocationGround(StrEnum):
    """Why a certificate is taken back (撤销, 30号令 art. 30)."""

    NOT_RENEWED = "NOT_RENEWED"
    UNFIT = "UNFIT"
    ACCIDENT = "ACCIDENT"
    FALSE_INFORMATION = "FALSE_INFORMATION"
    FRAUD = "FRAUD"


class CancellationGround(StrEnum):
    """Why a certificate is struck off (注销, 30号令 art. 31; 行政许可法 art. 70)."""

    DEATH = "DEATH"
    OWN_REQUEST = "OWN_REQUEST"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    INCAPABLE = "INCAPABLE"


class CertificateRequest(SQLModel, table=True):
    """An application for the certificate itself after all parts are passed (30号令 art. 17)."""

    __tablename__ = "certificate_request"
    __table_args__ = (
        Index("certificate_request_once", "application_id", unique=True, postgresql_where=text("status <> 'REFUSED'")),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    application_id: UUID = Field(foreign_key="application.id")
    person_id: UUID = Field(foreign_key="person.id", index=True)
    qualification_code: str = Field(foreign_key="qualification.code")
    status: CertificateRequestStatus = Field(
        default=CertificateRequestStatus.SUBMITTED, sa_type=one_of(CertificateRequestStatus)
    )
    submitted_at: datetime = Field(sa_type=INSTANT)
    decide_by: date
    decided_at: datetime | None = Field(default=None, sa_type=INSTANT)
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    reason: str = Field(default="", max_length=1000)


class IssuerKey(SQLModel, table=True):
    """The public half of a signing key; the private half lies outside the database."""

    __tablename__ = "issuer_key"

    kid: str = Field(primary_key=True, max_length=40)
    public_key: bytes = Field(description="raw Ed25519 public key, 32 bytes")
    issuer_id: UUID = Field(foreign_key="organisation.id")
    valid_from: datetime = Field(sa_type=INSTANT)
    retired_at: datetime | None = Field(default=None, sa_type=INSTANT)


class Certificate(SQLModel, table=True):
    """An issued certificate. What it is worth today is computed from these facts, never stored."""

    __table_args__ = (
        UniqueConstraint("public_id"),
        Index(
            "certificate_one_in_force",
            "person_id",
            "qualification_code",
            unique=True,
            postgresql_where=text(
                "revoked_at IS NULL AND cancelled_at IS NULL AND replaced_at IS NULL AND kind <> 'TRAINING_PROOF'"
            ),
        ),
        Index("certificate_proof_once", "training_record_id", unique=True),
        Index("certificate_number", "number_index"),
        CheckConstraint("issuer_type = 'AUTHORITY' OR kind = 'TRAINING_PROOF'", name="regulated_is_for_the_authority"),
        CheckConstraint("valid_to IS NULL OR valid_from <= valid_to", name="valid_from_before_to"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_reason = '')", name="revocation_has_a_reason"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    public_id: str = Field(max_length=26, description="128 random bits in base32; the only id that leaves the house")
    kind: CertificateKind = Field(sa_type=one_of(CertificateKind))
    person_id: UUID = Field(foreign_key="person.id", index=True)
    holder_name: str = Field(max_length=200, description="as printed")
    number_sealed: bytes = Field(description="e.g. T + document number, sealed")
    number_index: bytes
    number_masked: str = Field(max_length=40)
    qualification_code: str | None = Field(default=None, foreign_key="qualification.code", index=True)
    class_name: str = Field(default="", max_length=100)
    item_name: str = Field(max_length=200)
    issuer_id: UUID = Field(foreign_key="organisation.id", index=True)
    issuer_type: IssuerType = Field(sa_type=one_of(IssuerType))
    request_id: UUID | None = Field(default=None, foreign_key="certificate_request.id")
    training_record_id: UUID | None = Field(default=None, foreign_key="training_record.id")
    photo_id: UUID | None = Field(default=None, foreign_key="stored_file.id")
    first_issued_on: date
    valid_from: date
    valid_to: date | None = None
    review_due_on: date | None = None
    reviewed_on: date | None = None
    kid: str = Field(foreign_key="issuer_key.kid", max_length=40)
    credential: bytes = Field(description="COSE_Sign1 CWT, Ed25519")
    issued_at: datetime = Field(sa_type=INSTANT)
    issued_by: UUID = Field(foreign_key="person.id")
    revoked_at: datetime | None = Field(default=None, sa_type=INSTANT)
    revoked_by: UUID | None = Field(default=None, foreign_key="person.id")
    revoked_ground: RevocationGround | None = Field(default=None, sa_type=one_of(RevocationGround))
    revoked_reason: str = Field(default="", max_length=500)
    cancelled_at: datetime | None = Field(default=None, sa_type=INSTANT)
    cancelled_by: UUID | None = Field(default=None, foreign_key="person.id")
    cancelled_ground: CancellationGround | None = Field(default=None, sa_type=one_of(CancellationGround))
    cancelled_reason: str = Field(default="", max_length=500)
    replaced_at: datetime | None = Field(default=None, sa_type=INSTANT)


class ProofCounter(SQLModel, table=True):
    """The last training proof's number of a year; counting locks the row, so that none is given twice."""

    __tablename__ = "proof_counter"

    year: int = Field(primary_key=True)
    last: int


class LookupEntry(SQLModel, table=True):
    """Who looked up whom, by blind indexes only (domain.md §5.6)."""

    __tablename__ = "lookup_entry"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    at: datetime = Field(sa_type=INSTANT, index=True)
    kind: str = Field(max_length=20)
    number_index: bytes | None = None
    found: bool
    viewer_id: UUID | None = Field(default=None, foreign_key="person.id")
    address: str = Field(default="", max_length=64)


class Captcha(SQLModel, table=True):
    """A picture question shared by all web processes, usable once."""

    id: UUID = Field(default_factory=new_id, primary_key=True)
    answer_hash: bytes
    created_at: datetime = Field(sa_type=INSTANT, index=True)
    used_at: datetime | None = Field(default=None, sa_type=INSTANT)


class SafetyLicence(SQLModel, table=True):
    """An imported 安全生产许可证."""

    __tablename__ = "safety_licence"
    __table_args__ = (UniqueConstraint("licence_no"), Index("safety_licence_uscc", "uscc"))

    id: UUID = Field(default_factory=new_id, primary_key=True)
    uscc: str = Field(max_length=18)
    enterprise_name: str = Field(max_length=200)
    licence_no: str = Field(max_length=80)
    scope: str = Field(default="", max_length=500)
    issuer: str = Field(max_length=200)
    valid_from: date
    valid_to: date
    withdrawn_at: datetime | None = Field(default=None, sa_type=INSTANT, description="revoked, or listed by mistake")
    imported_at: datetime = Field(sa_type=INSTANT)
    imported_by: UUID = Field(foreign_key="person.id")


class EnforcementRecord(SQLModel, table=True):
    """An imported public enforcement record (行政执法记录)."""

    __tablename__ = "enforcement_record"
    __table_args__ = (UniqueConstraint("decision_no"), Index("enforcement_record_uscc", "uscc"))

    id: UUID = Field(default_factory=new_id, primary_key=True)
    uscc: str = Field(max_length=18)
    enterprise_name: str = Field(max_length=200)
    decision_no: str = Field(max_length=80)
    act: str = Field(max_length=300, description="违法行为类型")
    content: str = Field(max_length=1000, description="处罚内容")
    body: str = Field(max_length=200, description="作出决定的机关")
    decided_on: date
    public_until: date
    withdrawn_at: datetime | None = Field(default=None, sa_type=INSTANT)
    imported_at: datetime = Field(sa_type=INSTANT)
    imported_by: UUID = Field(foreign_key="person.id")


class RecordImport(SQLModel, table=True):
    """An uploaded licence or enforcement list between preview and confirmation."""

    __tablename__ = "record_import"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: str = Field(max_length=20)
    created_by: UUID = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=INSTANT)
    rows: list[dict[str, str]] = Field(sa_type=JSON, nullable=False)
    confirmed_at: datetime | None = Field(default=None, sa_type=INSTANT)
