"""TL-MGCCF: songs, artists and DJs as vectors that two graph networks made of what was played (MODELS B2 to B4).

After G. Meehan's Tracklist Generator (2021), which builds on Multi-GCCF (Sun et al., arXiv 2001.00267). Here is what a
trained model answers, by numpy and scipy alone, every node with its full weighted neighbourhood instead of a draw;
`mgccf_training` trains it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from recsys.device import Device
from recsys.errors import NotReadyError
from recsys.tracklists.graph_snapshot import GraphSnapshot, Ids
from recsys.tracklists.song_space import units
from recsys.tracklists.sparse_rows import unit_rows
from recsys.tracklists.stored_arrays import Arrays, Floats, Matrix, matrix_arrays, matrix_of

Weights = Mapping[str, Floats]
Part = Literal["artists", "factorisation", "multi-graph"]
Half = Literal["song", "artist"]
Layer = Literal["first", "second"]
Side = Literal["dj", "item"]

HALVES: tuple[Half, ...] = ("song", "artist")


@dataclass(frozen=True)
class MgccfOptions:
    """How a model is built and trained. The defaults are the published ones."""

    embedding: int = 64
    """Size of the initial embeddings, which both halves share."""
    hidden: int = 48
    """Of the first layer of a half."""
    output: int = 32
    """Of the second one and of the graphs' encodings; a DJ's vector is two of these."""
    first_draws: int = 15
    """Neighbours that a node draws in the first layer."""
    second_draws: int = 10
    epochs: int = 600
    steps: int = 20
    """Of an epoch."""
    batch_size: int = 250
    learning_rate: float = 1e-3
    dropout: float = 0.3
    """Of drawn neighbours, of their encoded mean and of what a layer joins."""
    song_song: float = 10.0
    """Weight of a factorisation in the loss; of songs of the batch against all songs."""
    artist_artist: float = 6.0
    song_artist: float = 20.0
    artist_song: float = 8.0
    zero_weight: float = 0.05
    """Of pairs that never stand together, in a factorisation."""
    norm_weight: float = 500 * 1e-4
    """Of the mean squares of the vectors that the loss compares."""
    l2: float = 1e-4
    """Of the squares of the kernels."""
    seed: int = 0
    device: Device = "auto"
    without: tuple[Part, ...] = ()
    """What is left out, to see what it brings: the artists' half, the factorisation, or the graphs' neighbours."""


@dataclass(frozen=True)
class Graphs:
    """What the model reads of a snapshot. S songs, A artists (none where they are left out), U DJs who have clicks."""

    trained: npt.NDArray[np.int64]
    """Places of the DJs who have clicks, among the snapshot's."""
    clicks: Matrix
    """log(plays), (U, S)."""
    played: Matrix
    """Not zero where a DJ played a song at all, (U, S)."""
    credits: Matrix
    """(S, A); rows have sum 1 or 0."""
    artist_clicks: Matrix
    """clicks @ credits, (U, A)."""
    song: Matrix
    """Co-occurrence of songs, as it was prepared, (S, S); `artist` (A, A), `song_artist` (S, A)."""
    artist: Matrix
    song_artist: Matrix
    dj: Matrix
    """Cosine of binary click rows, (U, U)."""

    @property
    def halves(self) -> tuple[Half, ...]:
        """The artists' one needs an artist."""
        return HALVES if self.credits.shape[1] else HALVES[:1]

    def clicks_of(self, half: Half) -> Matrix:
        """Of DJs on songs or artists."""
        return self.clicks if half == "song" else self.artist_clicks


def graphs_of(snapshot: GraphSnapshot, without: tuple[Part, ...] = ()) -> Graphs:
    """The matrices that the model reads.

    Raises:
        NotReadyError: there are no songs, or no DJ has clicks.
    """
    trained = np.flatnonzero(np.diff(snapshot.clicks.tocsr().indptr))
    if not len(snapshot.songs) or not len(trained):
        raise NotReadyError(
            "no DJ of the graph played enough songs more than once: load more tracklists with `recsys ingest`, then run"
            " `recsys tracklists prepare` again"
        )
    artists = slice(0, 0 if "artists" in without else len(snapshot.artists))
    clicks = snapshot.clicks[trained].tocsr().astype(np.float32)
    credited = snapshot.credits[:, artists].tocsr().astype(np.float32)
    return Graphs(
        trained=trained,
        clicks=clicks,
        played=(snapshot.plays[trained] + clicks).tocsr(),
        credits=credited,
        artist_clicks=(clicks @ credited).tocsr(),
        song=snapshot.song_song.tocsr(),
        artist=snapshot.artist_artist[artists, artists].tocsr(),
        song_artist=snapshot.song_artist[:, artists].tocsr(),
        dj=snapshot.dj_dj[trained][:, trained].tocsr(),
    )


