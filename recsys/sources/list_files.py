"""What files that hold lists for players have in common: their files, ids, songs and URIs."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote

from recsys.errors import SourceError
from recsys.names import is_unidentified, split_artist_title
from recsys.sources import texts
from recsys.sources.batches import Parsed, batches
from recsys.sources.inputs import EMPTY, STDIN, Bytes, Input, file_input, folder_inputs, require_path
from recsys.sources.records import MAX_TEXT, Batch, Entry, Rejected
from recsys.sources.texts import UnusableError, safe

_SPOTIFY_PAGE = re.compile(r"https?://open\.spotify\.com/(?:intl-\w+/)?track/([0-9A-Za-z]+)")
_SCHEME = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+:")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\|[^/]*\\")
_TRACK_NUMBER = re.compile(r"\d{1,3}(?:[.)]\s*|\s+-\s+|\s+)(?=\S)")


def list_inputs(path: Path, suffixes: tuple[str, ...]) -> list[Input]:
    """Return one file, or a folder's files that end so (or so and .gz); raise SourceError if there are none."""
    require_path(path)
    if not path.is_dir():
        return [file_input(path)]
    inputs = folder_inputs(path, (*suffixes, *(f"{suffix}.gz" for suffix in suffixes)))
    if not inputs:
        raise SourceError(f"{path} holds no {' or '.join(suffixes)} file")
    return inputs


def list_batches(inputs: Iterable[Input], parse: Callable[[Bytes], Iterator[Parsed]]) -> Iterator[Batch]:
    """Yield the batches of files of any encoding; `parse` gets one file's bytes."""
    for source in inputs:
        stream = Bytes(source, takes_utf16=True)
        yield from batches(parse(stream), source, stream)


def damage_told(stream: Bytes, place: str, *, is_empty: bool) -> list[Rejected]:
    """Return why a file ends early or holds nothing, if either is so; to be asked when it was read."""
    damage = stream.damage or (EMPTY if is_empty else None)
    return [] if damage is None else [Rejected(stream.source.file, place, damage)]


def file_id(source: Input) -> str:
    """Return the id of a list that is a file of its own: the file's name, of whatever folder, packed or not."""
    return path_id([_name(source)]) if source.path != STDIN else "stdin"


def file_title(source: Input) -> str:
    """Return the name of a list that has none of its own, '' for standard input."""
    return safe(PurePosixPath(_name(source)).stem).strip() if source.path != STDIN else ""


def _name(source: Input) -> str:
    return source.path.name.removesuffix(".gz")


def path_id(parts: Sequence[str]) -> str:
    """Return the id of a list by the names of its folders and its own; one that is too long ends in its hash."""
    joined = safe("/".join(part.replace("\\", "\\\\").replace("/", "\\/") for part in parts), 10 * MAX_TEXT)
    if len(joined) > MAX_TEXT:
        digest = blake2b(joined.encode(), digest_size=16).hexdigest()
        joined = f"{joined[: MAX_TEXT - len(digest) - 1]}~{digest}"
    return joined.strip() or "/"


class Ids:
    """Gives each list of a source an id: lists that have the same path are numbered in their order."""

    def __init__(self) -> None:
        self._met: dict[str, int] = {}

    def of(self, parts: Sequence[str]) -> str:
        """Return the id of the next list with this path."""
        own = path_id(parts)
        count = self._met[own] = self._met.get(own, 0) + 1
        return own if count == 1 else path_id([*parts, f"#{count}"])


def song(
    title: object,
    artist: object,
    *,
    uris: Iterable[object] = (),
    album: object = None,
    duration_ms: object = None,
) -> Entry | None:
    """Return a song of a playlist, None where nobody identified it; raise UnusableError where a part is missing.

    A title without an artist may be "Artist - Title".
    """
    named = texts.filled(title, "the title").strip()
    credit = "" if artist is None else texts.checked(artist, "the artist").strip()
    if not credit:
        parts = split_artist_title(named)
        if parts is None:
            raise UnusableError("the artist is missing")
        credit, named = parts
    if is_unidentified(credit, named):
        return None
    return Entry(
        named,
        credit,
        best_uri(uris),
        (texts.optional(album) or "").strip() or None,
        texts.whole_number(duration_ms),
    )


def best_uri(uris: Iterable[object]) -> str | None:
    """Return the first Spotify URI, else the first URI of any scheme but `file`; a page of Spotify is its track's URI.

    Paths of somebody's disk are no URIs: they tell nobody else what the song is.
    """
    usable = []
    for uri in uris:
        text = (texts.optional(uri) or "").strip()
        if page := _SPOTIFY_PAGE.match(text):
            text = f"spotify:track:{page[1]}"
        if _SCHEME.match(text) and texts.is_uri(text):
            usable.append(text)
    return min(usable, key=lambda text: not text.startswith("spotify:track:"), default=None)


def name_of_file(path: str) -> str:
    """Return what the name of a song's file says, without its folders, ending and leading track number."""
    if path.lower().startswith("file:"):
        path = unquote(path)
    name = PureWindowsPath(path).name if _WINDOWS.match(path) else PurePosixPath(path).name
    stem = PurePosixPath(name).stem.replace("_", " ").strip()
    return _TRACK_NUMBER.sub("", stem, count=1) or stem
