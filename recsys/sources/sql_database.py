"""Somebody's database, opened to read and for nothing else."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from recsys.errors import SourceError
from recsys.sources.batches import Parsed, batches
from recsys.sources.inputs import Input, file_name
from recsys.sources.records import Batch, Reached
from recsys.sources.sql_mapping import ENTRY, KEY, LIST, TRACK, Lists, Query, Section, SqlMapping, require_columns
from recsys.sources.sql_rows import Row, SqlRows
from recsys.sources.texts import safe

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine, FromClause, Select, Subquery

ROWS_A_FETCH = 10_000
_IN_MEMORY = ("", ":memory:")
LISTS: tuple[Lists, ...] = ("items", "tracklists")
FAMILY: dict[Lists, tuple[Section, ...]] = {"items": ("playlists", "items"), "tracklists": ("tracklists",)}
"""The queries whose changes tell which lists changed."""

KINDS: dict[type, tuple[str, Callable[[str], object]]] = {
    int: ("whole number", int),
    Decimal: ("decimal", Decimal),
    float: ("number", float),
    datetime: ("time", datetime.fromisoformat),
    date: ("day", date.fromisoformat),
    str: ("text", str),
}
"""What a column may hold by which changes are told: how it is called, and read again from its text."""


@contextmanager
def open_source(dsn: str) -> Iterator[Connection]:
    """A connection that reads one state of the database and can write nothing where the dialect knows how.

    Raises:
        SourceError: the DSN is none, its driver is missing, or the server cannot be reached.
    """
    from sqlalchemy.exc import SQLAlchemyError

    engine, place = _engine(dsn)
    try:
        connection = engine.connect()
        try:
            if engine.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                # A cursor is planned for its first rows unless told that all of them will be fetched.
                connection.exec_driver_sql("SET LOCAL cursor_tuple_fraction = 1")
            elif engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")
        except BaseException:
            connection.close()
            raise
    except SQLAlchemyError as error:
        raise SourceError(f"cannot reach the source {place}: {_reason(error)}") from None
    with connection:
        yield connection


def place_hash(dsn: str) -> str:
    """What tells a database from others and does not say which it is, 32 hex digits; user and password are not in it.

    Raises:
        SourceError: the DSN is none, or its driver is missing.
    """
    engine, place = _engine(dsn)
    return blake2b(f"{engine.dialect.name}\n{place}".encode(), digest_size=16).hexdigest()


def database_name(dsn: str) -> str:
    """What a database is called, of a file its name without the ending."""
    from sqlalchemy import make_url

    url = make_url(dsn.strip())
    return Path(url.database or "").stem if url.get_backend_name() == "sqlite" else url.database or ""


def _engine(dsn: str) -> tuple[Engine, str]:
    """An engine and, for messages, what it leads to, without a password."""
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError
    from sqlalchemy.pool import NullPool

    try:
        url = make_url(re.sub(r"^(postgres|postgresql)(\+\w+)?://", "postgresql+psycopg://", dsn.strip()))
        database = url.database or ""
        if url.get_backend_name() == "sqlite":
            database = database if database in _IN_MEMORY else str(Path(database).resolve())
            engine = create_engine("sqlite://", creator=lambda: _open_sqlite(database), poolclass=NullPool)
            return engine, safe(database)
        options = {"connect_timeout": 10} if url.get_backend_name() == "postgresql" else {}
        host = url.host or str(url.query.get("host", "the local socket"))
        place = safe(f"{host}{f':{url.port}' if url.port else ''}/{database}")
        return create_engine(url, connect_args=options, poolclass=NullPool), place
    except NoSuchModuleError:
        raise SourceError(f"the DSN begins with {safe(dsn.partition(':')[0])}, which no dialect is called") from None
    except ModuleNotFoundError as error:
        name = safe(dsn.partition(":")[0])
        raise SourceError(f"the driver of {name} is not installed: pip install the package of {error.name}") from None
    except (ArgumentError, ValueError):
        example = "postgresql://user@host/database or sqlite:///folder/file.db"
        raise SourceError(f"the DSN of the source is not a URL like {example}") from None


def _open_sqlite(database: str) -> sqlite3.Connection:
    if database in _IN_MEMORY:
        raise SourceError("the DSN of the source names no file: sqlite:///folder/file.db")
    connection = sqlite3.connect(f"file:{quote(database)}?mode=ro", uri=True, isolation_level=None)
    # Bytes that are not UTF-8 cost their row, not the load.
    connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    return connection


def _reason(error: Exception) -> str:
    """What the driver said, in one line."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines() or ["no answer"]
    attempts = [line for line in lines if " failed: " in line]
    return safe((attempts[-1] if attempts else lines[0]).rpartition(" failed: ")[2])


