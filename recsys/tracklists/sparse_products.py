"""Products of sparse and dense matrices with a gradient: the same result each time, on a CPU or a GPU."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag


@dataclass(frozen=True)
class SparseRows:
    """The rows of a matrix one after the other (CSR), n rows with `len(places)` entries or fewer.

    Entries beyond the last start are no part of it.
    """

    starts: Tensor
    """int32, (n + 1,)."""
    places: Tensor
    """The entries' columns, int32."""
    values: Tensor
    columns: int

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.starts) - 1


@dataclass(frozen=True)
class SparseMatrix:
    """A matrix by its rows and by its columns, which are the same where it is symmetric."""

    rows: SparseRows
    transposed: SparseRows

    def __matmul__(self, dense: Tensor) -> Tensor:
        return sparse_product(self, dense)


def sparse_rows(matrix: Any, device: torch.device | str = "cpu") -> SparseRows:
    """The rows of a scipy.sparse matrix, float32."""
    matrix = matrix.tocsr()
    return SparseRows(
        torch.from_numpy(matrix.indptr.astype(np.int32)).to(device),
        torch.from_numpy(matrix.indices.astype(np.int32)).to(device),
        torch.from_numpy(matrix.data.astype(np.float32)).to(device),
        matrix.shape[1],
    )


def sparse_product(matrix: SparseMatrix, dense: Tensor) -> Tensor:
    """matrix @ dense, shape (rows, width), with a gradient to `dense` (columns, width).

    Usable in the `message_and_aggregate` of a MessagePassing of torch_geometric.
    """
    product: Tensor = _Product.apply(dense, matrix)  # type: ignore[no-untyped-call]
    return product


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, dense: Tensor, matrix: SparseMatrix) -> Tensor:
        ctx.transposed = matrix.transposed
        return _times(matrix.rows, dense)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _times(ctx.transposed, gradients[0]), None


def _times(rows: SparseRows, dense: Tensor) -> Tensor:
    if dense.is_cuda:
        from recsys.tracklists.graph_kernels import rows_times

        return rows_times(rows, dense.contiguous())
    entries = int(rows.starts[-1])
    # Faster here than torch's own sparse matrices, which warn that they are in beta.
    return embedding_bag(
        rows.places[:entries],
        dense,
        rows.starts,
        mode="sum",
        per_sample_weights=rows.values[:entries].to(dense.dtype),
        include_last_offset=True,
    )
