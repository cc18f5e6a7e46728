"""`recsys titles snapshot` and `recsys titles finetune`: training, also where there is no database."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import output

if TYPE_CHECKING:
    from recsys.titles.finetune import FinetuneSummary
    from recsys.titles.snapshot import SnapshotSummary

SPLIT = typer.Option(None, metavar="NAME", help="Train on the train part of this split; see `recsys titles split`.")


class LossName(StrEnum):
    """What is minimised."""

    CROSS_ENTROPY = "cross-entropy"
    TRIPLET = "triplet"
    CONTRASTIVE = "contrastive"
    CO_OCCURRENCE = "co-occurrence"
    TOWER = "tower"
    TRACKS = "tracks"


class DeviceName(StrEnum):
    """Where training runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


def snapshot(
    folder: Path = typer.Argument(metavar="DIR", help="Where to write; new, empty, or an older snapshot."),
    split: str = SPLIT,
    as_json: bool = output.JSON,
) -> None:
    """Write what training reads into a folder.

    Titles, playlists with their part of the split, songs, and labels of the clusters that are kept. Copy it to the
    machine that trains: it needs no database.
    """
    summary = _export(folder, split)
    if as_json:
        output.print_json([summary])
        return
    rows = [
        ("titles", summary.titles),
        ("playlists", summary.playlists),
        ("train", summary.train),
        ("validation", summary.validation),
        ("test", summary.test),
        ("in clusters that are kept", summary.clustered),
        ("clusters", summary.clusters),
        ("tracks", summary.tracks),
        ("songs", summary.songs),
    ]
    output.print_table(output.table(("snapshot", "left"), ("", "right")), [(n, output.number(c)) for n, c in rows])
    if not summary.clusters:
        named = "" if split is None else f" --split {split}"
        output.note(
            "there are no cluster labels, which cross-entropy, triplet and contrastive learn from:"
            f" run `recsys titles cluster{named}`, `recsys titles clean` for them"
        )


def _export(folder: Path, split: str | None) -> "SnapshotSummary":
    from recsys.config import load_settings
    from recsys.titles.snapshot import export_title_snapshot

    with output.steps("snapshot") as show:
        return export_title_snapshot(load_settings(), folder, split=split, progress=show)


def finetune(
    loss: LossName = typer.Option(
        LossName.CROSS_ENTROPY, metavar="LOSS",
        help="cross-entropy, triplet or contrastive over clusters; co-occurrence, tower or tracks over songs.",
    ),
    snapshot: Path | None = typer.Option(
        None, metavar="DIR", help="What `recsys titles snapshot` wrote; without it one is written first."
    ),
    split: str = typer.Option(None, metavar="NAME", help="Split of the snapshot that is written first."),
    result: Path | None = typer.Option(None, "--output", metavar="DIR", help="Where to write the encoder."),
    encoder: str = typer.Option(
        None, metavar="NAME|PATH", help="What to start from, a hub name or a folder; all-MiniLM-L6-v2 by default."
    ),
    epochs: int = typer.Option(20, min=1, metavar="COUNT", help="At most so many; fewer where validation falls."),
    batch_size: int = typer.Option(
        None, min=2, metavar="COUNT", help="Of each process; by default about 256 batches an epoch, 32 to 2,048."
    ),
    learning_rate: float = typer.Option(
        None, min=1e-9, max=1.0, metavar="RATE", help="By default 2e-5, times the root of batch size / 8."
    ),
    patience: int = typer.Option(3, min=1, metavar="COUNT", help="Epochs without a better score before it stops."),
    seed: int = typer.Option(0, min=0, max=2**32 - 1, metavar="NUMBER", help="The same seed, the same weights."),
    device: DeviceName = typer.Option(DeviceName.AUTO, metavar="DEVICE", help="auto, cpu or cuda."),
    fast: bool = typer.Option(False, "--fast", help="Also kernels that give slightly different results each time."),
    as_json: bool = output.JSON,
) -> None:  # fmt: skip
    """Fine-tune the sentence encoder on titles.

    The best epoch on validation is written, and becomes usable by `recsys model import`. With --snapshot and --output
    no database is needed; a machine that has torch only, or several GPUs, runs `python -m recsys.titles.training`.
    """
    from recsys.titles.finetune import FinetuneOptions, require_training
    from recsys.titles.finetune import finetune as train
    from recsys.titles.snapshot import load_title_snapshot

    if snapshot is not None and split is not None:
        raise typer.BadParameter(
            "it is of the snapshot that is written first: leave out --snapshot", param_hint="--split"
        )
    require_training()
    if snapshot is None:
        snapshot = _home() / "snapshots" / (split or "all")
        _export(snapshot, split)
    result = result or _home() / "training" / loss.value
    folder = _encoder_folder(encoder)
    options = FinetuneOptions(
        loss=loss.value,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        patience=patience,
        seed=seed,
        device=device.value,
        deterministic=not fast,
    )
    with output.resumable(False), output.steps("training") as show:
        summary = train(
            folder, load_title_snapshot(snapshot), options, result, base=encoder or folder.name, progress=show
        )
    if as_json:
        output.print_json([summary])
    else:
        _print_training(summary)
    output.note(f"written: {summary.folder}; next: recsys model import {summary.folder}")


def _home() -> Path:
    from recsys.config import load_settings

    return load_settings().home


def _encoder_folder(encoder: str | None) -> Path:
    """The folder of the encoder to start from; only one that is no folder needs settings, or the hub."""
    if encoder is not None and Path(encoder).is_dir():
        return Path(encoder)
    from recsys.config import load_settings
    from recsys.titles.encoder import canonical_name
    from recsys.titles.onnx_export import resolve_source

    settings = load_settings()
    return resolve_source(canonical_name(encoder or settings.encoder, settings.models_folder), output.note).folder


def _print_training(summary: "FinetuneSummary") -> None:
    made = output.table(("on validation", "left"), ("trained", "right"), ("before", "right"))
    output.print_table(
        made,
        [
            (name.replace("_", " "), f"{value:.4f}", f"{summary.before[name]:.4f}" if name in summary.before else "")
            for name, value in summary.scores.items()
        ],
    )
    kept = "the last one kept: no validation part" if summary.best_epoch is None else f"{summary.best_epoch} the best"
    output.note(
        f"{summary.loss}, {summary.examples:,} examples, {summary.epochs} epochs, {kept}, in {summary.seconds:.0f} s"
        f" ({summary.titles_per_second:,.0f} titles/s) on {summary.device}"
    )
