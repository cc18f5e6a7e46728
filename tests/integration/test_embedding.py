"""Titles into vectors: each once, going on where it was interrupted, and answers that come from them."""

import json
import math
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from scipy import sparse

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect
from recsys.errors import EncoderError, NotReadyError
from recsys.titles import EmbedSummary, embed_titles, recommend, similar_titles, vectors
from recsys.titles.encoder import find_encoder
from recsys.titles.smoothing import Smoothing, smoothed_profiles
from tests.tiny_encoder import build_tiny_encoder

PLAYLISTS = {
    1: ("Summer Mix", "abc"),
    2: ("summer mix!", "ab"),
    3: ("sleep", "def"),
    4: ("Road Trip", "ag"),
    5: ("gym", "gh"),
    6: ("  ", "a"),
    7: ("🔥🔥", "bh"),
    8: ("rock music for the road", "gc"),
    9: ("SLEEP", "de"),
}
TITLES = {"summer mix", "sleep", "road trip", "gym", "🔥🔥", "rock music for the road"}
LATER = {10: ("jazz", "ef"), 11: ("Gym", "g")}


def load(settings: Settings, folder: Path, playlists: dict[int, tuple[str, str]]) -> None:
    """Load playlists; every letter is a track of a song of its own."""
    lines = [
        {
            "pid": pid,
            "name": name,
            "tracks": [
                {
                    "track_name": f"Song {letter}",
                    "artist_name": f"Artist {letter}",
                    "track_uri": f"spotify:track:{letter}",
                }
                for letter in letters
            ],
        }
        for pid, (name, letters) in playlists.items()
    ]
    file = folder / f"{min(playlists)}.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    ingest(settings, "playlists", [file])


@pytest.fixture(scope="module")
def embedded(shared_database: str, home: Path, encoder_folder: Path) -> tuple[Settings, EmbedSummary]:
    """`PLAYLISTS`, loaded and embedded without an interruption; only read."""
    settings = Settings(DATABASE_URL=shared_database, home=home, encoder=str(encoder_folder))
    load(settings, home, PLAYLISTS)
    return settings, embed_titles(settings)


@pytest.fixture
def settings(database: str, home: Path, encoder_folder: Path, tmp_path: Path) -> Settings:
    """Settings of a database that holds `PLAYLISTS`, nothing embedded."""
    settings = Settings(DATABASE_URL=database, home=home, encoder=str(encoder_folder))
    load(settings, tmp_path, PLAYLISTS)
    return settings


@pytest.fixture
def reading(embedded: tuple[Settings, EmbedSummary]) -> Iterator[psycopg.Connection]:
    with connect(embedded[0], autocommit=True) as connection:
        yield connection


def encoder_of(connection: psycopg.Connection, recommender: int) -> int:
    row = connection.execute(
        "SELECT (config ->> 'encoder')::bigint FROM model WHERE id = %s", (recommender,)
    ).fetchone()
    assert row is not None
    return int(row[0])


def vectors_of(connection: psycopg.Connection, encoder: int) -> dict[str, list[float]]:
    rows = connection.execute(
        "SELECT t.name, e.embedding::real[] FROM title_embedding AS e JOIN title AS t ON t.id = e.title_id"
        " WHERE e.model_id = %s ORDER BY t.id",
        (encoder,),
    )
    return dict(rows.fetchall())


def profiles_of(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT t.name, p.model_id, p.playlists, p.track_ids, p.weights"
        "  FROM title_profile AS p JOIN title AS t ON t.id = p.title_id ORDER BY 1, 2"
    ).fetchall()


def encoded(settings: Settings, encoder: Path, names: list[str]) -> list[list[float]]:
    found = find_encoder(str(encoder), settings.models_folder)
    assert found is not None
    vectors: list[list[float]] = [found.encode([name])[0].tolist() for name in names]
    return vectors


def test_every_distinct_title_is_embedded_once(
    embedded: tuple[Settings, EmbedSummary], reading: psycopg.Connection, encoder_folder: Path
) -> None:
    settings, summary = embedded
    vectors = vectors_of(reading, encoder_of(reading, summary.model_id))
    assert set(vectors) == TITLES
    expected = encoded(settings, encoder_folder, list(vectors))
    assert list(vectors.values()) == [pytest.approx(vector, abs=1e-5) for vector in expected]
    assert np.linalg.norm(list(vectors.values()), axis=1) == pytest.approx(1, abs=1e-5)
    assert len({tuple(vector) for vector in vectors.values()}) == len(TITLES)
    assert summary == EmbedSummary(
        model_id=2,
        encoder=str(encoder_folder),
        dimension=32,
        split=None,
        embedded=len(TITLES),
        already_there=0,
        adapted_to=0,
        profiles=len(TITLES),
        has_index=False,
    )


Weights = dict[str, float]
"""Letter -> weight."""


def lettered(connection: psycopg.Connection) -> dict[str, Weights]:
    """Title -> its profile in letters."""
    letter_of = dict(connection.execute("SELECT id, right(uri, 1) FROM track").fetchall())
    query = "SELECT t.name, p.track_ids, p.weights FROM title_profile AS p JOIN title AS t ON t.id = p.title_id"
    return {
        title: {letter_of[track]: weight for track, weight in zip(tracks, weights, strict=True)}
        for title, tracks, weights in connection.execute(query)
    }


