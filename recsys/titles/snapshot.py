"""What training reads: titles, playlists, songs and cluster labels as a folder of arrays that needs no database.

Only the export imports the database; a folder is read on a machine that has numpy and nothing of ours but the source.
"""

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from recsys import __version__
from recsys.errors import NotReadyError
from recsys.folders import Layout, replaced_folder
from recsys.progress import Progress, silent

if TYPE_CHECKING:
    import psycopg

    from recsys.config import Settings

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)

MANIFEST_FILE = "manifest.json"
LAYOUT = Layout("snapshot", "recsys titles snapshot", MANIFEST_FILE, 1)
"""Its number is raised when the content of a snapshot changes; one of another layout is refused."""

TITLES_FILE = "titles.json"
ARRAYS_FILE = "playlists.npz"

NO_CLUSTER = -1
PLAYLISTS_AT_ONCE = 20_000

# In an order that does not depend on how, or in which order, the rows came into the database.
PLAYLISTS = """
SELECT p.id, t.name, ps.part, pc.cluster
  FROM playlist AS p
  JOIN source AS s ON s.id = p.source_id
  JOIN title AS t ON t.id = p.title_id
  LEFT JOIN playlist_split AS ps ON ps.split_id = %(split)s AND ps.playlist_id = p.id
  LEFT JOIN (playlist_cluster AS pc
             JOIN cluster AS c
               ON c.clustering_id = pc.clustering_id AND c.number = pc.cluster AND NOT c.is_miscellaneous)
    ON pc.clustering_id = %(clustering)s AND pc.playlist_id = p.id
 WHERE (%(split)s::bigint IS NULL OR ps.part IS NOT NULL)
   AND EXISTS (SELECT FROM playlist_track AS pt WHERE pt.playlist_id = p.id)
 ORDER BY s.name COLLATE "C", p.external_id COLLATE "C"
"""

ENTRIES = """
SELECT place.number - 1, pt.position::bigint, pt.track_id, t.song_id
  FROM unnest(%(playlists)s::bigint[]) WITH ORDINALITY AS place (id, number)
  JOIN playlist_track AS pt ON pt.playlist_id = place.id
  JOIN track AS t ON t.id = pt.track_id
"""

# A clean split has clusters of its own, fitted on its train part; one of the seed protocol divides those of all lists.
CLUSTERING = """
SELECT c.id
  FROM clustering AS c
 WHERE CASE WHEN %(protocol)s = 'seed' THEN c.id = %(divided)s
            ELSE c.split_id IS NOT DISTINCT FROM %(split)s END
 ORDER BY c.is_current DESC, c.id DESC
 LIMIT 1
"""


@dataclass(frozen=True)
class TitleSnapshot:
    """Playlists in a fixed order; the tracks of playlist i are `tracks[starts[i]:starts[i + 1]]`, distinct."""

    titles: list[str]
    """Distinct normalised titles, in the order of their first playlist."""
    title: npt.NDArray[np.int32]
    """By playlist, the place of its title."""
    part: npt.NDArray[np.int8]
    """By playlist, the place of its part in `PARTS`."""
    cluster: npt.NDArray[np.int32]
    """By playlist, the number of its cluster, `NO_CLUSTER` for none or a miscellaneous one."""
    starts: npt.NDArray[np.int64]
    tracks: npt.NDArray[np.int32]
    song: npt.NDArray[np.int32]
    """By track, the place of its song."""
    content_hash: str
    split: str | None
    clustering: int | None

    @property
    def songs(self) -> int:
        """How many songs there are."""
        return int(self.song.max(initial=-1)) + 1

    def of_part(self, part: Part) -> npt.NDArray[np.int64]:
        """The places of a part's playlists."""
        return np.flatnonzero(self.part == PARTS.index(part))


