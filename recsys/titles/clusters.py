"""Playlists grouped by content: the mean vector of their tracks' titles, K-means, and what each cluster is called.

Charolois-Pasqua et al. (RecSys 2025) label playlist titles with such clusters, and drop those whose playlists have no
title in common.
"""

import heapq
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.types.json import Jsonb

from recsys.config import Settings
from recsys.database import connect, copy_rows, read_integers, require_migrated, translated_errors, writer_lock
from recsys.errors import NotReadyError
from recsys.names import normal_title
from recsys.progress import Progress, silent
from recsys.titles.cluster_picture import Group, Words, check_endings, draw, make_picture
from recsys.titles.encoder import Encoder, encode_by_length, prepare_encoder
from recsys.titles.splits import split_id

Vectors = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

CLUSTERS = 200
PLAYLISTS_PER_CLUSTER = 10
"""Under so many for each of `CLUSTERS`, the number of clusters is chosen by the data."""

FEWEST_REPEATED = 20
"""Playlists with a title that another one carries, below which titles say nothing of the number of clusters."""

FULL_KMEANS = 20_000
"""Playlists up to which K-means looks at all of them in every step; beyond, at batches."""

BATCH = 8192
"""Playlists of such a batch."""

TOP_TITLES = 5
WORDS = Words("playlists", "title", "most frequent titles", "exact match")
TITLES_AT_ONCE = 8192
PLAYLISTS_AT_ONCE = 2048

TRACK_TITLES = """
SELECT t.id, t.title
  FROM track AS t
 WHERE EXISTS (SELECT FROM playlist_track AS pt JOIN playlist AS p ON p.id = pt.playlist_id
                WHERE pt.track_id = t.id AND p.title_id IS NOT NULL)
"""

PLAYLISTS = """
SELECT p.id, t.name, ps.part IS NULL OR ps.part = 'train'
  FROM playlist AS p
  JOIN source AS s ON s.id = p.source_id
  JOIN title AS t ON t.id = p.title_id
  LEFT JOIN playlist_split AS ps ON ps.split_id = %(split)s AND ps.playlist_id = p.id
 WHERE (%(split)s::bigint IS NULL OR ps.part IS NOT NULL)
   AND EXISTS (SELECT FROM playlist_track AS pt WHERE pt.playlist_id = p.id)
 ORDER BY s.name COLLATE "C", p.external_id COLLATE "C"
"""

ENTRIES = "SELECT playlist_id, track_id FROM playlist_track WHERE playlist_id = ANY(%(playlists)s::bigint[])"

FORGET_SAME = """
DELETE FROM clustering
 WHERE encoder_fingerprint = %(fingerprint)s AND split_id IS NOT DISTINCT FROM %(split)s AND config @> %(config)s
"""

ADD_CLUSTERING = """
INSERT INTO clustering (id, encoder_name, encoder_fingerprint, split_id, clusters, config, metrics, is_current)
VALUES (%(id)s, %(encoder)s, %(fingerprint)s, %(split)s, %(clusters)s, %(config)s, %(metrics)s, true)
"""

ADD_CLUSTER = """
INSERT INTO cluster (clustering_id, number, playlists, exact_match, top_titles, centroid)
VALUES (%s, %s, %s, %s, %s, %s::real[]::vector)
"""

COUNT_MARKED = """
SELECT count(*) FILTER (WHERE NOT c.is_miscellaneous), count(*) FILTER (WHERE c.is_miscellaneous),
       coalesce(sum(p.playlists) FILTER (WHERE NOT c.is_miscellaneous), 0)::bigint,
       coalesce(sum(p.playlists) FILTER (WHERE c.is_miscellaneous), 0)::bigint
  FROM cluster AS c
  LEFT JOIN (SELECT clustering_id, cluster, count(*) AS playlists FROM playlist_cluster GROUP BY 1, 2) AS p
    ON p.clustering_id = c.clustering_id AND p.cluster = c.number
 WHERE c.clustering_id = %s
"""


@dataclass(frozen=True)
class ClusterFacts:
    """One cluster; `exact_match` is the share in percent of its playlists that carry its most frequent title."""

    number: int
    playlists: int
    exact_match: float
    top_titles: tuple[str, ...]


