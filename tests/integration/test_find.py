"""Songs and artists by the names that people type, and the songs that stand beside a song."""

from collections import defaultdict
from math import sqrt
from pathlib import Path
from random import Random

import psycopg
import pytest

from recsys.catalog import Excluded, NamedSong, find_artist, find_song, ingest, similar_tracks
from recsys.config import Settings
from recsys.errors import UnknownNameError
from tests.worlds import entry, playlist, rows, write_lines

SPOTIFY_ID = "4uLU6hMCjMI75M1A2tKUQC"
SONGS = [
    entry("Rick Astley", "Never Gonna Give You Up", f"spotify:track:{SPOTIFY_ID}"),
    entry("Radiohead", "Everything In Its Right Place"),
    entry("Radiohead", "Creep"),
    entry("TLC", "Creep"),
    entry("Stone Temple Pilots", "Creep"),
    entry("Stardust", "Music Sounds Better With You"),
    entry("Stardust", "Music Sounds Better With You (Zed Remix)"),
    entry("Ann & Bob ft. Cora", "Open - Live at the Cave"),
    entry("Jay-Z", "99 Problems"),
    entry("Kraftwerk", "Computer Love"),
]


@pytest.fixture
def songs(settings: Settings, connection: psycopg.Connection, tmp_path: Path) -> psycopg.Connection:
    """A catalogue in which TLC's Creep is held by two playlists and every other song by one."""
    lists = [playlist("p", "all", SONGS), playlist("q", "more", [SONGS[3]])]
    ingest(settings, "playlists", [write_lines(tmp_path / "p.jsonl", lists)])
    return connection


@pytest.mark.parametrize(
    "text",
    [
        f"spotify:track:{SPOTIFY_ID}",
        f"https://open.spotify.com/track/{SPOTIFY_ID}",
        f"https://open.spotify.com/track/{SPOTIFY_ID}?si=0123456789abcdef",
        f"http://open.spotify.com/intl-de/track/{SPOTIFY_ID}",
        "Rick Astley - Never Gonna Give You Up",
        "RICK ASTLEY – never gonna give you up!",
        "Rick Astley - Never Gonna Give You Up - 2009 Remaster",
        "never gonna give you up",
    ],
)
def test_a_song_is_found_by_uri_link_credit_and_title(songs: psycopg.Connection, text: str) -> None:
    found = find_song(songs, text)
    assert (found.artist, found.title, found.version) == ("Rick Astley", "Never Gonna Give You Up", None)


def test_a_version_is_found_by_its_full_name_only(songs: psycopg.Connection) -> None:
    original = find_song(songs, "Stardust - Music Sounds Better With You")
    remix = find_song(songs, "stardust - music sounds better with you (zed remix)")
    assert (original.version, remix.version) == (None, "Zed Remix")
    assert original.id != remix.id


def test_every_song_is_found_by_the_name_under_which_it_is_listed(songs: psycopg.Connection) -> None:
    everything = [NamedSong(*row) for row in rows(songs, "SELECT id, artist, title, version FROM song ORDER BY id")]
    assert len(everything) == len(SONGS)
    assert str(everything[6]) == "Stardust - Music Sounds Better With You (Zed Remix)"
    assert [find_song(songs, str(song)) for song in everything] == everything


def test_a_title_of_several_songs_lists_them_the_most_held_first(songs: psycopg.Connection) -> None:
    with pytest.raises(UnknownNameError) as error:
        find_song(songs, "creep")
    assert str(error.value) == (
        "several songs are called 'creep', name one:"
        ' "TLC - Creep", "Radiohead - Creep", "Stone Temple Pilots - Creep"'
    )


def test_an_unknown_song_lists_the_nearest(songs: psycopg.Connection) -> None:
    with pytest.raises(UnknownNameError, match=r"^no song is called 'Radiohed - Crep'; the nearest are: ") as error:
        find_song(songs, "Radiohed - Crep")
    nearest = str(error.value).partition("are: ")[2].split(", ")
    assert nearest[0] == '"Radiohead - Creep"'
    assert len(nearest) == 3


def test_in_an_empty_catalogue_nothing_is_near(connection: psycopg.Connection) -> None:
    with pytest.raises(UnknownNameError, match=r"^no song is called 'spotify:track:1'$"):
        find_song(connection, "spotify:track:1")
    with pytest.raises(UnknownNameError, match=r"^no artist is called 'Ann'$"):
        find_artist(connection, "Ann")


