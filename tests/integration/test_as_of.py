"""Answers from the train part of a split: what is held out neither votes nor is near, whoever asks."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect
from recsys.errors import NotReadyError, UnknownNameError
from recsys.titles import Answer, EmbedSummary, embed_titles, recommend, recommender_as_of, similar_titles
from recsys.titles.splits import make_split
from tests.tiny_encoder import build_tiny_encoder
from tests.worlds import divide, entry, playlist, rows, write_lines

LISTS = {
    1: ("gym", "ab"),
    2: ("gym", "cd"),
    3: ("sleep", "ef"),
    4: ("sleep", "eg"),
    5: ("jazz", "hi"),
    6: ("best of jay", "ai"),
    7: ("rock", "ad"),
}
"""Playlist -> its title and its songs; song i is Jay's, every other one of an artist of its own."""
PARTS = {"train": [1, 3, 7], "validation": [4], "test": [2, 5, 6]}
TRAIN, ALL = set("abefd"), set("abcdefghi")


def load(settings: Settings, folder: Path, lists: dict[int, tuple[str, str]]) -> None:
    lines = [
        playlist(pid, title, [entry("Jay" if song == "i" else f"Artist {song}", f"Song {song}") for song in songs])
        for pid, (title, songs) in lists.items()
    ]
    ingest(settings, "playlists", [write_lines(folder / "playlists.jsonl", lines)])


def songs(answer: Answer) -> set[str]:
    return {track.title[-1] for track in answer.tracks}


@dataclass(frozen=True)
class World:
    """`LISTS` with a recommender of the split `held`, and one of everything that is the current one."""

    connection: psycopg.Connection
    held: EmbedSummary
    whole: EmbedSummary


@pytest.fixture(scope="module")
def world(shared_database: str, home: Path, encoder_folder: Path) -> Iterator[World]:
    settings = Settings(DATABASE_URL=shared_database, home=home, encoder=str(encoder_folder))
    load(settings, home, LISTS)
    divide(settings, "held", PARTS)
    divide(settings, "never built", PARTS)
    held = embed_titles(settings, split="held")
    with connect(settings, autocommit=True) as connection:
        yield World(connection, held, embed_titles(settings))


@pytest.fixture
def settings(database: str, home: Path, encoder_folder: Path, tmp_path: Path) -> Settings:
    """Settings of a database that holds `LISTS` and the split `held`, nothing embedded."""
    settings = Settings(DATABASE_URL=database, home=home, encoder=str(encoder_folder))
    load(settings, tmp_path, LISTS)
    divide(settings, "held", PARTS)
    return settings


# --- who answers -----------------------------------------------------------------------------------------------


def test_a_split_has_a_recommender_of_its_own_over_the_same_vectors(world: World) -> None:
    assert (world.held.split, world.whole.split) == ("held", None)
    assert world.held.model_id != world.whole.model_id
    assert (world.held.profiles, world.whole.profiles) == (3, 5)
    assert (world.held.embedded, world.whole.embedded, world.whole.already_there) == (5, 0, 5)
    assert recommender_as_of(world.connection, "held") == world.held.model_id
    current = "SELECT id FROM model WHERE kind = 'title-recommender' AND is_current"
    assert rows(world.connection, current) == [(world.whole.model_id,)]


@pytest.mark.parametrize("split", ["never built", "typo", ""])
def test_a_split_from_which_nothing_was_built_is_said_to_in_one_line(world: World, split: str) -> None:
    with pytest.raises(NotReadyError, match="recsys titles embed --split") as error:
        recommender_as_of(world.connection, split)
    assert "\n" not in str(error.value)


def test_a_model_that_is_no_recommender_does_not_answer(world: World) -> None:
    encoder = rows(world.connection, "SELECT id FROM model WHERE kind = 'title-encoder'")[0][0]
    for model in (encoder, 99):
        with pytest.raises(NotReadyError):
            recommend(world.connection, "gym", model=model)


# --- what it answers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["soft", "seed"])
@pytest.mark.parametrize("title", ["gym", "sleep", "jazz", "best of jay"])
def test_only_songs_of_the_train_part_are_voted_for(world: World, title: str, method: str) -> None:
    """A title of which the train part has no playlist is known, and answered by those that it has."""
    answer = recommend(world.connection, title, 20, method=method, model=world.held.model_id)  # type: ignore[arg-type]
    assert songs(answer) == TRAIN
    assert (answer.is_known, answer.is_stale) == (True, False)
    assert songs(recommend(world.connection, title, 20, method=method)) == ALL  # type: ignore[arg-type]


