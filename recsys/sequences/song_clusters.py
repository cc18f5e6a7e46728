"""The lowest level of clusters, where nodes are many: soft assignments of songs and what is summed up over them."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from recsys.tracklists.sparse_products import SparseMatrix


class SongClusters(NamedTuple):
    """Of S songs in k clusters."""

    assignment: Tensor
    """C = softmax(E W + b), (S, k), without a gradient; on a GPU bfloat16 numbers."""
    pooled: Tensor
    """C^T A C, (k, k)."""
    members: Tensor
    """C^T E, (k, width)."""
    degrees: Tensor
    """C^T d, (k,)."""
    sizes: Tensor
    """C^T 1, (k,)."""


def song_clusters(features: Tensor, kernel: Tensor, bias: Tensor, graph: SparseMatrix, degrees: Tensor) -> SongClusters:
    """Assign songs to clusters, with gradients to the first three arguments.

    What C is multiplied with is one matrix [E d 1], and A C is kept for the gradient, as A is symmetric: that of C is
    A C (G + G^T) + [E d 1] H^T for gradients G and H of the two products. On a GPU the products are of bfloat16 numbers
    and summed up in float32.

    Args:
        features: E, (S, width).
        kernel: W, (width, k).
        bias: b, (k,).
        graph: A, (S, S).
        degrees: d, its row sums, (S,).
    """
    made = _SongClusters.apply(features, kernel, bias, graph, degrees)  # type: ignore[no-untyped-call]
    assignment, pooled, summed = made
    width = features.shape[1]
    return SongClusters(assignment, pooled, summed[:, :width], summed[:, width], summed[:, width + 1])


class _SongClusters(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, features: Tensor, kernel: Tensor, bias: Tensor, graph: SparseMatrix, degrees: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        dtype = torch.bfloat16 if features.is_cuda else features.dtype
        own = torch.cat([features, degrees[:, None], torch.ones_like(degrees)[:, None]], dim=1)  # [E d 1]
        # Its width is a multiple of 8, which the products like.
        own = torch.nn.functional.pad(own, (0, -own.shape[1] % 8)).to(dtype)
        assignment = _softmax(torch.addmm(bias, features, kernel))
        near = _near(graph, assignment)  # A C, (S, k)
        pooled, summed = _summed(assignment.T, near, features), _summed(assignment.T, own, features)
        ctx.save_for_backward(assignment, near, own, kernel)
        ctx.width = features.shape[1]
        ctx.mark_non_differentiable(assignment)
        return assignment, pooled, summed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        assignment, near, own, kernel = ctx.saved_tensors
        _, to_pooled, to_summed = gradients
        dtype, width = assignment.dtype, ctx.width
        slope = torch.addmm(own @ to_summed.T.to(dtype), near, (to_pooled + to_pooled.T).to(dtype))  # (S, k)
        _softmax_slope(assignment, slope)
        to_features = _summed(slope, kernel.T.to(dtype), kernel)
        to_features += _summed(assignment, to_summed[:, :width].to(dtype), kernel)
        to_weights = _summed(own.T, slope, kernel)  # (width + 2, k)
        return to_features, to_weights[:width], to_weights[width + 1], None, None


def _summed(left: Tensor, right: Tensor, like: Tensor) -> Tensor:
    """left @ right in the numbers of a tensor that is as wide as sums are."""
    if left.dtype == like.dtype:
        return left @ right
    return torch.mm(left, right, out_dtype=like.dtype)


def _near(graph: SparseMatrix, assignment: Tensor) -> Tensor:
    if not assignment.is_cuda:
        return graph @ assignment
    from recsys.sequences.cluster_kernels import rows_times_wide

    return rows_times_wide(graph.rows, assignment)


def _softmax(logits: Tensor) -> Tensor:
    if not logits.is_cuda:
        return torch.softmax(logits, dim=1)
    from recsys.sequences.cluster_kernels import narrow_softmax

    return narrow_softmax(logits)


def _softmax_slope(assignment: Tensor, slope: Tensor) -> None:
    """From the gradient of softmax to that of its logits, in place."""
    if slope.is_cuda:
        from recsys.sequences.cluster_kernels import softmax_slope

        softmax_slope(assignment, slope)
    else:
        slope.sub_((assignment * slope).sum(dim=1, keepdim=True)).mul_(assignment)
