"""Which models there are: a folder of files on disk, and a row that says what they are."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import func, select, update

from recsys.config import Settings
from recsys.database import session_scope
from recsys.database.tables import Model

Kind = Literal["title-encoder", "title-recommender", "tracklist-recommender", "tracklist-model", "next-song"]


@dataclass(frozen=True)
class ModelFacts:
    """What a model is. `fingerprint` is a hash of its weights: the same weights are the same model."""

    kind: Kind
    name: str
    dimension: int
    fingerprint: str
    folder: Path
    base: str | None = None
    revision: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    snapshot_hash: str | None = None


def register_model(settings: Settings, facts: ModelFacts) -> int:
    """The id of a model's row, made if there is none; where its files moved, the row follows.

    Facts that are not given leave those that are known.
    """
    with session_scope(settings) as session:
        same = (Model.kind == facts.kind) & (Model.fingerprint == facts.fingerprint)
        model = session.scalars(select(Model).where(same)).one_or_none()
        if model is None:
            last = session.scalar(select(func.coalesce(func.max(Model.id), 0)))
            model = Model(id=(last or 0) + 1, kind=facts.kind, fingerprint=facts.fingerprint)
            session.add(model)
        for name in ("name", "dimension", "base", "revision", "config", "metrics", "snapshot_hash"):
            if (fact := getattr(facts, name)) or getattr(model, name) is None:
                setattr(model, name, fact)
        model.folder = str(facts.folder)
        session.commit()
        return model.id


def make_current(settings: Settings, model_id: int) -> None:
    """Let a model answer where none of its kind is named."""
    with session_scope(settings) as session:
        model = session.get_one(Model, model_id)
        session.execute(update(Model).where(Model.kind == model.kind, Model.is_current).values(is_current=False))
        model.is_current = True
        session.commit()