def normalised(graph: Matrix) -> Matrix:
    """D^-1/2 (A + I) D^-1/2, D the row sums of A + I; symmetric as A is, (nodes, nodes)."""
    with_self = (graph + sparse.identity(graph.shape[0])).tocsr()
    scale = sparse.diags(1 / np.sqrt(np.asarray(with_self.sum(axis=1)).ravel()))
    return (scale @ with_self @ scale).tocsr().astype(np.float32)


def shares(matrix: Matrix) -> Matrix:
    """Rows over their sums; what is empty stays so."""
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    return (sparse.diags(1 / np.where(sums > 0, sums, 1)) @ matrix).tocsr().astype(np.float32)


def drawn_shares(matrix: Matrix, draws: int, random: np.random.Generator) -> Matrix:
    """Rows over their sums, each told by `draws` of its entries, with replacement, in proportion to them."""
    lengths = np.diff(matrix.indptr)
    rows = np.flatnonzero(lengths)
    row = np.repeat(np.arange(len(lengths)), lengths)
    within = np.cumsum(matrix.data, dtype=np.float64)
    before = np.concatenate([[0.0], within])[matrix.indptr]
    places = row + (within - before[row]) / np.maximum(np.diff(before), 1e-12)[row]
    found = np.searchsorted(places, rows[:, None] + random.random((len(rows), draws)), side="right")
    drawn = matrix.indices[np.minimum(found, matrix.indptr[rows + 1][:, None] - 1)]
    values = np.full(drawn.size, 1 / draws, dtype=np.float32)
    return sparse.csr_matrix((values, (np.repeat(rows, draws), drawn.ravel())), shape=matrix.shape)


def layer(weights: Weights, name: Layer, half: int, side: Side, own: Floats, neighbours: Floats) -> Floats:
    """tanh([own; tanh(neighbours Q)] W): a layer of the Bipar-GCN on nodes (n, in) and their neighbours' means."""
    group = 2 * half + (side == "item")
    told = np.tanh(neighbours @ weights[f"{name}.neighbours"][group])
    mixed: Floats = np.tanh(np.concatenate([own, told], axis=1) @ weights[f"{name}.mix"][group])
    return mixed


