"""The vote in SQL against the same vote in a few lines of Python, over a made-up world."""

import json
import math
import random
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import EmbeddedServer, build_vector_index, connect
from recsys.errors import NotReadyError, UnknownNameError
from recsys.names import normal_title
from recsys.titles import Filters, Recommendation, recommend, similar_titles
from recsys.titles.entries import read_entries
from recsys.titles.profiles import build_profiles
from recsys.titles.smoothing import Smoothing

DIMENSION = 8
CURRENT, INDEXED, CUT = 1, 2, 3
"""Models: vectors that meet each other in ties; any vectors, with an index; the first ones with short profiles."""
CUT_TRACKS = 4
ENCODER = 10
"""What the id of a model's encoder is above its own."""
HEARD = 200
"""Tracks of the nearest title that are heard; a title that is less near is heard with as many fewer."""
TITLES, TEMPERATURE, SMOOTHING = 100, 0.2, 0.3
PARAMETERS = {
    **{"titles": TITLES, "temperature": TEMPERATURE, "smoothing": SMOOTHING, "heard": HEARD},
    **{"spelling": 0, "artist": 0, "song": 0, "learned": 0},
}
"""Of all models, other than our defaults, which test_voters.py is about. Only vectors vote here: names and spelling are
the matter of test_named.py."""

Vector = tuple[float, ...]


# --- the world -------------------------------------------------------------------------------------------------


@dataclass
class World:
    """What was loaded, under the ids that the database gave it."""

    connection: psycopg.Connection
    url: str
    titles: dict[int, str]
    vectors: dict[int, dict[int, Vector]]
    """Model -> title -> vector."""
    playlists: dict[int, tuple[int | None, list[int]]]
    """Playlist -> its title and its tracks."""
    song_of: dict[int, int]
    has_uri: dict[int, bool]
    artists: dict[int, dict[str, set[int]]] = field(default_factory=dict)
    """Song -> role -> artists."""


def song_line(song: int, track: str | None) -> dict[str, object]:
    """Song 7 features somebody, song 11 is a remix, song 9 is by two artists, and so on; the rest are by one."""
    title = f"Song {song:03}"
    if song % 7 == 0:
        title += f" (feat. Guest {song % 3})"
    elif song % 11 == 0:
        title += f" (Remixer {song % 2} Remix)"
    line: dict[str, object] = {"track_name": title, "artist_name": f"Artist {song % 17:02}"}
    if song % 9 == 0:
        line["artists"] = [line["artist_name"], f"Second {song % 4}"]
    return line if track is None else line | {"track_uri": track}


def made_up_playlists() -> list[dict[str, object]]:
    chance = random.Random(7)
    tracks: list[tuple[int, str | None]] = []
    for song in range(120):
        tracks.append((song, None if song % 13 == 0 else f"spotify:track:{song:03}a"))
        if song % 3 == 0:
            tracks.append((song, f"spotify:track:{song:03}b"))
    lines: list[dict[str, object]] = []
    for pid in range(150):
        number = min(int(chance.expovariate(0.1)), 38)
        name = chance.choice(["Title {}", " title   {}!", "TITLE, {}"]).format(f"{number:02}")
        chosen = chance.choices(tracks, weights=[1 / (1 + t % 30) for t in range(len(tracks))], k=chance.randint(1, 20))
        lines.append({"pid": pid, "name": "   " if pid % 40 == 7 else name, "tracks": [song_line(*t) for t in chosen]})
    # Two tracks of one song in one playlist, one of them twice; and a title that holds nothing.
    twice = [(30, "spotify:track:030b"), (30, "spotify:track:030a"), (30, "spotify:track:030b")]
    lines.append({"pid": 150, "name": "twice", "tracks": [song_line(*t) for t in twice]})
    lines.append({"pid": 151, "name": "nothing in it", "tracks": []})
    return lines


