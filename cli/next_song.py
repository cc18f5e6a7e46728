"""`recsys tracklists next`: what follows tracklists that somebody has begun."""

import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from recsys.errors import RecsysError

from . import output
from .lists import FORMAT, OUTPUT, FileFormat, form_of, print_tracks, require_room_for_several, write_lists

if TYPE_CHECKING:
    from recsys.sequences.next_answers import NextAnswer
    from recsys.sources import Tracklist


def next_(
    prefixes: Path = typer.Option(
        ..., metavar="FILE", allow_dash=True,
        help="Beginnings as JSON lines, {id, dj?, title?, date?, tracks: [{title, artists}]}; - for stdin.",
    ),
    k: int = typer.Option(20, "--k", "-k", min=1, max=1_000, metavar="COUNT", help="Songs for each."),
    model: str = typer.Option(None, metavar="NAME", help="Which recommender of next songs; the last one by default."),
    as_json: bool = typer.Option(False, "--json", help="JSON lines, also on a terminal."),
    file_format: FileFormat = FORMAT,
    out: Path | None = OUTPUT,
) -> None:  # fmt: skip
    """The songs most likely to come next, best first, after each tracklist that somebody has begun.

    On a terminal they are tables, elsewhere a line {id, tracks: [{title, artists, score}]} a beginning. In a file
    format, each beginning has a file with its number; rekordbox has all of them in one.

    No song of the beginning is among them. Whatever of it is known is used: songs, artists, DJ, date, the programme by
    its title. What cannot be read is listed, and the rest is answered.
    """
    form = form_of(as_json=as_json, file_format=file_format, out=out, else_json=True)
    require_room_for_several(form, out)
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors
    from recsys.sequences.next_answers import next_songs

    has_tables = form is None and not as_json and out is None and sys.stdout.isatty()
    shown: list[NextAnswer] = []
    rejected: list[str] = []
    unknown = answered = 0

    def counted(answers: "Iterable[NextAnswer]") -> "Iterator[NextAnswer]":
        nonlocal unknown, answered
        for answer in answers:
            answered += 1
            unknown += not answer.known_tracks
            show("next songs", answered, 0)
            yield answer

    with (
        translated_errors(),
        connect(load_settings(), autocommit=True) as connection,
        output.steps("next songs") as show,
    ):
        require_migrated(connection)
        answers = counted(next_songs(connection, _begun(prefixes, rejected), k, model=model))
        first = next(answers, None)
        if first is None:
            file = "standard input" if str(prefixes) == "-" else prefixes
            why = f": {rejected.pop()}" if len(rejected) == 1 else ""
            for reason in rejected:
                output.note(reason)
            raise RecsysError(f"{file} holds no beginning of a tracklist that can be read{why}")
        told = chain((first,), answers)
        if has_tables:
            # They are printed once the progress bar has left the terminal.
            shown = list(told)
        elif form is None:
            output.write_pieces((f"{_line(answer)}\n" for answer in told), out)
        else:
            write_lists(((f"after {answer.id}", answer.tracks) for answer in told), form, out)
    for answer in shown:
        output.print_facts([("after", str(answer.id))])
        print_tracks(answer.tracks, 4)
    for reason in rejected:
        output.note(reason)
    if unknown:
        output.note(f"{output.number(unknown)} of {output.number(answered)} hold no song that the model knows")


def _line(answer: "NextAnswer") -> str:
    tracks = [{"title": t.full_title, "artists": t.artists, "score": t.score} for t in answer.tracks]
    return output.json_line({"id": answer.id, "tracks": tracks})


def _begun(prefixes: Path, rejected: list[str]) -> "Iterator[Tracklist]":
    """The beginnings of a file; what is not one is noted."""
    from recsys.sources import Tracklist, read_tracklists

    for batch in read_tracklists(prefixes):
        where = f"{Path(batch.rejected[0].file).name}, " if batch.rejected and prefixes.is_dir() else ""
        rejected += [f"{where}{one.place}: {one.reason}" for one in batch.rejected if not one.of_entry]
        for record in batch.records:
            if isinstance(record, Tracklist):
                yield record