def mean_heard(
    title: str,
    profiles: dict[str, Weights],
    vectors: dict[str, list[float]],
    playlists: dict[str, int],
    balance: float,
) -> Weights:
    """What all titles say to one, of mass 1: their profiles by nearness, at the temperature of neighbours and vote."""
    heard: Weights = defaultdict(float)
    for other, profile in profiles.items():
        distance = float(np.dot(vectors[title], vectors[other])) - 1
        for letter, weight in profile.items():
            heard[letter] += weight * math.exp(distance / 0.15) / playlists[other] ** balance
    whole = sum(heard.values())
    return {letter: weight / whole for letter, weight in heard.items()}


def test_a_profile_is_the_mean_of_the_smoothed_ones_of_all_titles_by_nearness(reading: psycopg.Connection) -> None:
    vectors = vectors_of(reading, 1)
    lists = [(title.lower().strip(" !"), letters) for title, letters in PLAYLISTS.values()]
    playlists = Counter(title for title, _ in lists)
    counts = [
        [sum(letter in held for name, held in lists if name == title) for letter in "abcdefgh"] for title in vectors
    ]
    own = smoothed_profiles(sparse.csr_matrix(np.array(counts, dtype=np.float32)), Smoothing())
    smoothed = {
        title: {
            "abcdefgh"[song]: float(weight)
            for song, weight in zip(own.songs[own_part], own.weights[own_part], strict=True)
        }
        for title, own_part in zip(vectors, map(slice, own.starts[:-1], own.starts[1:]), strict=True)
    }
    assert lettered(reading) == {
        title: pytest.approx(mean_heard(title, smoothed, vectors, playlists, balance=0.3), rel=1e-4)
        for title in vectors
    }
    assert {title: count for title, _, count, *_ in profiles_of(reading)} == playlists - Counter({"": 9})


def assert_answered_by_profiles(connection: psycopg.Connection, title: str) -> None:
    """All titles vote by nearness alone: their profiles have one mass, however many playlists they have."""
    vectors = vectors_of(connection, 1)
    found = {(track.uri or "")[-1]: track.score for track in recommend(connection, title, 100).tracks}
    expected = mean_heard(title.lower(), lettered(connection), vectors, dict.fromkeys(vectors, 1), balance=0)
    assert found == pytest.approx(expected, rel=1e-4)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_profiles_answer(reading: psycopg.Connection) -> None:
    assert_answered_by_profiles(reading, "Summer Mix")
    assert_answered_by_profiles(reading, "sleep")
    assert {title.title for title in similar_titles(reading, "Summer Mix", 10)} == TITLES - {"summer mix"}


def test_a_second_run_embeds_nothing(settings: Settings) -> None:
    first = embed_titles(settings)
    with connect(settings) as connection:
        before = vectors_of(connection, encoder_of(connection, first.model_id)), profiles_of(connection)
    steps: list[str] = []
    second = embed_titles(settings, progress=lambda step, _done, _all: steps.append(step))
    with connect(settings) as connection:
        assert (vectors_of(connection, encoder_of(connection, first.model_id)), profiles_of(connection)) == before
    assert (second.model_id, second.embedded, second.already_there) == (first.model_id, 0, len(TITLES))
    assert "embedding titles" not in steps


def test_only_new_titles_are_embedded_after_another_load(settings: Settings, tmp_path: Path) -> None:
    embed_titles(settings)
    load(settings, tmp_path, LATER)
    with connect(settings, autocommit=True) as connection:
        assert recommend(connection, "gym").is_stale
        assert not recommend(connection, "jazz").is_known
        before = vectors_of(connection, 1)
        summary = embed_titles(settings)
        assert (summary.embedded, summary.already_there, summary.profiles) == (1, len(TITLES), len(TITLES) + 1)
        assert vectors_of(connection, 1).items() > before.items()
        answer = recommend(connection, "jazz", 1)
        assert (answer.is_known, answer.is_stale) == (True, False)
        assert_answered_by_profiles(connection, "jazz")
        assert lettered(connection)["jazz"]["e"] > max(lettered(connection)["jazz"][letter] for letter in "abcdh")
        counts = {title: playlists for title, _, playlists, *_ in profiles_of(connection)}
        assert counts["gym"] == 2


def test_progress_counts_up_to_the_last_title(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "BATCH", 4)
    seen: list[tuple[str, int, int]] = []
    embed_titles(settings, progress=lambda *step: seen.append(step))
    assert [step[1:] for step in seen if step[0] == "embedding titles"] == [(4, 6), (6, 6)]


class Stop(Exception):  # noqa: N818 -- no error, a person's decision
    """Somebody pressed a key."""


