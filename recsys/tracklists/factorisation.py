"""GloVe-like factorisation of co-occurrence (Pennington et al. 2014; MODELS B3), of a batch's nodes against all nodes.

Of nodes i of a batch and all nodes j: J = mean f(x_ij) (relu(e_i . e_j) - x_ij)^2, f = 1 where x_ij is not zero, else
`zero_weight`. As most are zero, J is taken as zero_weight * mean relu^2, for which no x is read, and a correction at
those which are not. Songs and artists are the nodes, so that four such means are one pass over one symmetric matrix.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recsys.tracklists.sparse_products import SparseRows

_COLUMNS_AT_ONCE = 512
"""Products that stay in a processor's cache."""


@dataclass(frozen=True)
class Cooccurrence:
    """What is factorised, a symmetric matrix of songs and then artists."""

    rows: SparseRows
    songs: int
    weights: Tensor
    """Of the four means: [[song-song, song-artist], [artist-song, artist-artist]], the batch's nodes first, (2, 2)."""
    zero_weight: float

    @property
    def artists(self) -> int:
        """How many stand after the songs."""
        return self.rows.count - self.songs

    def columns(self) -> Iterator[tuple[int, int, int]]:
        """Blocks of columns of one kind, as (kind, first, last)."""
        for kind, begin, end in ((0, 0, self.songs), (1, self.songs, self.rows.count)):
            for first in range(begin, end, _COLUMNS_AT_ONCE):
                yield kind, first, min(first + _COLUMNS_AT_ONCE, end)


class Batch(NamedTuple):
    """The distinct songs and artists of a batch."""

    nodes: Tensor
    """Songs in the first `song_rows` places, then artists, each followed by -1 where there are fewer; int32."""
    place_of: Tensor
    """The place of each node in `nodes`, or -1; int32, (songs + artists,)."""
    song_rows: int


def factorisation_loss(table: Tensor, batch: Batch, cooccurrence: Cooccurrence) -> tuple[Tensor, Tensor]:
    """The weighted sum of the four means, with a gradient to `table`, and the means as they are, (2, 2), without one.

    Args:
        table: vectors of all songs and artists, (songs + artists, width).
        batch: whose rows are compared with all.
        cooccurrence: what is factorised.
    """
    total, means = _Factorisation.apply(table, batch, cooccurrence)  # type: ignore[no-untyped-call]
    return total, means


class _Factorisation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, batch: Batch, cooccurrence: Cooccurrence) -> tuple[Tensor, Tensor]:
        is_there = batch.nodes >= 0
        counts = torch.stack([is_there[: batch.song_rows].sum(), is_there[batch.song_rows :].sum()]).clamp(min=1)
        columns = (max(1, cooccurrence.songs), max(1, cooccurrence.artists))
        shares = torch.stack([1 / (counts * width) for width in columns], dim=1).to(table.dtype)  # (2, 2)
        scales = shares * cooccurrence.weights.to(table.dtype)
        if table.is_cuda:
            from recsys.tracklists.graph_kernels import factorise

            sums, gradient = factorise(table.contiguous(), batch, cooccurrence, scales)
        else:
            sums, gradient = _factorise(table, batch, cooccurrence, scales)
        ctx.save_for_backward(gradient)
        means = sums * shares
        ctx.mark_non_differentiable(means)
        return (sums * scales).sum(), means

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0], None, None


def _factorise(table: Tensor, batch: Batch, cooccurrence: Cooccurrence, scales: Tensor) -> tuple[Tensor, Tensor]:
    """The sums of weighted squares by kinds, (2, 2), and the gradient of their sum with `scales` to the table."""
    zero = cooccurrence.zero_weight
    filled = torch.nonzero(batch.nodes >= 0).ravel()
    nodes = batch.nodes[filled].long()
    is_artist = (filled >= batch.song_rows).long()
    own = table[nodes]
    sums, gradient, own_gradient = torch.zeros_like(scales), torch.zeros_like(table), torch.zeros_like(own)
    for kind, first, last in cooccurrence.columns():
        block = table[first:last]
        products = (own @ block.T).relu_()
        sums[:, kind].index_add_(0, is_artist, zero * products.square().sum(dim=1))
        products *= (2 * zero * scales[is_artist, kind])[:, None]
        own_gradient += products @ block
        gradient[first:last] += products.T @ own

    starts = cooccurrence.rows.starts.long()
    lengths = starts[nodes + 1] - starts[nodes]
    row = torch.repeat_interleave(torch.arange(len(nodes)), lengths)
    entry = torch.arange(len(row)) + (starts[nodes] - (lengths.cumsum(0) - lengths))[row]
    place, value = cooccurrence.rows.places[entry].long(), cooccurrence.rows.values[entry].to(table.dtype)
    kinds = 2 * is_artist[row] + (place >= cooccurrence.songs)
    mine, other = own[row], table[place]
    products = torch.relu((mine * other).sum(dim=1))
    sums.view(-1).index_add_(0, kinds, (products - value).square() - zero * products.square())
    slope = 2 * (products - value - zero * products) * (products > 0) * scales.view(-1)[kinds]
    own_gradient.index_add_(0, row, slope[:, None] * other)
    gradient.index_add_(0, place, slope[:, None] * mine)
    return sums, gradient.index_add_(0, nodes, own_gradient)
