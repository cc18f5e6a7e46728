"""What titles and artists vote for, read from playlists: each song once, and of a split its train part alone."""

import math
import random
from collections import Counter, defaultdict
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
from recsys.names import name_key
from recsys.titles import profiles
from recsys.titles.profiles import ArtistVote, Entries, artist_votes, build_profiles, named_keys, read_entries
from recsys.titles.smoothing import Smoothing
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


# --- artists ---------------------------------------------------------------------------------------------------


def made_up_entries(playlists: Sequence[tuple[int, Sequence[int]]]) -> Entries:
    """Entries of (title, songs) pairs; ids are indices."""
    pairs = [(number, held) for number, (_, songs) in enumerate(playlists) for held in sorted(set(songs))]
    titles, songs = max(title for title, _ in playlists) + 1, max(held for _, held in pairs) + 1
    return Entries(
        np.array([number for number, _ in pairs]),
        np.array([held for _, held in pairs]),
        np.array([title for title, _ in playlists]),
        np.arange(len(playlists)),
        np.arange(titles),
        np.arange(songs),
        np.arange(songs),
    )


def votes_of(
    titles: Sequence[str],
    playlists: Sequence[tuple[int, Sequence[int]]],
    artists: Mapping[str, Sequence[int]],
    tracks: int = 500,
) -> dict[str, ArtistVote]:
    """`artist_votes`, by the artist's key; `artists` names each one's songs."""
    named = [(place, name_key(name), name) for place, name in enumerate(artists)]
    credits_ = [(held, place) for place, songs in enumerate(artists.values()) for held in songs]
    song_artists = (np.array([held for held, _ in credits_]), np.array([place for _, place in credits_]))
    votes = artist_votes(made_up_entries(playlists), named, song_artists, titles, tracks)
    return {vote.key: vote for vote in votes}


def meant_in_a_loop(
    titles: Sequence[str], playlists: Sequence[tuple[int, Sequence[int]]], artists: Mapping[str, Sequence[int]]
) -> dict[str, float]:
    """Key -> the mean share of an artist's songs where the title names him, with two playlists of the average."""
    shares: dict[str, list[float]] = {}
    for name, songs in artists.items():
        if sum(bool(set(held) & set(songs)) for _, held in playlists) > 1:
            shares[name] = [
                len(set(held) & set(songs)) / len(set(held))
                for title, held in playlists
                if name_key(name) in named_keys(titles[title])
            ]

    def is_long(name: str) -> bool:
        return " " in name.lower().removeprefix("the ")

    meant = {}
    for name, own in shares.items():
        alike = [share for other, found in shares.items() if is_long(other) == is_long(name) for share in found]
        average = sum(alike) / len(alike) if alike else 0
        meant[name_key(name)] = (sum(own) + 2 * average) / (len(own) + 2)
    return meant


def test_an_artist_votes_for_his_songs_by_the_playlists_that_hold_them() -> None:
    vote = votes_of(["x"], [(0, [0, 1]), (0, [0, 2]), (0, [0, 1, 3])], {"Ann": [0, 1, 2]})["ann"]
    assert (vote.songs.tolist(), vote.playlists) == ([0, 1, 2], 3)
    assert vote.weights.tolist() == pytest.approx([3 / 6, 2 / 6, 1 / 6])


def test_what_is_cut_off_an_artist_is_not_shared_out_among_the_rest() -> None:
    vote = votes_of(["x"], [(0, [0, 1]), (0, [0, 2]), (0, [0, 1, 3])], {"Ann": [0, 1, 2]}, tracks=1)["ann"]
    assert (vote.songs.tolist(), vote.weights.tolist()) == ([0], [0.5])


def test_an_artist_of_one_playlist_does_not_vote() -> None:
    assert set(votes_of(["x"], [(0, [0, 1]), (0, [0])], {"Ann": [0], "Bob": [1]})) == {"ann"}


def test_a_title_means_the_artist_as_far_as_its_playlists_hold_him() -> None:
    """ "ann": one list of hers to a half; "bob mix": one of his whole. Both names are one word, on average 3/4."""
    titles = ["ann", "bob mix", "x"]
    votes = votes_of(titles, [(0, [0, 2]), (1, [1]), (2, [0, 1])], {"Ann": [0], "Bob": [1]})
    assert votes["ann"].meant == pytest.approx((1 / 2 + 2 * 3 / 4) / 3)
    assert votes["bob"].meant == pytest.approx((1 + 2 * 3 / 4) / 3)


def test_names_of_one_word_and_of_several_have_averages_of_their_own() -> None:
    """ "The" is no word: "The Cure" is drawn towards "Love", whom nobody means, and "Lady Gaga" is not."""
    titles = ["love", "lady gaga", "x"]
    lists = [(0, [3]), (0, [3]), (1, [1]), (2, [0, 1, 2, 4]), (2, [0, 1, 2, 4])]
    artists = {"Love": [0], "Lady Gaga": [1], "The Cure": [2], "Daft Punk": [4]}
    votes = votes_of(titles, lists, artists)
    assert {key: vote.meant for key, vote in votes.items()} == pytest.approx(
        {"love": 0, "cure": 0, "ladygaga": 1, "daftpunk": 1}
    )


