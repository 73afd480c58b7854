"""What the database itself refuses, whoever asks: triggers that no table model can state."""

from __future__ import annotations

from sqlalchemy import Connection, text

_REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
_APPEND_ONLY = (
    "audit_entry",
    "answer_event",
    "identity_check",
    "sitting_event",
    "drawn_paper",
    "item_difficulty",
    "score_revision",
)

# The wording of a revision is immutable; only its status, its review and its end move on.
_KEEP_WORDING = """
CREATE FUNCTION keep_wording() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.item_id, OLD.number, OLD.type, OLD.area, OLD.level, OLD.key_point, OLD.is_local, OLD.stem,
        OLD.options, OLD.key, OLD.explanation, OLD.source, OLD.author_id)
       IS DISTINCT FROM
       (NEW.item_id, NEW.number, NEW.type, NEW.area, NEW.level, NEW.key_point, NEW.is_local, NEW.stem,
        NEW.options, NEW.key, NEW.explanation, NEW.source, NEW.author_id)
    THEN
        RAISE EXCEPTION 'a revision never changes its wording' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$
"""

# A paper is dealt once; a training record and a certificate's facts are never rewritten.
_KEEP_PAPER = """
CREATE FUNCTION keep_paper() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.paper, OLD.seed, OLD.person_id, OLD.blueprint_id, OLD.started_at)
       IS DISTINCT FROM (NEW.paper, NEW.seed, NEW.person_id, NEW.blueprint_id, NEW.started_at)
    THEN
        RAISE EXCEPTION 'a paper is dealt once' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$
"""

_APPEND_ONLY_SINCE_2 = ("late_answer", "integrity_event", "answer_sheet_entry", "item_estimate")

# exams/sitting_states.py says the same; a receipt is written once.
_KEEP_STATES = """
CREATE FUNCTION keep_sitting_states() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status IS DISTINCT FROM OLD.status AND NOT (
        OLD.status = 'OPEN'
        OR (OLD.status = 'PAUSED' AND NEW.status IN ('OPEN', 'CLOSED_BY_SITE', 'VOID'))
        OR (OLD.status <> 'VOID' AND NEW.status = 'VOID')
    ) THEN
        RAISE EXCEPTION 'a sitting does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.chain_head IS NOT NULL AND (OLD.chain_head, OLD.receipt_signature, OLD.receipt_key_id)
       IS DISTINCT FROM (NEW.chain_head, NEW.receipt_signature, NEW.receipt_key_id)
    THEN
        RAISE EXCEPTION 'a receipt is written once' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$
"""


def create(connection: Connection) -> None:
    """Create the guards of the first tables."""
    connection.execute(text(_REFUSE_CHANGE))
    for table in (*_APPEND_ONLY, "training_record"):
        _make_append_only(connection, table)
    connection.execute(text(_KEEP_WORDING))
    connection.execute(
        text(
            "CREATE TRIGGER item_revision_keeps_wording BEFORE UPDATE ON item_revision "
            "FOR EACH ROW EXECUTE FUNCTION keep_wording()"
        )
    )
    connection.execute(text(_KEEP_PAPER))
    connection.execute(
        text("CREATE TRIGGER sitting_keeps_paper BEFORE UPDATE ON sitting FOR EACH ROW EXECUTE FUNCTION keep_paper()")
    )


def extend(connection: Connection) -> None:
    """Create the guards that came with migration 0002."""
    for table in _APPEND_ONLY_SINCE_2:
        _make_append_only(connection, table)
    connection.execute(text(_KEEP_STATES))
    connection.execute(
        text(
            "CREATE TRIGGER sitting_keeps_states "
            "BEFORE UPDATE OF status, chain_head, receipt_signature, receipt_key_id ON sitting "
            "FOR EACH ROW EXECUTE FUNCTION keep_sitting_states()"
        )
    )


def _make_append_only(connection: Connection, table: str) -> None:
    connection.execute(
        text(
            f"CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    )
    connection.execute(
        text(
            f"CREATE TRIGGER {table}_is_not_emptied BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    )
