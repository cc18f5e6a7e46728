"""What each step of an epoch of TL-MGCCF reads, drawn before the epoch on its device: triples, neighbours, places.

The shapes are the same in every step, so that a step can be captured once as a CUDA graph. Every gather of a step is a
row of a sparse matrix, whose transpose is drawn up here too, so that gradients need no atomic additions.
"""

from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from recsys.errors import NotReadyError
from recsys.tracklists.factorisation import Batch
from recsys.tracklists.mgccf import Graphs, Half, MgccfOptions
from recsys.tracklists.sparse_products import SparseMatrix, SparseRows
from recsys.tracklists.stored_arrays import Matrix

_ROW_TILE = 64
"""Songs of a batch are filled up to a multiple of it, so that a tile of the GPU's kernels holds songs or artists."""


@dataclass(frozen=True)
class Sizes:
    """How many rows there are of what."""

    songs: int
    artists: int
    djs: int
    batch: int
    """Triples; twice as many songs."""
    first_draws: int
    second_draws: int
    credited: int
    """Artists that a batch can hold at most."""

    @property
    def halves(self) -> tuple[Half, ...]:
        """The artists' one needs an artist."""
        return ("song", "artist") if self.artists else ("song",)

    @property
    def song_rows(self) -> int:
        """Places of a batch's distinct songs."""
        return ceil(2 * self.batch / _ROW_TILE) * _ROW_TILE

    def items(self, half: Half) -> int:
        """Songs or artists of a batch."""
        return 2 * self.batch if half == "song" else self.credited

    def first_items(self, half: Half) -> int:
        """Songs or artists whose first layer a batch needs: its own, and those that its DJs draw."""
        return self.items(half) + self.batch * self.second_draws

    @property
    def first(self) -> list[int]:
        """Rows of the first layer: by half, all DJs, and songs or artists."""
        return [rows for half in self.halves for rows in (self.djs, self.first_items(half))]

    @property
    def second(self) -> list[int]:
        """Rows of the second layer: by half, the batch's DJs, and its songs (positive ones first) or artists."""
        return [rows for half in self.halves for rows in (self.batch, self.items(half))]


@dataclass(frozen=True)
class StepPlan:
    """A step's gathers and means, whose columns are tables' rows.

    * `first`: of songs, artists, DJs; the rows of the first layer, and then the means of their neighbours.
    * `second`: of the rows of the first layer; those of the second one, and then the means of their neighbours.
    * `encoded`: of songs, artists, and by half DJs; the rows of the second layer.
    * `credits`: of the batch's artists; its songs.
    """

    first: SparseMatrix
    second: SparseMatrix
    encoded: SparseMatrix
    credits: SparseMatrix
    batch: Batch


