"""A mapping: the queries that give the playlists and tracklists of somebody's own database, as TOML."""

import re
import tomllib
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal, get_args

from recsys.errors import SourceError
from recsys.sources.texts import safe

Section = Literal["playlists", "items", "tracks", "tracklists"]
SECTIONS: tuple[Section, ...] = get_args(Section)
Lists = Literal["items", "tracklists"]
"""The queries of which each row is an entry of a list."""

KEY: dict[Section, str] = {
    "playlists": "playlist_id",
    "items": "playlist_id",
    "tracks": "track_id",
    "tracklists": "tracklist_id",
}
"""The column that tells whose row it is."""

LIST: dict[Section, tuple[str, ...]] = {
    "playlists": ("playlist_title", "description", "followers", "snapshot"),
    "items": ("playlist_title", "description", "followers", "snapshot"),
    "tracks": (),
    "tracklists": ("tracklist_title", "dj", "played_on"),
}
"""What is said of a list; of an entry's row, the first one of its list counts."""

TRACK = ("track_title", "artist", "uri", "album", "duration_ms")
"""What is said of a song."""

ENTRY = ("track_id", *TRACK, "cue")
"""What is said of an entry: a song, or the id of one that [tracks] gives."""

_GENERAL = ("source", "dsn")
_RELATIVE = re.compile(r"sqlite(?:\+\w+)?:///(?=[^/:?])(?![A-Za-z]:)")
"""What a URL of SQLite begins with where a path follows that is to be looked for somewhere."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a mapping."""

    section: Section
    sql: str
    changed: str | None = None
    """The column, an id or a time, that is at its highest in the rows that were added or changed last."""

    @property
    def fingerprint(self) -> str:
        """What changes whenever the query does."""
        return blake2b(f"{self.changed}\n{self.sql}".encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class SqlMapping:
    """The queries of a mapping, whatever is needed among them."""

    path: Path
    source: str
    """Name within which ids are unique."""
    dsn: str | None
    """With a file of SQLite by its whole path."""
    queries: dict[Section, Query]


def load_mapping(path: Path) -> SqlMapping:
    """Read a mapping.

    Raises:
        SourceError: the file is not there, is not TOML, or lacks a query; the message names it.
    """
    shown = safe(str(path), 4096)
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SourceError(f"{shown} does not exist: `recsys ingest sql --init` writes one") from None
    except OSError as error:
        raise SourceError(f"{shown} cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"{shown} is not valid TOML: {error}") from None
    for name in written:
        if name not in (*_GENERAL, *SECTIONS):
            raise SourceError(f"{shown}: {safe(name)!r} is not one of {', '.join((*_GENERAL, *SECTIONS))}")
    general = {name: _text(written, name, shown) for name in _GENERAL}
    queries = {name: _query(name, written[name], shown) for name in SECTIONS if name in written}
    if "items" not in queries and "tracklists" not in queries:
        raise SourceError(f"{shown} has neither [items] nor [tracklists]: at least one of them is needed")
    if "playlists" in queries and "items" not in queries:
        raise SourceError(f"{shown} has [playlists] and lacks [items], the query that says what stands in them")
    dsn = _RELATIVE.sub(lambda found: f"{found[0]}{path.absolute().parent}/", general["dsn"] or "") or None
    return SqlMapping(path, general["source"] or path.stem, dsn, queries)


def _text(table: dict[str, object], name: str, place: str) -> str | None:
    value = table.get(name)
    if value is not None and not isinstance(value, str):
        raise SourceError(f"{place}: {name} is not a text")
    return value or None


def _query(section: Section, written: object, shown: str) -> Query:
    place = f"{shown}: [{section}]"
    if not isinstance(written, dict):
        raise SourceError(f'{place} is not a table: write [{section}], and below it query = "SELECT .."')
    for name in written:
        if name not in ("query", "changed"):
            raise SourceError(f"{place}: {safe(name)!r} is neither query nor changed")
    query, changed = _text(written, "query", place), _text(written, "changed", place)
    sql = (query or "").strip().rstrip(";").strip()
    if not sql:
        raise SourceError(f"{place} lacks its query")
    if section == "tracks" and changed:
        raise SourceError(f"{place}: changed has no meaning here, only lists are read anew")
    return Query(section, sql, changed)


def require_columns(queries: dict[Section, Query], columns: dict[Section, tuple[str, ...]], shown: str) -> None:
    """Check the columns that the queries give.

    Raises:
        SourceError: one lacks a column that is needed; the message names both.
    """
    for section, query in queries.items():
        needed = [KEY[section]]
        if section in ("items", "tracklists"):
            needed.append("position")
            if "tracks" not in queries or "track_id" not in columns[section]:
                needed += ["track_title", "artist"]
        if section == "playlists" or (section == "items" and "playlists" not in queries):
            needed.append("playlist_title")
        if section == "tracks":
            needed += ["track_title", "artist"]
        if query.changed:
            needed.append(query.changed)
        missing = [name for name in needed if name not in columns[section]]
        if missing:
            found = ", ".join(columns[section])
            names = " and ".join(missing)
            mend = ": track_id needs [tracks]" if "track_id" in columns[section] and "tracks" not in queries else ""
            raise SourceError(f"{shown}: the query of [{section}] has no column {names}; it has {safe(found)}{mend}")
