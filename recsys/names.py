"""What a name says: the song, its version and its artists, and the keys that its spellings share."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Literal, NamedTuple

Role = Literal["main", "featured", "remixer"]

MAX_KEY_BYTES = 200
"""Longest `name_key` in UTF-8 bytes, so that a song's key, three of them, fits into a B-tree index."""

SEPARATOR = "\x1f"
"""Stands between the parts of a song's key; no part contains it."""

_WEIGHTS: dict[Role, float] = {"main": 1.0, "featured": 0.5, "remixer": 2.0}

_MPD_PUNCTUATION = re.compile(r"[.,/#!$%^*;:{}=_`~()@]")


def normal_title(name: str) -> str:
    """Normalise a playlist's title as the MPD's own scripts do; a title of punctuation alone keeps it."""
    lowered = name.lower()
    return " ".join(_MPD_PUNCTUATION.sub(" ", lowered).split()) or " ".join(lowered.split())


# Marks that distinguish letters in Indic and Thai scripts and in kana are kept, accents are not.
_NOT_IN_KEY = re.compile(r"[^\w\u0900-\u1aaf\u3099\u309a]+|_+")
_LETTERS = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ł": "l", "þ": "th", "ð": "d", "ı": "i", "ħ": "h", "’": "'"}
)
_DISCOGS_NUMBER = re.compile(r"(?<=\S)\s\(\d{1,3}\)$")
_LETTER = re.compile(r"[^\W\d_]")
_DOLLAR_AS_S = re.compile(r"(?<!\d)\$(?!\d)")
_BANG_AS_I = re.compile(r"(?<!\S)([^\s!]*[^\W\d_])!(?=[^\W\d_][^\s!]*(?!\S))")
_N_AS_AND = re.compile(r"(?<=\w\w)(?:[\s-]'?n'?(?=[\s-]\w\w)|'n'(?=\w\w))")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]")
_UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


# Most names are letters, digits and punctuation without a meaning: one translation makes their key.
_MEANINGLESS = bytes(code for code in range(128) if not chr(code).isalnum() and chr(code) not in "$!&+")


def _plain_key(name: str) -> str:
    """The key of a name to which no rule applies, else ''."""
    lower = name.lower()
    if (
        not lower.isascii()
        or lower.startswith("the ")
        or lower.endswith((")", ", the"))
        or ((" n" in lower or "-n" in lower or "'n" in lower) and _N_AS_AND.search(lower))
    ):
        return ""
    key = lower.encode().translate(None, _MEANINGLESS).decode()
    return key if key.isalnum() and len(key) <= MAX_KEY_BYTES else ""


def name_key(name: str) -> str:
    """What the spellings of a name share, at most `MAX_KEY_BYTES` bytes; '' only for a blank name."""
    if plain := _plain_key(name):
        return plain
    text = " ".join(name.split())
    if not text:
        return ""
    key = _folded(text)
    if not key:
        raw = text.casefold()
        key = _UNSTORABLE.sub("\ufffd", " ".join(_INVISIBLE.sub("", raw).split()) or raw)
    if len(key) * 4 > MAX_KEY_BYTES and len(encoded := key.encode()) > MAX_KEY_BYTES:
        digest = blake2b(encoded, digest_size=16).hexdigest()
        key = encoded[: MAX_KEY_BYTES - len(digest)].decode(errors="ignore") + digest
    return key


_artist_key = lru_cache(maxsize=1 << 16)(name_key)


def is_same_but_for_case(one: str, other: str) -> bool:
    """Whether two names differ at most in case, accents and whitespace; spellings that share a key may differ more."""
    return _plain_letters(" ".join(one.split())) == _plain_letters(" ".join(other.split()))


def _plain_letters(text: str) -> str:
    if text.isascii():
        return text.casefold()
    marked = unicodedata.normalize("NFKD", text)
    text = "".join([c for c in marked if not unicodedata.combining(c) or c in "\u3099\u309a"])
    return unicodedata.normalize("NFC", text.casefold()).translate(_LETTERS)


