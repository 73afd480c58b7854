"""Tables of qualifications, applications, sessions, bookings, identity checks, sittings and scores."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from training.columns import INSTANT, JSON, new_id, one_of


class QualificationKind(StrEnum):
    """Which regime a qualification belongs to."""

    SPECIAL_OPERATION = "SPECIAL_OPERATION"
    MANAGER = "MANAGER"
    INSPECTOR = "INSPECTOR"


class Qualification(SQLModel, table=True):
    """What one may apply for: a special-operation item (domain.md §2.1) or a manager's certificate."""

    code: str = Field(primary_key=True, max_length=40, description="SO_1_2, PRINCIPAL …")
    kind: QualificationKind = Field(sa_type=one_of(QualificationKind))
    class_name: str = Field(default="", max_length=100, description="作业类别, e.g. 电工作业")
    name: str = Field(max_length=100, description="操作项目, e.g. 低压电工作业")
    name_en: str = Field(default="", max_length=200)
    so_code: str = Field(default="", max_length=10, description="1.2")
    national_code: str = Field(default="", max_length=40)
    blueprint_code: str = Field(default="", max_length=40)
    needs_practical: bool
    is_open: bool = Field(default=False, description="applications are taken")
    sort_key: int = 0


class ApplicationKind(StrEnum):
    """申请类型, domain.md §8."""

    INITIAL = "INITIAL"
    REVIEW = "REVIEW"
    RENEWAL = "RENEWAL"


