"""The whole vote, by vectors, names, spelling and fitted parameters, against the same in loops.

Profiles are written at random, not built: what a profile holds is the concern of test_profiles.py.
"""

import json
import math
import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, assume, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from recsys.config import Settings
from recsys.database import connect
from recsys.names import name_key, normal_title
from recsys.titles import tuning

DEFAULTS, FITTED, LOUD, ENCODER = 1, 2, 3, 4
"""Recommenders over one encoder: with our parameters, and two with others in their config. Of the second nothing is
learned, as of one that is not adapted."""
RECOMMENDERS = (DEFAULTS, FITTED, LOUD)

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
    11: "Nightwalker",
    12: "Nightwalkers",
    13: "Nightwatcher",
    14: "Gymnast",
    15: "Strobe",
}
MEANT = {
    **{1: 0.6, 2: 0.5, 3: 0.25, 4: 0.9, 5: 0.95, 6: 0.004, 7: 0.4, 8: 0.4, 9: 0.0, 10: 0.8},
    **{11: 0.7, 12: 0.3, 13: 0.8, 14: 0.01, 15: 0.5},
}
HOLDERS = {11: 20, 12: 45, 13: 19, 14: 30, 15: 20}
"""Playlists of those whose names may be misspelt; all others have fewer than ten."""
SONG_NAMES = {
    1: "Late Night",
    2: "Gym",
    3: "Storm",
    4: "The Drive",
    5: "Nights & Nights",
    6: "Gaga",
    7: "Mix 2016",
    8: "Gymnastics",
    9: "Gymnastic",
    10: "Late Drivers",
    11: "Late Driver",
    12: "Night Sky",
    13: "Lady Late",
    14: "Café Gym",
}
"""Of the songs that may be named, one of each name."""
SONG_MEANT = {
    **{1: 0.5, 2: 0.02, 3: 0.9, 4: 0.7, 5: 0.95, 6: 0.6, 7: 0.3},
    **{8: 0.4, 9: 0.6, 10: 0.8, 11: 0.9, 12: 0.7, 13: 0.5, 14: 1.0},
}
SONG_HOLDERS = {8: 25, 9: 60, 10: 21, 11: 21, 12: 19}
NEAR_TITLES = ["nightwalkr", "gymnastixs", "night walkers", "late drivr"]
"""Titles that are there and nearly names."""


@dataclass(frozen=True)
class Parameters:
    titles: int = 20
    temperature: float = 0.15
    smoothing: float = 0.0
    heard: float = 1000
    learned: float = 0.2
    artist: float = 3.0
    song: float = 0.5
    spelling: float = 1.0


