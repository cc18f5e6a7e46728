"""Reads a damaged file's list of records one by one, and tells where and how the file is damaged."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from recsys.sources.batches import Parsed
from recsys.sources.damaged_json import BrokenError, EndMissingError, NoSuchListError, list_elements
from recsys.sources.records import Rejected
from recsys.sources.texts import excerpt


@dataclass(frozen=True, slots=True)
class ListForm:
    """What a file's list of records looks like, and how it is spoken of."""

    element: str
    """What one element is, for example `playlist`."""
    plural: str
    key: str | None
    """The list's name in the file's object; None where the list is the whole file."""
    no_such_list: str
    """Why JSON of another shape is rejected."""
    beginning: re.Pattern[str] | None = None
    """How an element begins, and nothing inside one."""

    def place(self, number: int) -> str:
        """Return the place of an element by its number from 0."""
        return f"{self.plural}[{number}]"


def salvaged(
    data: bytes, file: str, damage: str | None, form: ListForm, parse: Callable[[str, str], Parsed]
) -> Iterator[Parsed]:
    """Yield what the complete elements give, each broken one as rejected, and where the file ends too early.

    `damage` says why its bytes may end too early or may be wrong: then nothing is read behind the first broken
    element. `parse` gets an element's text and its place.
    """
    text = data.decode("utf-8", "surrogateescape")
    byte_of = _BytePositions(text)
    number = 0
    try:
        for number, element in enumerate(list_elements(text, form.key, form.beginning), start=1):
            if not isinstance(element, BrokenError):
                yield parse(element, form.place(number - 1))
            elif damage is None:
                place = f"byte {byte_of(element.position)}"
                yield [], [Rejected(file, place, _why(element, form), _around(text, element))]
            else:
                raise element
    except NoSuchListError:
        yield [], [Rejected(file, "byte 0", form.no_such_list, excerpt(data))]
    except BrokenError as broken:
        in_element = broken.at_end and not isinstance(broken, EndMissingError)
        place = form.place(number) if in_element else f"byte {byte_of(broken.position)}"
        reason = _why(broken, form)
        yield [], [Rejected(file, place, f"{reason} ({damage})" if damage else reason, _around(text, broken))]
    else:
        if damage is not None:
            yield [], [Rejected(file, f"byte {len(data)}", damage)]


def _why(broken: BrokenError, form: ListForm) -> str:
    if isinstance(broken, EndMissingError):
        return f"the file's end is missing, behind its last whole {form.element}"
    if broken.at_end:
        return f"the file ends in the middle of a {form.element}"
    return f"not valid JSON: {broken.reason}"


def _around(text: str, broken: BrokenError) -> str:
    return excerpt(text[max(0, broken.position - 100) :][:200])


class _BytePositions:
    """Translates positions in a text to bytes of UTF-8, quickly if they rise."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._byte = 0

    def __call__(self, position: int) -> int:
        """Return the byte at which a character stands."""
        low, high = sorted((self._position, position))
        length = len(self._text[low:high].encode("utf-8", "surrogateescape"))
        self._byte += length if position >= self._position else -length
        self._position = position
        return self._byte
