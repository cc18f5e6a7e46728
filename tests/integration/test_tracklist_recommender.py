"""A trained recommender in the database: it is taken up once, and answers for DJs, likes and what is alike."""

import datetime
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psycopg
import pytest
from scipy import sparse

from recsys.catalog import Excluded, find_dj, find_song, ingest
from recsys.config import Settings
from recsys.database import build_vector_index, connect
from recsys.database.vector_index import EmbeddedTable, drop_vector_index
from recsys.errors import NotReadyError, SettingsError, SourceError, UnknownNameError
from recsys.tracklists import imported
from recsys.tracklists.blend import BlendOptions, Scored
from recsys.tracklists.graph_snapshot import load_graph_snapshot
from recsys.tracklists.imported import EMBEDDED, RecommenderSummary, import_recommender, recommenders_folder
from recsys.tracklists.past import Newcomers
from recsys.tracklists.prepare import GraphOptions, prepare_graph
from recsys.tracklists.recommend import (
    ForecastTrack,
    loaded_recommender,
    nearest_songs,
    recommend_for_dj,
    recommend_for_likes,
    similar_artists,
    similar_djs,
    tracklist_model,
)
from recsys.tracklists.recommender import Trained, load_recommender, train_recommender
from tests.scenes import DJS, FIRST, SONGS, records, scene_of, scene_sets
from tests.worlds import rows, write_lines

LITTLE = BlendOptions(trees=10, leaf_size=5, windows=2, least_lists=2, least_songs=3)
NOTHING_CUT = GraphOptions(least_information=0)
SETS = scene_sets()
TABLES: tuple[EmbeddedTable, ...] = ("song_embedding", "artist_embedding", "dj_embedding")

LATE = "Ivy Dawn"
STRANGER = "Jack Null"
LATER = [
    {"id": "l1", "dj": LATE, "date": "2021-01-01", "tracks": records(SETS)[0]["tracks"]},
    {"id": "l2", "dj": LATE, "date": "2021-02-01", "tracks": records(SETS)[0]["tracks"][:2]},  # type: ignore[index]
    {"id": "l3", "dj": STRANGER, "date": "2021-01-01", "tracks": [{"title": "Unheard", "artists": ["Nobody"]}]},
]
"""Loaded when all is trained: one plays the songs of Ann Ray's first set, the other what no model knows."""


def load(settings: Settings, folder: Path, tracklists: list[dict[str, object]]) -> None:
    ingest(settings, "tracklists", [write_lines(folder / "lists.jsonl", tracklists)])


def train(settings: Settings, folder: Path, options: BlendOptions = LITTLE) -> Path:
    prepare_graph(settings, folder / "graph", options=NOTHING_CUT)
    snapshot, facts = load_graph_snapshot(folder / "graph")
    train_recommender(snapshot, facts, folder / "trained", options)
    return folder / "trained"


@dataclass(frozen=True)
class World:
    """What is loaded, trained and imported, once for all tests that only read."""

    settings: Settings
    connection: psycopg.Connection
    folder: Path
    summary: RecommenderSummary
    trained: Trained

    def names(self, table: str) -> dict[int, str]:
        column = "title" if table == "song" else "name"
        return dict(rows(self.connection, f"SELECT id, {column} FROM {table}"))

    def id(self, table: str, name: str) -> int:
        [found] = [number for number, there in self.names(table).items() if there == name]
        return found

    def row(self, dj: str) -> int:
        return int(np.searchsorted(self.trained.djs, self.id("dj", dj)))

    def expected(self, dj: str) -> Scored:
        [scored] = self.trained.recommender.for_djs(np.array([self.row(dj)]))
        return scored