PARAMETERS = {
    DEFAULTS: Parameters(),
    FITTED: Parameters(
        titles=5, temperature=0.5, smoothing=0.3, heard=7, learned=0.4, artist=1.0, song=1.2, spelling=0.9
    ),
    LOUD: Parameters(titles=9, learned=0.75, artist=0.5, song=0.25, spelling=0.0),
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
    songs: dict[int, Profile] = field(repr=False)
    """Of the songs of `SONG_NAMES`."""
    learned: dict[int, dict[int, Profile]] = field(repr=False)
    """Recommender -> title -> what is expected, of some."""


def made_up_profile(chance: random.Random, mass: float, playlists: int | None = None) -> Profile:
    tracks = chance.sample(SONGS, chance.randint(1, 12))
    weights = sorted((float(np.float32(mass * chance.random() + 0.01)) for _ in tracks), reverse=True)
    return Profile(playlists or chance.randint(1, 9), tracks, weights)


def made_up_expectation(chance: random.Random) -> Profile:
    """Probabilities whose sum is .6 to .95."""
    made = made_up_profile(chance, 1)
    scale = chance.uniform(0.6, 0.95) / sum(made.weights)
    return replace(made, weights=[float(np.float32(weight * scale)) for weight in made.weights])


def literal(vector: Sequence[float]) -> str:
    return "[" + ",".join(map(repr, vector)) + "]"


@pytest.fixture(scope="module")
def world(shared_database: str) -> Iterator[World]:
    chance = random.Random(5)
    names = {normal_title(" ".join(chance.choices(WORDS, k=chance.randint(1, 4)))) for _ in range(60)}
    names |= {normal_title(" ".join(chance.choices(WORDS[:4] + SYMBOLS, k=2))) for _ in range(15)} | {
        *SYMBOLS,
        "night shift",
        *NEAR_TITLES,
    }
    titles = dict(enumerate(sorted(names), start=1))
    halves = [[chance.choice([-0.5, 0.5]) for _ in range(4)] for _ in range(4)]
    vectors = {title: chance.choice(halves) for title in titles}
    profiles = {title: made_up_profile(chance, 5) for title in titles if title % 7}
    assert {name: number in profiles for number, name in titles.items() if name in NEAR_TITLES} == {
        **dict.fromkeys(NEAR_TITLES, True),
        "late drivr": False,
    }
    artists = {artist: made_up_profile(chance, 0.1, HOLDERS.get(artist)) for artist in ARTISTS}
    songs = {song: made_up_profile(chance, 0.1, SONG_HOLDERS.get(song)) for song in SONG_NAMES}
    learned = {
        model: {title: made_up_expectation(chance) for title in profiles if title % 3} for model in (DEFAULTS, LOUD)
    }
    with connect(Settings(DATABASE_URL=shared_database), autocommit=True) as connection:
        rows = connection.cursor()
        rows.executemany(
            "INSERT INTO song (id, title, artist, key) VALUES (%s, %s, 'x', %s)",
            [(s, SONG_NAMES.get(s, "x"), str(s)) for s in SONGS],
        )
        rows.executemany("INSERT INTO track (id, song_id, title) VALUES (%s, %s, 'x')", [(s, s) for s in SONGS])
        rows.executemany("INSERT INTO title VALUES (%s, %s)", list(titles.items()))
        rows.executemany(
            "INSERT INTO artist (id, name, key) VALUES (%s, %s, %s)",
            [(artist, name, name_key(name)) for artist, name in ARTISTS.items()],
        )
        own = {"encoder": ENCODER, "split": None}
        for model, kind, config in (
            (ENCODER, "title-encoder", {}),
            (DEFAULTS, "title-recommender", own),
            (FITTED, "title-recommender", own | {"parameters": vars(PARAMETERS[FITTED])}),
            (LOUD, "title-recommender", own | {"parameters": vars(PARAMETERS[LOUD])}),
        ):
            connection.execute(
                "INSERT INTO model (id, kind, name, dimension, fingerprint, folder, is_current, config)"
                " VALUES (%s, %s, 'made up', 4, %s, '/nowhere', %s, %s)",
                (model, kind, str(model), model in (ENCODER, DEFAULTS), json.dumps(config)),
            )
        rows.executemany(
            "INSERT INTO title_embedding VALUES (%s, %s, %s::vector)",
            [(ENCODER, title, literal(vector)) for title, vector in vectors.items()],
        )
        for model in RECOMMENDERS:
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
            rows.executemany(
                "INSERT INTO song_profile VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [
                    (model, song, name_key(SONG_NAMES[song]), p.playlists, SONG_MEANT[song], p.tracks, p.weights)
                    for song, p in songs.items()
                ],
            )
            rows.executemany(
                "INSERT INTO learned_profile VALUES (%s, %s, %s, %s)",
                [(model, title, p.tracks, p.weights) for title, p in learned.get(model, {}).items()],
            )
        yield World(connection, titles, vectors, profiles, artists, songs, learned)


# --- the same in loops -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Voter:
    similarity: float
    weight: float
    profile: Profile
    """What of it is heard."""


def plain_key(name: str) -> str:
    """`name_key` of names of letters, digits, & and +, and what the same rules make of any other."""
    marked = unicodedata.normalize("NFKD", name).lower()
    folded = "".join(c for c in marked if not "\u0300" <= c <= "\u036f").replace("&", "and").replace("+", "and")
    return "".join(c for c in (folded[4:] or folded if folded.startswith("the ") else folded) if c.isalnum())


