"""Thousands of candidates in a second: one is made as the domain makes him, the others are his copies in SQL.

Copies take every column of the first one's rows except keys and what must be unique, so a column
that a later migration adds is copied too.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

# A room as make_candidates makes it.
_SEATS = 500
_SESSIONS = """
INSERT INTO exam_session SELECT made.* FROM booking b JOIN exam_session s ON s.id = b.exam_session_id,
    generate_series(1, ($2 - 1) / {seats}) AS n,
    jsonb_populate_record(s, jsonb_build_object('id', md5($3 || 'exam_session' || n)::uuid)) AS made
WHERE b.id = $1
"""
_BOOKINGS = """
INSERT INTO booking SELECT made.* FROM booking b, generate_series(2, $2) AS n,
    jsonb_populate_record(b, jsonb_build_object(
        'id', md5($3 || 'booking' || n)::uuid, 'person_id', md5($3 || 'person' || n)::uuid,
        'application_id', md5($3 || 'application' || n)::uuid, 'ticket_no', $3 || n, 'ticket_token', $3 || '-' || n,
        'seat_no', (n - 1) % {seats} + 1, 'exam_session_id',
        CASE WHEN n <= {seats} THEN b.exam_session_id
             ELSE md5($3 || 'exam_session' || (n - 1) / {seats})::uuid END
    )) AS made
WHERE b.id = $1
"""
# (table, how its first row is found from the booking b, what differs)
_ROWS = (
    ("person", "x.id = b.person_id", "'id', md5($3 || 'person' || n)::uuid, 'matched_name', $3 || n"),
    (
        "person_document",
        "x.person_id = b.person_id",
        "'id', md5($3 || 'person_document' || n)::uuid, 'person_id', md5($3 || 'person' || n)::uuid, "
        "'number_index', '\\x' || encode(sha256(convert_to($3 || 'document' || n, 'UTF8')), 'hex')",
    ),
    (
        "account",
        "x.person_id = b.person_id",
        "'id', md5($3 || 'account' || n)::uuid, 'person_id', md5($3 || 'person' || n)::uuid, "
        "'phone_index', '\\x' || encode(sha256(convert_to($3 || 'phone' || n, 'UTF8')), 'hex')",
    ),
    (
        "sign_in",
        "x.account_id = (SELECT id FROM account WHERE person_id = b.person_id)",
        "'id', md5($3 || 'sign_in' || n)::uuid, 'account_id', md5($3 || 'account' || n)::uuid, "
        "'token_hash', '\\x' || encode(sha256(convert_to($3 || 'token' || n, 'UTF8')), 'hex')",
    ),
    (
        "application",
        "x.id = b.application_id",
        "'id', md5($3 || 'application' || n)::uuid, 'person_id', md5($3 || 'person' || n)::uuid",
    ),
)
_CHECKS = (
    "identity_check",
    "x.booking_id = b.id",
    "'id', md5($3 || 'identity_check' || n)::uuid, 'booking_id', md5($3 || 'booking' || n)::uuid",
)
_COPY = """
INSERT INTO {table} SELECT made.* FROM booking b JOIN {table} x ON {found}, generate_series(2, $2) AS n,
    jsonb_populate_record(x, jsonb_build_object({changes})) AS made
WHERE b.id = $1
"""
# The copies take the sittings of the first few in turn.
_SPREAD = """
WITH real AS (
    SELECT row_number() OVER (ORDER BY x.id) - 1 AS place, x FROM {table} x WHERE x.id = ANY($1::uuid[])
), count AS (SELECT count(*) AS count FROM real)
INSERT INTO {table} SELECT made.* FROM count,
    unnest($2::jsonb[]) WITH ORDINALITY AS one (changes, n) JOIN real ON real.place = (one.n - 1) % $3,
    jsonb_populate_record(real.x, one.changes) AS made
"""
# A paper made ahead is in force at the seat for which it was made.
_PAPERS = """
WITH real AS (SELECT row_number() OVER (ORDER BY x.id) - 1 AS place, count(*) OVER () AS count, x FROM drawn_paper x),
free AS (
    SELECT row_number() OVER (ORDER BY b.id) AS n, b.* FROM booking b
    WHERE b.id = ANY($1::uuid[]) AND b.id NOT IN (SELECT booking_id FROM drawn_paper)
)
INSERT INTO drawn_paper SELECT made.* FROM real JOIN free ON free.n % real.count = real.place,
    jsonb_populate_record(real.x, jsonb_build_object(
        'id', gen_random_uuid(), 'booking_id', free.id, 'detail',
        jsonb_set((real.x).detail, '{made_of,seat}', jsonb_build_array(free.exam_session_id, free.seat_no))
    )) AS made
"""


async def copy_papers(connection: asyncpg.Connection, booking_ids: Sequence[UUID]) -> None:
    """Give each of these bookings that has no paper made ahead a copy of one of those that are there."""
    await connection.execute(_PAPERS, booking_ids)


def _key(salt: str, table: str, number: int) -> UUID:
    return UUID(hashlib.md5(f"{salt}{table}{number}".encode(), usedforsecurity=False).hexdigest())


def copied_booking(salt: str, number: int) -> tuple[UUID, UUID, UUID, str]:
    """Booking, person, sign-in and sign-in token of copy `number`, from 2 on."""
    keys = (_key(salt, table, number) for table in ("booking", "person", "sign_in"))
    return (*keys, f"{salt}token{number}")  # type: ignore[return-value]


async def copy_candidate(connection: asyncpg.Connection, booking_id: UUID, *, count: int, salt: str) -> None:
    """Make candidates 2 … `count` like the one of `booking_id`, 500 to a session, each signed in."""
    statements = [_COPY.format(table=table, found=found, changes=changes) for table, found, changes in _ROWS]
    statements += [_SESSIONS.format(seats=_SEATS), _BOOKINGS.format(seats=_SEATS)]
    table, found, changes = _CHECKS
    statements.append(_COPY.format(table=table, found=found, changes=changes))
    async with connection.transaction():
        for statement in statements:
            await connection.execute(statement, booking_id, count, salt)


async def spread(
    connection: asyncpg.Connection, table: str, rows: Sequence[UUID], changes: Sequence[dict[str, str]]
) -> None:
    """Copy a few rows in turn, with what differs in each copy."""
    statement = _SPREAD.format(table=table)
    await connection.execute(statement, list(rows), [json.dumps(one) for one in changes], len(rows))
