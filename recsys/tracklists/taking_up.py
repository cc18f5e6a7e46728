"""Folders of trained models brought home: checked against the database, copied, registered, and their tables filled."""

import filecmp
import json
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg

from recsys.config import Settings
from recsys.database import connect, drop_vector_index, require_migrated, translated_errors, writer_lock
from recsys.database.vector_index import EmbeddedTable
from recsys.errors import NotReadyError, SettingsError, SourceError
from recsys.folders import replaced_folder
from recsys.registry import Kind, ModelFacts, make_current, register_model
from recsys.tracklists.prepare import names_hash
from recsys.tracklists.stored_arrays import Integers

FORMER = "SELECT folder FROM model WHERE kind = %s AND (name = %s OR fingerprint = %s)"

IS_FILLED = "SELECT FROM model WHERE id = %s AND profiled_at IS NOT NULL"

IS_CURRENT = "SELECT FROM model WHERE id = %s AND is_current"

# The same model may have been brought up to date since it was taken up first.
PROFILED = "UPDATE model SET profiled_at = coalesce(greatest(profiled_at, %s::timestamptz), now()) WHERE id = %s"


class Facts(Protocol):
    """What the manifest of every trained model says."""

    @property
    def names_hash(self) -> str:
        """Of the songs and DJs of the database that it was trained on."""

    @property
    def content_hash(self) -> str:
        """Of the folder's arrays."""

    @property
    def code_version(self) -> str:
        """Of the code that trained it."""

    @property
    def options(self) -> dict[str, Any]:
        """How it was trained."""

    @property
    def metrics(self) -> dict[str, float]:
        """What training measured."""

    @property
    def snapshot_hash(self) -> str:
        """Of what it was trained on."""


@dataclass(frozen=True)
class TrainedFolder:
    """What a folder of a trained model is, and what it was trained on."""

    kind: Kind
    folder: Path
    files: Sequence[str]
    """Which are copied, the manifest first."""
    model: str
    dimension: int
    songs: Integers
    """Ids in the database; so `djs`."""
    djs: Integers
    facts: Facts
    read_at: str | None = None
    """When the tracklists that its tables are filled from had last changed; None for those of now."""


@dataclass(frozen=True)
class TakenUp:
    """A model's row, and where its files are now."""

    model_id: int
    name: str
    folder: Path
    already_there: bool
    """Its tables were filled before."""


def manifest_of(folder: Path) -> dict[str, Any]:
    """What the manifest of a trained model says, whatever its kind.

    Raises:
        NotReadyError: there is none.
    """
    for file in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError):
            manifest = json.loads(file.read_bytes())
            if isinstance(manifest, dict) and "names_hash" in manifest:
                return manifest
    raise NotReadyError(f"the model's folder {folder} is gone or damaged: run `recsys model import` again")


def model_name(folder: Path, name: str | None) -> str:
    """What a model is to be called, by default as its folder is.

    Raises:
        SettingsError: that cannot be a name.
    """
    name = folder.resolve().name if name is None else name
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise SettingsError(f"{name!r} cannot name a model: use letters, digits, '.', '_' and '-' with --name")
    return name


def take_up(
    settings: Settings,
    trained: TrainedFolder,
    home: Path,
    fill: Callable[[psycopg.Connection, int], None],
    embedded: Sequence[EmbeddedTable],
    *,
    anew: bool = False,
    renews: int | None = None,
) -> TakenUp:
    """Let a trained model answer: copied to `home`, whose name is its own, registered, and its tables filled by `fill`.

    It takes the place of an older one of its kind and name, whose vector indexes in the tables `embedded` are dropped;
    a folder beside `home` that was one of theirs, and that no model refers to any more, is removed. The same one again
    is one model, whose tables are filled once, or `anew`; what was interrupted is run again.

    Raises:
        SourceError: it was trained on another database.
        NotReadyError: the model that it `renews` does not answer any more.
    """
    with translated_errors(), connect(settings) as connection, writer_lock(connection, settings.db_schema):
        require_migrated(connection)
        if renews is not None and connection.execute(IS_CURRENT, (renews,)).fetchone() is None:
            raise NotReadyError("another model took its place meanwhile: it stays")
        if names_hash(connection, trained.songs, trained.djs) != trained.facts.names_hash:
            raise SourceError(
                f"{trained.folder} was trained on another database: its songs and DJs are not those of this one;"
                " prepare and train again"
            )
        for left in home.parent.glob(f".{home.name}.*"):  # by one that was killed
            shutil.rmtree(left, ignore_errors=True)
        former = connection.execute(FORMER, (trained.kind, home.name, trained.facts.content_hash)).fetchall()
        connection.commit()
        if not _is_copy(home, trained):
            home.parent.mkdir(parents=True, exist_ok=True)
            with replaced_folder(home, trained.files[0]) as draft:
                for file in trained.files:
                    shutil.copyfile(trained.folder / file, draft / file)
        facts = ModelFacts(
            trained.kind,
            home.name,
            trained.dimension,
            trained.facts.content_hash,
            home,
            base=trained.model,
            revision=trained.facts.code_version,
            config=trained.facts.options,
            metrics=trained.facts.metrics,
            snapshot_hash=trained.facts.snapshot_hash,
        )
        model_id = register_model(settings, facts)
        already_there = connection.execute(IS_FILLED, (model_id,)).fetchone() is not None
        connection.commit()
        if anew or not already_there:
            fill(connection, model_id)
        make_current(settings, model_id)
        _forget_older(connection, trained.kind, model_id, home.name, embedded)
        _remove_unneeded(connection, [Path(folder) for (folder,) in former], home.parent)
        connection.execute(PROFILED, (trained.read_at, model_id))
        connection.commit()
    return TakenUp(model_id, home.name, home, already_there)


def _is_copy(home: Path, trained: TrainedFolder) -> bool:
    _, different, missing = filecmp.cmpfiles(home, trained.folder, trained.files, shallow=False)
    return not different and not missing


def _forget_older(
    connection: psycopg.Connection, kind: Kind, model_id: int, name: str, embedded: Sequence[EmbeddedTable]
) -> None:
    older = connection.execute(
        "DELETE FROM model WHERE kind = %s AND name = %s AND id <> %s RETURNING id", (kind, name, model_id)
    ).fetchall()
    for (old,) in older:
        for table in embedded:
            drop_vector_index(connection, table, old)
    connection.commit()


def _remove_unneeded(connection: psycopg.Connection, folders: Sequence[Path], home: Path) -> None:
    needed = {Path(folder) for (folder,) in connection.execute("SELECT folder FROM model")}
    connection.commit()
    for folder in folders:
        if folder.parent == home and folder not in needed:
            shutil.rmtree(folder, ignore_errors=True)
