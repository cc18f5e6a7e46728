"""What tells of the next song, against the same in loops over tracklists that people could read."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.sequences import next_channels, played
from recsys.sequences.next_channels import (
    CHANNELS,
    CONTEXT,
    DRAWN,
    FEATURES,
    LEVELLED,
    Candidates,
    Told,
    without_channels,
)
from recsys.sequences.played import Played, counts_of
from recsys.tracklists.running_order import UNKNOWN
from tests.graph_worlds import LETTERS
from tests.next_worlds import ARTISTS, COUNTS, WORLD, Heard, played_of, sets_of
from tests.order_worlds import order_of

Scores = dict[str, float]
"""By song; one that has none is not there."""

BEGUN = (
    Heard(0, 0, 1040, "ab"),
    Heard(1, 2, 1160, "d-c2"),
    Heard(2, 1, None, "fgg"),
    Heard(3, 3, 1101, "a3"),
    Heard(UNKNOWN, UNKNOWN, 900, "h"),
    Heard(0, 1, 1500, "-"),
    Heard(1, 0, 1045, ""),
    Heard(UNKNOWN, UNKNOWN, None, "1e"),
    Heard(2, UNKNOWN, 1103, "abcdefga"),
    Heard(UNKNOWN, 2, 1007, "0c0"),
)
"""DJ 3 and programme 3 have no tracklist; h is played by nobody; one begins with nothing at all."""


@dataclass(frozen=True)
class Limits:
    """How many tracklists or programmes speak."""

    neighbours: int = 300
    near: int = 200
    own: int = 100
    artists: int = 100
    recent: int = 60
    peers: int = 30


class Oracle:
    """Every channel by its definition."""

    def __init__(self, world: Sequence[Heard], limits: Limits = Limits()) -> None:
        days = [one.day for one in world if one.day is not None]
        self.first, self.last = min(days, default=0), max(days, default=0)
        self.lists = [replace(one, day=self.first) if one.day is None else one for one in world]
        self.limits = limits
        self.popularity = {s: sum(s in one.songs for one in world) for s in LETTERS}
        self.artist_popularity = {a: sum(a in one.artists for one in world) for a in range(COUNTS.artists)}

    def now(self, begun: Heard) -> int:
        return self.last if begun.day is None else min(max(begun.day, self.first), self.last)

    def rarity(self, popularity: int) -> float:
        return math.log(len(self.lists) / max(popularity, 1))

    def features(self, begun: Heard) -> dict[str, Scores]:
        told = self.told(begun)
        week, now = self.now(begun) // 7 * 7, self.now(begun)
        for name in LEVELLED:
            best = max(told[name].values(), default=0)
            told[f"{name}, level"] = {s: score / max(best, 1e-9) for s, score in told[name].items()}
        artists = begun.artists
        day = self.last if begun.day is None else begun.day
        told["is last artist"] = {s: float(bool(artists) and a == artists[-1] != UNKNOWN) for s, a in ARTISTS.items()}
        told["is an artist"] = {s: float(a in artists and a != UNKNOWN) for s, a in ARTISTS.items()}
        told["artist plays"] = {s: self.artist_popularity.get(a, 0) for s, a in ARTISTS.items()}
        for life in (7, 30, 180):
            told[f"current {life}"] = self.sung(lambda one, life=life: 2 ** (-abs(week - one.day) / life))  # type: ignore[misc]
        told["popularity"] = {s: float(n) for s, n in self.popularity.items()}
        told["age"] = {s: math.log1p(abs(now - min(own))) for s in LETTERS if (own := self.days_of(s))}
        told["rest"] = {s: math.log1p(abs(now - max(own))) for s in LETTERS if (own := self.days_of(s))}
        told["length"] = dict.fromkeys(LETTERS, float(len(begun.songs)))
        told["gap"] = dict.fromkeys(LETTERS, math.log1p(abs(day - now)))
        told["programme lists"] = dict.fromkeys(LETTERS, float(len(self.of_programme(begun.programme))))
        told["dj lists"] = dict.fromkeys(LETTERS, float(len(self.of_dj(begun.dj))))
        return told

    def told(self, begun: Heard) -> dict[str, Scores]:
        """What channels say of all songs, those of the beginning too."""
        limits = self.limits
        by_songs = [self.nearness_by_songs(begun, one) for one in self.lists]
        by_artists = [self.nearness_by_artists(begun, one) for one in self.lists]

        def faded(nearness: Sequence[float], life: int, *, own: bool) -> list[float]:
            now = self.now(begun)
            return [
                value * (0.1 + 2 ** (-abs(self.day(one) - now) / life)) * (self.bonus(begun, one) if own else 1)
                for value, one in zip(nearness, self.lists, strict=True)
            ]

        return {
            "neighbours": self.spoken(by_songs, limits.neighbours),
            "near neighbours": self.spoken(faded(by_songs, 180, own=False), limits.neighbours),
            "own neighbours": self.spoken(faded(by_songs, 365, own=True), limits.own),
            "artist neighbours": self.spoken(by_artists, limits.neighbours),
            "near artist neighbours": self.spoken(faded(by_artists, 90, own=True), limits.near),
            "next artists": self.next_artists(begun),
            "artist": self.songs_of(begun.artists),
            "last artist": self.songs_of(begun.artists[-1:]),
            "next songs": self.next_songs(begun),
            "after last": {t: w for t in LETTERS if (w := self.following(begun.songs[-1:], t, 5))},
            **{
                f"programme {life}": self.recent(self.of_programme(begun.programme), begun, life)
                for life in (7, 30, 365)
            },
            **{f"dj {life}": self.recent(self.of_dj(begun.dj), begun, life) for life in (30, 365)},
            "programme": self.sung(lambda one: begun.programme == one.programme != UNKNOWN),
            "dj": self.sung(lambda one: begun.dj == one.dj != UNKNOWN),
            "peers": self.peers(begun),
        }

    def day(self, one: Heard) -> int:
        assert one.day is not None
        return one.day

    def days_of(self, s: str) -> list[int]:
        return [self.day(one) for one in self.lists if s in one.songs]

    def of_programme(self, programme: int) -> list[Heard]:
        return [one for one in self.lists if one.programme == programme != UNKNOWN]

    def of_dj(self, dj: int) -> list[Heard]:
        return [one for one in self.lists if one.dj == dj != UNKNOWN]

    def sung(self, weight: Callable[[Heard], float], lists: Sequence[Heard] | None = None) -> Scores:
        """Songs by the weights of the tracklists that hold them."""
        lists = self.lists if lists is None else lists
        return {s: math.fsum(weight(one) for one in lists if s in one.songs) for s in LETTERS}

    def nearness_by_songs(self, begun: Heard, one: Heard) -> float:
        known = set(one.songs) & set(LETTERS)
        shared = math.fsum(
            0.9**back * self.rarity(self.popularity[s]) for back, s in enumerate(reversed(begun.songs)) if s in known
        )
        return shared / math.sqrt(max(len(known), 1))

    def nearness_by_artists(self, begun: Heard, one: Heard) -> float:
        known = set(one.artists) - {UNKNOWN}
        shared = math.fsum(
            0.9**back * self.rarity(self.artist_popularity[a])
            for back, a in enumerate(reversed(begun.artists))
            if a in known
        )
        return shared / math.sqrt(max(len(known), 1))

    def bonus(self, begun: Heard, one: Heard) -> float:
        same_programme = begun.programme == one.programme != UNKNOWN
        same_dj = begun.dj == one.dj != UNKNOWN
        return 1 + 2 * same_programme + 2 * same_dj

    def spoken(self, nearness: Sequence[float], most: int) -> Scores:
        """Songs by the nearest tracklists that hold them."""
        least = clear_cut(nearness, most)
        kept = [(one, value) for one, value in zip(self.lists, nearness, strict=True) if value >= least]
        return {s: math.fsum(value for one, value in kept if s in one.songs) for s in LETTERS}

    def following(self, before: str, after: str, reach: int) -> float:
        """1 / places apart, over all times that one song follows another."""
        return math.fsum(
            1 / apart
            for one in self.lists
            for apart in range(1, reach + 1)
            for first, then in zip(one.songs, one.songs[apart:], strict=False)
            if before in LETTERS and (first, then) == (before, after)
        )

    def following_artists(self, before: int, after: int) -> float:
        return math.fsum(
            1 / apart
            for one in self.lists
            for apart in (1, 2, 3)
            for first, then in zip(one.artists, one.artists[apart:], strict=False)
            if (first, then) == (before, after)
        )

    def next_songs(self, begun: Heard) -> Scores:
        said = dict.fromkeys(LETTERS, 0.0)
        for back, s in enumerate(reversed(begun.songs[-5:])):
            for t in LETTERS if s in LETTERS else ():
                said[t] += self.following(s, t, 5) / (1 + back) / math.sqrt(max(self.popularity[s], 1))
        return said

    def next_artists(self, begun: Heard) -> Scores:
        said = dict.fromkeys(range(COUNTS.artists), 0.0)
        for back, a in enumerate(reversed(begun.artists[-3:])):
            for b in said if a != UNKNOWN else ():
                said[b] += self.following_artists(a, b) / (1 + back) / math.sqrt(max(self.artist_popularity[a], 1))
        least = clear_cut(list(said.values()), self.limits.artists)
        return {s: said[a] * self.popularity[s] for s, a in ARTISTS.items() if a != UNKNOWN and said[a] >= least}

    def songs_of(self, artists: Sequence[int]) -> Scores:
        return {s: float(artists.count(a) * self.popularity[s]) for s, a in ARTISTS.items() if a != UNKNOWN}

    def recent(self, own: Sequence[Heard], begun: Heard, life: int) -> Scores:
        day = self.last if begun.day is None else begun.day
        ages = [abs(self.day(one) - day) for one in own]
        least = -clear_cut([-age for age in ages], self.limits.recent)
        kept = [one for one, age in zip(own, ages, strict=True) if age <= least]
        return self.sung(lambda one: 2 ** (-(abs(self.day(one) - day) - min(ages)) / life), kept)

    def peers(self, begun: Heard) -> Scores:
        if begun.programme == UNKNOWN:
            return {}
        own = self.unit(begun.programme)
        near = {
            programme: math.fsum(own[s] * other[s] for s in LETTERS)
            for programme in range(COUNTS.programmes)
            if programme != begun.programme
            for other in (self.unit(programme),)
        }
        week = self.now(begun) // 7 * 7
        least = clear_cut(list(near.values()), self.limits.peers)
        said = dict.fromkeys(LETTERS, 0.0)
        for programme, nearness in near.items():
            lately = [one for one in self.of_programme(programme) if abs(week - self.day(one)) < 150]
            plays = self.sung(lambda one: 2 ** (-abs(week - self.day(one)) / 30), lately)
            for s in LETTERS if nearness >= least else ():
                said[s] += nearness * math.log1p(4 * plays[s])
        return said

    def unit(self, programme: int) -> Scores:
        plays = self.sung(lambda _: 1, self.of_programme(programme))
        weights = {s: math.log1p(plays[s]) * self.rarity(self.popularity[s]) for s in LETTERS}
        norm = math.sqrt(math.fsum(weight**2 for weight in weights.values())) or 1
        return {s: weight / norm for s, weight in weights.items()}


def clear_cut(values: Sequence[float], most: int) -> float:
    """The least of the largest values; it must not be the same as that of one which is left out."""
    ordered = sorted(values, reverse=True)
    if len(ordered) <= most:
        return -math.inf
    assert ordered[most - 1] - ordered[most] > 1e-4 or ordered[most - 1] == 0, "the test's world leaves it open"
    return ordered[most - 1]


def asked(told: Told, row: int) -> dict[str, dict[str, float]]:
    """Features by song and name."""
    found = told.candidates(row)
    assert found.features.shape == (len(found.songs), len(FEATURES))
    assert found.features.dtype == np.float32
    return {
        LETTERS[song]: dict(zip(FEATURES, values, strict=True))
        for song, values in zip(found.songs.tolist(), found.features.tolist(), strict=True)
    }


def check(oracle: Oracle, told: Told, begun: Sequence[Heard]) -> None:
    """Every song that was played and is not in the beginning is weighed by all its features."""
    for row, one in enumerate(begun):
        expected, found = oracle.features(one), asked(told, row)
        assert set(expected) == set(FEATURES)
        assert set(found) == {s for s in LETTERS if oracle.popularity[s] and s not in one.songs}
        for s, features in found.items():
            assert features == pytest.approx(
                {name: expected[name].get(s, 0) for name in FEATURES}, rel=1e-4, abs=2e-5
            ), (one, s)


def test_every_feature_is_what_it_says() -> None:
    check(Oracle(WORLD), Told(played_of(WORLD), sets_of(BEGUN)), BEGUN)


LIMITS = {"NEIGHBOURS": 3, "NEAR_NEIGHBOURS": 2, "OWN_NEIGHBOURS": 1, "NEXT_ARTISTS": 2, "RECENT_LISTS": 2}


@pytest.mark.parametrize("name", LIMITS)
def test_only_the_nearest_speak(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    part = dict(zip(LIMITS, ("neighbours", "near", "own", "artists", "recent"), strict=True))[name]
    monkeypatch.setattr(next_channels, name, LIMITS[name])
    begun = [Heard(0, 2, 1160, "f03"), Heard(1, 0, 1101, "3a1"), Heard(2, 1, None, "3fa"), Heard(0, 1, 1160, "e3b")]
    oracle = Oracle(WORLD, Limits(**{part: LIMITS[name]}))
    assert any(oracle.told(one) != Oracle(WORLD).told(one) for one in begun)
    check(oracle, Told(played_of(WORLD), sets_of(begun)), begun)


def test_only_the_nearest_programmes_are_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(played, "PEERS", 1)
    oracle = Oracle(WORLD, Limits(peers=1))
    assert any(oracle.peers(one) != Oracle(WORLD).peers(one) for one in BEGUN)
    check(oracle, Told(played_of(WORLD), sets_of(BEGUN)), BEGUN)


def tracklists(days: st.SearchStrategy[int | None], songs: str, most: int) -> st.SearchStrategy[Heard]:
    rows = st.integers(UNKNOWN, 3)
    return st.builds(Heard, rows, rows, days, st.text(songs, max_size=most))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(tracklists(st.none() | st.integers(900, 1300), f"{LETTERS}-013", 7), min_size=1, max_size=8),
    st.lists(tracklists(st.none() | st.integers(800, 1500), f"{LETTERS}-013", CONTEXT), min_size=1, max_size=4),
)
def test_so_it_is_in_every_world(world: list[Heard], begun: list[Heard]) -> None:
    check(Oracle(world), Told(played_of(world), sets_of(begun)), begun)


def test_a_past_of_one_tracklist_tells_what_it_holds() -> None:
    world = [Heard(0, 0, None, "abc")]
    begun = [Heard(0, 0, 5, "a"), Heard(UNKNOWN, UNKNOWN, None, "")]
    told = Told(played_of(world), sets_of(begun))
    check(Oracle(world), told, begun)
    # Everything is in every tracklist: songs are not rare, and neighbours are not near.
    found = asked(told, 0)
    assert set(found) == {"b", "c"}
    assert found["b"]["neighbours"] == 0
    assert found["b"]["after last"] == 1
    assert found["c"]["after last"] == 1 / 2


def test_what_was_played_by_artists_of_whom_nobody_knows_one() -> None:
    sets = sets_of([Heard(0, 0, 1, "gg"), Heard(0, 0, 2, "g-")])
    order = replace(order_of(()), artists=np.zeros(0, dtype=np.int64))
    nobody = Played(sets, np.full(len(LETTERS), UNKNOWN), counts_of(order, 1))
    found = asked(Told(nobody, sets_of([Heard(0, 0, 3, "--"), Heard(0, 0, 3, "")])), 0)
    assert set(found) == {"g"}
    assert found["g"]["popularity"] == 2
    assert {found["g"][name] for name in CHANNELS["artists"]} == {0}


def test_nothing_is_told_of_other_beginnings() -> None:
    """A row says the same, whatever stands beside it."""
    known = played_of(WORLD)
    together = Told(known, sets_of(BEGUN))
    for row, one in enumerate(BEGUN):
        alone = Told(known, sets_of([one]))
        for mine, theirs in zip(alone.candidates(0), together.candidates(row), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    again = together.candidates(0)
    np.testing.assert_array_equal(again.features, together.candidates(0).features)


def drawn(oracle: Oracle, begun: Heard, most: Mapping[str, int], current: int, *, all_of_equal: bool) -> set[str]:
    """The first songs of each channel, and those that are current; of equal ones at the end all, or none."""
    found: set[str] = set()
    said = {name: scores for name, scores in oracle.told(begun).items() if most.get(name)}
    week = oracle.now(begun) // 7 * 7
    for life in (7, 30):
        said[f"current {life}"] = oracle.sung(lambda one, life=life: 2 ** (-abs(week - oracle.day(one)) / life))  # type: ignore[misc]
    for name, scores in said.items():
        ordered = sorted((score for score in scores.values() if score > 0), reverse=True)
        n = most.get(name, current)
        least = 0 if len(ordered) <= n else ordered[n - 1]
        is_cut = len(ordered) > n and math.isclose(ordered[n], least, rel_tol=1e-5)
        found |= {
            s
            for s, score in scores.items()
            if score > 0
            and (score > least * (1 + 1e-5) or ((all_of_equal or not is_cut) and score > least * (1 - 1e-5)))
        }
    return {s for s in found if oracle.popularity[s] and s not in begun.songs}


@pytest.mark.parametrize("channel", list(DRAWN))
def test_the_first_songs_of_each_channel_are_weighed(channel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    most = dict.fromkeys(DRAWN, 0) | {channel: 2}
    monkeypatch.setattr(next_channels, "DRAWN", most)
    monkeypatch.setattr(played, "CURRENT_SONGS", {7: 1, 30: 1})
    begun = [*BEGUN, Heard(0, 0, 1040, "d"), Heard(2, 1, 1101, "g"), Heard(1, 2, 1190, "3")]
    oracle, told = Oracle(WORLD), Told(played_of(WORLD), sets_of(begun))
    alone = 0
    for row, one in enumerate(begun):
        found = {LETTERS[song] for song in told.candidates(row).songs}
        assert found >= drawn(oracle, one, most, 1, all_of_equal=False)
        assert found <= drawn(oracle, one, most, 1, all_of_equal=True)
        alone += bool(found - drawn(oracle, one, {}, 1, all_of_equal=True))
    assert alone


def test_songs_are_ascending_and_each_is_there_once() -> None:
    told = Told(played_of(WORLD), sets_of(BEGUN))
    for row in range(len(BEGUN)):
        songs = told.candidates(row).songs
        assert songs.dtype == np.int64
        assert (np.diff(songs) > 0).all()


@settings(max_examples=30, deadline=None)
@given(tracklists(st.none() | st.integers(900, 1300), f"{LETTERS}-3", CONTEXT), st.integers(0, 6))
def test_nothing_of_hidden_tracklists_is_seen(hidden: Heard, place: int) -> None:
    """What is not in the past changes nothing, though it lies in the same arrays."""
    world = [*WORLD[:place], hidden, *WORLD[place:]]
    kept = np.array([row for row in range(len(world)) if row != place])
    seen = Played(sets_of(world).at(kept), np.array([ARTISTS[song] for song in LETTERS]), COUNTS)
    begun = [replace(hidden, songs=hidden.songs[: len(hidden.songs) // 2])]
    one, other = (Told(known, sets_of(begun)).candidates(0) for known in (seen, played_of(WORLD)))
    np.testing.assert_array_equal(one.songs, other.songs)
    np.testing.assert_array_equal(one.features, other.features)


def test_channels_hold_every_feature_once_and_are_silenced_with_their_levels() -> None:
    named = [name for names in CHANNELS.values() for name in names]
    assert len(named) == len(set(named))
    assert set(DRAWN) | set(LEVELLED) <= set(named)
    assert list(FEATURES) == [*named, *(f"{name}, level" for name in LEVELLED)]
    features = np.arange(1, 2 * len(FEATURES) + 1, dtype=np.float32).reshape(2, -1)
    kept = without_channels(features, ("order", "peers"))
    silent = {"next songs", "next songs, level", "after last", "peers", "peers, level"}
    for column, name in enumerate(FEATURES):
        assert kept[:, column].tolist() == ([0, 0] if name in silent else features[:, column].tolist())
    np.testing.assert_array_equal(without_channels(features, ()), features)
    assert features.all()


def test_candidates_of_no_song_have_no_features() -> None:
    found = Told(played_of(WORLD), sets_of([Heard(0, 0, 1, LETTERS)])).candidates(0)
    assert isinstance(found, Candidates)
    assert found.features.shape == (0, len(FEATURES))
