"""The Million Playlist Dataset: slices of 1,000 playlists, in a folder, one by one, or in the dataset's zip."""

import re
from collections.abc import Iterator
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from recsys.errors import SourceError
from recsys.sources import texts
from recsys.sources.batches import Parsed, batches
from recsys.sources.damaged_json import BrokenError, decode
from recsys.sources.inputs import (
    EMPTY,
    Bytes,
    Input,
    archive_members,
    file_input,
    folder_inputs,
    require_path,
)
from recsys.sources.records import MAX_TEXT, Batch, Entry, Playlist, Rejected
from recsys.sources.salvage import ListForm, salvaged
from recsys.sources.texts import UnusableError, excerpt

MAX_SLICE_ENTRIES = 250_000
"""A slice has at most 1,000 playlists of at most 250 tracks, so that one slice is one batch."""

_SLICE = re.compile(r"(?:^|/)mpd\.slice\.(\d+)-(\d+)[^/]*\.json(?:\.gz)?$")
_JSON = re.compile(r"^(?!__MACOSX/).*\.json(?:\.gz)?$")
_FORM = ListForm(
    element="playlist",
    plural="playlists",
    key="playlists",
    no_such_list="not an MPD slice: it has no list named playlists",
    beginning=re.compile(r'\{\s*"(?:pid|name)"\s*:'),
)
_NUL = b"\\u0000"

_Filled = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
_Number = Annotated[int, Meta(ge=0, le=texts.LARGEST_NUMBER)]
_Id = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class MpdEntry(
    Entry,
    gc=False,
    eq=False,
    rename={"title": "track_name", "artist": "artist_name", "uri": "track_uri", "album": "album_name"},
):
    """An Entry that is decoded straight from a slice; it equals an Entry that holds the same."""

    title: _Filled
    artist: _Filled
    uri: _Filled
    album: Annotated[str, Meta(max_length=MAX_TEXT)] | None = None
    duration_ms: _Number | None = None

    def __eq__(self, other: object) -> bool:
        """Compare the values, whether the other is an MpdEntry or a plain Entry."""
        if not isinstance(other, Entry):
            return NotImplemented
        return msgspec.structs.astuple(self) == msgspec.structs.astuple(other)

    __hash__ = None  # type: ignore[assignment]


class _Playlist(msgspec.Struct, gc=False):
    pid: _Id | _Filled
    name: Annotated[str, Meta(max_length=MAX_TEXT)]
    tracks: list[MpdEntry]
    description: str | None = None
    num_followers: _Number | None = None
    modified_at: _Number | None = None


class _Slice(msgspec.Struct, gc=False):
    playlists: list[_Playlist]


class _RawSlice(msgspec.Struct):
    playlists: list[msgspec.Raw]


_slice_decoder = msgspec.json.Decoder(_Slice)
_raw_slice_decoder = msgspec.json.Decoder(_RawSlice)
_playlist_decoder = msgspec.json.Decoder(_Playlist)
_DECODING_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)


def mpd_inputs(path: Path) -> list[Input]:
    """Return the slices in the order of their ranges.

    In a folder, its slices or those of its folder `data`, else every .json and .json.gz; in a zip archive,
    its slices, else every .json. Raises SourceError if there are none.
    """
    require_path(path)
    if path.is_dir():
        found = [source for folder in (path, path / "data") if folder.is_dir() for source in _slices_in(folder)]
        inputs = found or folder_inputs(path, (".json", ".json.gz"))
    elif path.suffix == ".zip":
        members = archive_members(path, _JSON)
        slices = [source for source in members if _SLICE.search(source.member or "")]
        inputs = slices or members
    else:
        return [file_input(path)]
    if not inputs:
        raise SourceError(f"{path} holds no MPD slice (mpd.slice.*.json or .json.gz)")
    return sorted(inputs, key=_range)


def read_mpd(path: Path) -> Iterator[Batch]:
    """Yield the playlists of MPD slices, one batch a slice.

    Raises SourceError if the path holds no slice.
    """
    for source in mpd_inputs(path):
        stream = Bytes(source)
        data = stream.read()
        yield from batches(playlists_of(data, source.file, stream.damage), source, stream, MAX_SLICE_ENTRIES)


