"""Losses and levels of clusters against dense formulas of a few lines, and modularity against networkx."""

import networkx as nx
import numpy as np
import pytest
import torch
from scipy import sparse
from torch import Tensor

from recsys.sequences.dmon import collapse, economy, modularity
from recsys.sequences.hierarchy import Hierarchy, hierarchy_data, song_assignments, standardised
from recsys.sequences.sequence_options import SequenceOptions
from recsys.sequences.song_clusters import song_clusters
from recsys.sequences.song_features import SongFeatures
from recsys.sequences.song_loss import song_loss
from recsys.tracklists.sparse_products import SparseMatrix, sparse_rows
from tests.toy_sequences import toy_world

pytestmark = pytest.mark.usefixtures("one_thread")

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def random_graph(nodes: int) -> sparse.csr_matrix:
    graph = sparse.random(nodes, nodes, 0.3, random_state=0)
    graph.setdiag(0)
    return (graph + graph.T).tocsr()


def doubles(*shape: int, seed: int = 0) -> Tensor:
    made = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return made.requires_grad_()


def test_modularity_of_hard_clusters_is_that_of_networkx() -> None:
    graph = random_graph(12)
    hard = torch.nn.functional.one_hot(torch.arange(12) % 3).double()
    dense = torch.from_numpy(graph.toarray())
    told = modularity(hard.T @ dense @ hard, dense.sum(dim=1) @ hard)
    communities = [{node for node in range(12) if node % 3 == part} for part in range(3)]
    assert float(told) == pytest.approx(nx.community.modularity(nx.from_numpy_array(graph.toarray()), communities))


def test_modularity_of_soft_clusters_is_the_dense_formula() -> None:
    dense = torch.from_numpy(random_graph(12).toarray())
    soft, degrees = torch.softmax(doubles(12, 4), dim=1), dense.sum(dim=1)
    twice = degrees.sum()
    expected = torch.trace(soft.T @ (dense - degrees[:, None] * degrees / twice) @ soft) / twice
    torch.testing.assert_close(modularity(soft.T @ dense @ soft, degrees @ soft), expected)


def test_clusters_of_one_size_do_not_collapse_and_a_single_one_does() -> None:
    assert float(collapse(torch.full((4,), 25.0), 100)) == pytest.approx(1)
    assert float(collapse(torch.tensor([100.0, 0, 0, 0]), 100)) == pytest.approx(2)


def test_the_economy_rewards_that_a_cluster_under_the_minimum_vanishes() -> None:
    assert float(economy(torch.tensor([30.0, 30, 20, 20]), 100, 10)) == pytest.approx((100 - 40) / 60)
    assert float(economy(torch.tensor([30.0, 30, 32, 8]), 100, 10)) == pytest.approx(60 / 62)
    assert float(economy(torch.tensor([30.0, 30, 40, 0]), 100, 10)) == pytest.approx(60 / 70)


