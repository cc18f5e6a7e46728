"""Splits in a real database: who takes part, in what proportions, and the same again from the same data."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect
from recsys.errors import NotReadyError, SettingsError, UnknownNameError
from recsys.titles.splits import SplitSummary, make_split, split_id
from tests.worlds import entry, playlist, rows, write_lines

WORLD = [
    *(playlist(number, f"title {number % 7}", [entry("Ann", f"Song {number % 5}")]) for number in range(50)),
    playlist(90, "  ", [entry("Ann", "Song 1")]),
    playlist(91, "nothing", []),
    playlist(92, "", []),
]


def load(settings: Settings, file: Path, world: list[dict[str, object]]) -> None:
    ingest(settings, "playlists", [write_lines(file, world)])


@pytest.fixture
def connection(settings: Settings, tmp_path: Path) -> Iterator[psycopg.Connection]:
    """A connection to a database that holds `WORLD`."""
    load(settings, tmp_path / "world.jsonl", WORLD)
    with connect(settings, autocommit=True) as connection:
        yield connection


def parts_of(connection: psycopg.Connection, name: str) -> dict[str, str]:
    query = (
        "SELECT p.external_id, ps.part FROM split AS s JOIN playlist_split AS ps ON ps.split_id = s.id"
        " JOIN playlist AS p ON p.id = ps.playlist_id WHERE s.name = %s"
    )
    found = rows(connection, query, name)
    assert len(dict(found)) == len(found)
    return dict(found)


def cluster_by_hand(connection: psycopg.Connection, sizes: list[int]) -> None:
    """A clustering whose clusters hold the first playlists one after the other; the last cluster is miscellaneous."""
    connection.execute(
        "INSERT INTO clustering (id, encoder_name, encoder_fingerprint, clusters, config, is_current)"
        " VALUES (1, 'e', 'f', %s, '{\"min_exact_match\": 2}', true)",
        (len(sizes),),
    )
    start = 0
    for number, size in enumerate(sizes, start=1):
        connection.execute(
            "INSERT INTO cluster (clustering_id, number, playlists, exact_match, top_titles, is_miscellaneous,"
            " centroid) VALUES (1, %s, %s, 10, '{a}', %s, '[0]')",
            (number, size, number == len(sizes)),
        )
        connection.execute(
            "INSERT INTO playlist_cluster SELECT 1, id, %s, 0 FROM playlist"
            " WHERE external_id::int >= %s AND external_id::int < %s",
            (number, start, start + size),
        )
        start += size


def test_playlists_with_a_title_and_a_track_are_divided(settings: Settings, connection: psycopg.Connection) -> None:
    summary = make_split(settings, "clean")
    assert summary == SplitSummary(
        split_id=1,
        name="clean",
        protocol="clean",
        seed=0,
        train=40,
        validation=5,
        test=5,
        without_title=2,
        without_tracks=1,
        unclustered=0,
        clusters=None,
    )
    parts = parts_of(connection, "clean")
    assert set(parts) == {str(number) for number in range(50)}
    assert Counter(parts.values()) == {"train": 40, "validation": 5, "test": 5}
    assert split_id(connection, "clean") == 1


def test_fractions_are_heard(settings: Settings, connection: psycopg.Connection) -> None:
    summary = make_split(settings, "half", fractions=(0.5, 0.2, 0.3))
    assert (summary.train, summary.validation, summary.test) == (25, 10, 15)
    assert rows(connection, "SELECT protocol, seed, config FROM split") == [
        ("clean", 0, {"fractions": [0.5, 0.2, 0.3]})
    ]


def test_the_same_playlists_in_another_order_are_divided_alike(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    make_split(settings, "first", seed=3)
    first = parts_of(connection, "first")
    connection.execute("TRUNCATE playlist, playlist_track, split, playlist_split CASCADE")
    load(settings, tmp_path / "reversed.jsonl", WORLD[::-1])
    make_split(settings, "again", seed=3)
    make_split(settings, "other", seed=4)
    assert parts_of(connection, "again") == first
    assert parts_of(connection, "other") != first


def test_every_kept_cluster_is_in_all_three_parts(settings: Settings, connection: psycopg.Connection) -> None:
    """Clusters of 20, 3 and 10 are divided; one of 2 cannot be, one of 8 is miscellaneous, and 7 are in none."""
    cluster_by_hand(connection, [20, 3, 2, 10, 8])
    summary = make_split(settings, "seed", protocol="seed")
    assert (summary.train, summary.validation, summary.test) == (16 + 1 + 8, 2 + 1 + 1, 2 + 1 + 1)
    assert (summary.clusters, summary.unclustered) == (3, 2 + 8 + 7)
    parts = parts_of(connection, "seed")
    for start, size, expected in ((0, 20, (16, 2, 2)), (20, 3, (1, 1, 1)), (25, 10, (8, 1, 1))):
        counts = Counter(parts[str(number)] for number in range(start, start + size))
        assert (counts["train"], counts["validation"], counts["test"]) == expected
    assert len(parts) == 33
    assert rows(connection, "SELECT config->'clustering' FROM split") == [(1,)]


def test_the_seed_protocol_needs_clean_clusters_of_all_playlists(
    settings: Settings, connection: psycopg.Connection
) -> None:
    with pytest.raises(NotReadyError, match="run `recsys titles cluster`"):
        make_split(settings, "seed", protocol="seed")
    cluster_by_hand(connection, [20, 20])
    connection.execute("UPDATE clustering SET config = '{}'")
    with pytest.raises(NotReadyError, match="run `recsys titles clean`"):
        make_split(settings, "seed", protocol="seed")
    make_split(settings, "clean")
    connection.execute("UPDATE clustering SET split_id = 1")
    with pytest.raises(NotReadyError, match="those of split 'clean'"):
        make_split(settings, "seed", protocol="seed")
    assert rows(connection, "SELECT name FROM split") == [("clean",)]


def test_a_name_is_taken_until_it_is_replaced(settings: Settings, connection: psycopg.Connection) -> None:
    make_split(settings, "clean")
    before = parts_of(connection, "clean")
    with pytest.raises(SettingsError, match=r"there is a split 'clean' already: .*--replace"):
        make_split(settings, "clean", seed=1)
    assert parts_of(connection, "clean") == before
    make_split(settings, "clean", seed=1, replace=True)
    assert parts_of(connection, "clean") != before
    assert rows(connection, "SELECT count(*) FROM playlist_split") == [(50,)]


def test_an_unknown_split_names_those_there_are(settings: Settings, connection: psycopg.Connection) -> None:
    with pytest.raises(UnknownNameError, match=r"^there is no split 'x': make it with `recsys titles split x`$"):
        split_id(connection, "x")
    make_split(settings, "b")
    make_split(settings, "a")
    with pytest.raises(UnknownNameError, match=r"^there is no split 'x': there are b, a; make it with"):
        split_id(connection, "x")


@pytest.mark.parametrize("fractions", [(0.5, 0.5, 0.0), (0.8, 0.1, 0.2), (1.2, -0.1, -0.1), (0.8, 0.1, float("nan"))])
def test_fractions_that_cannot_be_used_are_refused(settings: Settings, fractions: tuple[float, float, float]) -> None:
    with pytest.raises(SettingsError, match="sum to 1"):
        make_split(settings, "clean", fractions=fractions)


@pytest.mark.parametrize("name", ["", "a:b", "two words", "x\n"])
def test_a_name_that_cannot_be_asked_for_is_refused(settings: Settings, name: str) -> None:
    with pytest.raises(SettingsError, match="cannot name a split"):
        make_split(settings, name)


def test_there_is_nothing_to_divide(settings: Settings, tmp_path: Path) -> None:
    load(settings, tmp_path / "two.jsonl", WORLD[:2])
    with pytest.raises(NotReadyError, match="recsys ingest"):
        make_split(settings, "clean")
