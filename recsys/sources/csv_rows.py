"""Rows of a CSV table whose columns are known by their header, or by their order where there is none."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from recsys.errors import SourceError
from recsys.sources.texts import safe


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
        self.file = safe(str(path), 4096)
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

    def rows(self) -> Iterator[tuple[int, list[str], str | None]]:
        """Yield each row's line, its cells (none is missing) and what is wrong with it as CSV.

        `columns` says where each column stands, once the first row is there. Raises SourceError for a table without
        the needed columns.
        """
        with self.path.open("rb") as self._opened:
            lines = _decoded(self._opened)
            reader = csv.reader(lines)
            line = 1
            width = 0
            while True:
                try:
                    row = next(reader)
                except StopIteration:
                    break
                except csv.Error as error:
                    yield line, [""] * width, f"not valid CSV: {error}"
                    line = reader.line_num + 1
                    continue
                if row and not self.columns:
                    is_header = self._find_columns(row)
                    width = max(self.columns.values()) + 1
                    row = [] if is_header else row
                if row:
                    yield line, row + [""] * (width - len(row)), None
                line = reader.line_num + 1
            self._read = self._opened.tell()
        self._opened = None

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
            raise SourceError(f"{self.file} has no column for {names}")
        self.columns = {column: place for place, column in enumerate(order) if column and place < len(first)}
        return False


def _decoded(file: IO[bytes]) -> Iterator[str]:
    for number, line in enumerate(file):
        text = line.decode("utf-8", "surrogateescape")
        yield text.removeprefix("\ufeff") if number == 0 else text


def _is_data(row: list[str]) -> bool:
    return row[0].strip().isdecimal() or row[0].count(":") > 1
