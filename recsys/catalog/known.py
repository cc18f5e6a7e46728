"""What was loaded once, read again where there may be something new."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from recsys.catalog.find import UNSTORABLE
from recsys.catalog.ingestion import IngestSummary, Progress, ingest, seen
from recsys.catalog.sql_ingestion import ingest_sql
from recsys.config import Settings
from recsys.database import connect, require_migrated, translated_errors
from recsys.errors import SourceError, UnknownNameError
from recsys.sources import FORMATS, csv_with_columns, load_mapping, place_hash

# The last run of each path says how it was read; a run that was interrupted left something to read.
KNOWN = """
SELECT DISTINCT ON (s.id, p.path) s.name, s.format, p.path, r.reading, r.finished_at IS NOT NULL
  FROM ingest_run AS r
  JOIN source AS s ON s.id = r.source_id
 CROSS JOIN LATERAL jsonb_object_keys(coalesce(r.reading -> 'seen', '{}')) AS p (path)
 ORDER BY s.id, p.path, r.id DESC
"""


FORGET = """
UPDATE ingest_run SET reading = reading #- ARRAY['seen', %(path)s] WHERE reading -> 'seen' ? %(path)s
"""


@dataclass(frozen=True)
class KnownPath:
    """A path, or a mapping of a database, and how it was read last."""

    source: str
    format: str
    path: Path
    reading: dict[str, Any]
    is_finished: bool


@dataclass(frozen=True)
class Reread:
    """What became of one: `left` says why it was not read to its end, if it was not."""

    source: str
    format: str
    path: str
    summary: IngestSummary | None
    left: str | None = None
    is_wrong: bool = False
    """Whether it was to be read and could not be."""


def known_paths(connection: psycopg.Connection) -> list[KnownPath]:
    """All that was ever loaded and can be read again, standard input apart."""
    rows = connection.execute(KNOWN)
    return [KnownPath(name, kind, Path(path), reading, finished) for name, kind, path, reading, finished in rows]


def forget_path(settings: Settings, path: Path) -> None:
    """Do not read a path again; what was loaded from it stays.

    Raises:
        UnknownNameError: nothing was loaded from it.
    """
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        asked = {"path": UNSTORABLE.sub("\ufffd", os.fspath(path.absolute()))}
        if not connection.execute(FORGET, asked).rowcount:
            raise UnknownNameError(f"nothing that is still known was loaded from {path}")
        connection.commit()


def reread(settings: Settings, start: Callable[[KnownPath], Progress]) -> Iterator[Reread]:
    """Load what is new of everything that was loaded before.

    Files whose times and sizes are as they were are not opened; databases tell themselves what changed.

    Args:
        settings: where the database is.
        start: called for each that is read; what it returns is called after every batch.

    Raises:
        BusyError: another process is writing.
        DatabaseError: the database is out of reach or not set up.
    """
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        known = known_paths(connection)
    for one in known:
        summary, is_wrong = None, False
        try:
            left = _why_left(settings, one)
            if left is None:
                summary = _read(settings, one, start(one))
        except SourceError as error:
            left, is_wrong = str(error), True
        except OSError as error:
            left, is_wrong = f"cannot be read: {error.strerror or error}", True
        yield Reread(one.source, one.format, str(one.path), summary, left, is_wrong)


UNCHANGED = "unchanged"


def _why_left(settings: Settings, known: KnownPath) -> str | None:
    if not known.path.exists():
        return "not there any more"
    if known.format == "sql":
        place = known.reading.get("database")
        if place is None:
            return None
        if not settings.source_dsn:
            return "its database is not in its mapping: set RECSYS_SOURCE_DSN"
        return None if place_hash(settings.source_dsn) == place else "RECSYS_SOURCE_DSN names another database"
    is_same = known.reading["seen"][os.fspath(known.path)] == seen(known.path)
    return UNCHANGED if is_same and known.is_finished else None


def _read(settings: Settings, known: KnownPath, progress: Progress) -> IngestSummary:
    if known.format == "sql":
        dsn = settings.source_dsn if "database" in known.reading else None
        return ingest_sql(settings, load_mapping(known.path), dsn=dsn, source=known.source, progress=progress)
    columns = known.reading.get("columns")
    format_ = csv_with_columns(columns) if columns else FORMATS[known.format]
    return ingest(settings, format_, [known.path], source=known.source, progress=progress)
