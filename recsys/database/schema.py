"""Bringing a schema up to this version: extensions, tables by Alembic, functions from `sql/*.sql`."""

from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors as pg
from psycopg import sql

from recsys.config import Settings
from recsys.database.connection import check_server, connect, translated_errors
from recsys.errors import DatabaseError, NotMigratedError

if TYPE_CHECKING:
    from alembic.config import Config

SCHEMA_REVISION = "0001"
"""Alembic's newest revision, known here so that a reading command need not import Alembic."""

COUNTED_ROWS = 1_000_000
"""Rows up to which a table is counted exactly."""

EXTENSIONS = ("vector", "pg_trgm")


def prepare_schema(settings: Settings) -> None:
    """Make the schema and the extensions, which must be there before a session can use their types.

    Raises:
        DatabaseError: the server is too old, or the role may not create what is missing; the message says what to run.
    """
    with connect(settings, autocommit=True) as connection:
        check_server(connection)
        if not _exists(connection, "pg_namespace WHERE nspname = %s", settings.db_schema):
            names = map(sql.Identifier, (settings.db_schema, connection.info.user))
            _create(connection, "the schema", sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(*names))
        for name in EXTENSIONS:
            if not _exists(connection, "pg_extension WHERE extname = %s", name):
                statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA public")
                _create(connection, f"the extension {name}", statement.format(sql.Identifier(name)))


def _create(connection: psycopg.Connection, missing: str, statement: sql.Composed) -> None:
    try:
        connection.execute(statement)
    except pg.InsufficientPrivilege:
        raise DatabaseError(
            f"the role {connection.info.user} may not create {missing}: ask an administrator to run"
            f" `{statement.as_string(connection)};`"
        ) from None
    except (pg.UndefinedFile, pg.FeatureNotSupported):
        raise DatabaseError(f"the server does not have {missing}: install it there first") from None


def _exists(connection: psycopg.Connection, condition: str, name: str) -> bool:
    return connection.execute(f"SELECT 1 FROM {condition}", (name,)).fetchone() is not None  # noqa: S608 -- our text


def current_schema(connection: psycopg.Connection) -> str:
    """The schema that holds our objects on this connection; other people's may come after it in the search path."""
    row = connection.execute("SELECT current_schema()").fetchone()
    return str(row[0]) if row else ""


def _has_table(connection: psycopg.Connection, name: str) -> bool:
    return _exists(connection, "pg_tables WHERE schemaname = current_schema() AND tablename = %s", name)


def install_functions(connection: psycopg.Connection) -> None:
    """Replace the SQL functions of the schema by those of this version; none where there are no tables.

    A file of `sql/` defines the one function that it is named after.
    """
    folder = files("recsys.database").joinpath("sql")
    sources = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda file: file.name)
    schema = current_schema(connection)
    for file in sources:
        name = sql.Identifier(schema, file.name.removesuffix(".sql"))
        connection.execute(sql.SQL("DROP FUNCTION IF EXISTS {}").format(name))
    if _has_table(connection, "title_profile"):
        # A function may call one that is made after it.
        connection.execute("SET LOCAL check_function_bodies = off")
        for file in sources:
            connection.execute(file.read_text(encoding="utf-8").encode())


def _alembic(settings: Settings) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("recsys.migrations")).replace("%", "%%"))
    config.attributes["settings"] = settings
    return config


def _run(command: Callable[..., Any], settings: Settings, *arguments: str) -> None:
    from sqlalchemy.exc import DBAPIError

    with translated_errors():
        try:
            command(_alembic(settings), *arguments)
        except DBAPIError as error:
            raise (error.orig or error) from None


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Bring the schema to a revision; nothing changes where it is there already."""
    from alembic import command

    _run(command.upgrade, settings, revision)


def downgrade(settings: Settings, revision: str) -> None:
    """Take the schema back to a revision, `base` for nothing; the rows of dropped tables are lost."""
    from alembic import command

    _run(command.downgrade, settings, revision)


def revision(connection: psycopg.Connection) -> str | None:
    """The schema's revision, None where there is none."""
    if not _has_table(connection, "alembic_version"):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def require_migrated(connection: psycopg.Connection) -> None:
    """Refuse a schema of another version.

    Raises:
        NotMigratedError: with the mend.
    """
    found = revision(connection)
    if found == SCHEMA_REVISION:
        return
    if found is None or found < SCHEMA_REVISION:
        state = "is empty" if found is None else f"is at revision {found}"
        raise NotMigratedError(f"the schema {state}, this version needs {SCHEMA_REVISION}: run `recsys db upgrade`")
    raise NotMigratedError(f"the schema is at revision {found}, newer than this recsys: upgrade the package")


def table_sizes(connection: psycopg.Connection) -> dict[str, int]:
    """Rows of the catalogue's main tables, counted, or estimated by the server where they are many."""
    tables = ("playlist", "tracklist", "song", "track", "artist", "dj", "title", "playlist_track", "tracklist_track")
    rows = connection.execute(
        "SELECT relname, reltuples FROM pg_class"
        " WHERE relname = ANY(%s) AND relnamespace = current_schema()::regnamespace",
        (list(tables),),
    ).fetchall()
    estimates = {str(name): int(estimate) for name, estimate in rows}
    sizes = {}
    for table in tables:
        if table in estimates:
            count = estimates[table]
            if count < COUNTED_ROWS:
                row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
                count = int(row[0]) if row else 0
            sizes[table] = count
    return sizes