@dataclass(frozen=True)
class Mgccf:
    """A trained model: vectors of S songs, A artists and D DJs, and what it takes to fold in a listener.

    A DJ's vector is [u_s; u_a], a song's [s; M a] (M: `credits`); of size 64, or 32 where there are no artists.
    """

    options: MgccfOptions
    songs: Ids
    """Ids in the database, in the rows' order; `artists` and `djs`, too."""
    artists: Ids
    djs: Ids
    song_vectors: Floats
    dj_vectors: Floats
    """Of all DJs of the snapshot; those without clicks are folded in from what they played."""
    artist_vectors: Floats
    """(A, 32), to be compared with the second half of a DJ's."""
    song_likeness: Floats
    """e_bar of a song + M e_bar of its artists, (S, 32): songs are alike by its cosine."""
    artist_likeness: Floats
    """e_bar, (A, 32)."""
    trained: Ids
    """Places of the U DJs who have clicks, among all."""
    clicks: Matrix
    """Theirs, (U, S)."""
    credits: Matrix
    """(S, A)."""
    dj_degrees: Floats
    """Row sums of the DJs' graph with its diagonal, (U,)."""
    weights: Weights
    """`embedding` (S + A + U, 64); `first|second.neighbours|mix`, by half a DJs' and a songs' or artists' kernel, so
    (2 or 4, in, out); `graphs.song|artist|dj.kernel|skip|bias`."""
    history: list[dict[str, float]] = field(default_factory=list)
    """The parts of the loss by epoch, and their sum `loss`."""

    def scores(self, vectors: Floats) -> Floats:
        """Cosines (n, S) of DJs' or listeners' vectors with the songs'."""
        cosines: Floats = units(vectors) @ self._song_units.T
        return cosines

    def fold_in(self, clicks: Matrix) -> Floats:
        """The vectors (n, 64) of listeners whom training never met, as rows of scores of songs, (n, S).

        Scores are as clicks are, log(plays) or a like. A row's cosines with the DJs' weigh their embeddings; its place
        in the DJs' graph is as if it had been there. Who likes nothing, or nothing that a DJ clicked, is a mean DJ.
        """
        rows = sparse.csr_matrix(clicks, dtype=np.float32)
        weights = self.weights
        alike = np.asarray((unit_rows(rows) @ self._click_units).todense())  # (n, U)
        alike = np.where(alike.sum(axis=1, keepdims=True) > 0, alike, 1)
        own = (alike / alike.sum(axis=1, keepdims=True)) @ self._dj_embeddings
        graph = self._graph_of(rows, own)
        vectors = []
        for number, half in enumerate(self._halves):
            played = shares(rows if half == "song" else (rows @ self.credits).tocsr())
            embeddings, firsts = self._neighbours[half]
            first = layer(weights, "first", number, "dj", own, played @ embeddings)
            second = layer(weights, "second", number, "dj", first, played @ firsts)
            size = self.options.output
            vectors.append(second + graph[:, number * size : (number + 1) * size])
        return np.concatenate(vectors, axis=1).astype(np.float32)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All but options and history, by name."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays |= {f"weights.{name}": values for name, values in self.weights.items()}
        return arrays | matrix_arrays("clicks", self.clicks) | matrix_arrays("credits", self.credits)

    @classmethod
    def from_arrays(
        cls, arrays: Arrays, options: MgccfOptions, history: list[dict[str, float]] | None = None
    ) -> "Mgccf":
        """The model that `to_arrays` took apart.

        Raises:
            KeyError: an array is missing.
            ValueError: the arrays of a matrix do not fit together.
        """
        weights = {name.removeprefix("weights."): arrays[name] for name in arrays if name.startswith("weights.")}
        matrices = {name: matrix_of(arrays, name) for name in ("clicks", "credits")}
        own = {name: arrays[name] for name in _ARRAYS}
        return cls(options=options, weights=weights, history=history or [], **own, **matrices)

    @property
    def _halves(self) -> tuple[Half, ...]:
        return HALVES if len(self.artists) else HALVES[:1]

    def _graph_of(self, rows: Matrix, own: Floats) -> Floats:
        """e_bar (n, 32 a half) of listeners with embeddings `own`, each alone added to the DJs' graph."""
        added = np.asarray((unit_rows(rows.sign()) @ self._sign_units).todense())  # (n, U)
        degree = 1 + added.sum(axis=1, keepdims=True)
        mapped, kernel = self._dj_mapped, self.weights["graphs.dj.kernel"]
        mine = own @ kernel
        told = np.zeros_like(mine)
        if "multi-graph" not in self.options.without:
            told = (added / np.sqrt(degree * (self.dj_degrees + added))) @ mapped + mine / degree
        encoded: Floats = np.tanh(told + self.weights["graphs.dj.skip"] * mine + self.weights["graphs.dj.bias"])
        return encoded

    @cached_property
    def _song_units(self) -> Floats:
        return units(self.song_vectors)

    @cached_property
    def _dj_embeddings(self) -> Floats:
        return self.weights["embedding"][len(self.songs) + len(self.artists) :]

    @cached_property
    def _dj_mapped(self) -> Floats:
        mapped: Floats = self._dj_embeddings @ self.weights["graphs.dj.kernel"]
        return mapped

    @cached_property
    def _click_units(self) -> Matrix:
        return unit_rows(self.clicks).T.tocsr()

    @cached_property
    def _sign_units(self) -> Matrix:
        return unit_rows(self.clicks.sign()).T.tocsr()

    @cached_property
    def _neighbours(self) -> dict[Half, tuple[Floats, Floats]]:
        """By half, the embeddings and the first layer of what DJs are neighbours of, the songs or the artists."""
        songs, artists, _ = np.split(self.weights["embedding"], np.cumsum([len(self.songs), len(self.artists)]))
        made: dict[Half, tuple[Floats, Floats]] = {}
        for number, half in enumerate(self._halves):
            own, clicks = (songs, self.clicks) if half == "song" else (artists, self.clicks @ self.credits)
            told = shares(clicks.T.tocsr()) @ self._dj_embeddings
            made[half] = own, layer(self.weights, "first", number, "item", own, told)
        return made


_ARRAYS = tuple(
    part.name for part in fields(Mgccf) if part.name not in ("options", "clicks", "credits", "weights", "history")
)


