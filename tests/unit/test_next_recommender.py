"""The next song: what is answered, and what training learns from tracklists and never sees."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import NotReadyError
from recsys.sequences import next_channels, next_song, next_training, played
from recsys.sequences.next_channels import CHANNELS, CONTEXT, FEATURES, without_channels
from recsys.sequences.next_song import NextOptions, NextRecommender, NextSong, NextSongs
from recsys.sequences.next_training import Positions, drawn_positions, spans, train_next_song
from recsys.sequences.played import Counts, Played
from recsys.tracklists.forests import Forest, ForestOptions, grown_forest
from recsys.tracklists.graph_snapshot import NO_DATE
from recsys.tracklists.running_order import UNKNOWN, Sets
from recsys.tracklists.stored_arrays import Floats, Integers
from tests.graph_worlds import LETTERS
from tests.next_worlds import ARTISTS, COUNTS, WORLD, Heard, played_of, sets_of

LITTLE = NextOptions(trees=20, leaf_size=5, spans=4, span_lists=8, scattered=12, positions=100, others=20)

BEGUN = (
    Heard(0, 0, 1040, "ab"),
    Heard(1, 2, 1160, "d-c2"),
    Heard(2, 1, None, "fgg"),
    Heard(3, 3, 1101, "a3"),
    Heard(UNKNOWN, UNKNOWN, 900, "h"),
    Heard(0, 1, 1500, "-"),
    Heard(1, 0, 1045, ""),
    Heard(2, UNKNOWN, 1103, "abcdefga"),
)

RING = 12
"""Songs of a world in which each is followed by the next one, always."""


def forest_of(name: str, values: Sequence[float] = (0, 1, 2, 3, 4, 5, 6, 7)) -> Forest:
    """Logits that grow with a feature, and with nothing else."""
    features = np.zeros((8 * len(values), len(FEATURES)), dtype=np.float32)
    features[:, FEATURES.index(name)] = np.repeat(values, 8)
    is_true = np.concatenate([np.arange(8) < place + 1 for place in range(len(values))])
    options = ForestOptions(trees=20, leaf_size=1, learning_rate=0.3, leaves=len(values), shrinkage=0)
    return grown_forest(features, is_true, np.ones(len(features), dtype=np.float32), options)[0]


@pytest.fixture(scope="module")
def by_popularity() -> NextSong:
    return NextSong(NextOptions(), forest_of("popularity"))


@pytest.fixture(scope="module")
def by_order() -> NextSong:
    return NextSong(NextOptions(), forest_of("after last", [0, 0.2, 0.5, 0.8, 1.1, 1.6, 2, 3]))


def answered(grown: NextSong, known: Played, begun: Sequence[Heard], k: int) -> list[str]:
    songs, scores = NextRecommender(grown, known).next(sets_of(begun), k)
    assert songs.shape == scores.shape == (len(begun), k)
    assert scores.dtype == np.float64
    return ["".join("-" if song == UNKNOWN else LETTERS[song] for song in row) for row in songs]


def test_songs_come_best_first_and_equal_ones_by_row(by_popularity: NextSong) -> None:
    known = played_of([Heard(0, 0, 1, "dcab"), Heard(0, 0, 2, "db"), Heard(0, 0, 3, "dc")])
    assert answered(by_popularity, known, [Heard(0, 0, 4, "-"), Heard(1, 1, None, "b")], 3) == ["dbc", "dca"]
    scores = NextRecommender(by_popularity, known).next(sets_of([Heard(0, 0, 4, "")]), 8).scores[0]
    assert (scores[:4] > 0).all()
    assert (scores < 1).all()
    assert scores[1] == scores[2] < scores[0]


def test_scores_are_chances_of_the_forest(by_order: NextSong) -> None:
    known = played_of([Heard(0, 0, 1, "abcd")])
    [songs], [scores] = NextRecommender(by_order, known).next(sets_of([Heard(0, 0, 4, "a")]), 3)
    assert "".join(LETTERS[song] for song in songs) == "bcd"
    features = np.zeros((3, len(FEATURES)), dtype=np.float32)
    features[:, FEATURES.index("after last")] = [1, 1 / 2, 1 / 3]
    assert scores == pytest.approx(1 / (1 + np.exp(-by_order.forest.logits(features))), rel=1e-6)


def test_what_tells_of_nothing_is_followed_by_popular_songs_without_a_score(
    by_popularity: NextSong, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(next_channels, "DRAWN", dict.fromkeys(next_channels.DRAWN, 0))
    monkeypatch.setattr(played, "CURRENT_SONGS", {7: 1})
    known = played_of([Heard(0, 0, 0, "abc"), Heard(0, 0, 1, "bc"), Heard(0, 0, 2, "c"), Heard(0, 0, 90, "d")])
    # d alone is current; the others fill up, the most popular first, h and those that nobody plays last.
    assert answered(by_popularity, known, [Heard(0, 0, 99, "-"), Heard(0, 0, 99, "bd-")], 4) == [
        "dcba",
        "cade"[:2] + "ef",
    ]
    scores = NextRecommender(by_popularity, known).next(sets_of([Heard(0, 0, 99, "-")]), 4).scores[0]
    assert scores[0] > 0
    assert scores[1:].tolist() == [0, 0, 0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Heard,
            st.integers(UNKNOWN, 3),
            st.integers(UNKNOWN, 3),
            st.none() | st.integers(800, 1500),
            st.text(f"{LETTERS}-03", max_size=25),
        ),
        max_size=5,
    ),
    st.integers(1, 9),
)
def test_always_k_where_there_are_enough_and_never_one_of_the_beginning(
    by_popularity: NextSong, begun: list[Heard], k: int
) -> None:
    found = answered(by_popularity, played_of(WORLD), begun, k)
    for one, songs in zip(begun, found, strict=True):
        there = len(set(LETTERS) - set(one.songs))
        assert songs == songs[: min(k, there)] + "-" * (k - min(k, there))
        assert len(set(songs[:there])) == min(k, there)
        assert not set(songs[:there]) & set(one.songs)


def test_songs_before_the_context_are_not_named_either(by_popularity: NextSong) -> None:
    known = played_of(WORLD)
    long = "a" + "b" * 20
    assert len(long) > CONTEXT
    [songs] = answered(by_popularity, known, [Heard(0, 0, 1040, long)], 8)
    assert set(songs) == set("cdefgh-")
    assert songs.endswith("--")


def test_where_nothing_is_begun_nothing_is_answered(by_popularity: NextSong) -> None:
    songs, scores = NextRecommender(by_popularity, played_of(WORLD)).next(sets_of([]), 3)
    assert songs.shape == scores.shape == (0, 3)
    assert answered(by_popularity, played_of(WORLD), [Heard(0, 0, 1, LETTERS)], 2) == ["--"]


def same(one: NextSongs, other: NextSongs) -> None:
    np.testing.assert_array_equal(one.songs, other.songs)
    np.testing.assert_array_equal(one.scores, other.scores)


def test_how_many_are_answered_at_once_and_in_which_order_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sets, artists, counts = ring()
    grown = train_next_song(sets, artists, counts, LITTLE)
    recommender = NextRecommender(grown, Played(sets, artists, counts))
    lists = np.arange(50)
    begun = sets.upto(lists, lists % 7)
    whole = recommender.next(begun, 10)
    for size in (1, 3, 64):
        monkeypatch.setattr(next_song, "AT_ONCE", size)
        same(recommender.next(begun, 10), whole)
        order = np.random.default_rng(size).permutation(50)
        same(recommender.next(begun.at(order), 10), NextSongs(whole.songs[order], whole.scores[order]))
    assert len({tuple(row) for row in whole.songs.tolist()}) > RING
    for k in (1, 5):
        same(recommender.next(begun, k), NextSongs(whole.songs[:, :k], whole.scores[:, :k]))


def told(found: Any) -> list[tuple[list[int], list[int]]]:
    return [(known.tolist(), later.tolist()) for known, later in found]


def test_the_last_tracklists_are_foretold_span_by_span_from_what_came_before() -> None:
    days = np.array([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, NO_DATE])
    options = NextOptions(spans=2, span_share=0.2, span_lists=0, scattered=0)
    assert told(spans(days, options, np.random.default_rng(0))) == [
        # By date the last are 1 and 0; what has no date is not known to be earlier.
        ([9, 8, 7, 6, 5, 4, 3, 2], [1, 0]),
        ([9, 8, 7, 6, 5, 4], [3, 2]),
    ]


def test_tracklists_of_the_first_day_of_a_span_are_not_known() -> None:
    days = np.array([1, 2, 3, 3, 3, 4])
    options = NextOptions(spans=1, span_share=1 / 3, span_lists=0, scattered=0)
    assert told(spans(days, options, np.random.default_rng(0))) == [([0, 1], [4, 5])]


def test_spans_hold_so_many_tracklists_as_long_as_half_of_all_are_left() -> None:
    def sizes(lists: int, **options: Any) -> list[tuple[int, int]]:
        found = spans(np.arange(lists), NextOptions(**options, scattered=0), np.random.default_rng(0))
        return [(len(known), len(later)) for known, later in found]

    assert sizes(100, spans=2, span_share=0.01, span_lists=10) == [(90, 10), (80, 10)]
    assert sizes(100, spans=2, span_share=0.2, span_lists=10) == [(80, 20), (60, 20)]
    assert sizes(20, spans=5, span_share=0.01, span_lists=10) == [(18, 2), (16, 2), (14, 2), (12, 2), (10, 2)]
    assert sizes(3, spans=5, span_share=0.01, span_lists=10) == [(2, 1), (1, 1)]
    assert sizes(1, spans=5) == sizes(0, spans=5) == []


def test_some_of_any_time_are_foretold_from_all_others() -> None:
    days = np.array([*range(20), *[NO_DATE] * 5])
    found = told(spans(days, NextOptions(spans=0, scattered=3), np.random.default_rng(0)))
    [(known, later)] = found
    assert len(later) == 3
    assert sorted(known + later) == list(range(25))
    # Of few tracklists a fifth.
    [(known, later)] = told(spans(days, NextOptions(spans=0, scattered=99), np.random.default_rng(0)))
    assert len(later) == 5
    other = told(spans(days, NextOptions(spans=0, scattered=3), np.random.default_rng(1)))
    assert other != found
    assert told(spans(np.arange(4), NextOptions(spans=0), np.random.default_rng(0))) == []


def drawn(
    lists: Sequence[str], of_list: int = 99, at_most: int = 99, counted: str = LETTERS, seed: int = 0
) -> Positions:
    sets = sets_of([Heard(0, 0, 1, songs) for songs in lists])
    is_counted = np.array([song in counted for song in LETTERS])
    return drawn_positions(sets, of_list, at_most, is_counted, np.random.default_rng(seed))


def as_set(positions: Positions) -> set[tuple[int, int, str]]:
    lists, where, songs = (part.tolist() for part in positions)
    found = [(number, place, LETTERS[song]) for number, place, song in zip(lists, where, songs, strict=True)]
    assert len(set(found)) == len(found)
    return set(found)


def test_every_counted_song_is_foretold_but_the_first_and_repeats() -> None:
    assert as_set(drawn(["abac", "a", "-a-", "", "hb"], counted="abch")) == {
        (0, 1, "b"), (0, 3, "c"), (2, 1, "a"), (4, 1, "b"),
    }  # fmt: skip
    assert as_set(drawn(["abac", "cb"], counted="b")) == {(0, 1, "b"), (1, 1, "b")}
    assert as_set(drawn(["a", ""])) == set()


def test_positions_are_drawn_by_a_seed_some_of_a_list_and_some_of_all() -> None:
    lists = [LETTERS] * 30
    everything = {(number, place, LETTERS[place]) for number in range(30) for place in range(1, 8)}
    few = as_set(drawn(lists, of_list=2, at_most=20))
    assert few < everything
    numbers = [number for number, _, _ in few]
    assert {numbers.count(number) for number in numbers} == {2}
    assert len(few) == 20
    assert {place for _, place, _ in few} == set(range(1, 8))
    assert as_set(drawn(lists, of_list=2, at_most=20)) == few
    assert as_set(drawn(lists, of_list=2, at_most=20, seed=1)) != few
    # Whole tracklists of four: five of them are the first that have 19.
    assert len(as_set(drawn(lists, of_list=4, at_most=19))) == 20


def ring(lists: int = 120, seed: int = 0) -> tuple[Sets, Integers, Counts]:
    """Tracklists of seven songs of the ring, from every one on by turns, ten a week; with all songs' artists."""
    random = np.random.default_rng(seed)
    songs = (5 * np.arange(lists)[:, None] + np.arange(7)) % RING
    nobody = np.full(lists, UNKNOWN)
    sets = Sets(
        starts=7 * np.arange(lists + 1),
        songs=songs.ravel(),
        artists=songs.ravel() // 3,
        djs=random.integers(3, size=lists),
        programmes=nobody,
        days=np.arange(lists) * 7 // 10,
    )
    return sets, np.arange(RING) // 3, Counts(songs=RING, artists=RING // 3, djs=3, programmes=1)