@dataclass(frozen=True)
class SnapshotSummary:
    """What `export_title_snapshot` wrote. `clustered` playlists are in a cluster that is kept."""

    folder: Path
    content_hash: str
    code_version: str
    split: str | None
    clustering: int | None
    titles: int
    playlists: int
    train: int
    validation: int
    test: int
    entries: int
    tracks: int
    songs: int
    clusters: int
    clustered: int


_ARRAYS: dict[str, type[np.generic]] = {
    "title": np.int32,
    "part": np.int8,
    "cluster": np.int32,
    "starts": np.int64,
    "tracks": np.int32,
    "song": np.int32,
}


def make_snapshot(
    titles: list[str],
    title: npt.ArrayLike,
    part: npt.ArrayLike,
    cluster: npt.ArrayLike,
    starts: npt.ArrayLike,
    tracks: npt.ArrayLike,
    song: npt.ArrayLike,
    *,
    split: str | None = None,
    clustering: int | None = None,
) -> TitleSnapshot:
    """A snapshot of these arrays with the hash of its content."""
    given = dict(zip(_ARRAYS, (title, part, cluster, starts, tracks, song), strict=True))
    arrays = {name: np.ascontiguousarray(given[name], dtype=kind) for name, kind in _ARRAYS.items()}
    return TitleSnapshot(titles, **arrays, content_hash=_hash_of(titles, arrays), split=split, clustering=clustering)


def _hash_of(titles: list[str], arrays: dict[str, npt.NDArray[Any]]) -> str:
    content = hashlib.sha256(json.dumps(titles).encode())
    for name, kind in _ARRAYS.items():
        values = arrays[name].astype(np.dtype(kind).newbyteorder("<"))
        content.update(f"{name} {values.size} ".encode())
        content.update(values.tobytes())
    return content.hexdigest()


# --- from the database -------------------------------------------------------------------------------------------


def export_title_snapshot(
    settings: "Settings",
    folder: Path,
    *,
    split: str | None = None,
    progress: Progress = silent,
) -> SnapshotSummary:
    """Write what training reads into a folder, which is there once it is whole; an older snapshot in it is replaced.

    The same playlists, split and clusters give the same content hash, in whatever order they were loaded.

    Args:
        settings: where the database is.
        folder: where to write; new, empty, or an older snapshot.
        split: name of a split, whose playlists are written with their part; None for all playlists, to train on.
        progress: called as work goes on.

    Raises:
        UnknownNameError: there is no such split.
        NotReadyError: there are no playlists with a title and tracks.
        SourceError: the folder holds something else, or cannot be written.
    """
    import psycopg

    from recsys.database import connect, require_migrated, translated_errors
    from recsys.titles.splits import split_id

    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        connection.commit()
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        number = None if split is None else split_id(connection, split)
        clustering = _clustering(connection, number)
        progress("reading playlists", 0, 0)
        rows = connection.execute(PLAYLISTS, {"split": number, "clustering": clustering}).fetchall()
        if not rows:
            raise NotReadyError("there are no playlists with a title and tracks: load some with `recsys ingest`")
        snapshot = _snapshot_of(connection, rows, split, clustering, progress)
    progress("writing", 0, 0)
    write_title_snapshot(snapshot, folder)
    return summary_of(snapshot, folder)


def _clustering(connection: "psycopg.Connection", split: int | None) -> int | None:
    protocol, divided = None, None
    if split is not None:
        [(protocol, divided)] = connection.execute(
            "SELECT protocol, (config ->> 'clustering')::bigint FROM split WHERE id = %s", (split,)
        ).fetchall()
    row = connection.execute(CLUSTERING, {"protocol": protocol, "divided": divided, "split": split}).fetchone()
    return None if row is None else int(row[0])