def _folded(text: str) -> str:
    text = _plain_letters(text)
    if text[-1:] == ")":
        text = _DISCOGS_NUMBER.sub("", text)
    if "$" in text and _LETTER.search(text):
        text = _DOLLAR_AS_S.sub("s", text)
    if "!" in text:
        text = _BANG_AS_I.sub(r"\1i", text)
    if "&" in text or "+" in text:
        text = text.replace("&", " and ").replace("+", " and ")
    if " n" in text or "n'" in text or "-n-" in text:
        text = _N_AS_AND.sub(" and ", text)
    key = text.replace(" ", "")
    if not key.isalnum():
        key = _NOT_IN_KEY.sub("", key)
    if text.startswith("the ") and key not in ("the", "thethe"):
        return key[3:]
    if text.endswith(", the") and key != "the":
        return key[:-3]
    return key


@dataclass(frozen=True, slots=True)
class Credit:
    """The artists that a credit names, in its order and spelling."""

    main: tuple[str, ...]
    featured: tuple[str, ...]


_UNDIVIDED = (
    "Above & Beyond|Aly & Fila|Amadou & Mariam|Angels & Airwaves|Angus & Julia Stone|Bad Cop, Bad Cop|"
    "Belle & Sebastian|Blank & Jones|Blood, Sweat & Tears|Brooks & Dunn|Camo & Krooked|Chase & Status|Chin Up, Kid|"
    "Chloe x Halle|Chunk! No, Captain Chunk|Crosby, Stills & Nash|Crosby, Stills, Nash & Young|Dan + Shay|"
    "Daryl Hall & John Oates|Dave Dee, Dozy, Beaky, Mick & Tich|Dimitri Vegas & Like Mike|"
    "Does It Offend You, Yeah|Drop Dead, Gorgeous|Earth, Wind & Fire|Emerson, Lake & Palmer|Eric B. & Rakim|"
    "Fujiya & Miyagi|Gabriel & Dresden|Good, the Bad & the Queen|Guns & Roses|Hall & Oates|"
    "Hamilton, Joe Frank & Reynolds|Hercules & Love Affair|Ike & Tina Turner|Iron & Wine|Jam & Spoon|"
    "Jesus & Mary Chain|Kraak & Smaak|Kruder & Dorfmeister|Kyau & Albert|Layo & Bushwacka|Love & Rockets|"
    "Matt & Kim|Medeski, Martin & Wood|Mumford & Sons|Now, Now|Of Mice & Men|Oh, Be Clever|Peter, Bjorn & John|"
    "Peter, Paul & Mary|Polo & Pan|Rae & Christian|Right Away, Great Captain|Sam & Dave|Sea & Cake|She & Him|"
    "Simon & Garfunkel|Slaughter Beach, Dog|Sly & Robbie|Smith & Mighty|Tegan & Sara|Tube & Berger|"
    "Tyler, The Creator|Us, From Outside|Wisin & Yandel|Woe, Is Me|Years & Years|You, Me, and Everyone We Know|"
    "Zion & Lennox"
)


def _spellings(name: str) -> str:
    return re.sub(r"[&+]", "(?:&|[+]|and)", name.replace(".", "[.]?").replace(",", " ?,?").replace(" &", " ?,? &"))