@pytest.mark.parametrize("name", ["Jay-Z", "jay z", "JAYZ"])
def test_an_artist_is_found_by_any_spelling(songs: psycopg.Connection, name: str) -> None:
    assert rows(songs, "SELECT name FROM artist WHERE id = %s", find_artist(songs, name).id) == [("Jay-Z",)]
    assert find_artist(songs, name).name == "Jay-Z"


def test_featured_artists_and_remixers_are_artists(songs: psycopg.Connection) -> None:
    assert {find_artist(songs, "Cora").id, find_artist(songs, "zed").id} <= {
        id_ for (id_,) in rows(songs, "SELECT id FROM artist")
    }


def test_an_unknown_artist_lists_the_nearest(songs: psycopg.Connection) -> None:
    with pytest.raises(UnknownNameError, match=r'^no artist is called .Kraftwork.; the nearest are: "Kraftwerk", '):
        find_artist(songs, "Kraftwork")


World = dict[str, set[str]]


def random_world(seed: int) -> tuple[World, World]:
    """Songs of 40 playlists and 30 tracklists, no song twice in a list; low numbers are held most."""
    random = Random(seed)

    def lists(kind: str, number: int) -> World:
        return {
            f"{kind}{i}": {f"Song {min(int(random.expovariate(0.1)), 39)}" for _ in range(random.randint(0, 9))}
            for i in range(number)
        }

    return lists("p", 40), lists("t", 30)


def neighbours(song: str, playlists: World, tracklists: World) -> dict[str, tuple[float, int, int]]:
    """Score, shared playlists and shared tracklists of each song beside a song, by the formula of similar_tracks."""
    shared: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    lists_with: dict[str, int] = defaultdict(int)
    for kind, world in enumerate((playlists, tracklists)):
        for held in world.values():
            for other in held:
                lists_with[other] += 1
                if song in held and other != song:
                    shared[other][kind] += 1
    return {
        other: (sum(together) / (sqrt(lists_with[song] * lists_with[other]) + 5), *together)
        for other, together in shared.items()
    }


@pytest.mark.parametrize("seed", range(3))
def test_similar_tracks_are_those_of_the_formula(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path, seed: int
) -> None:
    playlists, tracklists = random_world(seed)
    lists = [playlist(i, "mix", [entry("Ann", title) for title in sorted(held)]) for i, held in playlists.items()]
    sets = [{"id": i, "tracks": [entry("Ann", title) for title in sorted(held)]} for i, held in tracklists.items()]
    ingest(settings, "playlists", [write_lines(tmp_path / "p.jsonl", lists)])
    ingest(settings, "tracklists", [write_lines(tmp_path / "t.jsonl", sets)])
    ids = dict(rows(connection, "SELECT title, id FROM song"))
    for title in ("Song 0", "Song 7", "Song 20", "Song 33"):
        if title not in ids:
            continue
        found = similar_tracks(connection, ids[title], 100)
        expected = neighbours(title, playlists, tracklists)
        assert title not in {track.title for track in found}
        for track in found:
            assert (pytest.approx(track.score), track.playlists, track.tracklists) == expected[track.title]
        order = sorted(expected, key=lambda other: (-round(expected[other][0], 12), ids[other]))
        assert [track.title for track in found] == order
        assert [track.rank for track in found] == list(range(1, len(order) + 1))
        assert [track.title for track in similar_tracks(connection, ids[title], 3)] == order[:3]
        best = Excluded([ids[order[0]]])
        assert [track.title for track in similar_tracks(connection, ids[title], 3, excluded=best)] == order[1:4]


def test_a_song_of_one_list_is_beside_the_others_of_it_and_a_lone_song_beside_none(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    lists = [
        playlist("p", "one", [entry("Ann", "A", "u:a"), entry("Ann", "B", "u:b")]),
        playlist("q", "", [entry("Ann", "C")]),
    ]
    sets = [{"id": "t", "tracks": [entry("Ann", "A"), entry("Ann", "D"), entry("ID", "ID")]}]
    ingest(settings, "playlists", [write_lines(tmp_path / "p.jsonl", lists)])
    ingest(settings, "tracklists", [write_lines(tmp_path / "t.jsonl", sets)])
    beside = similar_tracks(connection, find_song(connection, "A").id)
    # A is in two lists, B and D are in one each: 1 / (sqrt(2 * 1) + 5).
    assert [(t.title, t.uri, t.playlists, t.tracklists) for t in beside] == [("B", "u:b", 1, 0), ("D", None, 0, 1)]
    assert [t.score for t in beside] == pytest.approx([0.155904, 0.155904], abs=1e-6)
    assert similar_tracks(connection, find_song(connection, "C").id) == []