def test_the_papers_vote_counts_playlists_of_the_train_part(world: World) -> None:
    def counts(model: int | None) -> dict[str, float]:
        answer = recommend(world.connection, "gym", 20, method="seed", model=model)
        return {track.title[-1]: track.score for track in answer.tracks}

    assert counts(world.held.model_id) == {"a": 2, "b": 1, "d": 1, "e": 1, "f": 1}
    assert counts(None) == {"a": 3, "b": 1, "c": 1, "d": 2, "e": 2, "f": 1, "g": 1, "h": 1, "i": 2}


def test_an_artist_whom_only_held_out_playlists_hold_is_not_named(world: World) -> None:
    """Jay is in two playlists, both held out, and one of them is called after him."""

    def named(model: int | None) -> set[str]:
        answer = recommend(world.connection, "jay", 20, model=model, explain=True)
        return {voter.title for track in answer.tracks for voter in track.voted_by if voter.kind == "artist"}

    assert named(world.held.model_id) == set()
    assert named(None) == {"Jay"}


def test_names_of_songs_are_known_from_the_train_part(world: World) -> None:
    """Songs of two playlists at least, with what stands beside them there, the rarer ones first."""

    def named(model: int) -> dict[str, tuple[int, str]]:
        query = (
            "SELECT right(key, 1), playlists, (SELECT string_agg(right(t.title, 1), '' ORDER BY place)"
            " FROM unnest(track_ids) WITH ORDINALITY AS u (id, place) JOIN track AS t ON t.id = u.id)"
            " FROM song_profile WHERE model_id = %s"
        )
        return {key: (playlists, tracks) for key, playlists, tracks in rows(world.connection, query, model)}

    assert named(world.held.model_id) == {"a": (2, "abd")}
    assert named(world.whole.model_id) == {"a": (3, "abdi"), "d": (2, "dca"), "e": (2, "efg"), "i": (2, "iha")}


def test_an_explanation_names_titles_of_the_train_part(world: World) -> None:
    for method in ("soft", "seed"):
        answer = recommend(world.connection, "jazz", 20, method=method, model=world.held.model_id, explain=True)
        voters = {voter.title for track in answer.tracks for voter in track.voted_by}
        assert voters == {"gym", "sleep", "rock"}
        assert all(sum(voter.share for voter in track.voted_by) == pytest.approx(1) for track in answer.tracks)


def test_titles_of_the_train_part_are_near(world: World) -> None:
    def near(model: int | None) -> set[str]:
        return {found.title for found in similar_titles(world.connection, "jazz", 10, model=model)}

    assert near(world.held.model_id) == {"gym", "sleep", "rock"}
    assert near(None) == {"gym", "sleep", "rock", "best of jay"}


def test_a_title_is_spelt_like_those_of_the_train_part_only(world: World) -> None:
    def spelt(model: int) -> list[tuple[str]]:
        query = "SELECT t.name FROM spelt_titles('jaz', %s, 1) AS s JOIN title AS t ON t.id = s.title_id"
        return world.connection.execute(query, (model,)).fetchall()

    assert (spelt(world.held.model_id), spelt(world.whole.model_id)) == ([], [("jazz",)])


def test_a_split_answers_where_nothing_else_was_built(settings: Settings) -> None:
    model = embed_titles(settings, split="held").model_id
    with connect(settings, autocommit=True) as connection:
        for ask in (recommend, similar_titles):
            with pytest.raises(NotReadyError, match="recsys titles embed"):
                ask(connection, "gym")
        assert songs(recommend(connection, "gym", 20, model=model, explain=True)) == TRAIN
        assert songs(recommend(connection, "gym", 20, model=model, method="seed", explain=True)) == TRAIN
        assert similar_titles(connection, "gym", model=model)
        query = "SELECT title_id FROM title_voters(title_vector('gym', %s), model => %s, title_text => 'gym')"
        assert len(rows(connection, query, model, model)) == 3
        assert songs(recommend(connection, "never heard", 20, model=model)) == TRAIN


# --- building it again -----------------------------------------------------------------------------------------


