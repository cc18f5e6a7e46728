"""Every method measured on held-out playlists, and parameters fitted on them, over a world that can be counted."""

import json
import random
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect
from recsys.errors import NotReadyError, UnknownNameError
from recsys.evaluation.metrics import score_list
from recsys.evaluation.titles import HeldOut, evaluate_titles, explain_playlist, held_out, validation_score
from recsys.titles import embed_titles
from recsys.titles.splits import make_split
from recsys.titles.tuning import PARAMETERS, TuneSummary, tune_titles

TITLES = ["summer mix", "road trip", "sleep", "gym", "rock music", "jazz", "party", "chill"]
PLAYLISTS = 80


def write_playlists(file: Path) -> Path:
    """Playlists whose songs hang on their titles, and a few songs that stand everywhere."""
    chance = random.Random(5)
    lines = []
    for pid in range(PLAYLISTS):
        title = chance.choice(TITLES)
        own = [f"{title} {chance.randrange(12)}" for _ in range(6)]
        songs = dict.fromkeys([*own, *(f"hit {chance.randrange(4)}" for _ in range(2))])
        tracks = [
            {"track_name": f"Song {song}", "artist_name": f"Artist {song[:3]}", "track_uri": f"spotify:track:{song}"}
            for song in (name.replace(" ", "_") for name in songs)
        ]
        lines.append({"pid": pid, "name": title.upper() if pid % 2 else title, "tracks": tracks})
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def world(shared_database: str, home: Path, encoder_folder: Path) -> tuple[Settings, psycopg.Connection]:
    """The playlists, a clean and a seed-like split, and recommenders; only read."""
    settings = Settings(DATABASE_URL=shared_database, home=home, encoder=str(encoder_folder))
    ingest(settings, "playlists", [write_playlists(home / "playlists.jsonl")])
    make_split(settings, "clean", protocol="clean", seed=1, fractions=(0.6, 0.2, 0.2))
    make_split(settings, "unbuilt", protocol="clean", seed=2)
    embed_titles(settings, split="clean")
    return settings, connect(settings, autocommit=True)


def train_playlists(connection: psycopg.Connection) -> dict[int, tuple[str, set[int]]]:
    playlists: dict[int, tuple[str, set[int]]] = {}
    for playlist, title, track in connection.execute(
        "SELECT p.id, t.name, pt.track_id FROM playlist p JOIN title t ON t.id = p.title_id"
        "  JOIN playlist_track pt ON pt.playlist_id = p.id"
        "  JOIN playlist_split s ON s.playlist_id = p.id AND s.part = 'train'"
        "  JOIN split ON split.id = s.split_id AND split.name = 'clean'"
    ):
        playlists.setdefault(playlist, (title, set()))[1].add(track)
    return playlists


def validation(connection: psycopg.Connection) -> HeldOut:
    row = connection.execute("SELECT id FROM split WHERE name = 'clean'").fetchone()
    assert row is not None
    return held_out(connection, row[0], "validation")


def test_held_out_playlists_are_those_of_the_part(world: tuple[Settings, psycopg.Connection]) -> None:
    _, connection = world
    part = validation(connection)
    assert len(part.playlist_ids) == 16
    assert not set(part.playlist_ids) & set(train_playlists(connection))
    for playlist, title, tracks in zip(part.playlist_ids, part.titles, part.tracks, strict=True):
        rows = connection.execute(
            "SELECT t.name, pt.track_id FROM playlist p JOIN title t ON t.id = p.title_id"
            " JOIN playlist_track pt ON pt.playlist_id = p.id WHERE p.id = %s",
            (playlist,),
        ).fetchall()
        assert {row[0] for row in rows} == {title}
        assert tracks.tolist() == sorted({row[1] for row in rows})


def test_baselines_are_what_a_loop_over_the_train_part_gives(world: tuple[Settings, psycopg.Connection]) -> None:
    settings, connection = world
    results = {r.method: r for r in evaluate_titles(settings, "clean", keep=False)}
    train = train_playlists(connection)
    holders = Counter(track for _, tracks in train.values() for track in tracks)
    of_title: dict[str, Counter[int]] = defaultdict(Counter)
    for title, tracks in train.values():
        of_title[title].update(tracks)
    part = validation(connection)
    for place, (title, truth) in enumerate(zip(part.titles, part.tracks, strict=True)):
        popular = sorted(holders, key=lambda t: (-holders[t], t))
        own = sorted(holders, key=lambda t: (-of_title[title][t], -holders[t], t))
        for method, ranked in (("popularity", popular), ("exact title", own)):
            for key, value in score_list(ranked, truth.tolist(), {}, "clean").items():
                if "r_precision" not in key[0] or key[0] == "r_precision_tracks":
                    assert results[method].scores[key][place] == pytest.approx(value), (method, key)