def nearly(title: str, names: dict[int, str], profiles: dict[int, Profile]) -> tuple[int, float] | None:
    """Whose name a title nearly is as a whole, and the likeness: a wrong letter costs three of its trigrams."""
    asked = plain_key(normal_title(title))
    if len(asked) < 6:
        return None
    found = []
    for number, name in names.items():
        key, own = name_key(name), trigrams(name_key(name))
        likeness = np.float32(len(own & trigrams(asked)) / len(own | trigrams(asked)))
        if (
            profiles[number].playlists >= 20
            and key[0] == asked[0]
            and abs(len(key) - len(asked)) <= 1
            and likeness > (len(asked) - 2) / (len(asked) + 4) - 0.001
        ):
            found.append((-float(likeness), -profiles[number].playlists, key, number))
    if not found:
        return None
    negative, *_, number = min(found)
    return number, -negative


def named(world: World, title: str, artist: float, *, tolerant: bool = False) -> dict[int, tuple[float, float]]:
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
    if not found and tolerant and (near := nearly(title, ARTISTS, world.artists)):
        number, likeness = near
        if (share := artist * float(np.float32(MEANT[number])) * likeness) > 0.1:
            shares[number] = likeness, share
    for first, last, number in found:
        if any(f <= first and last <= u and u - f > last - first for f, u, _ in found):
            continue
        part = (last - first) / len(all_words)
        share = artist * float(np.float32(MEANT[number])) * part
        if share > 0.1:
            shares[number] = max(shares.get(number, (0, 0)), (part, share))
    most = min(1, 0.9 / sum(share for _, share in shares.values())) if shares else 1
    return {number: (part, share * most) for number, (part, share) in shares.items()}


def called(world: World, title: str, song: float, *, tolerant: bool) -> dict[int, tuple[float, float]]:
    """Song -> likeness, share: the one whose whole name the title is, or else nearly is."""
    if song == 0:
        return {}
    found = {number: 1.0 for number, name in SONG_NAMES.items() if name_key(name) == plain_key(normal_title(title))}
    if not found and tolerant and (near := nearly(title, SONG_NAMES, world.songs)):
        found = dict([near])
    return {
        number: (likeness, min(song * float(np.float32(SONG_MEANT[number])) * likeness, 0.9))
        for number, likeness in found.items()
    }


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


def voters(
    world: World, query: Sequence[float], title: str | None, model: int, by: Parameters
) -> dict[tuple[str, int], Voter]:
    """Who votes, with weights that make the scores shares of all votes."""
    similarity = {n: sum(x * y for x, y in zip(query, world.vectors[n], strict=True)) for n in world.profiles}
    near = {n: similarity[n] for n in sorted(similarity, key=lambda n: (-similarity[n], n))[: by.titles]}
    is_known = title is not None and normal_title(title) in {world.titles[n] for n in world.profiles}
    for number, alike in (spelt(world, title, by.spelling) if title is not None and not is_known else {}).items():
        near[number] = max(near.get(number, -2), alike)
    found: dict[tuple[str, int], Voter] = {}
    if title is not None:
        for n, (part, share) in named(world, title, by.artist, tolerant=not is_known).items():
            found["artist", n] = Voter(part, share, world.artists[n])
        if not found:
            for n, (likeness, share) in called(world, title, by.song, tolerant=not is_known).items():
                found["song", n] = Voter(likeness, share, world.songs[n])
    left_over = 1 - sum(voter.weight for voter in found.values())
    nearest = min(near, key=lambda n: (-np.float32(near[n]), n), default=None)
    if nearest in (expected := world.learned.get(model, {})) and by.learned > 0:
        profile = replace(expected[nearest], playlists=world.profiles[nearest].playlists)
        found["learned", nearest] = Voter(near[nearest], by.learned * left_over, profile)
        left_over *= 1 - by.learned * sum(profile.weights)
    best = np.float32(max(near.values(), default=0))
    nearness = {n: math.exp(max(float(np.float32(s) - best) / by.temperature, -700)) for n, s in near.items()}
    loud = {n: nearness[n] / world.profiles[n].playlists ** by.smoothing for n in near}
    heard = {n: math.ceil(by.heard * nearness[n]) for n in near}
    whole = sum(loud[n] * sum(world.profiles[n].weights[: heard[n]]) for n in near)
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