def _snapshot_of(
    connection: "psycopg.Connection",
    rows: list[tuple[Any, ...]],
    split: str | None,
    clustering: int | None,
    progress: Progress,
) -> TitleSnapshot:
    from recsys.database import read_integers

    places: dict[str, int] = {}
    title = [places.setdefault(name, len(places)) for _, name, _, _ in rows]
    part = [PARTS.index(part or "train") for _, _, part, _ in rows]
    cluster = [NO_CLUSTER if number is None else number for _, _, _, number in rows]
    lengths, track_ids, song_ids = [], [], []
    for start in range(0, len(rows), PLAYLISTS_AT_ONCE):
        progress("reading tracks", start, len(rows))
        block = [playlist for playlist, _, _, _ in rows[start : start + PLAYLISTS_AT_ONCE]]
        playlist, position, track, song = read_integers(connection, ENTRIES, {"playlists": block}, 4)
        order = np.lexsort((position, playlist))
        playlist, track, song = playlist[order], track[order], song[order]
        first = np.sort(np.unique(np.stack([playlist, track]), axis=1, return_index=True)[1])
        lengths.append(np.bincount(playlist[first], minlength=len(block)))
        track_ids.append(track[first])
        song_ids.append(song[first])
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    tracks, first = _numbered(np.concatenate(track_ids))
    songs, _ = _numbered(np.concatenate(song_ids)[first])
    return make_snapshot(list(places), title, part, cluster, starts, tracks, songs, split=split, clustering=clustering)


def _numbered(ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Ids numbered from 0 in the order in which they first appear, and the place of each one's first appearance."""
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    number = np.empty(len(first), dtype=np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[inverse], np.sort(first)


# --- on disk -----------------------------------------------------------------------------------------------------


def summary_of(snapshot: TitleSnapshot, folder: Path) -> SnapshotSummary:
    """What a snapshot holds, in numbers."""
    clusters = snapshot.cluster[snapshot.cluster != NO_CLUSTER]
    train, validation, test = (len(snapshot.of_part(part)) for part in PARTS)
    return SnapshotSummary(
        folder=folder,
        content_hash=snapshot.content_hash,
        code_version=__version__,
        split=snapshot.split,
        clustering=snapshot.clustering,
        titles=len(snapshot.titles),
        playlists=len(snapshot.title),
        train=train,
        validation=validation,
        test=test,
        entries=len(snapshot.tracks),
        tracks=len(snapshot.song),
        songs=snapshot.songs,
        clusters=len(np.unique(clusters)),
        clustered=len(clusters),
    )


def write_title_snapshot(snapshot: TitleSnapshot, folder: Path) -> None:
    """Write a snapshot into a folder, see `export_title_snapshot`."""
    summary = summary_of(snapshot, folder)
    manifest = {"layout": LAYOUT.number} | {
        field.name: getattr(summary, field.name) for field in fields(summary) if field.name != "folder"
    }
    with replaced_folder(folder, MANIFEST_FILE) as draft:
        (draft / TITLES_FILE).write_text(json.dumps(snapshot.titles, ensure_ascii=False), encoding="utf-8")
        np.savez_compressed(draft / ARRAYS_FILE, **{name: getattr(snapshot, name) for name in _ARRAYS})
        (draft / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2), encoding="utf-8")


def load_title_snapshot(folder: Path) -> TitleSnapshot:
    """The snapshot in a folder, checked against the hash of its content.

    Raises:
        SourceError: the folder holds no snapshot, one of another layout, or a damaged one.
    """
    manifest = LAYOUT.read_manifest(folder)
    try:
        titles = json.loads((folder / TITLES_FILE).read_bytes())
        with np.load(folder / ARRAYS_FILE, allow_pickle=False) as stored:
            snapshot = make_snapshot(
                titles,
                *(stored[name] for name in _ARRAYS),
                split=manifest.get("split"),
                clustering=manifest.get("clustering"),
            )
    except Exception as error:
        # zipfile, zlib and numpy each have their own errors for a damaged archive.
        raise LAYOUT.damaged(folder, error) from None
    if snapshot.content_hash != manifest["content_hash"]:
        raise LAYOUT.damaged(folder, "its content is not what its manifest says")
    return snapshot
