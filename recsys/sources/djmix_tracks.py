"""One line of a mix's tracklist: "[06:15] Artist - Title (Mix) [Label - CAT 123]"."""

import re

from recsys.names import parse_credit, split_artist_title
from recsys.sources import texts
from recsys.sources.records import MAX_TEXT, Entry

_TIME_MARK = re.compile(r"\s*\[\s*([\d:.?Xx]+)\s*\]\s*")
_LEADING = re.compile(r"(?:\+|w/)\s*|\d{1,3}[.)]\s+")
_SEGMENT = re.compile(r"[^-–—:()\[\]]{3,40}:\s+(?=\S.*\s[-–—]\s)")
_LAST_BRACKETS = re.compile(r"\s*\[([^\[\]]*)\]$")
_VERSION = re.compile(
    r"\S.*\s(?:re-?mix|mix|re-?edit|edit|version|re-?work|re-?fix|bootleg|dub|vip|mash-?up)|original mix", re.IGNORECASE
)
_UNKNOWN_ARTIST = re.compile(r"\?+")


def parse_track(line: str) -> Entry:
    """Return the entry of a line, what surrounds the song peeled off.

    A line that names no artist, such as "Intro", has its text for a title; "ID - ID" is left as it is.
    """
    mark = _TIME_MARK.match(line)
    text = " ".join((line[mark.end() :] if mark else line).split())
    while leading := _LEADING.match(text):
        text = text[leading.end() :]
    text = _without_label(_SEGMENT.sub("", text, count=1) if _SEGMENT.match(text) else text)
    seconds = texts.cue(mark[1].replace(".", ":"), lone_number=60) if mark else None
    parts = split_artist_title(text)
    if parts is None:
        return Entry(title=text[:MAX_TEXT], artist="", cue_seconds=seconds)
    artist, title = parts
    if _UNKNOWN_ARTIST.fullmatch(artist):
        return Entry(title=title[:MAX_TEXT], artist="", cue_seconds=seconds)
    credit = parse_credit(artist[:MAX_TEXT], free_text=True)
    artists = (*credit.main, *(f"ft. {name}" for name in credit.featured))
    return Entry(title=title[:MAX_TEXT], artist=artist[:MAX_TEXT], artists=artists, cue_seconds=seconds)


def _without_label(text: str) -> str:
    while found := _LAST_BRACKETS.search(text):
        rest = text[: found.start()]
        if not rest or (_VERSION.fullmatch(found[1].strip()) and not rest.endswith(")")):
            break
        text = rest
    return text
