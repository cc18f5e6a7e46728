"""Recommenders whose vectors were adapted to the playlists: what they own, answer, replace and must not know."""

import itertools
import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import build_vector_index, connect
from recsys.errors import NotReadyError
from recsys.evaluation.titles import evaluate_titles
from recsys.health import Finding, examine
from recsys.titles import EmbedSummary, embed, embed_titles, recommend, recommender_as_of, similar_titles
from recsys.titles.adapter import AdaptedEncoder, load_title_encoder
from recsys.titles.encoder import find_encoder
from recsys.titles.forget import adapters_folder
from recsys.titles.splits import make_split
from recsys.titles.tuning import PARAMETERS, tune_titles
from tests.tiny_encoder import build_tiny_encoder
from tests.worlds import divide, entry, playlist, rows, write_lines

pytestmark = pytest.mark.usefixtures("one_thread")

TASTES, OTHER_WORDS = ["jazz", "gym", "sleep", "party"], ["mix", "songs", "old", "my"]
PLAYLISTS, MANY = 80, 700
"""Of a database that a test changes, and of the one that is only read, which are enough to learn from."""
ENCODED, LEARNED = 32, 256
"""Dimensions: of the tiny encoder's vectors, and of what is learned beside them."""
TITLES = {f"{taste} {word}" for taste in TASTES for word in OTHER_WORDS}
PARTS = {"train": range(60), "validation": range(60, 70), "test": range(70, 80)}
FITTED = {"parameters": {"titles": 3, "artist": 0.0}, "smoothing": {"kernel_share": 0.25, "neighbours": 5}}


def lists(numbers: Sequence[int], seed: int = 0) -> list[dict[str, object]]:
    """Playlists of four songs of the taste that their title names; all titles come, the first ones in order."""
    chance = random.Random(seed)
    made = []
    for number in numbers:
        taste = TASTES[number % len(TASTES)]
        title = f"{taste} {OTHER_WORDS[number // len(TASTES) % len(OTHER_WORDS)]}"
        songs = chance.sample(range(9), 4)
        made.append(playlist(number, title, [entry(f"Artist {song}", f"{taste} {song}") for song in songs]))
    return made


def load(settings: Settings, folder: Path, playlists: Sequence[object]) -> None:
    ingest(settings, "playlists", [write_lines(folder / "playlists.jsonl", playlists)])


@dataclass(frozen=True)
class World:
    """All playlists with the adapted recommender that is the current one, and one over the encoder's own vectors."""

    settings: Settings
    connection: psycopg.Connection
    plain: EmbedSummary
    adapted: EmbedSummary


@pytest.fixture(scope="module")
def world(shared_database: str, home: Path, encoder_folder: Path) -> Iterator[World]:
    settings = Settings(DATABASE_URL=shared_database, home=home, encoder=str(encoder_folder))
    load(settings, home, lists(range(MANY)))
    plain = embed_titles(settings, adapt=False)
    adapted = embed_titles(settings, adapt=True)
    with connect(settings, autocommit=True) as connection:
        yield World(settings, connection, plain, adapted)


@pytest.fixture
def settings(database: str, exported_home: Path, encoder_folder: Path, tmp_path: Path) -> Settings:
    """Settings of a database of its own that holds the same playlists and the split `held`, nothing embedded."""
    home = shutil.copytree(exported_home, tmp_path / "home")
    settings = Settings(DATABASE_URL=database, home=home, encoder=str(encoder_folder))
    load(settings, tmp_path, lists(range(PLAYLISTS)))
    divide(settings, "held", PARTS)
    return settings


def vectors_of(connection: psycopg.Connection, model: int) -> dict[str, list[float]]:
    query = (
        "SELECT t.name, e.embedding::real[] FROM title_embedding AS e JOIN title AS t ON t.id = e.title_id"
        " WHERE e.model_id = %s ORDER BY t.id"
    )
    return dict(rows(connection, query, model))


