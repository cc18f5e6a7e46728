"""The vote's parameters, fitted on the validation part of a split and kept with the model.

A tuning takes long, so its scores are kept in the model's configuration (`tuning`) until it ends: one that was
interrupted looks them up and goes on. What was there before stands beside them, and is put back by an interruption.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.json import Jsonb

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
    measured: str = "",
    progress: Progress = silent,
) -> TuneSummary:
    """Choose the profiles' smoothing and then each parameter of the vote, one after the other, and keep the best.

    The choice is stored with the split's recommender, which is left built with it, and with every other recommender
    of the same encoder, adapted or not as this one is; they take it up when `embed_titles` builds them next. Until then
    nothing changes: what is interrupted leaves what was there, and goes on when it is run again.

    Args:
        settings: where the database is.
        split: name of a split for which `embed_titles` was run.
        score: scores a recommender on the validation part, see `recsys.evaluation`.
        profiles: also choose how profiles are smoothed, which builds them anew for each trial.
        measured: what the score is of; scores of an interrupted tuning count where this is the same.
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
            return _Tuning(connection, model_id, part_of, score, profiles, measured, progress).run()


class _Tuning:
    def __init__(
        self,
        connection: psycopg.Connection,
        model_id: int,
        split: int,
        score: Score,
        with_profiles: bool,
        measured: str,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._model_id = model_id
        self._score = score
        self._measured = measured
        self._progress = progress
        self._trials: list[Trial] = []
        self._smoothings = SMOOTHINGS if with_profiles else {}
        self._all = 1 + sum(len(values) for tried in (PARAMETERS, self._smoothings) for values in tried.values())
        progress("reading playlists", 0, self._all)
        self._entries = read_entries(connection, split)
        row = connection.execute("SELECT config FROM model WHERE id = %s", (model_id,)).fetchone()
        config: Mapping[str, Any] = row[0] if row else {}
        kept = config.get("tuning") or {}
        self._start = kept.get("start") or {name: config.get(name) or {} for name in ("parameters", "smoothing")}
        self._scores: dict[str, float] = kept["scores"] if kept.get("measured") == measured else {}
        self._set: Mapping[str, float] = config.get("parameters") or {}
        self._built = Smoothing(**(config.get("smoothing") or {}))

    def run(self) -> TuneSummary:
        parameters, smoothing = self._start["parameters"], Smoothing(**self._start["smoothing"])
        # A tuning that was killed has left what it tried.
        self._apply(smoothing, parameters)
        self._connection.execute(
            "CREATE TEMP TABLE former_profile AS SELECT * FROM title_profile WHERE model_id = %s", (self._model_id,)
        )
        self._remember()
        try:
            return self._search(smoothing, parameters)
        except BaseException:
            self._put_back()
            raise

    def _search(self, smoothing: Smoothing, parameters: Mapping[str, float]) -> TuneSummary:
        self._progress("as it is", 0, self._all)
        before = best = self._score_of(smoothing, parameters)
        fitted: dict[str, Any] = dict(self._start["smoothing"])
        for name, values in self._smoothings.items():
            for value in values:
                best, is_better = self._try(name, value, best, _replaced(smoothing, name, value), parameters)
                if is_better:
                    fitted[name] = value
            smoothing = Smoothing(**fitted)
        for name, values in PARAMETERS.items():
            for value in values:
                best, is_better = self._try(name, value, best, smoothing, {**parameters, name: value})
                if is_better:
                    parameters = {**parameters, name: value}
        self._progress("building what was chosen", self._all, self._all)
        self._apply(smoothing, parameters)
        self._keep(parameters, fitted)
        return TuneSummary(self._model_id, before, best, dict(parameters), asdict(smoothing), self._trials)

    def _try(
        self, name: str, value: float, best: float, smoothing: Smoothing, parameters: Mapping[str, float]
    ) -> tuple[float, bool]:
        self._progress(f"{name} {value:g}", 1 + len(self._trials), self._all)
        score = self._score_of(smoothing, parameters)
        is_better = score > best
        self._trials.append(Trial(name, value, score, is_better))
        return max(score, best), is_better

    def _score_of(self, smoothing: Smoothing, parameters: Mapping[str, float]) -> float:
        setting = json.dumps([asdict(smoothing), dict(parameters)], sort_keys=True)
        key = sha256(setting.encode()).hexdigest()[:16]
        if key not in self._scores:
            self._apply(smoothing, parameters)
            self._scores[key] = self._score(self._model_id)
            self._remember()
        return self._scores[key]

    def _apply(self, smoothing: Smoothing, parameters: Mapping[str, float]) -> None:
        """Have the recommender vote by these, and say so in its configuration."""
        if smoothing != self._built:
            self._configure({"smoothing": asdict(smoothing)})
            build_profiles(self._connection, self._model_id, self._entries, smoothing=smoothing)
            self._built = smoothing
        if parameters != self._set:
            self._configure({"parameters": dict(parameters)})
            self._set = parameters
        self._connection.commit()

    def _remember(self) -> None:
        tuning = {"start": self._start, "measured": self._measured, "scores": self._scores}
        self._configure({"tuning": tuning})
        self._connection.commit()

    def _configure(self, changed: Mapping[str, object]) -> None:
        self._connection.execute(
            "UPDATE model SET config = config || %s WHERE id = %s", (Jsonb(changed), self._model_id)
        )

    def _put_back(self) -> None:
        """What was there before, but for the scores; in the middle of a query it is left to the next tuning."""
        connection = self._connection
        if connection.closed or connection.info.transaction_status == TransactionStatus.ACTIVE:
            return
        connection.rollback()
        connection.execute("DELETE FROM title_profile WHERE model_id = %s", (self._model_id,))
        connection.execute("INSERT INTO title_profile SELECT * FROM former_profile")
        self._configure(self._start)
        connection.commit()

    def _keep(self, parameters: Mapping[str, float], smoothing: Mapping[str, float]) -> None:
        self._connection.execute(
            "UPDATE model AS m SET config = (m.config || %s) - 'tuning' FROM model AS own"
            " WHERE own.id = %s AND m.kind = own.kind AND m.config -> 'encoder' = own.config -> 'encoder'"
            " AND (m.config ? 'adapter') = (own.config ? 'adapter')",
            (Jsonb({"parameters": parameters, "smoothing": smoothing}), self._model_id),
        )
        self._connection.commit()


def _replaced(smoothing: Smoothing, name: str, value: float) -> Smoothing:
    return Smoothing(**(asdict(smoothing) | {name: value}))


def objective(r_precision: Sequence[float], ndcg: Sequence[float]) -> float:
    """What is maximised: the mean of both metrics, R-precision doubled so that both have about the same spread."""
    return (2 * sum(r_precision) / len(r_precision) + sum(ndcg) / len(ndcg)) / 2
