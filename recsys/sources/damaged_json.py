"""Walks JSON that a strict parser refuses, and gives every part that is complete."""

import json
import re
from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")
_CUT_OFF = re.compile(r"t(?:ru?)?|f(?:a(?:ls?)?)?|nu?l?|-|\\?(?:u[0-9a-fA-F]{0,3})?")
"""What is left of a word or of an escape where the text ends inside it."""


class BrokenError(ValueError):
    """The text stops being JSON at `position`; `at_end` says that it rather stops too early."""

    def __init__(self, position: int, reason: str, at_end: bool = False) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason
        self.at_end = at_end


class NoSuchListError(ValueError):
    """The text is JSON, but no object with the wanted list."""


def decode(text: str) -> object:
    """Return what a JSON text says; lone surrogates and control characters are let through.

    Raises BrokenError.
    """
    value, end = _value(text, _skip_space(text, 0))
    if _skip_space(text, end) != len(text):
        raise BrokenError(end, "something follows its end")
    return value


def list_elements(text: str, key: str) -> Iterator[str]:
    """Yield the text of each complete element of the list named `key` in the object that `text` holds.

    Raises NoSuchListError if there is no such list, BrokenError where the text breaks, after every element
    that is complete before.
    """
    position = _skip_space(text, _list_start(text, key) + 1)
    while text[position : position + 1] != "]":
        _, end = _value(text, position)
        yield text[position:end]
        position = _skip_space(text, end)
        if text[position : position + 1] == ",":
            position = _skip_space(text, position + 1)
        elif text[position : position + 1] != "]":
            raise BrokenError(position, "a comma or the list's end is missing", at_end=position >= len(text))
    _require_end(text, position + 1)


def _list_start(text: str, key: str) -> int:
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


def _require_end(text: str, position: int) -> None:
    position = _next_member(text, position)
    while text[position : position + 1] != "}":
        _, position = _member_name(text, position)
        _, position = _value(text, position)
        position = _next_member(text, position)
    if _skip_space(text, position + 1) != len(text):
        raise BrokenError(position + 1, "something follows its end")


def _member_name(text: str, position: int) -> tuple[object, int]:
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