def test_an_interrupted_run_goes_on_and_ends_the_same(
    settings: Settings, reading: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "BATCH", 2)

    def stop_in_the_third_batch(step: str, done: int, _all: int) -> None:
        if step == "embedding titles" and done == 6:
            raise Stop

    with pytest.raises(Stop):
        embed_titles(settings, progress=stop_in_the_third_batch)
    with connect(settings, autocommit=True) as connection:
        assert len(vectors_of(connection, 1)) == 4
        with pytest.raises(NotReadyError):
            recommend(connection, "gym")
        summary = embed_titles(settings)
        assert (summary.embedded, summary.already_there) == (2, 4)
        found, uninterrupted = vectors_of(connection, 1), vectors_of(reading, 1)
        assert found == {name: pytest.approx(vector, abs=1e-5) for name, vector in uninterrupted.items()}
        assert profiles_of(connection) == profiles_of(reading)


def test_another_encoder_is_a_second_model_and_answers_from_then_on(settings: Settings, tmp_path: Path) -> None:
    other = build_tiny_encoder(tmp_path / "other", dimension=16, seed=1)
    first = embed_titles(settings)
    with connect(settings, autocommit=True) as connection:
        before = vectors_of(connection, encoder_of(connection, first.model_id))
        second = embed_titles(settings, str(other))
        assert (second.model_id, second.dimension, second.embedded) == (first.model_id + 2, 16, len(TITLES))
        assert vectors_of(connection, encoder_of(connection, first.model_id)) == before
        vectors = vectors_of(connection, encoder_of(connection, second.model_id))
        expected = encoded(settings, other, list(vectors))
        assert list(vectors.values()) == [pytest.approx(vector, abs=1e-5) for vector in expected]
        current = "SELECT id, name FROM model WHERE is_current AND kind = 'title-recommender'"
        assert connection.execute(current).fetchall() == [(second.model_id, str(other))]
        assert {title.title for title in similar_titles(connection, "gym", 10)} == TITLES - {"gym"}
        # The unseen title is read by the second encoder too: with the first one's 32 numbers it would be refused.
        assert len(recommend(connection, "sad songs", 4).tracks) == 4
        back = embed_titles(settings)
        assert (back.model_id, back.embedded, back.already_there) == (first.model_id, 0, len(TITLES))
        assert connection.execute(current).fetchall() == [(first.model_id, first.encoder)]


def test_without_titles_there_is_nothing_to_embed(database: str, home: Path, encoder_folder: Path) -> None:
    settings = Settings(DATABASE_URL=database, home=home, encoder=str(encoder_folder))
    with pytest.raises(NotReadyError, match="recsys ingest"):
        embed_titles(settings)
    load(settings, home, {6: PLAYLISTS[6]})
    with pytest.raises(NotReadyError, match="recsys ingest"):
        embed_titles(settings)


def test_an_encoder_that_is_not_there_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    embed_titles(settings)
    with pytest.raises(EncoderError):
        embed_titles(settings, str(tmp_path / "nowhere"))
    with connect(settings, autocommit=True) as connection:
        assert recommend(connection, "gym").is_known
        assert connection.execute("SELECT count(*) FROM model").fetchone() == (2,)


ASK = """
import sys
from recsys.config import load_settings
from recsys.database import connect
from recsys.titles import recommend
with connect(load_settings(), autocommit=True) as connection:
    answer = recommend(connection, sys.argv[1], explain=True)
heavy = ("torch", "transformers", "sentence_transformers", "sqlalchemy", "onnxruntime", "tokenizers")
print(answer.is_known, len(answer.tracks), *(name for name in heavy if name in sys.modules))
"""


@pytest.mark.parametrize(("title", "expected"), [("Gym!", "True 8"), ("never heard", "False 8 onnxruntime tokenizers")])
def test_an_answer_needs_no_torch(embedded: tuple[Settings, EmbedSummary], title: str, expected: str) -> None:
    environment = os.environ | {"DATABASE_URL": str(embedded[0].database_url), "RECSYS_HOME": str(embedded[0].home)}
    command = [sys.executable, "-c", ASK, title]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.strip() == expected


def test_titles_that_no_playlist_carries_any_more_take_no_votes(settings: Settings, tmp_path: Path) -> None:
    embed_titles(settings)
    load(settings, tmp_path, dict.fromkeys(PLAYLISTS, ("Gym", "gh")))
    with connect(settings) as connection:
        assert recommend(connection, "gym").is_stale
    summary = embed_titles(settings)
    assert (summary.embedded, summary.profiles) == (0, 1)
    with connect(settings) as connection:
        answer = recommend(connection, "summer mix")
        assert {track.title for track in answer.tracks} == {"Song g", "Song h"}
        assert not answer.is_stale


def test_a_load_that_changes_no_playlist_leaves_the_profiles_fresh(settings: Settings, tmp_path: Path) -> None:
    embed_titles(settings)
    load(settings, tmp_path, PLAYLISTS)
    line = {"id": "t", "dj": "DJ", "tracks": [{"title": "Song a", "artists": ["Artist a"]}]}
    file = tmp_path / "tracklists.jsonl"
    file.write_text(json.dumps(line), encoding="utf-8")
    assert ingest(settings, "tracklists", [file]).counts.stored == 1
    with connect(settings) as connection:
        assert not recommend(connection, "gym").is_stale