def answers(settings: Settings, titles: Sequence[str] = ("gym", "sleep", "jazz", "best of jay")) -> list[object]:
    with connect(settings, autocommit=True) as connection:
        model = recommender_as_of(connection, "held")
        return [
            recommend(connection, title, 20, method=method, model=model, explain=True).tracks
            for title in titles
            for method in ("soft", "seed")
        ]


def test_what_is_held_out_changes_no_answer(settings: Settings, tmp_path: Path) -> None:
    embed_titles(settings, split="held")
    before = answers(settings)
    load(settings, tmp_path, {2: ("gym", "xyz"), 4: ("gym", "fff"), 5: ("rock", "bbb"), 6: ("Jay", "abcdefgh")})
    assert answers(settings) == before
    embed_titles(settings, split="held")
    assert answers(settings) == before


def test_a_split_that_was_loaded_over_is_said_to_be_stale(settings: Settings, tmp_path: Path) -> None:
    model = embed_titles(settings, split="held").model_id
    load(settings, tmp_path, {1: ("gym", "abz")})
    with connect(settings, autocommit=True) as connection:
        assert recommend(connection, "gym", model=model).is_stale
        embed_titles(settings, split="held")
        answer = recommend(connection, "gym", 20, model=model)
        assert (answer.is_stale, songs(answer)) == (False, TRAIN | {"z"})


def test_parameters_that_were_fitted_outlive_a_rebuild_of_their_own_recommender(settings: Settings) -> None:
    model = embed_titles(settings, split="held").model_id
    fitted = {"parameters": {"titles": 1}, "smoothing": {"kernel_share": 0.0, "low_rank_share": 0.0, "neighbours": 0}}
    with connect(settings, autocommit=True) as connection:
        connection.execute("UPDATE model SET config = config || %s WHERE id = %s", (json.dumps(fitted), model))
        assert embed_titles(settings, split="held").model_id == model
        whole = embed_titles(settings).model_id
        found: dict[int, dict[str, dict[str, float]]] = dict(
            rows(connection, "SELECT id, config FROM model WHERE kind = 'title-recommender'")
        )
        assert found[model]["parameters"] == {"titles": 1}
        assert (found[model]["smoothing"]["kernel_share"], found[model]["smoothing"]["neighbours"]) == (0, 0)
        assert found[whole]["parameters"] == {}
        # One title votes, with its own songs.
        assert songs(recommend(connection, "sleep", 20, model=model)) >= set("ef")
        assert songs(recommend(connection, "rock", 20, model=model)) == set("ad")


def test_the_encoder_that_was_built_last_answers_for_a_split(settings: Settings, tmp_path: Path) -> None:
    other = build_tiny_encoder(tmp_path / "other", dimension=16, seed=1)
    first = embed_titles(settings, split="held").model_id
    second = embed_titles(settings, str(other), split="held").model_id
    with connect(settings, autocommit=True) as connection:
        assert recommender_as_of(connection, "held") == second != first
        assert songs(recommend(connection, "gym", 20, model=second)) == TRAIN
        embed_titles(settings, split="held")
        assert recommender_as_of(connection, "held") == first


def test_what_was_built_from_a_split_does_not_answer_for_the_one_that_replaced_it(settings: Settings) -> None:
    """The new split may get the old one's number, and its test part holds playlists that the old model knows."""
    make_split(settings, "clean")
    built = embed_titles(settings, split="clean").model_id
    with connect(settings, autocommit=True) as connection:
        connection.execute(
            "UPDATE model SET config = jsonb_set(config, '{parameters}', %s) WHERE id = %s", ('{"titles": 1}', built)
        )
        assert recommender_as_of(connection, "clean") == built
        make_split(settings, "clean", seed=1, replace=True)
        with pytest.raises(NotReadyError, match="recsys titles embed --split clean"):
            recommender_as_of(connection, "clean")
        again = embed_titles(settings, split="clean").model_id
        assert recommender_as_of(connection, "clean") == again
        query = "SELECT config -> 'parameters' FROM model WHERE id = %s"
        assert rows(connection, query, again) == [({},)]


def test_a_split_that_does_not_exist_changes_nothing(settings: Settings) -> None:
    with pytest.raises(UnknownNameError, match="there is no split 'typo': there are held") as error:
        embed_titles(settings, split="typo")
    assert "\n" not in str(error.value)
    with connect(settings, autocommit=True) as connection:
        assert rows(connection, "SELECT count(*) FROM model") == [(0,)]