def test_it_learns_that_one_song_always_follows_another() -> None:
    sets, artists, counts = ring()
    past, later = sets.at(np.arange(100)), sets.at(np.arange(100, 120))
    options = replace(LITTLE, trees=60, learning_rate=0.2, shrinkage=1)
    grown = train_next_song(past, artists, counts, options)
    known = Played(past, artists, counts)
    lists = np.repeat(np.arange(20), 6)
    lengths = np.tile(np.arange(1, 7), 20)
    begun = later.upto(lists, lengths)
    right = later.songs[later.starts[lists] + lengths]
    answers = NextRecommender(grown, known).next(begun, 3)
    assert (answers.songs[:, 0] == right).mean() == 1
    popular = np.array(
        [
            next(s for s in known.popular if s not in later.songs[7 * row : 7 * row + n])
            for row, n in zip(lists, lengths, strict=True)
        ]
    )
    assert (popular == right).mean() < 0.4
    assert answers.scores[:, 0].min() > 0.5
    assert answers.scores[:, 1].max() < 0.3
    assert set(grown.metrics) == {"loss", "songs_foretold"}
    assert 0 < grown.metrics["loss"] < 0.2
    assert grown.options == options


def test_the_same_seed_grows_the_same_forest_and_another_seed_another() -> None:
    world = ring(60)
    first, again, other = (train_next_song(*world, replace(LITTLE, seed=seed)) for seed in (3, 3, 4))
    assert first.forest.onnx == again.forest.onnx
    assert first.metrics == again.metrics
    assert first.forest.onnx != other.forest.onnx


