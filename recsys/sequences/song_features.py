"""What is known of songs and artists before a sequence network is trained: the graph recommender's or song space's."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from recsys.errors import SettingsError
from recsys.tracklists.graph_snapshot import GraphFacts, GraphSnapshot
from recsys.tracklists.recommender import ARRAYS_FILE, load_recommender
from recsys.tracklists.song_space import song_vectors, units
from recsys.tracklists.sparse_rows import column_sums, ones
from recsys.tracklists.stored_arrays import Floats, Integers, Matrix, matrix_of, read_arrays


@dataclass(frozen=True)
class SongFeatures:
    """Vectors of S songs, A artists and the songs that stand for others."""

    songs: Floats
    """(S, width)."""
    artists: Floats
    """(A, width)."""
    fillers: Integers
    """The song nearest to each DJ, and last the one nearest to all of them, (DJs + 1,)."""
    source: str
    """Hash of the graph recommender's content, or "" for song space."""


def song_features(snapshot: GraphSnapshot, facts: GraphFacts, recommender: Path | None) -> SongFeatures:
    """Features from the folder of a trained TL-MGCCF, or else from song space, for which two cores are enough.

    Raises:
        SettingsError: the recommender is no TL-MGCCF, or was trained on another snapshot.
        SourceError: its folder cannot be read.
    """
    if recommender is None:
        lists = ones(snapshot.lists)
        songs = song_vectors(lists, column_sums(lists))
        return SongFeatures(
            songs, _means(snapshot.credits.T, songs), _nearest(_means(snapshot.plays, units(songs)), songs), ""
        )
    trained = load_recommender(recommender)
    if trained.facts.model != "tl-mgccf":
        raise SettingsError(
            f"{recommender} holds no tl-mgccf: train one with `recsys tracklists train --model tl-mgccf`, or leave"
            " --recommender out"
        )
    if trained.facts.snapshot_hash != facts.content_hash:
        raise SettingsError(
            f"the recommender in {recommender} was trained on another snapshot: train it on this one, or leave"
            " --recommender out"
        )
    arrays = read_arrays(recommender / ARRAYS_FILE)
    artists, likeness = arrays["mgccf.artist_likeness"], arrays["mgccf.song_likeness"]
    # A song's likeness is its own encoding and that of its artists.
    own = likeness - np.asarray(matrix_of(arrays, "mgccf.credits") @ artists) if len(artists) else likeness
    fillers = _nearest(arrays["mgccf.dj_vectors"], arrays["mgccf.song_vectors"])
    return SongFeatures(own.astype(np.float32), artists, fillers, trained.facts.content_hash)


def _means(weights: Matrix, vectors: Floats) -> Floats:
    """Weighted means of the rows of `vectors`; 0 where nothing weighs."""
    weights = weights.tocsr()
    sums = np.asarray(weights.sum(axis=1)).ravel()
    means: Floats = (sparse.diags(1 / np.where(sums > 0, sums, 1)) @ weights @ vectors).astype(np.float32)
    return means


def _nearest(djs: Floats, songs: Floats) -> Integers:
    """The song with the highest cosine to each DJ, and to the mean of all DJs."""
    rows = np.concatenate([djs, units(djs).mean(axis=0, keepdims=True)]) if len(djs) else songs.mean(0, keepdims=True)
    nearest: Integers = np.argmax(units(rows) @ units(songs).T, axis=1).astype(np.int64)
    return nearest
