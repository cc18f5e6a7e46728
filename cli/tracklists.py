"""`recsys tracklists`: what tracklists say of songs, artists and DJs."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path

import typer

from . import output


class Model(StrEnum):
    """Recommenders that can be trained."""

    BLEND = "blend"
    TL_MGCCF = "tl-mgccf"


app = typer.Typer(no_args_is_help=True, help="Songs, artists and DJs that go together in tracklists.")


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
    seed: int = typer.Option(0, min=0, help="Of what is drawn to be held out."),
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


@app.command()
def train(
    snapshot: Path = typer.Option(..., metavar="DIR", help="What `recsys tracklists prepare` wrote."),
    out: Path = typer.Option(
        ..., "--output", "-o", metavar="DIR", help="Where to write the recommender; an older one is replaced."
    ),
    model: Model = typer.Option(
        Model.BLEND, metavar="NAME", help="blend, the better one; or tl-mgccf, the published graph network."
    ),
    epochs: int = typer.Option(600, min=1, metavar="COUNT", help="Of tl-mgccf, 20 steps each."),
    seed: int = typer.Option(0, min=0, help="The same seed makes the same recommender."),
    as_json: bool = output.JSON,
) -> None:
    """Train a recommender of songs for DJs and listeners; needs no database.

    `recsys model import` takes it up. tl-mgccf wants a GPU, or patience; interrupted, the same command goes on.
    """
    from recsys.config import load_settings
    from recsys.tracklists.graph_snapshot import load_graph_snapshot
    from recsys.tracklists.recommender import train_recommender, training_options

    graph, facts = load_graph_snapshot(snapshot)
    options = training_options(model.value, seed=seed, epochs=epochs, device=load_settings().device)
    with output.resumable(model is Model.TL_MGCCF), output.steps("recommender") as show:
        trained = train_recommender(graph, facts, out, options, progress=show)
    if as_json:
        output.print_json([trained])
        return
    rows = [(name.replace("_", " "), f"{value:.4f}") for name, value in trained.metrics.items()]
    output.print_table(output.table((trained.model, "left"), ("", "right")), rows)
    output.note(f"written: {out}; next: recsys model import {out}")
