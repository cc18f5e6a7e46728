"""Everything brought up to date in one go: what sources have that is new, and then what answers.

Nothing is trained: title recommenders and recommenders of tracklists answer from what there is now by what they learned
before, and what learned from too little of it is named.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple

import psycopg

from recsys.catalog.ingestion import Progress as Loading
from recsys.catalog.known import UNCHANGED, KnownPath, Reread, reread
from recsys.config import Settings
from recsys.database import build_vector_index, connect, refresh_lock, require_migrated, translated_errors, writer_lock
from recsys.errors import BusyError, RecsysError
from recsys.progress import Progress, silent
from recsys.sequences.imported_next import import_next_recommender
from recsys.sequences.next_folder import renew_next_recommender
from recsys.titles.encoder import short_name
from recsys.titles.refresh import STALE_SHARE, TitleRefresh, refresh_titles
from recsys.tracklists.folding import fold_in_djs, fold_in_songs
from recsys.tracklists.graph_snapshot import GraphFacts, GraphSnapshot, load_graph_snapshot
from recsys.tracklists.imported import EMBEDDED, import_recommender
from recsys.tracklists.learned import Learned, learned_of
from recsys.tracklists.prepare import GraphOptions, prepare_graph
from recsys.tracklists.recommend import TracklistKind
from recsys.tracklists.recommender import load_recommender, renew_recommender
from recsys.tracklists.running_order import RunningOrder, load_running_order
from recsys.tracklists.taking_up import manifest_of

State = Literal["refreshed", "unchanged", "left", "failed"]

ANSWERING = """
SELECT m.id, m.kind, m.name, m.base, m.folder,
       m.profiled_at IS NULL
       OR coalesce(m.profiled_at < (SELECT max(r.tracklists_changed_at) FROM ingest_run AS r), false)
  FROM model AS m
 WHERE m.is_current AND m.kind IN ('tracklist-recommender', 'next-song', 'tracklist-model')
 ORDER BY m.id
