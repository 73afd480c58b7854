"""Tables of people, organisations, courses, classes and training records."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from training.columns import INSTANT, JSON, new_id, one_of


class Sex(StrEnum):
    """GB/T 2261.1, without the unknown values."""

    MALE = "MALE"
    FEMALE = "FEMALE"


class Education(StrEnum):
    """Education levels in rising order (GB/T 4658, shortened)."""

    PRIMARY = "PRIMARY"
    JUNIOR_MIDDLE = "JUNIOR_MIDDLE"
    SENIOR_HIGH = "SENIOR_HIGH"
    COLLEGE = "COLLEGE"
    BACHELOR = "BACHELOR"
    MASTER = "MASTER"

    @property
    def rank(self) -> int:
        """The place of this level in the rising order."""
        return list(Education).index(self)


class IdType(StrEnum):
    """Person documents, domain.md §6.3."""

    ID_CARD = "ID_CARD"
    HKMO_RESIDENCE = "HKMO_RESIDENCE"
    TW_RESIDENCE = "TW_RESIDENCE"
    FPR_2023 = "FPR_2023"
    FPR_2017 = "FPR_2017"
    HKMO_PERMIT = "HKMO_PERMIT"
    TW_PERMIT = "TW_PERMIT"
    PASSPORT = "PASSPORT"
    MILITARY = "MILITARY"


class PersonCategory(StrEnum):
    """人员类别, domain.md §8."""

    PRINCIPAL = "PRINCIPAL"
    SAFETY_MANAGER = "SAFETY_MANAGER"
    SPECIAL_OPERATOR = "SPECIAL_OPERATOR"
    INSPECTOR = "INSPECTOR"
    EMPLOYEE = "EMPLOYEE"
    DISPATCHED = "DISPATCHED"
    INTERN = "INTERN"
    FIRE_RESPONSIBLE = "FIRE_RESPONSIBLE"
    FIRE_MANAGER = "FIRE_MANAGER"
    SUPERVISOR = "SUPERVISOR"
    LEADER = "LEADER"


class OrganisationKind(StrEnum):
    """What an organisation is to this system; only an AUTHORITY issues regulated certificates."""

    ENTERPRISE = "ENTERPRISE"
    CENTRE = "CENTRE"
    SITE = "SITE"
    AUTHORITY = "AUTHORITY"


class Role(StrEnum):
    """What a person may do for one organisation. Every person is a learner without a grant."""

    ENTERPRISE_MANAGER = "ENTERPRISE_MANAGER"
    CENTRE_MANAGER = "CENTRE_MANAGER"
    TEACHER = "TEACHER"
    SITE_HEAD = "SITE_HEAD"
    INVIGILATOR = "INVIGILATOR"
    ASSESSOR = "ASSESSOR"
    QUESTION_EDITOR = "QUESTION_EDITOR"
    QUESTION_REVIEWER = "QUESTION_REVIEWER"
    APPLICATION_REVIEWER = "APPLICATION_REVIEWER"
    ISSUER = "ISSUER"
    SYSTEM_ADMIN = "SYSTEM_ADMIN"
    SECURITY_ADMIN = "SECURITY_ADMIN"
    AUDIT_ADMIN = "AUDIT_ADMIN"


class Rule(SQLModel, table=True):
    """One value of one rule for a span of days: domain.md §8, first caution."""

    __table_args__ = (
        UniqueConstraint("code", "effective_from"),
        CheckConstraint("effective_to IS NULL OR effective_to > effective_from", name="rule_ends_after_it_begins"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    code: str = Field(max_length=80)
    value: Any = Field(sa_type=JSON, nullable=False)
    unit: str = Field(default="", max_length=40)
    basis: str = Field(default="", max_length=200)
    confidence: str = Field(default="D", max_length=8)
    effective_from: date
    effective_to: date | None = None
    changed_by: UUID | None = Field(default=None, foreign_key="person.id")


class Person(SQLModel, table=True):
    """A human being; documents hang on `PersonDocument`, the way in on `Account`."""

    id: UUID = Field(default_factory=new_id, primary_key=True)
    name: str = Field(max_length=200)
    matched_name: str = Field(max_length=200, description="the name without dots and spaces")
    sex: Sex | None = Field(default=None, sa_type=one_of(Sex))
    birth_date: date | None = None
    education: Education | None = Field(default=None, sa_type=one_of(Education))
    photo_id: UUID | None = Field(default=None, foreign_key="stored_file.id")
    is_demo: bool = False
    created_at: datetime = Field(sa_type=INSTANT)


class PersonDocument(SQLModel, table=True):
    """One document of a person: number sealed, looked up by its blind index only."""

    __tablename__ = "person_document"
    __table_args__ = (
        UniqueConstraint("number_index"),
        Index("person_document_one_primary", "person_id", unique=True, postgresql_where=text("is_primary")),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    id_type: IdType = Field(sa_type=one_of(IdType))
    number_sealed: bytes
    number_index: bytes
    number_masked: str = Field(max_length=40)
    is_primary: bool = True
    created_at: datetime = Field(sa_type=INSTANT)


class Account(SQLModel, table=True):
    """A person's way in. The password may be unset while an invitation is open."""

    __table_args__ = (UniqueConstraint("person_id"), UniqueConstraint("phone_index"))

    id: UUID = Field(default_factory=new_id, primary_key=True)
    person_id: UUID = Field(foreign_key="person.id")
    phone_sealed: bytes | None = None
    phone_index: bytes | None = None
    phone_masked: str = Field(default="", max_length=20)
    password_hash: str | None = Field(default=None, max_length=200)
    failed_attempts: int = 0
    locked_until: datetime | None = Field(default=None, sa_type=INSTANT)
    language: str = Field(default="zh_CN", max_length=8)
    closed_at: datetime | None = Field(default=None, sa_type=INSTANT)
    created_at: datetime = Field(sa_type=INSTANT)


