"""What the graph recommender trains on, as a folder of arrays that needs no database: graphs of songs, artists, DJs."""

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from recsys import __version__
from recsys.errors import SourceError
from recsys.folders import replaced_folder

LAYOUT = 1
"""Raised when the content of a snapshot changes; one of another layout is refused."""

MANIFEST_FILE = "graph.json"
ARRAYS_FILE = "graph.npz"

Ids = npt.NDArray[np.int64]
Matrix = Any
"""A scipy.sparse.csr_matrix, float32."""


@dataclass(frozen=True)
class GraphSnapshot:
    """Songs, artists and DJs by their ids in the database, and the matrices between them."""

    songs: Ids
    artists: Ids
    djs: Ids
    song_song: Matrix
    """Co-occurrence in tracklists, thresholded and scaled; symmetric, as is `artist_artist`."""
    song_artist: Matrix
    """Co-occurrence of songs with the artists of the songs beside them."""
    artist_artist: Matrix
    credits: Matrix
    """How far a song is by an artist; rows have sum 1, or 0 where nobody is credited."""
    plays: Matrix
    """How often a DJ played a song."""
    clicks: Matrix
    """log(plays) of songs that a DJ played more than once; rows of DJs with few such songs are empty."""
    dj_dj: Matrix
    """Cosine of the DJs' binary click rows, without a diagonal."""


@dataclass(frozen=True)
class GraphFacts:
    """Where a snapshot comes from: what was asked of the database, and how much was there before it was cut."""

    query_hash: str
    before: str | None
    """Tracklists of this date and later, and those without a date, are left out."""
    options: dict[str, float]
    tracklists: int
    sizes: dict[str, tuple[int, int]]
    """By what is counted (songs, plays, entries of each matrix): how many before and after."""
    content_hash: str = ""
    code_version: str = __version__


_IDS = ("songs", "artists", "djs")
_MATRICES = tuple(field.name for field in fields(GraphSnapshot) if field.name not in _IDS)


def content_hash(snapshot: GraphSnapshot) -> str:
    """A hash of all arrays, 64 hex digits."""
    content = hashlib.sha256()
    for name, values in _arrays(snapshot).items():
        content.update(f"{name} {values.shape} ".encode())
        content.update(np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes())
    return content.hexdigest()


def _arrays(snapshot: GraphSnapshot) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {name: getattr(snapshot, name).astype(np.int64) for name in _IDS}
    for name in _MATRICES:
        matrix = getattr(snapshot, name).tocsr()
        matrix.sort_indices()
        arrays[f"{name}.starts"] = matrix.indptr.astype(np.int64)
        arrays[f"{name}.places"] = matrix.indices.astype(np.int32)
        arrays[f"{name}.values"] = matrix.data.astype(np.float32)
        arrays[f"{name}.shape"] = np.array(matrix.shape, dtype=np.int64)
    return arrays


def write_graph_snapshot(snapshot: GraphSnapshot, facts: GraphFacts, folder: Path) -> None:
    """Write a snapshot into a folder, which is there once it is whole; an older one in it is replaced.

    Raises:
        SourceError: the folder holds something else, or cannot be written.
    """
    manifest = {"layout": LAYOUT} | {field.name: getattr(facts, field.name) for field in fields(facts)}
    with replaced_folder(folder, MANIFEST_FILE) as draft:
        np.savez_compressed(draft / ARRAYS_FILE, **_arrays(snapshot))  # type: ignore[arg-type]
        (draft / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2), encoding="utf-8")


def load_graph_snapshot(folder: Path) -> tuple[GraphSnapshot, GraphFacts]:
    """The snapshot in a folder, checked against the hash of its content.

    Raises:
        SourceError: the folder holds no snapshot, one of another layout, or a damaged one.
    """
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
        layout = manifest.pop("layout")
        manifest["sizes"] = {name: tuple(both) for name, both in manifest["sizes"].items()}
    except OSError:
        raise SourceError(f"{folder} holds no graph: write one with `recsys tracklists prepare {folder}`") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _damaged(folder, f"{MANIFEST_FILE} cannot be read") from None
    if layout != LAYOUT:
        raise SourceError(
            f"the graph in {folder} is of layout {layout}, this version reads {LAYOUT}: write it again with"
            " `recsys tracklists prepare`"
        )
    try:
        facts = GraphFacts(**manifest)
        with np.load(folder / ARRAYS_FILE, allow_pickle=False) as stored:
            matrices = {
                name: sparse.csr_matrix(
                    (stored[f"{name}.values"], stored[f"{name}.places"], stored[f"{name}.starts"]),
                    shape=tuple(stored[f"{name}.shape"].tolist()),
                )
                for name in _MATRICES
            }
            snapshot = GraphSnapshot(**{name: stored[name] for name in _IDS}, **matrices)
    except Exception as error:
        # zipfile, zlib, numpy and scipy each have their own errors for a damaged archive.
        raise _damaged(folder, f"{error}".splitlines()[0] if str(error) else type(error).__name__) from None
    if content_hash(snapshot) != facts.content_hash:
        raise _damaged(folder, "its content is not what its manifest says")
    return snapshot, facts


def _damaged(folder: Path, reason: str) -> SourceError:
    return SourceError(f"the graph in {folder} is damaged ({reason}): copy it, or write it, again")