def misspelt(name: str, place: int, letter: str, kind: str) -> str:
    """A name with a letter wrong, left out, put in, or in the place of the next one."""
    place %= len(name)
    here, after = name[place], name[place + 1 :]
    changed = {"wrong": letter, "less": "", "more": here + letter, "swapped": after[:1] + here}[kind]
    return name[:place] + changed + (after[1:] if kind == "swapped" else after)


NAMES = st.sampled_from([*ARTISTS.values(), *SONG_NAMES.values(), *NEAR_TITLES])
LONG = st.sampled_from([*(ARTISTS[n] for n in HOLDERS), *(SONG_NAMES[n] for n in SONG_HOLDERS)])
TITLES = (
    st.none()
    | st.lists(
        st.sampled_from([*WORDS, *SYMBOLS, "and", "day", "The", "LADY", "nihgt", "", "stormy", "\ufe0f"]), max_size=9
    ).map(" ".join)
    | NAMES
    | NAMES.map(lambda name: f" THE {name.upper()}!")
    | st.builds(
        misspelt,
        LONG | NAMES,
        st.integers(0, 30),
        st.sampled_from("aegrsz &é"),
        st.sampled_from(["wrong", "less", "more", "swapped"]),
    )
)
QUERIES = st.lists(st.integers(-32, 32), min_size=4, max_size=4).map(lambda row: [x / 64 for x in row])


@examples(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(QUERIES, TITLES, st.sampled_from(RECOMMENDERS), OVERRIDES)
@example([0.5, 0.25, 0, 0], "Lady Gaga!", DEFAULTS, {})
@example([0.5, 0.25, 0, 0], "🔥", FITTED, {})
@example([0.0, 0.0, 0.0, 0.0], "night &", DEFAULTS, {})
@example([0.5, 0.25, 0, 0], " ".join(["gym"] * 19 + ["storm", "ann"]), FITTED, {})
@example([0.5, 0.25, 0, 0], "Late Night", DEFAULTS, {})
@example([0.5, 0.25, 0, 0], "nights + nights", FITTED, {})
@example([0.5, 0.25, 0, 0], "gaga", LOUD, {"titles": 0})
@example([0.5, 0.25, 0, 0], "nightwolker", DEFAULTS, {})
@example([0.5, 0.25, 0, 0], "nightwalkrs", LOUD, {})
@example([0.5, 0.25, 0, 0], "night wolker", DEFAULTS, {})
@example([0.5, 0.25, 0, 0], "gymnastisc", DEFAULTS, {})
@example([0.5, 0.25, 0, 0], "late drivr", FITTED, {})
def test_the_vote_is_that_of_the_loops(
    world: World, query: list[float], title: str | None, model: int, overrides: dict[str, float]
) -> None:
    voting = voters(world, query, title, model, replace(PARAMETERS[model], **overrides))  # type: ignore[arg-type]
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
        "SELECT e.track_id, e.kind, e.name, e.share, e.similarity FROM explain_vote("
        f"%s::vector, %s::bigint[], model => %s, title_text => %s{options}) AS e",
        (literal(query), list(scores), model, title),
    ).fetchall()
    names = {"title": world.titles, "learned": world.titles, "artist": ARTISTS, "song": SONG_NAMES}
    assert {(track, kind, name): share for track, kind, name, share, _ in explained} == pytest.approx(
        {
            (track, kind, names[kind][number]): part / scores[track]
            for track, parts in expected.items()
            for (kind, number), part in parts.items()
        },
        rel=1e-5,
    )
    assert {(kind, name): similarity for _, kind, name, _, similarity in explained} == pytest.approx(
        {
            (kind, names[kind][number]): voter.similarity
            for (kind, number), voter in voting.items()
            if voter.profile.tracks
        },
        abs=1e-6,
    )
    shares = [(track, -share) for track, _, _, share, _ in explained]
    assert [track for track, _ in shares] == sorted(track for track, _ in shares)
    assert shares == sorted(shares)


