"""What the libraries of rekordbox and Traktor have in common: a collection of songs, and playlists in folders."""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from recsys.sources.batches import Parsed
from recsys.sources.inputs import Bytes
from recsys.sources.list_files import Ids
from recsys.sources.records import Entry, Playlist, Rejected
from recsys.sources.texts import excerpt, safe
from recsys.sources.xml_events import XmlError

DEEPEST = 50
TOO_DEEP = f"folders lie more than {DEEPEST} deep, as if one held itself"


class Song(msgspec.Struct, gc=False):
    """A song of the collection: its entry, None where nobody identified it, or why it is unusable."""

    entry: Entry | None
    reason: str | None = None


class _Waiting(msgspec.Struct):
    external_id: str
    name: str
    number: int
    keys: list[str]


class Library:
    """Collects a library's songs and folders, and makes its playlists.

    A playlist's id is its path; playlists that come before the collection wait for it.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.songs: dict[str, Song] = {}
        self.has_collection = False
        self._folders: list[str] = []
        self._ids = Ids()
        self._open: _Waiting | None = None
        self._waiting: list[_Waiting] = []
        self._count = 0
        self._skipped = 0
        """Nodes that are open below the deepest folder."""

    def add_song(self, keys: Sequence[str], song: Song) -> None:
        """Take a song by each of its keys; the first one of a key stays."""
        for key in keys:
            self.songs.setdefault(key, song)

    def open_folder(self, name: str) -> Iterator[Parsed]:
        """Enter a folder; one that lies too deep is told once, and what it holds is left out."""
        self._folders.append(name)
        if self._skipped or len(self._folders) > DEEPEST:
            self._skipped += 1
            if self._skipped == 1:
                yield [], [Rejected(self.file, f"folders[{self._count}]", TOO_DEEP, excerpt("/".join(self._folders)))]

    def close_folder(self) -> None:
        """Leave a folder."""
        self._folders.pop()
        self._skipped = max(0, self._skipped - 1)

    def open_playlist(self, name: str) -> None:
        """Begin a playlist in the folder that is open."""
        if self._open is not None:
            self._waiting.append(self._open)
        if not self._skipped:
            # What has no folder above it but the top one is at the top.
            path = [*self._folders[1:], name]
            self._open = _Waiting(self._ids.of(path), safe(name).strip(), self._count, [])
            self._count += 1

    def add_key(self, key: str) -> None:
        """Take the next song of the playlist that is open."""
        if self._open is not None:
            self._open.keys.append(key)

    def close_playlist(self) -> Iterator[Parsed]:
        """End the playlist that is open, and yield it if the collection is known."""
        if self._open is not None:
            self._waiting.append(self._open)
            self._open = None
        if self.has_collection:
            yield from self.rest()

    def rest(self) -> Iterator[Parsed]:
        """Yield the playlists that wait, with a song unknown where the collection lacks it."""
        for waiting in self._waiting:
            yield self._parsed(waiting)
        self._waiting.clear()

    def rest_of_damaged(self) -> Iterator[Parsed]:
        """Yield what can be told of playlists at a file's early end: the songs so far of the one that is open."""
        if self._open is not None and self._open.keys:
            self._waiting.append(self._open)
        yield from self.rest()

    def _parsed(self, waiting: _Waiting) -> Parsed:
        place = f"playlists[{waiting.number}]"
        entries: list[Entry | None] = []
        rejected = []
        for number, key in enumerate(waiting.keys):
            song = self.songs.get(key)
            if song is None:
                song = Song(None, "the collection has no such track")
            entries.append(song.entry)
            if song.reason is not None:
                own = f"{place}.tracks[{number}]"
                rejected.append(Rejected(self.file, own, song.reason, excerpt(key), of_entry=True))
        playlist = Playlist(waiting.external_id, waiting.name, entries, self.file, place)
        return [playlist], rejected


def parse_library(stream: Bytes, walk: Callable[[Bytes, Library], Iterator[Parsed]]) -> Iterator[Parsed]:
    """Yield the playlists of a file that `walk` goes through; at a damaged place, those that can be told before it."""
    file = stream.source.file
    library = Library(file)
    try:
        yield from walk(stream, library)
        yield from library.rest()
    except XmlError as error:
        yield from library.rest_of_damaged()
        yield [], [Rejected(file, error.place, error.reason)]
