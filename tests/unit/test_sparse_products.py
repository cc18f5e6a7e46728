"""Sums over sparse rows: products of matrices and the factorisation of co-occurrence, with their gradients."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import sparse
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.nn.conv import MessagePassing

from recsys.tracklists.factorisation import Batch, Cooccurrence, factorisation_loss
from recsys.tracklists.sparse_products import SparseMatrix, SparseRows, sparse_product, sparse_rows

pytestmark = pytest.mark.usefixtures("one_thread")

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

Dense = npt.NDArray[np.float32]


def random_matrix(rows: int, columns: int, density: float, seed: int = 0) -> Dense:
    chance = np.random.default_rng(seed)
    return (chance.random((rows, columns)) * (chance.random((rows, columns)) < density)).astype(np.float32)


def matrix_of(dense: Dense, device: str = "cpu") -> SparseMatrix:
    made = sparse.csr_matrix(dense)
    return SparseMatrix(sparse_rows(made, device), sparse_rows(made.T, device))


# --- products --------------------------------------------------------------------------------------------------


def test_a_product_is_the_dense_one_and_so_is_its_gradient() -> None:
    """Rows 2 and 5 are empty, and so is column 3."""
    dense = random_matrix(7, 5, 0.6)
    dense[[2, 5]] = 0
    dense[:, 3] = 0
    vectors = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    product = sparse_product(matrix_of(dense), vectors)
    torch.testing.assert_close(product, torch.from_numpy(dense).double() @ vectors)
    assert torch.autograd.gradcheck(lambda told: matrix_of(dense) @ told, vectors)


def test_entries_behind_the_last_start_are_no_part_of_it() -> None:
    rows = SparseRows(torch.tensor([0, 1, 2]).int(), torch.tensor([1, 0, 9]).int(), torch.tensor([2.0, 3.0, 5.0]), 2)
    product = sparse_product(SparseMatrix(rows, rows), torch.tensor([[1.0], [10.0]]))
    assert product.tolist() == [[20.0], [3.0]]


def test_a_matrix_without_entries_gives_zeros() -> None:
    assert sparse_product(matrix_of(np.zeros((3, 2), dtype=np.float32)), torch.ones(2, 4)).tolist() == [[0.0] * 4] * 3


def test_a_message_passing_of_torch_geometric_can_aggregate_by_it() -> None:
    """Two edges lead to node 1, of weights 2 and 3, from nodes 0 and 2."""

    class Sum(MessagePassing):  # type: ignore[misc, unused-ignore]
        SUPPORTS_FUSED_EDGE_INDEX = True

        def forward(self, x: Tensor, edge_index: EdgeIndex, edge_weight: Tensor) -> Tensor:
            told: Tensor = self.propagate(edge_index, x=x, edge_weight=edge_weight)
            return told

        def message_and_aggregate(self, edge_index: EdgeIndex, x: Tensor, edge_weight: Tensor) -> Tensor:
            (starts, sources), _ = edge_index.get_csc()
            (sent, targets), _ = edge_index.get_csr()
            back = edge_weight[edge_index.get_csr()[1]]
            return sparse_product(
                SparseMatrix(SparseRows(starts, sources, edge_weight, 3), SparseRows(sent, targets, back, 3)), x
            )

    edges = EdgeIndex(torch.tensor([[0, 2], [1, 1]]), sparse_size=(3, 3), sort_order="col")
    x = torch.tensor([[1.0], [10.0], [100.0]], requires_grad=True)
    told = Sum()(x, edges, torch.tensor([2.0, 3.0]))
    assert told.tolist() == [[0.0], [302.0], [0.0]]
    told.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[2.0], [0.0], [3.0]]


@needs_cuda
@pytest.mark.parametrize(
    ("rows", "columns", "width", "density"), [(300, 200, 64, 0.05), (50, 4000, 48, 0.5), (9, 3, 32, 0)]
)
def test_a_gpu_gives_the_same_product_and_gradient(rows: int, columns: int, width: int, density: float) -> None:
    dense = random_matrix(rows, columns, density)
    vectors = torch.randn(columns, width)
    weights = torch.randn(rows, width)
    made = []
    for device in ("cpu", "cuda", "cuda"):
        own = vectors.to(device).clone().requires_grad_()
        product = sparse_product(matrix_of(dense, device), own)
        (product * weights.to(device)).sum().backward()
        assert own.grad is not None
        made.append((product.detach().cpu(), own.grad.cpu()))
    torch.testing.assert_close(made[0], made[1], rtol=1e-4, atol=1e-4)
    assert all(torch.equal(first, again) for first, again in zip(made[1], made[2], strict=True))


# --- factorisation ---------------------------------------------------------------------------------------------

SONGS, ARTISTS, WIDTH = 6, 4, 3


def some_cooccurrence(songs: int, artists: int, density: float, device: str = "cpu") -> tuple[Cooccurrence, Dense]:
    upper = np.triu(3 * random_matrix(songs + artists, songs + artists, density, seed=1), 1)
    dense = upper + upper.T
    weights = torch.tensor([[10.0, 20.0], [8.0, 6.0]], device=device)
    return Cooccurrence(sparse_rows(sparse.csr_matrix(dense), device), songs, weights, 0.05), dense


def batch_of(songs: list[int], artists: list[int], rows: int, nodes: int, device: str = "cpu") -> Batch:
    """Filled up to so many rows each, the songs by 64."""
    song_rows = -(-rows // 64) * 64
    chosen = songs + [-1] * (song_rows - len(songs)) + artists + [-1] * (rows - len(artists))
    place_of = torch.full((nodes,), -1, dtype=torch.int32)
    for place, node in enumerate(chosen):
        if node >= 0:
            place_of[node] = place
    return Batch(torch.tensor(chosen, dtype=torch.int32, device=device), place_of.to(device), song_rows)


def means_in_a_loop(table: Tensor, dense: Dense, songs: list[int], artists: list[int], count: int) -> Tensor:
    """J of MODELS B3, one pair after the other, (2, 2)."""
    kinds = (range(count), range(count, len(table)))
    rows = []
    for own in (songs, artists):
        row = []
        for others in kinds:
            told = table.new_zeros(())
            for i in own:
                for j in others:
                    x = float(dense[i, j])
                    told = told + (0.05 if x == 0 else 1.0) * (torch.relu(table[i] @ table[j]) - x) ** 2
            row.append(told / max(1, len(own) * len(others)))
        rows.append(torch.stack(row))
    return torch.stack(rows)


@pytest.mark.parametrize(("songs", "artists"), [([0, 2, 5], [6, 9]), ([1], []), ([3, 4], [7])])
def test_the_factorisation_is_that_of_the_formula_and_so_is_its_gradient(songs: list[int], artists: list[int]) -> None:
    torch.manual_seed(0)
    cooccurrence, dense = some_cooccurrence(SONGS, ARTISTS, 0.5)
    table = torch.randn(SONGS + ARTISTS, WIDTH, dtype=torch.float64, requires_grad=True)
    batch = batch_of(songs, artists, 4, len(table))
    total, means = factorisation_loss(table, batch, cooccurrence)
    expected = means_in_a_loop(table, dense, songs, artists, SONGS)
    torch.testing.assert_close(means, expected.detach())
    weighed = (expected * cooccurrence.weights).sum()
    torch.testing.assert_close(total, weighed)
    torch.testing.assert_close(torch.autograd.grad(total, table), torch.autograd.grad(weighed, table))
    assert torch.autograd.gradcheck(lambda told: factorisation_loss(told, batch, cooccurrence)[0], table)


def test_without_artists_songs_alone_are_factorised() -> None:
    torch.manual_seed(0)
    cooccurrence, dense = some_cooccurrence(SONGS, 0, 0.5)
    table = torch.randn(SONGS, WIDTH, dtype=torch.float64)
    _, means = factorisation_loss(table, batch_of([0, 3], [], 2, SONGS), cooccurrence)
    torch.testing.assert_close(means, means_in_a_loop(table, dense, [0, 3], [], SONGS))
    assert means[:, 1].tolist() == means[1].tolist() == [0.0, 0.0]


@needs_cuda
@pytest.mark.parametrize(("songs", "artists", "density"), [(700, 300, 0.1), (90, 0, 0.5), (5000, 1500, 0.02)])
def test_a_gpu_factorises_to_the_same_sums_and_gradient(songs: int, artists: int, density: float) -> None:
    torch.manual_seed(0)
    table = torch.randn(songs + artists, 32) / 4
    chosen = list(range(0, songs, 7))[:150]
    by = list(range(songs, songs + artists, 3))[:120]
    made = []
    for device in ("cpu", "cuda", "cuda"):
        cooccurrence, _ = some_cooccurrence(songs, artists, density, device)
        own = table.to(device).clone().requires_grad_()
        batch = batch_of(chosen, by, 200, len(table), device)
        total, means = factorisation_loss(own, batch, cooccurrence)
        total.backward()
        assert own.grad is not None
        made.append((total.detach().cpu(), means.cpu(), own.grad.cpu()))
    for expected, found in zip(made[0], made[1], strict=True):
        assert (expected - found).norm() <= 1e-3 * expected.norm()
    assert all(torch.equal(first, again) for first, again in zip(made[1], made[2], strict=True))
