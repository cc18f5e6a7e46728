"""The artists of a song that several sources name, each in its own way."""

from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from tests.worlds import dump, entry, playlist, rows, write_lines, write_slice

SHARES = """
SELECT s.title, a.name, sa.role, sa.weight
  FROM song_artist AS sa JOIN song AS s ON s.id = sa.song_id JOIN artist AS a ON a.id = sa.artist_id
 ORDER BY s.id, a.id
"""

NELLY = entry("Nelly", "Dilemma", "u:1")
BOTH = entry("Nelly, Kelly Rowland", "Dilemma", "u:2")
BOTH_ON_THE_SAME_TRACK = entry("Nelly, Kelly Rowland", "Dilemma", "u:1")
FEATURING = entry("Nelly", "Dilemma (feat. Kelly Rowland)", "u:3")
ONE_BY_ONE = entry("Nelly", "Dilemma", "u:4", artists=["Nelly", "Kelly Rowland"])
WITHOUT_URI = entry("Nelly ft. Kelly Rowland", "Dilemma")

KELLY_FEATURED = [("Dilemma", "Nelly", "main", 2 / 3), ("Dilemma", "Kelly Rowland", "featured", 1 / 3)]


@pytest.fixture
def shares(connection: psycopg.Connection) -> "Shares":
    return Shares(connection)


class Shares:
    """What the catalogue says of who made what."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, list)
        found = rows(self._connection, SHARES)
        weights = pytest.approx([row[3] for row in other], abs=1e-6)
        return [row[:3] for row in found] == [row[:3] for row in other] and [row[3] for row in found] == weights

    def __repr__(self) -> str:
        return repr(rows(self._connection, SHARES))


def load(settings: Settings, folder: Path, *lists: Sequence[object]) -> None:
    """Load each list of entries from a file and source of its own."""
    for number, entries in enumerate(lists):
        file = write_lines(folder / f"{number}.jsonl", [playlist("p", "one", entries)])
        ingest(settings, "playlists", [file], source=f"source {number}")


@pytest.mark.parametrize("later", [BOTH, BOTH_ON_THE_SAME_TRACK, FEATURING, ONE_BY_ONE, WITHOUT_URI])
def test_an_artist_whom_only_a_later_source_names_becomes_featured(
    settings: Settings, shares: Shares, tmp_path: Path, later: object
) -> None:
    load(settings, tmp_path, [NELLY], [later])
    assert shares == KELLY_FEATURED


@pytest.mark.parametrize("later", [BOTH, BOTH_ON_THE_SAME_TRACK, FEATURING, ONE_BY_ONE, WITHOUT_URI])
def test_an_artist_whom_only_a_later_entry_of_the_same_list_names_becomes_featured(
    settings: Settings, shares: Shares, tmp_path: Path, later: object
) -> None:
    load(settings, tmp_path, [NELLY, later])
    assert shares == KELLY_FEATURED


def test_a_later_tracklist_adds_artists_too(settings: Settings, shares: Shares, tmp_path: Path) -> None:
    load(settings, tmp_path, [NELLY])
    tracklist = {"id": "a", "tracks": [{"title": "Dilemma", "artists": ["Nelly", "Kelly Rowland"]}]}
    ingest(settings, "tracklists", [write_lines(tmp_path / "sets.jsonl", [tracklist])])
    assert shares == KELLY_FEATURED


def test_main_artists_of_the_first_spelling_stay_main_where_a_later_one_names_fewer_or_others(
    settings: Settings, shares: Shares, tmp_path: Path
) -> None:
    load(settings, tmp_path, [BOTH], [FEATURING], [NELLY])
    assert shares == [("Dilemma", "Nelly", "main", 0.5), ("Dilemma", "Kelly Rowland", "main", 0.5)]


def test_a_remixer_whom_only_a_later_spelling_tells_weighs_most(
    settings: Settings, shares: Shares, tmp_path: Path
) -> None:
    mix = entry("Ann", "Title (Four Tet Mix)", "u:1")
    remix = entry("Ann feat. Bo", "Title (Four Tet Remix)", "u:2")
    load(settings, tmp_path, [mix], [remix])
    assert shares == [
        ("Title", "Ann", "main", 1 / 3.5),
        ("Title", "Bo", "featured", 0.5 / 3.5),
        ("Title", "Four Tet", "remixer", 2 / 3.5),
    ]


def test_every_later_spelling_adds_to_those_before(settings: Settings, shares: Shares, tmp_path: Path) -> None:
    load(
        settings,
        tmp_path,
        [entry("Ann", "Title", "u:1"), entry("Ann", "Title (feat. Bo)", "u:2"), entry("Ann ft. Cy", "Title", "u:3")],
        [entry("Ann Lee", "Other", "u:5"), entry("Ann, Di, Bo", "Title", "u:4")],
    )
    assert shares == [
        ("Title", "Ann", "main", 0.4),
        ("Title", "Bo", "featured", 0.2),
        ("Title", "Cy", "featured", 0.2),
        ("Title", "Di", "featured", 0.2),
        ("Other", "Ann Lee", "main", 1.0),
    ]


def test_the_same_files_again_change_no_shares(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    slices = write_slice(tmp_path / "mpd", 0, [playlist(0, "mpd", [NELLY])])
    others = [BOTH, BOTH_ON_THE_SAME_TRACK, FEATURING, WITHOUT_URI]
    file = write_lines(tmp_path / "p.jsonl", [playlist("p", "one", others)])
    ingest(settings, "mpd", [slices])
    ingest(settings, "playlists", [file])
    before = dump(connection)
    ingest(settings, "playlists", [file])
    ingest(settings, "playlists", [file], source="under another name")
    assert dump(connection, ("artist", "song", "song_artist", "track")) == {
        table: before[table] for table in ("artist", "song", "song_artist", "track")
    }


@pytest.mark.parametrize("at_once", [True, False])
def test_artists_are_added_whether_a_load_ran_through_or_was_begun_again(
    settings: Settings, shares: Shares, tmp_path: Path, at_once: bool
) -> None:
    lists = [
        entry("Zed", "Other", "u:1"),
        BOTH_ON_THE_SAME_TRACK,
        entry("Nelly", "Dilemma", "u:2"),
        BOTH_ON_THE_SAME_TRACK,
    ]
    files = [
        write_lines(tmp_path / f"{number}.jsonl", [playlist(number, "one", [track])])
        for number, track in enumerate(lists)
    ]
    for paths in [files] if at_once else [[file] for file in files]:
        ingest(settings, "playlists", paths)
    assert shares == [("Other", "Zed", "main", 1.0), *KELLY_FEATURED]
