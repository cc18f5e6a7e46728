"""What titles, artists and songs vote for, read from playlists: each song once, and of a split its train part alone."""

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import psycopg
import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect, copy_rows
from recsys.errors import NotReadyError
from recsys.titles import profiles
from recsys.titles.entries import read_credits, read_entries, title_names
from recsys.titles.profiles import build_named, build_profiles, write_learned
from recsys.titles.smoothing import DEFAULT, Profiles, Smoothing
from tests.worlds import entry, playlist, rows, write_lines

OWN = Smoothing(kernel_share=0, low_rank_share=0, neighbours=0)


def load(settings: Settings, folder: Path, playlists: Iterable[object]) -> None:
    ingest(settings, "playlists", [write_lines(folder / "playlists.jsonl", playlists)])


def divide(connection: psycopg.Connection, parts: Mapping[str, Sequence[int]], split: int = 1) -> None:
    """Store a split of playlists by their numbers."""
    connection.execute(
        "INSERT INTO split (id, name, protocol, seed) VALUES (%s, %s, 'clean', 0)", (split, f"split {split}")
    )
    for part, numbers in parts.items():
        connection.execute(
            "INSERT INTO playlist_split SELECT %s, id, %s FROM playlist WHERE external_id = ANY(%s)",
            (split, part, list(map(str, numbers))),
        )


def add_recommender(connection: psycopg.Connection, model: int) -> None:
    connection.execute(
        "INSERT INTO model (id, kind, name, dimension, fingerprint, folder, config)"
        """ VALUES (%s, 'title-recommender', 'made up', 2, %s, '/nowhere', '{"adapter": {}}')""",
        (model, str(model)),
    )


def add_vectors(connection: psycopg.Connection, model: int) -> None:
    """Give every title that has none yet a vector of the model's own: a point of the circle, by its name."""
    titles = "SELECT id, name FROM title WHERE id NOT IN (SELECT title_id FROM title_embedding WHERE model_id = %s)"
    for title, name in rows(connection, titles, model):
        angle = crc32(name.encode())
        vector = f"[{math.cos(angle)},{math.sin(angle)}]"
        connection.execute("INSERT INTO title_embedding VALUES (%s, %s, %s)", (model, title, vector))


def build(connection: psycopg.Connection, model: int, split: int | None = None, smoothing: Smoothing = DEFAULT) -> int:
    """Build all that votes in a recommender; how many titles do."""
    entries = read_entries(connection, split)
    build_named(connection, model, entries, *read_credits(connection, entries))
    return build_profiles(connection, model, entries, smoothing=smoothing)


def song(letter: str, release: str | None = None) -> dict[str, object]:
    return entry(f"Artist {letter}", f"Song {letter}", None if release is None else f"spotify:track:{letter}{release}")


# --- what is read ----------------------------------------------------------------------------------------------


