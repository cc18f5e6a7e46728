"""Bringing a schema up to this version: extensions, tables by Alembic, functions from `sql/*.sql`."""

import re
from collections.abc import Callable, Iterable
from hashlib import blake2b
from importlib.resources import files
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg import errors as pg
from psycopg import sql

from recsys.config import Settings
from recsys.database.connection import check_server, connect, translated_errors
from recsys.errors import DatabaseError, NotMigratedError

if TYPE_CHECKING:
    from alembic.config import Config

SCHEMA_REVISION = "0010"
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
    """The schema of the settings, whether or not it is there; others come after it in the search path."""
    row = connection.execute("SELECT current_setting('recsys.schema')").fetchone()
    return str(row[0]) if row else ""


def _has_table(connection: psycopg.Connection, name: str) -> bool:
    return _exists(connection, "pg_tables WHERE schemaname = current_setting('recsys.schema') AND tablename = %s", name)


FUNCTIONS_OF_A_NAME = """
SELECT p.oid, p.ctid::text, p.oid::regprocedure::text, coalesce(obj_description(p.oid, 'pg_proc'), '') FROM pg_proc AS p
 WHERE p.pronamespace = to_regnamespace(quote_ident(current_setting('recsys.schema'))) AND p.proname = %s
"""

OURS = r"(^recsys, |\[recsys [0-9a-f]+\]$)"
"""In the comment of every function of ours, a regular expression of Postgres and Python; the hash is its file's."""


class _Function(NamedTuple):
    oid: int
    version: str
    """Another one whenever it is replaced."""
    signature: str
    comment: str

    @property
    def is_ours(self) -> bool:
        return re.search(OURS, self.comment) is not None


def install_functions(connection: psycopg.Connection) -> None:
    """Bring the SQL functions of the schema to this version; none are left where there are no tables.

    A file of `sql/` defines the functions of the one name that it is named after; what stands first in it is their
    comment. Nobody but their owner may execute them until it is granted. Functions whose file is as it was are left
    alone, and one of the same name that somebody else made too.

    Raises:
        DatabaseError: something of somebody else's depends on a function that changed its arguments or result.
    """
    folder = files("recsys.database").joinpath("sql")
    # A function may call one that is made after it. Temporary objects come last in the search path that functions
    # keep, so that nobody's temporary table is read for one of ours.
    connection.execute("SET LOCAL check_function_bodies = off")
    connection.execute("SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true)")
    has_tables = _has_table(connection, "title_profile")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        name, is_sql, _ = file.name.partition(".sql")
        if is_sql:
            _install_functions_of(connection, name, file.read_text(encoding="utf-8") if has_tables else "")


def _install_functions_of(connection: psycopg.Connection, name: str, source: str) -> None:
    """Make, replace or, where there is no source, drop the functions of one name."""
    mark = f"[recsys {blake2b(source.encode(), digest_size=8).hexdigest()}]"
    there = _functions_of(connection, name)
    if any(function.comment.endswith(mark) for function in there):
        return
    if source:
        try:
            with connection.transaction():
                connection.execute(source.encode())
        except pg.InvalidFunctionDefinition:
            _drop_functions(connection, (function.signature for function in there if function.is_ours))
            connection.execute(source.encode())
    before = {(function.oid, function.version) for function in there}
    for function in _functions_of(connection, name):
        signature = sql.SQL(function.signature)
        if (function.oid, function.version) not in before:
            comment = sql.Literal(f"{sql_description(source)} {mark}")
            connection.execute(sql.SQL("COMMENT ON FUNCTION {} IS {}").format(signature, comment))
            connection.execute(sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC").format(signature))
        elif function.is_ours:
            _drop_functions(connection, [function.signature])


def _functions_of(connection: psycopg.Connection, name: str) -> list[_Function]:
    return [_Function(*row) for row in connection.execute(FUNCTIONS_OF_A_NAME, (name,))]


def sql_description(source: str) -> str:
    """The first paragraph of the comment that a file of SQL begins with, as one line."""
    lines = takewhile(lambda line: line.startswith("-- "), source.splitlines())
    return " ".join(line.removeprefix("-- ").strip() for line in lines)


def _drop_functions(connection: psycopg.Connection, signatures: Iterable[str]) -> None:
    for signature in signatures:
        try:
            connection.execute(sql.SQL("DROP FUNCTION {}").format(sql.SQL(signature)))
        except pg.DependentObjectsStillExist as error:
            what = (error.diag.message_detail or "").replace("\n", ", ")
            raise DatabaseError(f"cannot replace the function {signature}: {what}; drop it first") from None


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
    table = sql.Identifier(current_schema(connection), "alembic_version")
    row = connection.execute(sql.SQL("SELECT version_num FROM {}").format(table)).fetchone()
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
        " WHERE relname = ANY(%s) AND relnamespace = to_regnamespace(quote_ident(current_setting('recsys.schema')))",
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
