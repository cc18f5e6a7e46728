"""Which tracklists lists are made for, what the baselines make, and what tables say; worked out by hand."""

from collections.abc import Sequence

import numpy as np
import pytest

from recsys.errors import NotReadyError
from recsys.evaluation.made_lists import (
    FAVOURITES,
    REAL,
    Asked,
    MadeOptions,
    as_sets,
    asked_of,
    compare_made,
    favourites,
    known_tracklists,
    main_artists,
    random_by_plays,
    song_facts,
)
from recsys.evaluation.made_runs import mean_intervals
from recsys.evaluation.made_tables import made_table, told
from recsys.evaluation.metrics import bootstrap
from recsys.progress import silent
from recsys.tracklists.running_order import Sets
from tests.graph_worlds import LETTERS, snapshot_of
from tests.order_worlds import order_of
from tests.toy_sequences import csr

PAST = ((0, "abca", 1), (0, "ab", 2), (1, "ddbe", 3))
SNAPSHOT = snapshot_of(*PAST)
"""Plays: a 3, b 3, c 1, d 2, e 1. DJ 0 played a three times, b twice, c once; DJ 1 d twice, b and e once."""
LATER = ((0, "fa-bcb", 10), (1, "dz", 11), (-1, "cdf-a", 12), (1, "ebdc", 15))
ORDER = order_of(PAST, LATER)
KNOWN = np.array([letter in "abcde" for letter in LETTERS])


def letters(lists: Sets) -> list[str]:
    return ["".join(LETTERS[song] for song in songs) for songs in np.split(lists.songs, lists.starts[1:-1])]


def asked(*wanted: tuple[str, int, int]) -> Asked:
    firsts, djs, lengths = zip(*wanted, strict=True)
    return Asked(np.array([LETTERS.index(first) for first in firsts]), np.array(djs), np.array(lengths))


def spelt(lists: Sequence[np.ndarray]) -> list[str]:
    return ["".join(LETTERS[song] for song in songs) for songs in lists]


def test_real_lists_are_the_known_songs_of_later_tracklists_that_have_enough() -> None:
    real = known_tracklists(ORDER, SNAPSHOT, KNOWN, MadeOptions(9, least_known=3))
    assert letters(real) == ["abcb", "cda", "ebdc"]
    assert real.djs.tolist() == [0, -1, 1]
    assert real.artists.tolist() == [0, 0, 1, 0, 1, 1, 0, 2, 0, 1, 1]
    assert letters(known_tracklists(ORDER, SNAPSHOT, KNOWN, MadeOptions(9, least_known=4))) == ["abcb", "ebdc"]
    assert letters(known_tracklists(ORDER, SNAPSHOT, KNOWN, MadeOptions(9, least_known=3, days=3))) == ["abcb", "cda"]
    with pytest.raises(NotReadyError, match=r"5 songs that the model knows: .* --before"):
        known_tracklists(ORDER, SNAPSHOT, KNOWN, MadeOptions(9))


def test_real_lists_are_drawn_by_the_seed() -> None:
    drawn = [letters(known_tracklists(ORDER, SNAPSHOT, KNOWN, MadeOptions(2, 3, seed=seed))) for seed in range(20)]
    again = [letters(known_tracklists(ORDER, SNAPSHOT, KNOWN, MadeOptions(2, 3, seed=seed))) for seed in range(20)]
    assert drawn == again
    assert {tuple(lists) for lists in drawn} == {("abcb", "cda"), ("abcb", "ebdc"), ("cda", "ebdc")}


def test_songs_are_found_by_their_ids_where_rows_differ() -> None:
    order = order_of(PAST, ((0, "abcde", 10),))
    snapshot = snapshot_of(*PAST)
    # The snapshot kept no a: its rows are one lower, and a is not known.
    moved = type(snapshot)(**(snapshot.__dict__ | {"songs": snapshot.songs[1:]}))
    real = known_tracklists(order, moved, np.ones(7, dtype=bool), MadeOptions(1, 4))
    assert real.songs.tolist() == [0, 1, 2, 3]
    assert real.artists.tolist() == [0, 1, 1, 2]
    assert main_artists(order, moved).tolist() == [0, 1, 1, 2, 2, 3, 3]


def test_what_is_asked_begins_as_the_real_list_and_is_as_long() -> None:
    real = known_tracklists(ORDER, SNAPSHOT, KNOWN, MadeOptions(9, least_known=3))
    wanted = asked_of(real)
    assert spelt([wanted.firsts]) == ["ace"]
    assert (wanted.djs.tolist(), wanted.lengths.tolist(), len(wanted)) == ([0, -1, 1], [4, 3, 4], 3)


def test_favourites_are_the_djs_most_played_songs_then_everybodys() -> None:
    made = favourites(SNAPSHOT)(asked(("c", 0, 5), ("a", 1, 4), ("d", -1, 4), ("a", 0, 1)), silent)
    # DJ 1 played b and e once each, and b is the more popular one. For nobody: a and b before c and e.
    assert spelt(made) == ["cabde", "adbe", "dabc", "a"]


