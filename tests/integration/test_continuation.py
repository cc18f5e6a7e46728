"""Playlists continued, in SQL against the same in a few lines of Python, over a made-up world with a split."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from types import MappingProxyType

import numpy as np
import psycopg
import pytest
from psycopg.types.json import Jsonb

from recsys.catalog import ingest
from recsys.catalog.listed import ListedTrack
from recsys.config import Settings
from recsys.database import connect
from recsys.errors import NotReadyError, UnknownNameError
from recsys.evaluation.challenge import evaluate_challenge
from recsys.evaluation.continuation_baselines import (
    implicit_factors,
    item_neighbours,
    most_popular,
    read_train_playlists,
)
from recsys.titles import Filters, recommend
from recsys.titles.challenge import (
    ANSWERS,
    ChallengePlaylist,
    GivenTrack,
    answer_challenge,
    find_given,
    verify_submission,
    write_submission,
)
from recsys.titles.challenge_categories import CATEGORIES, make_category, read_held_out
from recsys.titles.continuation import Continuation, continue_playlist
from recsys.titles.entries import read_credits, read_entries
from recsys.titles.profiles import build_named, build_profiles

ENCODER, CURRENT, OF_SPLIT = 1, 2, 3
PLAYLISTS = 90
SONGS = 640
TITLES = 12

Vote = dict[int, float]


@dataclass
class World:
    """What was loaded, under the ids that the database gave it."""

    connection: psycopg.Connection
    settings: Settings
    playlists: dict[int, list[int]]
    """Playlist -> its tracks, in order."""
    train: set[int]
    song_of: dict[int, int]
    artists_of: dict[int, set[int]]
    """Song -> main artists."""
    track_of: dict[str, int]
    """URI, or title where there is none, -> track."""


def uri(number: int, release: str = "a") -> str:
    return f"spotify:track:{release}{number:021d}"


def song_line(song: int, release: str) -> dict[str, object]:
    line: dict[str, object] = {"track_name": f"Song {song:03}", "artist_name": f"Artist {song % 37:02}"}
    return line if song % 50 == 0 else line | {"track_uri": uri(song, release)}


def made_up_playlists() -> list[dict[str, object]]:
    """Playlists around one of eight tastes; a few songs have two releases or no URI, a few entries stand twice."""
    chance = random.Random(11)
    lines: list[dict[str, object]] = []
    for pid in range(PLAYLISTS):
        taste = pid % 8
        songs = [(taste * 60 + int(chance.expovariate(0.05))) % 500 for _ in range(chance.randint(3, 40))]
        tracks = [song_line(song, "b" if song % 9 == 0 and pid % 2 else "a") for song in songs]
        lines.append({"pid": pid, "name": f"Title {pid % TITLES:02}", "tracks": tracks})
    rest = [song_line(song, "a") for song in range(500, SONGS)]
    return [*lines, {"pid": PLAYLISTS, "name": "rest", "tracks": rest}]


@pytest.fixture(scope="module")
def world(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("continuation")
    file = folder / "playlists.jsonl"
    made_up = made_up_playlists()
    file.write_text("".join(f"{json.dumps(line)}\n" for line in made_up), encoding="utf-8")
    settings = Settings(DATABASE_URL=shared_database, home=folder)
    assert ingest(settings, "playlists", [file]).counts.stored == PLAYLISTS + 1
    with connect(settings, autocommit=True) as connection:
        train = add_split(connection)
        add_models(connection)
        track_of = dict(
            connection.execute("SELECT coalesce(t.uri, s.title), t.id FROM track t JOIN song s ON s.id = song_id")
        )
        ids = dict(connection.execute("SELECT external_id::integer, id FROM playlist"))
        artists_of = defaultdict(set)
        for song, artist in connection.execute("SELECT song_id, artist_id FROM song_artist WHERE role = 'main'"):
            artists_of[song].add(artist)
        yield World(
            connection,
            settings,
            {
                ids[pid]: [track_of[str(t.get("track_uri") or t["track_name"])] for t in line["tracks"]]  # type: ignore[attr-defined]
                for pid, line in enumerate(made_up)
            },
            train,
            dict(connection.execute("SELECT id, song_id FROM track").fetchall()),
            artists_of,
            track_of,
        )


def add_split(connection: psycopg.Connection) -> set[int]:
    """Every fourth playlist is held out, in turn for validation and test."""
    connection.execute("INSERT INTO split (id, name, protocol, seed) VALUES (1, 'clean', 'clean', 0)")
    ids = [playlist for (playlist,) in connection.execute("SELECT id FROM playlist ORDER BY id")]
    parts = {
        playlist: "train" if place % 4 else ("validation", "test")[place // 4 % 2] for place, playlist in enumerate(ids)
    }
    connection.cursor().executemany("INSERT INTO playlist_split VALUES (1, %s, %s)", list(parts.items()))
    return {playlist for playlist, part in parts.items() if part == "train"}


def add_models(connection: psycopg.Connection) -> None:
    add = (
        "INSERT INTO model (id, kind, name, dimension, fingerprint, folder, config, is_current)"
        " VALUES (%s, %s, 'made up', 8, %s, '/nowhere', %s, %s)"
    )
    connection.execute(add, (ENCODER, "title-encoder", "e", Jsonb({}), True))
    vectors = np.random.default_rng(2).normal(size=(TITLES + 1, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    titles = connection.execute("SELECT id FROM title ORDER BY id").fetchall()
    connection.cursor().executemany(
        "INSERT INTO title_embedding VALUES (%s, %s, %s::vector)",
        [(ENCODER, title, str(vector.tolist())) for (title,), vector in zip(titles, vectors, strict=True)],
    )
    for model, split in ((CURRENT, None), (OF_SPLIT, 1)):
        config = Jsonb({"encoder": ENCODER, "split": split})
        connection.execute(add, (model, "title-recommender", str(model), config, split is None))
        entries = read_entries(connection, split)
        build_named(connection, model, entries, *read_credits(connection, entries))
        build_profiles(connection, model, entries)


# --- the same in Python ------------------------------------------------------------------------------------------


def expected_votes(
    world: World,
    seeds: Sequence[int],
    model: int,
    nearest: int = 1000,
    artist_share: float = 0.1,
    weights: Mapping[int, float] = MappingProxyType({}),
) -> Vote:
    given = {seed for seed in seeds if seed in world.song_of}
    heard = {p: set(own) for p, own in world.playlists.items() if model == CURRENT or p in world.train}
    weight = {seed: weights.get(seed, 1) / (sum(seed in own for own in heard.values()) + 20) for seed in given}
    nearness = {
        playlist: float(
            np.float32(sum(weight[seed] for seed in given & own) / sqrt(len(world.playlists[playlist]) + 10))
        )
        for playlist, own in heard.items()
        if given & own
    }
    by_tracks: Vote = defaultdict(float)
    for playlist in sorted(nearness, key=lambda p: (-nearness[p], p))[:nearest]:
        for track in heard[playlist]:
            by_tracks[track] += (nearness[playlist] / max(nearness.values())) ** (2 - 1 / sqrt(len(given)))
    by_artists: Vote = defaultdict(float)
    theirs: Vote = defaultdict(float)
    for seed in given:
        for artist in world.artists_of[world.song_of[seed]]:
            theirs[artist] += weights.get(seed, 1)
    rows = world.connection.execute(
        "SELECT artist_id, track_ids, weights FROM artist_profile WHERE model_id = %s", (model,)
    )
    for artist, tracks, weights in rows:
        for track, part in zip(tracks, weights, strict=True):
            by_artists[track] += theirs[artist] * part
    by_artists = {track: part for track, part in by_artists.items() if part}
    share = 1.0 if not by_tracks else artist_share if by_artists else 0.0
    votes: Vote = defaultdict(float)
    for part, of in ((1 - share, by_tracks), (share, by_artists)):
        for track, score in of.items():
            votes[track] += part * score / sum(of.values())
    return votes


def ballot(world: World, seeds: Sequence[int], options: str = "", model: int | None = CURRENT) -> Vote:
    query = f"SELECT track, score FROM continue_ballot(%s::bigint[], %s{options})"
    return dict(world.connection.execute(query.encode(), (list(seeds), model)).fetchall())


def some_seeds(world: World) -> list[list[int]]:
    """Given tracks of one to thirty, of one playlist each, held out or not."""
    chance = random.Random(5)
    playlists = list(world.playlists.values())[:PLAYLISTS]
    return [
        chance.sample(tracks, min(len(tracks), size))
        for tracks, size in zip(playlists[::6], (1, 2, 5, 30) * 4, strict=False)
    ]


@pytest.mark.parametrize("model", [CURRENT, OF_SPLIT])
def test_the_ballot_is_that_of_twenty_lines(world: World, model: int) -> None:
    for seeds in some_seeds(world):
        votes = ballot(world, seeds, model=model)
        assert votes == pytest.approx(expected_votes(world, seeds, model), rel=1e-5)
        assert sum(votes.values()) == pytest.approx(1)


def test_the_ballot_hears_the_nearest_playlists_and_the_artists_share(world: World) -> None:
    for seeds in some_seeds(world):
        votes = ballot(world, seeds, ", playlists => 3, artist_share => 0.4")
        assert votes == pytest.approx(expected_votes(world, seeds, CURRENT, nearest=3, artist_share=0.4), rel=1e-5)


def test_heavier_tracks_have_more_of_the_ballot(world: World) -> None:
    for seeds in some_seeds(world):
        given = list(dict.fromkeys(seeds))
        weights = {seed: 1 + place % 3 for place, seed in enumerate(given)}
        votes = ballot(world, [10**9, *given], f", weights => '{{9,{','.join(map(str, weights.values()))}}}'")
        assert votes == pytest.approx(expected_votes(world, given, CURRENT, weights=weights), rel=1e-5)
    assert ballot(world, given, ", weights => NULL") == ballot(world, given) != votes


def test_a_popular_track_is_read_from_a_sample_of_its_playlists(world: World) -> None:
    [(popular, holders)] = Counter(t for own in world.playlists.values() for t in set(own)).most_common(1)
    assert holders > 5
    votes = ballot(world, [popular], ", sample => 1, artist_share => 0")
    [playlist] = [own for own in world.playlists.values() if set(own) == votes.keys()]
    assert votes == pytest.approx(dict.fromkeys(playlist, 1 / len(set(playlist))))


def test_tracks_that_nobody_knows_are_passed_over(world: World) -> None:
    seeds = some_seeds(world)[2]
    assert ballot(world, [10**9, *seeds, -3, *seeds]) == ballot(world, seeds)
    assert ballot(world, [10**9]) == {}
    assert ballot(world, []) == {}


def test_odd_arguments_with_a_meaning_are_answered(world: World) -> None:
    seeds = some_seeds(world)[2]
    nothing_named = ", playlists => NULL, sample => NULL, artist_share => NULL"
    assert ballot(world, seeds, nothing_named) == ballot(world, [*seeds, None]) == ballot(world, seeds)  # type: ignore[list-item]
    artists_alone = ballot(world, seeds, ", sample => -1")
    assert artists_alone == ballot(world, seeds, ", playlists => -1") == ballot(world, seeds, ", artist_share => 7")
    assert 0 < len(artists_alone) < len(ballot(world, seeds))


def test_where_no_model_is_named_the_current_one_answers(world: World) -> None:
    seeds = some_seeds(world)[2]
    assert ballot(world, seeds, model=None) == ballot(world, seeds, model=CURRENT)
    assert ballot(world, seeds, model=OF_SPLIT) != ballot(world, seeds, model=CURRENT)


# --- in Python ---------------------------------------------------------------------------------------------------


def ids(tracks: Sequence[ListedTrack]) -> list[int]:
    assert [track.rank for track in tracks] == list(range(1, len(tracks) + 1))
    return [track.track_id or 0 for track in tracks]


def songs_of(world: World, votes: Vote, seeds: Sequence[int]) -> Vote:
    """The votes by song, as its best track has them, without the songs of the seeds."""
    given = {world.song_of[seed] for seed in seeds}
    best: Vote = {}
    for track, score in votes.items():
        song = world.song_of[track]
        if song not in given:
            best[song] = max(best.get(song, 0), score)
    return best


def test_tracks_alone_are_ranked_by_their_ballot(world: World) -> None:
    for seeds in some_seeds(world):
        expected = songs_of(world, ballot(world, seeds), seeds)
        tracks = continue_playlist(world.connection, None, seeds, 40)
        voted = [track for track in tracks if track.score > 0]
        assert [track.score for track in voted] == sorted(expected.values(), reverse=True)[: len(voted)]
        assert {track.song_id: track.score for track in voted}.items() <= expected.items()
        assert len(tracks) == 40


def test_a_title_alone_is_its_recommendation(world: World) -> None:
    expected = recommend(world.connection, "title 03", 30).tracks
    tracks = continue_playlist(world.connection, "title 03", [], 30)
    assert ids(tracks) == [track.track_id for track in expected]
    assert [track.score for track in tracks] == [track.score for track in expected]


def test_a_title_and_tracks_share_the_votes(world: World) -> None:
    for seeds in some_seeds(world):
        by_title = {t.song_id: t.score for t in recommend(world.connection, "title 03", 1000).tracks}
        by_tracks = songs_of(world, ballot(world, seeds), seeds)
        share = 0.35 / sqrt(len(set(seeds)))
        for track in continue_playlist(world.connection, "title 03", seeds, 40):
            expected = share * by_title.get(track.song_id, 0) + (1 - share) * by_tracks.get(track.song_id, 0)
            assert track.score == pytest.approx(expected)


def test_the_more_is_given_the_less_the_title_says(world: World) -> None:
    other = Continuation(title_share=0.0)
    for seeds in some_seeds(world):
        without = continue_playlist(world.connection, None, seeds, 30)
        assert ids(continue_playlist(world.connection, "title 03", seeds, 30, parameters=other))[:5] == ids(without)[:5]


def test_likes_have_a_fifth_of_the_votes_beside_others_and_may_appear(world: World) -> None:
    by_title = {t.song_id: t.score for t in recommend(world.connection, "title 03", 1000).tracks}
    seen: set[int] = set()
    for liked in some_seeds(world):
        likes = {track: 1.0 + place % 2 for place, track in enumerate(liked)}
        weights = f", weights => '{{{','.join(map(str, likes.values()))}}}'"
        by_likes = songs_of(world, ballot(world, list(likes), weights), [])
        alone = continue_playlist(world.connection, None, [], 40, likes=likes)
        assert {t.song_id: t.score for t in alone if t.score}.items() <= by_likes.items()
        for track in continue_playlist(world.connection, "title 03", [], 40, likes=likes):
            seen.add(track.song_id)
            expected = 0.8 * by_title.get(track.song_id, 0) + 0.2 * by_likes.get(track.song_id, 0)
            assert track.score == pytest.approx(expected)
        by_seeds = songs_of(world, ballot(world, liked), liked)
        for track in continue_playlist(world.connection, None, liked, 10, likes=likes):
            expected = 0.8 * by_seeds.get(track.song_id, 0) + 0.2 * by_likes.get(track.song_id, 0)
            assert track.score == pytest.approx(expected)
    assert seen & {world.song_of[track] for liked in some_seeds(world) for track in liked}


def test_many_likes_are_each_read_from_fewer_playlists(world: World) -> None:
    liked = {track: 1.0 for own in world.playlists.values() for track in own}
    one_each = continue_playlist(world.connection, None, [], 20, likes=liked, parameters=Continuation(likes_sample=1))
    assert one_each == continue_playlist(world.connection, None, [], 20, likes=liked, parameters=Continuation(sample=1))
    assert one_each != continue_playlist(world.connection, None, [], 20, likes=liked)


@pytest.mark.parametrize("title", ["title 05", None])
def test_no_given_song_comes_back_and_none_comes_twice(world: World, title: str | None) -> None:
    for seeds in some_seeds(world):
        tracks = continue_playlist(world.connection, title, seeds, 60)
        songs = [track.song_id for track in tracks]
        assert len(set(songs)) == 60
        assert not set(songs) & {world.song_of[seed] for seed in seeds}


@pytest.mark.parametrize("model", [None, OF_SPLIT])
@pytest.mark.parametrize("title", ["title 05", None])
def test_there_are_always_n_as_long_as_the_catalogue_has_them(
    world: World, title: str | None, model: int | None
) -> None:
    for seeds in ([], [10**9], [world.track_of[uri(620)]], some_seeds(world)[3]):
        known = len({seed for seed in seeds if seed in world.song_of})
        everything = len(world.song_of) - known
        for n in (0, 1, 500, everything, everything + 10):
            found = ids(continue_playlist(world.connection, title, seeds, n, model=model))
            assert len(set(found)) == len(found) == min(n, everything)
            assert not set(found) & set(seeds)


def test_without_votes_the_most_held_tracks_answer(world: World) -> None:
    for model, heard in ((None, set(world.playlists)), (OF_SPLIT, world.train)):
        held = Counter(track for playlist in heard for track in world.playlists[playlist])
        found = continue_playlist(world.connection, None, [], 30, model=model)
        shown = [held[track.track_id or 0] for track in found]
        best = {}
        for track, playlists in held.items():
            best[world.song_of[track]] = max(playlists, best.get(world.song_of[track], 0))
        assert shown == sorted(best.values(), reverse=True)[:30]
        assert {track.score for track in found} == {0.0}


def test_a_splits_recommender_never_hears_what_is_held_out(world: World) -> None:
    """Every answer stays the same when the held-out playlists lose their tracks."""

    def answers() -> list[list[tuple[int, float]]]:
        asked = [(title, seeds) for seeds in [[], *some_seeds(world)] for title in ("title 03", None)]
        found = [continue_playlist(world.connection, *ask, 600, model=OF_SPLIT) for ask in asked]
        return [[(track.track_id or 0, track.score) for track in tracks] for tracks in found]

    before = answers()
    with world.connection.transaction(force_rollback=True):
        world.connection.execute(
            "DELETE FROM playlist_track WHERE playlist_id IN"
            " (SELECT playlist_id FROM playlist_split WHERE split_id = 1 AND part <> 'train')"
        )
        world.connection.execute("REFRESH MATERIALIZED VIEW track_stats")
        assert answers() == before


def test_filters_act_on_every_vote(world: World) -> None:
    seeds = some_seeds(world)[2]
    first = continue_playlist(world.connection, "title 03", seeds, 500)
    artist = min(world.artists_of[first[0].song_id])
    filters = Filters(songs=[first[1].song_id], artists=[artist], max_per_artist=2)
    tracks = continue_playlist(world.connection, "title 03", seeds, 70, filters=filters)
    counts = Counter(a for track in tracks for a in world.artists_of[track.song_id])
    assert first[1].song_id not in {track.song_id for track in tracks}
    assert artist not in counts
    assert max(counts.values()) == 2
    assert len(tracks) == 70


def test_the_title_is_checked_as_everywhere(world: World) -> None:
    with pytest.raises(UnknownNameError, match="give a few words"):
        continue_playlist(world.connection, "  ", [], 10)


def test_before_anything_is_embedded_tracks_alone_are_answered(
    connection: psycopg.Connection, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "playlists.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in made_up_playlists()[:9]), encoding="utf-8")
    ingest(settings, "playlists", [file])
    [(track,)] = connection.execute("SELECT min(track_id) FROM playlist_track").fetchall()
    assert len(continue_playlist(connection, None, [track], 10)) == 10
    with pytest.raises(NotReadyError, match="recsys titles embed"):
        continue_playlist(connection, "gym", [track], 10)


# --- the challenge -----------------------------------------------------------------------------------------------


def test_given_tracks_are_known_by_uri_or_by_name(world: World) -> None:
    given = [
        GivenTrack(uri(5), "Somebody else's title", "Nobody"),
        GivenTrack(uri(999), "song 007!", "ARTIST 07"),
        GivenTrack(uri(998), "Nothing", "Nobody"),
        GivenTrack(None, None, None),
        GivenTrack(uri(5), None, None),
        GivenTrack(None, "Song 050", "Artist 13"),
    ]
    found = find_given(world.connection, given)
    assert found == [world.track_of[uri(5)], world.track_of[uri(7)], world.track_of["Song 050"]]


def test_every_playlist_is_answered_with_500_good_uris(world: World, tmp_path: Path) -> None:
    known = [GivenTrack(uri(number), None, None) for number in range(30)]
    unknown = [GivenTrack(uri(number, "x"), None, None) for number in range(30)]
    playlists = [
        ChallengePlaylist(str(pid), name, tuple(tracks))
        for pid, (name, tracks) in enumerate(
            (name, tracks)
            for name in ("title 03", "never heard", "🔥", None)
            for tracks in ([], known, unknown, known[:1])
        )
    ]
    loaded: list[Path] = []

    class Reader:
        def encode(self, texts: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
            return np.eye(8, dtype=np.float32)[: len(texts)]

    def load(folder: Path) -> Reader:
        loaded.append(folder)
        return Reader()

    done: list[tuple[int, int]] = []
    answers = answer_challenge(
        world.connection,
        playlists,
        load_encoder=load,  # type: ignore[arg-type]
        progress=lambda number, of: done.append((number, of)),
    )
    file = tmp_path / "submission.csv.gz"
    assert write_submission(file, answers, team="us", email="us@example.org") == 16
    assert verify_submission(playlists, file) == []
    assert done == [(number, 16) for number in range(1, 17)]
    assert loaded == [Path("/nowhere")]


def test_a_catalogue_that_is_too_small_is_told(world: World) -> None:
    tracks = tuple(GivenTrack(uri(number), None, None) for number in range(SONGS))
    with pytest.raises(NotReadyError, match=r"only \d+ tracks with a Spotify URI that playlist 7 .* load more"):
        list(answer_challenge(world.connection, [ChallengePlaylist("7", None, tracks)]))
    assert ANSWERS == 500


# --- measured ----------------------------------------------------------------------------------------------------


def test_held_out_playlists_come_in_their_order_each_track_once(world: World) -> None:
    held_out = read_held_out(world.connection, 1, "test")
    assert len(held_out) == 11
    for playlist in held_out:
        assert list(playlist.tracks) == list(dict.fromkeys(world.playlists[playlist.playlist_id]))
        assert playlist.title.startswith(("Title ", "rest"))
    with pytest.raises(NotReadyError, match="no playlists in its part test"):
        read_held_out(world.connection, 9, "test")


def test_baselines_learn_from_the_train_part_alone(world: World) -> None:
    train = read_train_playlists(world.connection, 1)
    assert train.held.shape[0] == len(world.train)
    own = {track for playlist in world.train for track in world.playlists[playlist]}
    assert set(train.track_ids.tolist()) == own
    held = Counter(track for playlist in world.train for track in set(world.playlists[playlist]))
    assert dict(zip(train.track_ids.tolist(), train.holders.tolist(), strict=True)) == held


def test_item_neighbours_sum_shrunk_cosines(world: World) -> None:
    train = read_train_playlists(world.connection, 1)
    holders: dict[int, set[int]] = defaultdict(set)
    for playlist in world.train:
        for track in world.playlists[playlist]:
            holders[track].add(playlist)
    answer = item_neighbours(train, shrinkage=3)
    for seeds in some_seeds(world):
        known = {seed for seed in seeds if seed in holders}
        scores = {
            track: sum(len(holders[seed] & own) / sqrt(len(holders[seed]) * (len(own) + 3)) for seed in known)
            for track, own in holders.items()
            if track not in known
        }
        found = answer(None, seeds, 20)
        assert [scores[track] for track in found] == pytest.approx(sorted(scores.values(), reverse=True)[:20])


def test_implicit_factors_find_the_seeds_own_taste(world: World) -> None:
    train = read_train_playlists(world.connection, 1)
    answer = implicit_factors(train, factors=16, iterations=10)
    popular = most_popular(train)
    hits = Counter[str]()
    for task in make_category(read_held_out(world.connection, 1, "test"), CATEGORIES[3]):
        for name, found in (("factors", answer(None, task.given, 30)), ("popular", popular(None, task.given, 30))):
            assert len(set(found)) == 30
            assert not set(found) & set(task.given)
            hits[name] += len(task.withheld.intersection(found))
    assert hits["factors"] > hits["popular"]
    assert answer(None, [10**9], 30) == popular(None, [], 30)


def test_every_category_is_measured_and_kept(world: World) -> None:
    results = evaluate_challenge(world.settings, "clean", "test", categories=CATEGORIES[:4])
    assert [(result.category.number, result.method) for result in results] == [
        (number, method) for number in range(1, 5) for method in ("popularity", "item kNN", "implicit ALS", "ours")
    ]
    mean = {(result.category.number, result.method): result.mean("ndcg") for result in results}
    assert mean[3, "ours"] > mean[3, "popularity"]
    kept = world.connection.execute(
        "SELECT subject, method, value FROM leaderboard WHERE metric = 'ndcg' AND split = 'clean' AND part = 'test'"
    ).fetchall()
    assert {(subject[:11], method): value for subject, method, value in kept} == pytest.approx(
        {(f"challenge {number}", method): value for (number, method), value in mean.items()}, abs=1e-6
    )