def profiles_of(connection: psycopg.Connection, model: int) -> dict[str, dict[int, float]]:
    """Title, artist, song or what is learned of a title -> track -> weight; -1 -> how far a name is meant."""
    query = (
        "SELECT t.name, p.track_ids, p.weights FROM title_profile AS p JOIN title AS t ON t.id = p.title_id"
        " WHERE p.model_id = %(model)s"
        " UNION ALL SELECT 'artist ' || key, -1 || track_ids, meant || weights FROM artist_profile"
        " WHERE model_id = %(model)s"
        " UNION ALL SELECT 'song ' || key, -1 || track_ids, meant || weights FROM song_profile"
        " WHERE model_id = %(model)s"
        " UNION ALL SELECT 'learned ' || t.name, p.track_ids, p.weights FROM learned_profile AS p"
        " JOIN title AS t ON t.id = p.title_id WHERE p.model_id = %(model)s"
    )
    found = connection.execute(query, {"model": model}).fetchall()
    profiles = {name: dict(zip(tracks, weights, strict=True)) for name, tracks, weights in found}
    assert len(profiles) == len(found)
    return profiles


def folder_of(connection: psycopg.Connection, model: int) -> Path:
    [(folder,)] = rows(connection, "SELECT folder FROM model WHERE id = %s", model)
    return Path(folder)


def recommenders(connection: psycopg.Connection) -> list[tuple[int, bool, bool]]:
    """Id, whether it is adapted, whether it is the current one."""
    query = "SELECT id, config ? 'adapter', is_current FROM model WHERE kind = 'title-recommender' ORDER BY id"
    return rows(connection, query)  # type: ignore[return-value]


def tastes(connection: psycopg.Connection, title: str, n: int = 3, model: int | None = None) -> set[str]:
    """The tastes of the first songs."""
    return {track.title.split()[0] for track in recommend(connection, title, n, model=model).tracks}


# --- what it is ------------------------------------------------------------------------------------------------


def test_an_adapted_recommender_owns_longer_vectors_and_stands_beside_the_plain_one(world: World) -> None:
    assert (world.plain.adapted_to, world.plain.dimension) == (0, ENCODED)
    assert (world.adapted.adapted_to, world.adapted.dimension) == (MANY, ENCODED + LEARNED)
    assert (world.adapted.embedded, world.adapted.already_there, world.adapted.profiles) == (0, 16, 16)
    assert recommenders(world.connection) == [
        (world.plain.model_id, False, False),
        (world.adapted.model_id, True, True),
    ]
    query = "SELECT name, dimension, config -> 'adapter', config -> 'encoder' FROM model WHERE id = %s"
    [(name, dimension, adapter, encoder)] = rows(world.connection, query, world.adapted.model_id)
    assert (name, dimension) == (f"{world.adapted.encoder}, adapted", ENCODED + LEARNED)
    assert (adapter, encoder) == ({"share": 0.35, "playlists": MANY}, 1)
    assert set(vectors_of(world.connection, world.adapted.model_id)) == TITLES
    assert vectors_of(world.connection, world.plain.model_id) == {}


def test_its_vectors_are_those_that_its_files_give_titles(world: World) -> None:
    vectors = vectors_of(world.connection, world.adapted.model_id)
    loaded = load_title_encoder(folder_of(world.connection, world.adapted.model_id))
    assert isinstance(loaded, AdaptedEncoder)
    np.testing.assert_allclose(list(vectors.values()), loaded.encode(list(vectors)), atol=1e-5)
    encoded = vectors_of(world.connection, 1)
    assert encoded.keys() == vectors.keys()
    np.testing.assert_allclose(
        np.array(list(vectors.values()))[:, :ENCODED], 0.65**0.5 * np.array(list(encoded.values())), atol=1e-6
    )
    assert folder_of(world.connection, world.adapted.model_id).parent == adapters_folder(world.settings)


def test_the_encoders_own_vectors_are_left_as_they_were(world: World) -> None:
    encoder = find_encoder(world.plain.encoder, world.settings.models_folder)
    assert encoder is not None
    vectors = vectors_of(world.connection, 1)
    np.testing.assert_allclose(list(vectors.values()), encoder.encode(list(vectors)), atol=1e-5)


def test_what_is_expected_of_every_title_is_kept_of_the_adapted_one_alone(world: World) -> None:
    """All 36 songs, the nine of the title's own taste before any other and with nearly all of the probability."""
    profiles = profiles_of(world.connection, world.adapted.model_id)
    names: dict[int, str] = dict(rows(world.connection, "SELECT t.id, t.title FROM track AS t"))
    expected = {name.removeprefix("learned "): own for name, own in profiles.items() if name.startswith("learned ")}
    assert expected.keys() == TITLES
    for title, own in expected.items():
        weights = list(own.values())
        tastes = [names[track].split()[0] for track in own]
        assert (len(own), weights) == (36, sorted(weights, reverse=True))
        assert tastes[:9] == [title.split()[0]] * 9
        assert 0.9 < sum(weights[:9]) < sum(weights) < 1.00001
    assert not [name for name in profiles_of(world.connection, world.plain.model_id) if name.startswith("learned ")]