@examples(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(QUERIES, TITLES, st.sampled_from(RECOMMENDERS))
@example([0.5, 0.25, 0, 0], "Late Night", DEFAULTS)
@example([0.5, 0.25, 0, 0], "nightwolker", FITTED)
@example([0.5, 0.25, 0, 0], "gymnastisc", LOUD)
def test_the_voters_are_those_of_the_loops(world: World, query: list[float], title: str | None, model: int) -> None:
    expected = voters(world, query, title, model, PARAMETERS[model])
    rows = world.connection.execute(
        "SELECT kind, title_id, artist_id, song_id, similarity, playlists, weight, share FROM title_voters("
        "%s::vector, model => %s, title_text => %s)",
        (literal(query), model, title),
    ).fetchall()
    found = {}
    for kind, of_title, artist, song, *rest in rows:
        [number] = [number for number in (of_title, artist, song) if number is not None]
        assert number == {"artist": artist, "song": song}.get(kind, of_title)
        found[kind, number] = rest
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
    of_others = sum(row[2] for (kind, _), row in found.items() if kind in ("artist", "song"))
    of_others += sum(row[3] for (kind, _), row in found.items() if kind == "learned")
    of_titles = sum(row[3] for (kind, _), row in found.items() if kind == "title")
    assert of_titles == pytest.approx(1 - of_others, rel=1e-5)
    assert [kind for kind, *_ in rows] == sorted(kind for kind, *_ in rows)
    near = [similarity for kind, *_, similarity, _, _, _ in rows if kind == "title"]
    assert near == sorted(near, reverse=True)


def test_every_parameter_of_the_vote_but_how_much_is_heard_can_be_fitted(world: World) -> None:
    [(defaults,)] = world.connection.execute("SELECT vote_parameters(%s)", (DEFAULTS,)).fetchall()
    assert defaults == vars(PARAMETERS[DEFAULTS])
    assert defaults.keys() == {*tuning.PARAMETERS, "heard"}
    assert all(defaults[name] in tried for name, tried in tuning.PARAMETERS.items())


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


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Late Night!", {"Late Night": 0.5}),
        ("latenight", {"Late Night": 0.5}),
        ("late night drive", {}),  # the whole title or nothing
        ("drive", {"The Drive": 0.7}),
        ("the late night", {"Late Night": 0.5}),
        ("gym", {"Gym": 0.02}),
        ("nights & nights", {"Nights & Nights": 0.9}),  # .95 is cut
        ("nights and nights", {"Nights & Nights": 0.9}),
        ("CAFE\u0301 gym", {"Café Gym": 0.9}),
        ("gymnastik", {}),
        ("🔥", {}),
        ("", {}),
    ],
)
def test_a_title_that_is_a_songs_whole_name_has_the_share_that_means_it(
    world: World, title: str, expected: dict[str, float]
) -> None:
    query = "SELECT s.title, n.share, n.similarity FROM named_songs(%s, 1, %s) AS n JOIN song AS s ON s.id = n.song_id"
    for song in (1, 0.5, 0):
        found = world.connection.execute(query, (title, song)).fetchall()
        assert {name: share for name, share, _ in found} == {
            name: pytest.approx(min(song * SONG_MEANT[number], 0.9))
            for number, name in SONG_NAMES.items()
            if name in expected and song
        }
        assert {similarity for *_, similarity in found} <= {1.0}
        if song == 1:
            assert {name: share for name, share, _ in found} == pytest.approx(expected)


