"""Arrays and sparse matrices by name, as .npz and .safetensors files hold them, and a hash of their content."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Arrays = Mapping[str, npt.NDArray[Any]]
Matrix = Any
"""A scipy.sparse.csr_matrix."""


def hash_of(arrays: Arrays) -> str:
    """A hash of names, shapes and values, 64 hex digits, the same on every machine."""
    content = hashlib.sha256()
    for name in sorted(arrays):
        values = arrays[name]
        content.update(f"{name} {values.shape} ".encode())
        content.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
    return content.hexdigest()


def read_arrays(file: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an .npz file, by name; each library behind it has its own errors for a damaged one."""
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def write_arrays(file: Path, arrays: Arrays) -> None:
    """Write an .npz file, compressed."""
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def arrays_of(source: object, integers: Sequence[str], matrices: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Attributes of an object that are arrays of integers, and those that are matrices, as arrays by name."""
    arrays: dict[str, npt.NDArray[Any]] = {name: getattr(source, name).astype(np.int64) for name in integers}
    for name in matrices:
        arrays |= matrix_arrays(name, getattr(source, name))
    return arrays


def matrix_arrays(name: str, matrix: Matrix) -> dict[str, npt.NDArray[Any]]:
    """A matrix as the arrays of its rows' starts, its places, its values and its shape."""
    matrix = matrix.tocsr()
    matrix.sort_indices()
    return {
        f"{name}.starts": matrix.indptr.astype(np.int64),
        f"{name}.places": matrix.indices.astype(np.int32),
        f"{name}.values": matrix.data.astype(np.float32),
        f"{name}.shape": np.array(matrix.shape, dtype=np.int64),
    }


def matrix_of(arrays: Arrays, name: str) -> Matrix:
    """The matrix that `matrix_arrays` took apart.

    Raises:
        KeyError: there is none of that name.
        ValueError: its arrays do not fit together.
    """
    return sparse.csr_matrix(
        (arrays[f"{name}.values"], arrays[f"{name}.places"], arrays[f"{name}.starts"]),
        shape=tuple(arrays[f"{name}.shape"].tolist()),
    )


def rows_of(ids: Integers, among: Integers) -> Integers:
    """Places of ids among others that ascend, -1 where one is not there."""
    if not len(among):
        return np.full(len(ids), -1)
    places = np.minimum(np.searchsorted(among, ids), len(among) - 1)
    return np.where(among[places] == ids, places, -1)
