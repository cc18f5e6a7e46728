"""The network that foretells the next song (MODELS C4): an encoder, and heads from the top clusters to the songs."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout, selu

from recsys.sequences.encoders import encoder_of
from recsys.sequences.hierarchy import Clusters, Hierarchy, HierarchyData
from recsys.sequences.sequence_options import SequenceOptions
from recsys.sequences.song_features import SongFeatures
from recsys.sequences.song_loss import song_loss

UNTOLD = 0.1
"""Share of sub-lists whose DJ the network is not told, so that it knows what to do without one."""

TABLE_SCALE = 0.02


class Sizes(NamedTuple):
    """How many rows there are of what."""

    songs: int
    djs: int
    quarters: int


class Batch(NamedTuple):
    """Sub-lists (b, 16), as `sublists.Steps` has them."""

    inputs: Tensor
    targets: Tensor
    weights: Tensor
    djs: Tensor
    """Rows, or the number of DJs where the DJ is not known, (b,)."""
    quarters: Tensor
    """(b,)."""


class LevelHead(nn.Module):
    """z = SELU(W tanh(W' [h; teacher]))."""

    def __init__(self, width: int, teacher: int, output: int, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.inner = nn.Linear(width + teacher, width)
        self.outer = nn.Linear(width, output)

    def forward(self, hidden: Tensor, teacher: Tensor | None) -> Tensor:
        """(n, output) of states (n, width) and the features of the clusters above (n, teacher)."""
        told = hidden if teacher is None else torch.cat([hidden, teacher], dim=1)
        return selu(self.outer(torch.tanh(self.inner(dropout(told, self.rate, self.training)))))


class Predictor(nn.Module):
    """The encoder, what it is told of the DJ and the time, and the heads of the levels, top level last.

    Features of songs and clusters are handed in: they are trained beside it, and stand still once it is trained.
    """

    def __init__(self, sizes: Sizes, width: int, cluster_widths: tuple[int, ...], options: SequenceOptions) -> None:
        super().__init__()
        self.sizes, self.options = sizes, options
        self.encoder = encoder_of(width, options)
        told = {"djs": sizes.djs + 1} if options.djs else {}
        told |= {"quarters": sizes.quarters} if options.quarters else {}
        self.told_before = nn.ModuleDict({name: _zeros(count, width) for name, count in told.items()})
        self.told_after = nn.ModuleDict({name: _zeros(count, options.width) for name, count in told.items()})
        teachers = (*cluster_widths, 0)
        outputs = (options.width, *cluster_widths)
        rates = options.level_dropouts[::-1]
        self.heads = nn.ModuleList(
            LevelHead(options.width, teacher, output, rate)
            for teacher, output, rate in zip(teachers, outputs, rates, strict=False)
            if cluster_widths
        )

    def read(self, told: Tensor, djs: Tensor, quarters: Tensor) -> Tensor:
        """States (n, steps, width) of songs' features (n, steps, in) by DJs and quarters (n,)."""
        before, after = self.context(djs, quarters)
        states: Tensor = self.encoder(told if before is None else told + before[:, None])
        return states if after is None else states + after[:, None]

    def context(self, djs: Tensor, quarters: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """What is added to every input, (n, in), and to every state, (n, width); None for nothing."""
        rows = {"djs": djs, "quarters": quarters}
        before = [table(rows[name]) for name, table in self.told_before.items()]
        after = [table(rows[name]) for name, table in self.told_after.items()]
        return (sum(before[1:], before[0]), sum(after[1:], after[0])) if before else (None, None)

    def mixed(self, hidden: Tensor, level: int, features: list[Tensor], teacher: Tensor | None) -> Tensor:
        """z of level -1 (songs), 0, 1, .. for states (n, width), given clusters (n,) of the level above."""
        above = None if teacher is None else nn.functional.embedding(teacher, features[level + 1])
        z: Tensor = self.heads[level + 1](hidden, above)
        return z


def _zeros(count: int, width: int) -> nn.Embedding:
    table = nn.Embedding(count, width)
    nn.init.zeros_(table.weight)
    return table


class Frozen(NamedTuple):
    """What of a trained network stands still, without a gradient."""

    inputs: Tensor
    """Features of the songs, and of the filler where that is a token, (S or S + 1, in)."""
    kernel: Tensor
    """Of the songs' softmax, (S, width)."""
    bias: Tensor
    assignments: list[Tensor]
    features: list[Tensor]


class Losses(NamedTuple):
    """Of a step."""

    total: Tensor
    parts: Tensor
    """As `part_names` says."""


def part_names(options: SequenceOptions) -> list[str]:
    """Cross-entropies of songs and clusters, modularities, collapse terms."""
    levels = range(len(options.levels)) if options.head == "hierarchy" else ()
    names = ["songs"]
    for kind in ("clusters", "modularity", "collapse"):
        names += [f"{kind}_{level}" for level in levels]
    return names


class HierarchyModule(nn.Module):
    """Songs and their clusters, trained together with what foretells them."""

    def __init__(self, sizes: Sizes, features: SongFeatures, options: SequenceOptions) -> None:
        super().__init__()
        self.options = options
        self.hierarchy = Hierarchy(features, options)
        self.predictor = Predictor(sizes, self.hierarchy.width, self.hierarchy.widths, options)
        self.kernel = nn.Parameter(nn.init.xavier_uniform_(torch.empty(sizes.songs, options.width)))
        self.bias = nn.Parameter(torch.zeros(sizes.songs))

    def forward(self, batch: Batch, data: HierarchyData, total_weight: Tensor, share: float) -> Losses:
        """The loss of a step: cross-entropies over the batch's whole weight, and a share of the clusters' losses."""
        clusters = self.hierarchy(data)
        told = nn.functional.embedding(batch.inputs, clusters.songs)
        hidden = self.predictor.read(told, _untold(batch.djs, self.predictor), batch.quarters).flatten(0, 1)
        targets, weights = batch.targets.flatten(), batch.weights.flatten()
        path = _drawn_path(clusters, targets)
        z = self.predictor.mixed(hidden, -1, clusters.features, path[0])
        losses = [song_loss(z, self.kernel, self.bias, targets, weights) / total_weight]
        for level, own in enumerate(path):
            above = path[level + 1] if level < self.options.top else None
            z = self.predictor.mixed(hidden, level, clusters.features, above)
            logits = z @ clusters.features[level].T
            losses.append((cross_entropy(logits, own, reduction="none") * weights).sum() / total_weight)
        foretold = torch.stack(losses)
        uneven = sum(weight * one for weight, one in zip(self.options.collapse_weights, clusters.collapse, strict=True))
        of_clusters = self.options.cluster_weight * (uneven - clusters.modularity.sum())
        parts = [foretold.detach(), share * clusters.modularity.detach(), share * clusters.collapse.detach()]
        return Losses(foretold.sum() + share * of_clusters, torch.cat(parts))

    def frozen(self, data: HierarchyData) -> Frozen:
        """What the trained network reads."""
        with torch.no_grad():
            made = self.hierarchy(data)
        assigned = [assignment.float() for assignment in made.assignments]
        return Frozen(made.songs, self.kernel.detach(), self.bias.detach(), assigned, made.features)


class SoftmaxModule(nn.Module):
    """One softmax over all songs, by the table that the songs are read with: a GRU, or like SASRec."""

    def __init__(self, sizes: Sizes, features: SongFeatures, options: SequenceOptions) -> None:
        super().__init__()
        self.songs = sizes.songs
        self.table = nn.Parameter(torch.randn(sizes.songs + 1, options.width) * TABLE_SCALE)
        self.bias = nn.Parameter(torch.zeros(sizes.songs))
        self.predictor = Predictor(sizes, options.width, (), options)
        self.map = None
        if options.features:
            self.map = nn.Parameter(torch.randn(features.songs.shape[1], options.width) * TABLE_SCALE)

    def rows(self, data: HierarchyData) -> Tensor:
        """Vectors of all songs and the filler, (S + 1, width)."""
        if self.map is None:
            return self.table
        return self.table + torch.cat([data.songs @ self.map, self.map.new_zeros(1, self.map.shape[1])])

    def forward(self, batch: Batch, data: HierarchyData, total_weight: Tensor, _share: float) -> Losses:
        """The loss of a step: the cross-entropy over the batch's whole weight."""
        rows = self.rows(data)
        told = nn.functional.embedding(batch.inputs, rows)
        hidden = self.predictor.read(told, _untold(batch.djs, self.predictor), batch.quarters).flatten(0, 1)
        targets, weights = batch.targets.flatten(), batch.weights.flatten()
        loss = song_loss(hidden, rows[: self.songs], self.bias, targets, weights) / total_weight
        return Losses(loss, loss.detach()[None])

    def frozen(self, data: HierarchyData) -> Frozen:
        """What the trained network reads."""
        rows = self.rows(data).detach()
        return Frozen(rows, rows[: self.songs], self.bias.detach(), [], [])


SequenceModule = HierarchyModule | SoftmaxModule


def _untold(djs: Tensor, predictor: Predictor) -> Tensor:
    if not (predictor.training and predictor.options.djs):
        return djs
    return torch.where(torch.rand(djs.shape, device=djs.device) < UNTOLD, predictor.sizes.djs, djs)


def _drawn_path(clusters: Clusters, songs: Tensor) -> list[Tensor]:
    """A cluster of each level for each song, drawn from C_hat, upwards: the one that holds the cluster below.

    Each is the target of its level and the teacher of the level below, so that the heads learn the parts of
    P(song) = sum P(top) P(.. | top) .. P(song | cluster), and what `next_scores` sums is no other thing than that.
    """
    path, below = [], songs
    with torch.no_grad():
        for assignment in clusters.assignments:
            chances = assignment[below].float()
            below = (chances / torch.empty_like(chances).exponential_()).argmax(dim=1)
            path.append(below)
    return path
