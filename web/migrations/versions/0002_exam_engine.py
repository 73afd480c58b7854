"""Papers made ahead, pauses, chains and receipts, facts for the board, notices, and finer blueprints."""

from __future__ import annotations

import sqlalchemy as sa
import sqlmodel
from alembic import op
from sqlalchemy.dialects import postgresql

from web.migrations import guards

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

_WITH_A_DEFAULT_FOR_ROWS_THAT_STAND = (
    ("application", "accommodations_wanted"),
    ("application", "accommodations"),
    ("blueprint", "mc_rule"),
    ("blueprint", "shows_key_points"),
    ("blueprint_cell", "level"),
    ("drawn_paper", "number"),
    ("enterprise_exam", "needs_seb"),
    ("enterprise_exam_candidate", "accommodations"),
    ("exam_session", "needs_seb"),
    ("sitting", "accommodations"),
)
# What a row may hold, where it is now more than before.
_CONDITIONS = (
    (
        "sitting",
        "ck_sitting_sittingstatus_is_known",
        "status IN ('OPEN', 'PAUSED', 'HANDED_IN', 'TIMED_OUT', 'CLOSED_BY_SITE', 'VOID')",
    ),
    ("sitting", "ck_sitting_open_means_not_submitted", "(status IN ('OPEN', 'PAUSED')) = (submitted_at IS NULL)"),
    ("sitting", "ck_sitting_paused_since", "(status = 'PAUSED') = (paused_at IS NOT NULL)"),
    (
        "sitting",
        "ck_sitting_sitting_has_a_whole_receipt",
        "num_nulls(chain_head, receipt_signature, receipt_key_id) IN (0, 3)",
    ),
    (
        "score",
        "ck_score_scorestate_is_known",
        "state IN ('PROVISIONAL', 'UNDER_REVIEW', 'RELEASED', 'WITHHELD', 'VOID')",
    ),
    (
        "practical_result",
        "ck_practical_result_scorestate_is_known",
        "state IN ('PROVISIONAL', 'UNDER_REVIEW', 'RELEASED', 'WITHHELD', 'VOID')",
    ),
    ("regrade", "ck_regrade_regradekind_is_known", "kind IN ('CHANGE_KEY', 'ACCEPT_KEYS', 'DROP', 'GIVE_ALL')"),
    ("regrade", "ck_regrade_regrade_key", "(kind IN ('CHANGE_KEY', 'ACCEPT_KEYS')) = (new_key <> '')"),
    ("drawn_paper", "ck_drawn_paper_papers_count_from_one", "number > 0"),
    ("blueprint", "ck_blueprint_mcrule_is_known", "mc_rule IN ('ALL_OR_NOTHING', 'PARTIAL')"),
    ("blueprint_cell", "ck_blueprint_cell_celllevel_is_known", "level IN ('ANY', 'KNOW', 'GRASP', 'MASTER')"),
)