def test_our_vote_is_better_than_popularity_where_titles_tell_songs(
    world: tuple[Settings, psycopg.Connection],
) -> None:
    results = {r.method.split(",")[0]: r for r in evaluate_titles(world[0], "clean", keep=False)}
    popular = results["popularity"].mean("r_precision_tracks", 500)
    assert results["ours"].mean("r_precision_tracks", 500) > 1.1 * popular


def test_results_are_kept_in_the_leaderboard(world: tuple[Settings, psycopg.Connection]) -> None:
    settings, connection = world
    results = evaluate_titles(settings, "clean", "test", limit=5)
    rows = connection.execute(
        "SELECT method, value, playlists FROM leaderboard"
        " WHERE subject = 'titles' AND split = 'clean' AND part = 'test' AND metric = 'ndcg' AND k = 500"
    ).fetchall()
    assert {row[0]: row[1] for row in rows} == {r.method: pytest.approx(r.mean("ndcg", 500), abs=1e-6) for r in results}
    assert {row[2] for row in rows} == {5}


def test_one_playlist_explains_itself(world: tuple[Settings, psycopg.Connection]) -> None:
    settings, connection = world
    part = validation(connection)
    trials = explain_playlist(settings, "clean", part.playlist_ids[0])
    assert [t.method.split(",")[0] for t in trials][:3] == ["popularity", "exact title", "title kernel"]
    for trial in trials:
        assert trial.title == part.titles[0]
        assert len(trial.truth) == len(part.tracks[0])
        assert [trial.answer[rank - 1] in trial.truth for rank in trial.hits] == [True] * len(trial.hits)
    seen = min(train_playlists(connection))
    with pytest.raises(UnknownNameError, match=f"playlist {seen} is not held out in the split clean"):
        explain_playlist(settings, "clean", seen)


def test_what_was_not_built_names_its_mend(world: tuple[Settings, psycopg.Connection]) -> None:
    with pytest.raises(NotReadyError, match="recsys titles embed --split unbuilt"):
        evaluate_titles(world[0], "unbuilt")
    with pytest.raises(UnknownNameError, match="there is no split"):
        evaluate_titles(world[0], "none")


@pytest.fixture
def own_world(database: str, exported_home: Path, encoder_folder: Path, tmp_path: Path) -> Settings:
    home = shutil.copytree(exported_home, tmp_path / "home")
    settings = Settings(DATABASE_URL=database, home=home, encoder=str(encoder_folder))
    ingest(settings, "playlists", [write_playlists(tmp_path / "playlists.jsonl")])
    make_split(settings, "clean", protocol="clean", seed=1, fractions=(0.6, 0.2, 0.2))
    embed_titles(settings)
    embed_titles(settings, split="clean")
    return settings


def test_tuning_keeps_the_best_of_what_it_tried_with_all_recommenders_of_the_encoder(own_world: Settings) -> None:
    wanted = {"artist": 1.0, "temperature": 0.2, "titles": 40.0, "smoothing": -0.3, "spelling": 0.6}

    def score(model: int) -> float:
        with connect(own_world, autocommit=True) as connection:
            row = connection.execute("SELECT config -> 'parameters' FROM model WHERE id = %s", (model,)).fetchone()
        assert row is not None
        return -sum(abs(row[0].get(name, 99) - value) for name, value in wanted.items())

    summary = tune_titles(own_world, "clean", score, profiles=False)
    assert summary.parameters == wanted
    assert summary.after == 0
    assert len(summary.trials) == sum(map(len, PARAMETERS.values()))
    with connect(own_world, autocommit=True) as connection:
        stored = connection.execute("SELECT config -> 'parameters' FROM model WHERE kind = 'title-recommender'")
        assert [row[0] for row in stored] == [wanted, wanted]


