"""Connections: one way to reach the database, whatever server it is on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import errors as pg
from psycopg.pq import TransactionStatus

from recsys.config import Settings
from recsys.database.server import EmbeddedServer
from recsys.errors import BusyError, DatabaseError, NotMigratedError, SettingsError

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

MIN_POSTGRES = 15
MIN_PGVECTOR = (0, 8)
REFRESH_LOCK = 0x7265_6672
WRITER_LOCK = 0x7265_6373_7973  # "recsys"

SEARCH_PATH = """
SELECT set_config('recsys.schema', %(schema)s, false),
       set_config('search_path', concat_ws(', ', quote_ident(%(schema)s), 'public',
         (SELECT string_agg(DISTINCT quote_ident(n.nspname), ', ')
            FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
           WHERE e.extname IN ('vector', 'pg_trgm') AND n.nspname NOT IN ('public', %(schema)s))), false)
"""


def database_url(settings: Settings) -> str:
    """URL of the server that the settings name; does not start anything."""
    return settings.database_url or EmbeddedServer(settings.home).url()


def _place(url: str) -> str:
    """Host and database of a URL, without its password, for messages."""
    try:
        parts = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "DATABASE_URL"
    # A password that holds an @ puts its end before the host.
    host = str(parts.get("host") or parts.get("hostaddr") or "the local socket").rpartition("@")[2]
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"{host}{port}/{parts.get('dbname') or ''}"


def _reason(error: psycopg.OperationalError) -> str:
    """Why the last attempt failed, without the hints that libpq puts below."""
    lines = str(error).strip().splitlines() or ["no answer"]
    attempts = [line for line in lines if " failed: " in line]
    return (attempts[-1] if attempts else lines[0]).rpartition(" failed: ")[2]


def _open(settings: Settings, *, autocommit: bool) -> psycopg.Connection:
    url = database_url(settings)
    options = {"autocommit": autocommit, "application_name": "recsys", "connect_timeout": 10}
    try:
        return psycopg.connect(url, **options)  # type: ignore[arg-type]
    except psycopg.ProgrammingError as error:
        raise SettingsError(f"DATABASE_URL is not a valid URL: {str(error).strip()}") from None
    except psycopg.OperationalError as error:
        if settings.database_url is None and EmbeddedServer(settings.home).start():
            return psycopg.connect(url, **options)  # type: ignore[arg-type]
        raise DatabaseError(f"cannot reach the database {_place(url)}: {_reason(error)}") from None


def connect(settings: Settings, *, autocommit: bool = False) -> psycopg.Connection:
    """A connection whose search path is the schema of the settings; the embedded server is started if it is down.

    Raises:
        SettingsError: DATABASE_URL cannot be read.
        DatabaseError: the server cannot be reached.
    """
    connection = _open(settings, autocommit=True)
    connection.execute(SEARCH_PATH, {"schema": settings.db_schema})
    connection.autocommit = autocommit
    return connection


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn what Postgres says into words that name the mend, a missing or old schema above all."""
    try:
        yield
    except (pg.UndefinedTable, pg.UndefinedFunction, pg.UndefinedColumn, pg.InvalidSchemaName):
        raise NotMigratedError("the database is not set up for this version: run `recsys db upgrade`") from None
    except pg.InsufficientPrivilege as error:
        said = error.diag.message_primary
        raise DatabaseError(f"the role may not do this: {said}; a reader has `recsys query` and SQL") from None
    except (pg.DiskFull, pg.OutOfMemory, pg.AdminShutdown, pg.CrashShutdown, pg.CannotConnectNow) as error:
        raise DatabaseError(f"the server stopped the work: {error.diag.message_primary}") from None
    except (psycopg.DataError, psycopg.IntegrityError, pg.ProgramLimitExceeded) as error:
        raise DatabaseError(f"the server refused a row: {error.diag.message_primary or error}") from None
    except psycopg.OperationalError as error:
        raise DatabaseError(f"the connection was lost: {str(error).strip().splitlines()[0]}") from None


def check_server(connection: psycopg.Connection) -> None:
    """Refuse a server that is too old or whose pgvector is missing or too old.

    Raises:
        DatabaseError: with the mend.
    """
    major = connection.info.server_version // 10_000
    if major < MIN_POSTGRES:
        raise DatabaseError(f"PostgreSQL {major} is too old: {MIN_POSTGRES} or newer is needed")
    row = connection.execute(
        "SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname = 'vector'), default_version)"
        " FROM pg_available_extensions WHERE name = 'vector'"
    ).fetchone()
    if row is None:
        raise DatabaseError(
            "the server has no pgvector: install it (package postgresql-NN-pgvector, or image pgvector/pgvector)"
        )
    version = tuple(int(part) for part in str(row[0]).split(".")[:2])
    if version < MIN_PGVECTOR:
        raise DatabaseError(
            f"pgvector {row[0]} is too old: 0.8 or newer is needed; install it and run ALTER EXTENSION vector UPDATE"
        )


@contextmanager
def writer_lock(connection: psycopg.Connection, schema: str) -> Iterator[None]:
    """Hold the one writer's lock of a schema for as long as the block runs.

    Raises:
        BusyError: another process of ours is writing.
    """
    with _lock(connection, WRITER_LOCK, schema, "another recsys command is writing to this database"):
        yield


@contextmanager
def refresh_lock(connection: psycopg.Connection, schema: str) -> Iterator[None]:
    """Hold the lock of the one `recsys refresh` of a schema, which takes the writer's lock step by step.

    Raises:
        BusyError: another one is running.
    """
    with _lock(connection, REFRESH_LOCK, schema, "another `recsys refresh` of this database is running"):
        yield


@contextmanager
def _lock(connection: psycopg.Connection, number: int, schema: str, taken: str) -> Iterator[None]:
    key = "SELECT {}(%s, hashtext(%s))"
    name = (number & 0x7FFF_FFFF, schema)
    row = connection.execute(key.format("pg_try_advisory_lock"), name).fetchone()
    connection.commit()
    if row is None or not row[0]:
        raise BusyError(f"{taken}: wait for it to end")
    try:
        yield
    finally:
        # Interrupted in the middle of a query, only closing lets go of the lock.
        if connection.info.transaction_status == TransactionStatus.ACTIVE:
            connection.close()
        elif not connection.closed and not connection.broken:
            connection.rollback()
            connection.execute(key.format("pg_advisory_unlock"), name)
            connection.commit()


def make_engine(settings: Settings) -> "Engine":
    """A SQLAlchemy engine over `connect`, for the models of `tables`."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    return create_engine("postgresql+psycopg://", creator=lambda: connect(settings), poolclass=NullPool)


@contextmanager
def session_scope(settings: Settings) -> Iterator["Session"]:
    """A session that rolls back unless it was committed."""
    from sqlalchemy.orm import Session

    engine = make_engine(settings)
    with translated_errors(), Session(engine) as session:
        yield session
