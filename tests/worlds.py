"""Made-up files to load, and what the catalogue holds afterwards."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

from recsys.config import Settings
from recsys.database import connect

Row = tuple[Any, ...]

CATALOGUE = (
    "source",
    "artist",
    "song",
    "song_artist",
    "track",
    "title",
    "playlist",
    "playlist_track",
    "dj",
    "tracklist",
    "tracklist_dj",
    "tracklist_track",
    "track_stats",
    "song_stats",
    "rejected_record",
)
"""What a load fills, apart from the record of the load itself."""


def entry(artist: str, title: str, uri: str | None = None, **more: object) -> dict[str, object]:
    """A track as the MPD writes it, and JSON lines too."""
    named: dict[str, object] = {"artist_name": artist, "track_name": title}
    return named | ({} if uri is None else {"track_uri": uri}) | more


def playlist(pid: int | str, name: str, tracks: Sequence[object], **more: object) -> dict[str, object]:
    """A playlist as the MPD writes it, and JSON lines too."""
    return {"pid": pid, "name": name, "tracks": list(tracks), **more}


def write_slice(folder: Path, number: int, playlists: Sequence[object]) -> Path:
    """Write a slice of the MPD, which is one batch."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"mpd.slice.{number * 1000}-{number * 1000 + 999}.json"
    file.write_text(json.dumps({"info": {}, "playlists": playlists}), encoding="utf-8")
    return file


def write_lines(file: Path, records: Iterable[object]) -> Path:
    """Write JSON lines."""
    file.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return file


def rows(connection: psycopg.Connection, query: str, *parameters: object) -> list[Row]:
    """What a query gives."""
    return connection.execute(query.encode(), parameters).fetchall()


def dump(connection: psycopg.Connection, tables: Sequence[str] = CATALOGUE) -> dict[str, list[Row]]:
    """Every row of the tables in a fixed order; of a rejected record all but the run that met it."""
    columns = {"rejected_record": "source_id, file, place, reason, record"}
    return {
        table: sorted(rows(connection, f"SELECT {columns.get(table, '*')} FROM {table}"), key=repr) for table in tables
    }


def divide(settings: Settings, name: str, parts: Mapping[str, Iterable[int]]) -> None:
    """Store a split whose parts are known, as `make_split` stores one."""
    with connect(settings, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO split (id, name, protocol, seed) SELECT count(*) + 1, %s, 'clean', 0 FROM split", (name,)
        )
        for part, numbers in parts.items():
            connection.execute(
                "INSERT INTO playlist_split SELECT s.id, p.id, %s FROM split AS s, playlist AS p"
                " WHERE s.name = %s AND p.external_id = ANY(%s)",
                (part, name, list(map(str, numbers))),
            )
