# ruff: noqa: N803 -- constants of a kernel are its arguments
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators, allow-untyped-calls
"""Triton kernels of the clusters' and the songs' losses. None adds atomically, so results are the same each time.

Imported on a GPU alone, where torch brings triton.
"""

import torch
import triton  # type: ignore[import-not-found, import-untyped, unused-ignore]
import triton.language as tl  # type: ignore[import-not-found, import-untyped, unused-ignore]
from torch import Tensor

from recsys.tracklists.sparse_products import SparseRows

_COLUMNS = 256
"""Of a slab of the dense matrix, which stays in the second-level cache: 16 MB for 31,214 rows of bfloat16."""
_CLASSES = 4096
"""Logits that a program of the softmax reads at a time."""


@triton.jit
def _slab_times(starts, places, values, dense, out, WIDTH, COLUMNS: tl.constexpr, BLOCK: tl.constexpr):
    row, slab = tl.program_id(0).to(tl.int64), tl.program_id(1)
    column = slab * COLUMNS + tl.arange(0, COLUMNS)
    in_width = column < WIDTH
    begin, end = tl.load(starts + row), tl.load(starts + row + 1)
    sums = tl.zeros((BLOCK, COLUMNS), tl.float32)
    for first in range(begin, end, BLOCK):
        entry = first + tl.arange(0, BLOCK)
        is_entry = entry < end
        place = tl.load(places + entry, mask=is_entry, other=0).to(tl.int64)
        value = tl.load(values + entry, mask=is_entry, other=0.0)
        told = tl.load(
            dense + place[:, None] * WIDTH + column[None, :], mask=is_entry[:, None] & in_width[None, :], other=0.0
        )
        sums += value[:, None] * told.to(tl.float32)
    tl.store(out + row * WIDTH + column, tl.sum(sums, axis=0).to(out.dtype.element_ty), mask=in_width)


def rows_times_wide(rows: SparseRows, dense: Tensor) -> Tensor:
    """rows @ dense, (rows, width), of a wide matrix of bfloat16, slab of columns by slab."""
    width = dense.shape[1]
    out = torch.empty((rows.count, width), device=dense.device, dtype=dense.dtype)
    slabs = triton.cdiv(width, _COLUMNS)
    _slab_times[(rows.count, slabs)](
        rows.starts, rows.places, rows.values, dense, out, width, COLUMNS=_COLUMNS, BLOCK=16, num_warps=4
    )
    return out


@triton.jit
def _narrow_softmax(logits, out, CLASSES, PADDED: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    place = tl.arange(0, PADDED)
    own = tl.load(logits + row * CLASSES + place, mask=place < CLASSES, other=-float("inf"))
    own = tl.exp(own - tl.max(own))
    tl.store(out + row * CLASSES + place, (own / tl.sum(own)).to(out.dtype.element_ty), mask=place < CLASSES)


def narrow_softmax(logits: Tensor) -> Tensor:
    """The softmax of rows of float32 numbers (n, classes), as bfloat16 numbers."""
    count, classes = logits.shape
    out = torch.empty_like(logits, dtype=torch.bfloat16)
    _narrow_softmax[(count,)](logits, out, classes, PADDED=triton.next_power_of_2(classes), num_warps=4)
    return out


@triton.jit
def _softmax_slope(chances, slope, CLASSES, PADDED: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    place = tl.arange(0, PADDED)
    is_class = place < CLASSES
    chance = tl.load(chances + row * CLASSES + place, mask=is_class, other=0.0).to(tl.float32)
    own = tl.load(slope + row * CLASSES + place, mask=is_class, other=0.0).to(tl.float32)
    told = chance * (own - tl.sum(chance * own))
    tl.store(slope + row * CLASSES + place, told.to(slope.dtype.element_ty), mask=is_class)


def softmax_slope(chances: Tensor, slope: Tensor) -> None:
    """Make of the gradient of a softmax (n, classes) that of its logits."""
    count, classes = chances.shape
    _softmax_slope[(count,)](chances, slope, classes, PADDED=triton.next_power_of_2(classes), num_warps=4)


@triton.jit
def _softmax_rows(logits, targets, weights, losses, CLASSES, STRIDE, BLOCK: tl.constexpr):
    """The cross-entropy of a row, and in place of its logits their gradient, times the row's weight."""
    row = tl.program_id(0).to(tl.int64)
    target, weight = tl.load(targets + row), tl.load(weights + row)
    at = logits + row * STRIDE
    hit = tl.load(at + target).to(tl.float32)
    most = tl.full((BLOCK,), -float("inf"), tl.float32)
    total = tl.zeros((BLOCK,), tl.float32)
    for first in range(0, CLASSES, BLOCK):
        place = first + tl.arange(0, BLOCK)
        own = tl.load(at + place, mask=place < CLASSES, other=-float("inf")).to(tl.float32)
        higher = tl.maximum(most, own)
        # Two that are both -inf differ by nothing.
        total = total * tl.exp(tl.where(most == higher, 0.0, most - higher))
        total += tl.where(own == -float("inf"), 0.0, tl.exp(own - higher))
        most = higher
    highest = tl.max(most)
    total = tl.sum(total * tl.exp(most - highest))
    log_total = highest + tl.log(total)
    tl.store(losses + row, weight * (log_total - hit))
    for first in range(0, STRIDE, BLOCK):
        place = first + tl.arange(0, BLOCK)
        own = tl.load(at + place, mask=place < CLASSES, other=-float("inf")).to(tl.float32)
        slope = tl.exp(own - log_total) - tl.where(place == target, 1.0, 0.0)
        tl.store(at + place, (weight * slope).to(logits.dtype.element_ty), mask=place < STRIDE)


def softmax_rows(logits: Tensor, targets: Tensor, weights: Tensor, classes: int) -> Tensor:
    """The weighted cross-entropies of rows (n,), whose logits (n, classes and some more) become their gradient."""
    count, stride = logits.shape
    losses = torch.empty(count, device=logits.device)
    _softmax_rows[(count,)](logits, targets, weights, losses, classes, stride, BLOCK=_CLASSES, num_warps=8)
    return losses
