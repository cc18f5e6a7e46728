"""`recsys tracklists`: what tracklists say of songs, artists and DJs."""

from datetime import datetime
from pathlib import Path

import typer

from . import output

app = typer.Typer(no_args_is_help=True, help="Songs, artists and DJs that go together in tracklists.")


@app.callback()
def tracklists() -> None:
    """Keep `prepare` a command of its own while it is the only one."""


@app.command()
def prepare(
    folder: Path = typer.Argument(metavar="DIR", help="Where to write the graphs; an older snapshot is replaced."),
    before: datetime = typer.Option(
        None, formats=["%Y-%m-%d"], metavar="DATE",
        help="Only tracklists before this date, none without a date; what is measured later stays unseen.",
    ),
    least_information: float = typer.Option(
        20.0, min=0.0, metavar="SUM",
        help="Keep songs from this sum of their pairs' weights on, 1 / positions apart; about four plays.",
    ),
    as_json: bool = output.JSON,
) -> None:  # fmt: skip
    """Write the graphs of songs, artists and DJs that training reads.

    Songs near each other in tracklists belong together. Of each graph the heaviest entries are kept, and log-scaled.
    """
    from recsys.config import load_settings
    from recsys.tracklists.prepare import GraphOptions, prepare_graph

    options = GraphOptions(least_information=least_information)
    with output.steps("graphs") as show:
        summary = prepare_graph(
            load_settings(), folder, before=before.date() if before else None, options=options, progress=show
        )
    if as_json:
        output.print_json([summary])
        return
    made = output.table(("", "left"), ("before", "right"), ("kept", "right"))
    rows = [(name, output.number(first), output.number(kept)) for name, (first, kept) in summary.sizes.items()]
    output.print_table(made, [("tracklists", "", output.number(summary.tracklists)), *rows])
    output.note(f"written: {summary.folder}, {summary.content_hash[:12]}")
