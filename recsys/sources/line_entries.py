"""One entry of a JSON line, under any of the names that people give its fields."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from recsys.sources import texts
from recsys.sources.records import MAX_TEXT, Entry, Rejected
from recsys.sources.texts import UnusableError, excerpt, first_of

Short = Annotated[str, Meta(max_length=MAX_TEXT)]
WholeId = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Number = Annotated[int, Meta(ge=0, le=texts.LARGEST_NUMBER)]

_TITLE = ("track_name", "title")
_ARTIST = ("artist_name", "artist")
_URI = ("track_uri", "uri")
_ALBUM = ("album_name", "album")
_CUE = ("cue", "time", "cue_seconds")


class LineEntry(msgspec.Struct, gc=False):
    """An entry as it is written, all its types and lengths right."""

    track_name: Short | None = None
    title: Short | None = None
    artist_name: Short | None = None
    artist: Short | None = None
    artists: tuple[Short, ...] | None = None
    track_uri: Short | None = None
    uri: Short | None = None
    album_name: Short | None = None
    album: Short | None = None
    duration_ms: _Number | None = None
    cue: int | float | str | None = None
    time: int | float | str | None = None
    cue_seconds: int | float | str | None = None


def entry_of(line: LineEntry, *, needs_song: bool) -> Entry:
    """Return the entry; raise UnusableError if it needs a title and an artist and lacks one, or has a bad URI then."""
    title = line.title if line.track_name is None else line.track_name
    credit = line.artist if line.artist_name is None else line.artist_name
    artists = _named(line.artists) if line.artists else ()
    title = "" if title is None else title.strip()
    credit = "" if credit is None else credit.strip()
    if not credit and artists:
        credit = ", ".join(artists)[:MAX_TEXT]
    if needs_song and not (title and credit):
        raise UnusableError("track_name is empty" if not title else "artist_name is empty")
    uri = line.uri if line.track_uri is None else line.track_uri
    uri = (uri.strip() or None) if uri else None
    if uri is not None and not texts.is_uri(uri):
        if needs_song:
            raise UnusableError(texts.GAP_IN_URI)
        uri = None
    album = line.album if line.album_name is None else line.album_name
    cue = line.time if line.cue is None else line.cue
    cue = line.cue_seconds if cue is None else cue
    return Entry(
        title,
        credit,
        uri,
        (album.strip() or None) if album else None,
        line.duration_ms,
        artists,
        None if cue is None else texts.cue(cue),
    )


def entries_one_by_one(
    tracks: object, file: str, place: str, *, needs_song: bool
) -> tuple[list[Entry | None], list[Rejected]]:
    """Return the entries of a list of any shape, None where one is unusable, and why.

    Raises UnusableError if `tracks` is no list.
    """
    if not isinstance(tracks, list):
        raise UnusableError("tracks is missing" if tracks is None else "tracks is not a list")
    entries: list[Entry | None] = []
    rejected = []
    for number, track in enumerate(tracks):
        try:
            entries.append(entry_of(_line_entry(track, needs_song=needs_song), needs_song=needs_song))
        except UnusableError as error:
            entries.append(None)
            rejected.append(Rejected(file, f"{place}.tracks[{number}]", str(error), excerpt(track), of_entry=True))
    return entries, rejected


def _line_entry(track: object, *, needs_song: bool) -> LineEntry:
    if not isinstance(track, dict):
        raise UnusableError("the entry is not an object")
    artists = track.get("artists")
    return LineEntry(
        title=_text(track, _TITLE),
        artist=_text(track, _ARTIST),
        artists=None if artists is None else _artists(artists),
        uri=_text(track, _URI) if needs_song else texts.optional(first_of(track, _URI)[1]),
        album=texts.optional(first_of(track, _ALBUM)[1]),
        duration_ms=texts.whole_number(track.get("duration_ms")),
        cue=_cue(first_of(track, _CUE)[1]),
    )


def _text(track: Mapping[str, object], names: tuple[str, ...]) -> str | None:
    name, value = first_of(track, names)
    return None if value is None else texts.checked(value, name)


def _artists(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise UnusableError("artists is not a list")
    return tuple(texts.checked(name, "artists") for name in value if name is not None)


def _named(artists: tuple[str, ...]) -> tuple[str, ...]:
    if len(artists) == 1:
        name = artists[0].strip()
        return (name,) if name else ()
    return tuple([stripped for name in artists if (stripped := name.strip())])


def _cue(value: object) -> int | float | str | None:
    return value if isinstance(value, (int, float, str)) and not isinstance(value, bool) else None