def test_sums_over_clusters_of_songs_have_the_right_values_and_gradients() -> None:
    graph = random_graph(9)
    rows = sparse_rows(graph)
    matrix, dense = SparseMatrix(rows, rows), torch.from_numpy(graph.toarray())
    degrees = dense.sum(dim=1)
    features, kernel, bias = doubles(9, 4), doubles(4, 3, seed=1), doubles(3, seed=2)
    made = song_clusters(features, kernel, bias, matrix, degrees)
    soft = torch.softmax(features @ kernel + bias, dim=1)
    # The graph's values are kept as float32.
    torch.testing.assert_close(made.pooled, soft.T @ dense @ soft, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(made.members, soft.T @ features)
    torch.testing.assert_close(made.degrees, soft.T @ degrees)
    torch.testing.assert_close(made.sizes, soft.sum(dim=0))

    def summed(*given: Tensor) -> tuple[Tensor, ...]:
        return song_clusters(*given, matrix, degrees)[1:]

    assert torch.autograd.gradcheck(summed, (features, kernel, bias), atol=1e-5)


def test_the_loss_of_songs_has_the_right_value_and_gradients() -> None:
    read, kernel, bias = doubles(7, 4), doubles(5, 4, seed=1), doubles(5, seed=2)
    targets, weights = torch.tensor([0, 1, 2, 3, 4, 0, 1]), torch.linspace(0, 1, 7)
    expected = torch.nn.functional.cross_entropy(read @ kernel.T + bias, targets, reduction="none") @ weights.double()
    torch.testing.assert_close(song_loss(read, kernel, bias, targets, weights), expected)

    def loss(*given: Tensor) -> Tensor:
        return song_loss(*given, targets, weights)

    assert torch.autograd.gradcheck(loss, (read, kernel, bias))


def test_levels_are_what_a_dense_reference_makes_of_the_same_weights() -> None:
    snapshot, _ = toy_world()
    random = np.random.default_rng(0)
    features = SongFeatures(
        random.standard_normal((40, 5)).astype(np.float32),
        random.standard_normal((10, 5)).astype(np.float32),
        np.zeros(5, dtype=np.int64),
        "",
    )
    torch.manual_seed(0)
    module = Hierarchy(features, SequenceOptions())
    made = module(hierarchy_data(snapshot, features, torch.device("cpu")))

    def convolved(layer: torch.nn.Module, graph: Tensor, own: Tensor) -> Tensor:
        mapped = own @ layer.kernel
        return torch.selu(graph @ mapped + layer.skip * mapped + layer.bias)

    def norm(graph: Tensor) -> Tensor:
        scale = graph.sum(dim=1).rsqrt()
        return scale[:, None] * graph * scale

    def dense(matrix: sparse.csr_matrix) -> Tensor:
        return torch.from_numpy(matrix.toarray())

    songs, artists = (standardised(torch.from_numpy(part)) for part in (features.songs, features.artists))
    by_song = convolved(module.by_song, norm(dense(snapshot.song_song) + torch.eye(40)), songs)
    by_artist = convolved(module.by_artist, norm(dense(snapshot.artist_artist) + torch.eye(10)), artists)
    own = standardised(torch.cat([by_song, dense(snapshot.credits) @ by_artist], dim=1))
    torch.testing.assert_close(made.songs, own, rtol=1e-4, atol=1e-5)
    graph, chain = dense(snapshot.song_song), torch.eye(40)
    whole = graph
    for level, (count, minimum) in enumerate(zip((8, 4, 2), module.minimum_sizes, strict=True)):
        assign = module.assign_songs if level == 0 else module.assign[level - 1]
        soft = torch.softmax(own @ assign.kernel + assign.bias, dim=1)
        pooled = torch.selu((soft / soft.sum(dim=0)).T @ own)
        graph, chain = soft.T @ graph @ soft, chain @ soft
        own = standardised(pooled if level == 2 else convolved(module.convolve[level], norm(graph), pooled))
        degrees, sizes = whole.sum(dim=1), chain.sum(dim=0)
        expected = whole - degrees[:, None] * degrees / degrees.sum()
        quality = torch.trace(chain.T @ expected @ chain) / degrees.sum()
        spare = torch.relu(sizes - minimum).sum()
        uneven = (40 - count * minimum) / spare * count**0.5 / 40 * sizes.norm() - 1
        torch.testing.assert_close(song_assignments(made.assignments, level), chain, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(made.features[level], own, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(made.modularity[level], quality, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(made.collapse[level], uneven, rtol=1e-4, atol=1e-5)


def test_the_published_sizes_are_kept_for_the_published_vocabulary_and_scale_with_others() -> None:
    options = SequenceOptions()
    assert options.cluster_counts(31_214) == (1200, 384, 48)
    assert options.minimum_sizes(31_214) == pytest.approx((18, 60, 480))
    assert options.cluster_counts(72_808) == (1200, 384, 48)
    assert options.minimum_sizes(62_428) == pytest.approx((36, 120, 960))
    assert options.cluster_counts(3_121) == (120, 38, 5)
    assert options.minimum_sizes(15_607)[0] == pytest.approx(18)


@needs_cuda
def test_the_gpus_losses_and_gradients_are_those_of_the_cpu_up_to_bfloat16() -> None:
    graph, random = random_graph(203), torch.Generator().manual_seed(0)
    degrees = torch.from_numpy(np.asarray(graph.sum(axis=1), dtype=np.float32).ravel())
    given = [torch.randn(*shape, generator=random) for shape in ((203, 8), (8, 30), (30,), (90, 8), (203, 8), (203,))]
    made: list[list[Tensor]] = []
    for device in ("cpu", "cuda"):
        rows = sparse_rows(graph, device)
        features, kernel, bias, read, songs, shift = (part.clone().to(device).requires_grad_() for part in given)
        clusters = song_clusters(features, kernel, bias, SparseMatrix(rows, rows), degrees.to(device))
        targets, weights = torch.arange(90, device=device), torch.linspace(0, 1, 90, device=device)
        loss = song_loss(read, songs, shift, targets, weights)
        told = [clusters.pooled.square().sum(), clusters.members.square().sum(), clusters.sizes.square().sum(), loss]
        torch.stack(told).sum().backward()
        slopes = [part.grad for part in (features, kernel, bias, read, songs, shift)]
        made.append([part.detach().cpu() for part in (*told, *slopes) if part is not None])
    for mine, theirs in zip(*made, strict=True):
        assert float((mine - theirs).norm() / mine.norm()) < 0.02
