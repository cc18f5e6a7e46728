"""Songs and artists by the names that people type."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psycopg
from psycopg.rows import class_row

from recsys.catalog.listed import NOTHING, Excluded, ListedTrack
from recsys.errors import UnknownNameError
from recsys.names import name_key, parse_credit, song_name, split_artist_title

if TYPE_CHECKING:
    from recsys.sources import Entry

SPOTIFY_LINK = re.compile(r"https?://open\.spotify\.com/(?:intl-\w+/)?track/(\w+)")

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What no text in the database holds: NUL, and the lone surrogates of an argument that is not UTF-8."""

NAMED = "SELECT s.id, s.artist, s.title, s.version FROM song AS s"

OF_URIS = "SELECT t.uri, t.song_id FROM track AS t WHERE t.uri = ANY(%s)"

OF_ARTISTS = "SELECT DISTINCT song_id FROM song_artist WHERE artist_id = ANY(%s)"

OF_KEYS = "SELECT s.key, s.id FROM song AS s WHERE s.key = ANY(%s)"

OF_URI = """
SELECT s.id, s.artist, s.title, s.version, t.uri FROM song AS s JOIN track AS t ON t.song_id = s.id WHERE t.uri = %s
"""

SAME_TITLE = f"""{NAMED} LEFT JOIN song_stats AS h ON h.song_id = s.id
 WHERE lower(s.title) = lower(%s) ORDER BY h.playlists + h.tracklists DESC NULLS LAST, s.id LIMIT 6"""

ALIKE = f"""{NAMED}
 ORDER BY similarity(concat_ws(' ', s.artist, s.title, s.version), %s) DESC, s.id LIMIT 3"""

ALIKE_DJS = """
SELECT d.id, d.name, similarity(d.name, %(name)s) AS likeness
  FROM dj AS d WHERE d.name %% %(name)s ORDER BY likeness DESC, d.id LIMIT 5
"""

CLEARLY_MEANT = 0.6
"""Share of trigrams from which on a misspelt name is taken for a DJ's .."""
CLEARLY_AHEAD = 0.15
""".. if it is so far ahead of the next one's."""

SIMILAR_TRACKS = """
SELECT rank, track_id, song_id, title, version, artist, uri, duration_ms, score, playlists, tracklists
  FROM similar_tracks(%s, %s)
"""


@dataclass(frozen=True)
class NamedSong:
    """A song by id, as it is shown."""

    id: int
    artist: str
    title: str
    version: str | None
    uri: str | None = None
    """The URI that was asked for, None where a name was."""

    def __str__(self) -> str:
        version = f" ({self.version})" if self.version else ""
        return f"{self.artist} - {self.title}{version}" if self.artist else f"{self.title}{version}"


@dataclass(frozen=True)
class NamedArtist:
    """An artist by id, as he is shown."""

    id: int
    name: str


@dataclass(frozen=True)
class NamedDj:
    """A DJ by id, as he is shown."""

    id: int
    name: str


def find_song(connection: psycopg.Connection, text: str, *, nearest: bool = True) -> NamedSong:
    """The song that a URI, an open.spotify.com link, "Artist - Title" or a title alone means.

    Looking for the nearest ones reads all songs; a list of songs does without.

    Raises:
        UnknownNameError: there is none, or a title alone names several; the message lists the nearest ones.
    """
    text = UNSTORABLE.sub("\ufffd", text)
    with connection.cursor(row_factory=class_row(NamedSong)) as cursor:
        link = SPOTIFY_LINK.match(text)
        uri = f"spotify:track:{link[1]}" if link else text
        found = cursor.execute(OF_URI, (uri,)).fetchone()
        if found is None and (parts := split_artist_title(text)):
            artist, title = parts
            key = song_name(title, artist, parse_credit(artist, free_text=True).main).key
            found = cursor.execute(f"{NAMED} WHERE s.key = %s", (key,)).fetchone()
        if found is not None:
            return found
        same = cursor.execute(SAME_TITLE, (text,)).fetchall()
        if len(same) == 1:
            return same[0]
        if same:
            raise UnknownNameError(f"several songs are called {text!r}, name one: {_listing(same)}")
        alike = cursor.execute(ALIKE, (text,)).fetchall() if nearest else []
    listed = f"; the nearest are: {_listing(alike)}" if alike else ""
    raise UnknownNameError(f"no song is called {text!r}{listed}")


