"""What may go wrong with the embedded PostgreSQL."""


class PostgresError(Exception):
    """It cannot start or answer; `str()` is one sentence for the operator."""