def as_read(connection: psycopg.Connection, split: int | None = None) -> dict[str, tuple[str, set[str]]]:
    """Playlist -> its title and its songs; that no pair comes twice is asserted."""
    entries = read_entries(connection, split)
    playlists: dict[int, str] = dict(connection.execute("SELECT id, external_id FROM playlist").fetchall())
    titles: dict[int, str] = dict(connection.execute("SELECT id, name FROM title").fetchall())
    songs: dict[int, str] = dict(connection.execute("SELECT id, right(title, 1) FROM song").fetchall())
    pairs = list(zip(entries.playlists.tolist(), entries.songs.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    held = defaultdict(set)
    for number, place in pairs:
        held[number].add(songs[entries.song_ids[place]])
    return {
        playlists[entries.playlist_ids[number]]: (titles[entries.title_ids[entries.title_of[number]]], found)
        for number, found in held.items()
    }


def shown(connection: psycopg.Connection, split: int | None = None) -> dict[str, str | None]:
    """Song -> URI of the track that stands for it."""
    entries = read_entries(connection, split)
    names: dict[int, str] = dict(connection.execute("SELECT id, right(title, 1) FROM song").fetchall())
    uris: dict[int, str | None] = dict(connection.execute("SELECT id, right(uri, 2) FROM track").fetchall())
    pairs = zip(entries.song_ids.tolist(), entries.track_ids.tolist(), strict=True)
    return {names[song_id]: uris[track] for song_id, track in pairs}


def test_a_playlist_holds_a_song_once(settings: Settings, connection: psycopg.Connection, tmp_path: Path) -> None:
    lists = [
        playlist(1, "Gym", [song("a", "1"), song("a", "2"), song("a", "1"), song("b", "1")]),
        playlist(2, "GYM!", [song("a")]),
        playlist(3, "  ", [song("a", "1")]),
        playlist(4, "empty", []),
    ]
    load(settings, tmp_path, lists)
    assert as_read(connection) == {"1": ("gym", {"a", "b"}), "2": ("gym", {"a"})}
    assert sorted(read_entries(connection).counts().toarray().tolist()) == [[2.0, 1.0]]


@pytest.mark.parametrize(
    ("lists", "uri"),
    [
        ([["1", "2"], ["2"]], "a2"),
        ([["1", "1", "1"], ["2"], ["2"]], "a2"),  # three times in one playlist is held once
        ([["2"], ["1"]], "a2"),  # loaded first
        ([[None], ["2"]], "a2"),  # one with a URI
        ([[None], [None], ["2"]], None),
    ],
)
def test_a_song_is_its_most_held_track(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path, lists: list[list[str | None]], uri: str | None
) -> None:
    load(settings, tmp_path, [playlist(n, "gym", [song("a", r) for r in held]) for n, held in enumerate(lists)])
    assert shown(connection) == {"a": uri}


def test_of_a_split_only_the_train_part_is_read(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """The track that stands for a song is that of the train part too, though others hold another one."""
    releases = ["1", "2", "2", "2"]
    load(settings, tmp_path, [playlist(n, f"title {n}", [song("a", release)]) for n, release in enumerate(releases)])
    divide(connection, {"train": [0], "validation": [1], "test": [2]})
    divide(connection, {"train": [1, 2], "test": [0]}, split=2)
    assert as_read(connection, 1) == {"0": ("title 0", {"a"})}
    assert as_read(connection, 2) == {"1": ("title 1", {"a"}), "2": ("title 2", {"a"})}
    assert (shown(connection), shown(connection, 1)) == ({"a": "a2"}, {"a": "a1"})


def test_without_playlists_there_is_nothing_to_read(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path, [playlist(0, " ", [song("a")]), playlist(1, "gym", [])])
    with pytest.raises(NotReadyError, match="recsys ingest"):
        read_entries(connection)
    load(settings, tmp_path, [playlist(2, "gym", [song("a")])])
    divide(connection, {"test": [2]})
    with pytest.raises(NotReadyError):
        read_entries(connection, 1)


def test_who_songs_are_by_is_read_once_in_whatever_roles(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """Of songs and artists of the train part alone: Cid's song is in no playlist of it."""
    own = [entry("Ann", "Up (Ann Remix)"), entry("Ann feat. Bo", "Duo"), entry("", "Nobody's")]
    load(settings, tmp_path, [playlist(1, "x", [entry("Cid", "Else")]), playlist(2, "x", own)])
    divide(connection, {"train": [2], "test": [1]})
    names: dict[int, str] = dict(connection.execute("SELECT id, name FROM artist").fetchall())
    songs: dict[int, str] = dict(connection.execute("SELECT id, title FROM song").fetchall())
    for split, others in ((1, set()), (None, {("Else", "Cid")})):
        entries = read_entries(connection, split)
        artist_ids, credited = read_credits(connection, entries)
        assert artist_ids.tolist() == sorted(artist_ids.tolist())
        assert credited.shape == (len(entries.song_ids), len(artist_ids))
        assert set(credited.data.tolist()) == {1.0}
        found = {
            (songs[entries.song_ids[song]], names[artist_ids[artist]])
            for song, artist in zip(*credited.nonzero(), strict=True)
        }
        assert found == {("Up", "Ann"), ("Duo", "Ann"), ("Duo", "Bo")} | others
        assert {names[artist] for artist in artist_ids.tolist()} == {artist for _, artist in found}


def test_titles_are_named_by_their_ids(settings: Settings, connection: psycopg.Connection, tmp_path: Path) -> None:
    load(settings, tmp_path, [playlist(0, "Gym!", [song("a")]), playlist(1, "sleep", [song("a")])])
    entries = read_entries(connection)
    gym, sleep = entries.title_ids.tolist()
    assert title_names(connection, entries.title_ids) == {gym: "gym", sleep: "sleep"}
    assert title_names(connection, entries.title_ids[1:]) == {sleep: "sleep"}


# --- artists and songs -----------------------------------------------------------------------------------------


def test_featured_artists_and_remixers_vote_too(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """Zed has his remix, held by both lists; Guy one song of two that hold him; the song of one list is Ann's too."""
    remix, duet, own = entry("Ann", "Up (Zed Remix)"), entry("Ann feat. Guy", "Duo"), entry("Ann", "Own")
    load(settings, tmp_path, [playlist(0, "guy", [remix, duet]), playlist(1, "x", [remix, duet, own])])
    add_recommender(connection, 1)
    build(connection, 1, smoothing=OWN)
    found = rows(
        connection,
        "SELECT a.name, p.key, p.playlists, p.meant, p.weights, p.track_ids = ARRAY(SELECT t.id::integer FROM song s"
        " JOIN track t ON t.song_id = s.id JOIN song_artist sa ON sa.song_id = s.id WHERE sa.artist_id = a.id"
        " ORDER BY s.title = 'Own', s.id)"
        " FROM artist_profile AS p JOIN artist AS a ON a.id = p.artist_id ORDER BY a.name",
    )
    # One title names one artist, Guy, with a list that is his to a half; that is the average of one word too.
    assert found == [
        ("Ann", "ann", 2, 0.5, pytest.approx([0.4, 0.4, 0.2]), True),
        ("Guy", "guy", 2, 0.5, [1.0], True),
        ("Zed", "zed", 2, 0.5, [1.0], True),
    ]


def test_a_song_of_the_name_votes_with_what_stands_beside_it(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """ "Up" and its remix are one name, in three lists, two of them called so; each song is its most held track."""
    up, remix = entry("Ann", "Up", "spotify:track:u1"), entry("Ann", "Up (Zed Remix)")
    again = entry("Ann", "Up", "spotify:track:u2")
    lists = [
        playlist(0, "UP!", [up, song("a", "1")]),
        playlist(1, "up", [song("b")]),
        playlist(2, "x", [again, up, remix, song("a", "2")]),
        playlist(3, "x", [again, remix, song("b")]),
        playlist(4, "x", [song("a", "2"), again]),
    ]
    load(settings, tmp_path, lists)
    add_recommender(connection, 1)
    build(connection, 1, smoothing=OWN)
    [(name, playlists, meant, uris, weights)] = rows(
        connection,
        "SELECT s.title || coalesce(s.version, ''), p.playlists, p.meant,"
        " ARRAY(SELECT coalesce(right(t.uri, 2), t.title) FROM unnest(p.track_ids) WITH ORDINALITY AS u (id, place)"
        " JOIN track AS t ON t.id = u.id ORDER BY place), p.weights"
        " FROM song_profile AS p JOIN song AS s ON s.id = p.song_id WHERE p.model_id = 1 AND p.key = 'up'",
    )
    # One of two lists called "up" holds the song, and that is how names of one word fare.
    assert (name, playlists, meant) == ("Up", 4, 0.5)
    assert uris == ["u2", "Up (Zed Remix)", "a2", "Song b"]
    a, b = (1 / 12 + 1 / 13 + 1 / 12) / math.sqrt(3 + 5), (1 / 13) / math.sqrt(2 + 5)
    assert weights == pytest.approx([0.2 * 4 / 6, 0.2 * 2 / 6, 0.8 * a / (a + b), 0.8 * b / (a + b)])
    assert rows(connection, "SELECT key FROM song_profile ORDER BY key") == [("songa",), ("songb",), ("up",)]


def test_names_are_built_anew_for_one_recommender_and_seen_once_its_titles_are(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path, [playlist(n, "gym", [song("a"), song("b")]) for n in range(2)])
    for model in (1, 2):
        add_recommender(connection, model)
        build(connection, model, smoothing=OWN)
    before = [everything(connection, model) for model in (1, 2)]
    assert before[0] != before[1]
    load(settings, tmp_path, [playlist(2, "song c", [song("a"), song("c")]), playlist(3, "gym", [song("c")])])
    with connect(settings) as other:
        entries = read_entries(other)
        build_named(other, 1, entries, *read_credits(other, entries))
        other.rollback()
        assert [everything(other, model) for model in (1, 2)] == before
        build_named(other, 1, entries, *read_credits(other, entries))
        assert [everything(connection, model) for model in (1, 2)] == before
        build_profiles(other, 1, entries, smoothing=OWN)
    assert everything(connection, 2) == before[1]
    assert rows(connection, "SELECT key, playlists FROM song_profile WHERE model_id = 1 ORDER BY key") == [
        ("songa", 3),
        ("songb", 2),
        ("songc", 2),
    ]
    assert rows(connection, "SELECT key, playlists FROM artist_profile WHERE model_id = 1 ORDER BY key") == [
        ("artista", 3),
        ("artistb", 2),
        ("artistc", 2),
    ]


def test_what_is_expected_is_written_for_one_recommender_and_outlives_new_profiles(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """Songs are their most held tracks, and a title of which nothing is expected has an empty voice."""
    load(settings, tmp_path, [playlist(n, title, [song("a", "1"), song("b")]) for n, title in enumerate(["x", "y"])])
    add_recommender(connection, 1)
    add_recommender(connection, 2)
    entries = read_entries(connection)
    tracks = {name[-1]: track for track, name in rows(connection, "SELECT id, title FROM track")}
    places = {name: entries.track_ids.tolist().index(track) for name, track in tracks.items()}
    given = [("ba", [0.5, 0.25]), ("", []), ("a", [0.125])]

    def written(model: int) -> list[tuple[object, ...]]:
        query = "SELECT t.name, track_ids, weights FROM learned_profile JOIN title AS t ON t.id = title_id"
        return rows(connection, f"{query} WHERE model_id = %s ORDER BY 1", model)

    def write(model: int, *voices: int) -> None:
        chosen = [given[voice] for voice in voices]
        starts = np.cumsum([0, *(len(names) for names, _ in chosen)])
        songs = np.array([places[name] for names, _ in chosen for name in names], dtype=np.int64)
        weights = np.array([weight for _, own in chosen for weight in own], dtype=np.float32)
        write_learned(connection, model, entries, entries.title_ids, Profiles(starts, songs, weights))

    write(1, 0, 1)
    write(2, 2, 2)
    assert written(1) == [("x", [tracks["b"], tracks["a"]], [0.5, 0.25]), ("y", [], [])]
    build(connection, 1, smoothing=OWN)
    assert written(1) == [("x", [tracks["b"], tracks["a"]], [0.5, 0.25]), ("y", [], [])]
    write(1, 1, 2)
    assert written(1) == [("x", [], []), ("y", [tracks["a"]], [0.125])]
    assert written(2) == [(title, [tracks["a"]], [0.125]) for title in "xy"]
    connection.execute("DELETE FROM model WHERE id = 1")
    assert (written(1), len(written(2))) == ([], 2)
    assert everything(connection, 1) == [[], [], [], []]


# --- a split's profiles know nothing of the rest ---------------------------------------------------------------

LETTERS = "abcdefghijklmnopqrst"


def made_up_lists(numbers: Sequence[int], seed: int) -> list[dict[str, object]]:
    """Playlists whose titles name artists and songs and are shared among all parts."""
    chance = random.Random(seed)
    return [
        playlist(
            number,
            chance.choice(
                [f"best of artist {LETTERS[number % 5]}", f"Mix {number % 7}", f"song {LETTERS[number % 3]}"]
            ),
            [song(letter, chance.choice("123")) for letter in chance.choices(LETTERS, k=chance.randint(2, 9))],
        )
        for number in numbers
    ]


def everything(connection: psycopg.Connection, model: int) -> list[list[tuple[object, ...]]]:
    """All rows of a recommender."""
    tables = ("title_profile", "artist_profile", "song_profile", "learned_profile")
    return [rows(connection, f"SELECT * FROM {table} WHERE model_id = %s ORDER BY 2", model) for table in tables]


def test_what_validation_and_test_hold_changes_nothing_in_a_splits_profiles(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    train, rest = range(40), range(40, 60)
    load(settings, tmp_path, [*made_up_lists(train, seed=1), *made_up_lists(rest, seed=2)])
    parts = {"train": train, "validation": rest[:10], "test": rest[10:]}
    divide(connection, parts)
    add_recommender(connection, 1)
    add_recommender(connection, 2)
    for model, split in ((1, 1), (2, None)):
        add_vectors(connection, model)
        build(connection, model, split)
    before, of_all = everything(connection, 1), everything(connection, 2)
    assert all(before[:3])
    assert all(of_all[:3])
    assert len({row[4] for row in before[2]}) > 2  # how far names are meant, which titles of test might tell

    changed = made_up_lists(rest, seed=3)
    for number, line in enumerate(changed):
        line["name"] = ("Best of Artist C", f"new title {number}", "Song B")[number % 3]
        line["tracks"] = [song(letter, "9") for letter in LETTERS[:10]]
    load(settings, tmp_path, changed)
    divide_again = rows(connection, "SELECT count(*) FROM playlist WHERE external_id = ANY(%s)", list(map(str, rest)))
    assert divide_again == [(len(rest),)]
    for model, split in ((1, 1), (2, None)):
        add_vectors(connection, model)
        build(connection, model, split)
    assert everything(connection, 1) == before
    assert all(now != then for now, then in zip(everything(connection, 2)[:3], of_all, strict=False))


def test_a_splits_profiles_are_those_of_a_database_that_holds_its_train_part_alone(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """The train part is loaded first, so that ids are the same."""
    train = made_up_lists(range(40), seed=1)
    load(settings, tmp_path, train)
    add_recommender(connection, 1)
    add_vectors(connection, 1)
    build(connection, 1)
    alone = everything(connection, 1)
    load(settings, tmp_path, [*made_up_lists(range(40, 60), seed=2), playlist(60, "of the test part", [song("a")])])
    divide(connection, {"train": range(40), "test": range(40, 61)})
    add_vectors(connection, 1)
    build(connection, 1, split=1)
    assert everything(connection, 1) == alone


def test_the_old_profiles_answer_until_the_new_ones_are_there(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(settings, tmp_path, [playlist(0, "gym", [song("a")])])
    add_recommender(connection, 1)
    add_vectors(connection, 1)
    assert build(connection, 1) == 1
    before = everything(connection, 1)
    load(settings, tmp_path, [playlist(1, "gym", [song("b")])])
    seen: list[bool] = []

    def look_and_copy(*given: Any) -> None:
        copy_rows(*given)
        seen.append(everything(connection, 1) == before)

    monkeypatch.setattr(profiles, "copy_rows", look_and_copy)
    with connect(settings) as other:
        build(other, 1)
    assert seen == [True, True, True]
    assert everything(connection, 1) != before


def test_a_title_without_a_vector_leaves_the_old_profiles(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """One has no neighbours then: without hearing them, profiles are built."""
    load(settings, tmp_path, [playlist(0, "gym", [song("a")])])
    add_recommender(connection, 1)
    add_vectors(connection, 1)
    build(connection, 1)
    before = everything(connection, 1)
    load(settings, tmp_path, [playlist(1, "sleep", [song("b")])])
    with pytest.raises(NotReadyError, match="recsys titles embed") as error, connect(settings) as other:
        build(other, 1)
    assert "\n" not in str(error.value)
    assert everything(connection, 1) == before
    assert build(connection, 1, smoothing=OWN) == 2
