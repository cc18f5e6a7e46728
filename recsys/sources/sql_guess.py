"""A mapping guessed from the names of a database's tables and columns, for a person to mend."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recsys.errors import SourceError
from recsys.sources.sql_database import database_name, open_source
from recsys.sources.sql_mapping import SECTIONS, Section

if TYPE_CHECKING:
    from sqlalchemy import Inspector

MOST_TABLES = 300
TABLE_NAMES = {
    "playlist": "playlist userplaylist",
    "item": "playlisttrack playlistitem playlistentry playlistsong trackplaylist songplaylist",
    "track": "track song recording",
    "artist": "artist",
    "tracklist": "tracklist mix set djset djmix",
    "played": "tracklisttrack tracklistitem tracklistentry tracklistsong mixtrack mixitem settrack setitem djsettrack",
    "dj": "dj",
}
"""How tables of a kind are called, in the singular and without underscores."""

COLUMN_NAMES = {
    "id": "id uuid pid",
    "playlist_id": "playlist_id playlist pid",
    "track_id": "track_id song_id recording_id track song",
    "tracklist_id": "tracklist_id mix_id set_id dj_set_id tracklist mix",
    "artist_id": "artist_id",
    "dj_id": "dj_id",
    "playlist_title": "title name playlist_title playlist_name",
    "tracklist_title": "title name tracklist_title mix_name",
    "description": "description",
    "followers": "followers num_followers follower_count",
    "position": "position pos place sort_order track_number ordinal idx seq",
    "track_title": "track_title track_name song_title title name",
    "artist": "artist artist_name artists performer",
    "name": "name title artist_name dj_name",
    "uri": "uri spotify_uri track_uri",
    "album": "album album_name album_title",
    "duration_ms": "duration_ms length_ms milliseconds",
    "dj": "dj dj_name",
    "played_on": "played_on played_at date day recorded_on",
    "cue": "cue cue_seconds start_seconds",
    "changed": "updated_at modified_at changed_at last_modified updated modified",
}
"""How columns that mean a thing are called, the likeliest first."""

HEAD = """\
# What `recsys ingest sql` reads. Each query is only selected from; write it without ORDER BY.
# Names were guessed: look at each query before you load. `--dry-run` reads, counts and keeps nothing.

{source}
# dsn = "postgresql://reader@host/shop"     # or --dsn, or the variable RECSYS_SOURCE_DSN for one with a password
"""

EXPLAINED: dict[Section, str] = {
    "playlists": """\
# One row a playlist: playlist_id, playlist_title; if you have them description, followers and snapshot (a day).
# `changed` names a column (a time, or an id that grows) that tells what to read next time; without it, everything.""",
    "items": """\
# One row an entry of a playlist: playlist_id, position, and either track_id, which [tracks] explains, or
# track_title, artist and if you have them uri, album, duration_ms. Without [playlists] playlist_title as well.""",
    "tracks": """\
# One row a song: track_id, track_title, artist; if you have them uri, album, duration_ms.""",
    "tracklists": """\
# One row an entry of what a DJ played: tracklist_id, position, and track_id, or track_title and artist;
# if you have them tracklist_title, dj, played_on (a day) and cue (seconds, or mm:ss).""",
}

EXAMPLES: dict[Section, str] = {
    "playlists": "SELECT id AS playlist_id, name AS playlist_title FROM playlists",
    "items": "SELECT playlist_id, position, track_id FROM playlist_tracks",
    "tracks": "SELECT id AS track_id, title AS track_title, artist, uri FROM tracks",
    "tracklists": "SELECT tracklist_id, position, artist, title AS track_title FROM tracklist_tracks",
}


@dataclass(frozen=True, slots=True)
class Guess:
    """A mapping as text, and what a person should know of it."""

    text: str
    remarks: list[str]


@dataclass(frozen=True)
class Found:
    """A table, its name and columns as they are written in SQL; columns by their names in snake_case."""

    kind: str
    shown: str
    sql: str
    columns: dict[str, str]
    references: dict[str, str] = field(default_factory=dict)
    """Of a column, the table that its foreign key leads to, as it is shown."""

    def column(self, meaning: str) -> str | None:
        """The column that means something, by its name."""
        return next((self.columns[name] for name in COLUMN_NAMES[meaning].split() if name in self.columns), None)

    def reference(self, target: Found, meaning: str) -> str | None:
        """The column that leads to a table: by its foreign key, or else by its name."""
        declared = (self.columns[name] for name, table in self.references.items() if table == target.shown)
        return next(declared, None) or self.column(meaning)


