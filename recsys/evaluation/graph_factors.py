"""Baselines that learn a vector for every DJ and song from the snapshot's plays; a score is their product.

Sources: alternating least squares (see `implicit_als`), and BPR, Rendle,
Freudenthaler, Gantner and Schmidt-Thieme (UAI 2009), as the package `implicit` has it; LightGCN, He, Deng, Wang, Li,
Zhang and Wang (SIGIR 2020), as `torch_geometric` has it. Parameters were chosen as those of `graph_baselines`.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from recsys.device import Device, chosen_device
from recsys.evaluation.graph_baselines import recent_plays
from recsys.evaluation.implicit_als import fitted_als
from recsys.progress import Progress, silent
from recsys.tracklists.graph_snapshot import GraphSnapshot
from recsys.tracklists.past import Newcomers
from recsys.tracklists.sparse_rows import log_scaled
from recsys.tracklists.stored_arrays import Floats, Integers


@dataclass(frozen=True)
class Factors:
    """A recommender by vectors."""

    djs: Floats
    """Shape (DJs, factors)."""
    songs: Floats
    """Shape (songs, factors)."""
    fold_in: Callable[[Newcomers], Floats]
    """Vectors of newcomers, (newcomers, factors)."""

    def of_djs(self, djs: Integers) -> Floats:
        """Products with the DJs' vectors."""
        return self.djs[djs] @ self.songs.T

    def of_newcomers(self, newcomers: Newcomers) -> Floats:
        """Products with the vectors that their plays are folded into."""
        return self.fold_in(newcomers) @ self.songs.T


def mean_fold_in(songs: Floats, newcomers: Newcomers) -> Floats:
    """The mean of the vectors of the songs that somebody played, 0 where he played none; (newcomers, factors)."""
    plays = newcomers.plays
    played = np.asarray(plays.sign() @ songs, dtype=np.float32)
    counts: Floats = np.maximum(np.diff(plays.tocsr().indptr), 1).astype(np.float32)[:, None]
    return played / counts


def fit_als(
    snapshot: GraphSnapshot,
    *,
    factors: int = 256,
    regularization: float = 100.0,
    confidence: float = 40.0,
    half_life: float = 90.0,
    iterations: int = 15,
    seed: int = 0,
    progress: Progress = silent,
) -> Factors:
    """Factors by alternating least squares of log(1 + 4 recent plays).

    Raises:
        ModuleNotFoundError: `implicit` is not installed.
    """
    model = fitted_als(
        log_scaled(recent_plays(snapshot, half_life), inside=4).astype(np.float32),
        factors=factors,
        regularization=regularization,
        confidence=confidence,
        iterations=iterations,
        seed=seed,
        progress=partial(progress, "fitting ALS"),
    )

    def fold_in(newcomers: Newcomers) -> Floats:
        with threadpool_limits(1, "blas"):
            rows = log_scaled(newcomers.recent(half_life), inside=4).astype(np.float32)
            folded: Floats = model.recalculate_user(np.arange(rows.shape[0]), rows)
        return folded

    return Factors(model.user_factors, model.item_factors, fold_in)


def fit_bpr(
    snapshot: GraphSnapshot,
    *,
    factors: int = 64,
    learning_rate: float = 0.05,
    regularization: float = 0.01,
    iterations: int = 100,
    seed: int = 0,
    progress: Progress = silent,
) -> Factors:
    """Factors by Bayesian personalised ranking of what a DJ played over what he did not; the last one is a song's bias.

    A listener's vector is the mean of the played songs', as long as a DJ's is on average.

    Raises:
        ModuleNotFoundError: `implicit` is not installed.
    """
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    # Threads would race for the vectors, and no two runs would be the same.
    model = BayesianPersonalizedRanking(
        factors=factors,
        learning_rate=learning_rate,
        regularization=regularization,
        iterations=iterations,
        num_threads=1,
        random_state=seed,
    )
    progress("fitting BPR", 0, 0)
    model.fit(snapshot.plays.sign().astype(np.float32), show_progress=False)
    length = np.linalg.norm(model.user_factors[:, :-1], axis=1).mean()

    def fold_in(newcomers: Newcomers) -> Floats:
        means = mean_fold_in(model.item_factors, newcomers)
        norms = np.linalg.norm(means[:, :-1], axis=1, keepdims=True)
        folded: Floats = means * (length / np.where(norms > 0, norms, 1)).astype(np.float32)
        folded[:, -1] = 1
        return folded

    return Factors(model.user_factors, model.item_factors, fold_in)


def fit_lightgcn(
    snapshot: GraphSnapshot,
    *,
    factors: int = 64,
    layers: int = 2,
    steps: int = 2000,
    batch: int = 16_384,
    learning_rate: float = 0.01,
    penalty: float = 0.01,
    device: Device = "auto",
    seed: int = 0,
    progress: Progress = silent,
) -> Factors:
    """Factors that are means over a DJ-song graph's neighbourhoods, by BPR over random negatives.

    A step reads the whole graph: on a large snapshot it wants a GPU. A listener's vector is the mean of the songs'.

    Args:
        snapshot: whose plays are the graph's edges, unweighted.
        factors: size of the vectors.
        layers: how far neighbourhoods reach.
        steps: of Adam.
        batch: plays of a step.
        learning_rate: Adam's.
        penalty: L2, of the vectors before they are spread.
        device: cpu, cuda, or auto for the GPU where there is one.
        seed: of the first vectors and of what is drawn.
        progress: called as work goes on.

    Raises:
        ModuleNotFoundError: `torch` or `torch_geometric` is not installed.
    """
    import torch
    from torch_geometric.nn import LightGCN  # type: ignore[import-untyped]

    place = chosen_device(device)
    plays = snapshot.plays.tocoo()
    count = plays.shape[0] + plays.shape[1]
    dj = torch.from_numpy(plays.row.astype(np.int64)).to(place)
    song = torch.from_numpy(plays.col.astype(np.int64)).to(place) + plays.shape[0]
    edges = torch.cat([torch.stack([dj, song]), torch.stack([song, dj])], dim=1)  # (2, 2 plays)
    scale = torch.bincount(edges[0], minlength=count).clamp(min=1).rsqrt()  # (nodes,)
    with warnings.catch_warnings():
        # Torch calls these matrices new whenever one is made.
        warnings.simplefilter("ignore", UserWarning)
        weights = scale[edges[0]] * scale[edges[1]]
        graph = torch.sparse_coo_tensor(edges, weights, (count, count)).coalesce().to_sparse_csr()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LightGCN(count, factors, layers, normalize=False).to(place)
    random = torch.Generator(place).manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    for step in range(steps):
        progress("fitting LightGCN", step, steps)
        drawn = torch.randint(len(dj), (batch,), generator=random, device=place)
        other = torch.randint(plays.shape[0], count, (batch,), generator=random, device=place)
        vectors = model.get_embedding(graph)  # (nodes, factors)
        asked, played, unplayed = vectors[dj[drawn]], vectors[song[drawn]], vectors[other]
        nodes = torch.cat([dj[drawn], song[drawn], other])
        loss = model.recommendation_loss((asked * played).sum(-1), (asked * unplayed).sum(-1), nodes, penalty)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        made = model.get_embedding(graph).cpu().numpy().astype(np.float32)
    djs, songs = made[: plays.shape[0]], made[plays.shape[0] :]
    return Factors(djs, songs, partial(mean_fold_in, songs))