@dataclass(frozen=True)
class Relation:
    """Whom rows draw as neighbours, in proportion to clicks."""

    starts: Tensor
    """(rows + 1,)."""
    places: Tensor
    cumulative: Tensor
    """Row r's clicks summed up, from r to r + 1; float64."""

    def draw(self, rows: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Neighbours (*rows.shape, count), with replacement, and whether there are any, the same shape."""
        shape = (*rows.shape, count)
        if not len(self.places):
            nothing = torch.zeros(shape, dtype=torch.int64, device=rows.device)
            return nothing, nothing.bool()
        chance = torch.rand(shape, generator=generator, device=rows.device, dtype=torch.float64)
        found = torch.searchsorted(self.cumulative, rows[..., None] + chance, right=True)
        begin, end = self.starts[rows][..., None], self.starts[rows + 1][..., None]
        places = self.places[torch.minimum(found, (end - 1).clamp(min=0))]
        return places, (end > begin).expand(shape)


def _relation(clicks: Matrix, device: torch.device) -> Relation:
    clicks = clicks.tocsr()
    lengths = np.diff(clicks.indptr)
    row = np.repeat(np.arange(len(lengths)), lengths)
    summed = np.cumsum(clicks.data, dtype=np.float64)
    before = np.concatenate([[0.0], summed])[clicks.indptr]
    within = (summed - before[row]) / np.diff(before)[row]
    return Relation(
        torch.from_numpy(clicks.indptr.astype(np.int64)).to(device),
        torch.from_numpy(clicks.indices.astype(np.int64)).to(device),
        torch.from_numpy(row + within).to(device),
    )


@dataclass
class _Blocks:
    """Rows of a sparse matrix, block by block; each block's rows have the same number of entries, in every step."""

    columns: int
    places: list[Tensor] = field(default_factory=list)
    """(steps, rows, entries of a row)."""
    values: list[Tensor] = field(default_factory=list)

    def add(self, places: Tensor, values: Tensor) -> None:
        self.places.append(places)
        self.values.append(values.to(torch.float32))

    def extend(self, others: "_Blocks") -> None:
        self.places += others.places
        self.values += others.values

    def layout(self) -> "_Layout":
        rows = [(block.shape[1], block.shape[2]) for block in self.places]
        lengths = torch.cat([torch.full((count,), width) for count, width in rows])
        starts = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]).int()
        row_of = torch.repeat_interleave(torch.arange(len(lengths)), lengths).int()
        device = self.places[0].device
        return _Layout(starts.to(device), row_of.to(device), self.columns)

    def tensors(self, row_of: Tensor) -> list[Tensor]:
        """Places and values by rows, starts, places and values by columns, each (steps, ..), int32 or its bits."""
        places = torch.cat([block.flatten(1) for block in self.places], dim=1)
        values = torch.cat([block.flatten(1) for block in self.values], dim=1)
        steps, entries = places.shape
        # What counts nothing sorts behind all columns.
        column = torch.where(values == 0, self.columns, places)
        step = torch.arange(steps, device=places.device)[:, None]
        key, order = torch.sort((column + step * (self.columns + 1)).int().ravel(), stable=True)
        bounds = (torch.arange(self.columns + 1, device=places.device) + step * (self.columns + 1)).int()
        starts = torch.searchsorted(key, bounds) - step * entries
        by_column = values.ravel()[order].view(steps, entries)
        bits = (values.view(torch.int32), by_column.view(torch.int32))
        return [places.int(), bits[0], starts.int(), row_of[order % max(1, entries)].view(steps, entries), bits[1]]


class _Layout(NamedTuple):
    """What of a matrix is the same in every step."""

    starts: Tensor
    row_of: Tensor
    """The row of each entry."""
    columns: int