def guess_mapping(dsn: str, our_schema: str) -> Guess:
    """Write a mapping by inspecting a database's tables; runs no query of anybody's, and reads no rows.

    `our_schema` is left out. Raises SourceError if the database cannot be reached or inspected.
    """
    from sqlalchemy import inspect
    from sqlalchemy.exc import SQLAlchemyError

    with open_source(dsn) as connection:
        quote: Callable[[str], str] = connection.dialect.identifier_preparer.quote
        try:
            tables, skipped = _tables(inspect(connection), quote, our_schema)
        except SQLAlchemyError as error:
            raise SourceError(f"the source cannot be inspected: {str(error).splitlines()[0]}") from None
    return write_guess(tables, skipped, database_name(dsn))


def _tables(inspector: Inspector, quote: Callable[[str], str], our_schema: str) -> tuple[list[Found], int]:
    """The tables and views that can be named in a mapping, and how many were left out."""
    default = inspector.default_schema_name
    hidden = {our_schema, "information_schema", "pg_catalog", "pg_toast"}
    schemas = [default, *sorted(name for name in inspector.get_schema_names() if name not in hidden | {default})]
    tables: list[Found] = []
    skipped = 0
    for schema in schemas:
        if schema == our_schema:
            continue
        where = None if schema == default else schema
        prefix = "" if where is None else f"{where}."
        for name in sorted((*inspector.get_table_names(where), *inspector.get_view_names(where))):
            columns = [str(column["name"]) for column in inspector.get_columns(name, where)]
            if len(tables) >= MOST_TABLES or not all(_is_plain(text) for text in (prefix, name, *columns)):
                skipped += 1
                continue
            references = {
                _snake(key["constrained_columns"][0]): f"{prefix}{key['referred_table']}"
                for key in inspector.get_foreign_keys(name, where)
                if len(key["constrained_columns"]) == 1 and key["referred_schema"] == where
            }
            sql = quote(name) if where is None else f"{quote(where)}.{quote(name)}"
            quoted = {_snake(column): quote(column) for column in columns}
            tables.append(Found(kind_of(name), f"{prefix}{name}", sql, quoted, references))
    return tables, skipped


def _is_plain(name: str) -> bool:
    """Whether a name can stand in a comment and in a text of TOML."""
    return name.isprintable() and "'''" not in name


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


_NAME = re.compile(r"\w[\w .-]{0,99}")
_NO_POSITION = re.compile(r"row_number\(\) OVER \(PARTITION BY \S+ ORDER BY \w\.([^)]*)\)")


def kind_of(table: str) -> str:
    """What a table of this name is likely to hold; '' if its name says nothing."""
    words = _snake(table).split("_")
    singular = [re.sub(r"(?<=x)es$|(?<!s)s$", "", re.sub(r"ies$", "y", word)) for word in words]
    joined = "".join(singular)
    return next((kind for kind, names in TABLE_NAMES.items() if joined in names.split()), "")


def write_guess(tables: Sequence[Found], skipped: int = 0, source: str = "") -> Guess:
    """Write the mapping of tables, each section that cannot be guessed as a comment.

    `source` is the database's name.
    """
    first: dict[str, Found] = {}
    for table in tables:
        if table.kind:
            first.setdefault(table.kind, table)
    guessed: dict[Section, tuple[str, str | None, str]] = {}
    for section, guess in GUESSES.items():
        found = guess(first)
        if found is not None:
            guessed[section] = found
    if "items" not in guessed:
        guessed.pop("playlists", None)
    named = source if _NAME.fullmatch(source) else "shop"
    said = "the name within which ids are unique; this file's name if it is left out"
    mark = "" if named == source else "# "
    parts, remarks = [HEAD.replace("{source}", f'{mark}source = "{named}"     # {said}')], []
    for section in SECTIONS:
        parts.append(EXPLAINED[section])
        if section in guessed:
            sql, changed, tables_named = guessed[section]
            remarks.append(f"[{section}] guessed from {tables_named}")
            if order := _NO_POSITION.search(sql):
                remarks.append(
                    f"[{section}] no column of positions was found, songs stand in the order of {order[1]}: look"
                )
            parts.append(f"# Guessed from {tables_named}.\n[{section}]")
            parts += [f"changed = '{changed}'"] if changed else []
            parts.append(f"query = '''\n{sql}\n'''\n")
        else:
            remarks.append(f"[{section}] not found: it is a comment, with an example")
            parts.append(f'# Not found; an example:\n# [{section}]\n# query = "{EXAMPLES[section]}"\n')
    if skipped:
        remarks.append(f"{skipped} tables were left out: too many, or names that are not plain text")
    parts.append("# What there is:")
    parts += [f"#   {table.shown} ({', '.join(table.columns.values())})" for table in tables]
    return Guess("\n".join(parts) + "\n", remarks)


def _select(columns: Iterable[tuple[str | None, str]], source: str) -> str:
    found = [(column, name) for column, name in columns if column]
    shown = [column if column.rpartition(".")[2] == name else f"{column} AS {name}" for column, name in found]
    return f"SELECT {', '.join(shown)}\n  FROM {source}"  # noqa: S608 -- to be read by a person; names are quoted


