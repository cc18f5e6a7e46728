"""Trained encoders brought home: checked, copied, exported and registered; and which of all models answers."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from recsys.config import Settings
from recsys.database import connect, require_migrated, translated_errors
from recsys.errors import NotReadyError, SettingsError, SourceError, UnknownNameError
from recsys.folders import replaced_folder
from recsys.registry import ModelFacts, make_current, register_model
from recsys.titles.encoder import canonical_name, prepare_encoder, short_name, trained_folder
from recsys.titles.finetune import KIND, LAYOUT, TRAINING_FILE, file_hash

MODELS = """
SELECT m.id, m.kind, m.name, m.base, m.dimension, m.is_current, m.metrics, m.config, m.snapshot_hash, m.folder,
       m.created_at, m.profiled_at
  FROM model AS m
 ORDER BY m.id
"""

USABLE = """
SELECT DISTINCT ON (m.kind) m.id, m.kind, m.name, m.folder, m.profiled_at IS NOT NULL, m.config
  FROM model AS m
 WHERE CASE m.kind
         WHEN 'title-encoder' THEN false
         WHEN 'title-recommender'
           THEN m.config ->> 'split' IS NULL AND (m.name = ANY(%(titled)s) OR m.id::text = %(name)s)
         ELSE m.name = %(name)s OR m.id::text = %(name)s END
 ORDER BY m.kind, m.profiled_at DESC NULLS LAST, m.id DESC
"""

ADAPTED = ", adapted"
"""What follows the encoder's name in that of a recommender of adapted vectors."""


@dataclass(frozen=True)
class ImportSummary:
    """What `import_model` did."""

    model_id: int
    name: str
    folder: Path
    base: str
    loss: str
    dimension: int
    metrics: dict[str, float]
    snapshot_hash: str


@dataclass(frozen=True)
class ModelRow:
    """A registered model."""

    id: int
    kind: str
    name: str
    base: str | None
    dimension: int
    is_current: bool
    metrics: dict[str, Any]
    config: dict[str, Any]
    snapshot_hash: str | None
    folder: str
    created_at: datetime
    profiled_at: datetime | None


def check_training(folder: Path) -> dict[str, Any]:
    """What `training.json` says, once every file that it lists is what it was.

    Raises:
        SourceError: the folder holds no trained encoder, or a damaged one; the message names the file.
    """
    try:
        record: dict[str, Any] = json.loads((folder / TRAINING_FILE).read_bytes())
        layout, kind, files = record["layout"], record["kind"], dict(record["files"])
        needed = ("base", "dimension", "options", "snapshot", "code_version", "metrics")
        missing = [name for name in needed if name not in record]
    except OSError:
        raise SourceError(
            f"{folder} holds no trained model: name what `recsys titles finetune` or `recsys tracklists train` wrote"
        ) from None
    except (ValueError, TypeError, KeyError):
        raise SourceError(f"{folder / TRAINING_FILE} cannot be read: copy the folder again") from None
    if (layout, kind) != (LAYOUT, KIND) or missing:
        raise SourceError(f"{folder} was written by another version of recsys: train again with this one")
    for name, content_hash in files.items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise SourceError(f"{folder / TRAINING_FILE} names a file outside its folder: {name}")
        file = folder / name
        if not file.is_file() or file_hash(file) != content_hash:
            raise SourceError(f"{file} is missing or damaged: copy the folder again")
    return record


def import_model(
    settings: Settings, folder: Path, *, name: str | None = None, progress: Callable[[str], None] = lambda _step: None
) -> ImportSummary:
    """Check a trained encoder, copy it into the models' folder, export it to ONNX and register it under a name.

    The same folder imported twice is one model.

    Args:
        settings: where the database and the models are.
        folder: what `finetune` wrote.
        name: letters, digits, `.`, `_` and `-`; the folder's name if None.
        progress: receives one line for each step that takes seconds.

    Raises:
        SourceError: the folder holds no trained encoder, or a damaged one.
        SettingsError: the name is taken or cannot be one.
        EncoderError: the encoder cannot be exported faithfully.
    """
    name = folder.resolve().name if name is None else name
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise SettingsError(f"{name!r} cannot name a model: use letters, digits, '.', '_' and '-' with --name")
    record = check_training(folder)
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
    home = trained_folder(settings.models_folder) / name
    if not home.exists():
        progress("copying")
        home.parent.mkdir(parents=True, exist_ok=True)
        with replaced_folder(home, TRAINING_FILE) as draft:
            for file in (TRAINING_FILE, *record["files"]):
                (draft / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / file, draft / file)
    elif (
        not (home / TRAINING_FILE).is_file()
        or (home / TRAINING_FILE).read_bytes() != (folder / TRAINING_FILE).read_bytes()
    ):
        raise SettingsError(f"there is a model {name!r} already: choose another name with --name")
    encoder = prepare_encoder(name, settings.models_folder, progress)
    facts = ModelFacts(
        "title-encoder",
        encoder.name,
        encoder.dimension,
        encoder.fingerprint,
        encoder.folder,
        base=record["base"],
        revision=record["code_version"],
        config=record["options"],
        metrics=record["metrics"],
        snapshot_hash=record["snapshot"]["content_hash"],
    )
    model_id = register_model(settings, facts)
    return ImportSummary(
        model_id=model_id,
        name=name,
        folder=home,
        base=record["base"],
        loss=record["options"]["loss"],
        dimension=encoder.dimension,
        metrics=record["metrics"],
        snapshot_hash=record["snapshot"]["content_hash"],
    )


def list_models(settings: Settings) -> list[ModelRow]:
    """All registered models, the oldest first."""
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        return [ModelRow(*row) for row in connection.execute(MODELS)]


@dataclass(frozen=True)
class UsedModel:
    """What `use_model` made current."""

    id: int
    kind: str
    name: str


def use_model(settings: Settings, name: str) -> UsedModel:
    """Let a recommender that was imported or embedded before answer where none of its kind is named.

    Args:
        settings: where the database and the models are.
        name: a tracklist model's name, an encoder's (its recommender that was built last is meant), or an id.

    Raises:
        UnknownNameError: there is none of that name, or there are several.
        NotReadyError: it is an encoder that has embedded no titles, or its import was interrupted.
    """
    encoder = canonical_name(name.removesuffix(ADAPTED), settings.models_folder)
    titled = [encoder + ADAPTED] if name.endswith(ADAPTED) else [encoder, encoder + ADAPTED]
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        found = connection.execute(USABLE, {"name": name, "titled": titled}).fetchall()
        is_encoder = "SELECT FROM model WHERE kind = 'title-encoder' AND name = %s"
        if not found and connection.execute(is_encoder, (encoder,)).fetchone() is not None:
            raise NotReadyError(f"{name} has embedded no titles: run `recsys titles embed --encoder {name}`")
    if len(found) != 1:
        listed = " or ".join(f"{model_id} ({kind})" for model_id, kind, *_ in found)
        raise UnknownNameError(
            f"several models are called {name!r}: name one by its id, {listed}"
            if found
            else f"no recommender is called {name!r}: see `recsys model list`"
        )
    [(model_id, kind, own_name, folder, is_whole, config)] = found
    if not is_whole:
        again = "recsys titles embed" if kind == "title-recommender" else f"recsys model import {folder}"
        raise NotReadyError(f"what {name} answers from is not in tables whole: run `{again}`")
    if kind == "title-recommender":
        make_current(settings, config["encoder"])
    make_current(settings, model_id)
    return UsedModel(model_id, kind, short_name(own_name, settings.models_folder))
