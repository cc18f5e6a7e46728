"""`recsys tracklists train`: models that learn from a snapshot of tracklists."""

from enum import StrEnum
from pathlib import Path

import typer

from . import output


class Model(StrEnum):
    """What can be trained."""

    BLEND = "blend"
    TL_MGCCF = "tl-mgccf"
    NEXT = "next"
    TL_LSTM = "tl-lstm"


EPOCHS = {Model.TL_MGCCF: 600, Model.TL_LSTM: 100}


def train(
    snapshot: Path = typer.Option(..., metavar="DIR", help="What `recsys tracklists prepare` wrote."),
    out: Path = typer.Option(
        ..., "--output", "-o", metavar="DIR", help="Where to write the model; an older one is replaced."
    ),
    model: Model = typer.Option(
        Model.BLEND, metavar="NAME",
        help="blend or tl-mgccf, songs for DJs and listeners; next, the next song of a tracklist; tl-lstm, the"
        " network of the generator, with its clusters of songs.",
    ),
    recommender: Path | None = typer.Option(
        None, metavar="DIR", help="Of tl-lstm: a tl-mgccf trained on the same snapshot, whose vectors songs begin with."
    ),
    epochs: int | None = typer.Option(
        None, min=1, metavar="COUNT", help="Of tl-mgccf, 600 by default, and of tl-lstm, 100."
    ),
    seed: int = typer.Option(0, min=0, metavar="NUMBER", help="The same seed makes the same model."),
    as_json: bool = output.JSON,
) -> None:  # fmt: skip
    """Train a model on a snapshot; needs no database.

    `recsys model import` takes it up. tl-mgccf and tl-lstm want a GPU, or patience; interrupted, the same command
    goes on.
    """
    if epochs is not None and model not in EPOCHS:
        raise typer.BadParameter(f"{model.value} has none", param_hint="--epochs")
    if recommender is not None and model is not Model.TL_LSTM:
        raise typer.BadParameter("it goes with --model tl-lstm", param_hint="--recommender")
    rounds = epochs or EPOCHS.get(model, 0)
    match model:
        case Model.NEXT:
            metrics = _next(snapshot, out, seed)
        case Model.TL_LSTM:
            metrics = _network(snapshot, out, recommender, seed, rounds)
        case _:
            metrics = _recommender(snapshot, out, model, seed, rounds)
    if as_json:
        output.print_json([{"model": model.value, "metrics": metrics}])
        return
    rows = [
        (name.replace("_", " "), output.number(int(value)) if value >= 1 and value == int(value) else f"{value:.4f}")
        for name, value in metrics.items()
    ]
    output.print_table(output.table((model.value, "left"), ("", "right")), rows)
    output.note(f"written: {out}; next: recsys model import {out}")


def _recommender(snapshot: Path, out: Path, model: Model, seed: int, epochs: int) -> dict[str, float]:
    from recsys.config import load_settings
    from recsys.folders import training_state
    from recsys.tracklists.graph_snapshot import load_graph_snapshot
    from recsys.tracklists.recommender import ModelName, train_recommender, training_options

    graph, facts = load_graph_snapshot(snapshot)
    name: ModelName = "blend" if model is Model.BLEND else "tl-mgccf"
    options = training_options(name, seed=seed, epochs=epochs, device=load_settings().device)
    with output.resumable(model is Model.TL_MGCCF, training_state(out)), output.steps("recommender") as show:
        return train_recommender(graph, facts, out, options, progress=show).metrics


def _next(snapshot: Path, out: Path, seed: int) -> dict[str, float]:
    from recsys.sequences.next_folder import train_next_recommender
    from recsys.sequences.next_song import NextOptions
    from recsys.tracklists.graph_snapshot import load_graph_snapshot
    from recsys.tracklists.running_order import load_running_order

    graph, facts = load_graph_snapshot(snapshot)
    order = load_running_order(snapshot, facts.content_hash)
    with output.resumable(False), output.steps("next songs") as show:
        return train_next_recommender(graph, order, facts, out, NextOptions(seed=seed), progress=show).metrics


def _network(snapshot: Path, out: Path, recommender: Path | None, seed: int, epochs: int) -> dict[str, float]:
    from recsys.config import load_settings
    from recsys.folders import training_state
    from recsys.sequences.sequence_model import train_sequence_model
    from recsys.sequences.sequence_options import SequenceOptions

    options = SequenceOptions(epochs=epochs, seed=seed, device=load_settings().device)
    with output.resumable(state=training_state(out)), output.steps("network") as show:
        trained = train_sequence_model(snapshot, out, options, recommender=recommender, progress=show)
    return trained.metrics