# --- what it answers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("taste", TASTES)
def test_a_known_title_is_answered_with_songs_of_its_taste(world: World, taste: str) -> None:
    title = f"{taste.upper()} mix!"
    answer = recommend(world.connection, title)
    assert (answer.is_known, answer.is_stale) == (True, False)
    assert tastes(world.connection, title) == {taste}
    assert answer == recommend(world.connection, title, model=world.adapted.model_id)


@pytest.mark.parametrize("taste", TASTES)
def test_an_unseen_title_is_read_by_the_adapted_encoder(world: World, taste: str) -> None:
    assert not recommend(world.connection, f"{taste} zzz").is_known
    assert tastes(world.connection, f"{taste} zzz") == {taste}
    assert {near.title.split()[0] for near in similar_titles(world.connection, f"{taste} zzz", 4)} == {taste}


@pytest.mark.parametrize(("title", "likest"), [("jazz mix", "jazz mix"), ("jazz mixx", "jazz mix")])
def test_what_is_expected_of_the_nearest_title_votes_with_a_fifth(world: World, title: str, likest: str) -> None:
    vector = load_title_encoder(folder_of(world.connection, world.adapted.model_id)).encode([title])[0]
    query = (
        "SELECT v.kind, t.name, v.weight, v.share FROM title_voters(%s::vector, model => %s, title_text => %s) AS v"
        " JOIN title AS t ON t.id = v.title_id"
    )
    voters = rows(world.connection, query, str(vector.tolist()), world.adapted.model_id, title)
    [(_, name, weight, share)] = [row for row in voters if row[0] == "learned"]
    assert (name, weight, share) == (likest, 0.2, pytest.approx(0.2, rel=1e-4))
    assert sum(row[3] for row in voters if row[0] == "title") == pytest.approx(0.8, rel=1e-4)
    assert len(voters) == 17
    explained = recommend(world.connection, title, 1, explain=True).tracks[0].voted_by
    assert (likest, "learned") in {(voter.title, voter.kind) for voter in explained}
    plain = recommend(world.connection, title, 40, explain=True, model=world.plain.model_id)
    assert {voter.kind for track in plain.tracks for voter in track.voted_by} == {"title"}


def test_more_songs_of_the_taste_come_first_than_the_plain_one_finds(world: World) -> None:
    """Titles are asked for that nobody wrote, of which each taste has nine songs."""

    def found(model: int) -> int:
        answers = [
            (taste, track.title)
            for taste in TASTES
            for word in ("zzz", "late", "evening")
            for track in recommend(world.connection, f"{word} {taste}", 9, model=model).tracks
        ]
        return sum(title.startswith(taste) for taste, title in answers)

    assert found(world.adapted.model_id) > found(world.plain.model_id)


def test_similarities_are_those_of_the_adapted_vectors(world: World) -> None:
    vectors = vectors_of(world.connection, world.adapted.model_id)
    found = {near.title: near.similarity for near in similar_titles(world.connection, "jazz mix", 100)}
    expected = {title: np.dot(vectors["jazz mix"], vector) for title, vector in vectors.items() if title != "jazz mix"}
    assert found == pytest.approx(expected, abs=1e-5)


def test_the_plain_recommender_answers_by_its_own_vectors_when_it_is_named(world: World) -> None:
    vectors = vectors_of(world.connection, 1)
    near = similar_titles(world.connection, "jazz mix", 100, model=world.plain.model_id)
    expected = {title: np.dot(vectors["jazz mix"], vector) for title, vector in vectors.items() if title != "jazz mix"}
    assert {found.title: found.similarity for found in near} == pytest.approx(expected, abs=1e-5)
    assert len(recommend(world.connection, "never heard", model=world.plain.model_id).tracks) == 10


def test_the_papers_vote_and_explanations_search_the_adapted_vectors(world: World) -> None:
    for method in ("soft", "seed"):
        answer = recommend(world.connection, "jazz zzz", 5, method=method, explain=True)
        voters = {voter.title.split()[0] for track in answer.tracks[:1] for voter in track.voted_by}
        assert voters == {"jazz"}


