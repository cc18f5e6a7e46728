"""What training reads, written from a real database: the round trip, its hash, and what a split keeps apart."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psycopg
import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.errors import NotReadyError, SourceError, UnknownNameError
from recsys.titles.snapshot import TitleSnapshot, export_title_snapshot, load_title_snapshot
from tests.worlds import CATALOGUE, entry, playlist, write_lines

WORLD = [
    playlist(1, "Gym!", [entry("Ann", "Alpha", "spotify:track:a"), entry("Ann", "Beta", "spotify:track:b")]),
    playlist(2, "sleep", [entry("Bob", "Gamma", "spotify:track:c"), entry("Ann", "Alpha", "spotify:track:a2")]),
    playlist(3, "gym", [entry("Ann", "Beta", "spotify:track:b")] * 2),
    playlist(4, "  ", [entry("Ann", "Alpha", "spotify:track:a")]),
    playlist(5, "road", []),
]


def load(settings: Settings, folder: Path, records: Sequence[object] = WORLD) -> None:
    ingest(settings, "playlists", [write_lines(folder / "world.jsonl", records)])


def ids(connection: psycopg.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT external_id, id FROM playlist").fetchall())


def add_split(connection: psycopg.Connection, name: str, parts: dict[str, str], protocol: str = "clean") -> int:
    """A split of these playlists, by their id in the source."""
    number = len(connection.execute("SELECT id FROM split").fetchall()) + 1
    connection.execute("INSERT INTO split (id, name, protocol, seed) VALUES (%s, %s, %s, 0)", (number, name, protocol))
    for external_id, part in parts.items():
        connection.execute(
            "INSERT INTO playlist_split (split_id, playlist_id, part) VALUES (%s, %s, %s)",
            (number, ids(connection)[external_id], part),
        )
    return number


def add_clusters(
    connection: psycopg.Connection, number: int, clusters: dict[str, int], *, split: int | None = None
) -> None:
    """The current clustering: these playlists by cluster; cluster 0 is miscellaneous."""
    connection.execute("UPDATE clustering SET is_current = false")
    connection.execute(
        "INSERT INTO clustering (id, encoder_name, encoder_fingerprint, split_id, clusters, is_current)"
        " VALUES (%s, 'e', 'f', %s, 2, true)",
        (number, split),
    )
    for cluster in set(clusters.values()):
        connection.execute(
            "INSERT INTO cluster"
            " (clustering_id, number, playlists, exact_match, top_titles, is_miscellaneous, centroid)"
            " VALUES (%s, %s, 1, 1, '{}', %s, '[1]')",
            (number, cluster, cluster == 0),
        )
    for external_id, cluster in clusters.items():
        connection.execute(
            "INSERT INTO playlist_cluster (clustering_id, playlist_id, cluster, distance) VALUES (%s, %s, %s, 0)",
            (number, ids(connection)[external_id], cluster),
        )


def told(snapshot: TitleSnapshot) -> list[tuple[str, int, int, list[int], list[int]]]:
    """Title, part, cluster, tracks and songs of each playlist."""
    return [
        (snapshot.titles[title], part, cluster, tracks.tolist(), snapshot.song[tracks].tolist())
        for title, part, cluster, tracks in zip(
            snapshot.title,
            snapshot.part,
            snapshot.cluster,
            np.split(snapshot.tracks, snapshot.starts[1:-1]),
            strict=True,
        )
    ]


def test_playlists_with_a_title_and_tracks_are_written_and_read_back(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path)
    add_clusters(connection, 1, {"1": 3, "2": 0})
    summary = export_title_snapshot(settings, tmp_path / "snapshot")
    snapshot = load_title_snapshot(tmp_path / "snapshot")
    assert told(snapshot) == [
        ("gym", 0, 3, [0, 1], [0, 1]),
        ("sleep", 0, -1, [2, 3], [2, 0]),
        ("gym", 0, -1, [1], [1]),
    ]
    assert (snapshot.split, snapshot.clustering, snapshot.songs) == (None, 1, 3)
    assert (summary.titles, summary.playlists, summary.entries) == (2, 3, 5)
    assert (summary.train, summary.validation, summary.clusters, summary.clustered) == (3, 0, 1, 1)
    manifest = json.loads((tmp_path / "snapshot" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["content_hash"] == snapshot.content_hash == summary.content_hash
    assert (manifest["playlists"], manifest["code_version"]) == (3, summary.code_version)


def test_the_order_of_loading_does_not_matter_and_content_does(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path, WORLD[::-1])
    backwards = export_title_snapshot(settings, tmp_path / "snapshot").content_hash
    tables = (table for table in CATALOGUE if not table.endswith("_stats"))
    connection.execute(f"TRUNCATE {', '.join(tables)} CASCADE".encode())
    load(settings, tmp_path)
    assert export_title_snapshot(settings, tmp_path / "snapshot").content_hash == backwards
    load(settings, tmp_path, [playlist(6, "new", [entry("Ann", "Alpha", "spotify:track:a")])])
    assert export_title_snapshot(settings, tmp_path / "snapshot").content_hash != backwards


def test_a_split_gives_parts_and_labels_of_its_own_clusters_only(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path)
    split = add_split(connection, "clean", {"1": "test", "3": "train"})
    add_clusters(connection, 1, {"1": 5, "3": 5})
    export_title_snapshot(settings, tmp_path / "without", split="clean")
    assert [row[:3] for row in told(load_title_snapshot(tmp_path / "without"))] == [("gym", 2, -1), ("gym", 0, -1)]
    add_clusters(connection, 2, {"1": 7, "3": 8}, split=split)
    add_clusters(connection, 3, {"1": 5, "3": 5})
    export_title_snapshot(settings, tmp_path / "with", split="clean")
    snapshot = load_title_snapshot(tmp_path / "with")
    assert [row[:3] for row in told(snapshot)] == [("gym", 2, 7), ("gym", 0, 8)]
    assert (snapshot.split, snapshot.clustering) == ("clean", 2)
    assert [snapshot.of_part(part).tolist() for part in ("train", "validation", "test")] == [[1], [], [0]]


def test_the_seed_protocol_takes_the_clusters_that_it_divides(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path)
    add_clusters(connection, 1, {"1": 5, "3": 6})
    split = add_split(connection, "seed", {"1": "train", "3": "validation"}, "seed")
    connection.execute("UPDATE split SET config = '{\"clustering\": 1}' WHERE id = %s", (split,))
    add_clusters(connection, 2, {"1": 9, "3": 9})
    export_title_snapshot(settings, tmp_path / "snapshot", split="seed")
    assert [row[:3] for row in told(load_title_snapshot(tmp_path / "snapshot"))] == [("gym", 0, 5), ("gym", 1, 6)]


def test_damage_is_found(settings: Settings, tmp_path: Path) -> None:
    load(settings, tmp_path)
    folder = tmp_path / "snapshot"
    export_title_snapshot(settings, folder)
    titles = (folder / "titles.json").read_text(encoding="utf-8")
    (folder / "titles.json").write_text(titles.replace("sleep", "sheep"), encoding="utf-8")
    with pytest.raises(SourceError, match="not what its manifest says"):
        load_title_snapshot(folder)
    (folder / "titles.json").write_text(titles, encoding="utf-8")
    load_title_snapshot(folder)
    arrays = (folder / "playlists.npz").read_bytes()
    (folder / "playlists.npz").write_bytes(arrays[: len(arrays) // 2])
    with pytest.raises(SourceError, match="damaged"):
        load_title_snapshot(folder)
    (folder / "manifest.json").write_text('{"layout": 99, "content_hash": ""}', encoding="utf-8")
    with pytest.raises(SourceError, match="of layout 99"):
        load_title_snapshot(folder)


def test_mistakes_name_their_mend(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="recsys ingest"):
        export_title_snapshot(settings, tmp_path / "snapshot")
    load(settings, tmp_path)
    with pytest.raises(UnknownNameError, match="no split 'nope'"):
        export_title_snapshot(settings, tmp_path / "snapshot", split="nope")
    with pytest.raises(SourceError, match="holds something else"):
        export_title_snapshot(settings, tmp_path)
    assert [file.name for file in tmp_path.iterdir() if "snapshot" in file.name] == []
