"""`recsys tracklists next`: what follows tracklists that somebody has begun."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from recsys.errors import RecsysError

from . import output

if TYPE_CHECKING:
    from recsys.sources import Tracklist


def next_(
    prefixes: Path = typer.Option(
        ..., metavar="FILE", allow_dash=True,
        help="Beginnings as JSON lines, {id, dj?, title?, date?, tracks: [{title, artists}]}; - for stdin.",
    ),
    k: int = typer.Option(20, "--k", "-k", min=1, max=1_000, metavar="COUNT", help="Songs for each."),
    model: str = typer.Option(None, metavar="NAME", help="Which recommender of next songs; the last one by default."),
    out: Path = typer.Option(
        None, "--output", "-o", metavar="FILE", help="File to write; the terminal by default."
    ),
) -> None:  # fmt: skip
    """The songs most likely to come next, a line {id, tracks: [{title, artists, score}]} a beginning, best first.

    No song of the beginning is among them. Whatever of it is known is used: songs, artists, DJ, date, the programme by
    its title. What cannot be read is listed, and the rest is answered.
    """
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors
    from recsys.sequences.next_answers import next_songs

    rejected: list[str] = []
    unknown = answered = 0
    lines = []
    with (
        translated_errors(),
        connect(load_settings(), autocommit=True) as connection,
        output.steps("next songs") as show,
    ):
        require_migrated(connection)
        for answer in next_songs(connection, _begun(prefixes, rejected), k, model=model):
            tracks = [{"title": t.title, "artists": t.artists, "score": t.score} for t in answer.tracks]
            lines.append(f"{output.json_line({'id': answer.id, 'tracks': tracks})}\n")
            answered += 1
            unknown += not answer.known_tracks
            show("next songs", answered, 0)
    if not answered:
        file = "standard input" if str(prefixes) == "-" else prefixes
        why = f": {rejected.pop()}" if len(rejected) == 1 else ""
        for reason in rejected:
            output.note(reason)
        raise RecsysError(f"{file} holds no beginning of a tracklist that can be read{why}")
    for reason in rejected:
        output.note(reason)
    output.write_result("".join(lines), out)
    if unknown:
        output.note(f"{output.number(unknown)} of {output.number(answered)} hold no song that the model knows")


def _begun(prefixes: Path, rejected: list[str]) -> "Iterator[Tracklist]":
    """The beginnings of a file; what is not one is noted."""
    from recsys.sources import Tracklist, read_tracklists

    for batch in read_tracklists(prefixes):
        rejected += [f"{one.place}: {one.reason}" for one in batch.rejected if not one.of_entry]
        for record in batch.records:
            if isinstance(record, Tracklist):
                yield record
