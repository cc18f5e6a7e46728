"""Measurements as tables of text."""

from collections.abc import Iterator
from typing import NamedTuple


class TextTable(NamedTuple):
    """What was measured of some methods; the first column is their names, the others are numbers."""

    title: str
    head: list[str]
    rows: list[list[str]]

    def lines(self) -> Iterator[str]:
        """The table as lines of text, columns aligned."""
        yield self.title
        lines = [self.head, *self.rows]
        widths = [max(len(line[place]) for line in lines) for place in range(len(self.head))]
        for line in lines:
            numbers = "".join(f"  {cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True))
            yield f"{line[0]:{widths[0]}}{numbers}"


def number(value: float, digits: int = 4) -> str:
    """So many digits, without a zero before the point."""
    return f"{value:.{digits}f}".removeprefix("0")[: 1 + digits]