def test_random_songs_are_drawn_by_their_plays_without_the_first_one() -> None:
    wanted = asked(*[("a", 0, 3)] * 4000)
    made = np.array(random_by_plays(SNAPSHOT, 1)(wanted, silent))
    assert (made[:, 0] == LETTERS.index("a")).all()
    assert all(len(set(row)) == 3 for row in made.tolist())
    # Of the 7 plays of others b has 3, d 2, c and e 1.
    share = np.bincount(made[:, 1], minlength=len(LETTERS)) / len(made)
    assert share == pytest.approx([0, 3 / 7, 1 / 7, 2 / 7, 1 / 7, 0, 0, 0], abs=0.03)
    again = np.array(random_by_plays(SNAPSHOT, 1)(wanted, silent))
    assert (again == made).all()
    assert (np.array(random_by_plays(SNAPSHOT, 2)(wanted, silent)) != made).any()


def test_random_lists_end_where_no_song_is_left() -> None:
    [made] = random_by_plays(SNAPSHOT, 0)(asked(("f", 0, 9)), silent)
    assert sorted(spelt([made])[0]) == list("abcdef")
    lonely = snapshot_of((0, "a", 1))
    assert spelt(random_by_plays(lonely, 0)(asked(("a", 0, 3)), silent)) == ["a"]


def test_songs_are_looked_at_by_plays_likeliest_clusters_and_song_space() -> None:
    assigned = csr([[0.6, 0.4], [0.2, 0.8], [1, 0], [0, 1], [1, 0], [1, 0], [1, 0], [1, 0]])
    facts = song_facts(SNAPSHOT, [assigned, csr(np.ones((8, 1)))])
    assert facts.plays.tolist() == [3, 3, 1, 2, 1, 0, 0, 0]
    assert facts.clusters[0].tolist() == [0, 1, 0, 1, 0, 0, 0, 0]
    assert facts.clusters[1].tolist() == [0] * 8
    assert facts.dj_plays.toarray()[0].tolist() == [3, 2, 1, 0, 0, 0, 0, 0]
    assert len(facts.vectors) == 8
    # d and e stand in the same tracklists; f in none.
    cosine = facts.vectors[3] @ facts.vectors[4] / np.linalg.norm(facts.vectors[3]) / np.linalg.norm(facts.vectors[4])
    assert cosine == pytest.approx(1, abs=1e-5)
    assert not facts.vectors[5].any()


def test_lists_are_compared_with_the_real_ones_first() -> None:
    facts = song_facts(SNAPSHOT, [csr([[1, 0]] * 2 + [[0, 1]] * 6), csr(np.ones((8, 1)))])
    artists = main_artists(ORDER, SNAPSHOT)
    real = as_sets([np.array([0, 1, 2]), np.array([3, 4])], np.array([0, 1]), artists)
    results = compare_made(real, {FAVOURITES: favourites(SNAPSHOT)}, facts, artists)
    # abc and de; made are abc, which is DJ 0's order too, and db.
    assert [result.method for result in results] == [REAL, FAVOURITES]
    table = made_table("mine", results, [2, 1])
    assert table.title.startswith("2 lists by mine")
    assert table.head == ["mean of a list", "real", "DJ's songs", "off"]
    rows = {row[0]: row[1:] for row in table.rows}
    # abc repeats an artist once of three; de and db none.
    assert rows["artist came before"] == [".167", ".167", ".000"]
    # ab|c is 1.5, de 2, d|b 1. On the level above there is one cluster: 3 and 2.
    assert rows["run in 2 clusters"] == ["1.75", "1.25", ".500"]
    assert rows["run in 1 clusters"] == ["2.50", "2.50", ".000"]
    assert rows["DJ played it before"] == ["1.00", "1.00", ".000"]
    assert rows["coverage"] == [".625", ".500", ""]
    lines = {(line["method"], line["respect"]): line for line in told(results)}
    assert lines[FAVOURITES, "cluster_run_0"] == {
        "method": FAVOURITES,
        "respect": "cluster_run_0",
        "lists": 2,
        "mean": pytest.approx(1.25),
        "distance": pytest.approx(0.5),
    }
    assert lines[FAVOURITES, "coverage"]["distance"] is None
    assert lines[REAL, "popularity"]["distance"] == 0


def test_intervals_are_over_lists_that_have_a_number() -> None:
    facts = song_facts(SNAPSHOT, [])
    artists = main_artists(ORDER, SNAPSHOT)
    lists = as_sets([np.array([0, 3]), np.array([0, 1]), np.array([2])], np.array([0, -1, -1]), artists)
    [real] = compare_made(lists, {}, facts, artists)
    intervals = mean_intervals(real.shape)
    assert intervals["dj_affinity", 0] == pytest.approx((0.5, 0.5, 0.5))
    assert intervals["artist_repetition", 0] == bootstrap([0, 0.5, 0])
    assert intervals["coverage", 0] == pytest.approx((0.5, 0.5, 0.5))
    nobodys = as_sets([np.array([0, 3])], np.array([-1]), artists)
    assert ("dj_affinity", 0) not in mean_intervals(compare_made(nobodys, {}, facts, artists)[0].shape)
    table = made_table("mine", compare_made(nobodys, {}, facts, artists), [])
    assert ["DJ played it before", ""] in table.rows