def who_votes(world: World, title: str, model: int = DEFAULTS) -> dict[tuple[str, str], float]:
    """Kind and name -> weight, of all but the titles."""
    rows = world.connection.execute(
        "SELECT v.kind, coalesce(a.name, s.title, t.name), v.weight FROM title_voters('[0.5,0.5,0.5,0.5]', model => %s,"
        " title_text => %s) AS v LEFT JOIN artist AS a ON a.id = v.artist_id LEFT JOIN song AS s ON s.id = v.song_id"
        " LEFT JOIN title AS t ON t.id = v.title_id WHERE v.kind <> 'title'",
        (model, title),
    )
    return {(kind, name): weight for kind, name, weight in rows}


def test_songs_speak_where_no_artist_of_the_name_is_meant(world: World) -> None:
    """Storm is meant, Gaga by 3 * .004 is not."""
    assert who_votes(world, "storm", FITTED) == {("artist", "Storm"): pytest.approx(0.6)}
    assert who_votes(world, "gaga", FITTED) == {("song", "Gaga"): pytest.approx(1.2 * 0.6)}
    assert who_votes(world, "mix 2016", FITTED) == {("song", "Mix 2016"): pytest.approx(1.2 * 0.3)}
    assert who_votes(world, "late night", FITTED) == {("artist", "The Night"): pytest.approx(0.125)}


def test_what_is_expected_of_the_nearest_title_has_a_part_of_what_names_leave(world: World) -> None:
    """The nearest title is the same for all three names, the first one of those with the vector that is asked for."""
    weights = {name: who_votes(world, name) for name in ("storm", "mix 2016", "nothing of the kind")}
    [title] = {name for own in weights.values() for kind, name in own if kind == "learned"}
    assert world.titles[min(nearest(world, [0.5, 0.5, 0.5, 0.5]))] == title
    assert {name: own["learned", title] for name, own in weights.items()} == {
        "storm": pytest.approx(0.2 * (1 - 0.9)),
        "mix 2016": pytest.approx(0.2 * (1 - 0.5 * 0.3)),
        "nothing of the kind": pytest.approx(0.2),
    }
    assert {kind for kind, _ in who_votes(world, "nothing of the kind", FITTED)} == set()


def nearest(world: World, query: Sequence[float]) -> set[int]:
    """The titles with a profile that are nearest to a vector."""
    similarity = {n: sum(x * y for x, y in zip(query, world.vectors[n], strict=True)) for n in world.profiles}
    return {n for n in similarity if similarity[n] == max(similarity.values())}


@pytest.mark.parametrize(
    ("title", "kind", "key", "likeness"),
    [
        # Of 12 trigrams each, 3 differ where a letter is wrong, 2 and 3 where one is missing or too many.
        ("nightwolker", "artist", "nightwalker", 9 / 15),
        ("Night Wolker!", "artist", "nightwalker", 9 / 15),
        ("nightwalkr", "artist", "nightwalker", 9 / 14),
        ("nighttwalker", "artist", "nightwalker", 11 / 14),
        ("nightwalkes", "artist", "nightwalker", 10 / 14),  # Nightwalkers as well, who lost one to 10 / 15
        ("nightwalkers", "artist", "nightwalkers", 1),
        ("nyghtwolker", "artist", None, 0),  # two letters
        ("mightwalker", "artist", None, 0),  # the first one
        ("knightwalker", "artist", None, 0),
        ("nightwalkersss", "artist", None, 0),  # two more
        ("nightwotcher", "artist", None, 0),  # in 19 playlists
        ("storn front", "artist", None, 0),  # in nine at most
        ("nightwolker", "song", None, 0),
        ("gymnastisc", "song", "gymnastic", 8 / 13),  # Gymnastics as well, who have 8 / 14
        ("gymnasti", "song", "gymnastic", 8 / 11),
        ("late drovers", "song", "latedrivers", 9 / 15),
        ("late drivrs", "song", "latedrivers", 9 / 14),
        ("gymnas", "artist", "gymnast", 6 / 9),
        ("strobi", "artist", "strobe", 5 / 9),
        ("strob", "artist", None, 0),  # five letters
        ("🔥", "song", None, 0),
        ("", "artist", None, 0),
    ],
)
def test_a_title_may_be_nearly_a_name_that_many_playlists_know(
    world: World, title: str, kind: str, key: str | None, likeness: float
) -> None:
    found = world.connection.execute("SELECT * FROM near_name(%s, %s, %s)", (title, DEFAULTS, kind)).fetchall()
    assert found == ([] if key is None else [(key, pytest.approx(likeness))])


