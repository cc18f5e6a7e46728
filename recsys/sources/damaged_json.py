"""Walks JSON that a strict parser refuses, and gives every part that is complete."""

import json
import re
from collections.abc import Iterator

MOST_BREAKS = 1_000
"""As many elements as a slice has."""
_SPACE = re.compile(r"[ \t\r\n]*")
_CUT_OFF = re.compile(r"t(?:ru?)?|f(?:a(?:ls?)?)?|nu?l?|-|\\?(?:u[0-9a-fA-F]{0,3})?")
"""What is left of a word or of an escape where the text ends inside it."""

_STRING_OR_MARK = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"(?!\w)|["{}]', re.DOTALL)
"""A string, a brace, or a quote that cannot begin a string: what seems a string ends where a word begins."""


class BrokenError(ValueError):
    """The text stops being JSON at `position`; `at_end` says that it rather stops too early."""

    def __init__(self, position: int, reason: str, at_end: bool = False) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason
        self.at_end = at_end


class EndMissingError(BrokenError):
    """The text ends too early, but not inside an element of its list."""

    def __init__(self, position: int) -> None:
        super().__init__(position, "its end is missing", at_end=True)


class NoSuchListError(ValueError):
    """The text is JSON, but does not hold the wanted list."""


def decode(text: str) -> object:
    """Return what a JSON text says; lone surrogates and control characters are let through.

    Raises BrokenError.
    """
    value, end = _value(text, _skip_space(text, 0))
    if _skip_space(text, end) != len(text):
        raise BrokenError(end, "something follows its end")
    return value


def list_elements(text: str, key: str | None, beginning: re.Pattern[str] | None = None) -> Iterator[str | BrokenError]:
    """Yield the text of each complete element of a list, and a BrokenError in the place of each broken one.

    The list is the one named `key` in the object that `text` holds, or with None the whole text. Behind a broken
    element the walk goes on after the brace that closes it or, where its braces do not match, at the next match of
    `beginning`. A comma that is missing is no loss and not told. Takes time in proportion to the text.

    Raises NoSuchListError if there is no such list, EndMissingError or BrokenError where the walk cannot go on.
    """
    resumption = _Resumption(text, beginning)
    position = _skip_space(text, _list_start(text, key) + 1)
    while True:
        try:
            if text.startswith("]", position):
                _require_end(text, position + 1, is_whole=key is None)
                return
            end = _element_end(text, position)
        except BrokenError as broken:
            resumed = None if broken.at_end else resumption.behind(position, broken)
            if resumed is None:
                raise
            yield broken
            end = resumed
        else:
            yield text[position:end]
        position = _skip_space(text, end)
        if text.startswith(",", position):
            position = _skip_space(text, position + 1)


def _element_end(text: str, position: int) -> int:
    if position >= len(text):
        raise EndMissingError(position)
    return _value(text, position)[1]


class _Resumption:
    """Finds where a walk goes on behind a break; all breaks together take time in proportion to the text."""

    def __init__(self, text: str, beginning: re.Pattern[str] | None) -> None:
        self._text = text
        self._beginning = beginning
        self._braces_match = True
        """Braces are not counted again once that failed: it may take reading the text to its end."""
        self._breaks = 0

    def behind(self, start: int, broken: BrokenError) -> int | None:
        """Return where the list goes on behind the element that starts at `start`, None if nowhere.

        Raises BrokenError at the break after MOST_BREAKS: the decoder counts the lines before each one.
        """
        self._breaks += 1
        if self._breaks > MOST_BREAKS:
            raise BrokenError(broken.position, f"it breaks at more than {MOST_BREAKS} places")
        end = None
        if self._braces_match and self._text.startswith("{", start):
            end = self._closing_brace(start)
            self._braces_match = end is not None
        return self._next_beginning(start, broken) if end is None else end

    def _closing_brace(self, start: int) -> int | None:
        """Return the end of the object that opens at `start`, if a list goes on behind it."""
        depth = 0
        for token in _STRING_OR_MARK.finditer(self._text, start):
            if token[0] == '"':
                return None
            depth += {"{": 1, "}": -1}.get(token[0], 0)
            if depth == 0:
                goes_on = self._text.startswith((",", "]"), _skip_space(self._text, token.end()))
                return token.end() if goes_on else None
        return None

    def _next_beginning(self, start: int, broken: BrokenError) -> int | None:
        """Return the next beginning, from the last brace before the break on: a string may have run over that."""
        if self._beginning is None:
            return None
        brace = self._text.rfind("{", start + 1, broken.position)
        found = self._beginning.search(self._text, brace if brace >= 0 else max(broken.position, start + 1))
        return found.start() if found else None


def _list_start(text: str, key: str | None) -> int:
    if key is None:
        start = _skip_space(text, 0)
        if not text.startswith("[", start):
            decode(text)
            raise NoSuchListError
        return start
    try:
        return _walk_to_list(text, key)
    except BrokenError as broken:
        found = re.compile(rf'"{re.escape(key)}"\s*:\s*\[').search(text)
        if found is None:
            raise broken from None
        return found.end() - 1


def _walk_to_list(text: str, key: str) -> int:
    position = _skip_space(text, 0)
    if text[position : position + 1] != "{":
        decode(text)
        raise NoSuchListError
    position = _skip_space(text, position + 1)
    while text[position : position + 1] != "}":
        name, position = _member_name(text, position)
        if name == key:
            if text[position : position + 1] != "[":
                raise NoSuchListError
            return position
        _, position = _value(text, position)
        position = _next_member(text, position)
    raise NoSuchListError


def _require_end(text: str, position: int, *, is_whole: bool) -> None:
    try:
        position = position if is_whole else _object_end(text, _next_member(text, position))
    except BrokenError as broken:
        raise EndMissingError(broken.position) if broken.at_end else broken from None
    if _skip_space(text, position) != len(text):
        raise BrokenError(position, "something follows its end")


def _object_end(text: str, position: int) -> int:
    while text[position : position + 1] != "}":
        _, position = _member_name(text, position)
        _, position = _value(text, position)
        position = _next_member(text, position)
    return position + 1


def _member_name(text: str, position: int) -> tuple[object, int]:
    if not text.startswith('"', position):
        raise BrokenError(position, "a name in quotes is missing", at_end=position >= len(text))
    name, position = _value(text, position)
    position = _skip_space(text, position)
    if text[position : position + 1] != ":":
        raise BrokenError(position, "a colon is missing", at_end=position >= len(text))
    return name, _skip_space(text, position + 1)


def _next_member(text: str, position: int) -> int:
    position = _skip_space(text, position)
    if text[position : position + 1] == ",":
        return _skip_space(text, position + 1)
    if text[position : position + 1] != "}":
        raise BrokenError(position, "a comma or a closing brace is missing", at_end=position >= len(text))
    return position


def _skip_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= 20 else float(digits)


_DECODER = json.JSONDecoder(strict=False, parse_int=_integer)


def _value(text: str, position: int) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, position)
    except json.JSONDecodeError as error:
        at_end = error.msg.startswith("Unterminated") or _CUT_OFF.fullmatch(text, error.pos) is not None
        raise BrokenError(error.pos, error.msg, at_end) from None
    except RecursionError:
        raise BrokenError(position, "it is nested too deeply") from None
