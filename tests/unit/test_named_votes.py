"""What artists and songs vote for, and how far a title of their name means them, against the same in loops."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from math import sqrt

import numpy as np
import pytest
from scipy import sparse

from recsys.names import name_key
from recsys.titles import named
from recsys.titles.entries import Entries
from recsys.titles.named import ArtistVote, SongVote, artist_votes, named_keys, named_songs, song_votes

Playlists = Sequence[tuple[int, Sequence[int]]]
"""Title and songs of each."""


def made_up_entries(playlists: Playlists) -> Entries:
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


# --- artists ---------------------------------------------------------------------------------------------------


def votes_of(
    titles: Sequence[str],
    playlists: Playlists,
    artists: Mapping[str, Sequence[int]],
    tracks: int = 500,
) -> dict[str, ArtistVote]:
    """`artist_votes`, by the artist's key; `artists` names each one's songs."""
    entries = made_up_entries(playlists)
    known = [(place, name_key(name), name) for place, name in enumerate(artists)]
    credited = np.zeros((len(entries.song_ids), len(artists)), dtype=np.float32)
    for place, songs in enumerate(artists.values()):
        credited[list(songs), place] = 1
    votes, _ = artist_votes(entries, known, sparse.csr_matrix(credited), titles, tracks)
    return {vote.key: vote for vote in votes}


def meant_in_a_loop(
    titles: Sequence[str], playlists: Playlists, artists: Mapping[str, Sequence[int]]
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


# --- songs -------------------------------------------------------------------------------------------------------

Vote = tuple[int, int, float, list[int], list[float]]
"""Song, playlists, meant, songs, weights."""


def song_votes_of(titles: Sequence[str], playlists: Playlists, names: Mapping[int, str]) -> dict[str, Vote]:
    """`song_votes` by key; `names` are those of the songs whose names are known."""
    votes, _ = song_votes(
        made_up_entries(playlists), np.array(list(names), dtype=np.int64), list(names.values()), titles
    )
    assert all(vote.songs.dtype == np.int64 and vote.weights.dtype == np.float32 for vote in votes)
    assert len({vote.key for vote in votes}) == len(votes)
    return {vote.key: as_told(vote) for vote in votes}


def as_told(vote: SongVote) -> Vote:
    return vote.song, vote.playlists, vote.meant, vote.songs.tolist(), vote.weights.tolist()


def votes_in_loops(
    titles: Sequence[str], playlists: Playlists, names: Mapping[int, str], lists_read: int, most: int
) -> dict[str, Vote]:
    holders = Counter(song for _, songs in playlists for song in set(songs))
    of_key: dict[str, list[int]] = {}
    is_long: dict[str, bool] = {}
    for song, name in names.items():
        if key := name_key(name):
            of_key.setdefault(key, []).append(song)
            is_long[key] = is_long.get(key, False) or len(name.split()) > 1
    hits = {
        key: [bool(set(songs) & set(own)) for title, songs in playlists if name_key(titles[title]) == key]
        for key, own in of_key.items()
    }
    votes = {}
    for key, own in of_key.items():
        alike = [hit for other, found in hits.items() if is_long[other] == is_long[key] for hit in found]
        average = sum(alike) / len(alike) if alike else 0
        meant = (sum(hits[key]) + 2 * average) / (len(hits[key]) + 2)
        holding = [set(songs) for _, songs in playlists if set(songs) & set(own)]
        step = max(len(holding) / lists_read, 1)
        beside: Counter[int] = Counter()
        for nth in range(min(len(holding), lists_read)):
            songs = holding[int(nth * step)]
            for song in songs - set(own):
                beside[song] += 1 / (len(songs) + 10)  # type: ignore[assignment]
        values = {song: value / sqrt(holders[song] + 5) for song, value in beside.items()}
        near = sorted(values, key=lambda song: (-values[song], song))[:most]
        own_share = 0.2 if near else 1
        first = sorted(own, key=lambda song: (-holders[song], song))
        weights = [own_share * holders[song] / sum(holders[song] for song in own) for song in first]
        weights += [(1 - own_share) * values[song] / sum(values[song] for song in near) for song in near]
        votes[key] = (first[0], len(holding), meant, first + near, weights)
    return votes


def about(votes: Mapping[str, Vote]) -> dict[str, object]:
    return {
        key: (song, lists, pytest.approx(meant, rel=1e-6), songs, pytest.approx(weights, rel=1e-5))
        for key, (song, lists, meant, songs, weights) in votes.items()
    }


def test_a_song_votes_for_itself_with_a_fifth_and_for_what_stands_beside_it() -> None:
    """Song 1 stands in a list of 2 and one of 3, song 2 in the one of 3 and elsewhere; 3 is never beside it."""
    lists = [(0, [0, 1]), (1, [0, 1, 2]), (1, [2, 3]), (1, [2, 3])]
    found = song_votes_of(["hallo", "x"], lists, {0: "Hallo"})
    one, two = (1 / 12 + 1 / 13) / sqrt(2 + 5), (1 / 13) / sqrt(3 + 5)
    assert found == about(
        {"hallo": (0, 2, 1, [0, 1, 2], [0.2, 0.8 * one / (one + two), 0.8 * two / (one + two)])}  # meant: the one list
    )


def test_songs_of_one_name_vote_together_by_the_playlists_that_hold_them() -> None:
    """0 and 2 are spelt as one; a list with both is one list, and neither stands beside the other."""
    lists = [(0, [0, 1]), (0, [0, 2]), (0, [2]), (0, [2, 3]), (0, [1, 3])]
    found = song_votes_of(["x"], lists, {0: "Hallo!", 2: "hällo", 3: "Other"})
    assert found.keys() == {"hallo", "other"}
    assert found["hallo"] == (2, 4, 0, [2, 0, 1, 3], pytest.approx([0.2 * 3 / 5, 0.2 * 2 / 5, 0.4, 0.4]))


def test_a_song_that_stands_alone_has_all_of_its_vote() -> None:
    lists = [(0, [0]), (0, [0]), (0, [1, 2])]
    assert song_votes_of(["x"], lists, {0: "Hallo"}) == {"hallo": (0, 2, 0, [0], [1.0])}


def test_a_title_means_the_song_as_far_as_its_playlists_hold_one_of_the_name() -> None:
    """ "hallo": one of its two lists, and "world": none of one; a third of the three lists of names of one word.

    "x hallo" is not the name as a whole. "so long": its one list, and all of names of several words.
    """
    titles = ["hallo", "world", "x hallo", "so long", "y"]
    lists = [(0, [0]), (0, [3]), (1, [0]), (2, [4]), (3, [2]), (4, [0, 1, 2])]
    found = song_votes_of(titles, lists, {0: "Hallo", 1: "World", 2: "So Long", 3: "Mute", 4: "In Vain"})
    third = 1 / 3
    assert {key: meant for key, (_, _, meant, _, _) in found.items()} == pytest.approx(
        {"hallo": (1 + 2 * third) / 4, "world": 2 * third / 3, "mute": third, "solong": 1, "invain": 1}
    )


def test_a_name_of_one_word_that_somebody_writes_as_two_is_of_several() -> None:
    """Both spellings are one name, whichever comes first; a name without a key is nobody's."""
    lists = [(0, [0, 1, 2]), (1, [3]), (1, [0, 1, 2, 3])]
    for names in ({0: "Daylight", 1: "Day light"}, {0: "Day light", 1: "Daylight"}):
        found = song_votes_of(["day light", "mute"], lists, {**names, 2: " ", 3: "Mute"})
        assert {key: meant for key, (_, _, meant, _, _) in found.items()} == {"daylight": 1, "mute": 1}
        assert song_votes_of(["no name", "mute"], lists, {**names, 3: "Mute"})["daylight"][2] == 0