_UNDIVIDED_NAME = re.compile(
    rf"(?<!\S)(?:the )?(?:{'|'.join(map(_spellings, _UNDIVIDED.split('|')))})(?!\w| [&+] \w+$)", re.IGNORECASE
)
_BOUND_SPACE = "\ue000"
_FEATURING = r"(?:(?:feat|ft)\b[.:]?|featuring\b:?|[wf]/|(?-i:f\.(?=\s)))"
_NOT_BAND = r"(?!(?:the|his|her|friends)\b|[js]r\b)"
_BETWEEN_ARTISTS = re.compile(
    rf"\s?,\s(?:(?:&|and)\s)?{_NOT_BAND}|(?:^|\s)(?:[&+]\s)+{_NOT_BAND}|\s(?:vs\.?|versus|x|×|b2b|pres\.?|presents)\s"
    rf"|(?<!\blittle)\s{_FEATURING}\s*",
    re.IGNORECASE,
)
_FEATURED_GROUP = re.compile(rf"\s*[(\[{{]\s*{_FEATURING}\s*([^()\[\]{{}}]+)(?:[)\]}}]|$)", re.IGNORECASE)
_FEATURED_TAIL = re.compile(
    rf"(?:^|(?<!\d)(?<!\blittle)(?:\s[-–—])?\s){_FEATURING}\s*(?!of\s)([^()\[\]{{}}]+?)(?=\s-\s|\s*[()\[\]{{}}]|$)",
    re.IGNORECASE,
)
_WITH_GROUP = re.compile(r"\s*[(\[{]\s*with\s+([^()\[\]{}]+)(?:[)\]}]|$)", re.IGNORECASE)


def _may_feature(text: str) -> bool:
    lower = text.lower()
    return "ft" in lower or "feat" in lower or "with" in lower or "w/" in lower or "f/" in lower or "f. " in lower


def _bound(text: str) -> str:
    return _UNDIVIDED_NAME.sub(lambda name: name[0].replace(" ", _BOUND_SPACE), text)


def _divided(text: str) -> list[str]:
    if " " not in text or not _BETWEEN_ARTISTS.search(text):
        return [text]
    return [part.replace(_BOUND_SPACE, " ").strip(" ,") for part in _BETWEEN_ARTISTS.split(_bound(text))]


_BETWEEN_LISTED = re.compile(
    r"\s?,\s(?:(?:&|and)\s)?(?!(?:his|her|friends|[js]r|etc|inc|ltd|m\.?d|ph\.?d|the$)\b)",
    re.IGNORECASE,
)
_PERHAPS_ONE = re.compile(
    r"W\s?,\sW|(?:W\s?,\s)+W,?\s(?:&|\+|and)\sW|W\s?,\sthe\s.*".replace("W", rf"[^\s,{_BOUND_SPACE}]+"), re.IGNORECASE
)


def _listed(credit: str) -> list[str]:
    """Divide what several names were joined to: "Ann Lee, Bo", "Ann, Bo, Cy" and "Ann Lee, Bo & Cy".

    "Now, Now", "Costello, Elvis", "Phillips, Craig & Dean" and "Tyler, The Creator" are rather one name.
    """
    if "," not in credit:
        return [credit]
    bound = _bound(credit)
    if _PERHAPS_ONE.fullmatch(bound):
        return [credit]
    *parts, last = _BETWEEN_LISTED.split(bound)
    if parts and not any(" & " in part or " + " in part for part in parts):
        return [*(part.replace(_BOUND_SPACE, " ") for part in parts), *_divided(last.replace(_BOUND_SPACE, " "))]
    return [part.replace(_BOUND_SPACE, " ") for part in (*parts, last)]


def _peel(pattern: re.Pattern[str], text: str, featured: list[str]) -> str:
    while found := pattern.search(text):
        featured.append(found[1])
        text = text[: found.start()] + text[found.end() :]
    return text.strip()


def _distinct(names: list[str], seen: set[str]) -> tuple[str, ...]:
    new = []
    for name in names:
        if (key := _artist_key(name)) and key not in seen:
            seen.add(key)
            new.append(name)
    return tuple(new)


@lru_cache(maxsize=1 << 16)
def parse_credit(credit: str, *, free_text: bool) -> Credit:
    """Name the artists of a credit.

    A structured source names one artist, so that featured artists come off and only a clear list, "Ann Lee, Bo", is
    divided. Free text is also divided at every comma, "&", "vs" and their like, but not at "and" or "/".
    """
    text = " ".join(credit.split())
    featured: list[str] = []
    if _may_feature(text):
        for pattern in (_FEATURED_GROUP, _WITH_GROUP, _FEATURED_TAIL):
            text = _peel(pattern, text, featured)
    seen: set[str] = set()
    main = _distinct(_divided(text) if free_text else _listed(text), seen) or _distinct([text], seen)
    return Credit(main, _distinct([part for names in featured for part in _divided(names)], seen))


