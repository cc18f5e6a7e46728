"""rekordbox's library in XML (File > Export Collection in xml format): its playlists."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

from recsys.sources.batches import Parsed
from recsys.sources.dj_library import Library, Song, parse_library
from recsys.sources.inputs import Bytes, Input
from recsys.sources.list_files import list_batches, list_inputs, song
from recsys.sources.records import Batch
from recsys.sources.texts import UnusableError, whole_number
from recsys.sources.xml_events import XmlError, xml_events

FOREIGN = "not a rekordbox library: its root is no DJ_PLAYLISTS"


def rekordbox_inputs(path: Path) -> list[Input]:
    """Return one file, or a folder's .xml files; raise SourceError if there are none."""
    return list_inputs(path, (".xml",))


def read_rekordbox(path: Path) -> Iterator[Batch]:
    """Yield a library's playlists, each by its path through the folders; the collection is held in memory.

    Raises SourceError if the path holds no XML file.
    """
    yield from list_batches(rekordbox_inputs(path), partial(parse_library, walk=_walked))


def _walked(stream: Bytes, library: Library) -> Iterator[Parsed]:
    events = xml_events(stream)
    _, root, _ = next(events)
    if root != "DJ_PLAYLISTS":
        raise XmlError(FOREIGN, "line 1")
    is_folder: list[bool] = []
    for event, name, element in events:
        if name == "TRACK" and event == "start":
            _add_track(library, element, in_playlist=bool(is_folder))
        elif name == "COLLECTION" and event == "end":
            library.has_collection = True
            yield from library.rest()
        elif name == "NODE" and event == "start":
            is_folder.append(element.get("Type", "0").strip() != "1")
            if is_folder[-1]:
                yield from library.open_folder(element.get("Name", ""))
            else:
                library.open_playlist(element.get("Name", ""))
        elif name == "NODE":
            if is_folder.pop():
                library.close_folder()
            else:
                yield from library.close_playlist()


def _add_track(library: Library, element: Element, *, in_playlist: bool) -> None:
    if in_playlist:
        library.add_key(element.get("Key", "").strip())
        return
    # A playlist names its tracks by their id or, with KeyType 1, by their location.
    keys = [key for name in ("TrackID", "Location") if (key := element.get(name, "").strip())]
    library.add_song(keys, _song(element.attrib))


def _song(values: Mapping[str, str]) -> Song:
    title, mix = values.get("Name", "").strip(), values.get("Mix", "").strip()
    if title and mix and mix.lower() not in title.lower():
        title = f"{title} ({mix})"
    seconds = whole_number(values.get("TotalTime"), 2_000_000)
    try:
        return Song(
            song(
                title,
                values.get("Artist"),
                uris=(values.get("Location"),),
                album=values.get("Album"),
                duration_ms=seconds * 1000 if seconds else None,
            )
        )
    except UnusableError as error:
        return Song(None, str(error))