@pytest.mark.parametrize("seed", range(5))
def test_how_far_artists_are_meant_is_that_of_the_loop(seed: int) -> None:
    chance = random.Random(seed)
    names = ["Ann", "Ann Bell", "The Cure", "Bell", "Cid", "The The", "R.E.M.", "90s Kid"]
    artists = {name: chance.sample(range(30), 6) for name in names}
    words = ["ann", "bell", "cure", "the", "cid", "rem", "best", "of", "90s", "kid", "mix"]
    titles = [" ".join(chance.choices(words, k=chance.randint(1, 5))) for _ in range(25)]
    lists = [(title, chance.sample(range(30), chance.randint(1, 9))) for title in range(25) for _ in range(2)]
    votes = votes_of(titles, lists, artists)
    expected = meant_in_a_loop(titles, lists, artists)
    assert len(expected) == len(names)
    assert len({round(meant, 6) for meant in expected.values()}) > 3
    assert {key: vote.meant for key, vote in votes.items()} == pytest.approx(expected, rel=1e-5)
    for name, songs in artists.items():
        holders = Counter(held for _, of_list in lists for held in of_list if held in songs)
        order = sorted(songs, key=lambda held: (-holders[held], held))
        vote = votes[name_key(name)]
        assert [held for held in vote.songs.tolist() if holders[held]] == [held for held in order if holders[held]]
        assert vote.playlists == sum(bool(set(held) & set(songs)) for _, held in lists)


def test_runs_of_up_to_six_words_may_be_a_name() -> None:
    assert named_keys("the lady gaga") == {"the", "lady", "gaga", "ladygaga"}
    assert named_keys("!") == {"!"}
    assert named_keys("") == set()
    letters = "a b c d e f g"
    assert "abcdef" in named_keys(letters)
    assert "abcdefg" not in named_keys(letters)


def test_featured_artists_and_remixers_vote_too(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """Zed has his remix, held by both lists; Guy one song of two that hold him; the song of one list is Ann's too."""
    remix, duet, own = entry("Ann", "Up (Zed Remix)"), entry("Ann feat. Guy", "Duo"), entry("Ann", "Own")
    load(settings, tmp_path, [playlist(0, "guy", [remix, duet]), playlist(1, "x", [remix, duet, own])])
    add_recommender(connection, 1)
    build_profiles(connection, 1, read_entries(connection), smoothing=OWN)
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


# --- a split's profiles know nothing of the rest ---------------------------------------------------------------

LETTERS = "abcdefghijklmnopqrst"


def made_up_lists(numbers: Sequence[int], seed: int) -> list[dict[str, object]]:
    """Playlists whose titles name artists and are shared among all parts."""
    chance = random.Random(seed)
    return [
        playlist(
            number,
            chance.choice([f"best of artist {LETTERS[number % 5]}", f"Mix {number % 7}"]),
            [song(letter, chance.choice("123")) for letter in chance.choices(LETTERS, k=chance.randint(2, 9))],
        )
        for number in numbers
    ]


def learned(connection: psycopg.Connection, model: int) -> list[list[tuple[object, ...]]]:
    """All rows of a recommender."""
    tables = ("title_profile", "artist_profile")
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
        build_profiles(connection, model, read_entries(connection, split))
    before, of_all = learned(connection, 1), learned(connection, 2)
    assert all(before)
    assert all(of_all)

    changed = made_up_lists(rest, seed=3)
    for number, line in enumerate(changed):
        line["name"] = f"new title {number}" if number % 3 else "Best of Artist C"
        line["tracks"] = [song(letter, "9") for letter in LETTERS[:10]]
    load(settings, tmp_path, changed)
    divide_again = rows(connection, "SELECT count(*) FROM playlist WHERE external_id = ANY(%s)", list(map(str, rest)))
    assert divide_again == [(len(rest),)]
    for model, split in ((1, 1), (2, None)):
        add_vectors(connection, model)
        build_profiles(connection, model, read_entries(connection, split))
    assert learned(connection, 1) == before
    assert learned(connection, 2) != of_all


def test_a_splits_profiles_are_those_of_a_database_that_holds_its_train_part_alone(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """The train part is loaded first, so that ids are the same."""
    train = made_up_lists(range(40), seed=1)
    load(settings, tmp_path, train)
    add_recommender(connection, 1)
    add_vectors(connection, 1)
    build_profiles(connection, 1, read_entries(connection))
    alone = learned(connection, 1)
    load(settings, tmp_path, [*made_up_lists(range(40, 60), seed=2), playlist(60, "of the test part", [song("a")])])
    divide(connection, {"train": range(40), "test": range(40, 61)})
    add_vectors(connection, 1)
    build_profiles(connection, 1, read_entries(connection, 1))
    assert learned(connection, 1) == alone


def test_the_old_profiles_answer_until_the_new_ones_are_there(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(settings, tmp_path, [playlist(0, "gym", [song("a")])])
    add_recommender(connection, 1)
    add_vectors(connection, 1)
    assert build_profiles(connection, 1, read_entries(connection)) == 1
    before = learned(connection, 1)
    load(settings, tmp_path, [playlist(1, "gym", [song("b")])])
    seen: list[bool] = []

    def look_and_copy(*given: Any) -> None:
        copy_rows(*given)
        seen.append(learned(connection, 1) == before)

    monkeypatch.setattr(profiles, "copy_rows", look_and_copy)
    with connect(settings) as other:
        build_profiles(other, 1, read_entries(other))
    assert seen == [True, True]
    assert learned(connection, 1) != before


def test_a_title_without_a_vector_leaves_the_old_profiles(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """One has no neighbours then: without hearing them, profiles are built."""
    load(settings, tmp_path, [playlist(0, "gym", [song("a")])])
    add_recommender(connection, 1)
    add_vectors(connection, 1)
    build_profiles(connection, 1, read_entries(connection))
    before = learned(connection, 1)
    load(settings, tmp_path, [playlist(1, "sleep", [song("b")])])
    with pytest.raises(NotReadyError, match="recsys titles embed") as error:
        build_profiles(connection, 1, read_entries(connection))
    assert "\n" not in str(error.value)
    assert learned(connection, 1) == before
    assert build_profiles(connection, 1, read_entries(connection), smoothing=OWN) == 2