class Planner:
    """Draws epochs.

    Raises:
        NotReadyError: every DJ played every song.
    """

    def __init__(self, graphs: Graphs, options: MgccfOptions, device: torch.device) -> None:
        self._options, self._device = options, device
        songs, artists = graphs.credits.shape
        credited = np.diff(graphs.credits.indptr)
        most = int(np.sort(credited)[::-1][: 2 * options.batch_size].sum())
        self.sizes = Sizes(
            songs,
            artists,
            len(graphs.trained),
            options.batch_size,
            options.first_draws,
            options.second_draws,
            min(artists, most),
        )
        self._by_dj = {half: _relation(graphs.clicks_of(half), device) for half in graphs.halves}
        self._by_item = {half: _relation(graphs.clicks_of(half).T, device) for half in graphs.halves}
        self._credited, self._shares = (torch.from_numpy(made).to(device) for made in _padded(graphs.credits))
        played = graphs.played.tocsr()
        played.sort_indices()
        counts = np.diff(played.indptr)
        row = np.repeat(np.arange(len(counts)), counts)
        # The r-th song that a DJ did not play stands behind as many played ones as have at most r such before them.
        before = played.indices - (np.arange(played.nnz) - played.indptr[:-1][row])
        self._played_starts = torch.from_numpy(played.indptr.astype(np.int64)).to(device)
        self._unplayed_before = torch.from_numpy(row * (songs + 1) + before.astype(np.int64)).to(device)
        clicks = graphs.clicks.tocsr()
        dj = np.repeat(np.arange(len(graphs.trained)), np.diff(clicks.indptr))
        can_be_compared = counts[dj] < songs
        if not can_be_compared.any():
            raise NotReadyError("every DJ of the graph played every song, so that nothing tells them apart: load more")
        self._pair_djs = torch.from_numpy(dj[can_be_compared].astype(np.int64)).to(device)
        self._pair_songs = torch.from_numpy(clicks.indices[can_be_compared].astype(np.int64)).to(device)
        self._layouts: list[_Layout] = []
        self._widths: list[int] = []

    def epoch(self, number: int) -> Tensor:
        """All that the steps of an epoch read, (steps, ..), int32; the same for the same number."""
        generator = torch.Generator(self._device).manual_seed(epoch_seed(self._options.seed, number, "plan"))
        sizes, options = self.sizes, self._options
        pair = (self._random((options.steps, sizes.batch), generator) * len(self._pair_djs)).long()
        dj = self._pair_djs[pair]
        songs = torch.cat([self._pair_songs[pair], self._unplayed(dj, generator)], dim=1)
        by = torch.where(self._credited[songs] < 0, sizes.artists, self._credited[songs])  # (steps, songs, credits)
        song_nodes, song_place = self._distinct(songs, sizes.songs, sizes.song_rows)
        artist_nodes, artist_place = self._distinct(by.flatten(1), sizes.artists, sizes.credited)

        chosen = {"song": songs, "artist": artist_nodes}
        blocks = [*self._layers(dj, [chosen[half] for half in sizes.halves], generator), _Blocks(sizes.credited)]
        filled = torch.cat([artist_place, torch.zeros_like(artist_place[:, :1])], dim=1)
        blocks[-1].add(filled.gather(1, by.flatten(1)).view(by.shape), self._shares[songs])
        if not self._layouts:
            self._layouts = [block.layout() for block in blocks]
        tensors = [
            tensor
            for block, layout in zip(blocks, self._layouts, strict=True)
            for tensor in block.tensors(layout.row_of)
        ]
        tensors.append(torch.cat([song_nodes, torch.where(artist_nodes < 0, -1, artist_nodes + sizes.songs)], dim=1))
        artist_place = torch.where(artist_place < 0, -1, artist_place + sizes.song_rows)
        tensors.append(torch.cat([song_place, artist_place], dim=1))
        self._widths = [tensor.shape[1] for tensor in tensors]
        return torch.cat([tensor.int() for tensor in tensors], dim=1)

    def step(self, drawn: Tensor) -> StepPlan:
        """A step of what `epoch` drew, which it stays a view of, (..,)."""
        *tensors, nodes, place_of = torch.split(drawn, self._widths)
        matrices = []
        for number, layout in enumerate(self._layouts):
            places, values, starts, rows, by_column = tensors[5 * number : 5 * number + 5]
            matrices.append(
                SparseMatrix(
                    SparseRows(layout.starts, places, values.view(torch.float32), layout.columns),
                    SparseRows(starts, rows, by_column.view(torch.float32), len(layout.starts) - 1),
                )
            )
        first, second, encoded, credited = matrices
        return StepPlan(first, second, encoded, credited, Batch(nodes, place_of, self.sizes.song_rows))

    def _layers(self, dj: Tensor, items: list[Tensor], generator: torch.Generator) -> tuple[_Blocks, _Blocks, _Blocks]:
        """What `StepPlan` has as `first`, `second` and `encoded`, of DJs and by half items (-1 for none)."""
        sizes = self.sizes
        first, first_means = _Blocks(sizes.songs + sizes.artists + sizes.djs), _Blocks(0)
        second, second_means = _Blocks(sum(sizes.first)), _Blocks(0)
        encoded = _Blocks(sizes.songs + sizes.artists + len(sizes.halves) * sizes.djs)
        every_dj = torch.arange(sizes.djs, device=self._device).expand(len(dj), -1)
        one = torch.ones_like(dj)[..., None]
        djs_at, firsts_at = sizes.songs + sizes.artists, 0
        for number, (half, own) in enumerate(zip(sizes.halves, items, strict=True)):
            by_dj, by_item = self._by_dj[half], self._by_item[half]
            items_at = 0 if half == "song" else sizes.songs
            is_item, own = (own >= 0)[..., None], own.clamp(min=0)

            first.add(every_dj[..., None] + djs_at, torch.ones_like(every_dj)[..., None])
            drawn, weights = self._means(by_dj, every_dj, sizes.first_draws, generator)
            first_means.add(drawn + items_at, weights)
            of_dj, dj_weights = self._means(by_dj, dj, sizes.second_draws, generator)
            needed = torch.cat([own, of_dj.flatten(1)], dim=1)
            is_needed = torch.cat([is_item, (dj_weights > 0).flatten(1)[..., None]], dim=1)
            first.add(needed[..., None] + items_at, is_needed)
            drawn, weights = self._means(by_item, needed, sizes.first_draws, generator)
            first_means.add(drawn + djs_at, weights * is_needed)

            second.add(dj[..., None] + firsts_at, one)
            items_first = firsts_at + sizes.djs
            place = torch.arange(of_dj[0].numel(), device=self._device).view(of_dj[0].shape).expand(of_dj.shape)
            second_means.add(place + items_first + sizes.items(half), dj_weights)
            place = torch.arange(sizes.items(half), device=self._device).expand(len(dj), -1)
            second.add(place[..., None] + items_first, is_item)
            drawn, weights = self._means(by_item, own, sizes.second_draws, generator)
            second_means.add(drawn + firsts_at, weights * is_item)
            firsts_at += sizes.djs + sizes.first_items(half)

            encoded.add(dj[..., None] + djs_at + number * sizes.djs, one)
            encoded.add(own[..., None] + items_at, is_item)
        first.extend(first_means)
        second.extend(second_means)
        return first, second, encoded

    def _random(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return torch.rand(shape, generator=generator, device=self._device, dtype=torch.float64)

    def _unplayed(self, dj: Tensor, generator: torch.Generator) -> Tensor:
        """A song that each DJ did not play, each as likely."""
        start, end = self._played_starts[dj], self._played_starts[dj + 1]
        left = self.sizes.songs - (end - start)
        rank = (self._random((*dj.shape,), generator) * left).long()
        return rank + torch.searchsorted(self._unplayed_before, dj * (self.sizes.songs + 1) + rank, right=True) - start

    def _means(self, relation: Relation, rows: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Drawn neighbours of rows, and their weights in a mean of those that no dropout took away."""
        drawn, is_any = relation.draw(rows, count, generator)
        is_kept = is_any & (self._random((*drawn.shape,), generator) >= self._options.dropout)
        return drawn, is_kept / is_kept.sum(dim=-1, keepdim=True).clamp(min=1)

    def _distinct(self, chosen: Tensor, count: int, places: int) -> tuple[Tensor, Tensor]:
        """What each step chose, ascending, then -1, (steps, places); and by what its place there or -1, (steps, count).

        It chooses numbers below `count`, which itself stands for nothing.
        """
        steps = len(chosen)
        is_chosen = torch.zeros((steps, count + 1), dtype=torch.bool, device=self._device)
        is_chosen = is_chosen.scatter_(1, chosen, torch.ones_like(chosen, dtype=torch.bool))[:, :count]
        place = is_chosen.cumsum(1) - 1
        nodes = torch.full((steps, places + 1), -1, device=self._device)
        number = torch.arange(count, device=self._device).expand(steps, -1)
        nodes.scatter_(1, torch.where(is_chosen, place, places), number)
        return nodes[:, :places], torch.where(is_chosen, place, -1)


def _padded(credited: Matrix) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The artists of each song in as many columns as the most have, -1 behind them, and their shares."""
    credited = credited.tocsr()
    counts = np.diff(credited.indptr)
    row = np.repeat(np.arange(len(counts)), counts)
    column = np.arange(credited.nnz) - credited.indptr[:-1][row]
    shape = (len(counts), int(counts.max(initial=0)))
    artists, parts = np.full(shape, -1, dtype=np.int64), np.zeros(shape, dtype=np.float32)
    artists[row, column] = credited.indices
    parts[row, column] = credited.data
    return artists, parts


def epoch_seed(seed: int, epoch: int, what: str) -> int:
    """A seed of one use of chance in one epoch, so that no epoch needs those before it."""
    state = np.random.SeedSequence([seed, epoch, *what.encode()]).generate_state(1, np.uint64)
    return int(state[0] >> 1)