_SIGNS = frozenset(",&+/×([{")
_JOINTS = frozenset(["feat", "ft", "featuring", "f", "vs", "versus", "x", "b2b", "pres", "presents", "and", "with"])
_WORD = re.compile(r"\w+")


def _is_one_name(credit: str) -> bool:
    """Whether nothing in a credit could divide it."""
    return _SIGNS.isdisjoint(credit) and _JOINTS.isdisjoint(_WORD.findall(credit.lower()))


_BAND_AFTER_LEADER = re.compile(r"\s(?:&|\+|and|with)\s|\s/+\s", re.IGNORECASE)


@lru_cache(maxsize=1 << 16)
def _lead_key(credit: str) -> str:
    """Key of the artist whom every spelling of a credit begins with, "Bob Marley & The Wailers" or "Bob Marley"."""
    main = parse_credit(credit, free_text=True).main
    lead = main[0] if main else credit
    if " " in lead and (band := _BAND_AFTER_LEADER.search(lead)):
        name = _UNDIVIDED_NAME.match(lead)
        is_whole = name and lead[name.end() :].lstrip(" !?.")[:1] in ("", "(", "[")
        lead = name[0] if name and is_whole else lead[: band.start()]
    return _artist_key(lead)


class ArtistShare(NamedTuple):
    """An artist's part in a song; `weight` is above 0, and those of a song add up to 1."""

    name: str
    key: str
    role: Role
    weight: float


def share_weights(roles: Collection[Role]) -> list[float]:
    """The weights of a song's artists by their roles, in the order of these."""
    total = sum(_WEIGHTS[role] for role in roles)
    return [_WEIGHTS[role] / total for role in roles]


class SongName(NamedTuple):
    """A song as people name it: `key` is equal for two spellings of one song and differs between versions."""

    title: str
    version: str
    artists: tuple[ArtistShare, ...]
    key: str


def song_name(title: str, artist: str, artists: tuple[str, ...] = ()) -> SongName:
    """Read a song's title and its artist credit.

    `artist` is the credit of a structured source: one artist, perhaps with a "ft." part. Where `artists` names
    them one by one, `artist` is not read.
    """
    core, version, featured = _read_title(title)
    lead, shares = _shares(artists or (artist,), featured, _remixers(version) if version else ())
    key = f"{lead}{SEPARATOR}{name_key(core)}"
    if version:
        key = f"{key}{SEPARATOR}{_version_key(version)}"
    return SongName(core, version, shares, key)


@lru_cache(maxsize=1 << 16)
def _shares(
    named: tuple[str, ...], featured: tuple[str, ...], remixers: tuple[str, ...]
) -> tuple[str, tuple[ArtistShare, ...]]:
    """Weigh the artists of a song; with the part that the first main artist has in its key."""
    if len(named) == 1 and not featured and not remixers and _is_one_name(named[0]):
        name = " ".join(named[0].split())
        key = name_key(name)
        return key, (ArtistShare(name, key, "main", 1.0),) if key else ()
    lead = ""
    roles: dict[str, tuple[str, Role]] = {}
    parsed = [parse_credit(credit, free_text=False) for credit in named]
    for credit in parsed:
        for name in credit.main:
            lead = lead or _lead_key(name)
            roles.setdefault(_artist_key(name), (name, "main"))
    for names in (*[credit.featured for credit in parsed], featured):
        for name in names:
            roles.setdefault(_artist_key(name), (name, "featured"))
    for name in remixers:
        roles[_artist_key(name)] = (name, "remixer")
    weights = share_weights([role for _, role in roles.values()])
    return lead, tuple(
        ArtistShare(name, key, role, weight) for (key, (name, role)), weight in zip(roles.items(), weights, strict=True)
    )