def _of(table: Found, alias: str, *meanings: str) -> list[tuple[str | None, str]]:
    found = ((table.column(meaning), meaning) for meaning in meanings)
    return [(f"{alias}.{column}" if column else None, meaning) for column, meaning in found]


def _position(table: Found, alias: str, list_id: str) -> tuple[str, str]:
    """The column of positions, or where there is none the order in which rows were given their ids."""
    column = table.column("position")
    if column:
        return f"{alias}.{column}", "position"
    order = table.column("id") or list_id
    return f"row_number() OVER (PARTITION BY {alias}.{list_id} ORDER BY {alias}.{order})", "position"


def _changed(table: Found) -> tuple[str | None, list[tuple[str | None, str]]]:
    name = next((name for name in COLUMN_NAMES["changed"].split() if name in table.columns), None)
    return name, [(f"l.{table.columns[name]}", name)] if name else []


def _playlists(found: dict[str, Found]) -> tuple[str, str | None, str] | None:
    table = found.get("playlist")
    if table is None or not (list_id := table.column("id") or table.column("playlist_id")):
        return None
    if not table.column("playlist_title"):
        return None
    changed, column = _changed(table)
    said = _of(table, "l", "playlist_title", "description", "followers")
    return _select([(f"l.{list_id}", "playlist_id"), *said, *column], f"{table.sql} AS l"), changed, table.shown


def _items(found: dict[str, Found]) -> tuple[str, str | None, str] | None:
    table, playlist = found.get("item"), found.get("playlist")
    if table is None or playlist is None or not (list_id := table.reference(playlist, "playlist_id")):
        return None
    song = _song(table, found)
    if song is None:
        return None
    columns = [(f"i.{list_id}", "playlist_id"), _position(table, "i", list_id), *song]
    return _select(columns, f"{table.sql} AS i"), None, table.shown


def _song(table: Found, found: dict[str, Found]) -> list[tuple[str | None, str]] | None:
    """What an entry says of its song: the id of a track, or a title and an artist."""
    if (track := found.get("track")) and (track_id := table.reference(track, "track_id")):
        return [(f"i.{track_id}", "track_id")]
    if table.column("track_title") and table.column("artist"):
        return _of(table, "i", "track_title", "artist", "uri", "album", "duration_ms")
    return None


def _tracks(found: dict[str, Found]) -> tuple[str, str | None, str] | None:
    table = found.get("track")
    if table is None or not table.column("track_title"):
        return None
    if not (track_id := table.column("id") or table.column("track_id")):
        return None
    columns = [(f"t.{track_id}", "track_id"), *_of(table, "t", "track_title")]
    source, said = f"{table.sql} AS t", table.shown
    artist = found.get("artist")
    if table.column("artist"):
        columns += _of(table, "t", "artist")
    elif artist and (reference := table.reference(artist, "artist_id")) and artist.column("name"):
        columns.append((f"a.{artist.column('name')}", "artist"))
        artist_id = artist.column("id") or artist.column("artist_id")
        source += f"\n  JOIN {artist.sql} AS a ON a.{artist_id} = t.{reference}"
        said += f" and {artist.shown}"
    else:
        return None
    return _select([*columns, *_of(table, "t", "uri", "album", "duration_ms")], source), None, said


def _tracklists(found: dict[str, Found]) -> tuple[str, str | None, str] | None:
    table, played = found.get("tracklist"), found.get("played")
    if table is None or played is None or not (key := table.column("id") or table.column("tracklist_id")):
        return None
    list_id, song = played.reference(table, "tracklist_id"), _song(played, found)
    if not list_id or song is None:
        return None
    changed, column = _changed(table)
    said = _of(table, "l", "tracklist_title", "dj", "played_on")
    source = f"{played.sql} AS i\n  JOIN {table.sql} AS l ON l.{key} = i.{list_id}"
    names = f"{table.shown} and {played.shown}"
    dj = found.get("dj")
    if not table.column("dj") and dj and (reference := table.reference(dj, "dj_id")) and dj.column("name"):
        said.append((f"d.{dj.column('name')}", "dj"))
        source += f"\n  LEFT JOIN {dj.sql} AS d ON d.{dj.column('id') or dj.column('dj_id')} = l.{reference}"
        names += f" and {dj.shown}"
    columns = [(f"l.{key}", "tracklist_id"), *said, _position(played, "i", list_id), *song]
    return _select([*columns, *_of(played, "i", "cue"), *column], source), changed, names


GUESSES: dict[Section, Callable[[dict[str, Found]], tuple[str, str | None, str] | None]] = {
    "playlists": _playlists,
    "items": _items,
    "tracks": _tracks,
    "tracklists": _tracklists,
}
"""What finds a section's query, the column of its changes, and the tables that it is from."""