class ApplicationStatus(StrEnum):
    """The way of an application for an exam."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    RETURNED = "RETURNED"
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    PASSED = "PASSED"
    FAILED = "FAILED"


class Application(SQLModel, table=True):
    """A person's application for one qualification, with its statement of health and proofs."""

    __table_args__ = (
        Index(
            "application_one_open",
            "person_id",
            "qualification_code",
            unique=True,
            postgresql_where=text("status IN ('DRAFT', 'SUBMITTED', 'RETURNED', 'ACCEPTED')"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    qualification_code: str = Field(foreign_key="qualification.code", index=True)
    kind: ApplicationKind = Field(default=ApplicationKind.INITIAL, sa_type=one_of(ApplicationKind))
    status: ApplicationStatus = Field(default=ApplicationStatus.DRAFT, sa_type=one_of(ApplicationStatus))
    education: str = Field(default="", max_length=32)
    employer: str = Field(default="", max_length=200)
    proof_kind: str = Field(default="", max_length=32, description="EDUCATION or TRAINING, 30号令 art. 13")
    proof_file_id: UUID | None = Field(default=None, foreign_key="stored_file.id")
    proof_record_id: UUID | None = Field(default=None, foreign_key="training_record.id")
    photo_id: UUID | None = Field(default=None, foreign_key="stored_file.id")
    health_sealed: bytes | None = None
    health_signed_at: datetime | None = Field(default=None, sa_type=INSTANT)
    created_at: datetime = Field(sa_type=INSTANT)
    submitted_at: datetime | None = Field(default=None, sa_type=INSTANT, index=True)
    decided_at: datetime | None = Field(default=None, sa_type=INSTANT)
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    missing: list[str] = Field(default_factory=list, sa_type=JSON, nullable=False)
    reason: str = Field(default="", max_length=1000)
    exam_by: date | None = Field(default=None, description="so.exam.arrange_days after submission")
    theory_passed_on: date | None = None
    practical_passed_on: date | None = None
    theory_attempts: int = 0
    accommodations_wanted: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, nullable=False)
    accommodation_reason_sealed: bytes | None = None
    accommodations: dict[str, Any] = Field(
        default_factory=dict, sa_type=JSON, nullable=False, description="granted; exams/accommodations.py"
    )


class Ban(SQLModel, table=True):
    """No applications until a day (domain.md §2.6), decided by a person with a reason."""

    id: UUID = Field(default_factory=new_id, primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    reason: str = Field(max_length=500)
    starts_on: date
    ends_on: date
    decided_by: UUID = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=INSTANT)


class ExamRoom(SQLModel, table=True):
    """A room of an exam site (考场)."""

    __tablename__ = "exam_room"
    __table_args__ = (UniqueConstraint("site_id", "name"), CheckConstraint("seats > 0", name="room_has_seats"))

    id: UUID = Field(default_factory=new_id, primary_key=True)
    site_id: UUID = Field(foreign_key="organisation.id", index=True)
    name: str = Field(max_length=100)
    seats: int
    is_practical: bool = False


class ExamPlan(SQLModel, table=True):
    """The authority's plan for a month, published in advance."""

    __tablename__ = "exam_plan"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    authority_id: UUID = Field(foreign_key="organisation.id")
    title: str = Field(max_length=200)
    starts_on: date
    ends_on: date
    published_at: datetime | None = Field(default=None, sa_type=INSTANT)
    created_by: UUID = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=INSTANT)


class ExamPart(StrEnum):
    """考试部分."""

    THEORY = "THEORY"
    PRACTICAL = "PRACTICAL"


class SessionMode(StrEnum):
    """Monthly batch, or 随到随考."""

    BATCH = "BATCH"
    ON_DEMAND = "ON_DEMAND"


class SessionStatus(StrEnum):
    """A scheduled exam before, while and after it is held."""

    PLANNED = "PLANNED"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    CANCELLED = "CANCELLED"


class ExamSession(SQLModel, table=True):
    """A scheduled exam (场次): one part of one qualification, in one room, at one time."""

    __tablename__ = "exam_session"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="session_starts_before_it_ends"),
        CheckConstraint("seats > 0", name="session_has_seats"),
        Index("exam_session_starts", "starts_at"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    plan_id: UUID | None = Field(default=None, foreign_key="exam_plan.id", index=True)
    site_id: UUID = Field(foreign_key="organisation.id", index=True)
    room_id: UUID = Field(foreign_key="exam_room.id")
    qualification_code: str = Field(foreign_key="qualification.code", index=True)
    part: ExamPart = Field(sa_type=one_of(ExamPart))
    mode: SessionMode = Field(sa_type=one_of(SessionMode))
    starts_at: datetime = Field(sa_type=INSTANT)
    ends_at: datetime = Field(sa_type=INSTANT)
    seats: int
    status: SessionStatus = Field(default=SessionStatus.PLANNED, sa_type=one_of(SessionStatus))
    cancel_reason: str = Field(default="", max_length=500)
    needs_seb: bool = Field(default=False, description="only in the Safe Exam Browser")
    created_by: UUID = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=INSTANT)


class TicketCounter(SQLModel, table=True):
    """The last ticket number of a site in a month; counting locks the row, so that none is given twice."""

    __tablename__ = "ticket_counter"

    site_id: UUID = Field(foreign_key="organisation.id", primary_key=True)
    month: str = Field(max_length=6, primary_key=True, description="yyyymm in China")
    last: int


class BookingStatus(StrEnum):
    """A seat is held, used, given back or left empty."""

    BOOKED = "BOOKED"
    CHECKED_IN = "CHECKED_IN"
    CANCELLED = "CANCELLED"
    NO_SHOW = "NO_SHOW"
    DONE = "DONE"


