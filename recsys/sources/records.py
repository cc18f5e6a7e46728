"""The few typed records that every reader produces; nothing here knows a database."""

from datetime import date

import msgspec

MAX_TEXT = 600
"""Longest title, name or id that is stored, in characters; Spotify's own limit for a title is 100."""


class Entry(msgspec.Struct, gc=False):
    """One song of a list, as its source wrote it.

    `artist` is the credit as it is shown. Where a source names the artists one by one, `artists` has them;
    otherwise `artist` is a single artist's name, perhaps with a "ft." part.
    """

    title: str
    artist: str
    uri: str | None = None
    album: str | None = None
    duration_ms: int | None = None
    artists: tuple[str, ...] = ()
    cue_seconds: int | None = None


class Rejected(msgspec.Struct, frozen=True):
    """A record, or one entry of it, that could not be used: where it stood and why."""

    file: str
    """The file's absolute path, `archive.zip!member` inside an archive, `stdin` for `-`."""
    place: str
    """Where in the file, for example `playlists[3].tracks[17]` or `line 12`."""
    reason: str
    record: str = ""
    """The beginning of the record, for the person who mends it."""
    of_entry: bool = False
    """Whether this is one entry of a list that is kept, or a row that is no list by itself."""


class Playlist(msgspec.Struct):
    """A titled list of tracks, `name` empty where it has no title.

    An entry is None where it was rejected, or where the source itself does not know the song, so that
    positions keep their place.
    """

    external_id: str
    name: str
    entries: list[Entry | None]
    file: str
    place: str
    description: str | None = None
    followers: int | None = None
    snapshot: date | None = None
    """Day of this state of the list; a later one replaces an earlier one."""


class Tracklist(msgspec.Struct):
    """What a DJ played, in order. An entry is None where it was rejected.

    An entry that nobody identified keeps its position: it has no title, or says "ID" or "?" for one.
    """

    external_id: str
    title: str
    djs: tuple[str, ...]
    entries: list[Entry | None]
    file: str
    place: str
    played_on: date | None = None
    tags: tuple[str, ...] = ()
    id_is_number: bool = False
    """How its source writes the id."""


Record = Playlist | Tracklist | Rejected


class Reached(msgspec.Struct, frozen=True):
    """Up to where a query of somebody's database was read, by the column that tells its changes."""

    query: str
    fingerprint: str
    """What changes whenever the query does."""
    kind: str
    value: str
    """The column's last value as a text, to be understood by its kind."""


class Batch(msgspec.Struct):
    """A part of one file that is committed together.

    Reading the same file again cuts it at the same places, so `(file, number)` names the same records.
    """

    records: list[Playlist | Tracklist]
    rejected: list[Rejected]
    file: str
    number: int
    """Counts the batches of this file from 0."""
    bytes_read: int
    """Bytes of the input since the batch before, of a database rows; over all batches they add up to its size."""
    is_last_of_file: bool
    """Whether the file was read to its end, so that what was set aside of it before and is not now was mended."""
    reached: tuple[Reached, ...] = ()
    """What is reached of a database once this batch is committed."""
