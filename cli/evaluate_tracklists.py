"""`recsys evaluate tracklists`: the next song of tracklists, foretold by every method."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import output

if TYPE_CHECKING:
    from recsys.evaluation.next_song import NextSongResult

METHODS = ("popularity", "dj-popularity", "ar", "sr", "sknn", "vsknn", "next")
"""Those of `recsys.evaluation.next_methods`, named here so that `--help` imports nothing heavy."""


def evaluate(
    folder: Path = typer.Argument(metavar="DIR", help="A snapshot that `recsys tracklists prepare --before` made."),
    methods: list[str] = typer.Option(
        [], "--method", metavar="NAME", help=f"Only this one; may be repeated. Without it {', '.join(METHODS)}."
    ),
    network: list[Path] = typer.Option(
        [], metavar="DIR", help="Also a network that was trained on this snapshot; may be repeated."
    ),
    model: list[str] = typer.Option(
        [], metavar="NAME", help="Also an imported model of next songs or tracklists; may be repeated."
    ),
    tracklists: int = typer.Option(4_000, min=1, metavar="COUNT", help="Draw so many of the later tracklists."),
    positions: int = typer.Option(5, min=1, metavar="COUNT", help="And of each at most so many positions."),
    context: int = typer.Option(15, min=1, metavar="COUNT", help="Show so many songs before a position."),
    least_plays: int = typer.Option(3, min=1, metavar="COUNT", help="A song of so many plays before is known."),
    days: int | None = typer.Option(
        None, min=1, metavar="COUNT", help="Ask for the first days alone: what is learned gets old."
    ),
    renew: int | None = typer.Option(
        None, min=1, metavar="DAYS", help="Every so many days tell the methods what was played since."
    ),
    seed: int = typer.Option(0, min=0, help="Of what is drawn."),
    as_json: bool = output.JSON,
) -> None:
    """Tracklists: the next song of those that were held out, foretold by every method in one run.

    HR@k: the share of positions whose song is among the first k. MRR@20: the mean of 1 over its rank.

    The results are kept: SELECT * FROM leaderboard.
    """
    from recsys.config import load_settings
    from recsys.evaluation.graph_runs import check_storable
    from recsys.evaluation.next_learned import network_method
    from recsys.evaluation.next_methods import chosen_methods, measure
    from recsys.evaluation.next_runs import store_next_results
    from recsys.evaluation.next_song import NextSongOptions
    from recsys.tracklists.graph_snapshot import load_graph_snapshot
    from recsys.tracklists.later import load_later
    from recsys.tracklists.running_order import load_running_order

    chosen = chosen_methods(methods or METHODS)
    settings = load_settings()
    snapshot, graph_facts = load_graph_snapshot(folder)
    _, facts = load_later(folder, graph_facts.content_hash)
    order = load_running_order(folder, graph_facts.content_hash)
    check_storable(settings)
    chosen |= {trained.name: network_method(trained, snapshot, graph_facts.content_hash) for trained in network}
    if model:
        from recsys.evaluation.next_stored import stored_method

        chosen |= {name: stored_method(settings, name, snapshot, graph_facts.content_hash) for name in model}
    options = NextSongOptions(tracklists, positions, context, days, renew, least_plays, seed)
    with output.steps("reading") as show:
        results = measure(order, chosen, options, show)
    store_next_results(settings, results, facts, options)
    if as_json:
        output.print_json(
            {
                "view": r.view,
                "positions": int(r.positions.sum()),
                "tracklists": len(r.positions),
                "method": r.method,
                "metric": metric,
                "k": k,
                "value": r.mean(metric, k),
            }
            for r in results
            for metric, k in r.scores
        )
    else:
        _print_results(results)


def _print_results(results: "list[NextSongResult]") -> None:
    from recsys.evaluation.next_tables import next_tables

    for title, head, rows in next_tables(results):
        columns: list[tuple[str, output.Justify]] = [(name, "right") for name in head[1:]]
        output.print_table(output.table((head[0], "left"), *columns, title=title), rows)
    output.note("ms: for an answer; the view leaderboard has all intervals")
