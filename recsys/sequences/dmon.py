"""Losses of deep modularity networks on a sparse graph (DMoN, Tsitsulin et al., arXiv 2006.16904; MODELS C3).

Clusters are soft: C (nodes, k) has rows of sum 1. The graph A is symmetric, d are its degrees, and 2m is their sum. m
is the textbook's, half the sum of degrees, so that for clusters of 0 and 1 modularity is networkx's. The published
notebook has the whole sum in its place, which halves the first term and divides the second by 4: its values are
Tr(C^T A C) / 4m - ||d^T C||^2 / 16m^2, and no multiple of these.
"""

from math import sqrt

import torch
from torch import Tensor


def modularity(pooled: Tensor, degrees: Tensor) -> Tensor:
    """Q = (Tr(C^T A C) - ||d^T C||^2 / 2m) / 2m, whose loss is -Q; d d^T is never formed.

    Args:
        pooled: C^T A C, (k, k).
        degrees: C^T d, (k,); its sum is 2m, as rows of C have sum 1.
    """
    twice_edges = degrees.sum()
    expected = degrees.square().sum() / twice_edges  # the rank-one term
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