def exact_vectors(titles: Sequence[int]) -> dict[int, Vector]:
    """Unit vectors with four halves: every similarity to a query of 64ths is exact, and many are equal."""
    chance = random.Random(1)
    vectors = {}
    for title in titles:
        vector = [0.0] * DIMENSION
        for place in chance.sample(range(DIMENSION), 4):
            vector[place] = chance.choice([-0.5, 0.5])
        vectors[title] = tuple(vector)
    vectors[titles[5]] = vectors[titles[11]] = vectors[titles[3]]
    return vectors


def any_vectors(titles: Sequence[int]) -> dict[int, Vector]:
    rows = np.random.default_rng(2).normal(size=(len(titles), DIMENSION)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return {title: tuple(map(float, row)) for title, row in zip(titles, rows, strict=True)}


def literal(vector: Sequence[float]) -> str:
    return "[" + ",".join(map(repr, vector)) + "]"


@pytest.fixture(scope="module")
def world(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("vote")
    made_up = made_up_playlists()
    file = folder / "playlists.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in made_up), encoding="utf-8")
    settings_ = Settings(DATABASE_URL=shared_database, home=folder)
    assert ingest(settings_, "playlists", [file]).counts.stored == 152
    with connect(settings_, autocommit=True) as connection:
        titles = dict(connection.execute("SELECT id, name FROM title ORDER BY id").fetchall())
        exact = exact_vectors(list(titles))
        vectors = {CURRENT: exact, INDEXED: any_vectors(list(titles)), CUT: dict(exact)}
        for model, of_titles in vectors.items():
            config = {"encoder": ENCODER + model, "split": None, "parameters": PARAMETERS}
            for kind, number, own in (("encoder", ENCODER + model, {}), ("recommender", model, config)):
                connection.execute(
                    "INSERT INTO model (id, kind, name, dimension, fingerprint, folder, is_current, config)"
                    " VALUES (%s, %s, 'made up', 8, %s, '/nowhere', %s, %s)",
                    (number, f"title-{kind}", str(model), model == CURRENT, json.dumps(own)),
                )
            connection.cursor().executemany(
                "INSERT INTO title_embedding VALUES (%s, %s, %s::vector)",
                [(ENCODER + model, title, literal(vector)) for title, vector in of_titles.items()],
            )
            tracks = CUT_TRACKS if model == CUT else 200
            build_profiles(
                connection,
                model,
                read_entries(connection),
                smoothing=Smoothing(kernel_share=0, low_rank_share=0, neighbours=0, tracks=tracks),
            )
        assert build_vector_index(connection, "title_embedding", ENCODER + INDEXED, limit=0)
        [nothing] = [title for title, name in titles.items() if name == "nothing in it"]
        for of_titles in vectors.values():
            del of_titles[nothing]
        del titles[nothing]
        yield read_world(connection, shared_database, titles, vectors, made_up)


def read_world(
    connection: psycopg.Connection,
    url: str,
    titles: dict[int, str],
    vectors: dict[int, dict[int, Vector]],
    made_up: list[dict[str, object]],
) -> World:
    """Ids come from the database, what hangs together from what was written into the file."""
    track_of = dict(
        connection.execute("SELECT coalesce(t.uri, s.title), t.id FROM track t JOIN song s ON s.id = song_id")
    )
    title_of = {name: title for title, name in titles.items()}
    playlist_of = dict(connection.execute("SELECT external_id, id FROM playlist"))
    playlists = {}
    for line in made_up:
        keys = [track.get("track_uri") or str(track["track_name"]).split(" (")[0] for track in line["tracks"]]  # type: ignore[attr-defined]
        title = title_of.get(" ".join(str(line["name"]).lower().replace(",", "").replace("!", "").split()))
        playlists[playlist_of[str(line["pid"])]] = (title, [track_of[key] for key in keys])
    song_of = dict(connection.execute("SELECT id, song_id FROM track"))
    has_uri = dict(connection.execute("SELECT id, uri IS NOT NULL FROM track"))
    world = World(connection, url, titles, vectors, playlists, song_of, has_uri)
    for song, artist, role in connection.execute("SELECT song_id, artist_id, role FROM song_artist"):
        world.artists.setdefault(song, defaultdict(set))[role].add(artist)
    return world


def test_the_world_is_as_rich_as_the_tests_need(world: World) -> None:
    roles = Counter(role for of_song in world.artists.values() for role in of_song)
    assert roles["featured"] > 5
    assert roles["remixer"] > 5
    assert max(len(of_song["main"]) for of_song in world.artists.values()) == 2
    assert len(world.titles) > 30
    assert sum(title is None for title, _ in world.playlists.values()) == 5  # four blank ones, and "nothing in it"
    tracks_of_song = Counter(world.song_of.values())
    assert sum(count == 2 for count in tracks_of_song.values()) > 20


# --- the same in Python ----------------------------------------------------------------------------------------


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def profiles(world: World, kept: int) -> dict[int, list[tuple[int, int]]]:
    """Title -> (track, playlists that hold its song), the most held first; a song is its most held track."""
    entries = Counter(track for title, tracks in world.playlists.values() if title is not None for track in set(tracks))
    of_song = Counter(
        song
        for title, tracks in world.playlists.values()
        if title is not None
        for song in {world.song_of[track] for track in tracks}
    )
    shown: dict[int, int] = {}
    for track in sorted(entries, key=lambda t: (-entries[t], not world.has_uri[t], t)):
        shown.setdefault(world.song_of[track], track)
    holders: dict[int, Counter[int]] = defaultdict(Counter)
    for title, tracks in world.playlists.values():
        if title is not None and tracks:
            holders[title].update({shown[world.song_of[track]] for track in tracks})
    return {
        title: sorted(
            counts.items(), key=lambda item: (-item[1], -of_song[world.song_of[item[0]]], world.song_of[item[0]])
        )[:kept]
        for title, counts in holders.items()
    }


def nearest(world: World, query: Sequence[float], k: int, model: int = CURRENT) -> list[tuple[int, float]]:
    similarities = {title: dot(query, vector) for title, vector in world.vectors[model].items()}
    return sorted(similarities.items(), key=lambda item: (-item[1], item[0]))[:k]


def soft_votes(
    world: World,
    query: Sequence[float],
    k: int = TITLES,
    temperature: float = TEMPERATURE,
    smoothing: float = SMOOTHING,
    model: int = CURRENT,
) -> dict[int, dict[int, float]]:
    """Track -> title -> its part of the score."""
    profile = profiles(world, CUT_TRACKS if model == CUT else 200)
    size = Counter(title for title, _ in world.playlists.values())
    near = [(title, similarity) for title, similarity in nearest(world, query, k, model) if title in profile]
    votes: dict[int, dict[int, float]] = defaultdict(dict)
    whole = 0.0
    for title, similarity in near:
        distance = float(np.float32(similarity - near[0][1])) / float(np.float32(temperature))
        nearness = math.exp(distance)
        weight = nearness / size[title] ** float(np.float32(smoothing))
        for track, count in profile[title][: math.ceil(HEARD * nearness)]:
            votes[track][title] = count * weight
            whole += count * weight
    return {track: {title: part / whole for title, part in parts.items()} for track, parts in votes.items()}


def seed_votes(world: World, query: Sequence[float]) -> dict[int, dict[int, float]]:
    similarity = dict(nearest(world, query, 1000))
    titled = [(similarity[title], p, title) for p, (title, _) in world.playlists.items() if title is not None]
    votes: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for _, playlist, title in sorted(titled, key=lambda item: (-item[0], item[1]))[:50]:
        for track in set(world.playlists[playlist][1]):
            votes[track][title] += 1
    return votes


def ranked(votes: dict[int, dict[int, float]], n: int) -> list[tuple[int, float, int]]:
    """(track, score, titles) best first; scores that are equal in single precision in the order of the tracks."""
    rows = [(track, float(np.float32(math.fsum(parts.values()))), len(parts)) for track, parts in votes.items()]
    return sorted(rows, key=lambda row: (-row[1], row[0]))[:n]


# --- what is compared ------------------------------------------------------------------------------------------


def queries(world: World, count: int = 12) -> list[Vector]:
    """Unit vectors in 64ths, some of them a title's own."""
    rows = np.random.default_rng(3).normal(size=(count, DIMENSION))
    rows = np.round(rows / np.linalg.norm(rows, axis=1, keepdims=True) * 64) / 64
    return [tuple(map(float, row)) for row in rows] + list(world.vectors[CURRENT].values())[:6]


def vote(world: World, query: Sequence[float], n: int, options: str = "") -> list[tuple[int, float, int]]:
    rows = world.connection.execute(
        f"SELECT rank, track_id, score, voters FROM vote(%s::vector, %s {options})".encode(), (literal(query), n)
    ).fetchall()
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    return [row[1:] for row in rows]


def assert_same(found: list[tuple[int, float, int]], expected: list[tuple[int, float, int]]) -> None:
    assert [row[0] for row in found] == [row[0] for row in expected]
    assert [row[1] for row in found] == pytest.approx([row[1] for row in expected], rel=1e-6, abs=1e-12)
    assert [row[2] for row in found] == [row[2] for row in expected]


@pytest.mark.parametrize("k", [1, 2, 5, 17, 100])
def test_soft_vote_is_the_weighted_count_of_the_profiles(world: World, k: int) -> None:
    for query in queries(world):
        for n in (1, 10, 1000):
            expected = ranked(soft_votes(world, query, k), n)
            assert_same(vote(world, query, n, f", titles => {k}"), expected)


@pytest.mark.parametrize(("temperature", "smoothing"), [(0.2, 0.0), (1.0, 1.0), (0.02, 0.5)])
def test_temperature_and_smoothing_weigh_the_titles(world: World, temperature: float, smoothing: float) -> None:
    for query in queries(world):
        expected = ranked(soft_votes(world, query, 20, temperature, smoothing), 50)
        options = f", titles => 20, temperature => {temperature}, smoothing => {smoothing}"
        assert_same(vote(world, query, 50, options), expected)


def test_seed_vote_counts_the_tracks_of_fifty_playlists(world: World) -> None:
    for query in queries(world):
        for n in (1, 10, 1000):
            assert_same(vote(world, query, n, ", 'seed'"), ranked(seed_votes(world, query), n))


def test_a_playlist_holds_a_song_once_and_as_its_most_held_track(world: World) -> None:
    title = next(title for title, name in world.titles.items() if name == "twice")
    tracks, weights = world.connection.execute(
        "SELECT track_ids, weights FROM title_profile WHERE model_id = 1 AND title_id = %s", (title,)
    ).fetchone() or ([], [])
    entries = Counter(track for _, tracks in world.playlists.values() for track in tracks)
    both = [t for t, song in world.song_of.items() if song == world.song_of[tracks[0]]]
    assert len(both) == 2
    assert tracks == [max(both, key=lambda track: entries[track])]
    assert weights == [1.0]


def test_a_profile_keeps_its_most_held_tracks(world: World) -> None:
    lengths = dict(
        world.connection.execute("SELECT title_id, cardinality(track_ids) FROM title_profile WHERE model_id = 3")
    )
    whole = profiles(world, 200)
    assert lengths == {title: min(len(tracks), CUT_TRACKS) for title, tracks in whole.items()}
    assert any(len(tracks) > CUT_TRACKS for tracks in whole.values())
    for query in queries(world):
        assert_same(vote(world, query, 1000, ", model => 3"), ranked(soft_votes(world, query, model=CUT), 1000))


def test_a_title_without_tracks_has_no_profile_and_does_not_vote(world: World) -> None:
    rows = world.connection.execute("SELECT title_id FROM title_profile WHERE model_id = %s", (CURRENT,))
    assert {title for (title,) in rows} == set(world.titles)
    found = world.connection.execute("SELECT title_id FROM nearest_titles(%s::vector, 1000)", (literal((1.0,) * 8),))
    assert {title for (title,) in found} == set(world.titles)
    names = world.connection.execute("SELECT name FROM title").fetchall()
    assert ("nothing in it",) in names


def test_equal_titles_are_taken_in_the_order_of_their_ids(world: World) -> None:
    ids = list(world.titles)
    own = literal(world.vectors[CURRENT][ids[3]])
    rows = world.connection.execute("SELECT title_id, similarity FROM nearest_titles(%s::vector, 3)", (own,)).fetchall()
    assert rows == [(ids[3], 1.0), (ids[5], 1.0), (ids[11], 1.0)]


# --- filters ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["soft", "seed"])
def test_excluded_songs_and_artists_never_appear_and_the_rest_keeps_its_place(world: World, method: str) -> None:
    chance = random.Random(4)
    artists = sorted({artist for roles in world.artists.values() for of_role in roles.values() for artist in of_role})
    for query in queries(world):
        no_songs, no_artists = chance.sample(sorted(world.artists), 9), chance.sample(artists, 5)
        everything = soft_votes(world, query) if method == "soft" else seed_votes(world, query)
        allowed = {
            track: parts
            for track, parts in everything.items()
            if (song := world.song_of[track]) not in no_songs
            and not any(of_role & set(no_artists) for of_role in world.artists[song].values())
        }
        assert len(allowed) < len(everything)
        options = f", '{method}', exclude_songs => '{set(no_songs)}', exclude_artists => '{set(no_artists)}'"
        assert_same(vote(world, query, 15, options), ranked(allowed, 15))


@pytest.mark.parametrize("role", ["featured", "remixer", "main"])
def test_an_excluded_artist_stays_away_in_any_role(world: World, role: str) -> None:
    artist = min(artist for roles in world.artists.values() for artist in roles.get(role, ()))
    songs = {song for song, roles in world.artists.items() if any(artist in of_role for of_role in roles.values())}
    query = queries(world)[0]
    assert songs & {world.song_of[track] for track, *_ in vote(world, query, 1000)}
    rest = vote(world, query, 1000, f", exclude_artists => '{{{artist}}}'")
    assert rest
    assert not songs & {world.song_of[track] for track, *_ in rest}


@pytest.mark.parametrize("method", ["soft", "seed"])
@pytest.mark.parametrize("most", [1, 2, 3])
def test_an_artist_has_at_most_so_many_songs(world: World, method: str, most: int) -> None:
    """A song stays unless one of its main artists has that many better ones."""
    for query in queries(world):
        expected, better = [], Counter[int]()
        for row in ranked(soft_votes(world, query) if method == "soft" else seed_votes(world, query), 1000):
            main = world.artists[world.song_of[row[0]]]["main"]
            if all(better[artist] < most for artist in main):
                expected.append(row)
            better.update(main)
        found = vote(world, query, 25, f", '{method}', max_per_artist => {most}")
        assert_same(found, expected[:25])
        counts = Counter(artist for track, *_ in found for artist in world.artists[world.song_of[track]]["main"])
        assert max(counts.values()) <= most


def test_more_than_there_is_brings_what_there_is(world: World) -> None:
    query = queries(world)[0]
    everything = vote(world, query, 10_000, ", heard => 100000")
    assert {track for track, *_ in everything} == {
        track for tracks in profiles(world, 200).values() for track, _ in tracks
    }
    assert vote(world, query, 0) == []


def test_no_list_of_exclusions_excludes_nothing(world: World) -> None:
    query = queries(world)[0]
    options = ", exclude_songs => NULL, exclude_artists => NULL, max_per_artist => NULL"
    assert vote(world, query, 10, options) == vote(world, query, 10)


# --- why -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["soft", "seed"])
def test_shares_of_the_explanation_are_the_titles_parts_of_the_score(world: World, method: str) -> None:
    for query in queries(world)[:6]:
        votes = soft_votes(world, query, 30) if method == "soft" else seed_votes(world, query)
        tracks = [track for track, *_ in ranked(votes, 20)]
        rows = world.connection.execute(
            "SELECT track_id, kind, name, similarity, share"
            " FROM explain_vote(%s::vector, %s::bigint[], %s, titles => 30)",
            (literal(query), tracks, method),
        ).fetchall()
        shares: dict[int, dict[str, float]] = defaultdict(dict)
        for track, kind, title, similarity, share in rows:
            assert kind == "title"
            shares[track][title] = share
            assert similarity == dot(query, world.vectors[CURRENT][{n: t for t, n in world.titles.items()}[title]])
        assert set(shares) == set(tracks)
        for track in tracks:
            assert sum(shares[track].values()) == pytest.approx(1)
            total = sum(votes[track].values())
            expected = {world.titles[title]: part / total for title, part in votes[track].items()}
            assert shares[track] == pytest.approx(expected, rel=1e-5)
            assert list(shares[track].values()) == sorted(shares[track].values(), reverse=True)


def test_shares_of_the_voters_are_their_parts_of_all_weight(world: World) -> None:
    for query in queries(world):
        rows = world.connection.execute(
            "SELECT title_id, similarity, playlists, weight, share FROM title_voters(%s::vector, 12)", (literal(query),)
        ).fetchall()
        profile = profiles(world, 200)
        assert [row[:2] for row in rows] == [item for item in nearest(world, query, 12) if item[0] in profile]
        sizes = Counter(title for title, _ in world.playlists.values())
        nearness = [math.exp((s - rows[0][1]) / TEMPERATURE) for _, s, *_ in rows]
        weights = [near / sizes[row[0]] ** SMOOTHING for row, near in zip(rows, nearness, strict=True)]
        parts = [
            weight * sum(count for _, count in profile[row[0]][: math.ceil(HEARD * near)])
            for row, near, weight in zip(rows, nearness, weights, strict=True)
        ]
        assert [row[3] for row in rows] == pytest.approx([weight / sum(parts) for weight in weights], rel=1e-5)
        assert [row[4] for row in rows] == pytest.approx([part / sum(parts) for part in parts], rel=1e-5)
        assert sum(row[4] for row in rows) == pytest.approx(1)


# --- the index -------------------------------------------------------------------------------------------------


def test_the_index_brings_as_many_rows_as_asked_for_and_the_right_ones(world: World) -> None:
    for query in list(world.vectors[INDEXED].values())[:5] + queries(world)[:5]:
        for k in range(1, len(world.titles) + 5):
            rows = world.connection.execute(
                "SELECT title_id, similarity FROM nearest_titles(%s::vector, %s, 2)", (literal(query), k)
            ).fetchall()
            expected = nearest(world, query, k, INDEXED)
            assert [title for title, _ in rows] == [title for title, _ in expected]
            assert [s for _, s in rows] == pytest.approx([s for _, s in expected], abs=1e-6)
            assert len(rows) == min(k, len(world.titles))


def test_the_index_is_what_answers(world: World) -> None:
    def scans() -> int:
        world.connection.execute("SELECT pg_stat_force_next_flush()")
        query = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'title_embedding_hnsw_12'"
        row = world.connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    before = scans()
    with world.connection.transaction():
        world.connection.execute("SET LOCAL enable_seqscan = off")  # 40 rows are faster read than searched
        world.connection.execute("SET LOCAL enable_bitmapscan = off")
        world.connection.execute("SELECT nearest_titles(%s::vector, 5, 2)", (literal(queries(world)[0]),)).fetchall()
    assert scans() == before + 1


def test_vote_over_the_index_is_the_same_vote(world: World) -> None:
    for query in queries(world):
        expected = ranked(soft_votes(world, query, 10, model=INDEXED), 30)
        assert_same(vote(world, query, 30, ", titles => 10, model => 2"), expected)


# --- from Python and from psql ---------------------------------------------------------------------------------


def of_answer(tracks: Sequence[Recommendation]) -> list[tuple[int, float, int]]:
    assert [track.rank for track in tracks] == list(range(1, len(tracks) + 1))
    return [(track.track_id or 0, track.score, track.voters) for track in tracks]


def test_a_known_title_votes_with_its_stored_vector(world: World) -> None:
    for title, name in list(world.titles.items())[:8]:
        expected = vote(world, world.vectors[CURRENT][title], 12)
        answer = recommend(world.connection, f"  {name.upper()}?".replace("?", "!"), 12)
        assert (answer.title, answer.is_known, answer.is_stale) == (name, True, False)
        assert of_answer(answer.tracks) == expected
        sql = world.connection.execute(
            "SELECT track_id, score, voters FROM recommend_for_title(%s, 12)", (name + " !",)
        )
        assert sql.fetchall() == expected


def test_filters_of_the_library_are_those_of_the_vote(world: World) -> None:
    name = world.titles[1]
    song, artist = min(world.artists), min(world.artists[max(world.artists)]["main"])
    filters = Filters(songs=[song], artists=[artist], max_per_artist=1)
    options = f", 'seed', exclude_songs => '{{{song}}}', exclude_artists => '{{{artist}}}', max_per_artist => 1"
    found = recommend(world.connection, name, 20, method="seed", filters=filters).tracks
    assert of_answer(found) == vote(world, world.vectors[CURRENT][1], 20, options)


def test_an_answer_explains_itself_by_the_three_titles_with_the_largest_share(world: World) -> None:
    answer = recommend(world.connection, world.titles[1], 5, explain=True)
    votes = soft_votes(world, world.vectors[CURRENT][1])
    for track in answer.tracks:
        parts = votes[track.track_id or 0]
        expected = sorted((part / track.score for part in parts.values()), reverse=True)[:3]
        assert [voter.share for voter in track.voted_by] == pytest.approx(expected, rel=1e-5)
        best = max(parts, key=lambda title: (parts[title], -title))
        assert track.voted_by[0].title == world.titles[best]


def test_an_answer_names_the_song_as_it_was_written(world: World) -> None:
    answers = [recommend(world.connection, title, 1000) for title in world.titles.values()]
    tracks = {track.title: track for answer in answers for track in answer.tracks}
    remix = tracks["Song 022"]
    assert (remix.artist, remix.version, remix.full_title) == (
        "Artist 05",
        "Remixer 0 Remix",
        "Song 022 (Remixer 0 Remix)",
    )
    assert remix.uri == "spotify:track:022a"
    assert tracks["Song 013"].uri is None


class Reader:
    """An encoder that reads every title as one vector."""

    def __init__(self, vector: Vector) -> None:
        self.vector = vector
        self.read: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        self.read += texts
        return np.array([self.vector] * len(texts), dtype=np.float32)


def test_an_unseen_title_is_read_by_the_current_models_encoder(world: World) -> None:
    folders: list[Path] = []
    reader = Reader(queries(world)[1])

    def load(folder: Path) -> Reader:
        folders.append(folder)
        return reader

    answer = recommend(world.connection, "Never, Heard!", 20, load_encoder=load)  # type: ignore[arg-type]
    assert (folders, reader.read) == ([Path("/nowhere")], ["never heard"])
    assert (answer.title, answer.is_known) == ("never heard", False)
    assert_same(of_answer(answer.tracks), ranked(soft_votes(world, reader.vector), 20))


def test_an_unseen_title_has_no_rows_in_sql(world: World) -> None:
    for title in ("never heard", "", "   "):
        assert world.connection.execute("SELECT * FROM recommend_for_title(%s)", (title,)).fetchall() == []


def test_similar_titles_are_the_nearest_ones_without_itself(world: World) -> None:
    sizes = Counter(title for title, _ in world.playlists.values())
    for title, name in world.titles.items():
        found = similar_titles(world.connection, name, 4)
        near = [(t, s) for t, s in nearest(world, world.vectors[CURRENT][title], 1000) if t != title]
        assert [f.similarity for f in found] == [s for _, s in near[:4]]
        assert all(f.title != name for f in found)
        for f in found:
            other = next(t for t, n in world.titles.items() if n == f.title)
            assert f.playlists == sizes[other]


# --- errors ----------------------------------------------------------------------------------------------------


def test_a_vector_of_another_dimension_is_refused_by_name(world: World) -> None:
    with pytest.raises(psycopg.errors.DataException, match="title model 1 has 8 dimensions, the query has 3"):
        vote(world, (1.0, 0.0, 0.0), 10)
    with pytest.raises(psycopg.errors.DataException, match="title model 1 has 8 dimensions, the query has 3"):
        recommend(world.connection, "never heard", load_encoder=lambda _: Reader((1.0, 0.0, 0.0)))  # type: ignore[arg-type, return-value]


def test_a_vote_that_does_not_exist_is_refused(world: World) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="there are soft and seed"):
        vote(world, queries(world)[0], 10, ", 'sof'")


@pytest.mark.parametrize("title", ["", "   ", "\t\n", "a\x1bb", "\udcff", "x\x00y"])
def test_what_is_no_title_is_refused(world: World, title: str) -> None:
    with pytest.raises(UnknownNameError, match="give a few words"):
        recommend(world.connection, title)


@pytest.mark.parametrize("title", ["👩‍👩‍👧", "!!!", "a" * 5000, "\u200fשלום", "'; drop table title; --", "🫩"])
def test_an_odd_title_is_a_title(world: World, title: str) -> None:
    reader = Reader(queries(world)[1])
    answer = recommend(world.connection, title, load_encoder=lambda _: reader)  # type: ignore[arg-type, return-value]
    assert len(answer.tracks) == 10


def test_before_anything_is_embedded_the_mend_is_named(
    connection: psycopg.Connection, database: str, server: EmbeddedServer
) -> None:
    for ask in (recommend, similar_titles):
        with pytest.raises(NotReadyError, match="recsys titles embed"):
            ask(connection, "chill")
    command = [server.psql(), database, "-c", "SELECT * FROM recsys.recommend_for_title('chill')"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "ERROR:  nothing is embedded yet: run `recsys titles embed`" in ended.stderr


def test_psql_needs_no_search_path(world: World, server: EmbeddedServer) -> None:
    query = "SELECT track_id FROM recsys.recommend_for_title('Title 00!', 3)"
    ended = subprocess.run([server.psql(), world.url, "-Atc", query], capture_output=True, text=True, check=True)
    title = next(title for title, name in world.titles.items() if name == "title 00")
    assert list(map(int, ended.stdout.split())) == [
        track for track, *_ in vote(world, world.vectors[CURRENT][title], 3)
    ]


# --- the title's name ------------------------------------------------------------------------------------------

AWKWARD = [
    "Chill", "  late   NIGHT drive ", "R&B / Hip-Hop", "90's (best of) #1", "...", " !!! ??? ", "a.b,c",
    "tab\tand\nline", "no\u00a0break", "wide\u3000space", "Ümläut ÉÈ", "İstanbul", "ΧΡΟΝΟΣ ΣΑΣ", "straße",
    "МУЗЫКА", "夏の歌", "🎧🔥", "👩‍👩‍👧", "~*`vibes`*~", "{curly} [square]", "$$$ money $$$", "under_score",
    "back\\slash", "it's", '"quoted"', "%s %(x)s", "", " ", "ǅ", "\u001cseparated\u001dby\u001econtrols\u001f",
    "ﬁne", "e\u0301", "\u200fright to left",
]  # fmt: skip


@pytest.mark.parametrize("title", AWKWARD)
def test_a_title_has_one_normal_form_in_sql_and_in_python(world: World, title: str) -> None:
    assert world.connection.execute("SELECT normal_title(%s)", (title,)).fetchone() == (normal_title(title),)


# Letters that are younger than the Unicode of Python 3.11 are left out, and modifiers within a Greek word.
COMMON = st.one_of(
    st.characters(max_codepoint=0x17F, exclude_characters="\x00"),
    st.characters(min_codepoint=0x391, max_codepoint=0x3C9, categories=["Lu", "Ll"]),
    st.characters(min_codepoint=0x400, max_codepoint=0x45F),
    st.characters(min_codepoint=0x2000, max_codepoint=0x206F, categories=["Zs", "Zl", "Zp", "Po", "Cf"]),
    st.characters(min_codepoint=0x3040, max_codepoint=0x30FF),
    st.characters(min_codepoint=0x1F300, max_codepoint=0x1FAFF),
    st.sampled_from(" .,/#!$%^*;:{}=_`~()@-&'\u3000\u200d\ufe0f"),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(COMMON, max_size=20).filter(lambda text: "Σ" not in text))
def test_any_title_has_one_normal_form(world: World, title: str) -> None:
    assert world.connection.execute("SELECT normal_title(%s)", (title,)).fetchone() == (normal_title(title),)
