"""What a pool does to a connection of a DB-API driver (PEP 249), unless told otherwise."""

from __future__ import annotations

from typing import Any

_IDLE = 0  # libpq's PQTRANS_IDLE


def rollback(conn: Any) -> None:
    """Ends what the connection has begun; nothing, where the driver knows of nothing."""
    if not is_clean(conn):
        conn.rollback()


def is_clean(conn: Any) -> bool:
    """Whether the driver knows, without asking, that no transaction is open."""
    status = getattr(conn, "get_transaction_status", None)  # psycopg2
    if status is not None:
        return not conn.closed and status() == _IDLE
    info = getattr(conn, "info", None)  # psycopg
    return bool(getattr(info, "transaction_status", None) == _IDLE and not conn.closed)


def check_connection(conn: Any) -> None:
    """A value for `check`: asks the database for a row, and raises if there is none."""
    cursor = conn.cursor()
    try:
        cursor.execute("SELECT 1")
        cursor.fetchall()
    finally:
        cursor.close()
    rollback(conn)


def close(conn: Any) -> None:
    """Closes it."""
    conn.close()