_DASH = re.compile(r"\s[-–—]\s")


def split_artist_title(text: str) -> tuple[str, str] | None:
    """Divide "Artist - Title" at its first dash between spaces; None where either side is missing."""
    parts = _DASH.split(" ".join(text.split()), maxsplit=1)
    if len(parts) < 2 or not parts[0] or not parts[1]:
        return None
    return parts[0], parts[1]


_LAST_GROUP = re.compile(r"\s*[(\[{]([^()\[\]{}]*)[)\]}]?$")
_LAST_SUFFIX = re.compile(r".*(\s[-–—]\s)(.+)$")


def _read_title(title: str) -> tuple[str, str, tuple[str, ...]]:
    """Divide a title into itself, its version and those featured; what would leave no title is left in it."""
    whole = text = " ".join(title.split())
    featured: list[str] = []
    versions: list[str] = []
    if _may_feature(text):
        text = _peel(_FEATURED_GROUP, text, featured)
        text = _peel_with(text, featured)
        text = _peel(_FEATURED_TAIL, text, featured)
    if "(" in text or "[" in text or "{" in text or " - " in text or not text.isascii():
        text = _peel_versions(text, versions)
    if not text:
        return whole, "", ()
    names = _distinct([part for names in featured for part in _divided(names)], set()) if featured else ()
    return text, ", ".join(reversed(versions)), names


def _peel_with(text: str, featured: list[str]) -> str:
    found = _WITH_GROUP.search(text)
    if found and _names_artists(found[1], is_lower=found[0].lstrip(" ([{").startswith("w")):
        featured.append(found[1])
        text = (text[: found.start()] + text[found.end() :]).strip()
    return text


def _names_artists(text: str, *, is_lower: bool) -> bool:
    """Tell "with Rihanna" and "With Norah Jones" from "With You" and "With Flowers In My Hair"."""
    if is_lower:
        return not _NOT_ARTISTS.match(text)
    return " " in text and not _NOT_ARTISTS.search(text) and not re.search(r"\s[a-z]{3}", text)


_NOT_ARTISTS = re.compile(
    r"(?<!\w)(?:an?|everything|her|him|his|in?|it|love|lovin['g]|me|my|no|nobody|nowhere|on|or|out|repeat|"
    r"someone|that|them|this|to|us|you|your)(?!\w)",
    re.IGNORECASE,
)


