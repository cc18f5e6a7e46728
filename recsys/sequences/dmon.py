"""Losses of deep modularity networks on a sparse graph (DMoN, Tsitsulin et al., arXiv 2006.16904; MODELS C3).

Clusters are soft: C (nodes, k) has rows of sum 1. The graph A is symmetric, d are its degrees, and 2m is their sum. m
is the textbook's, half the sum of degrees, so that for clusters of 0 and 1 modularity is networkx's. The published
notebook has the whole sum in its place, which halves the first term and divides the second by 4: its values are
Tr(C^T A C) / 4m - ||d^T C||^2 / 16m^2, and no multiple of these.
"""

from math import sqrt
from typing import Any

import torch
from torch import Tensor

from recsys.tracklists.sparse_products import SparseMatrix


def pooled_graph(graph: SparseMatrix, clusters: Tensor) -> Tensor:
    """C^T A C, (k, k), with a gradient to C; A is symmetric and sparse, (nodes, nodes).

    On a GPU the products are of bfloat16 numbers, summed up in float32.
    """
    pooled: Tensor = _PooledGraph.apply(clusters, graph)  # type: ignore[no-untyped-call]
    return pooled


class _PooledGraph(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, clusters: Tensor, graph: SparseMatrix) -> Tensor:
        if clusters.is_cuda:
            from recsys.sequences.cluster_kernels import rows_times_wide

            narrow = clusters.to(torch.bfloat16)
            told = rows_times_wide(graph.rows, narrow)  # (nodes, k)
        else:
            narrow, told = clusters, graph @ clusters
        ctx.save_for_backward(told)
        return (narrow.T @ told).to(clusters.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        # dL/dC = A C G^T + A^T C G, and A C is there already.
        (told,) = ctx.saved_tensors
        both = gradients[0] + gradients[0].T
        return (told @ both.to(told.dtype)).to(gradients[0].dtype), None


def modularity(pooled: Tensor, degrees: Tensor, clusters: Tensor) -> Tensor:
    """Q = (Tr(C^T A C) - ||d^T C||^2 / 2m) / 2m, whose loss is -Q; d d^T is never formed.

    Args:
        pooled: C^T A C, (k, k).
        degrees: d, (nodes,).
        clusters: C, (nodes, k).
    """
    twice_edges = degrees.sum()
    expected = (degrees @ clusters).square().sum() / twice_edges  # the rank-one term
    return (pooled.diagonal().sum() - expected) / twice_edges


def collapse(sizes: Tensor, songs: int) -> Tensor:
    """sqrt(k)/n ||sizes||_F: 1 for clusters of the same size, sqrt(k) for a single one.

    Args:
        sizes: songs of each of k clusters, the column sums of C_hat, (k,).
        songs: n.
    """
    norm: Tensor = torch.linalg.vector_norm(sizes)
    return sqrt(len(sizes)) / songs * norm


def economy(sizes: Tensor, songs: int, minimum: float) -> Tensor:
    """(n - k t) / sum_j relu(size_j - t): 1 where every cluster has the minimum size t, and less with empty ones."""
    spare = torch.relu(sizes - minimum).sum()
    return (songs - len(sizes) * minimum) / spare.clamp(min=1e-6 * songs)