@pytest.fixture(scope="module")
def world(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    settings = Settings(DATABASE_URL=shared_database, home=folder / "home")
    load(settings, folder, records(SETS))
    trained = train(settings, folder)
    summary = import_recommender(settings, trained, name="mine")
    load(settings, folder, [*records(SETS), *LATER])
    with connect(settings, autocommit=True) as connection:
        yield World(settings, connection, trained, summary, load_recommender(trained))


@pytest.fixture
def loaded(world: World, settings: Settings, tmp_path: Path) -> Settings:
    """A database of a test's own with the same rows, in which nothing is imported; `world.folder` fits it."""
    load(settings, tmp_path, records(SETS))
    return settings


def own_plays(dj: str) -> dict[str, list[datetime.date]]:
    """The days on which a DJ played each song, in loops over what was loaded."""
    played: dict[str, list[datetime.date]] = defaultdict(list)
    for made, record in zip(SETS, records(SETS), strict=True):
        if record["dj"] == dj:
            for track in record["tracks"]:  # type: ignore[attr-defined]
                played[track["title"]].append(FIRST + datetime.timedelta(made.day))
    return played


def scenes(tracks: list[ForecastTrack]) -> list[str]:
    return [scene_of(track.title) for track in tracks]


def test_a_summary_tells_what_was_taken_up(world: World) -> None:
    summary = world.summary
    assert (summary.name, summary.model, summary.before) == ("mine", "blend", None)
    assert (summary.songs, summary.artists, summary.djs) == (
        len({song for made in SETS for song in made.songs}),
        len({song // 3 for made in SETS for song in made.songs}),
        len(DJS),
    )
    assert summary.folder == recommenders_folder(world.settings) / "mine"
    assert load_recommender(summary.folder).facts == world.trained.facts
    [(kind, base, fingerprint, is_current)] = rows(
        world.connection, "SELECT kind, base, fingerprint, is_current FROM model"
    )
    assert (kind, base, fingerprint) == ("tracklist-recommender", "blend", world.trained.facts.content_hash)
    assert is_current


@pytest.mark.parametrize("dj", DJS)
def test_a_dj_is_foretold_what_the_model_says_with_his_own_plays(world: World, dj: str) -> None:
    scored = world.expected(dj)
    found = recommend_for_dj(world.connection, world.id("dj", dj), 200)
    assert [track.rank for track in found] == list(range(1, len(scored.songs) + 1))
    assert [track.song_id for track in found] == world.trained.songs[scored.songs].tolist()
    scores = [track.score for track in found]
    assert scores == pytest.approx(scored.scores, abs=1e-6)
    assert scores == sorted(scores, reverse=True)
    played = own_plays(dj)
    assert {track.title for track in found if track.plays} == set(played)
    for track in found:
        days = played.get(track.title, [])
        assert (track.plays, track.last_played_on) == (len(days), max(days, default=None))
        assert track.artists == [track.artist]
    assert set(scenes(found[:10])) == {("House", "Techno")[DJS.index(dj) % 2]}


@pytest.mark.parametrize("dj", DJS)
def test_only_new_songs_are_those_that_he_never_played_in_the_same_order(world: World, dj: str) -> None:
    number = world.id("dj", dj)
    everything = recommend_for_dj(world.connection, number, 200)
    found = recommend_for_dj(world.connection, number, 200, only_new=True)
    assert [track.title for track in found] == [track.title for track in everything if not track.plays]
    assert [track.rank for track in found] == list(range(1, len(found) + 1))
    assert not {track.title for track in found} & set(own_plays(dj))
    first = recommend_for_dj(world.connection, number, 3, only_new=True, model_id=world.summary.model_id)
    assert first == found[:3]


def test_a_dj_who_was_loaded_after_training_is_answered_by_his_plays(world: World) -> None:
    """Ivy Dawn played a set of Ann Ray's twice, the second time, a month later, two of its songs."""
    number = world.id("dj", LATE)
    assert rows(world.connection, "SELECT * FROM recommend_for_dj(%s)", number) == []
    found = recommend_for_dj(world.connection, number, 20)
    titles = [track["title"] for track in LATER[0]["tracks"]]
    trained = loaded_recommender(world.connection, tracklist_model(world.connection))
    place = [trained.songs.tolist().index(world.id("song", title)) for title in titles]
    lists = np.zeros((2, len(trained.songs)), dtype=np.float32)
    lists[0, place], lists[1, place[:2]] = 1, 1
    days = np.array([(datetime.date(2021, month, 1) - datetime.date(1970, 1, 1)).days for month in (1, 2)])
    told = Newcomers(sparse.csr_matrix(lists), days, sparse.csr_matrix(np.ones((1, 2), dtype=np.float32)))
    (wanted,) = trained.recommender.for_newcomers(told)
    assert [t.song_id for t in found] == trained.songs[wanted.songs[:20]].tolist()
    assert [t.score for t in found] == wanted.scores[:20].tolist()
    assert set(scenes(found)) == {"House"}
    shown = {track.title: (track.plays, track.last_played_on) for track in found}
    assert shown[titles[0]] == (2, datetime.date(2021, 2, 1))
    assert {shown[title] for title in set(titles[2:]) & set(shown)} == {(1, datetime.date(2021, 1, 1))}
    assert {shown[title] for title in set(shown) - set(titles)} == {(0, None)}
    new = recommend_for_dj(world.connection, number, 20, only_new=True)
    assert [t.song_id for t in new] == trained.songs[wanted.songs[~wanted.is_known][:20]].tolist()
    assert not {track.title for track in new} & set(titles)


def test_a_dj_of_whose_songs_the_model_knows_none_gets_none(world: World) -> None:
    assert recommend_for_dj(world.connection, world.id("dj", STRANGER)) == []
    assert recommend_for_dj(world.connection, 10**9) == []


def test_likes_are_answered_with_new_songs_of_their_scene(world: World) -> None:
    likes = {world.id("song", f"Techno Song {place}"): 1.0 for place in (1, 2, 5)}
    found = recommend_for_likes(world.connection, likes, 15)
    assert set(scenes(found)) == {"Techno"}
    assert not {track.song_id for track in found} & set(likes)
    scores = [track.score for track in found]
    assert scores == sorted(scores, reverse=True)
    assert [track.rank for track in found] == list(range(1, 16))
    assert {(track.plays, track.last_played_on) for track in found} == {(0, None)}
    assert set(likes) <= {t.song_id for t in recommend_for_likes(world.connection, likes, 200, only_new=False)}


def test_of_likes_what_is_not_known_or_not_liked_counts_for_nothing(world: World) -> None:
    one, other = world.id("song", "House Song 1"), world.id("song", "Techno Song 1")
    unheard = world.id("song", "Unheard")
    wanted = recommend_for_likes(world.connection, {one: 2.0}, 30)
    assert recommend_for_likes(world.connection, {unheard: 3.0, one: 2.0, other: 0.0, 10**9: 1.0}, 30) == wanted
    assert recommend_for_likes(world.connection, {unheard: 1.0, other: -1.0}) == []
    assert recommend_for_likes(world.connection, {}) == []


def by_artist(world: World, *names: str) -> set[int]:
    query = "SELECT song_id FROM song_artist AS sa JOIN artist AS a ON a.id = sa.artist_id WHERE a.name = ANY(%s)"
    return {song for (song,) in rows(world.connection, query, list(names))}


@pytest.mark.parametrize("dj", ["Ann Ray", LATE])
@pytest.mark.parametrize("only_new", [False, True])
def test_what_is_excluded_is_left_out_before_the_cut(world: World, dj: str, only_new: bool) -> None:
    def answer(n: int, excluded: Excluded) -> list[int]:
        found = recommend_for_dj(world.connection, world.id("dj", dj), n, only_new=only_new, excluded=excluded)
        assert [track.rank for track in found] == list(range(1, len(found) + 1))
        return [track.song_id for track in found]

    everything = answer(200, Excluded())
    first, second = everything[:2]
    [(artist, name)] = rows(
        world.connection, "SELECT id, name FROM artist JOIN song_artist ON artist_id = id WHERE song_id = %s", second
    )
    left = [song for song in everything if song != first and song not in by_artist(world, name)]
    assert answer(5, Excluded([first], [artist])) == left[:5]
    assert answer(200, Excluded([first], [artist])) == left


def test_likes_are_answered_without_what_is_excluded(world: World) -> None:
    likes = {world.id("song", "Techno Song 1"): 1.0}
    everything = [track.song_id for track in recommend_for_likes(world.connection, likes, 200)]
    excluded = Excluded([everything[0]], [world.id("artist", "Techno Act 2"), 10**9])
    left = [song for song in everything[1:] if song not in by_artist(world, "Techno Act 2")]
    assert len(left) < len(everything) - 1
    assert [t.song_id for t in recommend_for_likes(world.connection, likes, 9, excluded=excluded)] == left[:9]


def nearest(world: World, kind: str, name: str) -> list[tuple[str, float]]:
    """Names and cosines of all others by the model's vectors, best first; ties by id."""
    vectors = world.trained.recommender.vectors
    table = kind.removesuffix("s")
    made = {"songs": vectors.songs, "artists": vectors.artists, "djs": vectors.djs}[kind].astype(np.float64)
    ids, names = getattr(world.trained, kind).tolist(), world.names(table)
    own = ids.index(world.id(table, name))
    cosines = made @ made[own]
    order = sorted((row for row in range(len(ids)) if row != own), key=lambda row: (-cosines[row], ids[row]))
    return [(names[ids[row]], cosines[row]) for row in order]


def same_order(found: list[tuple[str, float]], wanted: list[tuple[str, float]]) -> None:
    """Equal but for neighbours whose cosines float32 cannot tell apart."""
    assert [score for _, score in found] == pytest.approx([score for _, score in wanted], abs=1e-5)
    cosines = dict(wanted)
    assert [cosines[name] for name, _ in found] == pytest.approx([score for _, score in wanted], abs=1e-5)
    assert len({name for name, _ in found}) == len(found)


def test_djs_are_alike_who_play_the_same_songs(world: World) -> None:
    found = similar_djs(world.connection, world.id("dj", "Bob Stone"), 20)
    same_order([(dj.name, dj.similarity) for dj in found], nearest(world, "djs", "Bob Stone"))
    assert {dj.name for dj in found[:3]} == {"Dora Vale", "Fay Night", "Hope Lake"}
    own = set(own_plays("Bob Stone"))
    for dj in found:
        assert dj.songs == len(own & set(own_plays(dj.name)))
        assert dj.tracklists == 8
    assert similar_djs(world.connection, world.id("dj", "Bob Stone"), 2) == found[:2]
    assert similar_djs(world.connection, world.id("dj", STRANGER)) == []


def test_artists_are_alike_who_stand_in_the_same_tracklists(world: World) -> None:
    number = world.id("artist", "Techno Act 3")
    found = similar_artists(world.connection, number, 100)
    same_order([(artist.name, artist.similarity) for artist in found], nearest(world, "artists", "Techno Act 3"))
    assert {scene_of(artist.name) for artist in found[:5]} == {"Techno"}
    other_scene = [artist.similarity for artist in found if scene_of(artist.name) == "House"]
    assert other_scene == pytest.approx([0] * 20, abs=1e-5)
    for artist in found:
        held = [
            record
            for record in [*records(SETS), *LATER]
            if any(track["artists"] == [artist.name] for track in record["tracks"])
        ]
        assert artist.tracklists == len(held)
    assert similar_artists(world.connection, number, 4) == found[:4]
    assert similar_artists(world.connection, world.id("artist", "Nobody")) == []


def test_songs_are_near_that_share_tracklists(world: World) -> None:
    number = world.id("song", "House Song 4")
    found = nearest_songs(world.connection, number, 200)
    same_order([(track.title, track.score) for track in found], nearest(world, "songs", "House Song 4"))
    assert {scene_of(track.title) for track in found[:30]} == {"House"}
    assert [track.rank for track in found] == list(range(1, len(found) + 1))
    assert nearest_songs(world.connection, number, 5, model_id=world.summary.model_id) == found[:5]
    assert nearest_songs(world.connection, world.id("song", "Unheard")) == []


def test_songs_are_near_without_what_is_excluded(world: World) -> None:
    number = world.id("song", "House Song 4")
    everything = [track.song_id for track in nearest_songs(world.connection, number, 200)]
    excluded = Excluded(everything[:1], [world.id("artist", "House Act 2")])
    left = [song for song in everything[1:] if song not in by_artist(world, "House Act 2")]
    found = nearest_songs(world.connection, number, 30, excluded=excluded)
    assert [(track.rank, track.song_id) for track in found] == list(enumerate(left[:30], start=1))


def test_an_index_finds_what_comparing_all_finds(world: World) -> None:
    connection, model = world.connection, world.summary.model_id
    song, artist, dj = (
        world.id("song", "House Song 4"), world.id("artist", "House Act 1"), world.id("dj", "Ann Ray")
    )  # fmt: skip

    def answers() -> list[list[tuple[str, float]]]:
        return [
            [(track.title, track.score) for track in nearest_songs(connection, song, 100)],
            [(found.name, found.similarity) for found in similar_artists(connection, artist, 30)],
            [(found.name, found.similarity) for found in similar_djs(connection, dj, 7)],
        ]

    exact = answers()
    assert not any(build_vector_index(connection, table, model) for table in TABLES), "so few are compared one by one"
    assert not build_vector_index(connection, "song_likeness", model, limit=0), "a blend has no likeness of its own"
    for table in TABLES:
        assert build_vector_index(connection, table, model, limit=0)
    try:
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET enable_sort = off")
        vector = f"embedding::vector({world.trained.recommender.vectors.songs.shape[1]})"
        plan = rows(
            connection,
            f"EXPLAIN SELECT song_id FROM song_embedding WHERE model_id = {model}"
            f" ORDER BY {vector} <#> (SELECT {vector} FROM song_embedding LIMIT 1) LIMIT 5",
        )
        assert any(f"song_embedding_hnsw_{model}" in line for (line,) in plan)
        for found, wanted in zip(answers(), exact, strict=True):
            same_order(found, wanted)
    finally:
        connection.execute("RESET enable_seqscan")
        connection.execute("RESET enable_sort")
        for table in TABLES:
            drop_vector_index(connection, table, model)


def test_a_kind_that_is_not_embedded_is_refused(world: World) -> None:
    with pytest.raises(psycopg.errors.UndefinedObject, match="label is not embedded"):
        rows(world.connection, "SELECT * FROM nearest_embedded('label', '[1]')")


def test_sessions_that_know_nothing_of_the_schema_are_answered(world: World) -> None:
    dj = world.id("dj", "Ann Ray")
    with psycopg.connect(world.settings.database_url or "") as connection:
        for call in ("recommend_for_dj", "similar_djs"):
            assert len(rows(connection, f"SELECT * FROM recsys.{call}(%s)", dj)) >= 7
        assert len(rows(connection, "SELECT * FROM recsys.recommend_for_dj(%s, only_new => true)", dj)) == 10


def test_the_same_twice_is_one_model(loaded: Settings, connection: psycopg.Connection, world: World) -> None:
    first = import_recommender(loaded, world.folder, name="mine")
    stored = [rows(connection, f"SELECT * FROM {name} ORDER BY 1, 2") for name in (*EMBEDDED, "dj_forecast")]
    assert not first.already_there
    steps: list[str] = []
    second = import_recommender(loaded, world.folder, name="mine", progress=lambda step, _done, _of: steps.append(step))
    assert second == replace(first, already_there=True)
    assert "storing vectors" not in steps
    assert [rows(connection, f"SELECT * FROM {name} ORDER BY 1, 2") for name in (*EMBEDDED, "dj_forecast")] == stored
    # Its own folder can be imported as well, and another name renames it.
    third = import_recommender(loaded, first.folder)
    assert third == second
    assert import_recommender(loaded, world.folder, name="yours").model_id == first.model_id
    assert rows(connection, "SELECT name, is_current FROM model") == [("yours", True)]
    assert [home.name for home in recommenders_folder(loaded).iterdir()] == ["yours"]


def test_the_same_again_is_current_again(
    loaded: Settings, connection: psycopg.Connection, world: World, tmp_path: Path
) -> None:
    first = import_recommender(loaded, world.folder, name="mine")
    import_recommender(loaded, train(loaded, tmp_path, replace(LITTLE, trees=8)), name="other")
    again = import_recommender(loaded, world.folder, name="mine")
    assert again == replace(first, already_there=True)
    assert tracklist_model(connection) == first.model_id


def test_an_import_that_was_interrupted_is_not_there_already(
    loaded: Settings, connection: psycopg.Connection, world: World
) -> None:
    def interrupt(step: str, _done: int, _of: int) -> None:
        if step == "indexing vectors":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_recommender(loaded, world.folder, name="mine", progress=interrupt)
    assert not import_recommender(loaded, world.folder, name="mine").already_there
    assert import_recommender(loaded, world.folder, name="mine").already_there
    assert rows(connection, "SELECT count(*) FROM dj_forecast") == [(len(DJS),)]


def test_of_two_that_become_one_name_the_folder_that_nothing_refers_to_is_removed(
    loaded: Settings, connection: psycopg.Connection, world: World, tmp_path: Path
) -> None:
    import_recommender(loaded, world.folder, name="mine")
    other = train(loaded, tmp_path, replace(LITTLE, trees=8))
    import_recommender(loaded, other, name="other")
    (recommenders_folder(loaded) / "of-another-database").mkdir()
    kept = import_recommender(loaded, other, name="mine")
    assert rows(connection, "SELECT id, name, folder FROM model") == [(kept.model_id, "mine", str(kept.folder))]
    assert {home.name for home in recommenders_folder(loaded).iterdir()} == {"mine", "of-another-database"}
    assert load_recommender(kept.folder).facts.options["trees"] == 8


def test_a_retrained_one_of_the_name_takes_the_place_of_the_old_one(
    loaded: Settings, connection: psycopg.Connection, world: World, tmp_path: Path
) -> None:
    old = import_recommender(loaded, world.folder, name="mine").model_id
    other = import_recommender(loaded, train(loaded, tmp_path, replace(LITTLE, trees=8)), name="other").model_id
    for table in TABLES:
        assert build_vector_index(connection, table, old, limit=0)
    new = import_recommender(loaded, train(loaded, tmp_path, replace(LITTLE, trees=9)), name="mine").model_id
    assert len({old, other, new}) == 3
    assert rows(connection, "SELECT id, name, is_current FROM model ORDER BY id") == [
        (other, "other", False),
        (new, "mine", True),
    ]
    for name in (*TABLES, "dj_forecast"):
        assert rows(connection, f"SELECT DISTINCT model_id FROM {name} ORDER BY 1") == [(other,), (new,)]
    assert rows(connection, "SELECT indexname FROM pg_indexes WHERE indexname ~ '_hnsw_'") == []
    assert tracklist_model(connection) == tracklist_model(connection, "mine") == new
    assert load_recommender(recommenders_folder(loaded) / "mine").facts.options["trees"] == 9
    dj = find_dj(connection, "Ann Ray").id
    both = [recommend_for_dj(connection, dj, 50, model_id=model) for model in (other, new)]
    assert [t.score for t in both[0]] != [t.score for t in both[1]]
    assert recommend_for_dj(connection, dj, 50) == both[1]


def test_what_was_trained_on_another_database_is_refused(
    settings: Settings, connection: psycopg.Connection, world: World, tmp_path: Path
) -> None:
    for lists in ([], records(scene_sets(seed=1))):
        load(settings, tmp_path, lists)
        with pytest.raises(SourceError, match="was trained on another database: its songs and DJs are not those"):
            import_recommender(settings, world.folder)
    assert rows(connection, "SELECT * FROM model") == []
    assert not recommenders_folder(settings).exists()


def test_songs_and_djs_that_came_later_do_not_make_it_another_database(
    loaded: Settings, world: World, tmp_path: Path
) -> None:
    load(loaded, tmp_path, [*records(SETS), *LATER])
    assert import_recommender(loaded, world.folder).name == "trained"


@pytest.mark.parametrize("name", ["", "../mine", "a b", ".hidden", "x" * 101])
def test_a_name_that_cannot_be_one_is_refused(world: World, name: str) -> None:
    with pytest.raises(SettingsError, match="cannot name a model"):
        import_recommender(world.settings, world.folder, name=name)


def test_so_many_songs_are_kept_for_a_dj_and_so_many_new_ones(
    loaded: Settings, connection: psycopg.Connection, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imported, "FORECAST_SONGS", 30)
    monkeypatch.setattr(imported, "FORECAST_NEW_SONGS", 8)
    import_recommender(loaded, world.folder)
    for dj in DJS:
        scored = world.expected(dj)
        wanted, new = [], 0
        for place, (song, is_known) in enumerate(zip(scored.songs.tolist(), scored.is_known.tolist(), strict=True)):
            new += not is_known
            if place < 30 or (not is_known and new <= 8):
                wanted.append(int(world.trained.songs[song]))
        [(songs, known)] = rows(
            connection,
            "SELECT f.song_ids, f.is_known FROM dj_forecast AS f JOIN dj ON dj.id = f.dj_id WHERE dj.name = %s", dj,
        )  # fmt: skip
        assert songs == wanted
        assert known.count(False) >= 8


def test_a_folder_that_is_gone_says_to_import_it_again(
    loaded: Settings, connection: psycopg.Connection, world: World
) -> None:
    summary = import_recommender(loaded, world.folder, name="lost")
    for file in summary.folder.iterdir():
        file.unlink()
    song = find_song(connection, "House Act 0 - House Song 0").id
    with pytest.raises(NotReadyError, match="gone or damaged: run `recsys model import` again"):
        recommend_for_likes(connection, {song: 1.0})
    # What is in tables is answered still, and the next import makes it whole.
    assert len(recommend_for_dj(connection, find_dj(connection, "Ann Ray").id)) == 10
    import_recommender(loaded, world.folder, name="lost")
    assert recommend_for_likes(connection, {song: 1.0})


def test_without_a_recommender_it_says_what_to_run(connection: psycopg.Connection) -> None:
    message = (
        "there is no tracklist recommender yet: run `recsys tracklists prepare`, `recsys tracklists train` and"
        " `recsys model import`"
    )
    for query in ("SELECT current_model('tracklist-recommender')", "SELECT * FROM nearest_embedded('dj', '[1]')"):
        with pytest.raises(psycopg.DatabaseError) as refused:
            rows(connection, query)
        assert (refused.value.sqlstate, refused.value.diag.message_primary) == ("RS001", message)
    calls: list[Callable[[], object]] = [
        lambda: recommend_for_dj(connection, 1),
        lambda: recommend_for_likes(connection, {1: 1.0}),
        lambda: similar_djs(connection, 1),
        lambda: similar_artists(connection, 1),
        lambda: nearest_songs(connection, 1),
    ]
    for call in calls:
        with pytest.raises(NotReadyError) as error:
            call()
        assert str(error.value) == message
    with pytest.raises(UnknownNameError, match=r"^no tracklist recommender is called 'mine'$"):
        tracklist_model(connection, "mine")
    with pytest.raises(NotReadyError, match="there is no tracklist model 7"):
        recommend_for_likes(connection, {1: 1.0}, model_id=7)


def test_an_unknown_recommender_lists_those_that_there_are(world: World) -> None:
    with pytest.raises(UnknownNameError, match=r"^no tracklist recommender is called 'yours'; there are: mine$"):
        tracklist_model(world.connection, "yours")
    assert tracklist_model(world.connection, "mine") == world.summary.model_id


def test_a_profile_counts_what_a_dj_played(settings: Settings, connection: psycopg.Connection, tmp_path: Path) -> None:
    def tracks(letters: str) -> list[dict[str, object]]:
        by = {"a": "Ann", "b": "Ann", "c": "Bob", "d": "Cid", "e": "Dot", "f": "Eli", "r": "Fox"}
        known: dict[str, dict[str, object]] = {
            letter: {"title": f"{letter} (Zed Remix)" if letter == "r" else letter, "artists": [artist]}
            for letter, artist in by.items()
        }
        return [known.get(letter, {"title": "ID", "artists": ["ID"]}) for letter in letters]

    lists: list[dict[str, object]] = [
        {"id": "1", "dj": "Dan", "date": "2019-03-01", "tracks": tracks("abcdefr")},
        {"id": "2", "dj": "Dan", "date": "2018-01-01", "tracks": tracks("ccda")},
        {"id": "3", "dj": "Dan", "tracks": tracks("c-de-f")},
        {"id": "4", "dj": "Eve", "date": "2020-01-01", "tracks": tracks("--")},
    ]
    load(settings, tmp_path, lists)
    profiles = rows(
        connection,
        "SELECT name, tracklists, first_played_on, last_played_on, plays, songs, top_artists, top_songs"
        " FROM dj_profile ORDER BY name",
    )
    # Dan: c and d in three tracklists, a, e and f in two, b and the remix in one; Ann with a and b in three.
    days = datetime.date(2018, 1, 1), datetime.date(2019, 3, 1)
    assert profiles[0][:6] == ("Dan", 3, *days, 14, 7)
    assert set(profiles[0][6][:3]) == {"Ann", "Bob", "Cid"}
    assert set(profiles[0][6][3:]) == {"Dot", "Eli"}
    assert set(profiles[0][7][:2]) == {"Bob - c", "Cid - d"}
    assert set(profiles[0][7][2:]) == {"Ann - a", "Dot - e", "Eli - f"}
    day = datetime.date(2020, 1, 1)
    assert profiles[1] == ("Eve", 1, day, day, 0, 0, None, None)


@pytest.fixture
def named_djs(settings: Settings, connection: psycopg.Connection, tmp_path: Path) -> psycopg.Connection:
    names = ("Carl Cox", "Carl Craig", "Nina Kravitz", "Ben Klock", "DJ Koze", "Sven Väth", "Maceo Plex", "Maceo Plexx")
    lists: list[dict[str, object]] = [
        {"id": str(number), "dj": name, "tracks": [{"title": "A", "artists": ["B"]}]}
        for number, name in enumerate(names)
    ]
    load(settings, tmp_path, lists)
    return connection


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Carl Cox", "Carl Cox"),
        ("  CARL   COX ", "Carl Cox"),
        ("sven vath", "Sven Väth"),
        ("Maceo Plexx", "Maceo Plexx"),
        # 11 of 15 trigrams, and 12 of 15.
        ("Nina Kravits", "Nina Kravitz"),
        ("Nina Kravitzz", "Nina Kravitz"),
    ],
)
def test_a_dj_is_found_by_his_name_or_one_that_is_clearly_nearest(
    named_djs: psycopg.Connection, typed: str, meant: str
) -> None:
    assert find_dj(named_djs, typed).name == meant


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        # Each of the two is meant as likely as the other.
        ("Maceo Ple", 'no DJ is called \'Maceo Ple\'; the nearest are: "Maceo Plex", "Maceo Plexx"'),
        # 7 of 12 trigrams.
        ("Ben Klok", "no DJ is called 'Ben Klok'; the nearest are: \"Ben Klock\""),
        # 5 of 10 trigrams, and 5 of 12: too few.
        ("Carl Z", 'no DJ is called \'Carl Z\'; the nearest are: "Carl Cox", "Carl Craig"'),
        ("Xqwv", "no DJ is called 'Xqwv'"),
        ("", "no DJ is called ''"),
        ("\udcff\x00", "no DJ is called '\ufffd\ufffd'"),
    ],
)
def test_an_unclear_name_lists_the_candidates(named_djs: psycopg.Connection, typed: str, message: str) -> None:
    with pytest.raises(UnknownNameError) as error:
        find_dj(named_djs, typed)
    assert str(error.value) == message


def test_a_part_of_the_songs_of_a_scene_is_new_to_a_dj() -> None:
    """The world is such that there is something to foretell."""
    for dj in DJS:
        assert SONGS / 4 < len(own_plays(dj)) < SONGS * 5 / 6


def test_sql_without_any_recommender_says_what_to_run_and_less_than_none_is_none(
    settings: Settings, connection: psycopg.Connection
) -> None:
    for call in ("similar_djs(1)", "similar_artists(1)", "nearest_songs(1)", "recommend_for_dj(1)"):
        with pytest.raises(
            psycopg.DatabaseError, match="there is no tracklist recommender yet: run `recsys tracklists"
        ):
            connection.execute(f"SELECT * FROM {call}")  # type: ignore[arg-type]
        connection.rollback()
    for call in ("similar_djs(1, -1, 7)", "similar_artists(1, -1, 7)", "recommend_for_dj(1, -1, false, 7)"):
        assert rows(connection, f"SELECT * FROM {call}") == []
