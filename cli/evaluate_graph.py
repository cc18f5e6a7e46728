"""`recsys evaluate graph`: what DJs play later, foretold by every method."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import output

if TYPE_CHECKING:
    from recsys.evaluation.graph import GraphResult

PLAIN = ("popularity", "own", "own-90d", "dj-knn", "item-knn", "als", "bpr", "blend")
METHODS = (*PLAIN, "lightgcn", "tl-mgccf", "no-artists", "no-factors", "no-graphs", "sampled")
"""Those of `recsys.evaluation.graph_methods`, named here so that `--help` imports nothing heavy."""


def evaluate(
    folder: Path = typer.Argument(metavar="DIR", help="A snapshot that `recsys tracklists prepare` held plays out of."),
    methods: list[str] = typer.Option(
        [], "--method", metavar="NAME",
        help=f"Only this one; may be repeated. Without it {', '.join(PLAIN)}. What wants a GPU is asked for by name:"
        f" {', '.join(METHODS[len(PLAIN):])} (tl-mgccf without a part of it; with vectors of sampled passes).",
    ),
    model: list[str] = typer.Option(
        [], metavar="NAME", help="Also an imported recommender, trained on this snapshot, as the database answers."
    ),
    least_lists: int = typer.Option(5, min=0, metavar="COUNT", help="Ask for DJs with so many tracklists before."),
    least_songs: int = typer.Option(15, min=0, metavar="COUNT", help="And with so many songs."),
    least_plays: int = typer.Option(5, min=0, metavar="COUNT", help="Count songs of so many plays, in all tracklists."),
    seed: int = typer.Option(0, min=0, metavar="NUMBER", help="Of what methods draw."),
    as_json: bool = output.JSON,
) -> None:  # fmt: skip
    """DJs: what was held out of their plays, foretold by every method in one run.

    Recall is the hits among the first k, of at most k that are possible.

    The results are kept: SELECT * FROM leaderboard.
    """
    from recsys.config import load_settings
    from recsys.evaluation.graph import TruthOptions
    from recsys.evaluation.graph_methods import DEFAULT_METHODS, Fitting, chosen_methods, measure
    from recsys.evaluation.graph_runs import check_storable, store_graph_results
    from recsys.evaluation.graph_stored import stored_method
    from recsys.tracklists.graph_snapshot import load_graph_snapshot
    from recsys.tracklists.later import load_later

    chosen = chosen_methods(methods or DEFAULT_METHODS)
    settings = load_settings()
    snapshot, graph_facts = load_graph_snapshot(folder)
    later, facts = load_later(folder, graph_facts.content_hash)
    check_storable(settings)
    options = TruthOptions(least_lists, least_songs, least_plays)
    chosen |= {name: stored_method(settings, name, graph_facts.content_hash) for name in model}
    with output.steps("reading") as show:
        fitting = Fitting(settings.device, seed, show)
        measured = measure(snapshot, later, chosen, options, fitting)
    store_graph_results(settings, measured.results, facts, options, seed)
    if as_json:
        output.print_json(
            {
                "view": r.view,
                "djs": len(r.djs),
                "method": r.method,
                "metric": metric,
                "k": k,
                "value": r.mean(metric, k),
            }
            for r in measured.results
            for metric, k in r.scores
        )
    else:
        _print_results(measured.results)
    for name, package in measured.missing.items():
        output.note(f"left out: {name}, for want of the package {package}")


def _print_results(results: "list[GraphResult]") -> None:
    from recsys.evaluation.graph_tables import graph_tables

    for title, head, rows in graph_tables(results):
        columns: list[tuple[str, output.Justify]] = [(name, "right") for name in head[1:]]
        output.print_table(output.table((head[0], "left"), *columns, title=title), rows)
    output.note("R: hits among the first k of at most k that are possible; the view leaderboard has all metrics")
