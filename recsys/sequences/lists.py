"""Lists by songs, a DJ, likes or a title: names read, made, and told with what each song was chosen by."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import psycopg
from psycopg.rows import dict_row

from recsys.catalog import ListedTrack, NamedDj, NamedSong
from recsys.device import one_thread
from recsys.errors import SettingsError, UnknownNameError
from recsys.titles import Filters, recommend
from recsys.tracklists.recommend import PLAYED, read_model, tracklist_model

if TYPE_CHECKING:
    from recsys.sequences.candidates import Liking
    from recsys.sequences.generate import Wanted
    from recsys.sequences.sequence_model import TrainedSequence

CANDIDATES = 1000
"""Songs that a list may be made of, of a long one `CANDIDATES_A_SONG` for each song."""
CANDIDATES_A_SONG = 4

TITLE_SEEDS = 10
"""Songs that a title votes for, of those that the model knows, whose mean a list is to be near to."""
TITLE_VOTES = 200
"""Songs among which these are looked for."""

NAMES = """
SELECT s.id AS song_id, st.track_id, s.title, s.version, s.artist, t.uri, t.duration_ms
  FROM song AS s LEFT JOIN song_stats AS st ON st.song_id = s.id LEFT JOIN track AS t ON t.id = st.track_id
 WHERE s.id = ANY(%s::bigint[])
"""

ALIKE = """
SELECT s.id, s.artist, s.title, s.version
  FROM song_embedding AS e JOIN song AS s ON s.id = e.song_id
 WHERE e.model_id = %s
 ORDER BY similarity(concat_ws(' ', s.artist, s.title, s.version), %s) DESC, s.id
 LIMIT 3
"""

ALIKE_DJS = """
SELECT d.name FROM dj_embedding AS e JOIN dj AS d ON d.id = e.dj_id
 WHERE e.model_id = %s
 ORDER BY similarity(d.name, %s) DESC, d.id
 LIMIT 3
"""

HAS_DJ = "SELECT EXISTS (SELECT FROM dj_embedding AS e WHERE e.model_id = %s AND e.dj_id = %s)"


@dataclass
class GeneratedTrack(ListedTrack):
    """A song of a list, and what it was chosen by. Its score is the sum of the log probabilities."""

    list_number: int
    """From 1."""
    seed_score: float
    """Nearness to the seed songs, 0 to 2."""
    user_score: float | None
    """Nearness to the DJ or the likes, 0 to 2.2; None where the list is for nobody."""
    log_probabilities: list[float]
    """Of the song's clusters from the top level down, and of the song."""


class ListsOnDemand(Sequence[list[GeneratedTrack]]):
    """Lists that are made each time they are asked for, so that thousands of them need no room."""

    def __init__(self, count: int, tracks_of: Callable[[int], list[GeneratedTrack]]) -> None:
        """Take how many there are, and what makes one by its number from 0."""
        self._rows = range(count)
        self._tracks_of = tracks_of

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> list[GeneratedTrack]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[GeneratedTrack]]: ...
    def __getitem__(self, index: int | slice) -> list[GeneratedTrack] | list[list[GeneratedTrack]]:
        if isinstance(index, slice):
            return [self._tracks_of(row) for row in self._rows[index]]
        return self._tracks_of(self._rows[index])


@dataclass(frozen=True)
class GeneratedLists:
    """Lists, and what did not go as it was asked for."""

    lists: Sequence[list[GeneratedTrack]]
    levels: tuple[str, ...]
    """What the log probabilities are of."""
    halved: dict[str, int]
    """How often the threshold of a level left nothing, and was halved until something was left; only where it was."""


def loaded_model(connection: psycopg.Connection, name: str | None = None) -> "tuple[int, TrainedSequence]":
    """A tracklist model by its name, the current one if None, read once and kept while its folder does not change.

    Raises:
        UnknownNameError: there is none of that name.
        NotReadyError: there is none at all, or its folder is gone or damaged.
    """
    model_id = tracklist_model(connection, name, "tracklist-model")
    return model_id, read_model(connection, model_id, _loaded)


@lru_cache(maxsize=2)
def _loaded(folder: Path, _fingerprint: str) -> "TrainedSequence":
    from recsys.sequences.sequence_model import load_sequence_model

    return load_sequence_model(folder)


