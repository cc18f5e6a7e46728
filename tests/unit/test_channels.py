"""What tells of songs, against the same in loops over tracklists that people could read."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from scipy import sparse

from recsys.tracklists import channels
from recsys.tracklists.channels import FEATURES, NEVER
from recsys.tracklists.graph_snapshot import NO_DATE, GraphSnapshot
from recsys.tracklists.past import AT_ONCE, Candidates, Newcomers, Past, past_before, past_of
from tests.graph_worlds import LETTERS, places, plays_of, snapshot_of

SONGS = len(LETTERS)


@dataclass(frozen=True)
class Heard:
    """A tracklist: its DJs' rows, its songs' letters, its day."""

    djs: Sequence[int]
    songs: str
    day: int | None


@dataclass(frozen=True)
class Player:
    """Plays by tracklists, (age in days, songs), or likes with scores; `dj` is -1 for a listener."""

    dj: int
    plays: dict[str, float]
    recent: dict[int, dict[str, float]]
    since: dict[str, float]
    lists: float
    last: int


CREDITS = {
    "a": {0: 1.0},
    "b": {0: 1.0},
    "c": {0: 0.6, 1: 0.4},
    "d": {1: 1.0},
    "e": {2: 1.0},
    "f": {2: 0.5, 3: 0.5},
    "g": {},
    "h": {3: 1.0},
}
"""g is by nobody, and h is played by nobody in `WORLD`."""

WORLD = [
    Heard([0], "abc", 1000),
    Heard([0], "abda", 1045),
    Heard([0, 1], "acg", 1090),
    Heard([1], "cde", 1030),
    Heard([1], "def", None),
    Heard([2], "efg", 1200),
    Heard([2], "bf", 1010),
    Heard([0], "", 1300),
    Heard([], "adf", 1150),
]
"""The list of day 1300 holds no song that is kept; that of day 1150 is by nobody whose name is known."""


def past_from(world: Sequence[Heard]) -> Past:
    djs = 1 + max(dj for heard in world for dj in heard.djs)
    lists = np.array([[heard.songs.count(letter) for letter in LETTERS] for heard in world], dtype=np.float32)
    dj_lists = [[float(dj in heard.djs) for heard in world] for dj in range(djs)]
    credited = [[CREDITS[letter].get(artist, 0.0) for artist in range(4)] for letter in LETTERS]
    days = np.array([NO_DATE if heard.day is None else heard.day for heard in world])
    made = [sparse.csr_matrix(np.array(matrix, dtype=np.float32)) for matrix in (lists, dj_lists, credited)]
    return Past(made[0], days, made[1], made[2])


class Oracle:
    """Every feature by its definition."""

    def __init__(self, world: Sequence[Heard], peers: int = channels.PEERS) -> None:
        heard = [one for one in world if one.songs]
        self.first = min(one.day for one in heard if one.day is not None)
        self.last = max(one.day for one in heard if one.day is not None)
        self.lists = [(one.djs, set(one.songs), self.first if one.day is None else one.day) for one in heard]
        self.djs = range(1 + max(dj for one in world for dj in one.djs))
        self.most_peers = peers
        self.popularity = {s: sum(s in songs for _, songs, _ in self.lists) for s in LETTERS}

    def player(self, dj: int) -> Player:
        own = [(day, songs) for djs, songs, day in self.lists if dj in djs]
        last = max(day for day, _ in own)
        plays = {s: float(sum(s in songs for _, songs in own)) for s in LETTERS}
        recent = {
            life: {s: sum(2.0 ** ((day - last) / life) for day, songs in own if s in songs) for s in LETTERS}
            for life in (30, 90, 365)
        }
        since = {s: 1.0 + min(last - day for day, songs in own if s in songs) for s in LETTERS if plays[s]}
        return Player(dj, plays, recent, since, len(own), last)

    def listener(self, likes: dict[str, float]) -> Player:
        plays = {s: likes.get(s, 0.0) for s in LETTERS}
        mean = sum(len(songs) for _, songs, _ in self.lists) / len(self.lists)
        lists = max(sum(likes.values()) / mean, 1)
        return Player(-1, plays, dict.fromkeys((30, 90, 365), plays), dict.fromkeys(likes, 1.0), lists, self.last)

    def features(self, player: Player) -> dict[str, dict[str, float]]:
        plays, recent = player.plays, player.recent
        told: dict[str, dict[str, float]] = {
            "own": {s: math.log1p(plays[s]) for s in LETTERS},
            **{f"own {life}": {s: math.log1p(4 * recent[life][s]) for s in LETTERS} for life in (30, 90, 365)},
            "since": {s: math.log(player.since[s]) if s in player.since else NEVER for s in LETTERS},
            "artist": self.of_artists(plays, 1),
            "artist 30": self.of_artists(recent[30], 4),
            "artist 365": self.of_artists(recent[365], 4),
            "artist share": self.artist_share(plays),
            "beside": self.beside({s: math.log1p(plays[s]) for s in LETTERS}),
            "beside 30": self.beside({s: math.log1p(4 * recent[30][s]) for s in LETTERS}),
            "beside 365": self.beside({s: math.log1p(recent[365][s]) for s in LETTERS}),
            "space": self.space({s: math.log1p(plays[s]) for s in LETTERS}),
            "space 90": self.space({s: math.log1p(4 * recent[90][s]) for s in LETTERS}),
            "peers": self.peers(player, lambda dj, s: math.log1p(self.player(dj).plays[s])),
            "peers 180": self.peers(player, lambda dj, s: math.log1p(4 * self.lately(dj, s, player.last))),
            "popularity": {s: math.log(max(self.popularity[s], 1)) for s in LETTERS},
            "current 30": {s: math.log1p(4 * self.current(s, player.last, 30)) for s in LETTERS},
            "current 180": {s: math.log1p(4 * self.current(s, player.last, 180)) for s in LETTERS},
            "age": {s: math.log1p(max(player.last - self.first_played(s), 0) / 30) for s in LETTERS},
            "lists": dict.fromkeys(LETTERS, math.log(player.lists)),
        }
        total = max(sum(plays.values()), 1)
        told["repeats"] = dict.fromkeys(LETTERS, 1 - sum(count > 0 for count in plays.values()) / total)
        told["songs a list"] = dict.fromkeys(LETTERS, math.log(total / player.lists))
        return told

    def promise(self, player: Player) -> dict[str, float]:
        told = self.features(player)
        return {s: sum(told[name][s] for name in ("artist share", "beside 365", "peers", "peers 180")) for s in LETTERS}

    def of_artists(self, plays: dict[str, float], scale: float) -> dict[str, float]:
        artists = [sum(plays[s] * CREDITS[s].get(artist, 0) for s in LETTERS) for artist in range(4)]
        return {s: math.log1p(scale * sum(artists[a] * share for a, share in CREDITS[s].items())) for s in LETTERS}

    def artist_share(self, plays: dict[str, float]) -> dict[str, float]:
        shares = []
        for artist in range(4):
            own = sum(plays[s] * CREDITS[s].get(artist, 0) for s in LETTERS)
            shares.append(own / max(sum(self.popularity[s] * CREDITS[s].get(artist, 0) for s in LETTERS), 1))
        return {s: math.sqrt(sum(shares[a] * share for a, share in CREDITS[s].items())) for s in LETTERS}

    def beside(self, weights: dict[str, float]) -> dict[str, float]:
        """Songs that share tracklists with others than themselves."""
        reached = dict.fromkeys(LETTERS, 0.0)
        for _, songs, _ in self.lists:
            for s in songs:
                for other in songs - {s}:
                    reached[s] += weights[other] / math.sqrt(self.popularity[s] * self.popularity[other])
        return level(reached)

    def space(self, weights: dict[str, float]) -> dict[str, float]:
        """Cosines in the space that the tracklists span, by its projection; no singular vectors are needed."""
        scale = {s: 1 / math.sqrt(max(self.popularity[s], 1) + 5) for s in LETTERS}
        rows = [[(s in songs) * scale[s] / math.sqrt(len(songs)) for s in LETTERS] for _, songs, _ in self.lists]
        scaled = np.array(rows)
        onto = np.linalg.pinv(scaled, rcond=1e-5) @ scaled
        wanted = onto @ np.array([weights[s] * scale[s] for s in LETTERS])
        cosines = {}
        for place, s in enumerate(LETTERS):
            norm = float(np.linalg.norm(onto[place]) * np.linalg.norm(wanted))
            cosines[s] = float(onto[place] @ wanted) / norm if norm > 1e-9 else 0.0
        return cosines

    def dj_unit(self, plays: dict[str, float]) -> dict[str, float]:
        players = {s: sum(self.player(dj).plays[s] > 0 for dj in self.djs) for s in LETTERS}
        weighted = {s: math.log1p(plays[s]) * math.log((1 + len(self.djs)) / max(players[s], 1)) for s in LETTERS}
        norm = math.sqrt(sum(weight**2 for weight in weighted.values())) or 1
        return {s: weight / norm for s, weight in weighted.items()}

    def peers(self, player: Player, tells: Callable[[int, str], float]) -> dict[str, float]:
        own = self.dj_unit(player.plays)
        near = {}
        for dj in self.djs:
            if dj != player.dj:
                other = self.dj_unit(self.player(dj).plays)
                near[dj] = sum(own[s] * other[s] for s in LETTERS)
        kept = sorted(near, key=lambda dj: -near[dj])[: self.most_peers]
        return level({s: sum(near[dj] * tells(dj, s) for dj in kept) for s in LETTERS})

    def lately(self, dj: int, s: str, day: int) -> float:
        """What counts is seen from the midst of the 60 days in which the player is asked for."""
        middle = day // 60 * 60 + 30
        own = [then for djs, songs, then in self.lists if dj in djs and s in songs and then <= middle]
        return math.fsum(2.0 ** ((then - middle) / 180) for then in own)

    def current(self, s: str, day: int, life: int) -> float:
        return math.fsum(2.0 ** ((then - day) / life) for _, songs, then in self.lists if s in songs and then <= day)

    def first_played(self, s: str) -> int:
        return min((day for _, songs, day in self.lists if s in songs), default=self.last)


def level(scores: dict[str, float]) -> dict[str, float]:
    norm = math.sqrt(sum(score**2 for score in scores.values()))
    return {s: math.sqrt(30 * score / norm) if norm else 0.0 for s, score in scores.items()}


def random_world(seed: int, djs: int = AT_ONCE + 5) -> list[Heard]:
    """More DJs than are looked at together, over a year and a half."""
    random = Random(seed)
    firsts = [Heard([dj], random.choice(LETTERS[:-1]), random.randrange(500)) for dj in range(djs)]
    return firsts + [
        Heard(
            random.sample(range(djs), random.randint(0, 2)),
            "".join(random.sample(LETTERS[:-1], random.randint(0, 5))),
            random.choice([None, *random.sample(range(500), 4)]),
        )
        for _ in range(3 * djs)
    ]


def check(found: Candidates, expected: dict[str, dict[str, float]]) -> None:
    assert set(expected) == set(FEATURES)
    for place, name in enumerate(FEATURES):
        wanted = [expected[name][LETTERS[song]] for song in found.songs.tolist()]
        np.testing.assert_allclose(found.features[:, place], wanted, rtol=1e-4, atol=2e-4, err_msg=name)


def letters(songs: npt.NDArray[np.int64]) -> str:
    return "".join(LETTERS[song] for song in songs.tolist())


def every_dj(past: Past) -> Iterator[Candidates]:
    return past.candidates(past.histories(np.arange(past.plays.shape[0])), SONGS)


def test_every_feature_is_what_its_definition_says() -> None:
    oracle = Oracle(WORLD)
    found = list(every_dj(past_from(WORLD)))
    assert len(found) == 3
    for dj, candidates in enumerate(found):
        check(candidates, oracle.features(oracle.player(dj)))


@pytest.mark.parametrize("seed", range(2))
def test_many_djs_are_told_of_in_their_order(seed: int) -> None:
    world = random_world(seed)
    oracle = Oracle(world)
    found = list(every_dj(past_from(world)))
    assert len(found) == AT_ONCE + 5
    for dj in range(0, len(found), 3):
        check(found[dj], oracle.features(oracle.player(dj)))


def test_only_the_nearest_djs_are_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "PEERS", 3)
    world = random_world(5, djs=8)
    few, all_of_them = Oracle(world, peers=3), Oracle(world)
    found = list(every_dj(past_from(world)))
    for dj in range(8):
        check(found[dj], few.features(few.player(dj)))
    told = [oracle.features(oracle.player(0))["peers"] for oracle in (few, all_of_them)]
    assert told[0] != told[1]


def test_a_history_counts_tracklists_and_how_long_ago_they_were() -> None:
    histories = past_from(WORLD).histories(np.array([1, 0]))
    assert histories.lists.tolist() == [3, 3]
    assert histories.last_days.tolist() == [1090, 1090]
    assert histories.djs.tolist() == [1, 0]
    assert histories.plays.toarray().tolist() == [[1, 0, 2, 2, 2, 1, 1, 0], [3, 2, 2, 1, 0, 0, 1, 0]]
    # DJ 0 on day 1090: a on this very day, 45 and 90 days before; b not since 45 days.
    recent = {days: histories.recent[days].toarray()[1] for days in (30, 90)}
    assert recent[90][:2] == pytest.approx([1 + 2**-0.5 + 0.5, 2**-0.5 + 0.5])
    assert recent[30][:2] == pytest.approx([1 + 2**-1.5 + 2**-3, 2**-1.5 + 2**-3])
    # What has no date counts as of the first day, 1000: f was last played 90 days ago, e 60.
    assert histories.days_since.toarray().tolist() == [[1, 0, 1, 61, 61, 91, 1, 0], [1, 46, 1, 46, 0, 0, 1, 0]]


def test_a_newcomer_is_told_of_as_the_dj_of_the_same_tracklists_is() -> None:
    lists = [("ab", 1000), ("bc", 1045), ("a", 1090), ("cd", 1200)]
    past = past_of(snapshot_of(*((0, songs, day) for songs, day in lists[:3]), (1, *lists[3])))
    newcomers = Newcomers(past.lists[:3], np.array([1000, 1045, 1090]), past.dj_lists[:1, :3])
    [own], [told] = (
        list(past.candidates(histories, SONGS))
        for histories in (past.histories(np.array([0])), past.newcomers(newcomers))
    )
    assert told.songs.tolist() == own.songs.tolist()
    likeness = [name not in channels.CHANNELS["similar DJs"] for name in FEATURES]
    np.testing.assert_array_equal(told.features[:, likeness], own.features[:, likeness])
    assert past.newcomers(newcomers).djs.tolist() == [-1]
    undated = Newcomers(newcomers.lists, np.array([NO_DATE] * 3), newcomers.owned)
    assert past.newcomers(undated).last_days.tolist() == [past.last_day]


def test_likes_count_as_plays_of_today() -> None:
    past, oracle = past_from(WORLD), Oracle(WORLD)
    likes = [{"a": 1.0, "e": 2.5}, {"g": 1.0}, {"h": 1.0}, dict.fromkeys(LETTERS, 2.0)]
    scores = np.array([[one.get(s, 0.0) for s in LETTERS] for one in likes])
    listeners = past.listeners(sparse.csr_matrix(scores))
    assert listeners.last_days.tolist() == [1200] * 4
    # 8 tracklists hold 23 songs, one that is twice in a list counted once: 3.5 plays are 1.2 tracklists, 16 are 5.6.
    assert listeners.lists == pytest.approx([3.5 * 8 / 23, 1, 1, 16 * 8 / 23])
    found = list(past.candidates(listeners, SONGS))
    assert [letters(one.songs[one.is_known]) for one in found] == ["ae", "g", "h", LETTERS]
    for one, candidates in zip(likes, found, strict=True):
        check(candidates, oracle.features(oracle.listener(one)))


def test_a_listener_is_nobodys_peer_while_a_dj_is_not_his_own() -> None:
    """Who likes what DJ 0 plays is told of DJ 0's songs; DJ 0 himself only of other DJs'."""
    past = past_of(snapshot_of((0, "abc", 10), (0, "abc", 20), (1, "def", 20)))
    [dj] = past.candidates(past.histories(np.array([0])), SONGS)
    [listener] = past.candidates(past.listeners(plays_of("ab")), SONGS)
    place = FEATURES.index("peers")
    assert not dj.features[:, place].any()
    assert letters(listener.songs[listener.features[:, place] > 0]) == "abc"


def test_what_he_played_comes_first_and_of_the_others_those_that_most_tells_for() -> None:
    world = random_world(9, djs=6)
    past, oracle = past_from(world), Oracle(world)
    for dj, candidates in enumerate(past.candidates(past.histories(np.arange(6)), 2)):
        player = oracle.player(dj)
        known = [s for s in LETTERS if player.plays[s]]
        promise = oracle.promise(player)
        free = [s for s in LETTERS if not player.plays[s] and oracle.popularity[s]]
        best = sorted(free, key=lambda s: -promise[s])[:2]
        assert letters(candidates.songs) == "".join(known + sorted(best))
        assert candidates.is_known.tolist() == [True] * len(known) + [False] * len(best)


@pytest.mark.parametrize(("n", "new"), [(0, ""), (SONGS, "efgh"), (4, "efgh")])
def test_n_others_are_weighed_all_where_there_are_fewer(n: int, new: str) -> None:
    past = past_of(snapshot_of((0, "abcd", 1), (1, "aefgh", 1)))
    [found] = past.candidates(past.histories(np.array([0])), n)
    assert letters(found.songs) == f"abcd{new}"


def test_a_song_that_nobody_played_is_no_candidate_unless_it_is_liked() -> None:
    past = past_of(snapshot_of((0, "ab", 1), (1, "bc", 1)))
    [found] = past.candidates(past.histories(np.array([0])), SONGS)
    assert letters(found.songs) == "abc"
    [liked] = past.candidates(past.listeners(plays_of("h")), SONGS)
    assert letters(liked.songs) == "habc"


def test_others_are_drawn_beside_the_best_ones_and_the_same_with_the_same_seed() -> None:
    past = past_of(snapshot_of((0, "a", 1), (1, "abcdefgh", 1), (2, "ab", 1)))
    players = past.histories(np.array([0]))
    [best] = past.candidates(players, 2)
    drawn = set()
    for seed in range(20):
        [found] = past.candidates(players, 2, 3, np.random.default_rng(seed))
        [again] = past.candidates(players, 2, 3, np.random.default_rng(seed))
        assert found.songs.tolist() == again.songs.tolist()
        assert set(best.songs.tolist()) <= set(found.songs.tolist())
        assert len(set(found.songs.tolist())) == len(found.songs)
        assert 1 + 3 <= len(found.songs) <= 1 + 2 + 3
        drawn |= set(letters(found.songs))
    assert drawn == set(LETTERS)


def test_nothing_of_hidden_tracklists_is_seen() -> None:
    """What a hidden tracklist holds changes nothing, and it is as if it was not there."""
    seen = [(0, "abc", 100), (1, "bcd", 130), (0, "ae", None), (1, "fa", 160)]
    hidden = [(0, "efgh", 180), (1, "gh", 50), (0, "gg", None)]
    whole = snapshot_of(*seen, *hidden)
    mask = np.array([True] * len(seen) + [False] * len(hidden))
    others = snapshot_of(*seen, (1, "a", 999), (0, "b", 1), (0, "h", 7))
    without = replace(snapshot_of(*seen), days=np.array([100, 130, NO_DATE, 160]))
    expected = list(every_dj(past_of(without)))
    for snapshot in (whole, others):
        past = past_before(snapshot, mask)
        assert (past.first_day, past.last_day) == (100, 160)
        for found, wanted in zip(every_dj(past), expected, strict=True):
            assert letters(found.songs) == letters(wanted.songs)
            assert found.is_known.tolist() == wanted.is_known.tolist()
            np.testing.assert_allclose(found.features, wanted.features, rtol=1e-4, atol=1e-4)
            assert not set(letters(found.songs)) & set("gh")


def test_where_nothing_is_seen_nobody_is_told_of_anything() -> None:
    past = past_before(snapshot_of((0, "ab", 1), (1, "b", 2)), np.array([False, False]))
    assert not past.is_known.any()
    assert not past.popularity.any()
    assert np.isfinite(past.vectors).all()
    [found] = past.candidates(past.listeners(plays_of("a")), SONGS)
    assert letters(found.songs) == "a"
    assert np.isfinite(found.features).all()


def test_songs_that_stand_in_no_tracklist_have_no_place_in_the_space() -> None:
    """Four tracklists that say two things, and six songs that none of them holds."""
    past = past_of(snapshot_of((0, "a", 1), (0, "a", 2), (1, "b", 1), (1, "b", 2)))
    assert not past.vectors[places("cdefgh")].any()
    assert np.linalg.norm(past.vectors[places("ab")], axis=1) == pytest.approx([1, 1])
    assert past.vectors[0] @ past.vectors[1] == pytest.approx(0, abs=1e-6)


def test_artists_stand_with_their_songs() -> None:
    """a and b are one artist's, each of one scene: he stands between them, nearer to b, which is played more."""
    world = [Heard([0], "ad", 1), Heard([0], "ad", 2), Heard([1], "be", 1), *[Heard([1], "be", day) for day in (2, 3)]]
    vectors = past_from(world).artist_vectors()
    past = past_from(world)
    weights = {"a": math.log1p(2), "b": math.log1p(3)}
    expected = sum(weights[s] * past.unit_vectors[LETTERS.index(s)] for s in "ab")
    np.testing.assert_allclose(vectors[0], expected / np.linalg.norm(expected), atol=1e-5)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1, 0], abs=1e-5)


def test_the_snapshot_is_left_as_it_was() -> None:
    snapshot: GraphSnapshot = snapshot_of((0, "aab", 1), (1, "bc", 2))
    before = snapshot.lists.toarray().copy()
    list(every_dj(past_before(snapshot, np.array([True, True]))))
    assert snapshot.lists.toarray().tolist() == before.tolist()
