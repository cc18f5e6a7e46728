"""Features of songs, and three levels of soft clusters over them, by graph networks (MODELS C2, C3)."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import selu

from recsys.sequences.dmon import collapse, economy, modularity
from recsys.sequences.sequence_options import SequenceOptions
from recsys.sequences.song_clusters import SongClusters, song_clusters
from recsys.sequences.song_features import SongFeatures
from recsys.tracklists.graph_snapshot import GraphSnapshot
from recsys.tracklists.mgccf import normalised
from recsys.tracklists.sparse_products import SparseMatrix, sparse_rows
from recsys.tracklists.stored_arrays import Floats, Matrix

_LEAST = 1e-6


def standardised(features: Tensor) -> Tensor:
    """Columns of mean 0 and variance 1; a constant one is 0."""
    centred = features - features.mean(dim=0)
    return centred * torch.rsqrt(centred.square().mean(dim=0) + 1e-6)


class HierarchyData(NamedTuple):
    """What the hierarchy reads of a snapshot of S songs and A artists, on a device.

    The features never change, so neither does what their neighbours have: a step needs no product with A_norm.
    """

    graph: SparseMatrix
    """Co-occurrence of songs, as it was prepared, (S, S)."""
    degrees: Tensor
    """Its row sums, (S,)."""
    songs: Tensor
    """Standardised features X, (S, f)."""
    near_songs: Tensor
    """A_norm X, A_norm = D^-1/2 (A + I) D^-1/2."""
    artists: Tensor
    """(A, f), and so on."""
    near_artists: Tensor
    credits: SparseMatrix
    """(S, A)."""


def hierarchy_data(snapshot: GraphSnapshot, features: SongFeatures, device: torch.device) -> HierarchyData:
    """The arrays of a snapshot and of what is known of its songs."""
    graph = sparse_rows(snapshot.song_song, device)
    degrees = np.asarray(snapshot.song_song.sum(axis=1), dtype=np.float32).ravel()
    credited = snapshot.credits.tocsr()
    by_artist = sparse_rows(credited.T, device)
    parts = (*_with_near(features.songs, snapshot.song_song), *_with_near(features.artists, snapshot.artist_artist))
    songs, near_songs, artists, near_artists = (part.to(device) for part in parts)
    return HierarchyData(
        graph=SparseMatrix(graph, graph),
        degrees=torch.from_numpy(degrees).to(device),
        songs=songs,
        near_songs=near_songs,
        artists=artists,
        near_artists=near_artists,
        credits=SparseMatrix(sparse_rows(credited, device), by_artist),
    )


def _with_near(features: Floats, graph: Matrix) -> tuple[Tensor, Tensor]:
    own = standardised(torch.from_numpy(features)) if len(features) else torch.from_numpy(features)
    return own, torch.from_numpy(np.ascontiguousarray(normalised(graph) @ own.numpy(), dtype=np.float32))


class GraphConvolution(nn.Module):
    """SELU(A_norm X W + skip * (X W) + b)."""

    def __init__(self, width: int, output: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(nn.init.xavier_uniform_(torch.empty(width, output)))
        self.skip = nn.Parameter(torch.ones(output))
        self.bias = nn.Parameter(torch.zeros(output))

    def forward(self, own: Tensor, near: Tensor) -> Tensor:
        """(nodes, output) of X and A_norm X, each (nodes, width)."""
        return selu(near @ self.kernel + self.skip * (own @ self.kernel) + self.bias)


class Assignment(nn.Module):
    """C = softmax(E W + b)."""

    def __init__(self, width: int, clusters: int) -> None:
        super().__init__()
        self.kernel, self.bias = _assignment_weights(width, clusters)

    def forward(self, features: Tensor) -> Tensor:
        """(nodes, clusters), rows of sum 1."""
        return torch.softmax(torch.addmm(self.bias, features, self.kernel), dim=1)


class SongAssignment(nn.Module):
    """The same of the songs, whose graph is sparse."""

    def __init__(self, width: int, clusters: int) -> None:
        super().__init__()
        self.kernel, self.bias = _assignment_weights(width, clusters)

    def forward(self, features: Tensor, graph: SparseMatrix, degrees: Tensor) -> SongClusters:
        """Their clusters, with what is summed up over them."""
        return song_clusters(features, self.kernel, self.bias, graph, degrees)


def _assignment_weights(width: int, clusters: int) -> tuple[nn.Parameter, nn.Parameter]:
    return nn.Parameter(nn.init.orthogonal_(torch.empty(width, clusters))), nn.Parameter(torch.zeros(clusters))


class Clusters(NamedTuple):
    """The levels, from the songs upwards."""

    songs: Tensor
    """Standardised E_hat, (S, 48)."""
    assignments: list[Tensor]
    """C_l, (nodes of the level below, k_l); of the songs without a gradient, as `SongClusters` has it."""
    features: list[Tensor]
    """Of the clusters of each level, standardised, (k_l, 56 | 64 | 64)."""
    modularity: Tensor
    """Q of each level, (levels,)."""
    collapse: Tensor
    """economy * sqrt(k)/n ||sizes||_F - 1 of each level, (levels,)."""


class Hierarchy(nn.Module):
    """The weights of C2 and C3."""

    def __init__(self, features: SongFeatures, options: SequenceOptions) -> None:
        super().__init__()
        songs = len(features.songs)
        counts = options.cluster_counts(songs)
        self.minimum_sizes = options.minimum_sizes(songs)
        self.by_song = GraphConvolution(features.songs.shape[1], options.song_features)
        self.by_artist = GraphConvolution(features.artists.shape[1], options.song_features)
        self.width = 2 * options.song_features
        widths = (self.width, *options.pooled_features)
        self.widths = (*options.pooled_features, options.pooled_features[-1])
        self.assign_songs = SongAssignment(widths[0], counts[0])
        self.assign = nn.ModuleList(
            Assignment(width, count) for width, count in zip(widths[1:], counts[1:], strict=True)
        )
        self.convolve = nn.ModuleList(
            GraphConvolution(width, output) for width, output in zip(widths, options.pooled_features, strict=False)
        )

    def forward(self, data: HierarchyData) -> Clusters:
        """All levels, and what their losses are made of."""
        by_artist = self.by_artist(data.artists, data.near_artists)
        own = [self.by_song(data.songs, data.near_songs), data.credits @ by_artist]
        features = songs = standardised(torch.cat(own, dim=1))  # (S, 48)
        count = len(songs)
        made = self.assign_songs(features, data.graph, data.degrees)
        assignments, graph, degrees, sizes = [made.assignment], made.pooled, made.degrees, made.sizes
        features = self._pooled(0, made.members / (sizes[:, None] + _LEAST), graph, degrees)
        pooled_features, qualities = [features], [modularity(graph, degrees)]
        collapses = [economy(sizes, count, self.minimum_sizes[0]) * collapse(sizes, count) - 1]
        for level, minimum in enumerate(self.minimum_sizes[1:], start=1):
            clusters = self.assign[level - 1](features)
            graph = clusters.T @ (graph @ clusters)  # A_{l+1}, (k, k)
            degrees, sizes = degrees @ clusters, sizes @ clusters
            qualities.append(modularity(graph, degrees))
            # Sizes are of C_hat_l, in songs.
            collapses.append(economy(sizes, count, minimum) * collapse(sizes, count) - 1)
            members = clusters.T @ features / (clusters.sum(dim=0)[:, None] + _LEAST)
            features = self._pooled(level, members, graph, degrees)
            assignments.append(clusters)
            pooled_features.append(features)
        return Clusters(songs, assignments, pooled_features, torch.stack(qualities), torch.stack(collapses))

    def _pooled(self, level: int, members: Tensor, graph: Tensor, degrees: Tensor) -> Tensor:
        """Standardised features of clusters (k, width), given the means of their members."""
        features = selu(members)
        if level < len(self.convolve):
            scale = torch.rsqrt(degrees + _LEAST)[:, None]
            features = self.convolve[level](features, scale * (graph @ (scale * features)))
        return standardised(features)


def song_assignments(assignments: list[Tensor], level: int) -> Tensor:
    """C_hat = C_0 C_1 .. C_l, (S, k_l)."""
    above = assignments[level]
    for clusters in reversed(assignments[:level]):
        above = clusters @ above
    return above