@dataclass(frozen=True)
class ClusterSummary:
    """What `cluster_playlists` did. Sizes and titles of clusters are those of the playlists that they are fitted on."""

    clustering_id: int
    encoder: str
    split: str | None
    clusters: int
    chosen_by: Literal["request", "default", "data"]
    agreements: dict[int, float]
    """How well clusters agree with titles, by the numbers of clusters that were tried, see `choose_clusters`."""
    algorithm: Literal["k-means", "mini-batch k-means"]
    playlists: int
    fitted: int
    """Playlists that the clusters are fitted on: all, or the split's train part."""
    left_out: int
    """Playlists without a title or without tracks, or outside the split."""
    track_titles: int
    exact_match: float
    """Of a playlist's cluster, on average."""
    found: tuple[ClusterFacts, ...]
    """The clusters, largest first."""


@dataclass(frozen=True)
class CleanSummary:
    """What `mark_miscellaneous` did."""

    clustering_id: int
    min_exact_match: float
    clusters_kept: int
    clusters_dropped: int
    playlists_kept: int
    playlists_dropped: int


@dataclass(frozen=True)
class _Contents:
    """Playlists in a fixed order, each with its title, its mean vector and whether clusters are fitted on it."""

    ids: Ids
    titles: list[str]
    is_fitted: npt.NDArray[np.bool_]
    vectors: Vectors  # (playlists, dimension)
    track_titles: int

    @property
    def fitted(self) -> Vectors:
        return self.vectors if self.is_fitted.all() else self.vectors[self.is_fitted]

    @property
    def fitted_titles(self) -> list[str]:
        return list(compress(self.titles, self.is_fitted))


def cluster_playlists(
    settings: Settings,
    clusters: int | None = None,
    *,
    split: str | None = None,
    encoder_name: str | None = None,
    seed: int = 0,
    pictures: Sequence[Path] = (),
    progress: Progress = silent,
) -> ClusterSummary:
    """Group the playlists that have a title and a track by what their tracks are called.

    The new clustering becomes the current one; it replaces an older one of the same encoder, split, number and seed.

    Args:
        settings: where the database and the models are.
        clusters: how many; None for 200, or with fewer than 2,000 playlists for what `choose_clusters` says.
        split: name of a split; clusters are fitted on its train part, the others go to the nearest centroid.
        encoder_name: a hub name or a folder; the setting's if None.
        seed: of K-means.
        pictures: files to draw the clusters into, .png or .html.
        progress: called as work goes on.

    Raises:
        EncoderError: the encoder cannot be found, loaded or exported.
        NotReadyError: there are too few playlists.
        UnknownNameError: there is no such split.
        SettingsError: a picture cannot be drawn into such a file.
        BusyError: another process is writing.
    """
    check_endings(pictures)
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        split_number = None if split is None else split_id(connection, split)
        connection.commit()
        progress("preparing the encoder", 0, 0)
        encoder = prepare_encoder(encoder_name or settings.encoder, settings.models_folder)
        with writer_lock(connection, settings.db_schema):
            contents = _read_contents(connection, encoder, split_number, progress)
            fitted = contents.fitted
            if len(fitted) < max(2, clusters or 0):
                raise NotReadyError(
                    f"{len(fitted):,} playlists with a title and tracks are too few for {clusters or 2:,} clusters:"
                    " load more with `recsys ingest`, or ask for fewer clusters"
                )
            progress("clustering", 0, 0)
            chosen, agreements = clusters or CLUSTERS, dict[int, float]()
            chooses = not clusters and len(fitted) < CLUSTERS * PLAYLISTS_PER_CLUSTER
            if chooses:
                chosen, agreements = choose_clusters(fitted, contents.fitted_titles, seed)
            centroids = fit_centroids(fitted, chosen, seed)
            numbers, distances = assign(contents.vectors, centroids)
            found = describe_clusters(numbers[contents.is_fitted], contents.fitted_titles)
            exact_match = sum(cluster.playlists * cluster.exact_match for cluster in found) / len(fitted)
            progress("storing the clusters", 0, 0)
            clustering = {
                "encoder": encoder.name,
                "fingerprint": encoder.fingerprint,
                "split": split_number,
                "clusters": len(found),
                "config": Jsonb({"clusters": clusters, "seed": seed}),
                "metrics": Jsonb({"exact_match": exact_match, "agreements": agreements}),
            }
            number = _store(connection, clustering, found, centroids, contents.ids, numbers, distances)
            [(playlists,)] = connection.execute("SELECT count(*) FROM playlist").fetchall()
    if pictures:
        progress("drawing", 0, 0)
        groups = [Group(c.number, c.playlists, f"{c.exact_match:.1f} %", c.top_titles) for c in found]
        picture = make_picture(contents.vectors, numbers, contents.titles, groups, WORDS, seed=seed)
        for path in pictures:
            draw(path, picture)
    return ClusterSummary(
        clustering_id=number,
        encoder=encoder.name,
        split=split,
        clusters=len(found),
        chosen_by="data" if chooses else "request" if clusters else "default",
        agreements=agreements,
        algorithm=_algorithm(len(fitted)),
        playlists=len(contents.ids),
        fitted=len(fitted),
        left_out=playlists - len(contents.ids),
        track_titles=contents.track_titles,
        exact_match=exact_match,
        found=tuple(found),
    )


