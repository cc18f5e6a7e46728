"""Rows in bulk: binary COPY, and ids made by us for keys that are not there yet.

numpy is imported by what packs arrays, not by every command that reads the database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"


def _copy_statement(table: str, columns: Sequence[str]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(sql.Identifier(table), names)


def copy_rows(
    connection: psycopg.Connection, table: str, columns: dict[str, str], rows: Iterable[Sequence[object]]
) -> None:
    """COPY rows of any types into a table; `columns` maps column names to Postgres type names."""
    with connection.cursor().copy(_copy_statement(table, list(columns))) as copy:
        copy.set_types(list(columns.values()))
        for row in rows:
            copy.write_row(row)


def copy_integers(connection: psycopg.Connection, table: str, columns: dict[str, npt.NDArray[np.int64]]) -> None:
    """COPY integer columns of one length, none null; an array's dtype must be that of its column (int32 or int64).

    The arrays are laid out as COPY's own tuples (a count of fields, then length and big-endian value of each), which
    takes numpy a tenth of the time of writing row by row.
    """
    import numpy as np

    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name, values in columns.items():
        fields += [(f"{name} length", ">i4"), (name, f">i{values.dtype.itemsize}")]
    first = next(iter(columns.values()))
    packed = np.empty(len(first), np.dtype(fields))
    packed["fields"] = len(columns)
    for name, values in columns.items():
        packed[f"{name} length"] = values.dtype.itemsize
        packed[name] = values
    _copy_packed(connection, table, list(columns), packed)


def read_integers(
    connection: psycopg.Connection, query: str, parameters: Mapping[str, object], columns: int
) -> list[npt.NDArray[np.int64]]:
    """The columns of a query's rows; all must be bigint and none null, so that COPY's tuples have one width."""
    import numpy as np

    fields = [field for column in range(columns) for field in ((f"length {column}", ">i4"), (str(column), ">i8"))]
    packed = _read_packed(connection, query, parameters, np.dtype([("fields", ">i2"), *fields]))
    return [packed[str(column)].astype(np.int64) for column in range(columns)]


def read_arrays(
    connection: psycopg.Connection, query: str, parameters: Mapping[str, object], types: Sequence[str]
) -> list[npt.NDArray[Any]]:
    """The columns of a query's one row, arrays of numpy's `types` (`i8`, `f4`, ..) without nulls; a null is empty.

    Few rows of which all is wanted at once come several times faster so than row by row.
    """
    import numpy as np

    with connection.cursor(binary=True) as cursor:
        result = cursor.execute(query.encode(), parameters).pgresult
        assert result is not None
        found = [result.get_value(0, column) for column in range(len(types))]
    arrays = []
    for type_, data in zip(types, found, strict=True):
        dimensions = int.from_bytes(data[:4], "big") if data else 0
        shape = np.frombuffer(data, ">i4", 2 * dimensions, 12)[::2].tolist() if data and dimensions else [0]
        element = np.dtype([("length", ">i4"), ("value", f">{type_}")])
        packed = np.frombuffer(data or b"", element, offset=12 + 8 * dimensions if dimensions else len(data or b""))
        arrays.append(packed["value"].astype(type_).reshape(shape))
    return arrays


def copy_vectors(
    connection: psycopg.Connection,
    table: str,
    columns: tuple[str, str, str],
    model_id: int,
    ids: npt.NDArray[np.int64],
    vectors: npt.NDArray[np.float32],
) -> None:
    """COPY vectors, shape (n, dimension), into a table of (model id, id, vector); `columns` names the three."""
    import numpy as np

    dimension = vectors.shape[1]
    fields = [("fields", ">i2"), ("model length", ">i4"), ("model", ">i8"), ("id length", ">i4"), ("id", ">i8")]
    header = [("vector length", ">i4"), ("dimension", ">i2"), ("unused", ">i2")]
    packed = np.zeros(len(ids), np.dtype([*fields, *header, ("vector", ">f4", (dimension,))]))
    packed["fields"] = 3
    packed["model length"] = packed["id length"] = 8
    packed["model"], packed["id"] = model_id, ids
    packed["vector length"], packed["dimension"] = 4 + 4 * dimension, dimension
    packed["vector"] = vectors
    _copy_packed(connection, table, columns, packed)


def read_vectors(
    connection: psycopg.Connection, query: str, parameters: Mapping[str, object], dimension: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The ids and the vectors (rows, dimension) of a query of (bigint, vector), none null, all of one dimension."""
    import numpy as np

    head = [("fields", ">i2"), ("id length", ">i4"), ("id", ">i8"), ("vector length", ">i4"), ("dimension", ">i4")]
    packed = _read_packed(connection, query, parameters, np.dtype([*head, ("vector", ">f4", (dimension,))]))
    return packed["id"].astype(np.int64), packed["vector"].astype(np.float32)