def test_the_doctor_finds_it_good(world: World) -> None:
    def found() -> Finding:
        return next(finding for finding in examine(world.settings) if finding.subject == "title encoder")

    said = f"{world.adapted.encoder}, adapted (model {world.adapted.model_id}), 16 titles"
    assert found() == Finding("title encoder", "good", said)


def test_an_index_over_its_vectors_brings_the_same_answer(settings: Settings) -> None:
    summary = embed_titles(settings, adapt=True)
    with connect(settings, autocommit=True) as connection:
        asked = ["jazz mix", "gym zzz"]
        before = [recommend(connection, title, 20).tracks for title in asked]
        assert build_vector_index(connection, "title_embedding", summary.model_id, limit=0)
        for title, tracks in zip(asked, before, strict=True):
            found = recommend(connection, title, 20).tracks
            assert [track.track_id for track in found] == [track.track_id for track in tracks]
            assert [track.score for track in found] == pytest.approx([track.score for track in tracks], rel=1e-5)


# --- when it is made -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("least", "adapted_to"), [(PLAYLISTS, PLAYLISTS), (PLAYLISTS + 1, 0)])
def test_vectors_are_adapted_from_so_many_playlists_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, least: int, adapted_to: int
) -> None:
    assert embed.LEAST_PLAYLISTS == 1_000
    monkeypatch.setattr(embed, "LEAST_PLAYLISTS", least)
    assert embed_titles(settings).adapted_to == adapted_to
    assert embed_titles(settings, split="held").adapted_to == 0


def test_playlists_that_share_no_song_leave_everything_as_it_was(
    database: str, encoder_folder: Path, home: Path, tmp_path: Path
) -> None:
    settings = Settings(DATABASE_URL=database, home=home, encoder=str(encoder_folder))
    load(settings, tmp_path, [playlist(0, "gym", [entry("A", "a")]), playlist(1, "jazz", [entry("B", "b")])])
    plain = embed_titles(settings)
    with pytest.raises(NotReadyError, match="no song is in two playlists"):
        embed_titles(settings, adapt=True)
    with connect(settings, autocommit=True) as connection:
        assert recommenders(connection) == [(plain.model_id, False, True)]
        assert recommend(connection, "gym").is_known


# --- making it again -------------------------------------------------------------------------------------------


def test_the_same_playlists_give_the_same_recommender(settings: Settings) -> None:
    first = embed_titles(settings, adapt=True)
    with connect(settings, autocommit=True) as connection:
        before = vectors_of(connection, first.model_id), profiles_of(connection, first.model_id)
        assert embed_titles(settings, adapt=True).model_id == first.model_id
        assert (vectors_of(connection, first.model_id), profiles_of(connection, first.model_id)) == before
        assert recommenders(connection) == [(first.model_id, True, True)]
        assert not recommend(connection, "jazz zzz").is_known


def test_more_playlists_replace_it_with_its_vectors_profiles_index_and_files(
    settings: Settings, tmp_path: Path
) -> None:
    plain, first = embed_titles(settings, adapt=False), embed_titles(settings, adapt=True)
    with connect(settings, autocommit=True) as connection:
        assert build_vector_index(connection, "title_embedding", first.model_id, limit=0)
        folder = folder_of(connection, first.model_id)
        load(settings, tmp_path, lists(range(PLAYLISTS, PLAYLISTS + 20)))
        load(settings, tmp_path, [playlist(500, "quiet evening", [entry("Artist 1", "sleep 1")])])
        assert recommend(connection, "gym mix").is_stale
        second = embed_titles(settings, adapt=True)
        assert (second.embedded, second.adapted_to) == (1, PLAYLISTS + 21)
        assert second.model_id != first.model_id
        assert recommenders(connection) == [(plain.model_id, False, False), (second.model_id, True, True)]
        assert vectors_of(connection, first.model_id) == {}
        assert profiles_of(connection, first.model_id) == {}
        assert rows(connection, "SELECT to_regclass(%s)", f"title_embedding_hnsw_{first.model_id}") == [(None,)]
        assert [path.resolve() for path in folder.parent.iterdir()] == [folder_of(connection, second.model_id)]
        assert set(vectors_of(connection, second.model_id)) == TITLES | {"quiet evening"}
        answer = recommend(connection, "quiet evening")
        assert (answer.is_known, answer.is_stale) == (True, False)
        assert len(recommend(connection, "never heard", model=plain.model_id).tracks) == 10


