"""What a field may hold: texts that a database can store, whole numbers, days."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from recsys.sources.records import MAX_TEXT

LARGEST_NUMBER = 2**31 - 1
GAP_IN_URI = "track_uri holds a space or a control character"
_LATEST_SECOND = 253_402_300_799
_BROKEN = re.compile("[\x00\ud800-\udfff]")
_DAY = re.compile(r"\d{4}-\d\d-\d\d(?!\d)")
_GAP = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
_VISIBLE = bytes(range(0x21, 0x7F))
_DIGITS = re.compile(r"\d{1,18}", re.ASCII)


class UnusableError(ValueError):
    """A field that makes its record useless; the message names the field in plain words."""


def safe(text: str, limit: int = MAX_TEXT) -> str:
    """Return the first `limit` characters with NUL and lone surrogates replaced, so that they can be stored."""
    return _BROKEN.sub("\ufffd", text[:limit])


def is_safe(text: str) -> bool:
    """Say whether a text holds neither NUL nor lone surrogates."""
    return _BROKEN.search(text) is None


def excerpt(record: object) -> str:
    """Return the first 200 characters of a text, of bytes or of decoded JSON, safe to store and to show."""
    if isinstance(record, bytes):
        record = record[:1000].decode("utf-8", "replace")
    if not isinstance(record, str):
        try:
            record = json.dumps(record, ensure_ascii=False)
        except RecursionError:
            record = ""
    return safe(record, 200)


def checked(value: object, field: str) -> str:
    """Return a text that may be empty, as it is; raise UnusableError for anything else."""
    if value is None:
        raise UnusableError(f"{field} is missing")
    if not isinstance(value, str):
        raise UnusableError(f"{field} is not a text")
    if len(value) > MAX_TEXT:
        raise UnusableError(f"{field} is longer than {MAX_TEXT} characters")
    if "\x00" in value:
        raise UnusableError(f"{field} holds a NUL character")
    if not is_safe(value):
        raise UnusableError(f"{field} holds bytes that are not UTF-8, or half of a surrogate pair")
    return value


def filled(value: object, field: str) -> str:
    """Return a text that says something, as it is; raise UnusableError for anything else."""
    text = checked(value, field)
    if not text or text.isspace():
        raise UnusableError(f"{field} is empty")
    return text


def is_uri(text: str) -> bool:
    """Say whether a text holds neither whitespace nor control characters."""
    return is_plain(text) or _GAP.search(text) is None


def is_plain(text: str) -> bool:
    """Say whether a text holds only the visible characters of ASCII; three times as quick as `is_uri`."""
    return not text.encode("utf-8", "surrogatepass").translate(None, _VISIBLE)


def track_uri(value: object) -> str:
    """Return a URI without the whitespace around it; raise UnusableError for anything else."""
    text = filled(value, "track_uri").strip()
    if not is_uri(text):
        raise UnusableError(GAP_IN_URI)
    return text


def optional(value: object) -> str | None:
    """Return a usable text, or None: a field that nobody needs does not cost the record."""
    return value if isinstance(value, str) and len(value) <= MAX_TEXT and is_safe(value) else None


def identifier(value: object, field: str) -> str:
    """Return an id that is a whole number or a text; raise UnusableError for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, (float, bool)):
        raise UnusableError(f"{field} is neither a whole number nor a text")
    return filled(value, field).strip()


def description(value: object) -> str | None:
    """Return a description with its HTML entities resolved, cut to MAX_TEXT characters."""
    if not isinstance(value, str):
        return None
    return safe(html.unescape(value).strip()) or None


def whole_number(value: object, largest: int = LARGEST_NUMBER) -> int | None:
    """Return a number from 0 to `largest`, also when it is written as a text or as 12.0; else None."""
    if isinstance(value, str):
        value = int(value) if _DIGITS.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= largest:
        return None
    return int(value) if value == int(value) else None


def day(value: object) -> date | None:
    """Return the day of an ISO date (what follows the day is ignored) or of unix seconds (UTC); else None."""
    if isinstance(value, str) and _DAY.match(value.strip()):
        try:
            return date.fromisoformat(value.strip()[:10])
        except ValueError:
            return None
    seconds = whole_number(value, _LATEST_SECOND)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).date()


def cue(value: object, lone_number: int = 1) -> int | None:
    """Return the seconds of `mm:ss`, `h:mm:ss` or a number, which counts `lone_number` seconds each; else None."""
    if isinstance(value, str) and ":" in value:
        parts = [whole_number(part) for part in value.split(":")]
        if len(parts) > 3:
            return None
        seconds = 0
        for part in parts:
            if part is None:
                return None
            seconds = seconds * 60 + part
        return seconds if seconds <= LARGEST_NUMBER else None
    if isinstance(value, float) and 0 <= value <= LARGEST_NUMBER:
        value = int(value)
    number = whole_number(value, LARGEST_NUMBER // 60)
    return None if number is None else number * lone_number


def first_of(record: Mapping[str, object], names: Sequence[str]) -> tuple[str, object]:
    """Return the first of several names under which a record holds something, and what it holds."""
    for name in names:
        if record.get(name) is not None:
            return name, record[name]
    return names[0], None