def songs_of_entries(connection: psycopg.Connection, entries: "Sequence[Entry]") -> list[int | None]:
    """The song of each entry of a list, by its URI or else by its names; None where there is none."""
    keys = [song_name(entry.title, entry.artist, entry.artists).key for entry in entries]
    uris = [entry.uri for entry in entries if entry.uri]
    of_uri: dict[str, int] = dict(connection.execute(OF_URIS, (uris,)).fetchall())
    of_key: dict[str, int] = dict(connection.execute(OF_KEYS, (keys,)).fetchall())
    return [of_uri.get(entry.uri or "") or of_key.get(key) for entry, key in zip(entries, keys, strict=True)]


def _listing(songs: Sequence[NamedSong]) -> str:
    return ", ".join(f'"{song}"' for song in songs)


def find_artist(connection: psycopg.Connection, name: str) -> NamedArtist:
    """The artist of a name, in any spelling of it.

    Raises:
        UnknownNameError: there is none of that name; the message lists the nearest ones.
    """
    name = UNSTORABLE.sub("\ufffd", name)
    with connection.cursor(row_factory=class_row(NamedArtist)) as cursor:
        found = cursor.execute("SELECT id, name FROM artist WHERE key = %s", (name_key(name),)).fetchone()
    if found is not None:
        return found
    alike = connection.execute("SELECT name FROM artist ORDER BY similarity(name, %s) DESC, id LIMIT 3", (name,))
    nearest = ", ".join(f'"{alike_name}"' for (alike_name,) in alike)
    raise UnknownNameError(f"no artist is called {name!r}" + (f"; the nearest are: {nearest}" if nearest else ""))


def find_dj(connection: psycopg.Connection, name: str) -> NamedDj:
    """The DJ of a name, also a misspelt one that is clearly nearest to one DJ's.

    Raises:
        UnknownNameError: there is none, or several might be meant; the message lists the nearest ones.
    """
    name = UNSTORABLE.sub("\ufffd", name)
    with connection.cursor(row_factory=class_row(NamedDj)) as cursor:
        found = cursor.execute("SELECT id, name FROM dj WHERE key = %s", (name_key(name),)).fetchone()
    if found is not None:
        return found
    alike = connection.execute(ALIKE_DJS, {"name": name}).fetchall()
    likeness = [row[2] for row in alike]
    if alike and likeness[0] >= CLEARLY_MEANT and (len(alike) < 2 or likeness[1] < likeness[0] - CLEARLY_AHEAD):
        return NamedDj(*alike[0][:2])
    nearest = ", ".join(f'"{dj}"' for _, dj, _ in alike)
    raise UnknownNameError(f"no DJ is called {name!r}" + (f"; the nearest are: {nearest}" if nearest else ""))


def excluded_songs(connection: psycopg.Connection, excluded: Excluded) -> set[int]:
    """All songs that must not appear, those of excluded artists among them."""
    of_artists = connection.execute(OF_ARTISTS, (list(excluded.artists),)).fetchall() if excluded.artists else []
    return {*excluded.songs, *(song for (song,) in of_artists)}


@dataclass
class SimilarTrack(ListedTrack):
    """A track with the numbers of lists that hold it together with the one asked for."""

    playlists: int
    tracklists: int


def similar_tracks(
    connection: psycopg.Connection, song_id: int, n: int = 10, *, excluded: Excluded = NOTHING
) -> list[SimilarTrack]:
    """Songs that stand in the same playlists and tracklists as a song, best first, without what is excluded."""
    return first_allowed(connection, SIMILAR_TRACKS, (song_id,), n, excluded)


def first_allowed(
    connection: psycopg.Connection, query: str, asked: tuple[object, ...], n: int, excluded: Excluded
) -> list[SimilarTrack]:
    """The first n songs that may appear, of a query whose last parameter says how many it gives."""
    barred = excluded_songs(connection, excluded)
    with connection.cursor(row_factory=class_row(SimilarTrack)) as cursor:
        tracks = cursor.execute(query.encode(), (*asked, n + len(barred))).fetchall()
    left = [track for track in tracks if track.song_id not in barred]
    return [replace(track, rank=rank) for rank, track in enumerate(left[:n], start=1)]
