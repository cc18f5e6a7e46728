"""Artists and songs that a title names, and titles that are spelt alike, in the vote."""

import json
from pathlib import Path

import psycopg
import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect
from recsys.titles import embed_titles, recommend

HITS = [f"Hit {number}" for number in range(6)]


def line(pid: int, name: str, songs: list[tuple[str, str]]) -> dict[str, object]:
    return {"pid": pid, "name": name, "tracks": [{"artist_name": a, "track_name": t} for a, t in songs]}


def lady(*numbers: int) -> list[tuple[str, str]]:
    return [("Lady Grey", f"Tea {number}") for number in numbers]


PLAYLISTS = [
    line(1, "lady grey", lady(1, 2, 3, 4)),
    line(2, "Lady Grey", [*lady(1, 2), ("Bob", HITS[0])]),
    line(3, "night", [("Bob", HITS[1]), ("Ann", HITS[2])]),
    line(4, "late night", [("Bob", HITS[1]), ("Ann", HITS[3])]),
    line(5, "party", [("Night", "Owl"), ("Bob", HITS[0]), *lady(1)]),
    line(6, "gym", [("Night", "Owl"), ("The Grey", "Ash"), ("Ann", HITS[4])]),
    line(7, "rain", [("The Grey", "Ash"), ("Ann", HITS[5])]),
    line(8, "christmas songs", [("Ann", "Snow"), ("Bob", "Bells")]),
    line(9, "🔥 hot", [("Ann", HITS[4])]),
    line(10, "ash", [("The Grey", "Ash"), ("Bob", HITS[5])]),
    *(line(pid, f"list {pid}", [("Solitaire", "Alone Again"), ("Solitaire", f"Game {pid}")]) for pid in range(11, 31)),
    line(31, "alone again", [("Solitaire", "Alone Again"), ("Ann", "Snow")]),
]


@pytest.fixture(scope="module")
def world(shared_database: str, home: Path, encoder_folder: Path) -> tuple[psycopg.Connection, int]:
    """A connection and the recommender; only read."""
    file = home / "playlists.jsonl"
    file.write_text("".join(f"{json.dumps(playlist)}\n" for playlist in PLAYLISTS), encoding="utf-8")
    settings = Settings(DATABASE_URL=shared_database, home=home, encoder=str(encoder_folder))
    ingest(settings, "playlists", [file])
    return connect(settings, autocommit=True), embed_titles(settings).model_id


def named(world: tuple[psycopg.Connection, int], title: str, artist: float = 1.0) -> dict[str, tuple[float, float]]:
    """Name -> part of the title's words, share."""
    connection, model = world
    rows = connection.execute(
        "SELECT a.name, n.similarity, n.share FROM named_artists(%s, %s, %s) AS n"
        "  JOIN artist AS a ON a.id = n.artist_id",
        (title, model, artist),
    )
    return {name: (similarity, share) for name, similarity, share in rows}


def meant(world: tuple[psycopg.Connection, int]) -> dict[str, float]:
    connection, model = world
    query = "SELECT a.name, p.meant FROM artist_profile AS p JOIN artist AS a ON a.id = p.artist_id WHERE model_id = %s"
    return dict(connection.execute(query, (model,)).fetchall())


def test_how_far_a_name_means_the_artist_is_seen_in_the_playlists_that_hold_it(
    world: tuple[psycopg.Connection, int],
) -> None:
    # Several words: "lady grey" alone is named, by two playlists with shares 1 and 2/3; its own mean is the prior.
    # One word: "night" in two playlists without a song of Night, "grey" in the two of Lady Grey without The Grey.
    shares = (1 + 2 / 3) / 2
    assert meant(world) == {
        "Lady Grey": pytest.approx((1 + 2 / 3 + 2 * shares) / (2 + 2)),
        "Night": 0,
        "The Grey": 0,
        "Bob": 0,
        "Ann": 0,
        "Solitaire": 0,
    }


def test_the_longest_name_is_meant_and_its_share_is_that_of_the_words(world: tuple[psycopg.Connection, int]) -> None:
    own = meant(world)["Lady Grey"]
    assert named(world, "Lady Grey!") == {"Lady Grey": (1, pytest.approx(own))}
    assert named(world, "lady grey radio mix") == {"Lady Grey": (0.5, pytest.approx(own / 2))}
    assert named(world, "ladies in grey") == {}
    assert named(world, "late night") == {}
    assert named(world, "lady grey", artist=9) == {"Lady Grey": (1, pytest.approx(0.9))}
    assert named(world, "lady grey", artist=0) == {}


