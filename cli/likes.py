"""Songs that somebody likes, as options and files name them."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from recsys.errors import RecsysError, UnknownNameError

from . import output

if TYPE_CHECKING:
    import psycopg

    from recsys.catalog import NamedSong, Taste

LIKE = typer.Option(
    [], metavar="SONG[=SCORE]", help='Songs for somebody who likes this one: "Artist - Title=2"; may be repeated.'
)
LIKES = typer.Option(
    None, exists=True, dir_okay=False, metavar="FILE", help="The same, a song a line; # begins a comment."
)
LISTENER = typer.Option(
    None, "--listener", metavar="NAME", help="For somebody whose likes and dislikes are kept, see `recsys listener`."
)

MOST_SCORE = 1_000_000

SHOWN = 20
"""Names that are not known, of which each is told."""

_COMMENT = re.compile(r"^\s*#.*|\s#(\s.*)?$")
"""The # of a comment after a name has whitespace on both sides: "Raw Cuts #3" is a title."""


@dataclass
class Likes:
    """The songs that were found, by id."""

    scores: dict[int, float] = field(default_factory=dict)
    named: "list[NamedSong]" = field(default_factory=list)
    """A song as often as it was named."""
    unknown: list[str] = field(default_factory=list)


def like_texts(like: Sequence[str], likes: Path | None) -> list[str]:
    """What options and a file say.

    Raises:
        RecsysError: the file is no text, or names no song.
    """
    if not all(text.strip() for text in like):
        raise typer.BadParameter('it names no song: give one as "Artist - Title"', param_hint="--like")
    texts = [*like, *(lines_of(likes) if likes is not None else [])]
    if not texts:
        raise RecsysError(f"{likes} names no song: write one a line, as Artist - Title")
    return texts


def find_likes(connection: "psycopg.Connection", texts: Sequence[str]) -> Likes:
    """The songs that texts name; notes tell of those that are not known."""
    from recsys.catalog import find_song

    found = Likes()
    complaints = []
    for text in texts:
        name, score = scored(text)
        try:
            song = find_song(connection, name, nearest=len(texts) == 1)
        except UnknownNameError as error:
            found.unknown.append(name)
            complaints.append(str(error))
            continue
        found.scores[song.id] = found.scores.get(song.id, 0) + score
        found.named.append(song)
    note_some(complaints)
    return found


def note_some(messages: Sequence[str]) -> None:
    """Say the first of many things that are alike, and how many more there are."""
    for message in messages[:SHOWN]:
        output.note(message)
    if len(messages) > SHOWN:
        output.note(f"and {output.number(len(messages) - SHOWN)} more like these")


def note_used(used: int, of: int) -> None:
    """Say how many of the songs that were named are used, if not all are."""
    if used < of:
        is_used = f"{used} of {of} songs {'is' if used == 1 else 'are'} used"
        others = "the other is" if of - used == 1 else "the others are"
        output.note(f"{is_used}, {others} not known or in too few tracklists")


def lines_of(file: Path) -> list[str]:
    """What a file's lines say, without blank ones and comments: a line's own, or one at its end.

    Raises:
        RecsysError: it is not text.
    """
    try:
        lines = (sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise RecsysError(f"{file} is not UTF-8 text") from None
    said = [_COMMENT.sub("", line).strip() for line in lines]
    return [line for line in said if line]


def taste(connection: "psycopg.Connection", listener: str | None) -> "Taste":
    """What the listener of a name likes and dislikes, nothing where none is named."""
    from recsys.catalog import Taste, find_listener, taste_of

    return Taste() if listener is None else taste_of(connection, find_listener(connection, listener))


def scored(text: str) -> tuple[str, float]:
    """A name and its score, 1 where none is given after the last `=`."""
    name, _, score = text.rpartition("=")
    try:
        value = float(score) if name else 1.0
    except ValueError:
        return text, 1.0
    if not 1 / MOST_SCORE <= value <= MOST_SCORE:
        message = f"the score of {name!r} must be a number above 0, and {MOST_SCORE:,} at most"
        raise typer.BadParameter(message, param_hint="SONG=SCORE")
    return (name.strip() or text), value
