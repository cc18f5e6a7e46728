"""The vote's parameters, fitted on the validation part of a split and kept with the model."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psycopg

from recsys.config import Settings
from recsys.database import connect, require_migrated, translated_errors, writer_lock
from recsys.errors import NotReadyError
from recsys.progress import Progress, silent
from recsys.titles.entries import read_entries
from recsys.titles.profiles import build_profiles
from recsys.titles.recommend import recommender_as_of
from recsys.titles.smoothing import Smoothing
from recsys.titles.splits import split_id

PARAMETERS: dict[str, tuple[float, ...]] = {
    "artist": (0.0, 1.0, 2.0, 3.0, 4.0),
    "temperature": (0.1, 0.15, 0.2, 0.3),
    "learned": (0.0, 0.1, 0.2, 0.3),
    "song": (0.0, 0.3, 0.5, 0.8),
    "titles": (10, 20, 40),
    "smoothing": (-0.3, 0.0, 0.3),
    "spelling": (0.0, 0.6, 0.8, 1.0),
}
"""What is tried for each parameter of the vote; `heard` trades time for quality and is left as it is."""

SMOOTHINGS: dict[str, tuple[float, ...]] = {
    "kernel_share": (0.0, 0.3, 0.5, 0.7),
    "low_rank_share": (0.0, 0.15, 0.3, 0.5),
    "popularity": (-0.1, 0.0, 0.1),
    "neighbour_temperature": (0.1, 0.15, 0.2),
    "neighbour_balance": (0.0, 0.3, 0.6),
}
"""What is tried for the profiles, each with profiles built anew."""

Score = Callable[[int], float]
"""Scores a recommender as it is in the database now; larger is better."""


@dataclass(frozen=True)
class Trial:
    """One setting that was tried and what it scored."""

    name: str
    value: float
    score: float
    is_better: bool


@dataclass(frozen=True)
class TuneSummary:
    """What was chosen. `before` and `after` are the scores of the defaults and of the choice."""

    model_id: int
    before: float
    after: float
    parameters: dict[str, float]
    smoothing: dict[str, float]
    trials: list[Trial]


def tune_titles(
    settings: Settings,
    split: str,
    score: Score,
    *,
    profiles: bool = True,
    progress: Progress = silent,
) -> TuneSummary:
    """Choose the profiles' smoothing and then each parameter of the vote, one after the other, and keep the best.

    The choice is stored with the split's recommender, which is left built with it, and with every other recommender
    of the same encoder, adapted or not as this one is; they take it up when `embed_titles` builds them next.

    Args:
        settings: where the database is.
        split: name of a split for which `embed_titles` was run.
        score: scores a recommender on the validation part, see `recsys.evaluation`.
        profiles: also choose how profiles are smoothed, which builds them anew for each trial.
        progress: called before every trial.

    Raises:
        UnknownNameError: there is no such split.
        NotReadyError: no recommender was built from it, or the split is of the seed protocol.
        BusyError: another process is writing.
    """
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        part_of = split_id(connection, split)
        row = connection.execute("SELECT protocol FROM split WHERE id = %s", (part_of,)).fetchone()
        if row is not None and row[0] != "clean":
            raise NotReadyError(f"the split {split} is of the {row[0]} protocol: fit on a clean one")
        model_id = recommender_as_of(connection, split)
        with writer_lock(connection, settings.db_schema):
            return _Tuning(connection, model_id, part_of, score, profiles, progress).run()


class _Tuning:
    def __init__(
        self,
        connection: psycopg.Connection,
        model_id: int,
        split: int,
        score: Score,
        with_profiles: bool,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._model_id = model_id
        self._entries = read_entries(connection, split)
        self._score = score
        self._with_profiles = with_profiles
        self._progress = progress
        self._trials: list[Trial] = []
        tried = (PARAMETERS, SMOOTHINGS) if with_profiles else (PARAMETERS,)
        self._all = 1 + sum(len(values) for options in tried for values in options.values())

    def run(self) -> TuneSummary:
        row = self._connection.execute("SELECT config FROM model WHERE id = %s", (self._model_id,)).fetchone()
        config: Mapping[str, Any] = row[0] if row else {}
        parameters = dict(config.get("parameters") or {})
        smoothing = Smoothing(**(config.get("smoothing") or {}))
        self._progress("as it is", 0, self._all)
        before = best = self._score(self._model_id)
        if self._with_profiles:
            for name, values in SMOOTHINGS.items():
                built, chosen = getattr(smoothing, name), getattr(smoothing, name)
                for value in values:
                    self._build(_replaced(smoothing, name, value))
                    built = value
                    best, is_better = self._try(name, value, best)
                    chosen = value if is_better else chosen
                smoothing = _replaced(smoothing, name, chosen)
                if built != chosen:
                    self._build(smoothing)
        for name, values in PARAMETERS.items():
            for value in values:
                self._set(parameters | {name: value})
                best, is_better = self._try(name, value, best)
                if is_better:
                    parameters[name] = value
            self._set(parameters)
        self._keep(parameters, smoothing)
        return TuneSummary(self._model_id, before, best, parameters, asdict(smoothing), self._trials)

    def _try(self, name: str, value: float, best: float) -> tuple[float, bool]:
        self._progress(f"{name} {value:g}", 1 + len(self._trials), self._all)
        score = self._score(self._model_id)
        is_better = score > best
        self._trials.append(Trial(name, value, score, is_better))
        return max(score, best), is_better

    def _build(self, smoothing: Smoothing) -> None:
        build_profiles(self._connection, self._model_id, self._entries, smoothing=smoothing)

    def _set(self, parameters: Mapping[str, float]) -> None:
        self._connection.execute(
            "UPDATE model SET config = jsonb_set(config, '{parameters}', %s::jsonb) WHERE id = %s",
            (json.dumps(parameters), self._model_id),
        )
        self._connection.commit()

    def _keep(self, parameters: Mapping[str, float], smoothing: Smoothing) -> None:
        fitted = json.dumps({"parameters": parameters, "smoothing": asdict(smoothing)})
        self._connection.execute(
            "UPDATE model AS m SET config = m.config || %s::jsonb FROM model AS own"
            " WHERE own.id = %s AND m.kind = own.kind AND m.config -> 'encoder' = own.config -> 'encoder'"
            " AND (m.config ? 'adapter') = (own.config ? 'adapter')",
            (fitted, self._model_id),
        )
        self._connection.commit()


def _replaced(smoothing: Smoothing, name: str, value: float) -> Smoothing:
    return Smoothing(**(asdict(smoothing) | {name: value}))


def objective(r_precision: Sequence[float], ndcg: Sequence[float]) -> float:
    """What is maximised: the mean of both metrics, R-precision doubled so that both have about the same spread."""
    return (2 * sum(r_precision) / len(r_precision) + sum(ndcg) / len(ndcg)) / 2