def _read_packed(
    connection: psycopg.Connection, query: str, parameters: Mapping[str, object], layout: np.dtype[np.void]
) -> npt.NDArray[np.void]:
    import numpy as np

    statement = f"COPY ({query}) TO STDOUT (FORMAT binary)"
    with connection.cursor().copy(statement.encode(), parameters) as copy:
        data = b"".join(bytes(block) for block in copy)
    return np.frombuffer(data[len(COPY_HEADER) : -len(COPY_TRAILER)], layout)


def _copy_packed(
    connection: psycopg.Connection, table: str, columns: Sequence[str], packed: npt.NDArray[np.void]
) -> None:
    with connection.cursor().copy(_copy_statement(table, columns)) as copy:
        copy.write(COPY_HEADER)
        copy.write(packed.tobytes())
        copy.write(COPY_TRAILER)


class Questions(Protocol):
    """Whom one asks: a connection, or one that is written behind."""

    def execute(self, query: Any, parameters: Any = None, /) -> psycopg.Cursor:
        """Run a statement."""


class IdRegister:
    """Ids of the rows of a table by their unique text key, and new ids for keys that have none.

    Only for the holder of the writer's lock: a new id is the highest one plus one, so the same records in the same
    order get the same ids, whether a load was interrupted or not. Keys that were met are remembered, the oldest are
    forgotten beyond `capacity`; while every row of the table is remembered, a miss needs no query.
    """

    def __init__(self, connection: Questions, table: str, column: str, capacity: int) -> None:
        self._connection = connection
        self._capacity = capacity
        self._known: dict[str, int] = {}
        names = {"table": sql.Identifier(table), "key": sql.Identifier(column)}
        self._lookup = sql.SQL(
            "SELECT t.{key}, t.id FROM unnest(%s::text[]) AS k (key) JOIN {table} AS t ON t.{key} = k.key"
        ).format(**names)
        row = connection.execute(
            sql.SQL("SELECT coalesce(max(id), 0) FROM {table}").format(table=names["table"])
        ).fetchone()
        self._last = int(row[0]) if row else 0
        self._knows_all = self._last == 0

    def get_all(self, keys: Collection[str]) -> npt.NDArray[np.int64]:
        """The ids of the keys that are remembered; -1 says nothing about the table."""
        import numpy as np

        return np.fromiter(map(self._known.get, keys, repeat(-1)), np.int64, len(keys))

    def known(self, key: str) -> int:
        """The id of a key that is remembered."""
        return self._known[key]

    def new_id(self) -> int:
        """The next id, for a row without a key."""
        self._last += 1
        return self._last

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Distinct keys without a row, in order of appearance; those that have one are remembered."""
        known = self._known
        unknown = list(dict.fromkeys([key for key in keys if key not in known]))
        if unknown and not self._knows_all:
            known.update(self._connection.execute(self._lookup, (unknown,)).fetchall())
            unknown = [key for key in unknown if key not in known]
        return unknown

    def add(self, key: str, new_id: int | None = None) -> int:
        """Remember a new row's key with its id, the next one if none is given."""
        self._known[key] = new_id = self.new_id() if new_id is None else new_id
        return new_id

    def trim(self) -> None:
        """Forget the older half if more than `capacity` keys are remembered; call between batches."""
        if len(self._known) > self._capacity:
            for key in list(islice(self._known, len(self._known) // 2)):
                del self._known[key]
            self._knows_all = False
