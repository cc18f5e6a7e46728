"""Traktor's collection or playlists in NML: its playlists."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

from recsys.sources.batches import Parsed
from recsys.sources.dj_library import Library, Song, parse_library
from recsys.sources.inputs import Bytes, Input
from recsys.sources.list_files import list_batches, list_inputs, name_of_file, song
from recsys.sources.records import Batch
from recsys.sources.texts import UnusableError, whole_number
from recsys.sources.xml_events import XmlError, xml_events

FOREIGN = "not a Traktor collection: its root is no NML"


def traktor_inputs(path: Path) -> list[Input]:
    """Return one file, or a folder's .nml files; raise SourceError if there are none."""
    return list_inputs(path, (".nml",))


def read_traktor(path: Path) -> Iterator[Batch]:
    """Yield a collection's playlists, each by its path through the folders; the songs are held in memory.

    Raises SourceError if the path holds no NML file.
    """
    yield from list_batches(traktor_inputs(path), partial(parse_library, walk=_walked))


def _walked(stream: Bytes, library: Library) -> Iterator[Parsed]:
    events = xml_events(stream, frozenset({"ENTRY"}))
    _, root, _ = next(events)
    if root != "NML":
        raise XmlError(FOREIGN, "line 1")
    kinds: list[str] = []
    for event, name, element in events:
        if name == "ENTRY" and event == "end":
            _add_entry(library, element, in_playlist=bool(kinds))
        elif name == "COLLECTION" and event == "end":
            library.has_collection = True
            yield from library.rest()
        elif name == "NODE" and event == "start":
            kinds.append(element.get("TYPE", "").strip().upper())
            if kinds[-1] == "FOLDER":
                yield from library.open_folder(element.get("NAME", ""))
            elif kinds[-1] == "PLAYLIST":
                library.open_playlist(element.get("NAME", ""))
        elif name == "NODE":
            kind = kinds.pop()
            if kind == "FOLDER":
                library.close_folder()
            elif kind == "PLAYLIST":
                yield from library.close_playlist()


def _add_entry(library: Library, element: Element, *, in_playlist: bool) -> None:
    if in_playlist:
        named = element.find("PRIMARYKEY")
        library.add_key("" if named is None else named.get("KEY", ""))
        return
    location = element.find("LOCATION")
    where = {} if location is None else location.attrib
    file = where.get("FILE", "")
    key = f"{where.get('VOLUME', '')}{where.get('DIR', '')}{file}"
    library.add_song([key], _song(element, file))


def _song(element: Element, file: str) -> Song:
    album, info = element.find("ALBUM"), element.find("INFO")
    seconds = None if info is None else whole_number(info.get("PLAYTIME"), 2_000_000)
    try:
        return Song(
            song(
                element.get("TITLE") or name_of_file(file),
                element.get("ARTIST"),
                album=None if album is None else album.get("TITLE"),
                duration_ms=seconds * 1000 if seconds else None,
            )
        )
    except UnusableError as error:
        return Song(None, str(error))
