"""`recsys model`: trained encoders and recommenders that are brought home, and what there is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from recsys.errors import RecsysError

from . import output

if TYPE_CHECKING:
    from recsys.sequences.imported import SequenceSummary
    from recsys.sequences.imported_next import NextSummary
    from recsys.tracklists.imported import RecommenderSummary

RECOMMENDER_FILE = "recommender.json"
"""A folder that holds it is a tracklist recommender's; its name is known here so that numpy need not be imported."""

NEXT_FILE = "next.json"
"""Likewise of a recommender of next songs."""

SEQUENCE_FILE = "sequence.json"
"""Likewise of a tracklist model."""

GRAPH_FILE = "graph.json"
"""Likewise of graphs that are still to be trained on."""

app = typer.Typer(help="Trained models.", no_args_is_help=True)


@app.command("import")
def import_(
    folder: Path = typer.Argument(metavar="DIR", help="What training wrote."),
    name: str = typer.Option(None, metavar="NAME", help="What to call it; the folder's name by default."),
    as_json: bool = output.JSON,
) -> None:
    """Check a trained encoder, tracklist recommender or tracklist model and take it up.

    It is copied and registered; the same one twice is one model. An encoder is exported to ONNX; the others fill their
    tables and answer from then on.
    """
    from recsys.config import load_settings
    from recsys.titles.trained import import_model

    if (folder / RECOMMENDER_FILE).exists():
        _import_recommender(folder, name, as_json=as_json)
        return
    if (folder / NEXT_FILE).exists():
        _import_next(folder, name, as_json=as_json)
        return
    if (folder / SEQUENCE_FILE).exists():
        _import_sequence(folder, name, as_json=as_json)
        return
    if (folder / GRAPH_FILE).exists():
        raise RecsysError(f"{folder} holds graphs: train on them with `recsys tracklists train --snapshot {folder}`")
    summary = import_model(load_settings(), folder, name=name, progress=output.note)
    if as_json:
        output.print_json([summary])
    else:
        rows = [
            ("model", f"{summary.name} (model {summary.model_id}), {summary.dimension} dimensions"),
            ("trained from", f"{summary.base}, by {summary.loss}"),
            *((name.replace("_", " "), f"{value:.4f}") for name, value in summary.metrics.items()),
        ]
        output.print_table(output.table(("imported", "left"), ("", "left")), rows)
    output.note(f"next: recsys titles embed --encoder {summary.name}")


def _import_recommender(folder: Path, name: str | None, *, as_json: bool) -> None:
    from recsys.config import load_settings
    from recsys.tracklists.imported import import_recommender

    with output.steps("model") as show:
        summary = import_recommender(load_settings(), folder, name=name, progress=show)
    counts = (("songs", summary.songs), ("artists", summary.artists), ("DJs", summary.djs))
    rows = [
        ("model", f"{summary.name} (model {summary.model_id}), {summary.model}"),
        ("tracklists", f"before {summary.before}" if summary.before else "all"),
        *((noun, output.number(count)) for noun, count in counts),
    ]
    next_step = 'recsys recommend --dj NAME, or recsys recommend --like "Artist - Title"'
    _print_imported(summary, rows, next_step, as_json=as_json)


def _import_next(folder: Path, name: str | None, *, as_json: bool) -> None:
    from recsys.config import load_settings
    from recsys.sequences.imported_next import import_next_recommender

    with output.steps("model") as show:
        summary = import_next_recommender(load_settings(), folder, name=name, progress=show)
    rows = [
        ("model", f"{summary.name} (model {summary.model_id}), next songs"),
        ("answers from", f"tracklists before {summary.before}" if summary.before else "all tracklists"),
        ("tracklists", output.number(summary.tracklists)),
        ("songs", output.number(summary.songs)),
    ]
    _print_imported(summary, rows, "recsys tracklists next --prefixes FILE.jsonl", as_json=as_json)


def _import_sequence(folder: Path, name: str | None, *, as_json: bool) -> None:
    from recsys.config import load_settings
    from recsys.sequences.imported import import_sequence_model

    with output.steps("model") as show:
        summary = import_sequence_model(load_settings(), folder, name=name, progress=show)
    rows = [
        ("model", f"{summary.name} (model {summary.model_id}), {summary.model}"),
        ("tracklists", f"before {summary.before}" if summary.before else "all"),
        ("songs", output.number(summary.songs)),
        ("DJs", output.number(summary.djs)),
        *([("clusters", ", ".join(map(output.number, reversed(summary.clusters))))] if summary.clusters else []),
    ]
    next_step = 'recsys generate --seed "Artist - Title", or recsys tracklists clusters'
    _print_imported(summary, rows, next_step, as_json=as_json)


def _print_imported(
    summary: "RecommenderSummary | NextSummary | SequenceSummary",
    rows: list[tuple[str, str]],
    next_step: str,
    *,
    as_json: bool,
) -> None:
    if summary.already_there:
        output.note(f"already there, and the one that answers now: {summary.name} (model {summary.model_id})")
    if as_json:
        output.print_json([summary])
        return
    output.print_table(output.table(("imported", "left"), ("", "left")), rows)
    if summary.before:
        output.note(
            f"answers are as of {summary.before} from now on: `recsys model use NAME` goes back to another model"
        )
    output.note(f"next: {next_step}")


@app.command()
def use(
    name: str = typer.Argument(metavar="NAME", help="A model's name or id, as `recsys model list` shows them."),
) -> None:
    """Let an earlier model answer again where none is named.

    A model of tracklists, or the title recommender of an encoder that has embedded titles. Vectors and forecasts stay
    in their tables until a model of the same name is imported, so nothing is computed.
    """
    from recsys.config import load_settings
    from recsys.titles.trained import use_model

    used = use_model(load_settings(), name)
    output.note(f"{used.name} (model {used.id}) is the {used.kind} that answers from now on")


@app.command("list")
def list_(as_json: bool = output.JSON) -> None:
    """Show the registered models, the oldest first."""
    from recsys.config import load_settings
    from recsys.titles.encoder import short_name
    from recsys.titles.trained import list_models

    settings = load_settings()
    models = list_models(settings)
    if as_json:
        output.print_json(models)
        return
    made = output.table(
        ("", "left"), ("id", "right"), ("kind", "left"), ("name", "left"), ("size", "right"), ("scores", "left")
    )
    made.columns[2].no_wrap = made.columns[5].no_wrap = True
    rows = [
        (
            "*" if model.is_current else "",
            model.id,
            model.kind,
            short_name(model.name, settings.models_folder),
            model.dimension,
            _scores(model.metrics),
        )
        for model in models
    ]
    output.print_table(made, rows)
    if any(model.is_current for model in models):
        output.note("* answers where none is named; the size is that of its vectors")


def _scores(metrics: dict[str, Any]) -> str:
    """A score a line; of a loss and its parts, the loss alone."""
    shown = {"loss": metrics["loss"]} if "loss" in metrics else metrics
    return "\n".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in shown.items() if value is not None)