def test_tuning_the_profiles_leaves_those_of_the_choice(own_world: Settings) -> None:
    def weights(model: int) -> list[list[float]]:
        with connect(own_world, autocommit=True) as connection:
            query = "SELECT weights FROM title_profile WHERE model_id = %s ORDER BY title_id"
            return [row[0] for row in connection.execute(query, (model,))]

    seen: dict[int, list[list[float]]] = {}

    def score(model: int) -> float:
        seen[len(seen)] = weights(model)
        return 1.0 if len(seen) == 3 else 0.0

    summary: TuneSummary = tune_titles(own_world, "clean", score)
    assert (summary.smoothing["kernel_share"], summary.after) == (0.3, 1.0)
    assert weights(summary.model_id) == seen[2]


def test_an_interrupted_tuning_leaves_what_was_there_and_goes_on(own_world: Settings) -> None:
    settings = ("parameters", "smoothing")

    def state() -> list[object]:
        with connect(own_world, autocommit=True) as connection:
            models = "SELECT id, config -> 'parameters', config -> 'smoothing' FROM model ORDER BY id"
            profiles = "SELECT * FROM title_profile ORDER BY model_id, title_id"
            return [connection.execute(query).fetchall() for query in (models, profiles)]

    def score(model: int) -> float:
        """Better with every trial, until somebody presses Ctrl-C."""
        if len(seen) == last:
            raise KeyboardInterrupt
        with connect(own_world, autocommit=True) as connection:
            row = connection.execute("SELECT config FROM model WHERE id = %s", (model,)).fetchone()
        assert row is not None
        seen.append({name: row[0][name] for name in settings})
        return len(seen)

    seen: list[dict[str, object]] = []
    before = state()
    for last in (1, 5, 25):
        with pytest.raises(KeyboardInterrupt):
            tune_titles(own_world, "clean", score)
        assert len(seen) == last
        assert state() == before
    last = 1_000
    summary = tune_titles(own_world, "clean", score)
    assert (summary.before, summary.after) == (1, len(seen))
    assert all(earlier != later for place, later in enumerate(seen) for earlier in seen[:place])
    assert state() != before
    with connect(own_world, autocommit=True) as connection:
        query = "SELECT config -> 'parameters', config ? 'tuning' FROM model WHERE kind = 'title-recommender'"
        assert connection.execute(query).fetchall() == [(summary.parameters, False)] * 2


def test_what_a_killed_tuning_was_trying_is_not_taken_up(own_world: Settings) -> None:
    with connect(own_world, autocommit=True) as connection:
        connection.execute(
            "UPDATE model SET config = config || %s WHERE config ->> 'split' IS NOT NULL",
            (
                Jsonb(
                    {
                        "parameters": {"artist": 4.0},
                        "smoothing": {"kernel_share": 0.0},
                        "tuning": {
                            "measured": "",
                            "scores": {},
                            "start": {"parameters": {"artist": 1.0}, "smoothing": {}},
                        },
                    }
                ),
            ),
        )
        made = embed_titles(own_world, split="clean")
        query = "SELECT config -> 'parameters', config -> 'smoothing', config ? 'tuning' FROM model WHERE id = %s"
        assert connection.execute(query, (made.model_id,)).fetchone() == ({"artist": 1.0}, {}, False)


def test_scores_come_from_the_validation_part(own_world: Settings) -> None:
    with connect(own_world, autocommit=True) as connection:
        row = connection.execute("SELECT id FROM model WHERE config ->> 'split' IS NOT NULL").fetchone()
    assert row is not None
    [ours] = [r for r in evaluate_titles(own_world, "clean", keep=False) if r.method.startswith("ours")]
    expected = (2 * ours.mean("r_precision_tracks", 500) + ours.mean("ndcg", 500)) / 2
    assert validation_score(own_world, "clean")(row[0]) == pytest.approx(expected)


def test_what_was_built_from_a_replaced_split_is_not_measured(own_world: Settings) -> None:
    make_split(own_world, "clean", protocol="clean", seed=9, fractions=(0.6, 0.2, 0.2), replace=True)
    with pytest.raises(NotReadyError, match="recsys titles embed --split clean"):
        evaluate_titles(own_world, "clean", keep=False)
    embed_titles(own_world, split="clean")
    assert evaluate_titles(own_world, "clean", keep=False)