def gathered(monkeypatch: pytest.MonkeyPatch, train: Any) -> list[tuple[Floats, Any, Floats]]:
    """What forests would be grown from."""
    seen = []

    def noted(features: Floats, is_played: Any, weights: Floats, _: Any) -> tuple[Forest, float]:
        seen.append((features, is_played, weights))
        return Forest(b""), 0.0

    with monkeypatch.context() as patch:
        patch.setattr(next_training, "grown_forest", noted)
        train()
    return seen


def test_what_comes_later_is_not_seen_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last song of a tracklist that is foretold changes no feature, only which song is the one that was played."""
    sets, artists, counts = ring()
    options = replace(LITTLE, spans=1, span_lists=8, scattered=0, others=99, positions_of_list=99)
    changed = sets.songs.copy()
    last = sets.starts[1:][-8:] - 1
    changed[last] = (changed[last] + 2) % RING
    other = replace(sets, songs=changed, artists=changed // 3)
    one, two = (
        gathered(monkeypatch, partial(train_next_song, world, artists, counts, options))[0] for world in (sets, other)
    )
    np.testing.assert_array_equal(np.sort(one[0], axis=0), np.sort(two[0], axis=0))
    assert one[1].sum() == two[1].sum() == 8 * 6
    assert not np.array_equal(one[0][one[1]], two[0][two[1]])


def test_nothing_on_or_after_a_spans_first_day_is_known_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    sets, artists, counts = ring()
    known: list[Sets] = []

    class Noted(Played):
        def __init__(self, held: Sets, *rest: Any) -> None:
            known.append(held)
            super().__init__(held, *rest)

    monkeypatch.setattr(next_training, "Played", Noted)
    gathered(monkeypatch, lambda: train_next_song(sets, artists, counts, replace(LITTLE, scattered=0)))
    # Spans of eight tracklists, ten a week: the last begins on the day of the 112th.
    assert [held.days.max() for held in known] == [int(sets.days[first]) - 1 for first in (112, 104, 96, 88)]
    assert [len(held) for held in known] == [int((sets.days < sets.days[first]).sum()) for first in (112, 104, 96, 88)]


def test_others_that_are_drawn_count_for_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    sets, artists, counts = ring()
    options = replace(LITTLE, spans=1, scattered=0, others=2)
    [(features, is_played, weights)] = gathered(monkeypatch, lambda: train_next_song(sets, artists, counts, options))
    assert is_played.sum() * 3 == len(features)
    assert set(weights[is_played].tolist()) == {1}
    # A position has its own song and, of the other eleven, those that the beginning does not hold: of 1 to 6.
    lengths = features[:, FEATURES.index("length")]
    np.testing.assert_array_equal(weights[~is_played], (RING - 1 - lengths[~is_played]) / 2)


def test_a_channel_that_is_not_heard_changes_nothing() -> None:
    sets, artists, counts = ring()
    options = replace(LITTLE, without=("order", "neighbours"))
    deaf = train_next_song(sets, artists, counts, options)
    features = np.random.default_rng(0).random((50, len(FEATURES)), dtype=np.float32) * 99
    np.testing.assert_array_equal(
        deaf.forest.logits(features), deaf.forest.logits(without_channels(features, ("order", "neighbours")))
    )
    heard = train_next_song(sets, artists, counts, LITTLE)
    silenced = without_channels(features, ("order", "neighbours"))
    assert not np.array_equal(heard.forest.logits(features), heard.forest.logits(silenced))
    assert heard.metrics["loss"] < deaf.metrics["loss"]
    mute = train_next_song(sets, artists, counts, replace(LITTLE, without=tuple(CHANNELS)))
    assert len(set(mute.forest.logits(features).tolist())) == 1


@pytest.mark.parametrize(
    "world",
    [
        [],
        [Heard(0, 0, 1, "abc")],
        # Nothing that is known comes again.
        [Heard(0, 0, 1, "ab"), Heard(0, 0, 2, "cd")],
        # The first song of a tracklist follows nothing.
        [Heard(0, 0, day, "a") for day in range(40)],
        [Heard(0, 0, day, "--") for day in range(40)],
        [Heard(0, 0, None, "ab") for _ in range(4)],
    ],
)
def test_where_there_is_nothing_to_learn_it_says_so(world: list[Heard]) -> None:
    artists = np.array(list(ARTISTS.values()))
    with pytest.raises(NotReadyError, match="load more with `recsys ingest`"):
        train_next_song(sets_of(world), artists, COUNTS, LITTLE)


def test_without_dates_tracklists_of_any_time_are_learned_from() -> None:
    sets, artists, counts = ring()
    undated = replace(sets, days=np.full(len(sets), NO_DATE))
    grown = train_next_song(undated, artists, counts, replace(LITTLE, scattered=40))
    [song] = (
        NextRecommender(grown, Played(undated, artists, counts))
        .next(undated.upto(np.array([0]), np.array([3])), 1)
        .songs
    )
    assert song.tolist() == [sets.songs[3]]


def test_what_is_done_is_told() -> None:
    sets, artists, counts = ring()
    steps: list[tuple[str, int, int]] = []
    train_next_song(sets, artists, counts, LITTLE, progress=lambda *step: steps.append(step))
    assert steps == [*(("looking back", number, 5) for number in range(5)), ("weighing", 0, 0)]
