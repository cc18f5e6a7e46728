"""The whole vote, by vectors, names, spelling and fitted parameters, against the same in loops.

Profiles are written at random, not built: what a profile holds is the concern of test_profiles.py.
"""

import json
import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from recsys.config import Settings
from recsys.database import connect
from recsys.names import name_key, normal_title

DEFAULTS, FITTED, ENCODER = 1, 2, 3
"""Two recommenders over one encoder: with our parameters, and with others in its config."""

SONGS = range(1, 41)
WORDS = ["late", "night", "nights", "drive", "storm", "front", "ann", "gaga", "lady", "mix", "2016", "the", "gym"]
SYMBOLS = ["🔥", "🔥🔥", "❤️", "👩‍👩‍👧", "!!!", "夏", "&", "+"]
ARTISTS = {
    1: "Storm",
    2: "Storm Front",
    3: "The Night",
    4: "Ann",
    5: "Lady Gaga",
    6: "Gaga",
    7: "Late Night Drive Mix 2016 Gym",
    8: "Late Night Drive Mix 2016 Gym Ann",
    9: "2016",
    10: "Night & Day",
}
MEANT = {1: 0.6, 2: 0.5, 3: 0.25, 4: 0.9, 5: 0.95, 6: 0.004, 7: 0.4, 8: 0.4, 9: 0.0, 10: 0.8}


@dataclass(frozen=True)
class Parameters:
    titles: int = 20
    temperature: float = 0.2
    smoothing: float = 0.0
    heard: float = 1000
    artist: float = 3.0
    spelling: float = 1.0


PARAMETERS = {
    DEFAULTS: Parameters(),
    FITTED: Parameters(titles=5, temperature=0.5, smoothing=0.3, heard=7, artist=1.0, spelling=0.9),
}


@dataclass(frozen=True)
class Profile:
    playlists: int
    tracks: list[int]
    weights: list[float]


@dataclass(frozen=True)
class World:
    connection: psycopg.Connection
    titles: dict[int, str] = field(repr=False)
    vectors: dict[int, list[float]] = field(repr=False)
    profiles: dict[int, Profile] = field(repr=False)
    """Of the titles that have one."""
    artists: dict[int, Profile] = field(repr=False)


def made_up_profile(chance: random.Random, mass: float) -> Profile:
    tracks = chance.sample(SONGS, chance.randint(1, 12))
    weights = sorted((float(np.float32(mass * chance.random() + 0.01)) for _ in tracks), reverse=True)
    return Profile(chance.randint(1, 9), tracks, weights)


def literal(vector: Sequence[float]) -> str:
    return "[" + ",".join(map(repr, vector)) + "]"


@pytest.fixture(scope="module")
def world(shared_database: str) -> Iterator[World]:
    chance = random.Random(5)
    names = {normal_title(" ".join(chance.choices(WORDS, k=chance.randint(1, 4)))) for _ in range(60)}
    names |= {normal_title(" ".join(chance.choices(WORDS[:4] + SYMBOLS, k=2))) for _ in range(15)} | {
        *SYMBOLS,
        "night shift",
    }
    titles = dict(enumerate(sorted(names), start=1))
    halves = [[chance.choice([-0.5, 0.5]) for _ in range(4)] for _ in range(4)]
    vectors = {title: chance.choice(halves) for title in titles}
    profiles = {title: made_up_profile(chance, 5) for title in titles if title % 7}
    artists = {artist: made_up_profile(chance, 0.1) for artist in ARTISTS}
    with connect(Settings(DATABASE_URL=shared_database), autocommit=True) as connection:
        rows = connection.cursor()
        rows.executemany(
            "INSERT INTO song (id, title, artist, key) VALUES (%s, 'x', 'x', %s)", [(s, str(s)) for s in SONGS]
        )
        rows.executemany("INSERT INTO track (id, song_id, title) VALUES (%s, %s, 'x')", [(s, s) for s in SONGS])
        rows.executemany("INSERT INTO title VALUES (%s, %s)", list(titles.items()))
        rows.executemany(
            "INSERT INTO artist (id, name, key) VALUES (%s, %s, %s)",
            [(artist, name, name_key(name)) for artist, name in ARTISTS.items()],
        )
        fitted = vars(PARAMETERS[FITTED])
        for model, kind, config in (
            (ENCODER, "title-encoder", {}),
            (DEFAULTS, "title-recommender", {"encoder": ENCODER, "split": None}),
            (FITTED, "title-recommender", {"encoder": ENCODER, "split": None, "parameters": fitted}),
        ):
            connection.execute(
                "INSERT INTO model (id, kind, name, dimension, fingerprint, folder, is_current, config)"
                " VALUES (%s, %s, 'made up', 4, %s, '/nowhere', %s, %s)",
                (model, kind, str(model), model != FITTED, json.dumps(config)),
            )
        rows.executemany(
            "INSERT INTO title_embedding VALUES (%s, %s, %s::vector)",
            [(ENCODER, title, literal(vector)) for title, vector in vectors.items()],
        )
        for model in (DEFAULTS, FITTED):
            rows.executemany(
                "INSERT INTO title_profile VALUES (%s, %s, %s, %s, %s)",
                [(model, title, p.playlists, p.tracks, p.weights) for title, p in profiles.items()],
            )
            rows.executemany(
                "INSERT INTO artist_profile VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [
                    (model, artist, name_key(ARTISTS[artist]), p.playlists, MEANT[artist], p.tracks, p.weights)
                    for artist, p in artists.items()
                ],
            )
        yield World(connection, titles, vectors, profiles, artists)


