"""Songs that a language model's answer names, in whatever form it wrote them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from recsys.names import split_artist_title

Reading = tuple[str, str]
"""An artist and a title."""

MAX_ANSWER, MAX_LINE = 200_000, 300
"""Characters that are read; a longer line is no song."""

MAX_JSON_STARTS = 1_000
"""Brackets that are tried as the start of JSON."""


@dataclass(frozen=True)
class Mention:
    """A song as it was named; `readings` are what it may mean, the likeliest first."""

    text: str
    readings: tuple[Reading, ...]


_UNREADABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_MARKER = re.compile(r"\s*(?:[-*+•‣·–—]\s+)?(?:#?\d{1,3}\s?[.):]\s*(?=\D)|[(\[]\d{1,3}[)\]]\s*|#\d{1,3}\s+)?")
_NUMBER_AND_DASH = re.compile(r"\s*\d{1,3}\s[-–—]\s(?=.+\s[-–—]\s)")


def read_answer(text: str) -> list[Mention]:
    """The songs of an answer in its order: JSON where it holds any, else lines.

    Read are "Artist - Title", "Title by Artist", '"Title" - Artist', numbered or not, and JSON of any shape.
    Where some lines are numbered or have bullets, the others are what is said around the list.
    """
    text = _UNREADABLE.sub(" ", _THOUGHTS.sub("", text[:MAX_ANSWER]))
    if mentions := [mention for value in _json_values(text) for mention in _in_json(value)]:
        return mentions
    marked: list[Mention] = []
    unmarked: list[Mention] = []
    for line in text.splitlines():
        plain = line.replace("**", "").replace("__", "").replace("`", "")
        found = _NUMBER_AND_DASH.match(plain) or _MARKER.match(plain)
        rest = plain[found.end() :] if found else plain
        if mention := _in_line(rest):
            (marked if found and found[0].strip() else unmarked).append(mention)
    return marked or unmarked


# --- lines ---------------------------------------------------------------------------------------------------------

_QUOTED_TITLE = re.compile(r"""\s*["“”‘'](.+?)["”’'],?\s+(?:by|[-–—])\s+(.+)""", re.IGNORECASE)
_DASHES = re.compile(r"\s?[–—]\s?|\s--\s|\s*\t\s*")
_LAST_DASH = re.compile(r"(.+)\s[-–—]\s(.+)")
_BY = re.compile(r",?\sby\s", re.IGNORECASE)
_YEAR = re.compile(r"\s*[(\[](?:19|20)\d\d[)\]]\s*$")
_AROUND = " \t\"“”‘’'*_;,"


def _in_line(line: str) -> Mention | None:
    text = " ".join(line.split())
    if not text or len(text) > MAX_LINE or text.endswith(":"):
        return None
    readings: dict[Reading, None] = {}
    for artist, title in _readings(line.strip() if "\t" in line else text):
        artist, title = _bare(artist), _bare(title)
        if artist and title:
            readings[artist, title] = None
    return Mention(text, tuple(readings)) if readings else None


def _readings(text: str) -> Iterator[Reading]:
    if quoted := _QUOTED_TITLE.fullmatch(text):
        yield quoted[2], quoted[1]
    dashed = text if split_artist_title(text) and "\t" not in text else _DASHES.sub(" - ", text)
    if parts := split_artist_title(dashed):
        yield parts
    if swapped := _LAST_DASH.fullmatch(dashed):
        yield swapped[2], swapped[1]
    for by in reversed(list(_BY.finditer(text))):
        yield text[by.end() :], text[: by.start()]


def _bare(part: str) -> str:
    return " ".join(_YEAR.sub("", part.strip(_AROUND)).strip(_AROUND).split())


# --- JSON ----------------------------------------------------------------------------------------------------------

_TITLE_KEYS = ("title", "song", "track", "name", "track_name", "song_name", "track_title", "song_title")
_ARTIST_KEYS = ("artist", "artists", "artist_name", "by", "band", "performer")


def _json_values(text: str) -> Iterator[Any]:
    """Every JSON list and object of a text, the outermost ones."""
    decoder, place = json.JSONDecoder(), 0
    starts = re.compile(r"[\[{]")
    for _ in range(MAX_JSON_STARTS):
        start = starts.search(text, place)
        if start is None:
            return
        try:
            value, place = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            place = start.end()
        else:
            yield value


def _in_json(value: Any) -> Iterator[Mention]:
    if isinstance(value, str):
        if mention := _in_line(_UNREADABLE.sub(" ", value)):
            yield mention
    elif isinstance(value, list):
        for item in value:
            yield from _in_json(item)
    elif isinstance(value, dict):
        fields = {str(key).casefold(): item for key, item in value.items()}
        title = next((_words(fields[key]) for key in _TITLE_KEYS if key in fields), "")
        artist = next((_words(fields[key]) for key in _ARTIST_KEYS if key in fields), "")
        if title and artist:
            yield Mention(f"{artist} - {title}", ((artist, title),))
        else:
            for item in value.values():
                if isinstance(item, list | dict):
                    yield from _in_json(item)


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_words, value)))
    return _bare(_UNREADABLE.sub(" ", value))[:MAX_LINE] if isinstance(value, str) else ""
