"""What is done to sparse matrices whose rows are players or tracklists."""

from typing import Any

import numpy as np
from scipy import sparse

from recsys.tracklists.stored_arrays import Floats, Integers, Matrix


def ones(matrix: Matrix) -> Matrix:
    """1 where a matrix has an entry, as float32."""
    made = matrix.tocsr().astype(np.float32, copy=True)
    made.data[:] = 1
    return made


def log_scaled(matrix: Matrix, factor: float = 1, inside: float = 1) -> Matrix:
    """factor * log(1 + inside * x) of every entry."""
    made = matrix.tocsr(copy=True)
    made.data = factor * np.log1p(inside * made.data)
    return made


def scaled(matrix: Matrix, rows: Any = None, columns: Any = None) -> Matrix:
    """A matrix whose rows or columns are multiplied by numbers."""
    if rows is not None:
        matrix = sparse.diags(np.asarray(rows, dtype=np.float32)) @ matrix
    if columns is not None:
        matrix = matrix @ sparse.diags(np.asarray(columns, dtype=np.float32))
    return matrix.tocsr()


def unit_rows(matrix: Matrix) -> Matrix:
    """Rows over their lengths, as float32; what is empty stays so. Their products are cosines."""
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return (sparse.diags(1 / np.where(norms > 0, norms, 1)) @ matrix).tocsr().astype(np.float32)


def column_sums(matrix: Matrix) -> Floats:
    """Sums of the columns."""
    sums: Floats = np.asarray(matrix.sum(axis=0), dtype=np.float32).ravel()
    return sums


def dense(matrix: Matrix) -> Floats:
    """A sparse matrix, or an array, as an array of float32."""
    values: Floats = np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, dtype=np.float32)
    return values


def entries(matrix: Matrix, row: int) -> tuple[Integers, Floats]:
    """Places and values of a row."""
    span = slice(matrix.indptr[row], matrix.indptr[row + 1])
    return matrix.indices[span], matrix.data[span]


def level(scores: Matrix) -> Matrix:
    """Roots of scores, 0 or more, on a level that does not depend on how much a player played."""
    made = scores.tocsr(copy=True)
    counts = np.diff(made.indptr)
    rows = np.repeat(np.arange(len(counts)), counts)
    norms = np.sqrt(np.bincount(rows, made.data**2, len(counts)))
    made.data = np.sqrt(30 * made.data / np.maximum(norms[rows], 1e-9)).astype(np.float32)
    return made


def largest(scores: Floats, n: int) -> Integers:
    """Places of the n largest, in no order."""
    places: Integers = np.argpartition(-scores, n)[:n] if n < len(scores) else np.arange(len(scores))
    return places