@contextmanager
def _said_of(section: Section) -> Iterator[None]:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        raise SourceError(f"the query of [{section}] failed: {_reason(error)}") from None


class Plan(msgspec.Struct, frozen=True):
    """What a load will read."""

    rows: int
    """Rows of entries; 0 where only changes are read, which nobody counted."""
    since: dict[Section, Reached]
    """What an earlier load reached, of the queries whose changes alone are read."""
    reached: dict[Section, Reached]
    """What this load will have reached when it has ended."""


class SqlSource:
    """The lists that a mapping finds in a database."""

    def __init__(self, mapping: SqlMapping, dsn: str) -> None:
        self._mapping = mapping
        self._dsn = dsn
        self._tables: dict[Section, Subquery] = {}

    def plan(self, earlier: Sequence[Reached]) -> Plan:
        """Check the queries, and say what is to be read after what earlier loads reached.

        A query that was written anew is read from its beginning.

        Raises:
            SourceError: the database is out of reach, or a query fails or lacks a column.
        """
        queries = self._mapping.queries
        shown = safe(str(self._mapping.path), 4096)
        with open_source(self._dsn) as connection:
            columns = {section: _columns(connection, query) for section, query in queries.items()}
            require_columns(queries, columns, shown)
            self._tables = {section: _table(query, columns[section]) for section, query in queries.items()}
            known = {reached.query: reached for reached in earlier}
            since: dict[Section, Reached] = {}
            for lists in LISTS:
                changing = [q for section, q in queries.items() if section in FAMILY[lists] and q.changed]
                if all(q.section in known and known[q.section].fingerprint == q.fingerprint for q in changing):
                    since |= {q.section: known[q.section] for q in changing}
            rows, reached = 0, dict(since)
            for section, query in queries.items():
                is_counted = section in LISTS and self._is_changed(section, since) is None
                if not is_counted and not query.changed:
                    continue
                counted, last = self._measure(connection, query, since.get(section))
                rows += counted if is_counted else 0
                if last is not None:
                    if type(last) not in KINDS:
                        what = f"{shown}: the column {query.changed} of [{section}]"
                        raise SourceError(f"{what} tells no changes: it holds neither numbers nor times nor texts")
                    reached[section] = Reached(section, query.fingerprint, KINDS[type(last)][0], str(last))
        return Plan(rows, since, reached)

    def read(self, plan: Plan) -> Iterator[Batch]:
        """Yield the lists in a fixed order, the playlists first.

        Raises:
            SourceError: the database cannot be read any longer.
        """
        with open_source(self._dsn) as connection:
            for lists in LISTS:
                if lists in self._tables:
                    yield from self._read(connection, lists, plan)

    def _read(self, connection: Connection, lists: Lists, plan: Plan) -> Iterator[Batch]:
        source = Input(file_name(self._mapping.path, lists), self._mapping.path, 0)
        rows = SqlRows(source.file)
        for batch in batches(self._parsed(connection, lists, plan, rows), source, rows):
            if batch.is_last_of_file:
                batch.reached = tuple(plan.reached[name] for name in FAMILY[lists] if name in plan.reached)
                # Changes alone say nothing of what was set aside before.
                batch.is_last_of_file = self._is_changed(lists, plan.since) is None
            yield batch

    def _parsed(self, connection: Connection, lists: Lists, plan: Plan, rows: SqlRows) -> Iterator[Parsed]:
        is_changed = self._is_changed(lists, plan.since)
        table = self._tables[lists]
        if "tracks" in self._tables and "track_id" in table.c:
            tracks = self._selected("tracks", ("track_id", *TRACK))
            if is_changed is not None:
                tracks = tracks.where(self._tables["tracks"].c.track_id.in_(_ids(table, "track_id").where(is_changed)))
            yield from rows.take_tracks(*_stream(connection, "tracks", tracks))
        if lists == "items" and "playlists" in self._tables:
            heads = self._selected("playlists", (KEY["playlists"], *LIST["playlists"]))
            if (is_head_changed := self._is_changed("playlists", plan.since)) is not None:
                heads = heads.where(is_head_changed)
            yield from rows.take_heads(*_stream(connection, "playlists", heads))
        of_list = () if lists == "items" and "playlists" in self._tables else LIST[lists]
        entries = self._selected(lists, (KEY[lists], "position", *of_list, *ENTRY))
        if is_changed is not None:
            entries = entries.where(is_changed)
        ordered = entries.order_by(table.c[KEY[lists]], table.c.position)
        yield from rows.lists(lists, *_stream(connection, lists, ordered))
        yield from rows.heads_without_rows()

    def _selected(self, section: Section, names: Sequence[str]) -> Select[tuple[object, ...]]:
        """Those of these columns that a query has, in this order."""
        from sqlalchemy import select

        table = self._tables[section]
        return select(*[table.c[name] for name in names if name in table.c])

    def _is_changed(self, section: Section, since: Mapping[Section, Reached]) -> ColumnElement[bool] | None:
        """Whether a row belongs to a list of which any row changed; None where everything is to be read."""
        from sqlalchemy import or_

        key = self._tables[section].c[KEY[section]]
        found = []
        for name in next((family for family in FAMILY.values() if section in family), ()):
            if name in since:
                table = self._tables[name].alias()
                is_later = _is_at_least(table, self._mapping.queries[name], since[name])
                found.append(key.in_(_ids(table, KEY[name]).where(is_later)))
        return or_(*found) if found else None

    def _measure(self, connection: Connection, query: Query, since: Reached | None) -> tuple[int, object]:
        """How many rows a query gives, and the last value of its column of changes."""
        from sqlalchemy import func, null, select

        table = self._tables[query.section]
        last = func.max(table.c[query.changed]) if query.changed else null()
        statement = select(func.count(), last).select_from(table)
        if since is not None:
            statement = statement.where(_is_at_least(table, query, since))
        with _said_of(query.section):
            counted, value = connection.execute(statement).one()
        return counted, value