# --- the same in loops -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Voter:
    similarity: float
    weight: float
    profile: Profile
    """What of it is heard."""


def named(title: str, artist: float) -> dict[int, tuple[float, float]]:
    """Artist -> part of the title's words, share: the longest runs of up to six words that are a whole name."""
    all_words = normal_title(title).split()
    words = all_words[:20]
    found = [
        (first, last, number)
        for first in range(len(words))
        for last in range(first + 1, min(first + 6, len(words)) + 1)
        for number, name in ARTISTS.items()
        if name_key(" ".join(words[first:last])) == name_key(name)
    ]
    shares: dict[int, tuple[float, float]] = {}
    for first, last, number in found:
        if any(f <= first and last <= u and u - f > last - first for f, u, _ in found):
            continue
        part = (last - first) / len(all_words)
        share = artist * float(np.float32(MEANT[number])) * part
        if share > 0.1:
            shares[number] = max(shares.get(number, (0, 0)), (part, share))
    most = min(1, 0.9 / sum(share for _, share in shares.values())) if shares else 1
    return {number: (part, share * most) for number, (part, share) in shares.items()}


def trigrams(text: str) -> set[str]:
    words = "".join(c if c.isalnum() else " " for c in text).split()
    return {padded[i : i + 3] for word in words for padded in [f"  {word} "] for i in range(len(padded) - 2)}


def spelt(world: World, title: str, spelling: float) -> dict[int, float]:
    """Title -> similarity of the twenty that are spelt alike."""
    asked = trigrams(normal_title(title))
    symbols = {c for c in title if not c.isspace() and c not in "\ufe0f\u200d"}
    likeness: dict[int, float] = {}
    for number in world.profiles:
        name = world.titles[number]
        if asked:
            own = trigrams(name)
            alike = len(asked & own) / len(asked | own) if own else 0
            if np.float32(alike) >= np.float32(0.3):
                likeness[number] = alike
        elif shared := sum(c in name for c in symbols):
            likeness[number] = shared / len(name)
    best = sorted(likeness, key=lambda number: (-np.float32(likeness[number]), number))[:20]
    return {number: spelling * float(np.float32(likeness[number])) for number in best} if spelling > 0 else {}


def voters(world: World, query: Sequence[float], title: str | None, by: Parameters) -> dict[tuple[str, int], Voter]:
    """Who votes, with weights that make the scores shares of all votes."""
    similarity = {n: sum(x * y for x, y in zip(query, world.vectors[n], strict=True)) for n in world.profiles}
    near = {n: similarity[n] for n in sorted(similarity, key=lambda n: (-similarity[n], n))[: by.titles]}
    is_known = title is not None and normal_title(title) in {world.titles[n] for n in world.profiles}
    for number, alike in (spelt(world, title, by.spelling) if title is not None and not is_known else {}).items():
        near[number] = max(near.get(number, -2), alike)
    shares = named(title, by.artist) if title is not None else {}
    best = np.float32(max(near.values(), default=0))
    nearness = {n: math.exp(max(float(np.float32(s) - best) / by.temperature, -700)) for n, s in near.items()}
    loud = {n: nearness[n] / world.profiles[n].playlists ** by.smoothing for n in near}
    heard = {n: math.ceil(by.heard * nearness[n]) for n in near}
    whole = sum(loud[n] * sum(world.profiles[n].weights[: heard[n]]) for n in near)
    left_over = 1 - sum(share for _, share in shares.values())
    found = {("artist", n): Voter(part, share, world.artists[n]) for n, (part, share) in shares.items()}
    for n in near:
        profile = world.profiles[n]
        cut = Profile(profile.playlists, profile.tracks[: heard[n]], profile.weights[: heard[n]])
        found["title", n] = Voter(near[n], loud[n] * left_over / whole if whole else 0, cut)
    return found


def votes(voting: dict[tuple[str, int], Voter]) -> dict[int, dict[tuple[str, int], float]]:
    """Track -> voter -> its part of the score."""
    parts: dict[int, dict[tuple[str, int], float]] = defaultdict(dict)
    for name, voter in voting.items():
        for track, weight in zip(voter.profile.tracks, voter.profile.weights, strict=True):
            parts[track][name] = weight * voter.weight
    return parts


