"""`recsys refresh`: what is new, from sources to answers."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import output

if TYPE_CHECKING:
    from collections.abc import Callable

    from recsys.catalog import Counts
    from recsys.catalog.known import KnownPath
    from recsys.refresh import Refreshed

MARKS = {"refreshed": "new", "unchanged": "same", "left": "left", "failed": "wrong"}


def refresh(
    sources: bool = typer.Option(True, help="First load what is new in everything that was loaded before."),
    whole: bool = typer.Option(False, "--whole", help="Work everything out anew, also what did not change."),
    forget: Path = typer.Option(None, metavar="PATH", help="Only this: do not read a path again; its lists stay."),
    as_json: bool = output.JSON,
) -> None:
    """Bring what is new from sources to answers, without training anything.

    Files that changed and databases are loaded again as they were before; new titles are embedded, what playlists that
    changed say is worked out, and recommenders of tracklists answer from the tracklists of now. Made to be run every
    night. Exit code 1 says that something is wrong.
    """
    from recsys.config import load_settings
    from recsys.errors import RecsysError
    from recsys.refresh import refresh as run

    if forget:
        from recsys.catalog.known import forget_path

        forget_path(load_settings(), forget)
        output.note(f"{forget} is not read again")
        return
    done: list[Refreshed] = []
    stopped: RecsysError | None = None
    with output.resumable(), output.steps("refreshing") as show:

        def loading(known: "KnownPath") -> "Callable[[int, Counts], None]":
            name = f"loading {known.source}"
            show(name, 0, 0)
            return lambda _bytes, counts: show(f"{name}: {counts.read:,} lists", 0, 0)

        try:
            for one in run(load_settings(), whole=whole, sources=sources, loading=loading, progress=show):
                done.append(one)
        except RecsysError as error:
            stopped = error
    if as_json:
        output.print_json(done)
    elif done:
        _print(done)
    if stopped:
        raise stopped
    if not done:
        output.note("nothing was loaded yet: see `recsys ingest --help`")
    for one in done:
        if one.advice:
            output.note(f"{one.name}: {one.advice}")
    if any(one.state == "failed" for one in done):
        raise typer.Exit(1)


def _print(done: "list[Refreshed]") -> None:
    """A line for each, but for sources that were not even opened."""
    made = output.table(("", "left"), ("what", "left"), ("", "left"), ("found", "left"))
    unread = [one for one in done if one.subject == "source" and one.state == "unchanged" and not one.found]
    rows = [(MARKS[one.state], one.subject, one.name, one.found) for one in done if one not in unread]
    if unread:
        rows.insert(0, ("same", "source", output.number(len(unread)), "nothing new in them"))
    output.print_table(made, rows)
