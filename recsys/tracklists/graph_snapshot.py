"""What the graph recommender trains on, as a folder of arrays that needs no database: graphs of songs, artists, DJs."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from recsys import __version__
from recsys.folders import Layout, replaced_folder
from recsys.tracklists.stored_arrays import Integers, Matrix, arrays_of, hash_of, matrix_of, read_arrays, write_arrays

MANIFEST_FILE = "graph.json"
LAYOUT = Layout("graph", "recsys tracklists prepare", MANIFEST_FILE, 2)
"""Its number is raised when the content of a snapshot changes; one of another layout is refused."""

ARRAYS_FILE = "graph.npz"

NO_DATE = -(2**31)

Ids = Integers


@dataclass(frozen=True)
class GraphSnapshot:
    """Songs, artists and DJs by their ids in the database, what was played when, and the matrices between them."""

    songs: Ids
    artists: Ids
    djs: Ids
    days: Ids
    """Days from 1970-01-01 to a tracklist's date; `NO_DATE` where it has none."""
    lists: Matrix
    """How often a tracklist holds a song, tracklists in the order in which they are read."""
    dj_lists: Matrix
    """1 where a tracklist is a DJ's."""
    song_song: Matrix
    """Co-occurrence in tracklists, thresholded and scaled; symmetric, as is `artist_artist`."""
    song_artist: Matrix
    """Co-occurrence of songs with the artists of the songs beside them."""
    artist_artist: Matrix
    credits: Matrix
    """How far a song is by an artist; rows have sum 1, or 0 where nobody is credited."""
    clicks: Matrix
    """log(plays) of songs that a DJ played more than once; rows of DJs with few such songs are empty."""
    dj_dj: Matrix
    """Cosine of the DJs' binary click rows, without a diagonal."""

    @property
    def plays(self) -> Matrix:
        """How often a DJ played a song, (DJs, songs)."""
        return (self.dj_lists @ self.lists).tocsr()


@dataclass(frozen=True)
class GraphFacts:
    """Where a snapshot comes from: what was asked of the database, and how much was there before it was cut."""

    query_hash: str
    names_hash: str
    """Hash of the songs' and DJs' keys by their ids: a snapshot of another database is told by it."""
    before: str | None
    """Tracklists of this date and later, and those without a date, are left out."""
    options: dict[str, float]
    tracklists: int
    sizes: dict[str, tuple[int, int]]
    """By what is counted (songs, plays, entries of each matrix): how many before and after."""
    held_out: dict[str, float] = field(default_factory=dict)
    """Shares of DJs and of (DJ, song) pairs that were left out to be foretold, with the seed; empty for none."""
    read_at: str | None = None
    """When the tracklists had last changed as they were read, as ISO 8601; None where nobody knows."""
    content_hash: str = ""
    code_version: str = __version__


_IDS = ("songs", "artists", "djs", "days")
_MATRICES = tuple(part.name for part in fields(GraphSnapshot) if part.name not in _IDS)


def write_graph_snapshot(
    snapshot: GraphSnapshot,
    facts: GraphFacts,
    folder: Path,
    write_beside: Callable[[Path, str], None] = lambda _folder, _hash: None,
) -> str:
    """Write a snapshot into a folder, which is there once it is whole; an older one in it is replaced.

    Args:
        snapshot: what is written.
        facts: where it comes from.
        folder: where to write.
        write_beside: called with the folder, before it is in place, and the hash; what it writes there belongs to it.

    Returns:
        The hash of the snapshot's content, 64 hex digits, which is kept with the facts.

    Raises:
        SourceError: the folder holds something else, or cannot be written.
    """
    arrays = arrays_of(snapshot, _IDS, _MATRICES)
    facts = replace(facts, content_hash=hash_of(arrays))
    manifest = {"layout": LAYOUT.number} | asdict(facts)
    with replaced_folder(folder, MANIFEST_FILE) as draft:
        write_arrays(draft / ARRAYS_FILE, arrays)
        (draft / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
        write_beside(draft, facts.content_hash)
    return facts.content_hash


def load_graph_snapshot(folder: Path) -> tuple[GraphSnapshot, GraphFacts]:
    """The snapshot in a folder, checked against the hash of its content.

    Raises:
        SourceError: the folder holds no snapshot, one of another layout, or a damaged one.
    """
    manifest = LAYOUT.read_manifest(folder)
    del manifest["layout"]
    try:
        sizes = {name: tuple(both) for name, both in manifest["sizes"].items()}
        facts = GraphFacts(**manifest | {"sizes": sizes})
        arrays = read_arrays(folder / ARRAYS_FILE)
        matrices = {name: matrix_of(arrays, name) for name in _MATRICES}
        snapshot = GraphSnapshot(**{name: arrays[name] for name in _IDS}, **matrices)
    except Exception as error:
        # zipfile, zlib, numpy and scipy each have their own errors for a damaged archive.
        raise LAYOUT.damaged(folder, error) from None
    if hash_of(arrays) != facts.content_hash:
        raise LAYOUT.damaged(folder, "its content is not what its manifest says")
    return snapshot, facts