"""

TRACKLISTS = "SELECT count(*) FROM tracklist"


@dataclass(frozen=True)
class Refreshed:
    """What became of a source, or of something that answers."""

    subject: str
    name: str
    state: State
    found: str
    """What was done, or why nothing was."""
    advice: str | None = None
    """What to run where it learned from too little of what there is now."""


def refresh(
    settings: Settings,
    *,
    whole: bool = False,
    sources: bool = True,
    loading: Callable[[KnownPath], Loading] = lambda _known: lambda _bytes, _counts: None,
    progress: Progress = silent,
) -> Iterator[Refreshed]:
    """Load what is new, and bring everything that answers up to date with it, one after the other.

    Args:
        settings: where the database and the models are.
        whole: work everything out anew, also what did not change.
        sources: load what is new in everything that was loaded before.
        loading: called for each source that is read; what it returns is called after every batch.
        progress: called as other work goes on.

    Raises:
        BusyError: another refresh is running, or another process is writing.
        DatabaseError: the database is out of reach or not set up.
    """
    with translated_errors(), connect(settings) as connection, refresh_lock(connection, settings.db_schema):
        require_migrated(connection)
        connection.commit()
        if sources:
            yield from map(_source, reread(settings, loading))
        yield from _titles(settings, connection, whole, progress)
        yield from _Tracklists(settings, connection, whole, progress).refresh()


def _source(read: Reread) -> Refreshed:
    name = f"{read.source}, {Path(read.path).name}"
    if read.left == UNCHANGED:
        return Refreshed("source", name, "unchanged", "")
    if read.summary is None:
        return Refreshed("source", name, "failed" if read.is_wrong else "left", read.left or "")
    counts = read.summary.counts
    found = f"lists: {counts.stored:,} new, {counts.replaced:,} changed, {counts.already_there:,} as they were"
    if counts.rejected + counts.entries_rejected:
        found += f"; rejected: {counts.rejected + counts.entries_rejected:,}"
    return Refreshed("source", name, "refreshed" if counts.stored + counts.replaced else "unchanged", found)


def _titles(settings: Settings, connection: psycopg.Connection, whole: bool, progress: Progress) -> Iterator[Refreshed]:
    try:
        done = refresh_titles(settings, connection, progress, whole=whole)
    except BusyError:
        raise
    except RecsysError as error:
        connection.rollback()
        yield Refreshed("titles", "title recommender", "failed", str(error))
        return
    if done is not None:
        yield _title(short_name(done.name, settings.models_folder), done)


def _title(name: str, done: TitleRefresh) -> Refreshed:
    found = (
        f"playlists new or changed: {done.changed:,}; titles embedded: {done.embedded:,}; profiles: {done.profiles:,}"
        if done.profiles
        else ""
    )
    advice = None
    if done.is_stale:
        share = f"{done.later / done.playlists:.0%}"
        advice = f"it learned before {share} of the playlists were there: run `recsys titles embed`"
    return Refreshed("titles", name, "refreshed" if done.profiles else "unchanged", found, advice)


class _Model(NamedTuple):
    id: int
    kind: TracklistKind
    name: str
    base: str | None
    folder: str
    is_behind: bool


class _Read(NamedTuple):
    """The tracklists of now, as a model reads them."""

    snapshot: GraphSnapshot
    order: RunningOrder
    facts: GraphFacts


SUBJECTS: dict[TracklistKind, str] = {
    "tracklist-recommender": "tracklists",
    "next-song": "next songs",
    "tracklist-model": "lists in order",
}

TRAIN: dict[TracklistKind, str] = {
    "tracklist-recommender": "recsys tracklists train",
    "next-song": "recsys tracklists train --model next",
    "tracklist-model": "recsys tracklists train --model tl-lstm",
}


@contextmanager
def _own_folder(settings: Settings, connection: psycopg.Connection) -> Iterator[Path]:
    """A folder of the holder of a database's refresh lock, in which one that was killed leaves nothing for ever."""
    database = f"{connection.info.dsn}\n{settings.db_schema}".encode()
    folder = settings.models_folder / f".refresh-{blake2b(database, digest_size=8).hexdigest()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Tracklists:
    """The models of tracklists, which share a reading of them."""

    def __init__(self, settings: Settings, connection: psycopg.Connection, whole: bool, progress: Progress) -> None:
        self._settings = settings
        self._connection = connection
        self._whole = whole
        self._progress = progress
        self._reads: dict[GraphOptions, _Read] = {}

    def refresh(self) -> Iterator[Refreshed]:
        models = [_Model(*row) for row in self._connection.execute(ANSWERING)]
        self._connection.commit()
        with _own_folder(self._settings, self._connection) as self._folder:
            for model in models:
                try:
                    yield self._refresh(model)
                except BusyError:
                    raise
                except RecsysError as error:
                    self._connection.rollback()
                    yield Refreshed(SUBJECTS[model.kind], model.name, "failed", str(error))

    def _refresh(self, model: _Model) -> Refreshed:
        subject, home = SUBJECTS[model.kind], Path(model.folder)
        manifest = manifest_of(home)
        if manifest.get("before"):
            said = f"it was trained to be measured, on tracklists before {manifest['before']}"
            return Refreshed(subject, model.name, "left", said, f"run `{TRAIN[model.kind]}` on all of them")
        learned = learned_of(manifest)
        advice = self._advice(model.kind, learned)
        if not model.is_behind and not self._whole:
            return Refreshed(subject, model.name, "unchanged", "", advice)
        if model.kind == "tracklist-model":
            found = self._placed(model)
        elif model.kind == "next-song":
            found = self._next(model, home, GraphOptions(**learned.graph))
        elif model.base == "blend":
            found = self._blend(model, home, GraphOptions(**learned.graph))
        else:
            found = self._folded(model, home)
        return Refreshed(subject, model.name, "refreshed", found, advice)

    def _advice(self, kind: TracklistKind, learned: Learned) -> str | None:
        share = 1 - learned.tracklists / max(self._tracklists, 1)
        if not learned.day or share <= STALE_SHARE:
            return None
        return f"it learned on {learned.day} before {share:.0%} of the tracklists were there: run `{TRAIN[kind]}`"

    @cached_property
    def _tracklists(self) -> int:
        """How many there are of which something can be learned."""
        [(tracklists,)] = self._connection.execute(TRACKLISTS).fetchall()
        self._connection.commit()
        return int(tracklists)

    def _read(self, options: GraphOptions) -> _Read:
        if options not in self._reads:
            graphs = self._folder / f"graphs-{len(self._reads)}"
            prepare_graph(self._settings, graphs, options=options, progress=self._progress)
            snapshot, facts = load_graph_snapshot(graphs)
            self._reads[options] = _Read(snapshot, load_running_order(graphs, facts.content_hash), facts)
        return self._reads[options]

    def _blend(self, model: _Model, home: Path, options: GraphOptions) -> str:
        snapshot, _, facts = self._read(options)
        self._progress("placing songs", 0, 0)
        renewed = self._folder / "recommender"
        renew_recommender(home, snapshot, facts, renewed)
        made = import_recommender(
            self._settings, renewed, name=model.name, anew=self._whole, renews=model.id, progress=self._progress
        )
        return f"answers from {facts.tracklists:,} tracklists, {made.songs:,} songs, {made.djs:,} DJs"

    def _next(self, model: _Model, home: Path, options: GraphOptions) -> str:
        snapshot, order, facts = self._read(options)
        renewed = self._folder / "next"
        renew_next_recommender(home, snapshot, order, facts, renewed)
        made = import_next_recommender(
            self._settings, renewed, name=model.name, renews=model.id, progress=self._progress
        )
        return f"answers from {made.tracklists:,} tracklists, {made.songs:,} songs"

    def _folded(self, model: _Model, home: Path) -> str:
        trained = load_recommender(home)
        vectors = trained.recommender.vectors
        with writer_lock(self._connection, self._settings.db_schema):
            self._progress("placing new songs and DJs", 0, 0)
            songs = fold_in_songs(
                self._connection, model.id, "song_embedding", trained.songs[vectors.songs.any(axis=1)]
            )
            if vectors.likeness is not None:
                learned = trained.songs[vectors.likeness.any(axis=1)]
                fold_in_songs(self._connection, model.id, "song_likeness", learned)
            djs = fold_in_djs(self._connection, model.id, trained.djs[vectors.djs.any(axis=1)])
            for table in EMBEDDED:
                build_vector_index(self._connection, table, model.id)
            self._finish(model)
        return f"{songs:,} songs and {djs:,} DJs that it never saw are placed among those that it knows"

    def _placed(self, model: _Model) -> str:
        with writer_lock(self._connection, self._settings.db_schema):
            self._progress("placing DJs", 0, 0)
            djs = fold_in_djs(self._connection, model.id)
            self._finish(model)
        return f"{djs:,} DJs stand where their songs of now do; it makes lists of songs that it learned"

    def _finish(self, model: _Model) -> None:
        self._connection.execute("UPDATE model SET profiled_at = now() WHERE id = %s", (model.id,))
        self._connection.commit()
