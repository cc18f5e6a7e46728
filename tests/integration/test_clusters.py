"""Playlists clustered by content in a real database: what is stored, and what a split keeps out."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect
from recsys.errors import NotReadyError, SettingsError, UnknownNameError
from recsys.names import normal_title
from recsys.titles.clusters import CleanSummary, cluster_playlists, mark_miscellaneous
from recsys.titles.encoder import prepare_encoder
from recsys.titles.splits import make_split
from tests.worlds import entry, playlist, rows, write_lines

KINDS = {"gym": ("Party Rock", "GYM!", "rock for the gym"), "sleep": ("Sad Love", "sleep", "old sad songs")}
"""What the tracks of playlists with these titles are called."""


def playlists_of(kind: str, start: int, count: int, words: tuple[str, ...]) -> list[dict[str, object]]:
    """Playlists of which every other one has a title of its own."""
    return [
        playlist(
            number,
            kind.upper() if number % 2 else f"{kind} {number}",
            [entry("Ann", words[(number + place) % len(words)] + " " * place) for place in range(1 + number % 4)]
            + [entry(f"Artist {number}", f"{words[0]} {number}")],
        )
        for number in range(start, start + count)
    ]


WORLD = [
    *playlists_of("gym", 0, 12, KINDS["gym"]),
    *playlists_of("sleep", 20, 8, KINDS["sleep"]),
    playlist(90, "  ", [entry("Ann", "Untitled")]),
    playlist(91, "nothing", []),
]


@pytest.fixture
def empty(database: str, home: Path, encoder_folder: Path) -> Settings:
    """Settings of a database without rows."""
    return Settings(DATABASE_URL=database, home=home, encoder=str(encoder_folder))


@pytest.fixture
def settings(empty: Settings, tmp_path: Path) -> Settings:
    """Settings of a database that holds `WORLD`."""
    ingest(empty, "playlists", [write_lines(tmp_path / "world.jsonl", WORLD)])
    return empty


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with connect(settings, autocommit=True) as connection:
        yield connection


def test_labels_and_distances_are_those_of_the_mean_of_the_track_titles(
    settings: Settings, connection: psycopg.Connection
) -> None:
    summary = cluster_playlists(settings, 3)
    assert (summary.playlists, summary.fitted, summary.left_out, summary.clusters) == (20, 20, 2, 3)
    encoder = prepare_encoder(settings.encoder, settings.models_folder)
    centroids = {
        number: np.array(centroid)
        for number, centroid in rows(connection, "SELECT number, centroid::real[] FROM cluster")
    }
    stored = {
        pid: (cluster, distance)
        for pid, cluster, distance in rows(
            connection,
            "SELECT p.external_id::int, c.cluster, c.distance"
            "  FROM playlist_cluster AS c JOIN playlist AS p ON p.id = c.playlist_id WHERE c.clustering_id = %s",
            summary.clustering_id,
        )
    }
    assert set(stored) == {int(str(listed["pid"])) for listed in WORLD[:20]}
    for listed in WORLD[:20]:
        names = [normal_title(str(track["track_name"])) for track in listed["tracks"]]  # type: ignore[attr-defined]
        mean = sum(encoder.encode([name])[0].astype(float) for name in names) / len(names)
        away = {number: float(np.linalg.norm(mean - centroid)) for number, centroid in centroids.items()}
        cluster, distance = stored[int(str(listed["pid"]))]
        assert away[cluster] == pytest.approx(min(away.values()), abs=1e-4)
        assert distance == pytest.approx(away[cluster], abs=1e-3)


def test_clusters_carry_their_size_exact_match_and_titles(settings: Settings, connection: psycopg.Connection) -> None:
    """Of 12 and 8 playlists every other one has the common title, half of each cluster."""
    summary = cluster_playlists(settings, 2)
    stored = rows(
        connection, "SELECT number, playlists, exact_match, top_titles[1], is_miscellaneous FROM cluster ORDER BY 1"
    )
    assert stored == [(1, 12, 50.0, "gym", False), (2, 8, 50.0, "sleep", False)]
    assert [(c.number, c.playlists, c.exact_match, c.top_titles[0]) for c in summary.found] == [
        row[:4] for row in stored
    ]
    assert summary.exact_match == pytest.approx(50)
    [facts] = rows(connection, "SELECT encoder_name, split_id, clusters, config, is_current FROM clustering")
    assert facts == (settings.encoder, None, 2, {"clusters": 2, "seed": 0}, True)


def test_the_last_clustering_is_the_current_one_and_the_same_one_again_replaces_itself(
    settings: Settings, connection: psycopg.Connection
) -> None:
    def members(clustering: int) -> list[tuple[object, ...]]:
        query = "SELECT playlist_id, cluster, distance FROM playlist_cluster WHERE clustering_id = %s ORDER BY 1"
        return rows(connection, query, clustering)

    two, three = cluster_playlists(settings, 2), cluster_playlists(settings, 3)
    before = members(three.clustering_id)
    again = cluster_playlists(settings, 3)
    assert rows(connection, "SELECT id, clusters, is_current FROM clustering ORDER BY id") == [
        (two.clustering_id, 2, False),
        (again.clustering_id, 3, True),
    ]
    assert members(again.clustering_id) == before
    assert again.found == three.found


def test_few_playlists_choose_their_number_of_clusters(settings: Settings) -> None:
    summary = cluster_playlists(settings)
    assert (summary.chosen_by, summary.clusters) == ("data", round(20**0.5))
    assert cluster_playlists(settings, 2).chosen_by == "request"


def test_the_test_part_does_not_move_the_centroids(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    make_split(settings, "s")

    def fitted() -> list[tuple[object, ...]]:
        query = "SELECT number, playlists, exact_match, top_titles, centroid::real[] FROM cluster ORDER BY 1"
        return rows(connection, query)

    summary = cluster_playlists(settings, 2, split="s")
    assert (summary.playlists, summary.fitted, sum(cluster.playlists for cluster in summary.found)) == (20, 16, 16)
    before = fitted()
    held_out = rows(
        connection,
        "SELECT external_id FROM playlist_split JOIN playlist ON id = playlist_id WHERE part <> 'train'",
    )
    changed = [playlist(pid, "changed", [entry("Zed", "new mix for the winter")]) for (pid,) in held_out]
    ingest(settings, "playlists", [write_lines(tmp_path / "changed.jsonl", changed)])
    assert cluster_playlists(settings, 2, split="s").playlists == 20
    assert fitted() == before
    in_train = rows(
        connection, "SELECT external_id FROM playlist_split JOIN playlist ON id = playlist_id WHERE part = 'train'"
    )
    changed = [playlist(pid, "changed", [entry("Zed", "new mix for the winter")]) for (pid,) in in_train[:8]]
    ingest(settings, "playlists", [write_lines(tmp_path / "changed.jsonl", changed)])
    cluster_playlists(settings, 2, split="s")
    assert fitted() != before


def test_clusters_at_or_under_the_threshold_are_miscellaneous(
    settings: Settings, connection: psycopg.Connection
) -> None:
    clustering = cluster_playlists(settings, 2).clustering_id
    connection.execute("UPDATE cluster SET exact_match = 2.3 WHERE number = 2")
    marked = "SELECT number FROM cluster WHERE is_miscellaneous ORDER BY 1"
    assert mark_miscellaneous(settings) == CleanSummary(clustering, 2.0, 2, 0, 20, 0)
    assert rows(connection, marked) == []
    assert mark_miscellaneous(settings, 2.3) == CleanSummary(clustering, 2.3, 1, 1, 12, 8)
    assert rows(connection, marked) == [(2,)]
    assert mark_miscellaneous(settings, 50) == CleanSummary(clustering, 50, 0, 2, 0, 20)
    assert mark_miscellaneous(settings, 2.2) == CleanSummary(clustering, 2.2, 2, 0, 20, 0)


def test_pictures_are_drawn(settings: Settings, tmp_path: Path) -> None:
    pictures = [tmp_path / "clusters.png", tmp_path / "clusters.html"]
    steps: list[str] = []
    cluster_playlists(settings, 2, pictures=pictures, progress=lambda step, _done, _all: steps.append(step))
    assert pictures[0].read_bytes().startswith(b"\x89PNG")
    assert "20 playlists, 2 clusters" in pictures[1].read_text(encoding="utf-8")
    assert list(dict.fromkeys(steps)) == [
        "preparing the encoder",
        "embedding track titles",
        "averaging playlists",
        "clustering",
        "storing the clusters",
        "drawing",
    ]


def test_what_cannot_be_clustered_is_refused_and_nothing_is_kept(
    settings: Settings, connection: psycopg.Connection
) -> None:
    with pytest.raises(NotReadyError, match=r"20 playlists .* too few for 21 clusters"):
        cluster_playlists(settings, 21)
    with pytest.raises(UnknownNameError, match=r"no split 'nope': make it with `recsys titles split nope`"):
        cluster_playlists(settings, split="nope")
    with pytest.raises(SettingsError, match=r"\.png or \.html"):
        cluster_playlists(settings, pictures=[Path("clusters.pdf")])
    with pytest.raises(NotReadyError, match="recsys titles cluster"):
        mark_miscellaneous(settings)
    assert rows(connection, "SELECT FROM clustering") == []


def test_an_empty_database_has_nothing_to_cluster(empty: Settings) -> None:
    with pytest.raises(NotReadyError, match="recsys ingest"):
        cluster_playlists(empty)
