"""From what a source wrote to the songs, tracks and artists of the catalogue, made where they are new."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg

from recsys.database import IdRegister, copy_rows
from recsys.names import SongName, is_unidentified, song_name
from recsys.sources import Entry

KEPT_TRACKS = 1_000_000
KEPT_SONGS = 500_000
KEPT_ARTISTS = 200_000

Row = tuple[object, ...]

TABLES = {
    "artist": {"id": "int8", "name": "text", "key": "text"},
    "song": {"id": "int8", "title": "text", "version": "text", "artist": "text", "key": "text"},
    "song_artist": {"song_id": "int8", "artist_id": "int8", "role": "text", "weight": "float4"},
    "track": {"id": "int8", "song_id": "int8", "uri": "text", "title": "text", "album": "text", "duration_ms": "int4"},
}


def entry_key(entry: Entry | None) -> str:
    """What an entry is remembered by: its URI, or else the words that name it; '' for no entry."""
    if entry is None:
        return ""
    return entry.uri or "\x1f".join((entry.artist, entry.title, *entry.artists))


@dataclass
class NewRows:
    """Rows that a batch adds, in the order of their ids."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {table: [] for table in TABLES})

    def write(self, connection: psycopg.Connection) -> None:
        """COPY the rows into their tables."""
        for table, columns in TABLES.items():
            if self.rows[table]:
                copy_rows(connection, table, columns, self.rows[table])


class Resolver:
    """Finds or makes the tracks and songs of entries.

    For the holder of the writer's lock, batch by batch: resolve everything, `write`, commit. After a batch that was
    not committed a new Resolver is needed.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._artists = IdRegister(connection, "artist", "key", KEPT_ARTISTS)
        self._songs = IdRegister(connection, "song", "key", KEPT_SONGS)
        self._tracks = IdRegister(connection, "track", "uri", KEPT_TRACKS)
        self._song_of_words: dict[str, int | None] = {}
        self._track_without_uri: dict[int, int] = {}
        self._new = NewRows()

    def track_ids(self, keys: Sequence[str], entries: Sequence[Entry | None]) -> list[int | None]:
        """Track ids in the order of the entries, None where there is no entry or nobody identified it.

        Entries without a URI share their song's one track that has none either.
        """
        ids = self._tracks.get_all(keys)
        unknown: dict[str, Entry] = {}
        for key, entry, known in zip(keys, entries, ids, strict=True):
            if known is None and entry is not None and key not in unknown:
                unknown[key] = entry
        if not unknown:
            return ids
        self._find_tracks_with_uri({key: entry for key, entry in unknown.items() if entry.uri})
        self._find_tracks_of_words({key: entry for key, entry in unknown.items() if not entry.uri})
        return self._tracks.get_all(keys)

    def song_ids(self, keys: Sequence[str], entries: Sequence[Entry | None]) -> list[int | None]:
        """Song ids in the order of the entries, None where there is no entry or nobody identified it."""
        words = self._song_of_words
        unknown = {
            key: entry
            for key, entry in zip(keys, entries, strict=True)
            if entry is not None and key not in words and not is_unidentified(entry.artist, entry.title)
        }
        words.update(zip(unknown, self._songs_of(unknown.values()), strict=True))
        return [words.get(key) for key in keys]

    def write(self) -> None:
        """Write the new rows of this batch, and forget what is too much to remember."""
        self._new.write(self._connection)
        self._new = NewRows()
        for register in (self._artists, self._songs, self._tracks):
            register.trim()
        for memory in (self._song_of_words, self._track_without_uri):
            if len(memory) > KEPT_SONGS:
                memory.clear()

    def _find_tracks_with_uri(self, unknown: Mapping[str, Entry]) -> None:
        new = self._tracks.missing(unknown)
        songs = self._songs_of(unknown[uri] for uri in new)
        for uri, song in zip(new, songs, strict=True):
            self._add_track(self._tracks.add(uri), song, unknown[uri])

    def _find_tracks_of_words(self, unknown: Mapping[str, Entry]) -> None:
        songs = self.song_ids(list(unknown), list(unknown.values()))
        unmet = [song for song in songs if song is not None and song not in self._track_without_uri]
        if unmet:
            self._track_without_uri.update(
                self._connection.execute(
                    "SELECT song_id, id FROM track WHERE song_id = ANY(%s) AND uri IS NULL", (unmet,)
                ).fetchall()
            )
        for (key, entry), song in zip(unknown.items(), songs, strict=True):
            if song is None:
                continue
            if song not in self._track_without_uri:
                self._track_without_uri[song] = self._tracks.new_id()
                self._add_track(self._track_without_uri[song], song, entry)
            self._tracks.add(key, self._track_without_uri[song])

    def _add_track(self, track: int, song: int, entry: Entry) -> None:
        self._new.rows["track"].append((track, song, entry.uri, entry.title, entry.album, entry.duration_ms))

    def _songs_of(self, entries: Iterable[Entry]) -> list[int]:
        entries = list(entries)
        names = [song_name(entry.title, entry.artist, entry.artists) for entry in entries]
        new = set(self._songs.missing(name.key for name in names))
        added: list[tuple[int, SongName]] = []
        for name, entry in zip(names, entries, strict=True):
            if name.key in new:
                new.remove(name.key)
                song = self._songs.add(name.key)
                added.append((song, name))
                self._new.rows["song"].append((song, name.title, name.version or None, entry.artist, name.key))
        self._add_shares(added)
        return [self._songs.known(name.key) for name in names]

    def _add_shares(self, songs: Iterable[tuple[int, SongName]]) -> None:
        shares = [(song, share) for song, name in songs for share in name.artists]
        new = set(self._artists.missing(share.key for _, share in shares))
        for song, share in shares:
            if share.key in new:
                new.remove(share.key)
                self._new.rows["artist"].append((self._artists.add(share.key), share.name, share.key))
            artist = self._artists.known(share.key)
            self._new.rows["song_artist"].append((song, artist, share.role, share.weight))