def _peel_versions(text: str, versions: list[str]) -> str:
    """Take what names a version or a release off the end of a title, the last one first."""
    while True:
        last = _LAST_GROUP.search(text)
        found = last and (last.start(), last[1].strip())
        kind = _kind(found[1]) if found else "title"
        if kind == "title" and (suffix := _LAST_SUFFIX.match(text)):
            found = (suffix.start(1), suffix[2])
            kind = _kind(suffix[2])
        if not found or kind == "title":
            return text
        rest = text[: found[0]].rstrip(" -–—")
        if not rest:
            return text
        text = rest
        if kind == "version" and (version := _REMASTER.sub("", found[1]).strip(" /-;,")) not in versions:
            versions.append(version)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_RELEASE = _words(
    "album amended bed bonus clean deluxe dirty edit edited ep excerpt exclusive explicit fill listen lp main mixed"
    " mono original promo radio reissue single soundtrack stereo studio uncensored unreleased"
)
_RELEASE_FILLER = _words("advisory edition hidden mix motion music non parental picture the track ver version")
_REMASTER = re.compile(
    r"(?:\b(?:19|20)\d\d\b[\s-]*)?(?:\b(?:newly|digital|digitally|24[ -]bit)\s+)?"
    r"\b(?:re-?master(?:ed|izado|izada|ing)?|remasteris\w+)\b(?:\s+in\b)?(?:[\s-]*\b(?:19|20)\d\d\b)?",
    re.IGNORECASE,
)
_RELEASE_TEXT = re.compile(
    r"""(?:music |taken |song )?from (?:the )?(?:["']|.*\b(?:soundtrack|motion picture|film|movie|musical)\b)"""
    r"""|.*\bsoundtrack(?: version)?$|.*\bbonus track(?: version)?$|prod(?:uced)?\b|mixed by\b|today's top tune$"""
    r"""|(?!(?:take|under|for)\b).*\bcover$"""
)
_VERSION_TEXT = re.compile(
    r"\b(?:re-?mix(?:ed|es)?|rmi?x|re-?works?|reworked|bootleg|re-?fix|re[-:]?edit|mash-?up)\b"
    r"|\b(?:mixx?|mixes|edit|flip|re-?make|vip|dub|dubplate|version|versión|ver|instrumental|instr?|demo|acoustic"
    r"|unplugged|extended|a?\s?cc?app?ella|karaoke|sessions?|revision|re-?rub|re-?construction|reboot|reshape"
    r"|re-?touch|re-?interpretation|diskomiks|outtake|rehearsal|re-?record(?:ed|ing)|vocal|stripped|orchestral"
    r"|sped up|slowed)\b\.?(?:\s(?:#?\d+|[ivx]+|[ab]|pt\b.*|part\b.*))?$"
    r"|^(?:acoustic|alternate|alternative|demo|extended|instrumental|unplugged|ao vivo|en vivo|vivo|en directo)\b"
    r"|^live(?:$|\W+(?:at|in|from|on|version|sessions?|performance|recording|acoustic|edit|mix|album|medley|\d|\W))"
    r"|^live/|^recorded (?:at|for|live)\b"
    r"|\blive (?:at|from|recording|version|session)\b|\b(?:acoustic|recorded|solo) live$"
    r"""|^\d{1,2}(?:"|''| inch)|^take \d"""
)
_NAMED_VERSION = re.compile(r"\b(?:acoustic|demo|instrumental|live|mix|re-?mix|rmx)\b")
_QUOTES = str.maketrans("’‘“”", "''\"\"")


@lru_cache(maxsize=1 << 16)
def _kind(text: str) -> Literal["release", "version", "title"]:
    """Say whether the end of a title names a release of the same song, another version, or belongs to the title."""
    folded = text.casefold().translate(_QUOTES)
    unmastered = _REMASTER.sub(" ", folded)
    is_remaster = unmastered != folded
    bare = unmastered.strip(" /-;:,.()[]?")
    words = re.findall(r"[^\W_]+", bare)
    if not words:
        return "title" if bare else "release"
    if _RELEASE.issuperset(w for w in words if w not in _RELEASE_FILLER) and (
        is_remaster or not _RELEASE_FILLER.issuperset(words)
    ):
        return "release"
    if _RELEASE_TEXT.match(bare) and not _NAMED_VERSION.search(bare):
        return "release"
    return "version" if _VERSION_TEXT.search(bare) else "title"


_REMIXED_BY = re.compile(r"(?:re-?mix(?:ed)?|re-?edit(?:ed)?|edit(?:ed)?|re-?work(?:ed)?)\s+by\s+(.+)", re.IGNORECASE)
_POSSESSIVE = re.compile(
    r"(?!(?:it|let|that|what|here|there|who|he|she|today|\d+)['’])(.*?\D)(?:['’]s|(?<=s)['’])\s"
    r"(?:.*\b)?(?:re-?mix|mix|rmx|dub|edit|re-?edit|rework|bootleg|refix|flip|remake|vip)\b",
    re.IGNORECASE,
)
_REMIXER = re.compile(
    r"(.+?)\s+(?:re-?mix(?:ed|es)?|rmi?x|re-?work|bootleg|re-?fix|re[-:]?edit|edit|flip|re-?make|mash-?up|vip"
    r"|revision|re-?rub|re-?construction|re-?touch|reboot|reshape|diskomiks)\b",
    re.IGNORECASE,
)
_UNNAMED = _words(
    "acoustic album bonus club demo dub exclusive explicit extended full inch instrumental inst live long main new"
    " official original radio short single special unofficial unreleased video vocal"
)
_STYLES = _words(
    "a ambient and bass bootleg breaks chill dance deep dirty disco dnb drum dubstep edit electro funk garage hip"
    " hop house in jungle latin mix my n old piano progressive rap reggae remix rework rock soul street summer"
    " techno the trance trap tribal tropical uk underground us vip"
)
_HEADINGS = _words("exclusive official original unofficial unreleased")
_CLUBS = _words("adventure bicycle cinema country culture jazz social tom yacht")
_YEAR_OR_SIZE = re.compile(r"(?:19|20)\d\d|\d{1,2}(?:[\"”]|''|['’]s)")


