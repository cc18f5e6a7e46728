"""`recsys tracklists`: what tracklists say of songs, artists and DJs."""

from datetime import datetime
from pathlib import Path

import typer

from . import next_song, output, song_clusters, train_tracklists

app = typer.Typer(no_args_is_help=True, help="Songs, artists and DJs that go together in tracklists.")

FEW_DJS = 20
"""Fewer than so many make intervals wider than differences."""


@app.command()
def prepare(
    folder: Path = typer.Argument(metavar="DIR", help="Where to write the graphs; an older snapshot is replaced."),
    before: datetime = typer.Option(
        None, formats=["%Y-%m-%d"], metavar="DATE",
        help="Only tracklists before this date, none without a date; later ones are kept beside for `evaluate graph`.",
    ),
    until: datetime = typer.Option(
        None, formats=["%Y-%m-%d"], metavar="DATE", help="Of later ones, keep those before this date alone.",
    ),
    hold_out_pairs: float = typer.Option(
        0.0, min=0.0, max=0.9, metavar="SHARE",
        help="Take this share of the songs that DJs played more than once out of their tracklists, to be foretold.",
    ),
    cold_djs: float = typer.Option(
        0.0, min=0.0, max=0.9, metavar="SHARE",
        help="Leave this share of the DJs out, to be met when all is learned; needs --before.",
    ),
    seed: int = typer.Option(0, min=0, metavar="NUMBER", help="Of what is drawn to be held out."),
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
    from recsys.tracklists.later import HoldOut
    from recsys.tracklists.prepare import GraphOptions, prepare_graph

    for name, value in (("--until", until), ("--cold-djs", cold_djs)):
        if value and not before:
            raise typer.BadParameter(
                "there is no date from which on tracklists are later: add --before", param_hint=name
            )
    if until and until <= before:
        raise typer.BadParameter("it must be after --before", param_hint="--until")
    hold_out = HoldOut(until.date() if until else None, hold_out_pairs, cold_djs, seed)
    options = GraphOptions(least_information=least_information)
    date = before.date() if before else None
    with output.steps("graphs") as show:
        summary = prepare_graph(load_settings(), folder, before=date, hold_out=hold_out, options=options, progress=show)
    if date and not summary.held_out.get("later tracklists"):
        span = f"is of {date} or later" if until is None else f"lies between {date} and {until.date()}"
        output.note(f"warning: no tracklist {span}, so none is held out to be foretold")
    _, djs = summary.sizes["DJs"]
    if date and djs < FEW_DJS:
        kept = f"only {djs}" if djs else "none"
        output.note(
            f"warning: of all DJs before {date} {kept} repeated songs enough to learn from: what is measured on so few"
            " says little"
        )
    if as_json:
        output.print_json([summary])
        return
    made = output.table(("", "left"), ("before", "right"), ("kept", "right"))
    rows = [(name, output.number(first), output.number(kept)) for name, (first, kept) in summary.sizes.items()]
    output.print_table(made, [("tracklists", "", output.number(summary.tracklists)), *rows])
    if summary.held_out:
        made = output.table(("held out", "left"), ("", "right"))
        output.print_table(made, [(name, output.number(count)) for name, count in summary.held_out.items()])
    output.note(f"written: {summary.folder}, {summary.content_hash[:12]}")


app.command("train")(train_tracklists.train)
app.command("next")(next_song.next_)
app.command("clusters")(song_clusters.clusters)
