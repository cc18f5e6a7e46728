"""Trained recommenders of next songs brought home: checked, copied, registered; tracklists stay in their files."""

from dataclasses import dataclass
from pathlib import Path

from recsys.config import Settings
from recsys.progress import Progress, silent
from recsys.registry import Kind
from recsys.sequences.next_channels import FEATURES
from recsys.sequences.next_folder import FILES, load_next_recommender
from recsys.tracklists.taking_up import TrainedFolder, model_name, take_up

KIND: Kind = "next-song"


@dataclass(frozen=True)
class NextSummary:
    """What `import_next_recommender` did."""

    model_id: int
    already_there: bool
    """It was imported before, and only made current now."""
    name: str
    folder: Path
    songs: int
    tracklists: int
    metrics: dict[str, float]
    snapshot_hash: str
    before: str | None


def import_next_recommender(
    settings: Settings, folder: Path, *, name: str | None = None, renews: int | None = None, progress: Progress = silent
) -> NextSummary:
    """Check a trained recommender, copy it into the models' folder and let it answer.

    One that `renews` a model takes its place only while that one answers.

    Raises:
        NotReadyError: the model that it renews does not answer any more.
        SourceError: the folder holds none, a damaged one, or one that was trained on another database.
        SettingsError: the name cannot be one.
    """
    name = model_name(folder, name)
    progress("reading the model", 0, 0)
    trained = load_next_recommender(folder)
    facts = trained.facts
    taken_up = take_up(
        settings,
        TrainedFolder(
            kind=KIND,
            folder=folder,
            files=FILES,
            model="next",
            dimension=len(FEATURES),
            songs=trained.order.songs,
            djs=trained.djs,
            facts=facts,
            read_at=facts.read_at,
        ),
        settings.models_folder / "next" / settings.db_schema / name,
        lambda _connection, _model_id: None,
        (),
        renews=renews,
    )
    return NextSummary(
        model_id=taken_up.model_id,
        already_there=taken_up.already_there,
        name=name,
        folder=taken_up.folder,
        songs=len(trained.order.songs),
        tracklists=len(trained.order.past),
        metrics=facts.metrics,
        snapshot_hash=facts.snapshot_hash,
        before=facts.before,
    )
