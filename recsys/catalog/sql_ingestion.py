"""Somebody's own database into the catalogue: what it holds, and later what changed."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import psycopg

from recsys.catalog.ingestion import IngestSummary, Origin, Progress, load_batches
from recsys.catalog.upkeep import BYTES_PER_ENTRY
from recsys.config import Settings
from recsys.database import connect, database_url
from recsys.errors import SourceError
from recsys.sources import STDIN, Batch, Guess, Reached, SqlMapping, SqlSource, guess_mapping, place_hash

# The database that a source was read from last.
PLACE = """
SELECT r.reading ->> 'place' FROM ingest_run AS r
 WHERE r.source_id = %s AND r.reading ? 'place' ORDER BY r.id DESC LIMIT 1
"""

REACHED = "SELECT query, fingerprint, kind, value FROM source_cursor WHERE source_id = %s"


def ingest_sql(
    settings: Settings,
    mapping: SqlMapping,
    *,
    dsn: str | None = None,
    source: str | None = None,
    whole: bool = False,
    dry_run: bool = False,
    expect: Callable[[int], None] = lambda _rows: None,
    progress: Progress = lambda _rows, _counts: None,
) -> IngestSummary:
    """Load what a mapping finds in a database. Twice changes nothing, an interrupted load goes on where it stopped.

    Args:
        settings: where our database is.
        mapping: the queries.
        dsn: SQLAlchemy's URL of the database; if none is given the mapping's, the settings', or our own database.
        source: name under which ids are unique; the mapping's if none is given.
        whole: read everything, also where the mapping tells what changed since the last load.
        dry_run: read, resolve and count, but keep nothing.
        expect: called once with the rows of entries that will be read, 0 where nobody counted them.
        progress: called after every batch, with rows instead of bytes.

    Raises:
        SourceError: the database cannot be read, or a query fails or lacks a column.
        BusyError: another process is writing.
        DatabaseError: our database is out of reach or not set up.
    """

    read = _source_dsn(settings, dsn or mapping.dsn)
    place = place_hash(read)

    def open_(connection: psycopg.Connection, source_id: int) -> tuple[int, Iterable[Batch]]:
        row = connection.execute(PLACE, (source_id,)).fetchone()
        if row is not None and row[0] != place and not whole:
            raise SourceError(
                f"the source {source or mapping.source} was loaded from another database: name this one with `source`"
                " in its mapping, or --source; one that moved is read once with --full"
            )
        found = SqlSource(mapping, read)
        plan = found.plan([] if whole else [Reached(*row) for row in connection.execute(REACHED, (source_id,))])
        expect(plan.rows)
        return plan.rows * BYTES_PER_ENTRY, found.read(plan)

    given = dsn or (None if mapping.dsn else settings.source_dsn)
    reading: dict[str, Any] = {"place": place} | ({"database": place_hash(given)} if given else {})
    name = os.fspath(mapping.path.absolute())
    if mapping.path != STDIN and name.isprintable():
        reading["seen"] = {name: []}
    origin = Origin(source or mapping.source, "sql", [str(mapping.path)], reading)
    return load_batches(settings, origin, open_, dry_run=dry_run, progress=progress)


def guess_source(settings: Settings, dsn: str | None) -> Guess:
    """Guess a mapping of the database that `ingest_sql` would read, ours left out.

    Raises:
        SourceError: the database cannot be reached or inspected.
    """
    if not (dsn or settings.source_dsn):
        connect(settings).close()  # the embedded server may have to be started
    return guess_mapping(_source_dsn(settings, dsn), settings.db_schema)


def _source_dsn(settings: Settings, dsn: str | None) -> str:
    """The URL of the database to read: the one that is given, that of the settings, or our own."""
    return dsn or settings.source_dsn or database_url(settings)