def generate_lists(
    connection: psycopg.Connection, liking: "Liking", wanted: "Wanted", *, model: str | None = None
) -> GeneratedLists:
    """Lists of songs in an order that a DJ would play.

    Raises:
        UnknownNameError: the model does not know a song that the lists are to begin with.
        SettingsError: they are to be longer than what the model knows, or shorter than what they begin with.
        NotReadyError: there is no model.
    """
    import numpy as np

    from recsys.sequences.candidates import read_candidates
    from recsys.sequences.generate import generate
    from recsys.tracklists.stored_arrays import rows_of

    model_id, trained = loaded_model(connection, model)
    if wanted.length > len(trained.songs):
        raise SettingsError(f"a list of {wanted.length:,} songs is too long: the model knows {len(trained.songs):,}")
    candidates = read_candidates(
        connection,
        model_id,
        trained.songs,
        trained.model.sizes,
        liking,
        user_weight=wanted.knobs.user_weight,
        n=max(CANDIDATES, CANDIDATES_A_SONG * wanted.length),
        has_artists=wanted.max_per_artist is not None,
    )
    if liking.dj_id is not None:
        wanted = replace(wanted, dj=int(rows_of(np.array([liking.dj_id]), trained.djs)[0]))
    with one_thread():
        made = generate(trained.model, candidates, wanted)
    ids = trained.songs[candidates.songs]
    names = _names(connection, ids[np.unique(made.songs[made.songs >= 0])].tolist())

    def tracks_of(row: int) -> list[GeneratedTrack]:
        logs_of_songs = zip(made.songs[row].tolist(), made.log_probabilities[row].tolist(), strict=True)
        return [
            GeneratedTrack(
                **names[int(ids[place])],
                rank=rank,
                score=math.fsum(logs),
                list_number=row + 1,
                seed_score=float(candidates.seed_scores[place]),
                user_score=None if candidates.user_scores is None else float(candidates.user_scores[place]),
                log_probabilities=logs,
            )
            for rank, (place, logs) in enumerate(logs_of_songs, start=1)
            if place >= 0
        ]

    levels = (*(f"{size} clusters" for size in reversed(trained.model.sizes)), "songs")
    halved = {level: count for level, count in zip(levels, made.halved.tolist(), strict=True) if count}
    return GeneratedLists(ListsOnDemand(len(made.songs), tracks_of), levels, halved)


def _names(connection: psycopg.Connection, songs: Sequence[int]) -> dict[int, dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return {row["song_id"]: row for row in cursor.execute(NAMES, (list(songs),))}


def known_songs(connection: psycopg.Connection, model: str | None = None) -> set[int]:
    """Ids of the songs that a model knows."""
    return set(loaded_model(connection, model)[1].songs.tolist())


def require_known(connection: psycopg.Connection, song: NamedSong, model: str | None = None) -> None:
    """Refuse a song that a model does not know.

    Raises:
        UnknownNameError: the message lists the nearest ones of those that it knows.
    """
    model_id, trained = loaded_model(connection, model)
    if song.id in trained.songs:
        return
    alike = (NamedSong(*row) for row in connection.execute(ALIKE, (model_id, str(song))))
    nearest = ", ".join(f'"{there}"' for there in alike)
    raise UnknownNameError(f"the model does not know {song}, which is played too rarely; the nearest are: {nearest}")


def liking_of_dj(
    connection: psycopg.Connection, dj: NamedDj, model: str | None = None
) -> tuple[int | None, dict[int, float]]:
    """A DJ by id, where the model knows him, or else the songs that he played with how often; for a `Liking`.

    Raises:
        UnknownNameError: it knows none of his songs; the message lists the nearest DJs whom it knows.
    """
    model_id, _ = loaded_model(connection, model)
    if connection.execute(HAS_DJ, (model_id, dj.id)).fetchone() == (True,):
        return dj.id, {}
    known = known_songs(connection, model)
    liked: dict[int, float] = {}
    for _, song, _ in connection.execute(PLAYED, (dj.id,)):
        if song in known:
            liked[song] = liked.get(song, 0) + 1
    if not liked:
        nearest = ", ".join(f'"{name}"' for (name,) in connection.execute(ALIKE_DJS, (model_id, dj.name)))
        raise UnknownNameError(f"the model knows no song that {dj.name} played; the nearest DJs are: {nearest}")
    return None, liked


def title_seeds(
    connection: psycopg.Connection, title: str, filters: Filters, model: str | None = None
) -> dict[int, float]:
    """The songs of a title's vote that a model knows, with their scores, best first.

    Raises:
        UnknownNameError: there is none, or the title is blank.
        NotReadyError: no titles are embedded yet.
    """
    known = known_songs(connection, model)
    voted = recommend(connection, title, TITLE_VOTES, filters=filters).tracks
    seeds = {track.song_id: track.score for track in voted if track.song_id in known}
    if not seeds:
        raise UnknownNameError(
            f"of the songs that {title!r} stands for the model knows none: name songs with --seed instead"
        )
    return dict(list(seeds.items())[:TITLE_SEEDS])
