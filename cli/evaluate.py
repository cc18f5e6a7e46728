"""`recsys evaluate`: what the answers are worth, measured on playlists and tracklists that nobody has seen."""

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import typer

from . import challenge, evaluate_graph, evaluate_tracklists, output
from .challenge import Part

if TYPE_CHECKING:
    from recsys.evaluation.titles import MethodResult, Trial

app = typer.Typer(help="How good the answers are.", no_args_is_help=True)
app.command("challenge")(challenge.evaluate)
app.command("graph")(evaluate_graph.evaluate)
app.command("tracklists")(evaluate_tracklists.evaluate)

CLEAN_COLUMNS = (("r_precision", 500), ("r_precision_tracks", 500), ("ndcg", 500), ("clicks", 500))
SEED_COLUMNS = (("paper_r_precision", 500), ("paper_recall", 500), ("paper_precision", 66), ("paper_mrr", 66))
SHOWN_TRACKS = 20


@app.command()
def titles(
    split: str = typer.Option("clean", metavar="NAME", help="The split, see `recsys titles split`."),
    part: Part = typer.Option(Part.VALIDATION, metavar="PART", help="validation, or test for what is reported once."),
    limit: int | None = typer.Option(None, min=1, metavar="COUNT", help="So many playlists at most."),
    llm: list[int] = typer.Option(
        [], metavar="SHOTS", help="Also ask RECSYS_LLM_MODEL, with 0, 1 or 5 examples; may be repeated."
    ),
    playlist: int | None = typer.Option(None, metavar="ID", help="Explain one held-out playlist instead."),
    report: list[Path] = typer.Option([], metavar="FILE", help="Also write a report, .md or .html; may be repeated."),
    as_json: bool = output.JSON,
) -> None:
    """Title alone: every method on the same held-out playlists, in one run.

    The results are kept: SELECT * FROM leaderboard.
    """
    from recsys.config import load_settings
    from recsys.evaluation.llm import Shots
    from recsys.evaluation.titles import evaluate_titles, explain_playlist

    for file in report:
        if file.suffix not in (".md", ".html"):
            raise typer.BadParameter(f"{file.name} ends neither in .md nor in .html", param_hint="--report")
    shots = [count for count in get_args(Shots) if count in llm]
    if unknown := [str(count) for count in llm if count not in shots]:
        raise typer.BadParameter(f"a prompt shows 0, 1 or 5 examples, not {unknown[0]}", param_hint="--llm")
    settings = load_settings()
    with output.steps("reading") as show:
        if playlist is not None:
            trials = explain_playlist(settings, split, playlist, show)
        else:
            results = evaluate_titles(settings, split, part.value, limit=limit, shots=shots, progress=show)
    if playlist is not None:
        _print_trials(trials, as_json=as_json)
        return
    if as_json:
        output.print_json(
            {"method": r.method, "metric": metric, "k": k, "value": r.mean(metric, k), "playlists": len(values)}
            for r in results
            for (metric, k), values in r.scores.items()
        )
    else:
        _print_results(results)
    for file in report:
        _write_report(file, split, part.value)


def _print_results(results: "list[MethodResult]") -> None:
    columns = CLEAN_COLUMNS if CLEAN_COLUMNS[0] in results[0].scores else SEED_COLUMNS
    made = output.table(
        ("method", "left"), *((f"{metric}@{k}", "right") for metric, k in columns), ("ms a title", "right")
    )
    rows = []
    for result in results:
        values = [f"{result.mean(*column):.2f}" if column[0] == "clicks" else f"{result.mean(*column):.4f}"
                  for column in columns]  # fmt: skip
        rows.append([result.method, *values, f"{1000 * result.seconds / max(result.titles, 1):.1f}"])
    output.print_table(made, rows)
    output.note(f"{len(results[0].scores[columns[0]]):,} playlists; the view leaderboard has intervals")


def _print_trials(trials: "list[Trial]", *, as_json: bool) -> None:
    if as_json:
        output.print_json(trials)
        return
    output.note(f'"{trials[0].title}", {len(trials[0].truth)} tracks')
    names = [name for name in (CLEAN_COLUMNS[0], *CLEAN_COLUMNS[2:]) if name in trials[0].scores] or SEED_COLUMNS
    made = output.table(("method", "left"), *((f"{metric}@{k}", "right") for metric, k in names), ("hits", "right"))
    output.print_table(made, [(t.method, *(f"{t.scores[name]:.4f}" for name in names), len(t.hits)) for t in trials])
    best = trials[-1]
    made = output.table(("rank", "right"), (f"first answers of {best.method}", "left"), ("held", "left"))
    shown = best.answer[:SHOWN_TRACKS]
    output.print_table(
        made, [(place, name, "yes" if place in best.hits else "") for place, name in enumerate(shown, 1)]
    )


def _write_report(file: Path, split: str, part: str) -> None:
    from recsys.config import load_settings
    from recsys.database import connect, translated_errors
    from recsys.evaluation.report import html_report, markdown_report
    from recsys.evaluation.results import leaderboard

    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        rows = leaderboard(connection, subject="titles", split=split, part=part)
    output.write_result(html_report(rows) if file.suffix == ".html" else markdown_report(rows), file)