def graph_encoding(weights: Weights, kind: str, graph: Matrix | None, own: Floats) -> Floats:
    """e_bar = tanh(A_norm e M + skip * (e M) + bias), (nodes, 32), for DJs both halves' side by side.

    Args:
        weights: as a model has them.
        kind: song, artist or dj.
        graph: normalised; None leaves the neighbours out.
        own: e, (nodes, 64).
    """
    mapped = own @ weights[f"graphs.{kind}.kernel"]
    told = mapped * weights[f"graphs.{kind}.skip"] + weights[f"graphs.{kind}.bias"]
    encoded: Floats = np.tanh(told if graph is None else told + graph @ mapped)
    return encoded


def embedded(
    snapshot: GraphSnapshot,
    graphs: Graphs,
    weights: Weights,
    options: MgccfOptions,
    history: list[dict[str, float]],
    random: np.random.Generator | None = None,
) -> Mgccf:
    """The vectors that trained weights give to every song, artist and DJ: without chance, of whole neighbourhoods.

    With `random` it is one sampled pass, such as training makes and the notebook averages.
    """

    def told(matrix: Matrix, draws: int) -> Matrix:
        return shares(matrix) if random is None else drawn_shares(matrix, draws, random)

    count_songs, count_artists = graphs.credits.shape
    songs, artists, djs = np.split(weights["embedding"], np.cumsum([count_songs, count_artists]))
    encoded = {
        kind: graph_encoding(
            weights, kind, None if "multi-graph" in options.without else normalised(getattr(graphs, kind)), own
        )
        for kind, own in (("song", songs), ("artist", artists), ("dj", djs))
        if f"graphs.{kind}.kernel" in weights
    }
    dj_parts, items = [], {}
    for number, half in enumerate(graphs.halves):
        clicks, own = graphs.clicks_of(half), songs if half == "song" else artists
        by_item = clicks.T.tocsr()
        near, next_to = options.first_draws, options.second_draws
        first_dj = layer(weights, "first", number, "dj", djs, told(clicks, near) @ own)
        first_item = layer(weights, "first", number, "item", own, told(by_item, near) @ djs)
        second_dj = layer(weights, "second", number, "dj", first_dj, told(clicks, next_to) @ first_item)
        second_item = layer(weights, "second", number, "item", first_item, told(by_item, next_to) @ first_dj)
        items[half] = second_item + encoded[half]
        dj_parts.append(second_dj + encoded["dj"][:, number * options.output : (number + 1) * options.output])
    no_artists = np.zeros((count_artists, options.output), dtype=np.float32)
    artist_vectors, artist_likeness = items.get("artist", no_artists), encoded.get("artist", no_artists)
    song_parts = [items["song"], *([graphs.credits @ artist_vectors] if count_artists else [])]
    trained_vectors = np.concatenate(dj_parts, axis=1).astype(np.float32)
    dj_vectors = np.zeros((len(snapshot.djs), trained_vectors.shape[1]), dtype=np.float32)
    dj_vectors[graphs.trained] = trained_vectors
    model = Mgccf(
        options=options,
        songs=snapshot.songs,
        artists=snapshot.artists[:count_artists],
        djs=snapshot.djs,
        song_vectors=np.concatenate(song_parts, axis=1).astype(np.float32),
        dj_vectors=dj_vectors,
        artist_vectors=artist_vectors,
        song_likeness=(encoded["song"] + graphs.credits @ artist_likeness).astype(np.float32),
        artist_likeness=artist_likeness,
        trained=graphs.trained,
        clicks=graphs.clicks,
        credits=graphs.credits,
        dj_degrees=(1 + np.asarray(graphs.dj.sum(axis=1)).ravel()).astype(np.float32),
        weights=weights,
        history=history,
    )
    others = np.setdiff1d(np.arange(len(snapshot.djs)), graphs.trained)
    if len(others):
        played = snapshot.plays[others].tocsr()
        dj_vectors[others] = model.fold_in(played.log1p())
    return model


def averaged(snapshot: GraphSnapshot, model: Mgccf, passes: int, seed: int = 0) -> Mgccf:
    """The model with vectors of songs and DJs that are means over sampled passes, as the notebook has them."""
    graphs = graphs_of(snapshot, model.options.without)
    random = np.random.default_rng(seed)
    songs, djs = np.zeros_like(model.song_vectors), np.zeros_like(model.dj_vectors)
    for _ in range(passes):
        drawn = embedded(snapshot, graphs, model.weights, model.options, model.history, random)
        songs += drawn.song_vectors / passes
        djs += drawn.dj_vectors / passes
    return replace(model, song_vectors=songs, dj_vectors=djs)
