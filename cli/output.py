"""What the command shows: tables for people, JSON lines for programs, progress on stderr."""

import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table
    from rich.text import Text
    from rich.tree import Tree

Justify = Literal["left", "right"]

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")
"""What a file's text could steer a terminal with."""

PIPED_WIDTH = 200
"""Columns of a table where stdout is not a terminal."""

JSON = typer.Option(False, "--json", help="JSON lines instead of a table.")


def json_line(item: Any) -> str:
    """An object as one line of JSON."""
    if is_dataclass(item) and not isinstance(item, type):
        item = asdict(item)
    return json.dumps(item, ensure_ascii=False, default=str)


def print_json(items: Iterable[Any]) -> None:
    """Print objects as JSON lines."""
    for item in items:
        typer.echo(json_line(item))


def note(message: str) -> None:
    """Say something beside the result, on stderr."""
    typer.echo(_printable(message), err=True)


def note_reading(asked: str, found: str) -> None:
    """Say which name was found where it is not the one that was asked for."""
    from recsys.names import is_same_but_for_case

    if not is_same_but_for_case(asked, found):
        note(f'"{asked}" read as {found}')


def complain(message: str) -> None:
    """Say on stderr why a command could not do what it should."""
    typer.secho(f"recsys: {_printable(message)}", fg=typer.colors.RED, err=True)


def _printable(text: str) -> str:
    return _CONTROL.sub("\ufffd", text)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print a name and a value a line, whole, so that a terminal's own wrapping leaves values that can be copied."""
    shown = [(name, number(value) if isinstance(value, int) else str(value)) for name, value in facts]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        typer.echo(f"{name:{width}}  {_printable(value)}")


def table(*columns: tuple[str, Justify], title: str | None = None) -> "Table":
    """An empty table with named columns."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for name, justify in columns:
        made.add_column(name, justify=justify, overflow="fold", no_wrap=justify == "right")
    return made


def print_table(made: "Table", rows: Iterable[Sequence[object]]) -> None:
    """Print rows in a table: to the terminal's width, or in full where stdout is not a terminal."""
    from rich.text import Text

    for row in rows:
        made.add_row(*(Text("" if cell is None else _printable(str(cell))) for cell in row))
    print_whole(made)


def one_line(text: str) -> "Text":
    """Text for a tree, that is cut off where the terminal ends."""
    from rich.text import Text

    return Text(_printable(text), no_wrap=True, overflow="ellipsis")


def print_whole(made: "Table | Tree") -> None:
    """Print a table or a tree: to the terminal's width, or in full where stdout is not a terminal."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console().print(made)
        return
    console = Console(width=PIPED_WIDTH, file=io.StringIO())
    with console.capture() as captured:
        console.print(made)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def number(value: int) -> str:
    """A count with thousands apart."""
    return f"{value:,}"


@contextmanager
def progress(*, of_bytes: bool = False) -> "Iterator[Progress]":
    """A progress bar on stderr, silent where stderr is not a terminal."""
    from rich import progress as rich_progress
    from rich.console import Console

    how_much = rich_progress.DownloadColumn() if of_bytes else rich_progress.MofNCompleteColumn()
    with rich_progress.Progress(
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        how_much,
        rich_progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    ) as bar:
        yield bar


@contextmanager
def steps(name: str) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for long work that tells its steps, or a line now and then where stderr is not a terminal.

    Yields what the work calls.
    """
    if not sys.stderr.isatty():
        from recsys.progress import by_time

        yield by_time(lambda line: note(line.rstrip()))
        return
    with progress() as bar:
        task = bar.add_task(name, total=None)
        last = name

        def show(step: str, done: int, of: int) -> None:
            nonlocal last
            if step != last:
                # What the step before was out of is forgotten, and its pace.
                bar.reset(task, total=None)
                last = step
            bar.update(task, description=step, completed=done, total=of or None)

        yield show


@contextmanager
def resumable(is_so: bool = True, state: Path | None = None) -> Iterator[None]:
    """Work that goes on where Ctrl-C stopped it, if it is so; of a training, if the folder of its state is there.

    Says what is kept, and ends the command.
    """
    from recsys.progress import interruption

    try:
        yield
    except KeyboardInterrupt:
        note(interruption(is_so and (state is None or state.exists())))
        raise typer.Exit(1) from None


def write_result(text: str, output: Path | None) -> None:
    """Write a result to a file, or to stdout where none is named."""
    write_pieces((text,), output)


def write_pieces(pieces: Iterable[str], output: Path | None) -> None:
    """Write a result as it is made to a file, or to stdout where none is named; what fails at once leaves no file."""
    if output is None or str(output) == "-":
        for piece in pieces:
            typer.echo(piece, nl=False)
        return
    made = iter(pieces)
    first = next(made, "")
    write_file(chain((first,), made), output)
    note(f"written: {output}")


def write_file(pieces: Iterable[str], output: Path) -> None:
    """Write a file without a word."""
    from recsys.errors import RecsysError

    try:
        with output.open("w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
    except OSError as error:
        raise RecsysError(f"cannot write {output}: {error.strerror}") from None
