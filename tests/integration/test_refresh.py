"""Nightly refresh of the title recommender: what it ends in is what building everything from nothing would."""

import random
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect, refresh_lock
from recsys.errors import BusyError, NotReadyError
from recsys.refresh import refresh
from recsys.titles import embed_titles, recommend
from recsys.titles.forget import bases_folder
from recsys.titles.refresh import TitleRefresh, refresh_titles
from tests.worlds import dump, entry, playlist, rows, write_lines

pytestmark = pytest.mark.usefixtures("one_thread")

TASTES, OTHER_WORDS = ["jazz", "gym", "sleep", "party"], ["mix", "songs", "artist 3", "my"]
PLAYLISTS = 80
FIRST = date(2026, 1, 1)
DERIVED = ("title_profile", "learned_profile", "artist_profile", "song_profile", "title_embedding")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home, so that the encoder is exported once."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def settings(database: str, home: Path, encoder_folder: Path) -> Settings:
    """Of a database of its own."""
    return Settings(DATABASE_URL=database, home=home, encoder=str(encoder_folder))


Lists = dict[int, dict[str, object]]


def made_up(chance: random.Random, number: int, day: int, songs: int = 9) -> dict[str, object]:
    """A playlist of songs of a taste, some of them in several releases, some without a URI."""
    taste = chance.choice(TASTES)
    chosen = chance.sample(range(songs), chance.randint(3, 6))
    tracks = [
        entry(f"Artist {song % 7}", f"{taste} {song}", chance.choice([None, f"u:{taste}{song}a", f"u:{taste}{song}b"]))
        for song in chosen
    ]
    title = f"{taste} {chance.choice(OTHER_WORDS)}" if chance.random() < 0.9 else f"{taste} {song_of(chosen)}"
    return playlist(number, title, tracks, snapshot=str(FIRST + timedelta(day)))


def song_of(chosen: Sequence[int]) -> int:
    return chosen[0]


def nights(count: int, seed: int) -> list[list[dict[str, object]]]:
    """The first night's playlists, then what each further night changes: some change or move, some come, songs too."""
    chance = random.Random(seed)
    states = [[made_up(chance, number, 0) for number in range(PLAYLISTS)]]
    for night in range(1, count):
        changed = chance.sample(range(PLAYLISTS), 3)
        come = range(1000 * night, 1000 * night + 3)
        states.append([made_up(chance, number, night, songs=9 + night) for number in (*changed, *come)])
    # The last night renames the only playlist of a title, empties another one, and fills one that was empty.
    states[-1] += [
        playlist(7777, "only once", [entry("Somebody", "only here")], snapshot=str(FIRST)),
        playlist(7778, "not begun", [], snapshot=str(FIRST)),
    ]
    begun = playlist(7778, "not begun", [entry("Artist 1", "jazz 1")], snapshot=str(FIRST + timedelta(99)))
    gone = playlist(7777, "another name", [entry("Somebody", "there now")], snapshot=str(FIRST + timedelta(99)))
    emptied = playlist(0, "nothing left", [], snapshot=str(FIRST + timedelta(99)))
    return [*states, [gone, emptied, begun]]


def load(settings: Settings, folder: Path, playlists: Sequence[object]) -> None:
    ingest(settings, "playlists", [write_lines(folder / "playlists.jsonl", playlists)])


Weights = dict[tuple[object, ...], dict[int, float]]


def derived(connection: psycopg.Connection) -> dict[str, Weights]:
    """Of every row that votes: what is not a list -> track -> weight."""
    return {
        table: {tuple(head): dict(zip(tracks, weights, strict=True)) for *head, tracks, weights in rows_}
        for table, rows_ in dump(connection, DERIVED[:-1]).items()
    }


def about(found: dict[str, Weights]) -> dict[str, Any]:
    """The same but for the last digits, which differ with how many titles are worked out at once."""
    return {table: {key: pytest.approx(own, rel=1e-4) for key, own in made.items()} for table, made in found.items()}


def vectors(connection: psycopg.Connection) -> dict[tuple[int, int], list[float]]:
    """Model and title -> vector."""
    query = "SELECT model_id, title_id, embedding::real[] FROM title_embedding"
    return {(model, title): vector for model, title, vector in rows(connection, query)}


def refreshed(settings: Settings, *, whole: bool = False) -> TitleRefresh:
    with connect(settings) as connection:
        done = refresh_titles(settings, connection, whole=whole)
    assert done is not None
    return done


@pytest.mark.parametrize("adapt", [True, False])
@pytest.mark.parametrize("seed", [0, 1])
def test_refreshed_night_after_night_is_what_is_built_from_nothing(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path, adapt: bool, seed: int
) -> None:
    first, *later = nights(5, seed)
    load(settings, tmp_path, first)
    embed_titles(settings, adapt=adapt)
    before = derived(connection)
    for night in later:
        load(settings, tmp_path, night)
        refreshed(settings)
    by_night, placed = derived(connection), vectors(connection)
    assert all(by_night[table] != before[table] for table in by_night if adapt or table != "learned_profile")
    assert rows(connection, "SELECT FROM title JOIN title_profile ON title_id = id WHERE name = 'only once'") == []
    for table in DERIVED:
        connection.execute(f"DELETE FROM {table} WHERE model_id = current_model('title-recommender')")
    assert refreshed(settings, whole=True).changed == 0
    assert derived(connection) == about(by_night)
    assert vectors(connection) == {key: pytest.approx(vector, abs=1e-5) for key, vector in placed.items()}