def test_what_was_fitted_outlives_a_rebuild_and_stays_with_the_adapted_ones(settings: Settings, tmp_path: Path) -> None:
    first = embed_titles(settings, adapt=True)
    with connect(settings, autocommit=True) as connection:
        connection.execute("UPDATE model SET config = config || %s WHERE id = %s", (json.dumps(FITTED), first.model_id))
        load(settings, tmp_path, lists(range(PLAYLISTS, PLAYLISTS + 20)))
        second, plain = embed_titles(settings, adapt=True), embed_titles(settings, adapt=False)
        query = "SELECT config -> 'parameters', config -> 'smoothing' FROM model WHERE id = %s"
        [(parameters, smoothing)] = rows(connection, query, second.model_id)
        assert second.model_id != first.model_id
        assert parameters == FITTED["parameters"]
        assert (smoothing["kernel_share"], smoothing["neighbours"]) == (0.25, 5)
        [(parameters, smoothing)] = rows(connection, query, plain.model_id)
        assert (parameters, smoothing) == ({}, {})


class Stop(Exception):  # noqa: N818 -- no error, a person's decision
    """Somebody pressed a key."""


@pytest.mark.parametrize(
    "step",
    [
        "embedding titles",
        "learning what titles mean",
        "adapting titles",
        "learning which names titles mean",
        "building title profiles",
    ],
)
def test_while_it_is_made_again_the_former_one_answers(settings: Settings, tmp_path: Path, step: str) -> None:
    """An interruption loses nothing, and what it left lying about is gone after the next run."""
    first = embed_titles(settings, adapt=True)
    more = [*lists(range(PLAYLISTS, PLAYLISTS + 20)), playlist(500, "quiet evening", [entry("Artist 1", "sleep 1")])]
    load(settings, tmp_path, more)

    def stop(now: str, done: int, _of: int) -> None:
        if now == step and (done > 0 or now in ("adapting titles", "learning which names titles mean")):
            raise Stop

    with connect(settings, autocommit=True) as connection:
        before = [recommend(connection, title, 20).tracks for title in ("jazz mix", "gym zzz")]
        with pytest.raises(Stop):
            embed_titles(settings, progress=stop, adapt=True)
        assert [recommend(connection, title, 20).tracks for title in ("jazz mix", "gym zzz")] == before
        second = embed_titles(settings, adapt=True)
        assert recommenders(connection) == [(second.model_id, True, True)]
        assert recommend(connection, "quiet evening").is_known
        assert len(list((settings.models_folder / "adapters").iterdir())) == 1
        assert second.model_id != first.model_id


# --- splits ----------------------------------------------------------------------------------------------------


def test_nothing_that_is_held_out_tells_in_a_splits_recommender(settings: Settings, tmp_path: Path) -> None:
    made = embed_titles(settings, split="held", adapt=True)
    assert made.adapted_to == 60
    with connect(settings, autocommit=True) as connection:
        before = vectors_of(connection, made.model_id), profiles_of(connection, made.model_id)
        kinds = Counter(name.split()[0] for name in before[1])
        assert (kinds["artist"], kinds["song"], kinds["learned"]) == (9, 36, 16)
        changed = lists(range(60, 80), seed=9)
        for number, line in enumerate(changed):
            line["tracks"] = [entry("Artist 0", f"{TASTES[number % 3]} {song}") for song in range(9)]
            line["name"] = ("sleep mix", f"held out {number}", "gym 3", f"artist {number % 9}")[number % 4]
        load(settings, tmp_path, changed)
        again = embed_titles(settings, split="held", adapt=True)
        new_titles = len({line["name"] for line in changed}) - 1
        assert (again.model_id, again.embedded) == (made.model_id, new_titles)
        # As good as equal: more titles are adapted at once, which rounds otherwise.
        after = vectors_of(connection, made.model_id), profiles_of(connection, made.model_id)
        assert {title: after[0][title] for title in before[0]} == {
            title: pytest.approx(vector, abs=1e-6) for title, vector in before[0].items()
        }
        assert after[1] == {name: pytest.approx(profile, rel=1e-4) for name, profile in before[1].items()}
        # Titles that only held-out playlists have are known, by what the train part taught.
        loaded = load_title_encoder(folder_of(connection, made.model_id))
        new = {title: v for title, v in after[0].items() if title not in before[0]}
        assert len(new) == new_titles > 10
        np.testing.assert_allclose(list(new.values()), loaded.encode(list(new)), atol=1e-5)

        load(settings, tmp_path, lists([0], seed=9))
        assert embed_titles(settings, split="held", adapt=True).model_id != made.model_id


