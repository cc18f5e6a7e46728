"""The command's root: its groups, and how errors and interruptions end."""

import os
import sys

import typer

from recsys import __version__
from recsys.errors import RecsysError

from . import (
    db,
    doctor,
    evaluate,
    generate,
    ingest,
    listener,
    models,
    output,
    query,
    recommend,
    refresh,
    similar,
    titles,
    tracklists,
)

app = typer.Typer(
    name="recsys",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.add_typer(db.app, name="db")
app.command("ingest")(ingest.ingest)
app.command("refresh")(refresh.refresh)
app.add_typer(titles.app, name="titles")
app.add_typer(tracklists.app, name="tracklists")
app.command("recommend")(recommend.recommend)
app.command("generate")(generate.generate)
app.add_typer(similar.app, name="similar")
app.add_typer(listener.app, name="listener")
app.command("query")(query.query)
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(models.app, name="model")
app.command("doctor")(doctor.doctor)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"recsys {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """A recommender that lives in Postgres: playlists from their titles, and what DJs will play."""


INTERRUPTED = 130
"""The exit code that Typer makes of Ctrl-C."""


def main() -> None:
    """Run the command; what a person can mend is one line on stderr and exit code 1."""
    try:
        app()
    except SystemExit as end:
        if end.code != INTERRUPTED:
            raise
        output.note("interrupted")
        sys.exit(1)
    except RecsysError as error:
        output.complain(str(error))
        sys.exit(1)
    except OSError as error:
        # What is left in stdout's buffer would be written, and fail, once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            place = f"{error.filename}: " if error.filename else ""
            output.complain(f"{place}{error.strerror or error}")
        sys.exit(1)