class Booking(SQLModel, table=True):
    """A candidate's seat. The two unique indexes make overselling impossible."""

    __table_args__ = (
        Index(
            "booking_seat_once",
            "exam_session_id",
            "seat_no",
            unique=True,
            postgresql_where=text("status <> 'CANCELLED'"),
        ),
        Index(
            "booking_one_per_part",
            "application_id",
            "part",
            unique=True,
            postgresql_where=text("status IN ('BOOKED', 'CHECKED_IN')"),
        ),
        CheckConstraint("seat_no > 0", name="seats_count_from_one"),
        UniqueConstraint("ticket_no"),
        UniqueConstraint("ticket_token"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    exam_session_id: UUID = Field(foreign_key="exam_session.id", index=True)
    application_id: UUID = Field(foreign_key="application.id", index=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    part: ExamPart = Field(sa_type=one_of(ExamPart))
    seat_no: int
    ticket_no: str = Field(max_length=40)
    ticket_token: str = Field(max_length=40, description="opaque, 128 bit, in the ticket's QR")
    status: BookingStatus = Field(default=BookingStatus.BOOKED, sa_type=one_of(BookingStatus))
    booked_at: datetime = Field(sa_type=INSTANT)
    checked_in_at: datetime | None = Field(default=None, sa_type=INSTANT)
    cancelled_at: datetime | None = Field(default=None, sa_type=INSTANT)
    changes: int = 0


class CheckMethod(StrEnum):
    """How identity was checked: by the engines or by an officer's eyes."""

    FACE = "FACE"
    OFFICER = "OFFICER"


class CheckVerdict(StrEnum):
    """Three outcomes; REFER sends the candidate to an officer."""

    ACCEPT = "ACCEPT"
    REFER = "REFER"
    REJECT = "REJECT"


class IdentityCheck(SQLModel, table=True):
    """One identity check at the site. Scores only; the picture is deleted after the match."""

    __tablename__ = "identity_check"
    __table_args__ = (
        CheckConstraint("method <> 'FACE' OR consent_id IS NOT NULL", name="face_needs_consent"),
        CheckConstraint(
            "method <> 'OFFICER' OR (officer_id IS NOT NULL AND reason <> '')", name="officer_gives_reason"
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    booking_id: UUID = Field(foreign_key="booking.id", index=True)
    method: CheckMethod = Field(sa_type=one_of(CheckMethod))
    verdict: CheckVerdict = Field(sa_type=one_of(CheckVerdict))
    consent_id: UUID | None = Field(default=None, foreign_key="consent.id")
    scores: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, nullable=False)
    officer_id: UUID | None = Field(default=None, foreign_key="person.id")
    reason: str = Field(default="", max_length=500)
    at: datetime = Field(sa_type=INSTANT)


class EnterpriseExam(SQLModel, table=True):
    """An online exam that an enterprise sets for its staff; never a certificate exam."""

    __tablename__ = "enterprise_exam"
    __table_args__ = (CheckConstraint("opens_at < closes_at", name="exam_opens_before_it_closes"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    organisation_id: UUID = Field(foreign_key="organisation.id", index=True)
    blueprint_code: str = Field(max_length=40)
    title: str = Field(max_length=200)
    opens_at: datetime = Field(sa_type=INSTANT)
    closes_at: datetime = Field(sa_type=INSTANT)
    attempts_allowed: int = 2
    needs_seb: bool = Field(default=False, description="only in the Safe Exam Browser")
    created_by: UUID = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=INSTANT)


class EnterpriseExamCandidate(SQLModel, table=True):
    """One of the staff who may sit an enterprise exam."""

    __tablename__ = "enterprise_exam_candidate"

    exam_id: UUID = Field(foreign_key="enterprise_exam.id", primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", primary_key=True, index=True)
    invited_at: datetime = Field(sa_type=INSTANT)
    accommodations: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, nullable=False)


class SittingStatus(StrEnum):
    """The states of a sitting; exams/sitting_states.py says which may follow which."""

    OPEN = "OPEN"
    PAUSED = "PAUSED"
    HANDED_IN = "HANDED_IN"
    TIMED_OUT = "TIMED_OUT"
    CLOSED_BY_SITE = "CLOSED_BY_SITE"
    VOID = "VOID"


class Sitting(SQLModel, table=True):
    """One candidate's turn. The deadline is fixed at the start and moves only by a recorded extension.

    `paper` lists, per position from 1: {"revision": id, "order": [original option indexes]}.
    """

    __table_args__ = (
        CheckConstraint("started_at < deadline", name="sitting_starts_before_deadline"),
        CheckConstraint("(booking_id IS NULL) <> (enterprise_exam_id IS NULL)", name="sitting_has_one_occasion"),
        CheckConstraint("(status IN ('OPEN', 'PAUSED')) = (submitted_at IS NULL)", name="open_means_not_submitted"),
        CheckConstraint("(status = 'PAUSED') = (paused_at IS NOT NULL)", name="paused_since"),
        CheckConstraint(
            "num_nulls(chain_head, receipt_signature, receipt_key_id) IN (0, 3)", name="sitting_has_a_whole_receipt"
        ),
        CheckConstraint("item_count > 0", name="sitting_has_items"),
        Index("sitting_one_per_booking", "booking_id", unique=True, postgresql_where=text("status <> 'VOID'")),
        Index(
            "sitting_one_open_per_exam",
            "enterprise_exam_id",
            "person_id",
            unique=True,
            postgresql_where=text("status IN ('OPEN', 'PAUSED')"),
        ),
        Index("sitting_due", "deadline", postgresql_where=text("status = 'OPEN'")),
        Index("sitting_latest_papers", "blueprint_id", "started_at"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    booking_id: UUID | None = Field(default=None, foreign_key="booking.id")
    enterprise_exam_id: UUID | None = Field(default=None, foreign_key="enterprise_exam.id")
    person_id: UUID = Field(foreign_key="person.id", index=True)
    blueprint_id: UUID = Field(foreign_key="blueprint.id")
    seed: int = Field(sa_type=BigInteger)
    algorithm: str = Field(max_length=20, description="version of the drawing rule")
    bank_digest: bytes = Field(description="SHA-256 over the revisions that the draw could choose from")
    paper: list[dict[str, Any]] = Field(sa_type=JSON, nullable=False)
    status: SittingStatus = Field(default=SittingStatus.OPEN, sa_type=one_of(SittingStatus))
    started_at: datetime = Field(sa_type=INSTANT)
    deadline: datetime = Field(sa_type=INSTANT)
    submitted_at: datetime | None = Field(default=None, sa_type=INSTANT)
    item_count: int = Field(description="the length of `paper`, for the hot path")
    device_number: int = Field(default=1, description="counts the devices that this sitting was opened on")
    device_sign_in_id: UUID | None = Field(default=None, description="the sign-in that was given the token")
    device_token_hash: bytes | None = Field(default=None, description="the one browser that may answer")
    device_released_at: datetime | None = Field(default=None, sa_type=INSTANT)
    paused_at: datetime | None = Field(default=None, sa_type=INSTANT, description="the clock stands still since")
    accommodations: dict[str, Any] = Field(
        default_factory=dict, sa_type=JSON, nullable=False, description="what applied at the start"
    )
    chain_head: bytes | None = Field(default=None, description="over every answer event, exams/chain.py")
    receipt_signature: bytes | None = Field(default=None, description="Ed25519, exams/receipts.py")
    receipt_key_id: str | None = Field(default=None, max_length=32)


class SittingEvent(SQLModel, table=True):
    """What happened to a sitting, with actor and reason: start, takeover, release, extension, hand-in."""

    __tablename__ = "sitting_event"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    sitting_id: UUID = Field(foreign_key="sitting.id", index=True)
    kind: str = Field(max_length=32)
    actor_id: UUID | None = Field(default=None, foreign_key="person.id")
    reason: str = Field(default="", max_length=500)
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, nullable=False)
    at: datetime = Field(sa_type=INSTANT)


class RestingItem(SQLModel, table=True):
    """An item that came on too many of the latest papers, and is not dealt until it has come on fewer."""

    __tablename__ = "resting_item"

    blueprint_code: str = Field(max_length=40, primary_key=True)
    revision_id: UUID = Field(foreign_key="item_revision.id", primary_key=True)
    since: datetime = Field(sa_type=INSTANT)


class DrawnPaper(SQLModel, table=True):
    """A paper dealt before the start to a booked candidate; the one with the highest number counts.

    Without `drawn_by` a job has made it ahead, for a quick start at a computer. Drawn by a person it
    is printed for a room without computers. `paper` as in `Sitting`; `detail` as in a sitting's first event.
    """

    __tablename__ = "drawn_paper"
    __table_args__ = (
        UniqueConstraint("booking_id", "number"),
        CheckConstraint("number > 0", name="papers_count_from_one"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    booking_id: UUID = Field(foreign_key="booking.id")
    number: int = 1
    blueprint_id: UUID = Field(foreign_key="blueprint.id")
    seed: int = Field(sa_type=BigInteger)
    algorithm: str = Field(max_length=20)
    bank_digest: bytes
    paper: list[dict[str, Any]] = Field(sa_type=JSON, nullable=False)
    detail: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    drawn_by: UUID | None = Field(default=None, foreign_key="person.id")
    drawn_at: datetime = Field(sa_type=INSTANT)


class AnswerSheetEntry(SQLModel, table=True):
    """The marks of a bubble sheet as one person read them. Append-only; two people who agree make a sitting.

    `choices`: {"1": "A", …} in the printed letters; a position that is left out is empty on the sheet.
    """

    __tablename__ = "answer_sheet_entry"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    drawn_paper_id: UUID = Field(foreign_key="drawn_paper.id", index=True)
    choices: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    remark: str = Field(default="", max_length=500, description="what the sheet shows besides, e.g. two marks")
    entered_by: UUID = Field(foreign_key="person.id")
    entered_at: datetime = Field(sa_type=INSTANT)


class AnswerEvent(SQLModel, table=True):
    """One answer act, in the order of the client's own sequence number. Append-only.

    `choice` holds the displayed letters ("A"… in the candidate's option order; "T"/"F"; "" clears).
    The last sequence number of a position counts. Keys lead with sitting_id (design decision 10),
    and there is no foreign key on this hot table: the writer joins the open sitting itself.
    """

    __tablename__ = "answer_event"
    __table_args__ = (CheckConstraint("seq > 0 AND position > 0", name="numbers_count_from_one"),)

    sitting_id: UUID = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    position: int
    choice: str = Field(max_length=8)
    answered_at: datetime | None = Field(default=None, sa_type=INSTANT, description="the client's clock, a hint only")
    saved_at: datetime = Field(sa_type=INSTANT)
    link: bytes | None = Field(default=None, description="the client's hash over this and all earlier acts")


class LateReason(StrEnum):
    """Why an answer was kept and not counted."""

    AFTER_GRACE = "AFTER_GRACE"
    ORDER_NOT_PROVEN = "ORDER_NOT_PROVEN"
    ENDED = "ENDED"
    OTHER_DEVICE = "OTHER_DEVICE"


class LateAnswer(SQLModel, table=True):
    """An answer that came too late to be marked: kept, and shown to the authority. Append-only."""

    __tablename__ = "late_answer"
    __table_args__ = (UniqueConstraint("sitting_id", "seq", "position", "choice"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    sitting_id: UUID = Field(foreign_key="sitting.id")
    seq: int
    position: int
    choice: str = Field(max_length=8)
    answered_at: datetime | None = Field(default=None, sa_type=INSTANT)
    link: bytes | None = None
    reason: LateReason = Field(sa_type=one_of(LateReason))
    received_at: datetime = Field(sa_type=INSTANT)


class IntegrityKind(StrEnum):
    """What happened on a candidate's screen or beside it. Facts, never a verdict."""

    LEFT_FULL_SCREEN = "LEFT_FULL_SCREEN"
    TAB_HIDDEN = "TAB_HIDDEN"
    PASTE = "PASTE"
    COPY = "COPY"
    NETWORK_GAP = "NETWORK_GAP"
    SECOND_DEVICE = "SECOND_DEVICE"
    FACE_CHECK_DUE = "FACE_CHECK_DUE"
    SEB_MISSING = "SEB_MISSING"


class IntegrityEvent(SQLModel, table=True):
    """One fact for the invigilator's board. Append-only."""

    __tablename__ = "integrity_event"
    __table_args__ = (
        UniqueConstraint("sitting_id", "client_id"),
        CheckConstraint("seconds >= 0", name="lasts_no_negative_time"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    sitting_id: UUID = Field(foreign_key="sitting.id", index=True)
    client_id: str | None = Field(
        default=None, max_length=40, description="the page's own, so that a repeat counts once"
    )
    kind: IntegrityKind = Field(sa_type=one_of(IntegrityKind))
    began_at: datetime = Field(sa_type=INSTANT, description="by the page's clock, set by the server's")
    seconds: int = Field(default=0, description="how long it lasted")
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, nullable=False)
    received_at: datetime = Field(sa_type=INSTANT)


class BrowserExamKey(SQLModel, table=True):
    """A Safe Exam Browser that an organisation lets in: one version of the program with one configuration."""

    __tablename__ = "browser_exam_key"
    __table_args__ = (
        Index(
            "browser_exam_key_once", "organisation_id", "key", unique=True, postgresql_where=text("retired_at IS NULL")
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    organisation_id: UUID = Field(foreign_key="organisation.id", index=True)
    key: str = Field(max_length=64, description="64 hexadecimal digits, as the program shows it")
    label: str = Field(max_length=100)
    created_by: UUID = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=INSTANT)
    retired_at: datetime | None = Field(default=None, sa_type=INSTANT)


class ScoreState(StrEnum):
    """成绩, domain.md §4.5."""

    PROVISIONAL = "PROVISIONAL"
    UNDER_REVIEW = "UNDER_REVIEW"
    RELEASED = "RELEASED"
    WITHHELD = "WITHHELD"
    VOID = "VOID"


class Score(SQLModel, table=True):
    """The mark of one sitting. Points are exact decimals; areas: {"1": {"points": "8", "of": "10"}}."""

    __table_args__ = (UniqueConstraint("sitting_id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    sitting_id: UUID = Field(foreign_key="sitting.id")
    points: Decimal = Field(max_digits=6, decimal_places=2)
    total: Decimal = Field(max_digits=6, decimal_places=2)
    cut_score: Decimal = Field(max_digits=6, decimal_places=2)
    passed: bool
    areas: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    state: ScoreState = Field(default=ScoreState.PROVISIONAL, sa_type=one_of(ScoreState))
    marked_at: datetime = Field(sa_type=INSTANT)
    review_began_at: datetime | None = Field(default=None, sa_type=INSTANT)
    reviewed_by: UUID | None = Field(default=None, foreign_key="person.id")
    released_at: datetime | None = Field(default=None, sa_type=INSTANT)
    released_by: UUID | None = Field(default=None, foreign_key="person.id")
    release_by: date | None = Field(default=None, description="so.score.release_wd working days")
    withheld_reason: str = Field(default="", max_length=500, description="told to the candidate while WITHHELD")


class PracticalResult(SQLModel, table=True):
    """A practical test, one task of each subject, entered by one assessor and confirmed by another."""

    __tablename__ = "practical_result"
    __table_args__ = (
        CheckConstraint("second_assessor_id IS NULL OR second_assessor_id <> first_assessor_id", name="two_assessors"),
        Index(
            "practical_result_once",
            "booking_id",
            unique=True,
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    booking_id: UUID = Field(foreign_key="booking.id")
    application_id: UUID = Field(foreign_key="application.id", index=True)
    tasks: list[dict[str, Any]] = Field(sa_type=JSON, nullable=False)
    score: Decimal = Field(max_digits=6, decimal_places=2)
    vetoed: bool
    passed: bool
    first_assessor_id: UUID = Field(foreign_key="person.id")
    first_signed_at: datetime = Field(sa_type=INSTANT)
    second_assessor_id: UUID | None = Field(default=None, foreign_key="person.id")
    second_signed_at: datetime | None = Field(default=None, sa_type=INSTANT)
    state: ScoreState = Field(default=ScoreState.PROVISIONAL, sa_type=one_of(ScoreState))
    released_at: datetime | None = Field(default=None, sa_type=INSTANT)


class RegradeKind(StrEnum):
    """What is decided of an item that was found wrong after it was sat."""

    CHANGE_KEY = "CHANGE_KEY"
    ACCEPT_KEYS = "ACCEPT_KEYS"
    DROP = "DROP"
    GIVE_ALL = "GIVE_ALL"


class RegradeStatus(StrEnum):
    """A proposal, and what a second person made of it."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"


class Regrade(SQLModel, table=True):
    """A decision on one revision for marking alone; its wording and its own key stay as they were."""

    __table_args__ = (
        CheckConstraint(
            "status <> 'APPROVED' OR (decided_by IS NOT NULL AND decided_by <> proposed_by)", name="regrade_needs_two"
        ),
        CheckConstraint("(status = 'PROPOSED') = (decided_at IS NULL)", name="regrade_decided_once"),
        CheckConstraint("(kind IN ('CHANGE_KEY', 'ACCEPT_KEYS')) = (new_key <> '')", name="regrade_key"),
        Index("regrade_one_proposed", "revision_id", unique=True, postgresql_where=text("status = 'PROPOSED'")),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    revision_id: UUID = Field(foreign_key="item_revision.id", index=True)
    kind: RegradeKind = Field(sa_type=one_of(RegradeKind))
    new_key: str = Field(
        default="", max_length=80, description="in the revision's own letters; of ACCEPT_KEYS each that earns, A|C|AC"
    )
    reason: str = Field(max_length=500, description="told to the candidates whose score changes")
    status: RegradeStatus = Field(default=RegradeStatus.PROPOSED, sa_type=one_of(RegradeStatus))
    proposed_by: UUID = Field(foreign_key="person.id")
    proposed_at: datetime = Field(sa_type=INSTANT)
    decided_by: UUID | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = Field(default=None, sa_type=INSTANT)
    decision_note: str = Field(default="", max_length=500)
    figures: dict[str, Any] = Field(
        default_factory=dict, sa_type=JSON, nullable=False, description="how many it met, as approved"
    )


class AppealStatus(StrEnum):
    """A request for a recount, and its answer."""

    OPEN = "OPEN"
    UPHELD = "UPHELD"
    CORRECTED = "CORRECTED"


class Appeal(SQLModel, table=True):
    """A candidate's request to count a released score again (domain.md §4.5)."""

    __table_args__ = (
        Index("appeal_one_open", "score_id", unique=True, postgresql_where=text("status = 'OPEN'")),
        CheckConstraint(
            "(status = 'OPEN') = (answered_at IS NULL) AND (status = 'OPEN') = (answer = '')", name="appeal_answered"
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    score_id: UUID = Field(foreign_key="score.id", index=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    reason: str = Field(max_length=500)
    status: AppealStatus = Field(default=AppealStatus.OPEN, sa_type=one_of(AppealStatus))
    asked_at: datetime = Field(sa_type=INSTANT)
    answer_by: date
    answer: str = Field(default="", max_length=1000)
    answered_by: UUID | None = Field(default=None, foreign_key="person.id")
    answered_at: datetime | None = Field(default=None, sa_type=INSTANT)
    recount: dict[str, Any] = Field(
        default_factory=dict, sa_type=JSON, nullable=False, description="what the recount gave when it was answered"
    )


class ScoreRevision(SQLModel, table=True):
    """A score as it was and as it became, and by which decision. Append-only; the score row keeps what counts now."""

    __tablename__ = "score_revision"
    __table_args__ = (CheckConstraint("num_nonnulls(regrade_id, appeal_id) = 1", name="revision_has_one_cause"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    score_id: UUID = Field(foreign_key="score.id", index=True)
    regrade_id: UUID | None = Field(default=None, foreign_key="regrade.id", index=True)
    appeal_id: UUID | None = Field(default=None, foreign_key="appeal.id")
    was: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    became: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    at: datetime = Field(sa_type=INSTANT)
