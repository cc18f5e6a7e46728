"""`recsys evaluate tracklists`: the next song of tracklists, foretold by every method."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import output

if TYPE_CHECKING:
    from recsys.evaluation.level_accuracy import LevelResult
    from recsys.evaluation.next_song import NextSongResult
    from recsys.evaluation.tables import TextTable

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
    generated: int | None = typer.Option(
        None, min=1, metavar="COUNT",
        help="Foretell nothing, but let each --model generate a list for so many later tracklists, and compare them.",
    ),
    seed: int = typer.Option(0, min=0, metavar="NUMBER", help="Of what is drawn."),
    as_json: bool = output.JSON,
) -> None:  # fmt: skip
    """Tracklists: the next song of those that were held out, foretold by every method in one run.

    HR@k: the share of positions whose song is among the first k. MRR@20: the mean of 1 over its rank. Of a network
    that knows clusters also how often it foretells each level.

    With --generated, how lists look that a model generates from the first known songs of later tracklists, beside these
    themselves, the DJ's most played songs, and songs drawn by their plays; "off" is the Wasserstein distance of a row's
    numbers from the real ones.

    The results are kept: SELECT * FROM leaderboard.
    """
    if generated is not None:
        for name, is_given in (("--method", methods), ("--network", network), ("--renew", renew)):
            if is_given:
                raise typer.BadParameter("it does not go with --generated", param_hint=name)
        if not model:
            raise typer.BadParameter("name what generates with --model", param_hint="--generated")
        _compare_generated(folder, model, generated, days, seed, as_json=as_json)
        return
    from recsys.config import load_settings
    from recsys.evaluation.graph_runs import check_storable
    from recsys.evaluation.level_accuracy import level_accuracy
    from recsys.evaluation.next_learned import NetworkFit, network_method
    from recsys.evaluation.next_methods import chosen_methods, measure
    from recsys.evaluation.next_runs import store_next_results
    from recsys.evaluation.next_song import NextSongOptions, asked_tracklists
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
    asked = asked_tracklists(order.later, options.days)
    levels = [
        found
        for name, fit in chosen.items()
        if isinstance(fit, NetworkFit) and (found := level_accuracy(name, fit.trained, asked, order))
    ]
    store_next_results(settings, results, facts, options, levels)
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
        output.print_json(
            {
                "view": "levels",
                "positions": int(found.positions.sum()),
                "tracklists": len(found.positions),
                "method": found.method,
                "metric": metric,
                "k": k,
                "value": found.mean(metric, k),
            }
            for found in levels
            for metric, k in found.scores
        )
    else:
        _print_results(results, levels)


def _print_results(results: "list[NextSongResult]", levels: "list[LevelResult]") -> None:
    from recsys.evaluation.level_tables import level_tables
    from recsys.evaluation.next_tables import next_tables

    for made in (*next_tables(results), *level_tables(levels)):
        _print_table(made)
    output.note("ms: for an answer; the view leaderboard has all intervals")
    if levels:
        output.note("published: of other tracklists, 31,214 songs and 1,200, 384 and 48 clusters")


def _print_table(made: "TextTable") -> None:
    columns: list[tuple[str, output.Justify]] = [(name, "right") for name in made.head[1:]]
    output.print_table(output.table((made.head[0], "left"), *columns, title=made.title), made.rows)


def _compare_generated(
    folder: Path, models: list[str], count: int, days: int | None, seed: int, *, as_json: bool
) -> None:
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors
    from recsys.evaluation.made_lists import MadeOptions
    from recsys.evaluation.made_runs import store_made_results
    from recsys.evaluation.made_stored import compare_generator, stored_generator
    from recsys.evaluation.made_tables import made_table, told
    from recsys.tracklists.graph_snapshot import load_graph_snapshot
    from recsys.tracklists.later import load_later
    from recsys.tracklists.running_order import load_running_order

    settings = load_settings()
    snapshot, graph_facts = load_graph_snapshot(folder)
    _, facts = load_later(folder, graph_facts.content_hash)
    order = load_running_order(folder, graph_facts.content_hash)
    options = MadeOptions(count, days=days, seed=seed)
    with translated_errors(), connect(settings, autocommit=True) as connection:
        require_migrated(connection)
        for name in models:
            generator = stored_generator(connection, name, graph_facts.content_hash, seed)
            with output.steps("reading") as show:
                results = compare_generator(order, snapshot, generator, options, show)
            store_made_results(connection, settings, name, results, facts, options)
            if as_json:
                output.print_json({"model": name, **line} for line in told(results))
            else:
                _print_table(made_table(name, results, generator.trained.model.sizes))
    if not as_json:
        output.note("off: Wasserstein distance from the real ones; the view leaderboard has all intervals")