def upgrade() -> None:
    """Apply."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "browser_exam_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("key", sqlmodel.sql.sqltypes.AutoString(length=64), nullable=False),
        sa.Column("label", sqlmodel.sql.sqltypes.AutoString(length=100), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["created_by"], ["person.id"], name=op.f("fk_browser_exam_key_created_by")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_browser_exam_key_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_browser_exam_key")),
    )
    op.create_index(
        "browser_exam_key_once",
        "browser_exam_key",
        ["organisation_id", "key"],
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_index(op.f("ix_browser_exam_key_organisation_id"), "browser_exam_key", ["organisation_id"], unique=False)
    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("detail", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("link", sqlmodel.sql.sqltypes.AutoString(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_notice_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    op.create_index(op.f("ix_notice_person_id"), "notice", ["person_id"], unique=False)
    op.create_index("notice_unread", "notice", ["person_id"], unique=False, postgresql_where=sa.text("read_at IS NULL"))
    op.create_table(
        "item_estimate",
        sa.Column("revision_id", sa.Uuid(), nullable=False),
        sa.Column("reviewer_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.CheckConstraint("percent BETWEEN 1 AND 99", name=op.f("ck_item_estimate_estimate_is_a_share")),
        sa.ForeignKeyConstraint(["reviewer_id"], ["person.id"], name=op.f("fk_item_estimate_reviewer_id")),
        sa.ForeignKeyConstraint(["revision_id"], ["item_revision.id"], name=op.f("fk_item_estimate_revision_id")),
        sa.PrimaryKeyConstraint("revision_id", "reviewer_id", "at", name=op.f("pk_item_estimate")),
    )
    op.create_table(
        "answer_sheet_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("drawn_paper_id", sa.Uuid(), nullable=False),
        sa.Column("choices", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("remark", sqlmodel.sql.sqltypes.AutoString(length=500), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["drawn_paper_id"], ["drawn_paper.id"], name=op.f("fk_answer_sheet_entry_drawn_paper_id")
        ),
        sa.ForeignKeyConstraint(["entered_by"], ["person.id"], name=op.f("fk_answer_sheet_entry_entered_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer_sheet_entry")),
    )
    op.create_index(
        op.f("ix_answer_sheet_entry_drawn_paper_id"), "answer_sheet_entry", ["drawn_paper_id"], unique=False
    )
    op.create_table(
        "integrity_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sitting_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=True),
        sa.Column(
            "kind",
            sa.Enum(
                "LEFT_FULL_SCREEN",
                "TAB_HIDDEN",
                "PASTE",
                "COPY",
                "NETWORK_GAP",
                "SECOND_DEVICE",
                "FACE_CHECK_DUE",
                "SEB_MISSING",
                name="integritykind_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("detail", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("seconds >= 0", name=op.f("ck_integrity_event_lasts_no_negative_time")),
        sa.ForeignKeyConstraint(["sitting_id"], ["sitting.id"], name=op.f("fk_integrity_event_sitting_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_integrity_event")),
        sa.UniqueConstraint("sitting_id", "client_id", name=op.f("uq_integrity_event_sitting_id_client_id")),
    )
    op.create_index(op.f("ix_integrity_event_sitting_id"), "integrity_event", ["sitting_id"], unique=False)
    op.create_table(
        "late_answer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sitting_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("choice", sqlmodel.sql.sqltypes.AutoString(length=8), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("link", sa.LargeBinary(), nullable=True),
        sa.Column(
            "reason",
            sa.Enum(
                "AFTER_GRACE",
                "ORDER_NOT_PROVEN",
                "ENDED",
                "OTHER_DEVICE",
                name="latereason_is_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["sitting_id"], ["sitting.id"], name=op.f("fk_late_answer_sitting_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_late_answer")),
        sa.UniqueConstraint(
            "sitting_id", "seq", "position", "choice", name=op.f("uq_late_answer_sitting_id_seq_position_choice")
        ),
    )
    op.add_column("answer_event", sa.Column("link", sa.LargeBinary(), nullable=True))
    op.add_column(
        "application",
        sa.Column(
            "accommodations_wanted",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
            server_default=sa.text("'{}'"),
        ),
    )
    op.add_column("application", sa.Column("accommodation_reason_sealed", sa.LargeBinary(), nullable=True))
    op.add_column(
        "application",
        sa.Column(
            "accommodations",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
            server_default=sa.text("'{}'"),
        ),
    )
    op.add_column(
        "blueprint",
        sa.Column(
            "mc_rule",
            sa.Enum(
                "ALL_OR_NOTHING",
                "PARTIAL",
                name="mcrule_is_known",
                native_enum=False,
                create_constraint=False,
                length=32,
            ),
            nullable=False,
            server_default=sa.text("'ALL_OR_NOTHING'"),
        ),
    )
    op.add_column(
        "blueprint", sa.Column("shows_key_points", sa.Boolean(), nullable=False, server_default=sa.text("false"))
    )
    op.add_column("blueprint", sa.Column("local_percent", sa.Integer(), nullable=True))
    op.add_column("blueprint", sa.Column("exposure_percent", sa.Integer(), nullable=True))
    op.add_column("blueprint", sa.Column("overlap_percent", sa.Integer(), nullable=True))
    op.add_column(
        "blueprint_cell",
        sa.Column(
            "level",
            sa.Enum(
                "ANY",
                "KNOW",
                "GRASP",
                "MASTER",
                name="celllevel_is_known",
                native_enum=False,
                create_constraint=False,
                length=32,
            ),
            nullable=False,
            server_default=sa.text("'ANY'"),
        ),
    )
    op.add_column("drawn_paper", sa.Column("number", sa.Integer(), nullable=False, server_default=sa.text("1")))
    op.alter_column("drawn_paper", "drawn_by", existing_type=sa.UUID(), nullable=True)
    op.drop_constraint(op.f("uq_drawn_paper_booking_id"), "drawn_paper", type_="unique")
    op.create_unique_constraint(op.f("uq_drawn_paper_booking_id_number"), "drawn_paper", ["booking_id", "number"])
    op.add_column(
        "enterprise_exam", sa.Column("needs_seb", sa.Boolean(), nullable=False, server_default=sa.text("false"))
    )
    op.add_column(
        "enterprise_exam_candidate",
        sa.Column(
            "accommodations",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
            server_default=sa.text("'{}'"),
        ),
    )
    op.add_column("exam_session", sa.Column("needs_seb", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.alter_column(
        "regrade",
        "new_key",
        existing_type=sa.VARCHAR(length=8),
        type_=sqlmodel.sql.sqltypes.AutoString(length=80),
        existing_nullable=False,
    )
    op.add_column("score", sa.Column("review_began_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("score", sa.Column("reviewed_by", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_score_reviewed_by"), "score", "person", ["reviewed_by"], ["id"])
    op.add_column("sitting", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "sitting",
        sa.Column(
            "accommodations",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
            server_default=sa.text("'{}'"),
        ),
    )
    op.add_column("sitting", sa.Column("chain_head", sa.LargeBinary(), nullable=True))
    op.add_column("sitting", sa.Column("receipt_signature", sa.LargeBinary(), nullable=True))
    op.add_column("sitting", sa.Column("receipt_key_id", sqlmodel.sql.sqltypes.AutoString(length=32), nullable=True))
    for table, column in _WITH_A_DEFAULT_FOR_ROWS_THAT_STAND:
        op.alter_column(table, column, server_default=None)
    op.drop_constraint("pk_blueprint_cell", "blueprint_cell", type_="primary")
    op.create_primary_key("pk_blueprint_cell", "blueprint_cell", ["blueprint_id", "area", "type", "level"])
    op.drop_index("sitting_one_open_per_exam", table_name="sitting")
    op.create_index(
        "sitting_one_open_per_exam",
        "sitting",
        ["enterprise_exam_id", "person_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('OPEN', 'PAUSED')"),
    )
    for table, name, condition in _CONDITIONS:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
        op.create_check_constraint(op.f(name), table, condition)
    guards.extend(op.get_bind())


def downgrade() -> None:
    """Answers, links and receipts are not taken away."""
    raise NotImplementedError
