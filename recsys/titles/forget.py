"""Recommenders that are replaced: their rows, their index, and what was learned for them on disk."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import psycopg

from recsys.config import Settings
from recsys.database import drop_vector_index


def adapters_folder(settings: Settings) -> Path:
    """Where adapters are kept, a folder for each schema."""
    return settings.models_folder / "adapters" / settings.db_schema


def bases_folder(settings: Settings) -> Path:
    """Where title recommenders keep what they were built on, a folder for each schema."""
    return settings.models_folder / "title-recommenders" / settings.db_schema


def delete_recommenders(settings: Settings, connection: psycopg.Connection, ids: Sequence[int]) -> list[Path]:
    """Delete recommenders with all that is theirs; returns the folders that nobody needs once this is committed."""
    rows = connection.execute(
        "DELETE FROM model WHERE id = ANY(%s) RETURNING id, folder, config #>> '{built,folder}'", (list(ids),)
    ).fetchall()
    for model_id, *_ in rows:
        drop_vector_index(connection, "title_embedding", model_id)
    needed = {folder for (folder,) in connection.execute("SELECT folder FROM model")}
    home = adapters_folder(settings)
    unneeded = [Path(folder) for _, folder, _ in rows if folder not in needed and Path(folder).parent == home]
    return unneeded + [bases_folder(settings) / basis for *_, basis in rows if basis is not None]


def remove_folders(folders: Sequence[Path]) -> None:
    """Remove what `delete_recommenders` returned; a folder that is gone already is no error."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
