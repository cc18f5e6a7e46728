"""Running an analysis: in a transaction that only reads, and not longer than it is allowed to take."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors as pg

from recsys.analyses.analysis import Analysis, Value
from recsys.config import Settings
from recsys.database import connect, translated_errors
from recsys.errors import RecsysError

NUMBERS = (20, 21, 23, 700, 701, 1700)
"""Types of Postgres by their oids: integers, floats, numeric."""

FETCHED_AT_ONCE = 2000


@dataclass(frozen=True)
class Result:
    """What an analysis tells; its rows are read from the server as they are asked for."""

    columns: tuple[str, ...]
    is_number: tuple[bool, ...]
    """Of each column."""
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def run_analysis(
    settings: Settings, analysis: Analysis, values: Mapping[str, Value], *, timeout: float | None = None
) -> Iterator[Result]:
    """What an analysis tells, for as long as the block lasts; `timeout` in seconds, None for as long as it takes.

    Raises:
        RecsysError: the server refuses the statement, or it takes too long; also while rows are read.
    """
    with _refused(analysis, timeout), connect(settings) as connection:
        connection.read_only = True
        limit = str(round(1000 * timeout)) if timeout else "0"
        # All rows are read, so that a plan for the first of them would be the wrong one.
        connection.execute(
            "SELECT set_config('statement_timeout', %s, true), set_config('cursor_tuple_fraction', '1', true)", (limit,)
        )
        with connection.cursor(name="analysis") as cursor:
            cursor.itersize = FETCHED_AT_ONCE
            cursor.execute(analysis.statement.encode(), values)
            columns = cursor.description or []
            yield Result(
                tuple(column.name for column in columns),
                tuple(column.type_code in NUMBERS for column in columns),
                iter(cursor),
            )


def filled_in(settings: Settings, analysis: Analysis, values: Mapping[str, Value]) -> str:
    """The statement with its values written into it, for psql or a notebook."""
    with _refused(analysis, None), connect(settings) as connection:
        return psycopg.ClientCursor(connection).mogrify(analysis.statement.encode(), values)


@contextmanager
def _refused(analysis: Analysis, timeout: float | None) -> Iterator[None]:
    with translated_errors():
        try:
            yield
        except pg.QueryCanceled as error:
            if timeout is None:
                raise _as_said(analysis, error) from None
            raise RecsysError(
                f"{analysis.name} took longer than {timeout:g} seconds: give it more with --timeout"
            ) from None
        except psycopg.OperationalError:
            raise
        except (pg.UndefinedTable, pg.UndefinedFunction, pg.UndefinedColumn, pg.InsufficientPrivilege) as error:
            if analysis.file is None:
                raise
            raise _as_said(analysis, error) from None
        except psycopg.Error as error:
            raise _as_said(analysis, error) from None


def _as_said(analysis: Analysis, error: psycopg.Error) -> RecsysError:
    said = error.diag.message_primary or str(error).strip().splitlines()[0]
    return RecsysError(f"{analysis.file or analysis.name}: {said}")