def test_only_what_is_touched_is_written(settings: Settings, connection: psycopg.Connection, tmp_path: Path) -> None:
    load(settings, tmp_path, nights(1, seed=3)[0])
    embed_titles(settings, adapt=True)
    query = "SELECT t.name, p.ctid FROM title_profile AS p JOIN title AS t ON t.id = p.title_id"
    before = dict(rows(connection, query))
    load(settings, tmp_path, [playlist(500, "jazz mix", [entry("Artist 1", "jazz 1"), entry("New", "never heard")])])
    done = refreshed(settings)
    assert (done.changed, done.embedded, done.profiles, done.later) == (1, 0, 1, 1)
    after = dict(rows(connection, query))
    assert [name for name, place in before.items() if after[name] != place] == ["jazz mix"]
    held = "SELECT EXISTS (SELECT FROM track AS t WHERE t.title = 'never heard' AND t.id = ANY(p.track_ids))"
    found = rows(connection, f"{held} FROM title_profile AS p JOIN title AS t ON t.id = title_id AND name = 'jazz mix'")
    assert found == [(True,)]


def test_a_new_title_answers_without_a_training(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path, nights(1, seed=4)[0])
    embed_titles(settings, adapt=True)
    models = rows(connection, "SELECT id, fingerprint FROM model ORDER BY id")
    tracks = [entry("Nobody", f"unheard {number}", f"u:{number}") for number in range(4)]
    load(settings, tmp_path, [playlist(n, "deep sea diving", tracks) for n in (900, 901)])
    assert recommend(connection, "deep sea diving").is_stale
    done = refreshed(settings)
    assert (done.changed, done.embedded, done.profiles) == (2, 1, 1)
    answer = recommend(connection, "deep sea diving", 40)
    assert (answer.is_known, answer.is_stale) == (True, False)
    assert {f"u:{number}" for number in range(4)} <= {track.uri for track in answer.tracks}
    assert rows(connection, "SELECT id, fingerprint FROM model ORDER BY id") == models
    assert refreshed(settings) == TitleRefresh(done.model_id, done.name, done.playlists, 0, 0, 0, 2)


def test_a_recommender_that_learned_too_little_of_what_there_is_is_named(settings: Settings, tmp_path: Path) -> None:
    first, *_ = nights(1, seed=5)
    load(settings, tmp_path, first)
    embed_titles(settings, adapt=False)
    load(settings, tmp_path, [playlist(n, "gym mix", [entry("A", f"song {n}")]) for n in range(2000, 2012)])
    [_, titles] = refresh(settings)
    assert titles.state == "refreshed"
    assert titles.advice == "it learned before 13% of the playlists were there: run `recsys titles embed`"
    embed_titles(settings, adapt=False)
    [_, titles] = refresh(settings)
    assert (titles.state, titles.advice) == ("unchanged", None)


def test_what_a_refresh_cannot_do_is_said(settings: Settings, connection: psycopg.Connection, tmp_path: Path) -> None:
    assert list(refresh(settings)) == []
    load(settings, tmp_path, nights(1, seed=6)[0])
    summary = embed_titles(settings, adapt=False)
    with connect(settings) as other, refresh_lock(other, settings.db_schema), pytest.raises(BusyError, match="another"):
        list(refresh(settings))
    load(settings, tmp_path, [playlist(500, "jazz mix", [entry("Artist 1", "jazz 1")])])
    [(folder,)] = rows(connection, "SELECT config #>> '{built,folder}' FROM model WHERE id = %s", summary.model_id)
    for file in (bases_folder(settings) / folder).iterdir():
        file.write_bytes(b"cut off")
    before = derived(connection)
    [_, failed] = refresh(settings)
    assert failed.state == "failed"
    assert failed.found.endswith("is missing or damaged: run `recsys titles embed`")
    connection.execute("UPDATE model SET config = config - 'built'")
    with pytest.raises(NotReadyError, match="built by another version of recsys: run `recsys titles embed`"):
        refreshed(settings)
    assert derived(connection) == before


def test_an_interrupted_refresh_leaves_what_was_there(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path, nights(1, seed=7)[0])
    embed_titles(settings, adapt=True)
    before = derived(connection)
    load(settings, tmp_path, [playlist(n, "gym mix", [entry("A", f"song {n}")]) for n in range(2000, 2003)])

    class Stop(Exception):  # noqa: N818 -- no error, a person's decision
        pass

    def stop(step: str, _done: int, _all: int) -> None:
        if step == "hearing neighbours":
            raise Stop

    with connect(settings) as own, pytest.raises(Stop):
        refresh_titles(settings, own, stop)
    assert derived(connection) == before
    assert refreshed(settings).changed == 3


def test_an_older_basis_is_removed(settings: Settings, tmp_path: Path) -> None:
    load(settings, tmp_path, nights(1, seed=8)[0])
    for _ in range(2):
        embed_titles(settings, adapt=False)
    load(settings, tmp_path, [playlist(500, "jazz mix", [entry("Artist 1", "jazz 1")])])
    with connect(settings) as connection:
        [(folder,)] = rows(connection, "SELECT config #>> '{built,folder}' FROM model WHERE config ? 'built'")
    refreshed(settings)
    kept = {file.name for file in (bases_folder(settings) / folder).iterdir()}
    assert kept == {"basis.safetensors", "held-2.safetensors"}