# --- what is compared ------------------------------------------------------------------------------------------

OVERRIDES = st.fixed_dictionaries(
    {},
    optional={
        "titles": st.sampled_from([0, 1, 7, 1000]),
        "temperature": st.sampled_from([0.0625, 0.25, 2.0]),
        "smoothing": st.sampled_from([0.0, 0.5, 1.0]),
        "heard": st.sampled_from([1, 3, 1000]),
    },
)
TITLES = st.none() | st.lists(
    st.sampled_from([*WORDS, *SYMBOLS, "and", "day", "The", "LADY", "nihgt", "", "stormy", "\ufe0f"]), max_size=9
).map(" ".join)
QUERIES = st.lists(st.integers(-32, 32), min_size=4, max_size=4).map(lambda row: [x / 64 for x in row])


@examples(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(QUERIES, TITLES, st.sampled_from([DEFAULTS, FITTED]), OVERRIDES)
@example([0.5, 0.25, 0, 0], "Lady Gaga!", DEFAULTS, {})
@example([0.5, 0.25, 0, 0], "🔥", FITTED, {})
@example([0.0, 0.0, 0.0, 0.0], "night &", DEFAULTS, {})
@example([0.5, 0.25, 0, 0], " ".join(["gym"] * 19 + ["storm", "ann"]), FITTED, {})
def test_the_vote_is_that_of_the_loops(
    world: World, query: list[float], title: str | None, model: int, overrides: dict[str, float]
) -> None:
    voting = voters(world, query, title, replace(PARAMETERS[model], **overrides))  # type: ignore[arg-type]
    expected = votes(voting)
    options = "".join(f", {name} => {value}" for name, value in overrides.items())
    rows = world.connection.execute(
        f"SELECT rank, track_id, score, voters FROM vote(%s::vector, 1000, model => %s, title_text => %s{options})",
        (literal(query), model, title),
    ).fetchall()
    scores = {track: sum(parts.values()) for track, parts in expected.items()}
    assert [rank for rank, *_ in rows] == list(range(1, len(rows) + 1))
    assert {track: score for _, track, score, _ in rows} == pytest.approx(scores, rel=1e-5)
    assert {track: count for _, track, _, count in rows} == {track: len(parts) for track, parts in expected.items()}
    assert [(-score, track) for _, track, score, _ in rows] == sorted((-score, track) for _, track, score, _ in rows)

    explained = world.connection.execute(
        "SELECT e.track_id, coalesce(e.title, e.artist), e.artist IS NOT NULL, e.share FROM explain_vote("
        f"%s::vector, %s::bigint[], model => %s, title_text => %s{options}) AS e",
        (literal(query), list(scores), model, title),
    ).fetchall()
    names = {("title", n): (name, False) for n, name in world.titles.items()}
    names |= {("artist", n): (name, True) for n, name in ARTISTS.items()}
    assert {(track, (name, is_artist)): share for track, name, is_artist, share in explained} == pytest.approx(
        {(track, names[who]): part / scores[track] for track, parts in expected.items() for who, part in parts.items()},
        rel=1e-5,
    )


@examples(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(QUERIES, TITLES, st.sampled_from([DEFAULTS, FITTED]))
def test_the_voters_are_those_of_the_loops(world: World, query: list[float], title: str | None, model: int) -> None:
    expected = voters(world, query, title, PARAMETERS[model])
    rows = world.connection.execute(
        "SELECT title_id, artist_id, similarity, playlists, weight, share FROM title_voters("
        "%s::vector, model => %s, title_text => %s)",
        (literal(query), model, title),
    ).fetchall()
    found = {("title", t) if a is None else ("artist", a): rest for t, a, *rest in rows}
    assert len(found) == len(rows) == len(expected)
    assert {who: row[:2] for who, row in found.items()} == {
        who: [pytest.approx(voter.similarity, abs=1e-6), voter.profile.playlists] for who, voter in expected.items()
    }
    assert {who: row[2] for who, row in found.items()} == pytest.approx(
        {who: voter.weight for who, voter in expected.items()}, rel=1e-5
    )
    assert {who: row[3] for who, row in found.items()} == pytest.approx(
        {who: voter.weight * sum(voter.profile.weights) for who, voter in expected.items()}, rel=1e-5
    )
    of_titles = sum(row[3] for (kind, _), row in found.items() if kind == "title")
    assert of_titles == pytest.approx(1 - sum(row[2] for (kind, _), row in found.items() if kind == "artist"), rel=1e-5)
    kinds = [artist is None for _, artist, *_ in rows]
    assert kinds == sorted(kinds)


# --- names, worked by hand -------------------------------------------------------------------------------------


def shares(world: World, title: str, artist: float) -> dict[str, float]:
    query = "SELECT a.name, n.share FROM named_artists(%s, %s, %s) AS n JOIN artist AS a ON a.id = n.artist_id"
    return dict(world.connection.execute(query, (title, DEFAULTS, artist)).fetchall())


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("storm", {"Storm": 0.6}),
        ("Storm Front", {"Storm Front": 0.5}),  # and not Storm
        ("front storm", {"Storm": 0.3}),  # one of two words
        ("storm front storm", {"Storm Front": 0.5 * 2 / 3, "Storm": 0.2}),
        ("night", {"The Night": 0.25}),  # "The" may be left out,
        ("the night", {"The Night": 0.25}),  # or said,
        ("in the night", {"The Night": 0.25 * 2 / 3}),  # and then is part of the name
        ("the storm", {"Storm": 0.6}),
        ("ann ann ann", {"Ann": 0.3}),  # named once
        ("lady gaga", {"Lady Gaga": 0.9}),  # .95 is cut
        ("gaga", {}),  # .004 is not worth a voice
        ("ann lady gaga mix", {"Ann": 0.225, "Lady Gaga": 0.475}),
        ("late night drive mix 2016 gym", {"Late Night Drive Mix 2016 Gym": 0.4}),
        ("late night drive mix 2016 gym ann", {"Late Night Drive Mix 2016 Gym": 0.4 * 6 / 7, "Ann": 0.9 / 7}),
        ("annie", {}),
        ("storm-front", {"Storm Front": 0.5}),
        ("st orm", {"Storm": 0.6}),
        ("night & day", {"Night & Day": 0.8}),
        ("Night and Day", {"Night & Day": 0.8}),
        ("night + day", {"Night & Day": 0.8}),
        ("night&day mix", {"Night & Day": 0.4}),
        ("", {}),
    ],
)
def test_the_longest_names_have_the_part_of_the_words_that_they_are(
    world: World, title: str, expected: dict[str, float]
) -> None:
    assert shares(world, title, 1) == pytest.approx(expected, rel=1e-6)


