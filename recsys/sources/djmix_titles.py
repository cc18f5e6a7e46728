"""What a mix's title and tags say: the day, the DJs, and a name such as a playlist has."""

import re
from collections.abc import Sequence
from datetime import date
from difflib import get_close_matches

import msgspec

from recsys.sources import texts

_GENRE_NAMES = (
    "Acid|Acid House|Acid Techno|Ambient|Balearic|Bass|Bassline|Big Beat|Booty|Breakbeat|Breakbeat Hardcore|Breakcore|"
    "Breaks|Broken Beat|Chill Out|Dancehall|Deep House|Deep Tech House|Detroit Techno|Disco|Downtempo|Drum & Bass|Dub|"
    "Dub Techno|Dubstep|EBM|Electro|Electro House|Electronica|Experimental|Footwork|Funk|Future Jazz|Garage|Ghetto|"
    "Grime|Happy Hardcore|Hard House|Hard Techno|Hard Trance|Hardcore|Hardstyle|Hip Hop|House|IDM|Industrial|Jazz|Juke|"
    "Jungle|Leftfield|Minimal|Pop|Progressive|Progressive House|Progressive Trance|Psychedelic|Psytrance|Rare Groove|"
    "Rave|Reggae|Rock|Soul|Soulful Techno|Synth Pop|Tech House|Techno|Trance|Trap|UK Funky|UK Garage|Vocal House|"
    "World Music"
)
GENRES = frozenset(_GENRE_NAMES.split("|"))
_SERIES = frozenset({"Beats In Space", "Boiler Room", "Cercle", "Clubnight", "Hospital Podcast", "Mixmag DJ Lab"})
"""Shows that titles name after "@", where others name a place."""
_MOST_GENRES = 2

_DATED = re.compile(r"(\d{3}[\dX](?:-\d[\dX](?:-\d[\dX])?)?)\s+(?:-\s+)?(.+)", re.DOTALL)
_ARTISTS_END = re.compile(r"\s(?P<mark>[@-])\s")
_GROUP = re.compile(r"\s*\([^()]*\)")
_QUALIFIER = re.compile(r"\s+\([^()]*\)$")
_BETWEEN_DJS = re.compile(
    r"\s*(?:[,&+/]|(?<!\w)(?:aka|b2b|vs\.?|feat\.?|ft\.?|pres\.?|presents|with)(?!\w))\s*", re.IGNORECASE
)
_NO_DJ = re.compile(
    r"various(?: artists)?|unknown(?: artists?)?|all crews|(?:special )?guests?|friends|more|live(?: pa)?|dj(?: set)?"
    r"|mc|mr\.?|the|tba|\W+",
    re.IGNORECASE,
)
_NO_SHOW = re.compile(
    r"various|dj mix|promo ?mix(?:es)?|.*\bpromo\b.*|(?:unknown|unnamed)\b.*|\d{3}[\dx]|.*\b(?:19|20)\d\d\b.*",
    re.IGNORECASE,
)


class MixTitle(msgspec.Struct, frozen=True):
    """The parts of a title such as "2010-01-02 - DJ @ Club, Town (Show 12)"."""

    played_on: date | None
    """None where the date is not complete to the day."""
    artists: str
    rest: str
    """What follows the artists: a show or a place."""
    is_place: bool


def parse_mix_title(title: str) -> MixTitle:
    """Divide a title; one of another form is all `rest`."""
    dated = _DATED.fullmatch(title.strip())
    day, text = (texts.day(dated[1]), dated[2]) if dated else (None, title.strip())
    end = _ARTISTS_END.search(text)
    if end is None:
        return MixTitle(day, text if dated else "", "" if dated else text, is_place=False)
    return MixTitle(day, text[: end.start()].strip(), text[end.end() :].strip(), is_place=end["mark"] == "@")


def djs_of(title: MixTitle, tags: Sequence[str]) -> tuple[str, ...]:
    """Return the DJs in the title's order, in the spelling of their tags where they have one."""
    text = _GROUP.sub(" ", title.artists).strip() or title.artists.strip("()")
    names = {_bare(tag).lower(): _bare(tag) for tag in tags if tag not in GENRES and not _NO_DJ.fullmatch(tag)}
    found: list[tuple[int, str]] = []
    for folded in sorted(names, key=len, reverse=True):
        place = _place_of(folded, text)
        if place is not None:
            found.append((place, names[folded]))
            text = text[:place] + "," * len(folded) + text[place + len(folded) :]
    place = 0
    for part in _BETWEEN_DJS.split(text):
        place = text.find(part, place)
        if part.strip() and not _NO_DJ.fullmatch(part.strip()):
            near = get_close_matches(part.strip().lower(), names, n=1, cutoff=0.85)
            found.append((place, names[near[0]] if near else part.strip()))
    return tuple(dict.fromkeys(name for _, name in sorted(found)))


def _place_of(name: str, text: str) -> int | None:
    """Find a whole name in a text, both without regard to case."""
    text = text.lower()
    place = text.find(name)
    while place >= 0:
        end = place + len(name)
        if not (text[place - 1 : place].isalnum() or text[end : end + 1].isalnum()):
            return place
        place = text.find(name, end)
    return None


def playlist_name(title: MixTitle, tags: Sequence[str], djs: Sequence[str]) -> str:
    """Name a mix by its show and its genres, for example "Drumcode Radio Techno"; '' where the tags name neither."""
    folded_djs = {name.lower() for name in djs}
    folded_groups = " ".join(_GROUP.findall(title.rest)).lower()
    shows = []
    for tag in tags:
        show = _bare(tag)
        if tag in GENRES or show in GENRES or show.lower() in folded_djs or _NO_SHOW.fullmatch(show):
            continue
        if not title.is_place or show in _SERIES or show.lower() in folded_groups:
            shows.append(show)
    return " ".join([*shows[:1], *_leading_genres(tags)])


def _leading_genres(tags: Sequence[str]) -> list[str]:
    """Return the first genres, without those that another one makes precise, in an order of their own."""
    genres = [genre for genre in dict.fromkeys(map(_bare, tags)) if genre in GENRES]
    precise = [genre for genre in genres if not any(other.endswith(f" {genre}") for other in genres)]
    return sorted(precise[:_MOST_GENRES])


def _bare(tag: str) -> str:
    return _QUALIFIER.sub("", tag)