def _is_unnamed(word: str) -> bool:
    return word in _UNNAMED or bool(_YEAR_OR_SIZE.fullmatch(word))


@lru_cache(maxsize=1 << 15)
def _remixers(version: str) -> tuple[str, ...]:
    """Name those who made a version; () where only its kind is told, as in "Club Mix" or "2011 Edit"."""
    found = _REMIXED_BY.match(version) or _POSSESSIVE.match(version) or _REMIXER.match(version)
    if not found:
        return ()
    words = found[1].split()
    while words and _is_unnamed(last := words[-1].casefold().strip("(),.")):
        if last == "club" and len(words) > 1 and words[-2].casefold() in _CLUBS:
            break
        words.pop()
    if words and (_YEAR_OR_SIZE.fullmatch(words[0]) or words[0].casefold() in _HEADINGS):
        words.pop(0)
    if all((folded := word.casefold().strip("(),.&-")) in _STYLES or _is_unnamed(folded) for word in words):
        return ()
    credit = parse_credit(" ".join(words), free_text=True)
    return credit.main + credit.featured


_REMIX = re.compile(r"\b(?:re[\s-]{0,2}mix(?:ed|es)?|rmi?x)\b", re.IGNORECASE)
_LAST_MIX = re.compile(r"\bmix(?=\W*$)", re.IGNORECASE)
_BY_WHOM = re.compile(r"(re-?mix|re-?edit|edit|re-?work)(?:ed)? by (.+)", re.IGNORECASE)
_LAST_S = re.compile(r"(?:\s?['’]s|\ss(?=\s)|(?<=\w\w)s['’]?)(?=\W)", re.IGNORECASE)


@lru_cache(maxsize=1 << 15)
def _version_key(version: str) -> str:
    """Key that "Bo Remix", "Bo's RMX", "Remixed by Bo" and "Bo Mix" share; "Club Mix" names nobody and is itself."""
    text = _REMIX.sub("remix", _BY_WHOM.sub(r"\2 \1", version))
    as_remix = _LAST_MIX.sub("remix", text)
    return name_key(_LAST_S.sub("", as_remix) if _remixers(as_remix) else text)


_NO_TITLE = re.compile(
    r"(?:(?:unreleased|unknown|untitled|new|track|forthcoming)\s)*(?:id|i\.d\.?)(?:\s?#?\d+)?\s?\?*"
    r"|(?:unknown|unidentified)(?:\s(?:tracks?|title|song|tune|name))*|(?:track|title|song)\sunknown|[?\s]+|-+|n/a"
)
_NO_ARTIST = re.compile(r"(?:id|\?+|-+|n/a|(?:unknown|unidentified)(?:\sartists?)?|)")


def is_unidentified(artist: str, title: str) -> bool:
    """Tell a gap of a tracklist, "ID - ID" or "Artist - ?", from a song; a missing artist alone is no gap."""
    folded = " ".join(title.casefold().split())
    if not folded or _NO_TITLE.fullmatch(folded.strip(" ()[]{}\"'.!")):
        return True
    if folded.startswith(("id ", "unknown ", "?")) and _NO_TITLE.fullmatch(_peel_versions(folded, [])):
        return True
    return folded == "untitled" and bool(_NO_ARTIST.fullmatch(artist.casefold().strip()))