def mark_miscellaneous(settings: Settings, min_exact_match: float = 2.0) -> CleanSummary:
    """Mark those clusters of the current clustering whose exact match is at most so many percent, and no others.

    Raises:
        NotReadyError: there is no clustering.
        BusyError: another process is writing.
    """
    with translated_errors(), connect(settings) as connection:
        require_migrated(connection)
        with writer_lock(connection, settings.db_schema):
            row = connection.execute(
                "UPDATE clustering SET config = config || jsonb_build_object('min_exact_match', %s::float8)"
                " WHERE is_current RETURNING id",
                (min_exact_match,),
            ).fetchone()
            if row is None:
                raise NotReadyError("there are no clusters to clean: run `recsys titles cluster`")
            connection.execute(
                "UPDATE cluster SET is_miscellaneous = exact_match <= %s::real WHERE clustering_id = %s",
                (min_exact_match, row[0]),
            )
            connection.commit()
            [counts] = connection.execute(COUNT_MARKED, (row[0],)).fetchall()
    return CleanSummary(row[0], min_exact_match, *counts)


# --- what a playlist holds -------------------------------------------------------------------------------------


def _read_contents(
    connection: psycopg.Connection, encoder: Encoder, split: int | None, progress: Progress
) -> _Contents:
    rows = connection.execute(PLAYLISTS, {"split": split}).fetchall()
    names, name_of_track = _track_titles(connection) if rows else ([], np.empty(0, np.int32))
    connection.commit()
    embedded = _embed(encoder, names, progress)
    ids = np.array([playlist for playlist, _, _ in rows], dtype=np.int64)
    vectors = np.empty((len(ids), encoder.dimension), dtype=np.float32)
    for start in range(0, len(ids), PLAYLISTS_AT_ONCE):
        progress("averaging playlists", start, len(ids))
        part = ids[start : start + PLAYLISTS_AT_ONCE]
        playlists, tracks = read_integers(connection, ENTRIES, {"playlists": part.tolist()}, 2)
        by_id = np.argsort(part)
        places = by_id[np.searchsorted(part, playlists, sorter=by_id)]
        vectors[start : start + len(part)] = mean_vectors(places, name_of_track[tracks], embedded, len(part))
    connection.commit()
    is_fitted = np.array([is_fitted for _, _, is_fitted in rows], dtype=np.bool_)
    return _Contents(ids, [title for _, title, _ in rows], is_fitted, vectors, len(names))


def _track_titles(connection: psycopg.Connection) -> tuple[list[str], npt.NDArray[np.int32]]:
    """The distinct normalised titles of what titled playlists hold, and by track id the place of its title in them."""
    [(last,)] = connection.execute("SELECT coalesce(max(id), 0) FROM track").fetchall()
    name_of_track = np.full(last + 1, -1, dtype=np.int32)
    places: dict[str, int] = {}
    with connection.cursor("track_titles") as cursor:
        cursor.itersize = 50_000
        for track, title in cursor.execute(TRACK_TITLES):
            name_of_track[track] = places.setdefault(normal_title(title), len(places))
    return list(places), name_of_track


def _embed(encoder: Encoder, names: Sequence[str], progress: Progress) -> Vectors:
    """Vectors (names, dimension); names of like length are encoded together."""
    vectors = np.empty((len(names), encoder.dimension), dtype=np.float32)
    for places, found in encode_by_length(
        encoder, names, TITLES_AT_ONCE, lambda done: progress("embedding track titles", done, len(names))
    ):
        vectors[places] = found
    return vectors


def mean_vectors(playlists: Ids, names: npt.NDArray[np.integer[Any]], vectors: Vectors, count: int) -> Vectors:
    """Mean vectors (count, dimension) of playlists, given entry by entry: the playlist's place, and its vector's."""
    from scipy import sparse

    ones = np.ones(len(playlists), dtype=np.float32)
    entries = sparse.csr_matrix((ones, (playlists, names)), shape=(count, len(vectors)))
    sums: Vectors = entries @ vectors
    return sums / np.bincount(playlists, minlength=count).astype(np.float32)[:, None]


# --- clusters --------------------------------------------------------------------------------------------------