def test_a_splits_recommender_answers_where_the_split_is_named_alone(settings: Settings) -> None:
    made = embed_titles(settings, split="held", adapt=True)
    with connect(settings, autocommit=True) as connection:
        assert recommender_as_of(connection, "held") == made.model_id
        with pytest.raises(NotReadyError):
            recommend(connection, "jazz mix")
        assert recommend(connection, "jazz mix", model=made.model_id).is_known
        assert not recommend(connection, "jazz zzz", model=made.model_id).is_known
        whole = embed_titles(settings, adapt=True)
        assert recommenders(connection) == [(made.model_id, True, False), (whole.model_id, True, True)]


def test_only_the_papers_vote_of_the_plain_recommender_is_measured(settings: Settings) -> None:
    embed_titles(settings, split="held", adapt=True)
    adapted = [result.method for result in evaluate_titles(settings, "held", keep=False)]
    assert adapted[3:] == ["ours, tiny, adapted"]
    embed_titles(settings, split="held", adapt=False)
    both = [result.method for result in evaluate_titles(settings, "held", keep=False)]
    assert sorted(both[3:]) == ["ours, tiny", "ours, tiny, adapted", "paper's vote, tiny"]


def test_what_is_fitted_is_kept_with_recommenders_that_are_adapted_too(settings: Settings) -> None:
    made = [embed_titles(settings, split=split, adapt=adapt) for adapt in (False, True) for split in (None, "held")]
    better = itertools.count()
    tuned = tune_titles(settings, "held", lambda _model: float(next(better)), profiles=False)
    assert tuned.model_id == made[3].model_id
    assert tuned.parameters.keys() == PARAMETERS.keys() >= {"learned", "song"}
    with connect(settings, autocommit=True) as connection:
        stored = dict(rows(connection, "SELECT id, config -> 'parameters' FROM model WHERE kind = 'title-recommender'"))
    assert [stored[summary.model_id] for summary in made] == [{}, {}, tuned.parameters, tuned.parameters]


# --- what else is of the same model ----------------------------------------------------------------------------


def test_two_recommenders_that_learned_the_same_do_not_take_each_others_files(settings: Settings) -> None:
    divide(settings, "twin", PARTS)
    held, twin = (embed_titles(settings, split=split, adapt=True) for split in ("held", "twin"))
    assert held.model_id != twin.model_id
    with connect(settings, autocommit=True) as connection:
        connection.execute(
            "DELETE FROM playlist_split WHERE split_id = 2 AND playlist_id IN (SELECT id FROM playlist"
            " WHERE external_id = '3')"
        )
        embed_titles(settings, split="twin", adapt=True)
        assert tastes(connection, "jazz zzz", model=held.model_id) == {"jazz"}


def test_a_replaced_split_takes_the_files_and_the_index_of_what_was_built_from_it(settings: Settings) -> None:
    make_split(settings, "clean")
    made = embed_titles(settings, split="clean", adapt=True)
    with connect(settings, autocommit=True) as connection:
        assert build_vector_index(connection, "title_embedding", made.model_id, limit=0)
        folder = folder_of(connection, made.model_id)
        make_split(settings, "clean", seed=1, replace=True)
        assert recommenders(connection) == []
        assert not folder.exists()
        assert rows(connection, "SELECT to_regclass(%s)", f"title_embedding_hnsw_{made.model_id}") == [(None,)]


def test_after_a_split_was_replaced_another_encoder_may_follow(settings: Settings, tmp_path: Path) -> None:
    """It gets the number of the recommender that is gone, and has another dimension."""
    make_split(settings, "clean")
    made = embed_titles(settings, split="clean", adapt=True)
    with connect(settings, autocommit=True) as connection:
        assert build_vector_index(connection, "title_embedding", made.model_id, limit=0)
    make_split(settings, "clean", seed=1, replace=True)
    assert embed_titles(settings, str(build_tiny_encoder(tmp_path / "other", dimension=16, seed=1))).dimension == 16
