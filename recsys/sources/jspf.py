"""JSPF, as ListenBrainz and others write it: one playlist a file."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from recsys.sources import texts
from recsys.sources.batches import Parsed
from recsys.sources.damaged_json import BrokenError, decode
from recsys.sources.decoding import whole_text
from recsys.sources.inputs import EMPTY, Bytes, Input
from recsys.sources.list_files import file_id, file_title, list_batches, list_inputs, song
from recsys.sources.records import Batch, Entry, Playlist, Rejected
from recsys.sources.salvage import ListForm, salvaged
from recsys.sources.texts import UnusableError, excerpt

FOREIGN = "not a JSPF playlist: it has no playlist with a list called track"
_FORM = ListForm(element="track", plural="track", key="track", no_such_list=FOREIGN)
_INSIDE = re.compile(r'\s*\{\s*"playlist"\s*:\s*(?=\{)')
_TITLE = re.compile(r'"title"\s*:\s*("(?:[^"\\]|\\.)*")')
_METADATA = "additional_metadata"


def jspf_inputs(path: Path) -> list[Input]:
    """Return one file, or a folder's .jspf files; raise SourceError if there are none."""
    return list_inputs(path, (".jspf",))


def read_jspf(path: Path) -> Iterator[Batch]:
    """Yield a playlist a file, by the file's name (`-` reads standard input); of a damaged one its whole tracks.

    Raises SourceError if the path holds no such file.
    """
    yield from list_batches(jspf_inputs(path), _parsed)


def _parsed(stream: Bytes) -> Iterator[Parsed]:
    source = stream.source
    text = whole_text(stream)
    if not text.strip():
        yield [], [Rejected(source.file, "byte 0", stream.damage or EMPTY)]
        return
    playlist = Playlist(file_id(source), file_title(source), [], source.file, "playlist")
    rejected: list[Rejected] = []
    try:
        document = decode(text) if stream.damage is None else None
    except BrokenError:
        document = None
    if document is None:
        _salvage(text, stream.damage, playlist, rejected)
        yield [playlist] if playlist.entries else [], rejected
        return
    inside = document.get("playlist") if isinstance(document, dict) else None
    tracks = inside.get("track") if isinstance(inside, dict) else None
    if not isinstance(inside, dict) or not isinstance(tracks, list):
        yield [], [Rejected(source.file, "byte 0", FOREIGN, excerpt(text))]
        return
    playlist.name = (texts.optional(inside.get("title")) or "").strip() or playlist.name
    playlist.description = texts.description(inside.get("annotation"))
    for number, track in enumerate(tracks):
        _add(track, _FORM.place(number), playlist, rejected)
    yield [playlist], rejected


def _salvage(text: str, damage: str | None, playlist: Playlist, rejected: list[Rejected]) -> None:
    inside = _INSIDE.match(text)
    start = inside.end() if inside else 0
    head = text[start:].partition('"track"')[0]
    if titled := _TITLE.search(head):
        with suppress(BrokenError):
            playlist.name = (texts.optional(decode(titled[1])) or "").strip() or playlist.name
    data = (" " * start + text[start:]).encode("utf-8", "replace")

    def parse(element: str, place: str) -> Parsed:
        try:
            _add(decode(element), place, playlist, rejected)
        except BrokenError as broken:
            rejected.append(Rejected(playlist.file, place, f"not valid JSON: {broken.reason}", excerpt(element)))
        return [], []

    for _, more in salvaged(data, playlist.file, damage, _FORM, parse):
        rejected += more


def _add(track: object, place: str, playlist: Playlist, rejected: list[Rejected]) -> None:
    try:
        if not isinstance(track, dict):
            raise UnusableError("the track is not an object")
        playlist.entries.append(_entry(track))
    except UnusableError as error:
        playlist.entries.append(None)
        rejected.append(Rejected(playlist.file, place, str(error), excerpt(track), of_entry=True))


def _entry(track: Mapping[str, object]) -> Entry | None:
    return song(
        track.get("title"),
        track.get("creator"),
        uris=(*_listed(track.get("identifier")), *_listed(track.get("location")), *_spotify(track.get("extension"))),
        album=track.get("album"),
        duration_ms=track.get("duration"),
    )


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _spotify(extension: object) -> list[object]:
    """Find the Spotify pages that ListenBrainz has in a track's metadata."""
    if not isinstance(extension, dict):
        return []
    found: list[object] = []
    for value in extension.values():
        for part in _listed(value):
            metadata = part.get(_METADATA) if isinstance(part, dict) else None
            if isinstance(metadata, dict):
                found += [metadata.get("spotify_id"), *_listed(metadata.get("spotify_identifier"))]
    return found