@pytest.mark.parametrize("seed", range(8))
def test_what_songs_vote_for_is_that_of_the_loops(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are read four at a time, of at most seven lists, for at most five songs beside them."""
    assert (named.LISTS_READ, named.NEIGHBOURS, named.OWN_SHARE, named.PRIOR_PLAYLISTS) == (500, 100, 0.2, 2)
    for name, value in (("LISTS_READ", 7), ("NEIGHBOURS", 5), ("_KEYS_AT_ONCE", 4)):
        monkeypatch.setattr(named, name, value)
    chance = random.Random(seed)
    words = ["hallo", "Hällo!", "so long", "So Long", "the end", "end", "x", "Mute", "night & day", "night and day"]
    titles = [*words, "hallo x", "never", "long", "THE END!"]
    lists = [
        (chance.randrange(len(titles)), chance.choices(range(40), [1 / (1 + s) for s in range(40)], k=size))
        for size in (chance.randint(1, 9) for _ in range(60))
    ]
    holders = Counter(song for _, songs in lists for song in set(songs))
    several = [song for song in holders if holders[song] > 1]
    names = {song: chance.choice(words) for song in sorted(chance.sample(several, 14))}
    expected = votes_in_loops(titles, lists, names, lists_read=7, most=5)
    assert max(count for _, count, *_ in expected.values()) > 7
    assert len(expected) > 4
    assert song_votes_of(titles, lists, names) == about(expected)


def test_of_many_lists_five_hundred_are_read_and_a_hundred_songs_beside_are_heard() -> None:
    """The song is in 1,250 lists, of which every second or third is read; odd lists hold other songs than even ones."""
    chance = random.Random(1)
    lists = [
        (0, [0] * (number % 4 != 3) + [1 + 2 * chance.randrange(400) + number % 2 for _ in range(6)])
        for number in range(1667)
    ]
    found = song_votes_of(["hallo"], lists, {0: "Hallo"})
    assert found["hallo"][1] == 1251
    assert len(found["hallo"][3]) == 101
    assert found == about(votes_in_loops(["hallo"], lists, {0: "Hallo"}, lists_read=500, most=100))


def test_where_no_name_is_known_no_song_votes() -> None:
    assert song_votes_of(["x"], [(0, [0]), (0, [1])], {}) == {}


def test_names_of_the_most_held_songs_are_known_in_two_playlists_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    """Songs 1, 3 and 4 are in two playlists, 2 in three; of equals the first ones are taken."""
    entries = made_up_entries([(0, [1, 2, 5]), (0, [1, 2, 4]), (0, [0, 2, 3]), (0, [3, 4, 4])])
    assert named.NAMED_SONGS == 20_000
    for most, expected in ((20_000, [1, 2, 3, 4]), (3, [1, 2, 3]), (1, [2])):
        monkeypatch.setattr(named, "NAMED_SONGS", most)
        assert named_songs(entries.holders()).tolist() == expected
