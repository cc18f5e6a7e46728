"""XSPF: one playlist a file."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from recsys.sources.batches import Parsed
from recsys.sources.inputs import Bytes, Input
from recsys.sources.list_files import file_id, file_title, list_batches, list_inputs, name_of_file, song
from recsys.sources.records import Batch, Entry, Playlist, Rejected
from recsys.sources.texts import UnusableError, excerpt, optional
from recsys.sources.texts import description as readable
from recsys.sources.xml_events import XmlError, local_name, xml_events

FOREIGN = "not an XSPF playlist: its root is no playlist"
_WHOLE = frozenset({"title", "annotation", "track"})


def xspf_inputs(path: Path) -> list[Input]:
    """Return one file, or a folder's .xspf files; raise SourceError if there are none."""
    return list_inputs(path, (".xspf",))


def read_xspf(path: Path) -> Iterator[Batch]:
    """Yield a playlist a file, by the file's name (`-` reads standard input).

    Raises SourceError if the path holds no such file.
    """
    yield from list_batches(xspf_inputs(path), _parsed)


def _parsed(stream: Bytes) -> Iterator[Parsed]:
    source = stream.source
    playlist = Playlist(file_id(source), file_title(source), [], source.file, "playlist")
    rejected: list[Rejected] = []
    try:
        _read(stream, playlist, rejected)
        yield [playlist], rejected
    except XmlError as error:
        rejected.append(Rejected(source.file, error.place, error.reason))
        yield [playlist] if playlist.entries else [], rejected


def _read(stream: Bytes, playlist: Playlist, rejected: list[Rejected]) -> None:
    events = xml_events(stream, _WHOLE)
    _, root, _ = next(events)
    if root != "playlist":
        raise XmlError(FOREIGN, "line 1")
    for event, name, element in events:
        if event == "start":
            continue
        if name == "title":
            playlist.name = (optional(element.text) or "").strip() or playlist.name
        elif name == "annotation":
            playlist.description = readable(element.text)
        elif name == "track":
            try:
                playlist.entries.append(_entry(element))
            except UnusableError as error:
                place = f"track[{len(playlist.entries)}]"
                playlist.entries.append(None)
                record = excerpt(" | ".join("".join(child.itertext()) for child in element))
                rejected.append(Rejected(playlist.file, place, str(error), record, of_entry=True))


def _entry(track: Element) -> Entry | None:
    values: dict[str, list[str]] = {}
    for child in track:
        if child.text and child.text.strip():
            values.setdefault(local_name(child), []).append(child.text.strip())
    first = {name: texts[0] for name, texts in values.items()}
    title, locations = first.get("title"), values.get("location", [])
    if title is None and locations and locations[0].lower().startswith("file:"):
        title = name_of_file(locations[0])
    return song(
        title,
        first.get("creator"),
        uris=(*values.get("identifier", []), *locations),
        album=first.get("album"),
        duration_ms=first.get("duration"),
    )
