"""Writing behind: one transaction is written in a thread of its own while the next one is prepared."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import psycopg

Write = Callable[[psycopg.Connection], object]
"""Something that writes on a connection."""


class WriteBehind:
    """One connection for questions and for writing; a question waits until everything before it is written.

    Everything happens in the order in which it was asked for, only that `write` returns at once. An error of a write
    is raised by the next call.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recsys-writer")
        self._writing: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Also after an interruption: a connection may not be closed under the thread that writes on it.
        self._thread.shutdown()
        if error is None:
            self.wait()

    def execute(self, query: Any, parameters: Any = None, /) -> psycopg.Cursor:
        """Run a statement after everything that was to be written."""
        self.wait()
        return self._connection.execute(query, parameters)

    def write(self, writes: Sequence[Write]) -> None:
        """Run these on the connection, one after the other, once what came before is written."""
        self.wait()
        self._writing = self._thread.submit(self._run, writes)

    def wait(self) -> None:
        """Return when everything is written."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def _run(self, writes: Sequence[Write]) -> None:
        for write in writes:
            write(self._connection)