class SignIn(SQLModel, table=True):
    """One browser's or client's log-in; the token itself is only ever with the client."""

    __tablename__ = "sign_in"
    __table_args__ = (UniqueConstraint("token_hash"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    token_hash: bytes
    organisation_id: UUID | None = Field(default=None, foreign_key="organisation.id")
    created_at: datetime = Field(sa_type=INSTANT)
    seen_at: datetime = Field(sa_type=INSTANT)
    expires_at: datetime = Field(sa_type=INSTANT, index=True)
    ended_at: datetime | None = Field(default=None, sa_type=INSTANT)
    client: str = Field(default="", max_length=300)
    address: str = Field(default="", max_length=64)


class Organisation(SQLModel, table=True):
    """An enterprise, training centre, exam site or authority."""

    __table_args__ = (UniqueConstraint("kind", "uscc"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: OrganisationKind = Field(sa_type=one_of(OrganisationKind))
    name: str = Field(max_length=200)
    uscc: str = Field(max_length=18, description="统一社会信用代码, GB 32100")
    district_code: str = Field(max_length=12, description="GB/T 2260")
    address: str = Field(default="", max_length=300)
    industry: str = Field(default="", max_length=8, description="GB/T 4754")
    is_high_risk: bool = Field(default=False, description="of the five high-risk industries, 3号令 art. 13")
    is_demo: bool = False
    created_at: datetime = Field(sa_type=INSTANT)


class Employment(SQLModel, table=True):
    """A person's post with an organisation; ended, never deleted."""

    __table_args__ = (
        CheckConstraint("ended_on IS NULL OR ended_on >= started_on", name="employment_ends_after_start"),
        Index(
            "employment_one_open",
            "person_id",
            "organisation_id",
            unique=True,
            postgresql_where=text("ended_on IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    organisation_id: UUID = Field(foreign_key="organisation.id", index=True)
    category: PersonCategory = Field(sa_type=one_of(PersonCategory))
    post: str = Field(default="", max_length=100)
    department: str = Field(default="", max_length=100)
    started_on: date
    ended_on: date | None = None


class RoleGrant(SQLModel, table=True):
    """A role that a person holds for an organisation until it is withdrawn."""

    __tablename__ = "role_grant"
    __table_args__ = (
        Index(
            "role_grant_once",
            "person_id",
            "organisation_id",
            "role",
            unique=True,
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    organisation_id: UUID = Field(foreign_key="organisation.id", index=True)
    role: Role = Field(sa_type=one_of(Role))
    granted_at: datetime = Field(sa_type=INSTANT)
    granted_by: UUID | None = Field(default=None, foreign_key="person.id")
    withdrawn_at: datetime | None = Field(default=None, sa_type=INSTANT)
    withdrawn_by: UUID | None = Field(default=None, foreign_key="person.id")


class Invitation(SQLModel, table=True):
    """A one-time link by which an invited person sets the first password."""

    __table_args__ = (UniqueConstraint("token_hash"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    organisation_id: UUID | None = Field(default=None, foreign_key="organisation.id")
    token_hash: bytes
    created_at: datetime = Field(sa_type=INSTANT)
    created_by: UUID | None = Field(default=None, foreign_key="person.id")
    expires_at: datetime = Field(sa_type=INSTANT)
    used_at: datetime | None = Field(default=None, sa_type=INSTANT)


class StaffImport(SQLModel, table=True):
    """An uploaded staff list between preview and confirmation; the rows are sealed."""

    __tablename__ = "staff_import"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    organisation_id: UUID = Field(foreign_key="organisation.id", index=True)
    created_by: UUID = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=INSTANT)
    rows_sealed: bytes
    confirmed_at: datetime | None = Field(default=None, sa_type=INSTANT)


class StoredFile(SQLModel, table=True):
    """Where the bytes of an upload lie in the object store."""

    __tablename__ = "stored_file"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    key: str = Field(max_length=200, unique=True)
    media_type: str = Field(max_length=100)
    size: int
    sha256: bytes
    is_sealed: bool = False
    purpose: str = Field(max_length=40)
    owner_id: UUID | None = Field(default=None, index=True, description="a person; no key, since persons point here")
    created_at: datetime = Field(sa_type=INSTANT)
    deleted_at: datetime | None = Field(default=None, sa_type=INSTANT)


class Consent(SQLModel, table=True):
    """A separate consent (PIPL 14, 29) to one purpose, in one wording, that can be withdrawn."""

    id: UUID = Field(default_factory=new_id, primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    purpose: str = Field(max_length=40)
    text_version: str = Field(max_length=20)
    text_hash: bytes
    given_at: datetime = Field(sa_type=INSTANT)
    withdrawn_at: datetime | None = Field(default=None, sa_type=INSTANT)


class AuditEntry(SQLModel, table=True):
    """Who did what to which target, when and from where. The database refuses change and deletion."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("audit_entry_target", "target_type", "target_id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    at: datetime = Field(sa_type=INSTANT, index=True)
    actor_id: UUID | None = Field(default=None, index=True)
    action: str = Field(max_length=80, index=True)
    target_type: str = Field(max_length=40)
    target_id: str = Field(max_length=80)
    target_was: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, nullable=False)
    address: str = Field(default="", max_length=64)
    request_id: str = Field(default="", max_length=64)


class RateCount(SQLModel, table=True):
    """How often one key was used in one window; shared by all web processes."""

    __tablename__ = "rate_count"

    key: str = Field(max_length=200, primary_key=True)
    window_start: datetime = Field(sa_type=INSTANT, primary_key=True)
    count: int


class CourseStatus(StrEnum):
    """Only a PUBLISHED version can be started; a RETIRED one can be finished."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    RETIRED = "RETIRED"


class Course(SQLModel, table=True):
    """A course through all its versions."""

    id: UUID = Field(default_factory=new_id, primary_key=True)
    code: str = Field(max_length=40, unique=True)
    created_at: datetime = Field(sa_type=INSTANT)


class CourseVersion(SQLModel, table=True):
    """One immutable text of a course."""

    __tablename__ = "course_version"
    __table_args__ = (
        UniqueConstraint("course_id", "number"),
        Index("course_version_one_published", "course_id", unique=True, postgresql_where=text("status = 'PUBLISHED'")),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    course_id: UUID = Field(foreign_key="course.id")
    number: int
    title: str = Field(max_length=200)
    title_en: str = Field(default="", max_length=200)
    summary: str = ""
    class_hours: Decimal = Field(max_digits=6, decimal_places=1)
    audience: list[str] = Field(sa_type=JSON, nullable=False)
    sources: list[str] = Field(default_factory=list, sa_type=JSON, nullable=False)
    status: CourseStatus = Field(default=CourseStatus.DRAFT, sa_type=one_of(CourseStatus))
    content_hash: bytes
    created_at: datetime = Field(sa_type=INSTANT)


class CourseModule(SQLModel, table=True):
    """A module: lessons and a quiz."""

    __tablename__ = "course_module"
    __table_args__ = (UniqueConstraint("course_version_id", "number"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    course_version_id: UUID = Field(foreign_key="course_version.id")
    number: int
    title: str = Field(max_length=200)
    minutes: int
    quiz: list[dict[str, Any]] = Field(sa_type=JSON, nullable=False)


class BlockKind(StrEnum):
    """What a lesson block shows."""

    TEXT = "TEXT"
    PICTURE = "PICTURE"
    VIDEO = "VIDEO"
    QUESTION = "QUESTION"


class LessonBlock(SQLModel, table=True):
    """One block of a lesson, in the order in which it is learnt."""

    __tablename__ = "lesson_block"
    __table_args__ = (UniqueConstraint("module_id", "number"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    module_id: UUID = Field(foreign_key="course_module.id")
    number: int
    lesson_number: int
    lesson_title: str = Field(max_length=200)
    source: str = Field(default="", max_length=500)
    kind: BlockKind = Field(sa_type=one_of(BlockKind))
    body: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    needed_seconds: int = Field(description="time that a reader of ordinary speed spends, or the video's length")


class Learning(SQLModel, table=True):
    """One person's way through one course version."""

    __table_args__ = (
        Index(
            "learning_one_open",
            "person_id",
            "course_version_id",
            unique=True,
            postgresql_where=text("finished_at IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    course_version_id: UUID = Field(foreign_key="course_version.id", index=True)
    organisation_id: UUID | None = Field(default=None, foreign_key="organisation.id", index=True)
    started_at: datetime = Field(sa_type=INSTANT)
    finished_at: datetime | None = Field(default=None, sa_type=INSTANT)
    current_block_id: UUID | None = Field(default=None, foreign_key="lesson_block.id")
    pulse_at: datetime | None = Field(
        default=None, sa_type=INSTANT, description="until when the reader's time is counted; none while reading rests"
    )
    sign_in_id: UUID | None = Field(default=None, foreign_key="sign_in.id", description="the one device")


class BlockProgress(SQLModel, table=True):
    """Seconds that the server itself saw a learner spend on a block."""

    __tablename__ = "block_progress"

    learning_id: UUID = Field(foreign_key="learning.id", primary_key=True)
    block_id: UUID = Field(foreign_key="lesson_block.id", primary_key=True)
    seconds: int = 0
    furthest_second: int = Field(default=0, description="of a video: how far it was seen")
    answer: str = Field(default="", max_length=8)
    done_at: datetime | None = Field(default=None, sa_type=INSTANT)


class StudyDay(SQLModel, table=True):
    """Seconds that count for a person on one day in China, over all courses: the daily cap is held on this."""

    __tablename__ = "study_day"

    person_id: UUID = Field(foreign_key="person.id", primary_key=True)
    day: date = Field(primary_key=True)
    seconds: int = 0


class QuizAttempt(SQLModel, table=True):
    """One try at a module quiz."""

    __tablename__ = "quiz_attempt"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    learning_id: UUID = Field(foreign_key="learning.id", index=True)
    module_id: UUID = Field(foreign_key="course_module.id")
    answers: dict[str, str] = Field(sa_type=JSON, nullable=False)
    right: int
    total: int
    passed: bool
    at: datetime = Field(sa_type=INSTANT)


class TrainingMode(StrEnum):
    """培训方式, domain.md §8."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    MENTOR = "MENTOR"
    DRILL = "DRILL"
    LECTURE = "LECTURE"


class TrainingRecord(SQLModel, table=True):
    """时间·人员·内容·效果 (安全生产法 28). Corrected by a later record, never changed."""

    __tablename__ = "training_record"
    __table_args__ = (
        CheckConstraint("class_hours >= 0", name="hours_are_not_negative"),
        Index(
            "training_record_once_per_learning",
            "learning_id",
            unique=True,
            postgresql_where=text("corrects_id IS NULL"),
        ),
        Index(
            "training_record_once_per_enrolment",
            "enrolment_id",
            unique=True,
            postgresql_where=text("corrects_id IS NULL"),
        ),
        UniqueConstraint("corrects_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    organisation_id: UUID | None = Field(default=None, foreign_key="organisation.id", index=True)
    provider_id: UUID | None = Field(default=None, foreign_key="organisation.id", description="who gave the training")
    category: PersonCategory | None = Field(default=None, sa_type=one_of(PersonCategory))
    post: str = Field(default="", max_length=100)
    mode: TrainingMode = Field(sa_type=one_of(TrainingMode))
    title: str = Field(max_length=200)
    content: str = ""
    course_version_id: UUID | None = Field(default=None, foreign_key="course_version.id")
    learning_id: UUID | None = Field(default=None, foreign_key="learning.id")
    enrolment_id: UUID | None = Field(default=None, foreign_key="class_enrolment.id")
    started_at: datetime = Field(sa_type=INSTANT)
    ended_at: datetime = Field(sa_type=INSTANT, index=True)
    class_hours: Decimal = Field(max_digits=6, decimal_places=1)
    trainer: str = Field(default="", max_length=200)
    assessment: str = Field(default="", max_length=200)
    passed: bool
    evidence: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, nullable=False)
    corrects_id: UUID | None = Field(default=None, foreign_key="training_record.id")
    created_at: datetime = Field(sa_type=INSTANT)
    created_by: UUID | None = Field(default=None, foreign_key="person.id")


class Assignment(SQLModel, table=True):
    """A course that an enterprise expects one of its staff to finish by a day."""

    __table_args__ = (
        Index(
            "assignment_one_open",
            "organisation_id",
            "person_id",
            "course_id",
            unique=True,
            postgresql_where=text("finished_at IS NULL AND withdrawn_at IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    organisation_id: UUID = Field(foreign_key="organisation.id", index=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    course_id: UUID = Field(foreign_key="course.id", index=True)
    due_on: date
    assigned_at: datetime = Field(sa_type=INSTANT)
    assigned_by: UUID = Field(foreign_key="person.id")
    finished_at: datetime | None = Field(default=None, sa_type=INSTANT)
    withdrawn_at: datetime | None = Field(default=None, sa_type=INSTANT)


class ClassStatus(StrEnum):
    """A class is enrolled for, held, and closed when its hours are credited."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"


class TrainingClass(SQLModel, table=True):
    """A class (培训班) that a centre opens for a course."""

    __tablename__ = "training_class"
    __table_args__ = (CheckConstraint("capacity > 0", name="class_has_places"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    centre_id: UUID = Field(foreign_key="organisation.id", index=True)
    course_version_id: UUID = Field(foreign_key="course_version.id")
    title: str = Field(max_length=200)
    teacher_id: UUID = Field(foreign_key="person.id")
    room: str = Field(max_length=100)
    capacity: int
    status: ClassStatus = Field(default=ClassStatus.OPEN, sa_type=one_of(ClassStatus))
    created_at: datetime = Field(sa_type=INSTANT)
    created_by: UUID = Field(foreign_key="person.id")
    closed_at: datetime | None = Field(default=None, sa_type=INSTANT)
    cancelled_at: datetime | None = Field(default=None, sa_type=INSTANT)
    cancelled_reason: str = Field(default="", max_length=500)


class ClassLesson(SQLModel, table=True):
    """One lesson of a class: a date, a room and its class hours."""

    __tablename__ = "class_lesson"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="lesson_starts_before_it_ends"),
        CheckConstraint("class_hours > 0", name="lesson_has_hours"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    class_id: UUID = Field(foreign_key="training_class.id", index=True)
    topic: str = Field(max_length=200)
    room: str = Field(max_length=100)
    starts_at: datetime = Field(sa_type=INSTANT)
    ends_at: datetime = Field(sa_type=INSTANT)
    class_hours: Decimal = Field(max_digits=4, decimal_places=1)
    attendance_secret: bytes = Field(description="key of the short-lived code in the attendance QR")


class ClassEnrolment(SQLModel, table=True):
    """A learner's place in a class."""

    __tablename__ = "class_enrolment"
    __table_args__ = (
        Index(
            "class_enrolment_once",
            "class_id",
            "person_id",
            unique=True,
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    class_id: UUID = Field(foreign_key="training_class.id", index=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    enrolled_at: datetime = Field(sa_type=INSTANT)
    withdrawn_at: datetime | None = Field(default=None, sa_type=INSTANT)


class AttendanceWay(StrEnum):
    """How presence was shown."""

    QR = "QR"
    LIST = "LIST"


class Attendance(SQLModel, table=True):
    """One learner's presence at one lesson."""

    lesson_id: UUID = Field(foreign_key="class_lesson.id", primary_key=True)
    enrolment_id: UUID = Field(foreign_key="class_enrolment.id", primary_key=True)
    way: AttendanceWay = Field(sa_type=one_of(AttendanceWay))
    at: datetime = Field(sa_type=INSTANT)
    recorded_by: UUID = Field(foreign_key="person.id")


class Notice(SQLModel, table=True):
    """A message to one person inside Anpei; `kind` names its text, `detail` fills it in (web/notices.py)."""

    __table_args__ = (Index("notice_unread", "person_id", postgresql_where=text("read_at IS NULL")),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    kind: str = Field(max_length=40)
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, nullable=False)
    link: str = Field(default="", max_length=200, description="a path of this site")
    created_at: datetime = Field(sa_type=INSTANT)
    read_at: datetime | None = Field(default=None, sa_type=INSTANT)
