"""Rows of a CSV table whose columns are known by their header, or by their order where there is none."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from recsys.errors import SourceError
from recsys.sources.inputs import UTF_16, is_utf16, unreadable
from recsys.sources.texts import UnusableError, safe

OPEN_QUOTE = "a quote is not closed"


class Table:
    """A CSV table, open for one pass over its rows."""

    def __init__(
        self,
        path: Path,
        names: Mapping[str, Sequence[str]],
        needed: Sequence[str],
        orders: Mapping[int, Sequence[str]],
    ) -> None:
        """Take the names under which a header may have each column, and the order of columns without a header.

        `orders` gives that order by the number of columns, under 0 for any other number.
        """
        self.path = path
        self.columns: dict[str, int] = {}
        self._names = names
        self._needed = needed
        self._orders = orders
        self._opened: IO[bytes] | None = None
        self._read = 0

    @property
    def consumed(self) -> int:
        """Bytes read so far."""
        return self._read if self._opened is None else self._opened.tell()

    @property
    def is_empty(self) -> bool:
        """Whether the table had no row at all, not even a header; to be asked after `rows`."""
        return not self.columns

    def rows(self) -> Iterator[tuple[int, list[str], str | None]]:
        """Yield each row's line and its cells (none is missing), or the line as it is and what is wrong with it as CSV.

        A row is one line: a quote that is not closed on its line costs that line alone. `columns` says where each
        column stands, once the first row is there. Raises SourceError for a table that cannot be read, that is
        UTF-16, or that lacks a needed column.
        """
        try:
            with self.path.open("rb") as self._opened:
                yield from self._rows(_decoded(self._opened, self.path))
                self._read = self._opened.tell()
        except OSError as error:
            raise unreadable(self.path, error) from None
        self._opened = None

    def _rows(self, lines: Iterator[str]) -> Iterator[tuple[int, list[str], str | None]]:
        width = 0
        before: str | None = None
        for number, line in enumerate(lines, start=1):
            row, fault = _cells(line, is_after_open=before == OPEN_QUOTE)
            before = fault
            if fault is not None:
                yield number, row, fault
                continue
            if row and not self.columns:
                is_header = self._find_columns(row)
                width = max(self.columns.values()) + 1
                row = [] if is_header else row
            if row:
                yield number, row + [""] * (width - len(row)), None

    def named(self, row: Sequence[str], fault: str | None) -> dict[str, str]:
        """Return a row's cells by their columns; raise UnusableError for one with a fault."""
        if fault is not None:
            raise UnusableError(fault)
        return {column: row[place] for column, place in self.columns.items()}

    def _find_columns(self, first: list[str]) -> bool:
        titles = [cell.strip().lower() for cell in first]
        for column, names in self._names.items():
            known = [name for name in names if name in titles]
            if known:
                self.columns[column] = titles.index(known[0])
        if all(column in self.columns for column in self._needed):
            return True
        missing = [column for column in self._needed if column not in self.columns]
        order = self._orders.get(len(first), self._orders[0])
        if self.columns or not _is_data(first) or len(first) < len(self._needed):
            names = " and ".join(f"{column} (one of {', '.join(self._names[column])})" for column in missing)
            raise SourceError(f"{safe(str(self.path), 4096)} has no column for {names}")
        self.columns = {column: place for place, column in enumerate(order) if column and place < len(first)}
        return False


def _decoded(file: IO[bytes], path: Path) -> Iterator[str]:
    for number, line in enumerate(file):
        if number == 0 and is_utf16(line):
            raise SourceError(f"{safe(str(path), 4096)}: {UTF_16}")
        text = line.decode("utf-8", "surrogateescape")
        yield text.removeprefix("\ufeff") if number == 0 else text


def _cells(line: str, *, is_after_open: bool) -> tuple[list[str], str | None]:
    """Return the cells of a line (none of a blank one), or the line as one cell and what is wrong with it."""
    text = line.rstrip("\r\n")
    if '"' not in text and "\r" not in text:
        return text.split(",") if text else [], None
    reader = csv.reader((text, ""))
    try:
        row = next(reader)
    except csv.Error as error:
        return [text], f"not valid CSV: {error}"
    if reader.line_num > 1:
        return [text], OPEN_QUOTE
    if is_after_open and text.count('"') % 2:
        return [text], "it ends a text that the line before begins"
    return row, None


def _is_data(row: list[str]) -> bool:
    return row[0].strip().isdecimal() or row[0].count(":") > 1