def test_the_likest_name_is_taken_and_of_equals_the_one_of_more_playlists(world: World) -> None:
    with world.connection.transaction(force_rollback=True):
        for number, (key, playlists) in enumerate([("abcdefgh", 20), ("abcdefgi", 21), ("abcdefgj", 21)], start=90):
            world.connection.execute(
                "INSERT INTO artist_profile VALUES (1, %s, %s, %s, 1, '{1}', '{1}'), (2, %s, %s, 999, 1, '{1}', '{1}')",
                (number, key, playlists, number, key + "xx"),
            )
        query = "SELECT key FROM near_name(%s, 1, 'artist')"
        assert world.connection.execute(query, ("abcdefgk",)).fetchall() == [("abcdefgi",)]
        assert world.connection.execute(query, ("abcdefgjj",)).fetchall() == [("abcdefgj",)]
        assert world.connection.execute(query, ("abcdefghxx",)).fetchall() == []


def test_names_are_read_tolerantly_where_nothing_is_named_exactly_and_the_title_is_not_known(world: World) -> None:
    """ "nightwalkr" is a title with a profile, "late drivr" one without; "gymnast" is an artist, though not meant."""
    assert who_votes(world, "nightwolker", FITTED) == {("artist", "Nightwalker"): pytest.approx(0.7 * 9 / 15)}
    assert who_votes(world, "nightwalkr", FITTED) == {}
    assert who_votes(world, "night wolker", FITTED) == {("artist", "The Night"): pytest.approx(0.125)}
    assert who_votes(world, "late drivr", FITTED) == {("song", "Late Driver"): pytest.approx(0.9 * 1.2 * 8 / 13)}
    assert who_votes(world, "gymnastixs", FITTED) == {}
    assert who_votes(world, "gymnastiks", FITTED) == {("song", "Gymnastic"): pytest.approx(0.6 * 1.2 * 8 / 13)}


# Letters that are a plain one with accents; the rules for "n" as "and", "$", "!" and ", the" need other characters.
LETTERS = st.characters(max_codepoint=0x24F, categories=["Lu", "Ll", "Nd"]) | st.characters(
    min_codepoint=0x1E00, max_codepoint=0x1EFF
)
PLAIN = LETTERS.filter(lambda c: re.fullmatch("[A-Za-z0-9][\u0300-\u036f]*", unicodedata.normalize("NFKD", c)))
PLAIN_WORDS = st.text(PLAIN, min_size=1, max_size=8) | st.sampled_from(["the", "THE", "&", "+", "and", "o\u0308"])


@examples(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(PLAIN_WORDS, min_size=1, max_size=2).map("".join), max_size=6).map(" ".join))
@example("The Café & the Bär")
@example("the &")
@example("Mumford + Sons")
def test_a_plain_name_has_one_key_in_sql_and_in_python(world: World, name: str) -> None:
    # What is "n" as "and" to name_key, "The The" to whom it leaves both, and "the&" whose sign it takes for a word.
    spaced = re.sub("[&+]", " ", unicodedata.normalize("NFKD", name).lower())
    assume("n" not in re.sub("[\u0300-\u036f]", "", spaced).split())
    assume(name_key(name) != "thethe" and not re.match("the[&+]", name.lower()))
    for written in (name, normal_title(name)):
        assert world.connection.execute("SELECT plain_name_key(%s)", (written,)).fetchone() == (name_key(name),)


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