def test_a_named_artist_votes_for_his_songs_and_explains_it(world: tuple[psycopg.Connection, int]) -> None:
    connection, _ = world
    answer = recommend(connection, "lady grey radio", 60, explain=True)
    assert [track.artist for track in answer.tracks[:4]] == ["Lady Grey"] * 4
    assert sum(track.score for track in answer.tracks) == pytest.approx(1, rel=1e-4)
    voters = {(voter.title, voter.kind) for voter in answer.tracks[0].voted_by}
    assert ("Lady Grey", "artist") in voters
    assert {kind for _, kind in voters} <= {"artist", "title"}


def test_a_title_that_is_a_songs_name_is_answered_with_it_and_its_neighbours(
    world: tuple[psycopg.Connection, int],
) -> None:
    """Names of one word are meant: "ash" has one list, with Ash. Owl stands beside three songs, and has a fifth."""
    connection, model = world
    query = "SELECT key, meant, playlists FROM song_profile WHERE model_id = %s AND key IN ('ash', 'owl', 'hit0')"
    assert set(connection.execute(query, (model,))) == {("ash", 1, 3), ("owl", 1, 2), ("hit0", 1, 2)}
    answer = recommend(connection, "Owl!", 60, explain=True)
    assert not answer.is_known
    assert sum(track.score for track in answer.tracks) == pytest.approx(1, rel=1e-4)
    by_song = {
        track.title: voter.share * track.score
        for track in answer.tracks
        for voter in track.voted_by
        if voter.kind == "song"
    }
    assert {(v.title, v.similarity) for t in answer.tracks for v in t.voted_by if v.kind == "song"} == {("Owl", 1)}
    assert by_song.keys() == {"Owl", "Ash", "Tea 1", "Hit 0", "Hit 4"}
    assert by_song["Owl"] == pytest.approx(0.5 * 0.2, rel=1e-3)
    assert sum(by_song.values()) == pytest.approx(0.5, rel=1e-3)


def test_a_misspelt_name_is_read_where_the_title_is_new(world: tuple[psycopg.Connection, int]) -> None:
    """Of "alone agains" and the song 10 of 13 trigrams are alike; it is in 21 playlists, and its title means it."""
    connection, _ = world
    answer = recommend(connection, "Alone Agains", 60, explain=True)
    assert not answer.is_known
    voters = {(v.title, v.kind, round(v.similarity, 4)) for t in answer.tracks for v in t.voted_by if v.kind != "title"}
    assert voters == {("Alone Again", "song", round(10 / 13, 4))}
    assert answer.tracks[0].title == "Alone Again"
    known = recommend(connection, "Alone Again", 60, explain=True)
    assert known.is_known
    assert {v.similarity for t in known.tracks for v in t.voted_by if v.kind == "song"} == {1}
    # In 21 playlists, too, is Solitaire, whom no title means.
    assert connection.execute("SELECT key FROM near_name('solitare', %s, 'artist')", (world[1],)).fetchall() == [
        ("solitaire",)
    ]
    assert {v.kind for t in recommend(connection, "solitare", 60, explain=True).tracks for v in t.voted_by} == {"title"}


@pytest.mark.parametrize(
    ("title", "nearest"),
    [("chrismas songs", "christmas songs"), ("lady gray", "lady grey"), ("🔥🔥🔥", "🔥 hot"), ("\u200d🔥", "🔥 hot")],
)
def test_titles_spelt_alike_are_found(world: tuple[psycopg.Connection, int], title: str, nearest: str) -> None:
    connection, model = world
    rows = connection.execute(
        "SELECT t.name, s.similarity FROM spelt_titles(%s, %s, 0.5) AS s JOIN title AS t ON t.id = s.title_id",
        (title, model),
    ).fetchall()
    assert rows[0][0] == nearest
    assert 0 < rows[0][1] <= 0.5
    assert connection.execute("SELECT FROM spelt_titles(%s, %s, 0)", (title, model)).fetchall() == []
