"""From what a source wrote to the songs, tracks and artists of the catalogue, made where they are new."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt
import psycopg

from recsys.database import IdRegister, Questions, Write, copy_rows
from recsys.names import Role, SongName, is_unidentified, share_weights, song_name
from recsys.sources import Entry

KEPT_TRACKS = 1_000_000
KEPT_SONGS = 500_000
KEPT_ARTISTS = 200_000
KEPT_CREDITS = 200_000

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

    For the holder of the writer's lock, batch by batch: resolve everything, run what `take_writes` gives, commit.
    After a batch that was not committed a new Resolver is needed.
    """

    def __init__(self, connection: Questions) -> None:
        self._connection = connection
        self._artists = IdRegister(connection, "artist", "key", KEPT_ARTISTS)
        self._songs = IdRegister(connection, "song", "key", KEPT_SONGS)
        self._tracks = IdRegister(connection, "track", "uri", KEPT_TRACKS)
        self._song_of_words: dict[str, int | None] = {}
        self._track_without_uri: dict[int, int] = {}
        self._credits_read: set[tuple[object, ...]] = set()
        self._new = NewRows()
        self._new_songs: dict[int, SongName] = {}
        self._grown: dict[int, dict[int, Role]] = {}
        """Roles by artist of the songs to which this batch added some."""

    def track_ids(self, keys: Sequence[str], entries: Sequence[Entry | None]) -> npt.NDArray[np.int64]:
        """Track ids in the order of the entries, -1 where there is no entry or nobody identified it.

        Entries without a URI share their song's one track that has none either.
        """
        ids = self._tracks.get_all(keys)
        with_uri: dict[str, Entry] = {}
        of_words: dict[str, Entry] = {}
        unknown = np.flatnonzero(ids < 0)
        for place in unknown.tolist():
            if (entry := entries[place]) is not None:
                (with_uri if entry.uri else of_words).setdefault(keys[place], entry)
        if with_uri or of_words:
            self._find_tracks_with_uri(with_uri)
            self._find_tracks_of_words(of_words)
            ids[unknown] = self._tracks.get_all([keys[place] for place in unknown.tolist()])
        self._read_credits([entry for entry in entries if entry and (entry.artists or "," in entry.artist)])
        return ids

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

    def take_writes(self) -> list[Write]:
        """What writes the new rows of this batch; forgets what is too much to remember."""
        writes: list[Write] = []
        if self._grown:
            writes.append(partial(_forget_shares, songs=list(self._grown)))
            self._share_anew()
        writes.append(self._new.write)
        self._new, self._new_songs, self._grown = NewRows(), {}, {}
        for register in (self._artists, self._songs, self._tracks):
            register.trim()
        for memory in (self._song_of_words, self._track_without_uri):
            if len(memory) > KEPT_SONGS:
                memory.clear()
        if len(self._credits_read) > KEPT_CREDITS:
            self._credits_read.clear()
        return writes

    def _find_tracks_with_uri(self, unknown: Mapping[str, Entry]) -> None:
        new = self._tracks.missing(unknown)
        songs = self._songs_of([unknown[uri] for uri in new])
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

    def _songs_of(self, entries: Collection[Entry]) -> list[int]:
        names = [song_name(entry.title, entry.artist, entry.artists) for entry in entries]
        new = set(self._songs.missing([name.key for name in names]))
        added: list[tuple[int, SongName]] = []
        met: list[SongName] = []
        for name, entry in zip(names, entries, strict=True):
            if name.key in new:
                new.remove(name.key)
                song = self._songs.add(name.key)
                added.append((song, name))
                self._new.rows["song"].append((song, name.title, name.version or None, entry.artist, name.key))
            elif len(name.artists) > 1:
                met.append(name)
        self._new_songs.update(added)
        self._add_shares(added)
        self._add_artists(met)
        return [self._songs.known(name.key) for name in names]

    def _add_shares(self, songs: Sequence[tuple[int, SongName]]) -> None:
        self._find_artists(name for _, name in songs)
        known, rows = self._artists.known, self._new.rows["song_artist"]
        for song, name in songs:
            for share in name.artists:
                rows.append((song, known(share.key), share.role, share.weight))

    def _read_credits(self, entries: Iterable[Entry]) -> None:
        """Add the artists of entries whose tracks are known, perhaps from a source that named fewer."""
        spellings = dict.fromkeys([(entry.title, entry.artist, entry.artists) for entry in entries])
        names = {spelling: song_name(*spelling) for spelling in spellings if spelling not in self._credits_read}
        several = [name for name in names.values() if len(name.artists) > 1]
        unknown = set(self._songs.missing(name.key for name in several))
        self._add_artists([name for name in several if name.key not in unknown])
        self._credits_read.update(spelling for spelling, name in names.items() if name.key not in unknown)

    def _add_artists(self, names: Sequence[SongName]) -> None:
        """Add to known songs the artists whom another spelling names and who are not theirs yet.

        Only the spelling that a song was made from tells its main artists: the others name one who is featured or
        a remixer.
        """
        if not names:
            return
        self._find_artists(names)
        songs = [self._songs.known(name.key) for name in names]
        stored = self._stored_roles({song for song in songs if song not in self._grown and song not in self._new_songs})
        for song, name in zip(songs, names, strict=True):
            roles = self._grown.get(song) or stored.get(song) or self._roles_of(self._new_songs.get(song))
            lacking = {self._artists.known(share.key): share.role for share in name.artists}
            for artist in lacking.keys() - roles.keys():
                roles[artist] = "remixer" if lacking[artist] == "remixer" else "featured"
                self._grown[song] = roles

    def _roles_of(self, name: SongName | None) -> dict[int, Role]:
        return {self._artists.known(share.key): share.role for share in name.artists} if name else {}

    def _share_anew(self) -> None:
        rows = [row for row in self._new.rows["song_artist"] if row[0] not in self._grown]
        for song, roles in self._grown.items():
            weights = share_weights(roles.values())
            rows += [(song, *role, weight) for role, weight in zip(roles.items(), weights, strict=True)]
        self._new.rows["song_artist"] = rows

    def _stored_roles(self, songs: Iterable[int]) -> dict[int, dict[int, Role]]:
        roles: dict[int, dict[int, Role]] = {song: {} for song in songs}
        if roles:
            query = "SELECT song_id, artist_id, role FROM song_artist WHERE song_id = ANY(%s)"
            for song, artist, role in self._connection.execute(query, (list(roles),)):
                roles[song][artist] = role
        return roles

    def _find_artists(self, names: Iterable[SongName]) -> None:
        """Remember the artists of songs, and make those who are new."""
        shares = [share for name in names for share in name.artists]
        new = set(self._artists.missing([share.key for share in shares]))
        for share in shares:
            if share.key in new:
                new.remove(share.key)
                self._new.rows["artist"].append((self._artists.add(share.key), share.name, share.key))


def _forget_shares(connection: psycopg.Connection, songs: Sequence[int]) -> None:
    connection.execute("DELETE FROM song_artist WHERE song_id = ANY(%s)", (songs,))