def _columns(connection: Connection, query: Query) -> tuple[str, ...]:
    from sqlalchemy import false, select, text

    nothing = select(text("*")).select_from(_table(query, ())).where(false())
    with _said_of(query.section):
        return tuple(connection.execute(nothing).keys())


def _table(query: Query, columns: Sequence[str]) -> Subquery:
    """The query as a table; whatever it is, it can only be selected from. A colon in it is no parameter."""
    from sqlalchemy import column, text

    return text(query.sql.replace(":", r"\:") + "\n").columns(*map(column, columns)).subquery(query.section)


def _ids(table: FromClause, column: str) -> Select[tuple[object]]:
    from sqlalchemy import select

    return select(table.c[column])


def _is_at_least(table: FromClause, query: Query, since: Reached) -> ColumnElement[bool]:
    """Whether a row changed at the time that a load reached or later: others may have changed at the same time."""
    from sqlalchemy import DateTime, Numeric, literal

    value = next(read for kind, read in KINDS.values() if kind == since.kind)(since.value)
    if isinstance(value, datetime):
        bound = literal(value, DateTime(timezone=value.tzinfo is not None))
    elif isinstance(value, Decimal):
        bound = literal(value, Numeric())
    else:
        bound = literal(value)
    return table.c[query.changed or ""] >= bound


def _stream(
    connection: Connection, section: Section, statement: Select[tuple[object, ...]]
) -> tuple[list[str], Iterator[Row]]:
    """The names of a statement's columns, and its rows, of which few are in memory at a time."""

    def parts() -> Iterator[Sequence[Row]]:
        options = {"stream_results": True, "yield_per": ROWS_A_FETCH}
        with _said_of(section):
            yield from connection.execute(statement, execution_options=options).partitions()

    return list(statement.selected_columns.keys()), chain.from_iterable(parts())
