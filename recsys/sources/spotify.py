"""Spotify's account export: Playlist1.json and those after it, in the zip as it comes or unpacked; YourLibrary.json."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from recsys.errors import SourceError
from recsys.sources import texts
from recsys.sources.batches import Parsed, batches
from recsys.sources.damaged_json import BrokenError, decode
from recsys.sources.inputs import EMPTY, Bytes, Input, archive_members, file_input, folder_inputs, require_path
from recsys.sources.list_files import Ids, song
from recsys.sources.records import Batch, Entry, Playlist, Rejected
from recsys.sources.salvage import ListForm, salvaged
from recsys.sources.texts import UnusableError, excerpt

FOREIGN = "not a Spotify account export: it has no list called playlists"
_FORM = ListForm(
    element="playlist",
    plural="playlists",
    key="playlists",
    no_such_list=FOREIGN,
    beginning=re.compile(r'\{\s*"name"\s*:\s*"(?:[^"\\]|\\.)*"\s*,\s*"lastModifiedDate"'),
)
LIKED = "Liked Songs"
"""What Spotify calls the songs of YourLibrary.json."""
_MEMBER = re.compile(r"(?:^|/)Playlist\d*\.json$")


def spotify_inputs(path: Path) -> list[Input]:
    """Return the playlists' files of a zip or a folder, or the file; raise SourceError if there are none."""
    require_path(path)
    if path.is_dir():
        found = [one for one in folder_inputs(path, (".json",)) if _MEMBER.search(one.file)]
    elif path.suffix.lower() == ".zip":
        found = archive_members(path, _MEMBER)
    else:
        return [file_input(path)]
    if not found:
        raise SourceError(f"{path} holds no Playlist1.json: is it the account data that Spotify sends?")
    return sorted(
        found, key=lambda one: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", one.file)]
    )


def read_spotify(path: Path) -> Iterator[Batch]:
    """Yield the playlists of an account, by their names; those of the same name are numbered in their order.

    A library, which must be named itself, is one playlist of the songs that its owner liked. Podcasts and files of the
    listener's own disk without a name are set aside. Raises SourceError if the path holds no export.
    """
    ids = Ids()
    for source in spotify_inputs(path):
        stream = Bytes(source)
        data = stream.read()
        yield from batches(_parsed(data, source.file, stream.damage, ids), source, stream)


def _parsed(data: bytes, file: str, damage: str | None, ids: Ids) -> Iterator[Parsed]:
    if not data or data.isspace():
        yield [], [Rejected(file, "byte 0", damage or EMPTY)]
        return
    try:
        document = decode(data.decode("utf-8", "surrogateescape")) if damage is None else None
    except BrokenError:
        document = None
    playlists = document.get("playlists") if isinstance(document, dict) else None
    liked = document.get("tracks") if isinstance(document, dict) else None
    if isinstance(liked, list) and playlists is None:
        entries, rejected = _entries(file, map(_of_library, liked), "tracks")
        yield [Playlist(ids.of([LIKED]), LIKED, entries, file, "tracks")], rejected
        return
    if not isinstance(playlists, list):
        yield from salvaged(data, file, damage, _FORM, partial(_parsed_text, ids, file))
        return
    for number, playlist in enumerate(playlists):
        yield _playlist(ids, file, playlist, _FORM.place(number))


def _parsed_text(ids: Ids, file: str, text: str, place: str) -> Parsed:
    try:
        return _playlist(ids, file, decode(text), place)
    except BrokenError as broken:
        return [], [Rejected(file, place, f"not valid JSON: {broken.reason}", excerpt(text))]


def _playlist(ids: Ids, file: str, record: object, place: str) -> Parsed:
    try:
        if not isinstance(record, dict):
            raise UnusableError("the playlist is not an object")
        name = texts.checked(record.get("name"), "name").strip()
        items = texts.first_of(record, ("items", "tracks"))[1]
        if not isinstance(items, list):
            raise UnusableError("items is missing" if items is None else "items is not a list")
    except UnusableError as error:
        return [], [Rejected(file, place, str(error), excerpt(record))]
    entries, rejected = _entries(file, items, f"{place}.items")
    playlist = Playlist(
        external_id=ids.of([name]),
        name=name,
        entries=entries,
        file=file,
        place=place,
        description=texts.description(record.get("description")),
        followers=texts.whole_number(record.get("numberOfFollowers")),
        snapshot=texts.day(record.get("lastModifiedDate")),
    )
    return [playlist], rejected


def _of_library(item: object) -> object:
    """A song of a library as playlists write it."""
    if not isinstance(item, dict):
        return item
    names = {"trackName": "track", "artistName": "artist", "trackUri": "uri", "albumName": "album"}
    return {"track": {name: item.get(own) for name, own in names.items()}}


def _entries(file: str, items: Iterable[object], place: str) -> tuple[list[Entry | None], list[Rejected]]:
    entries: list[Entry | None] = []
    rejected = []
    for number, item in enumerate(items):
        try:
            entries.append(_entry(item))
        except UnusableError as error:
            entries.append(None)
            rejected.append(Rejected(file, f"{place}[{number}]", str(error), excerpt(item), of_entry=True))
    return entries, rejected


def _entry(item: object) -> Entry | None:
    if not isinstance(item, dict):
        raise UnusableError("the item is not an object")
    track = item.get("track", item)
    if isinstance(track, dict):
        return _song(track)
    local = item.get("localTrack")
    if isinstance(local, dict) and isinstance(local.get("uri"), str):
        raise UnusableError("a file of the listener's own disk, which the export does not name")
    if item.get("episode") or item.get("audiobook"):
        raise UnusableError("an episode of a podcast or an audiobook, no song")
    raise UnusableError("the item holds no track")


def _song(track: Mapping[str, object]) -> Entry | None:
    return song(
        track.get("trackName"), track.get("artistName"), uris=(track.get("trackUri"),), album=track.get("albumName")
    )
