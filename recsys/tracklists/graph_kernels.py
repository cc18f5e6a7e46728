# ruff: noqa: N803 -- constants of a kernel are its arguments
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators, allow-untyped-calls
"""Triton kernels of the graph recommender's sums over sparse rows. None adds atomically.

So results are the same each time. Imported on a GPU alone, where torch brings triton.
"""

import torch
import triton  # type: ignore[import-not-found, import-untyped, unused-ignore]
import triton.language as tl  # type: ignore[import-not-found, import-untyped, unused-ignore]
from torch import Tensor

from recsys.tracklists.factorisation import Batch, Cooccurrence
from recsys.tracklists.sparse_products import SparseRows

ROW_TILE, COLUMN_TILE = 64, 64
COLUMN_SPLITS = 16
"""Parts of the columns that a tile of rows is multiplied with at the same time."""
ENTRY_SPLITS = 4
"""Parts of a row's entries that are summed up at the same time."""


@triton.jit
def _rows_times(starts, places, values, dense, out, WIDTH: tl.constexpr, PADDED: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    column = tl.arange(0, PADDED)
    in_width = column < WIDTH
    begin, end = tl.load(starts + row), tl.load(starts + row + 1)
    sums = tl.zeros((BLOCK, PADDED), tl.float32)
    for first in range(begin, end, BLOCK):
        entry = first + tl.arange(0, BLOCK)
        is_entry = entry < end
        place = tl.load(places + entry, mask=is_entry, other=0)
        value = tl.load(values + entry, mask=is_entry, other=0.0)
        told = tl.load(
            dense + place[:, None] * WIDTH + column[None, :], mask=is_entry[:, None] & in_width[None, :], other=0.0
        )
        sums += value[:, None] * told
    tl.store(out + row * WIDTH + column, tl.sum(sums, axis=0), mask=in_width)


def rows_times(rows: SparseRows, dense: Tensor) -> Tensor:
    """rows @ dense, (rows, width)."""
    width = dense.shape[1]
    out = torch.empty((rows.count, width), device=dense.device)
    if rows.count:
        # Measured on an H100 for rows of about 15, 60 and 300 entries.
        mean = len(rows.places) / rows.count
        block, warps = (64, 4) if mean > 128 else (32, 2) if mean > 32 else (16, 1)
        _rows_times[(rows.count,)](
            rows.starts,
            rows.places,
            rows.values,
            dense,
            out,
            WIDTH=width,
            PADDED=triton.next_power_of_2(width),
            BLOCK=block,
            num_warps=warps,
        )
    return out


@triton.jit
def _products_by_row(
    table,
    nodes,
    scales,
    sums,
    gradients,
    ROWS,
    SONG_ROWS,
    SONGS,
    NODES,
    SPLIT,
    zero,
    WIDTH: tl.constexpr,
    ROW_TILE: tl.constexpr,
    COLUMN_TILE: tl.constexpr,
):
    """Of a tile of the batch's rows and a part of all columns: the sums of relu^2, and the gradient to the rows."""
    tile, split, splits = tl.program_id(0), tl.program_id(1), tl.num_programs(1)
    row, feature = tile * ROW_TILE + tl.arange(0, ROW_TILE), tl.arange(0, WIDTH)
    node = tl.load(nodes + row, mask=row < ROWS, other=-1)
    is_node = (node >= 0)[:, None]
    own = tl.load(table + node[:, None] * WIDTH + feature[None, :], mask=is_node, other=0.0)
    kind = tl.where(tile * ROW_TILE >= SONG_ROWS, 1, 0)
    to_songs, to_artists = tl.load(scales + 2 * kind), tl.load(scales + 2 * kind + 1)
    with_songs = tl.zeros((ROW_TILE,), tl.float32)
    with_artists = tl.zeros((ROW_TILE,), tl.float32)
    gradient = tl.zeros((ROW_TILE, WIDTH), tl.float32)
    if tl.max(node) >= 0:
        for first in range(split * SPLIT, tl.minimum(NODES, (split + 1) * SPLIT), COLUMN_TILE):
            column = first + tl.arange(0, COLUMN_TILE)
            is_song = (column < SONGS)[None, :]
            other = tl.load(
                table + column[:, None] * WIDTH + feature[None, :], mask=(column < NODES)[:, None], other=0.0
            )
            product = tl.maximum(tl.dot(own, tl.trans(other), input_precision="tf32"), 0.0)
            square = product * product
            from_songs = tl.where(is_song, square, 0.0)
            with_songs += tl.sum(from_songs, axis=1)
            with_artists += tl.sum(square - from_songs, axis=1)
            product *= tl.where(is_song, to_songs, to_artists)
            gradient += tl.dot(product, other, input_precision="tf32")
    at = (tile * splits + split) * 2
    tl.store(sums + at, zero * tl.sum(with_songs))
    tl.store(sums + at + 1, zero * tl.sum(with_artists))
    tl.store(
        gradients + (split * ROWS + row)[:, None] * WIDTH + feature[None, :],
        2 * zero * gradient,
        mask=(row < ROWS)[:, None],
    )


@triton.jit
def _products_by_column(
    table,
    nodes,
    scales,
    gradients,
    ROWS,
    SONG_ROWS,
    SONGS,
    NODES,
    zero,
    WIDTH: tl.constexpr,
    ROW_TILE: tl.constexpr,
    COLUMN_TILE: tl.constexpr,
):
    """Of a tile of columns and all rows of the batch: the gradient to the columns."""
    column, feature = tl.program_id(0) * COLUMN_TILE + tl.arange(0, COLUMN_TILE), tl.arange(0, WIDTH)
    is_column = (column < NODES)[:, None]
    mine = tl.load(table + column[:, None] * WIDTH + feature[None, :], mask=is_column, other=0.0)
    gradient = tl.zeros((COLUMN_TILE, WIDTH), tl.float32)
    for first in range(0, ROWS, ROW_TILE):
        row = first + tl.arange(0, ROW_TILE)
        node = tl.load(nodes + row, mask=row < ROWS, other=-1)
        if tl.max(node) >= 0:
            kind = tl.where(first >= SONG_ROWS, 1, 0)
            to_songs, to_artists = tl.load(scales + 2 * kind), tl.load(scales + 2 * kind + 1)
            other = tl.load(table + node[:, None] * WIDTH + feature[None, :], mask=(node >= 0)[:, None], other=0.0)
            product = tl.maximum(tl.dot(mine, tl.trans(other), input_precision="tf32"), 0.0)
            product *= tl.where(column < SONGS, to_songs, to_artists)[:, None]
            gradient += tl.dot(product, other, input_precision="tf32")
    tl.store(gradients + column[:, None] * WIDTH + feature[None, :], 2 * zero * gradient, mask=is_column)


@triton.jit
def _entries_by_row(
    table,
    nodes,
    scales,
    starts,
    places,
    values,
    sums,
    gradients,
    ROWS,
    SONG_ROWS,
    SONGS,
    zero,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Of a part of the entries of a row of the batch: the corrections of the sums, and the gradient to the row."""
    row, split, splits = tl.program_id(0), tl.program_id(1), tl.num_programs(1)
    feature = tl.arange(0, WIDTH)
    node = tl.load(nodes + row)
    kind = tl.where(row >= SONG_ROWS, 1, 0)
    to_songs, to_artists = tl.load(scales + 2 * kind), tl.load(scales + 2 * kind + 1)
    with_songs = tl.zeros((BLOCK,), tl.float32)
    with_artists = tl.zeros((BLOCK,), tl.float32)
    gradient = tl.zeros((BLOCK, WIDTH), tl.float32)
    if node >= 0:
        own = tl.load(table + node * WIDTH + feature)[None, :]
        begin, end = tl.load(starts + node), tl.load(starts + node + 1)
        for first in range(begin + split * BLOCK, end, BLOCK * splits):
            entry = first + tl.arange(0, BLOCK)
            is_entry = entry < end
            place = tl.load(places + entry, mask=is_entry, other=0)
            value = tl.load(values + entry, mask=is_entry, other=0.0)
            other = tl.load(table + place[:, None] * WIDTH + feature[None, :], mask=is_entry[:, None], other=0.0)
            product = tl.maximum(tl.sum(own * other, axis=1), 0.0)
            error = product - value
            correction = tl.where(is_entry, error * error - zero * product * product, 0.0)
            is_song = place < SONGS
            with_songs += tl.where(is_song, correction, 0.0)
            with_artists += tl.where(is_song, 0.0, correction)
            slope = tl.where(product > 0, 2 * (error - zero * product), 0.0) * tl.where(is_song, to_songs, to_artists)
            gradient += slope[:, None] * other
    at = (row * splits + split) * 2
    tl.store(sums + at, tl.sum(with_songs))
    tl.store(sums + at + 1, tl.sum(with_artists))
    tl.store(gradients + (split * ROWS + row) * WIDTH + feature, tl.sum(gradient, axis=0))


@triton.jit
def _entries_by_column(
    table,
    place_of,
    scales,
    starts,
    places,
    values,
    row_gradients,
    gradients,
    SONGS,
    zero,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Add to the gradient of a column what its entries in the batch's rows say, and what it got as a row itself."""
    column, feature = tl.program_id(0), tl.arange(0, WIDTH)
    kind = tl.where(column >= SONGS, 1, 0)
    from_songs, from_artists = tl.load(scales + kind), tl.load(scales + 2 + kind)
    mine = tl.load(table + column * WIDTH + feature)[None, :]
    begin, end = tl.load(starts + column), tl.load(starts + column + 1)
    sums = tl.zeros((BLOCK, WIDTH), tl.float32)
    for first in range(begin, end, BLOCK):
        entry = first + tl.arange(0, BLOCK)
        node = tl.load(places + entry, mask=entry < end, other=0)
        is_row = (entry < end) & (tl.load(place_of + node) >= 0)
        if tl.max(is_row.to(tl.int32)) > 0:
            value = tl.load(values + entry, mask=is_row, other=0.0)
            other = tl.load(table + node[:, None] * WIDTH + feature[None, :], mask=is_row[:, None], other=0.0)
            product = tl.maximum(tl.sum(mine * other, axis=1), 0.0)
            slope = tl.where(product > 0, 2 * (product - value - zero * product), 0.0)
            slope *= tl.where(node < SONGS, from_songs, from_artists)
            sums += slope[:, None] * other
    at = gradients + column * WIDTH + feature
    gradient = tl.load(at) + tl.sum(sums, axis=0)
    row = tl.load(place_of + column)
    gradient += tl.load(row_gradients + row * WIDTH + feature, mask=row >= 0, other=0.0)
    tl.store(at, gradient)


def factorise(table: Tensor, batch: Batch, cooccurrence: Cooccurrence, scales: Tensor) -> tuple[Tensor, Tensor]:
    """The sums of weighted squares by kinds, (2, 2), and the gradient of their sum with `scales` to the table."""
    (count, width), rows, songs = table.shape, len(batch.nodes), cooccurrence.songs
    zero, matrix = cooccurrence.zero_weight, cooccurrence.rows
    tiles = triton.cdiv(rows, ROW_TILE)
    split = triton.cdiv(triton.cdiv(count, COLUMN_TILE), COLUMN_SPLITS) * COLUMN_TILE
    by_tile = torch.empty((tiles, COLUMN_SPLITS, 2), device=table.device)
    by_row = torch.empty((rows, ENTRY_SPLITS, 2), device=table.device)
    row_gradients = torch.empty((COLUMN_SPLITS + ENTRY_SPLITS, rows, width), device=table.device)
    gradient = torch.empty_like(table)
    scales = scales.contiguous()
    tile = {"WIDTH": width, "ROW_TILE": ROW_TILE, "COLUMN_TILE": COLUMN_TILE, "num_warps": 4}
    _products_by_row[(tiles, COLUMN_SPLITS)](
        table, batch.nodes, scales, by_tile, row_gradients, rows, batch.song_rows, songs, count, split, zero, **tile
    )
    _products_by_column[(triton.cdiv(count, COLUMN_TILE),)](
        table, batch.nodes, scales, gradient, rows, batch.song_rows, songs, count, zero, **tile
    )
    entries = (matrix.starts, matrix.places, matrix.values)
    _entries_by_row[(rows, ENTRY_SPLITS)](
        table,
        batch.nodes,
        scales,
        *entries,
        by_row,
        row_gradients[COLUMN_SPLITS:],
        rows,
        batch.song_rows,
        songs,
        zero,
        WIDTH=width,
        BLOCK=64,
        num_warps=2,
    )
    _entries_by_column[(count,)](
        table,
        batch.place_of,
        scales,
        *entries,
        row_gradients.sum(dim=0),
        gradient,
        songs,
        zero,
        WIDTH=width,
        BLOCK=32,
        num_warps=2,
    )
    song_tiles = batch.song_rows // ROW_TILE
    sums = torch.stack(
        [
            by_tile[:song_tiles].sum(dim=(0, 1)) + by_row[: batch.song_rows].sum(dim=(0, 1)),
            by_tile[song_tiles:].sum(dim=(0, 1)) + by_row[batch.song_rows :].sum(dim=(0, 1)),
        ]
    )
    return sums, gradient