def choose_clusters(points: Vectors, titles: Sequence[str], seed: int) -> tuple[int, dict[int, float]]:
    """How many clusters to make of fewer than 2,000 playlists, and the agreement with titles of the numbers tried.

    Clusters stand for titles, so the number is the one whose clusters agree best with the titles that several
    playlists carry (adjusted mutual information: 0 by chance, 1 at best), among those up to a tenth of the playlists:
    ten can be divided 80/10/10. Where titles hardly repeat, it is the square root of the number of playlists.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    counts = Counter(titles)
    repeated = [place for place, title in enumerate(titles) if counts[title] > 1]
    if len(repeated) < FEWEST_REPEATED:
        return max(2, round(len(points) ** 0.5)), {}
    titles = [titles[place] for place in repeated]
    most = max(2, len(points) // PLAYLISTS_PER_CLUSTER)
    agreements = {}
    for number in sorted({round(number) for number in np.geomspace(2, most, 12)}):
        numbers, _ = assign(points, fit_centroids(points, number, seed))
        agreements[number] = round(float(adjusted_mutual_info_score(titles, numbers[repeated])), 4)
    return max(agreements, key=lambda number: agreements[number]), agreements


def fit_centroids(points: Vectors, clusters: int, seed: int) -> Vectors:
    """Centroids (clusters, dimension) by K-means, that of the largest cluster first; fewer where points are equal.

    On one thread, so that the same seed gives the same centroids on any number of cores.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    if _algorithm(len(points)) == "k-means":
        kmeans = KMeans(clusters, n_init=3, random_state=seed)
    else:
        kmeans = MiniBatchKMeans(clusters, n_init=3, random_state=seed, batch_size=BATCH)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        kmeans.fit(points)
    sizes = np.bincount(kmeans.labels_, minlength=clusters)
    by_size = np.argsort(-sizes, kind="stable")
    centroids: Vectors = kmeans.cluster_centers_[by_size[sizes[by_size] > 0]].astype(np.float32)
    return centroids


def _algorithm(points: int) -> Literal["k-means", "mini-batch k-means"]:
    return "k-means" if points <= FULL_KMEANS else "mini-batch k-means"


def assign(points: Vectors, centroids: Vectors) -> tuple[npt.NDArray[np.int32], Vectors]:
    """The number, from 1, of each point's nearest centroid, and the Euclidean distance to it."""
    from sklearn.metrics import pairwise_distances_argmin_min

    places, distances = pairwise_distances_argmin_min(points, centroids)
    return places.astype(np.int32) + 1, distances.astype(np.float32)


def describe_clusters(numbers: npt.NDArray[np.int32], titles: Sequence[str]) -> list[ClusterFacts]:
    """Size, exact match and most frequent titles of each cluster, from the number and the title of each playlist."""
    counts: dict[int, Counter[str]] = {}
    for number, title in zip(numbers.tolist(), titles, strict=True):
        counts.setdefault(number, Counter())[title] += 1
    return [
        ClusterFacts(number, held.total(), 100 * max(held.values()) / held.total(), _top_titles(held))
        for number, held in sorted(counts.items())
    ]


def _top_titles(counts: Counter[str]) -> tuple[str, ...]:
    return tuple(heapq.nsmallest(TOP_TITLES, counts, key=lambda title: (-counts[title], title)))


def _store(
    connection: psycopg.Connection,
    clustering: dict[str, Any],
    found: Sequence[ClusterFacts],
    centroids: Vectors,
    ids: Ids,
    numbers: npt.NDArray[np.int32],
    distances: Vectors,
) -> int:
    """Store a clustering in one transaction and make it the current one; returns its id."""
    [(clustering_id,)] = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM clustering").fetchall()
    connection.execute(FORGET_SAME, clustering)
    connection.execute("UPDATE clustering SET is_current = false WHERE is_current")
    connection.execute(ADD_CLUSTERING, clustering | {"id": clustering_id})
    rows = ((c.number, c.playlists, c.exact_match, list(c.top_titles), centroids[c.number - 1].tolist()) for c in found)
    connection.cursor().executemany(ADD_CLUSTER, ((clustering_id, *row) for row in rows))
    columns = {"clustering_id": "int8", "playlist_id": "int8", "cluster": "int4", "distance": "float4"}
    members = zip(ids.tolist(), numbers.tolist(), distances.tolist(), strict=True)
    copy_rows(connection, "playlist_cluster", columns, ((clustering_id, *member) for member in members))
    connection.commit()
    connection.execute("ANALYZE playlist_cluster")
    connection.commit()
    return int(clustering_id)