def test_several_artists_together_leave_a_tenth_to_the_titles(world: World) -> None:
    """At 2 they would have 2 * (.9 + .95 * 2) / 3 = 28/15 of all votes: each is scaled by .9 * 15/28."""
    found = shares(world, "ann lady gaga", 2)
    assert found == pytest.approx({"Ann": 0.6 * 27 / 56, "Lady Gaga": 0.95 * 4 / 3 * 27 / 56}, rel=1e-6)
    assert sum(found.values()) == pytest.approx(0.9)
    assert shares(world, "ann lady gaga", 0) == {}


def test_words_after_the_twentieth_are_counted_but_not_read(world: World) -> None:
    assert shares(world, " ".join(["gym"] * 18 + ["late", "ann", "storm"]), 9) == pytest.approx({"Ann": 9 * 0.9 / 21})


# --- spelling, worked by hand ----------------------------------------------------------------------------------


@pytest.mark.parametrize("title", ["", " ", "\u200d", "\ufe0f", "❤️"[1:], "#", "⁂"])
def test_a_title_without_letters_or_symbols_that_anybody_shares_is_spelt_like_no_other(
    world: World, title: str
) -> None:
    assert world.connection.execute("SELECT * FROM spelt_titles(%s, 1, 1)", (title,)).fetchall() == []


def test_emoji_are_alike_by_the_symbols_that_they_share(world: World) -> None:
    """One of one character is "🔥", of two in "🔥🔥", of six in "late 🔥"; variation selectors count for nothing."""
    names = {number: name for number, name in world.titles.items() if number in world.profiles}
    for title in ("🔥", "🔥\ufe0f 🔥"):
        rows = world.connection.execute("SELECT title_id, similarity FROM spelt_titles(%s, 1, 1)", (title,)).fetchall()
        found = {names[number]: similarity for number, similarity in rows}
        assert found == {name: pytest.approx(1 / len(name)) for name in names.values() if "🔥" in name}
        assert len(found) > 2


def test_a_misspelt_title_is_spelt_like_the_right_one(world: World) -> None:
    """Of 5 and 6 trigrams "nigt" and "night" share "  n", " ni" and "nig"; with the 6 of "shift" 9 of 14 are shared."""
    query = "SELECT t.name, s.similarity FROM spelt_titles(%s, 1, 0.5) AS s JOIN title AS t ON id = title_id"
    rows = world.connection.execute(query, ("Nigt Shift!",)).fetchall()
    assert rows[0] == ("night shift", pytest.approx(0.5 * 9 / 14))
    # "  n" and " ni" of 10 in all are too few.
    assert "night shift" not in dict(world.connection.execute(query, ("nihgt",)).fetchall())