def playlists_of(data: bytes, file: str, damage: str | None = None) -> Iterator[Parsed]:
    """Yield what the bytes of a slice hold; `damage` says why they may end too early."""
    if not data or data.isspace():
        yield [], [Rejected(file, "byte 0", damage or EMPTY)]
        return
    playlists = _decode_slice(data)
    if playlists is not None:
        for number, playlist in enumerate(playlists):
            yield [_record(playlist, file, _FORM.place(number))], []
        if damage is not None:
            yield [], [Rejected(file, f"byte {len(data)}", damage)]
        return
    try:
        raws = _raw_slice_decoder.decode(data).playlists
    except _DECODING_ERRORS:
        yield from salvaged(data, file, damage, _FORM, partial(_parse_element, file))
        return
    for number, raw in enumerate(raws):
        yield _parse_playlist(bytes(raw), file, _FORM.place(number))
    if damage is not None:
        yield [], [Rejected(file, f"byte {len(data)}", damage)]


def _slices_in(folder: Path) -> list[Input]:
    return [source for source in folder_inputs(folder, (".json", ".json.gz")) if _SLICE.search(source.path.name)]


def _range(source: Input) -> tuple[int, int, str]:
    found = _SLICE.search(source.member or source.path.name)
    return (int(found[1]), int(found[2]), source.file) if found else (-1, -1, source.file)


def _decode_slice(data: bytes) -> list[_Playlist] | None:
    if _NUL in data:
        return None
    try:
        playlists = _slice_decoder.decode(data).playlists
    except _DECODING_ERRORS:
        return None
    return playlists if all(map(_is_filled, playlists)) else None


def _is_filled(playlist: _Playlist) -> bool:
    return not (
        any(map(str.isspace, map(attrgetter("title"), playlist.tracks)))
        or any(map(str.isspace, map(attrgetter("artist"), playlist.tracks)))
        or not texts.is_plain("".join(map(attrgetter("uri"), playlist.tracks)))
        or (isinstance(playlist.pid, str) and playlist.pid.isspace())
    )


def _record(playlist: _Playlist, file: str, place: str) -> Playlist:
    return Playlist(
        external_id=str(playlist.pid).strip(),
        name=playlist.name.strip(),
        entries=playlist.tracks,  # type: ignore[arg-type]
        file=file,
        place=place,
        description=texts.description(playlist.description),
        followers=playlist.num_followers,
        snapshot=texts.day(playlist.modified_at),
    )


def _parse_element(file: str, element: str, place: str) -> Parsed:
    return _parse_playlist(element.encode("utf-8", "surrogateescape"), file, place)


def _parse_playlist(raw: bytes, file: str, place: str) -> Parsed:
    if _NUL not in raw:
        try:
            playlist = _playlist_decoder.decode(raw)
        except _DECODING_ERRORS:
            pass
        else:
            if _is_filled(playlist):
                return [_record(playlist, file, place)], []
    return playlist_by_entries(raw, file, place)


def playlist_by_entries(raw: bytes, file: str, place: str) -> Parsed:
    """Return what is usable of one playlist: bad entries are set aside one by one."""
    try:
        record = decode(raw.decode("utf-8", "surrogateescape"))
        if not isinstance(record, dict):
            raise UnusableError("the playlist is not an object")
        tracks = record.get("tracks")
        if not isinstance(tracks, list):
            raise UnusableError("tracks is missing" if tracks is None else "tracks is not a list")
        playlist = Playlist(
            external_id=texts.identifier(record.get("pid"), "pid"),
            name=texts.checked(record.get("name"), "name").strip(),
            entries=[],
            file=file,
            place=place,
            description=texts.description(record.get("description")),
            followers=texts.whole_number(record.get("num_followers")),
            snapshot=texts.day(record.get("modified_at")),
        )
    except UnusableError as error:
        return [], [Rejected(file, place, str(error), excerpt(raw))]
    except BrokenError as broken:
        return [], [Rejected(file, place, f"not valid JSON: {broken.reason}", excerpt(raw))]
    rejected = []
    for number, track in enumerate(tracks):
        try:
            playlist.entries.append(_entry(track))
        except UnusableError as error:
            playlist.entries.append(None)
            rejected.append(Rejected(file, f"{place}.tracks[{number}]", str(error), excerpt(track), of_entry=True))
    return [playlist], rejected


def _entry(track: object) -> Entry:
    if not isinstance(track, dict):
        raise UnusableError("the entry is not an object")
    return Entry(
        title=texts.filled(track.get("track_name"), "track_name"),
        artist=texts.filled(track.get("artist_name"), "artist_name"),
        uri=texts.track_uri(track.get("track_uri")),
        album=texts.optional(track.get("album_name")),
        duration_ms=texts.whole_number(track.get("duration_ms")),
    )
