"""The network of TL-MGCCF (MODELS B2, B3): two halves of a Bipar-GCN with drawn neighbours, and encodings of graphs."""

from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn.functional import dropout, softplus
from torch_geometric import EdgeIndex  # type: ignore[import-untyped, unused-ignore]
from torch_geometric.data import HeteroData  # type: ignore[import-untyped, unused-ignore]
from torch_geometric.nn.conv import MessagePassing  # type: ignore[import-untyped, unused-ignore]

from recsys.tracklists.factorisation import Cooccurrence, factorisation_loss
from recsys.tracklists.mgccf import Graphs, MgccfOptions, normalised
from recsys.tracklists.mgccf_plan import Sizes, StepPlan
from recsys.tracklists.sparse_products import SparseMatrix, SparseRows, sparse_product, sparse_rows

PARTS = ("bpr", "song_song", "song_artist", "artist_song", "artist_artist", "norm")
"""Of the loss, as `Mgccf.history` names them; means before they are weighted."""


class BiparLayer(nn.Module):
    """tanh([own; tanh(neighbours' mean Q)] W), with dropout of the neighbours' part and of what is joined.

    Of several groups of nodes at a time, each of which has a Q and a W of its own: by half DJs, and songs or artists.
    """

    def __init__(self, groups: int, width: int, output: int, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.neighbours = nn.Parameter(_kernels(groups, width, output))
        self.mix = nn.Parameter(_kernels(groups, width + output, output))

    def forward(self, own: Tensor, neighbours: Tensor, rows: list[int]) -> Tensor:
        """(nodes, output), of nodes (nodes, width) and their neighbours' means, so many of each group."""
        told = torch.tanh(_by_group(neighbours, self.neighbours, rows))
        told = dropout(told, self.rate, self.training)
        joined = dropout(torch.cat([own, told], dim=1), self.rate, self.training)
        return torch.tanh(_by_group(joined, self.mix, rows))


def _kernels(groups: int, width: int, output: int) -> Tensor:
    return torch.stack([nn.init.xavier_uniform_(torch.empty(width, output)) for _ in range(groups)])


def _by_group(nodes: Tensor, kernels: Tensor, rows: list[int]) -> Tensor:
    parts = zip(torch.split(nodes, rows), kernels.unbind(), strict=True)
    return torch.cat([part @ kernel for part, kernel in parts])


class GraphEncoder(MessagePassing):  # type: ignore[misc, unused-ignore]
    """tanh(A_norm (x M) + skip * (x M) + bias)."""

    SUPPORTS_FUSED_EDGE_INDEX = True

    def __init__(self, width: int, output: int) -> None:
        super().__init__(aggr="sum")
        self.kernel = nn.Parameter(nn.init.xavier_uniform_(torch.empty(width, output)))
        self.skip = nn.Parameter(torch.ones(output))
        self.bias = nn.Parameter(torch.zeros(output))

    def forward(self, x: Tensor, edge_index: EdgeIndex | None, edge_weight: Tensor | None) -> Tensor:
        """(nodes, output) of (nodes, width), by a symmetric graph's edges sorted by target; None for no graph."""
        mapped = x @ self.kernel
        told = mapped * self.skip + self.bias
        if edge_index is not None:
            told = told + self.propagate(edge_index, x=mapped, edge_weight=edge_weight)
        return torch.tanh(told)

    def message_and_aggregate(self, edge_index: EdgeIndex, x: Tensor, edge_weight: Tensor) -> Tensor:
        """A_norm x."""
        (starts, sources), _ = edge_index.get_csc()
        rows = SparseRows(starts, sources, edge_weight, len(x))
        return sparse_product(SparseMatrix(rows, rows), x)


class Losses(NamedTuple):
    """Of a step."""

    total: Tensor
    """Without that of the kernels' squares, which the optimiser adds as weight decay."""
    parts: Tensor
    """As `PARTS`, (6,)."""


class MgccfModule(nn.Module):
    """The weights, and the loss of a step."""

    def __init__(self, sizes: Sizes, options: MgccfOptions) -> None:
        super().__init__()
        self.sizes, self.options = sizes, options
        nodes = sizes.songs + sizes.artists + sizes.djs
        self.embedding = nn.Parameter(torch.randn(nodes, options.embedding) * 0.1)
        groups = 2 * len(sizes.halves)
        self.first = BiparLayer(groups, options.embedding, options.hidden, options.dropout)
        self.second = BiparLayer(groups, options.hidden, options.output, options.dropout)
        outputs = dict.fromkeys(sizes.halves, options.output) | {"dj": options.output * len(sizes.halves)}
        self.graphs = nn.ModuleDict({kind: GraphEncoder(options.embedding, output) for kind, output in outputs.items()})

    def kernels(self) -> list[nn.Parameter]:
        """The weights whose squares count in the loss."""
        kernels = [*self.first.parameters(), *self.second.parameters()]
        return kernels + [graph.kernel for graph in self.graphs.values() if isinstance(graph, GraphEncoder)]

    def encodings(self, data: HeteroData) -> Tensor:
        """e_bar of songs, artists, and by half DJs, (songs + artists + halves * DJs, 32)."""
        sizes = self.sizes
        tables = torch.split(self.embedding, [sizes.songs, sizes.artists, sizes.djs])
        table_of = dict(zip(("song", "artist", "dj"), tables, strict=True))
        made: list[Tensor] = []
        for kind, graph in self.graphs.items():
            edges = (None, None)
            if "multi-graph" not in self.options.without:
                edges = data[kind, "near", kind].edge_index, data[kind, "near", kind].edge_weight
            made += torch.split(graph(table_of[kind], *edges), self.options.output, dim=1)
        return torch.cat(made)

    def vectors(self, step: StepPlan, encodings: Tensor) -> tuple[Tensor, Tensor]:
        """Those of a step's DJs (batch, 64) and of its songs (2 * batch, 64), positive ones first."""
        sizes = self.sizes
        own, neighbours = (step.first @ self.embedding).chunk(2)
        first = self.first(own, neighbours, sizes.first)
        own, neighbours = (step.second @ first).chunk(2)
        fused = self.second(own, neighbours, sizes.second) + step.encoded @ encodings
        djs, songs, *of_artists = torch.split(fused, sizes.second)
        if not of_artists:
            return djs, songs
        artist_djs, artists = of_artists
        return torch.cat([djs, artist_djs], dim=1), torch.cat([songs, step.credits @ artists], dim=1)

    def forward(self, step: StepPlan, data: HeteroData, cooccurrence: Cooccurrence) -> Losses:
        """The loss of a step."""
        options, batch = self.options, self.sizes.batch
        encodings = self.encodings(data)
        djs, songs = self.vectors(step, encodings)
        played, unplayed = songs[:batch], songs[batch:]
        bpr = softplus(-(djs * (played - unplayed)).sum(dim=1)).mean()
        norm = djs.square().mean() + played.square().mean() + unplayed.square().mean()
        total = bpr + options.norm_weight * norm
        means = encodings.new_zeros(4)
        if "factorisation" not in options.without:
            items = encodings[: self.sizes.songs + self.sizes.artists]
            factorised, means = factorisation_loss(items, step.batch, cooccurrence)
            total = total + factorised
        return Losses(total, torch.cat([bpr.detach()[None], means.ravel(), norm.detach()[None]]))


def hetero_data(graphs: Graphs) -> HeteroData:
    """The graphs of songs, artists and DJs, normalised, as edges ("song", "near", "song") and so on."""
    data = HeteroData()
    kinds = ("song", "artist", "dj") if "artist" in graphs.halves else ("song", "dj")
    for kind in kinds:
        graph = normalised(getattr(graphs, kind))
        graph.sort_indices()
        count = graph.shape[0]
        target = np.repeat(np.arange(count, dtype=np.int32), np.diff(graph.indptr))
        data[kind].num_nodes = count
        edges = torch.from_numpy(np.stack([graph.indices.astype(np.int32), target]))
        edge_index = EdgeIndex(edges, sparse_size=(count, count), sort_order="col", is_undirected=True)
        data[kind, "near", kind].edge_index = edge_index
        data[kind, "near", kind].edge_weight = torch.from_numpy(graph.data)
    return data


def cooccurrence_of(graphs: Graphs, options: MgccfOptions, device: torch.device) -> Cooccurrence:
    """What is factorised."""
    blocks = [[graphs.song, graphs.song_artist], [graphs.song_artist.T, graphs.artist]]
    weights = [[options.song_song, options.song_artist], [options.artist_song, options.artist_artist]]
    return Cooccurrence(
        sparse_rows(sparse.bmat(blocks, format="csr"), device),
        graphs.song.shape[0],
        torch.tensor(weights, device=device),
        options.zero_weight,
    )
