"""Nightly refresh of what tracklists answer: from the tracklists of now, by what was learned before."""

import datetime
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from recsys.catalog import find_dj, find_song, ingest
from recsys.config import Settings
from recsys.refresh import Refreshed, refresh
from recsys.sequences.imported import import_sequence_model
from recsys.sequences.imported_next import import_next_recommender
from recsys.sequences.next_answers import next_songs
from recsys.sequences.next_folder import train_next_recommender
from recsys.sequences.next_song import NextOptions
from recsys.sequences.sequence_model import train_sequence_model
from recsys.sequences.sequence_options import SequenceOptions
from recsys.sources import Entry, Tracklist
from recsys.titles import embed_titles
from recsys.tracklists.blend import BlendOptions
from recsys.tracklists.graph_snapshot import load_graph_snapshot
from recsys.tracklists.imported import import_recommender, recommenders_folder
from recsys.tracklists.mgccf import MgccfOptions
from recsys.tracklists.prepare import prepare_graph
from recsys.tracklists.recommend import nearest_songs, recommend_for_dj, recommend_for_likes, similar_djs
from recsys.tracklists.recommender import train_recommender
from recsys.tracklists.running_order import load_running_order
from recsys.tracklists.stored_arrays import read_arrays
from tests.graph_worlds import ALL
from tests.scenes import DJS, records, scene_of, scene_sets, song
from tests.worlds import entry, playlist, rows, write_lines

pytestmark = pytest.mark.usefixtures("one_thread")

Record = dict[str, Any]

EARLY: list[Record] = records(scene_sets())
GRAPH = replace(ALL, song_mass=0.9)
BLEND = BlendOptions(trees=6, leaf_size=5, windows=2, least_lists=2, least_songs=3)
MGCCF = MgccfOptions(embedding=5, hidden=4, output=3, epochs=2, steps=2, batch_size=16, device="cpu")
NEXT = NextOptions(trees=6, leaf_size=5, spans=2, span_lists=8, scattered=12, positions=50, others=10)
SEQUENCE = SequenceOptions(epochs=1, width=8, batch_size=64, djs=True, device="cpu")

LATE, ANTHEM = "Ivy Dawn", {"title": "House Anthem", "artists": ["Somebody New"]}


def late(number: int, dj: str = LATE, songs: Sequence[int] = range(6)) -> Record:
    """A tracklist of later, whose third song nobody played before."""
    tracks = [song(n) for n in songs]
    day = (datetime.date(2021, 1, 1) + datetime.timedelta(number)).isoformat()
    return {"id": f"l{number}", "dj": dj, "date": day, "tracks": [*tracks[:2], ANTHEM, *tracks[2:]]}


LATER = [late(1), late(2, songs=range(3, 9)), late(3, DJS[0], songs=range(12, 15))]


def load(settings: Settings, folder: Path, tracklists: Sequence[Record]) -> None:
    ingest(settings, "tracklists", [write_lines(folder / "lists.jsonl", tracklists)])


def prepared(settings: Settings, folder: Path, before: datetime.date | None = None) -> Path:
    prepare_graph(settings, folder / "graph", before=before, options=GRAPH)
    return folder / "graph"


def train_blend(graph: Path, folder: Path) -> None:
    train_recommender(*load_graph_snapshot(graph), folder, BLEND)


def train_mgccf(graph: Path, folder: Path) -> None:
    train_recommender(*load_graph_snapshot(graph), folder, MGCCF)


def train_next(graph: Path, folder: Path) -> None:
    snapshot, facts = load_graph_snapshot(graph)
    train_next_recommender(snapshot, load_running_order(graph, facts.content_hash), facts, folder, NEXT)


def train_sequence(graph: Path, folder: Path) -> None:
    train_sequence_model(graph, folder, SEQUENCE)


@dataclass(frozen=True)
class Kind:
    """A model that answers: how it is trained and taken up, what a refresh calls it."""

    train: Callable[[Path, Path], None]
    take_up: Callable[..., Any]
    subject: str


KINDS = {
    "blend": Kind(train_blend, import_recommender, "tracklists"),
    "mgccf": Kind(train_mgccf, import_recommender, "tracklists"),
    "next": Kind(train_next, import_next_recommender, "next songs"),
    "sequence": Kind(train_sequence, import_sequence_model, "lists in order"),
}


@pytest.fixture(scope="module")
def trained(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of each kind, trained on the early tracklists, and their graph."""
    folder = tmp_path_factory.mktemp("trained")
    settings = Settings(DATABASE_URL=shared_database, home=folder / "home")
    load(settings, folder, EARLY)
    graph = prepared(settings, folder)
    for name, kind in KINDS.items():
        kind.train(graph, folder / name)
    return folder


@dataclass(frozen=True)
class World:
    """A database of a test's own with the early tracklists, whose ids are those that all was trained on."""

    settings: Settings
    connection: psycopg.Connection
    trained: Path
    folder: Path

    def take_up(self, *kinds: str) -> None:
        for kind in kinds:
            KINDS[kind].take_up(self.settings, self.trained / kind, name="mine")

    def load(self, tracklists: Sequence[Record] = LATER) -> None:
        load(self.settings, self.folder, tracklists)

    def refresh(self, *, whole: bool = False) -> dict[str, Refreshed]:
        """What became of models, by what they answer; files are not looked at."""
        return {one.subject: one for one in refresh(self.settings, sources=False, whole=whole)}

    def states(self, *, whole: bool = False) -> dict[str, str]:
        return {subject: one.state for subject, one in self.refresh(whole=whole).items()}

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        return rows(self.connection, query, *parameters)

    def files(self) -> dict[Path, tuple[int, int]]:
        """Every file of the models, which one it is and when it was written."""
        found = self.settings.models_folder.rglob("*")
        return {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in found}

    def vectors(self, table: str) -> dict[str, np.ndarray]:
        """Vectors of the current models by name."""
        named, key = {"dj_embedding": ("dj.name", "dj")}.get(table, ("song.title", "song"))
        query = f"SELECT {named}, e.embedding::real[] FROM {table} AS e JOIN {key} ON {key}.id = e.{key}_id"
        return {name: np.array(vector) for name, vector in self.rows(query)}


@pytest.fixture
def world(settings: Settings, connection: psycopg.Connection, trained: Path, tmp_path: Path) -> World:
    load(settings, tmp_path, EARLY)
    return World(settings, connection, trained, tmp_path)


FILLED = ("song_embedding", "song_likeness", "artist_embedding", "dj_embedding", "dj_forecast")


def filled(world: World) -> dict[str, dict[tuple[int, str], list[Any]]]:
    """Whatever is in tables of what was learned of tracklists, without the models' ids."""
    keys = {"artist_embedding": "artist_id", "dj_embedding": "dj_id", "dj_forecast": "dj_id"}
    values = dict.fromkeys(FILLED, "embedding::real[]") | {"dj_forecast": "scores, song_ids, is_known"}
    query = "SELECT t.{key}, m.kind, {values} FROM {table} AS t JOIN model AS m ON m.id = t.model_id"
    return {
        table: {
            (number, kind): own
            for number, kind, *own in world.rows(
                query.format(key=keys.get(table, "song_id"), values=values[table], table=table)
            )
        }
        for table in FILLED
    }


def about(found: dict[str, dict[tuple[int, str], list[Any]]]) -> dict[str, dict[tuple[int, str], list[Any]]]:
    """The same but for the last digits."""
    return {
        table: {key: [pytest.approx(own[0], abs=1e-5), *own[1:]] for key, own in made.items()}
        for table, made in found.items()
    }


# --- a blend, and next songs -----------------------------------------------------------------------------------


def test_a_blend_answers_for_a_new_dj_and_of_a_new_song_from_tables(world: World) -> None:
    world.take_up("blend")
    home = recommenders_folder(world.settings) / "mine"
    before = read_arrays(home / "recommender.npz")
    world.load()
    found = world.refresh()["tracklists"]
    assert (found.name, found.state, found.advice) == ("mine", "refreshed", None)
    assert found.found == "answers from 67 tracklists, 121 songs, 9 DJs"
    dj, anthem = find_dj(world.connection, LATE).id, find_song(world.connection, "Somebody New - House Anthem").id
    [(songs,)] = world.rows("SELECT song_ids FROM dj_forecast WHERE dj_id = %s", dj)
    assert anthem in songs
    answer = recommend_for_dj(world.connection, dj, 10)
    assert {scene_of(track.title) for track in answer} == {"House"}
    assert {other.name for other in similar_djs(world.connection, dj, 3)} < set(DJS[::2])
    assert {scene_of(track.title) for track in nearest_songs(world.connection, anthem, 5)} == {"House"}
    assert recommend_for_likes(world.connection, {anthem: 1.0})
    after = read_arrays(home / "recommender.npz")
    forests = [name for name in before if name.startswith("forest.")]
    assert forests
    assert all(after[name].tobytes() == before[name].tobytes() for name in forests)
    assert world.rows("SELECT name, base, is_current FROM model") == [("mine", "blend", True)]
    kept = {file.relative_to(world.settings.models_folder).as_posix() for file in world.files()}
    assert kept == {
        "tracklists", "tracklists/recsys", "tracklists/recsys/mine",
        "tracklists/recsys/mine/recommender.json", "tracklists/recsys/mine/recommender.npz",
    }  # fmt: skip
    [table] = world.rows("SELECT array_agg(DISTINCT model_id) = (SELECT array_agg(id) FROM model) FROM dj_forecast")
    assert table == (True,)


def asked(*titles: str) -> Tracklist:
    entries = [Entry(title, artist, artists=(artist,)) for artist, _, title in (one.partition(" - ") for one in titles)]
    return Tracklist("1", "", (), list(entries), "file", "line 1", None)


def test_next_songs_are_answered_with_one_that_was_first_played_after_training(world: World) -> None:
    world.take_up("next")
    again = [{**late(number), "tracks": [song(0), ANTHEM, song(1)]} for number in range(1, 9)]
    world.load(again)
    begun = [asked("House Act 0 - House Song 0")]
    [answer] = next_songs(world.connection, begun, 200)
    assert "House Anthem" not in {track.title for track in answer.tracks}
    found = world.refresh()["next songs"]
    assert (found.name, found.state) == ("mine", "refreshed")
    assert found.found == "answers from 72 tracklists, 117 songs"
    [answer] = next_songs(world.connection, begun, 200)
    assert "House Anthem" in {track.title for track in answer.tracks}
    before, after = (read_arrays(home / "next.npz") for home in (world.trained / "next", next_folder(world)))
    assert after["forest"].tobytes() == before["forest"].tobytes()
    assert world.rows("SELECT name, is_current FROM model") == [("mine", True)]


def next_folder(world: World) -> Path:
    return world.settings.models_folder / "next" / world.settings.db_schema / "mine"


def test_night_after_night_ends_where_one_whole_refresh_does(world: World) -> None:
    world.take_up("blend", "next")
    for night in range(3):
        world.load(LATER[night : night + 1])
        assert set(world.states().values()) == {"refreshed"}
    by_night, prints = filled(world), world.rows("SELECT kind, fingerprint FROM model ORDER BY 1")
    for table in FILLED:
        world.rows(f"DELETE FROM {table} RETURNING true")
    assert world.states(whole=True) == {"tracklists": "refreshed", "next songs": "refreshed"}
    assert world.rows("SELECT kind, fingerprint FROM model ORDER BY 1") == prints
    assert filled(world) == about(by_night)
    assert all(by_night[table] for table in FILLED if table != "song_likeness")


def test_nothing_new_is_nothing_done(world: World) -> None:
    world.take_up("blend", "next", "sequence")
    world.load()
    assert set(world.states().values()) == {"refreshed"}
    files, places = world.files(), places_of(world)
    found = world.refresh()
    assert {subject: (one.state, one.found) for subject, one in found.items()} == {
        "tracklists": ("unchanged", ""), "next songs": ("unchanged", ""), "lists in order": ("unchanged", ""),
    }  # fmt: skip
    assert (world.files(), places_of(world)) == (files, places)
    # Playlists are no tracklists.
    lists = [playlist(1, "Gym", [entry("House Act 0", "House Song 0")])]
    ingest(world.settings, "playlists", [write_lines(world.folder / "p.jsonl", lists)])
    assert set(world.states().values()) == {"unchanged"}


def places_of(world: World) -> list[list[tuple[Any, ...]]]:
    """Where each row stands, which every write moves."""
    return [world.rows(f"SELECT ctid, xmin FROM {table} ORDER BY 1") for table in (*FILLED, "model")]


def test_what_comes_between_a_reading_and_the_taking_up_is_not_missed(world: World) -> None:
    """Training takes hours, and a model is taken up after more was loaded."""
    world.load()
    world.take_up("blend", "next", "mgccf")
    assert world.states() == {"tracklists": "refreshed", "next songs": "refreshed"}
    assert LATE in world.vectors("dj_embedding")
    assert world.states() == {"tracklists": "unchanged", "next songs": "unchanged"}
    # The same one once more is brought up to date already.
    world.take_up("mgccf")
    assert world.states()["tracklists"] == "unchanged"


@pytest.mark.parametrize("kind", ["blend", "next"])
def test_a_model_that_is_taken_up_meanwhile_stays(world: World, kind: str) -> None:
    world.take_up(kind)
    world.load()

    def take_up_another(step: str, _done: int, _of: int) -> None:
        if step == "writing":  # the graphs, from which the renewed one is made then
            other = world.folder / "other"
            KINDS[kind].train(prepared(world.settings, world.folder), other)
            KINDS[kind].take_up(world.settings, other, name="mine")

    [done] = refresh(world.settings, sources=False, progress=take_up_another)
    assert (done.state, done.found) == ("failed", "another model took its place meanwhile: it stays")
    assert world.states() == {done.subject: "unchanged"}


def test_a_load_that_goes_on_while_tracklists_are_read_is_not_missed(world: World) -> None:
    world.take_up("next")
    lists = [late(number) for number in range(2_500)]

    def read_meanwhile(_bytes: int, counts: Any) -> None:
        if counts.read < len(lists) and not (world.folder / "between").exists():
            graph = prepared(world.settings, world.folder)
            train_next(graph, world.folder / "between")

    file = write_lines(world.folder / "many.jsonl", lists)
    ingest(world.settings, "tracklists", [file], source="many", progress=read_meanwhile)
    import_next_recommender(world.settings, world.folder / "between", name="mine")
    assert world.refresh()["next songs"].found == f"answers from {64 + len(lists):,} tracklists, 117 songs"


def test_a_change_that_a_model_does_not_see_is_looked_at_once(world: World) -> None:
    """What a tracklist is called says something of what comes next, and nothing of what a DJ plays."""
    world.take_up("blend", "next")
    before, prints = filled(world), dict(world.rows("SELECT kind, fingerprint FROM model"))
    world.load([EARLY[0] | {"title": "Another name"}])
    assert set(world.states().values()) == {"refreshed"}
    assert filled(world) == before
    after = dict(world.rows("SELECT kind, fingerprint FROM model"))
    assert [kind for kind in prints if prints[kind] != after[kind]] == ["next-song"]
    assert set(world.states().values()) == {"unchanged"}


# --- what a model does not do ----------------------------------------------------------------------------------


def test_a_model_that_was_trained_to_be_measured_is_left_alone(world: World, tmp_path: Path) -> None:
    graph = prepared(world.settings, tmp_path, before=datetime.date(2019, 10, 1))
    for name in ("blend", "next"):
        KINDS[name].train(graph, tmp_path / name)
        KINDS[name].take_up(world.settings, tmp_path / name)
    world.load()
    files, places = world.files(), places_of(world)
    for whole in (False, True):
        left = world.refresh(whole=whole)
        assert {one.state for one in left.values()} == {"left"}
        assert left["next songs"].found == "it was trained to be measured, on tracklists before 2019-10-01"
        assert left["next songs"].advice == "run `recsys tracklists train --model next` on all of them"
    assert (world.files(), places_of(world)) == (files, places)


def test_a_model_that_learned_too_little_is_named(world: World) -> None:
    world.take_up("blend", "next", "sequence")
    nothing_known = {"id": "nothing", "dj": LATE, "tracks": [{"title": "ID", "artists": ["ID"]}]}
    world.load([late(number) for number in range(7)])
    assert {one.advice for one in world.refresh().values()} == {None}, "7 of 71 are less than a tenth"
    world.load([*(late(number) for number in range(7)), nothing_known])
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    said = f"it learned on {today} before 11% of the tracklists were there: run `recsys tracklists train"
    for _ in range(2):
        assert {subject: one.advice for subject, one in world.refresh().items()} == {
            "tracklists": f"{said}`",
            "next songs": f"{said} --model next`",
            "lists in order": f"{said} --model tl-lstm`",
        }


@pytest.mark.parametrize("damage", ["arrays", "manifest", "nothing left"])
def test_a_damaged_model_is_told_and_the_others_go_on(world: World, damage: str) -> None:
    world.take_up("blend", "next", "sequence")
    home = recommenders_folder(world.settings) / "mine"
    if damage == "nothing left":
        shutil.rmtree(home)
    else:
        file = home / ("recommender.npz" if damage == "arrays" else "recommender.json")
        file.write_bytes(file.read_bytes()[:100])
    world.load()
    before = filled(world)
    found = world.refresh()
    assert {subject: one.state for subject, one in found.items()} == {
        "tracklists": "failed", "next songs": "refreshed", "lists in order": "refreshed",
    }  # fmt: skip
    assert "damaged" in found["tracklists"].found
    assert "\n" not in found["tracklists"].found
    after = filled(world)
    assert after["dj_forecast"] == about(before)["dj_forecast"]
    # Taken up again it is whole, and what came since is not forgotten.
    world.take_up("blend")
    assert world.states() == {"tracklists": "refreshed", "next songs": "unchanged", "lists in order": "unchanged"}


# --- models that keep their vectors ----------------------------------------------------------------------------


def unit(vectors: Iterable[np.ndarray]) -> np.ndarray | None:
    """The direction of a mean; None where there is nothing, or it has none."""
    given = list(vectors)
    mean = sum(given) / len(given) if given else np.zeros(1)
    length = float(np.sqrt((mean**2).sum()))
    return mean / length if length else None


def placed_songs(records: Sequence[Record], own: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Of songs that a model does not know: the mean of those up to three positions apart, of two tracklists on."""
    beside: dict[str, list[np.ndarray]] = defaultdict(list)
    held: dict[str, set[str]] = defaultdict(set)
    for record in records:
        titles = [track["title"] for track in record["tracks"]]
        for place, title in enumerate(titles):
            near = [other for other in titles[max(place - 3, 0) : place + 4] if other in own]
            if title not in own and title != "ID" and near:
                held[title].add(record["id"])
                beside[title] += [own[other] for other in near]
    placed = {title: unit(near) for title, near in beside.items() if len(held[title]) >= 2}
    return {title: vector for title, vector in placed.items() if vector is not None}


def placed_djs(records: Sequence[Record], songs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The mean of what each DJ plays."""
    plays: dict[str, list[np.ndarray]] = defaultdict(list)
    for record in records:
        plays[record["dj"]] += [songs[track["title"]] for track in record["tracks"] if track["title"] in songs]
    placed = {dj: unit(own) for dj, own in plays.items()}
    return {dj: vector for dj, vector in placed.items() if vector is not None}


def same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert set(found) == set(wanted)
    for name, vector in wanted.items():
        np.testing.assert_allclose(found[name], vector, atol=1e-5, err_msg=name)


ODD: list[Record] = [
    *LATER,
    # A song that stands in one tracklist alone, one that stands beside nobody whom the model knows, and gaps.
    late(4) | {"tracks": [song(1), {"title": "Once", "artists": ["X"]}, {"title": "ID", "artists": ["ID"]}, ANTHEM]},
    *({"id": f"far{n}", "dj": "Jack Null", "tracks": [{"title": "Far", "artists": ["Y"]}]} for n in range(2)),
]


def test_new_songs_and_djs_of_a_graph_model_are_means_and_its_own_stay(world: World) -> None:
    world.take_up("mgccf")
    learned = {table: world.vectors(table) for table in ("song_embedding", "song_likeness", "dj_embedding")}
    assert all(learned.values())
    everything = [*EARLY, *ODD]
    for night in (ODD[:2], ODD):
        world.load(night)
        found = world.refresh()["tracklists"]
        assert found.state == "refreshed"
    assert found.found == "1 songs and 1 DJs that it never saw are placed among those that it knows"
    songs = learned["song_embedding"] | placed_songs(everything, learned["song_embedding"])
    assert set(songs) - set(learned["song_embedding"]) == {"House Anthem"}
    djs = placed_djs(everything, songs) | learned["dj_embedding"]
    assert set(djs) - set(learned["dj_embedding"]) >= {LATE}
    likeness = learned["song_likeness"] | placed_songs(everything, learned["song_likeness"])
    same(world.vectors("song_embedding"), songs)
    same(world.vectors("dj_embedding"), djs)
    same(world.vectors("song_likeness"), likeness)
    by_night = filled(world)
    assert world.states(whole=True) == {"tracklists": "refreshed"}
    assert filled(world) == about(by_night)
    assert world.rows("SELECT count(*) FROM model") == [(1,)]


def test_djs_of_a_sequence_model_move_with_their_plays(world: World) -> None:
    world.take_up("sequence")
    songs = world.vectors("song_embedding")
    same(world.vectors("dj_embedding"), placed_djs(EARLY, songs))
    memberships = world.rows("SELECT * FROM song_membership ORDER BY song_id")
    # The first DJ goes over to the other scene.
    moved = [late(number, DJS[0], songs=range(60 + number, 66 + number)) for number in range(1, 9)]
    world.load([*moved, late(20)])
    found = world.refresh()["lists in order"]
    assert found.found == "9 DJs stand where their songs of now do; it makes lists of songs that it learned"
    same(world.vectors("dj_embedding"), placed_djs([*EARLY, *moved, late(20)], songs))
    same(world.vectors("song_embedding"), songs)
    assert world.rows("SELECT * FROM song_membership ORDER BY song_id") == memberships


# --- killed ----------------------------------------------------------------------------------------------------

KILL = """
import os, signal, sys
from recsys import refresh
from recsys.config import load_settings
from recsys.tracklists import taking_up

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

point = sys.argv[1]
if hasattr(taking_up, point):
    setattr(taking_up, point, die)
for one in refresh.refresh(load_settings(), sources=False, progress=lambda step, *_: step == point and die()):
    print(one)
"""


def kill_at(world: World, point: str) -> None:
    """Refresh in a process that is killed at a step of its progress, or where a function would be called."""
    environment = {"DATABASE_URL": str(world.settings.database_url), "RECSYS_HOME": str(world.settings.home)}
    done = subprocess.run(
        [sys.executable, "-c", KILL, point],
        cwd=Path(__file__).parents[2],
        env=os.environ | environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done


def leftovers(world: World) -> list[str]:
    return [file.name for file in world.settings.models_folder.rglob(".*")]


def test_a_refresh_that_is_killed_leaves_the_old_or_the_new_and_the_next_one_ends_right(world: World) -> None:
    world.take_up("blend")
    ann = find_dj(world.connection, DJS[0]).id
    world.load()
    old = filled(world)["dj_forecast"]
    # While tables are filled, and when the new one answers but the old one is there still.
    for point in ("storing vectors", "_forget_older"):
        kill_at(world, point)
        assert leftovers(world)
        assert len(recommend_for_dj(world.connection, ann, 10)) == 10
        likes = {find_song(world.connection, "House Act 0 - House Song 0").id: 1.0}
        assert len(recommend_for_likes(world.connection, likes, 10)) == 10
        answers = "SELECT count(*) FROM dj_forecast AS f JOIN model AS m ON m.id = f.model_id AND m.is_current"
        assert world.rows(answers) == [(8 if point != "_forget_older" else 9,)]
    assert world.rows("SELECT count(*) FROM model") == [(2,)]
    assert world.states() == {"tracklists": "refreshed"}
    assert leftovers(world) == []
    assert world.rows("SELECT name, is_current FROM model") == [("mine", True)]
    ended = filled(world)
    assert ended["dj_forecast"].keys() > old.keys()
    assert world.states(whole=True) == {"tracklists": "refreshed"}
    assert filled(world) == about(ended)


def test_what_a_killed_one_left_is_removed_and_nothing_else(world: World) -> None:
    world.take_up("next")
    models = world.settings.models_folder
    theirs = models / ".refresh-of-another-database"
    draft = next_folder(world).with_name(".mine.4711")
    for folder in (theirs, draft):
        folder.mkdir()
        (folder / "half").write_bytes(b"half")
    world.load()
    assert world.states() == {"next songs": "refreshed"}
    assert leftovers(world) == [theirs.name]


# --- all of it -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_encoder(tmp_path_factory: pytest.TempPathFactory, encoder_folder: Path) -> dict[str, object]:
    """Settings with a home of their own, so that the encoder is exported once."""
    return {"home": tmp_path_factory.mktemp("home"), "encoder": str(encoder_folder)}


@pytest.mark.parametrize("seed", [0, 1])
def test_any_order_of_loads_and_refreshes_ends_where_one_whole_refresh_does(
    world: World, with_encoder: dict[str, object], seed: int
) -> None:
    chance = random.Random(seed)
    titles = ["house party", "techno", "sunday", "gym"]

    def a_playlist(number: int, day: int) -> Record:
        tracks = [song(n) for n in chance.sample(range(120), 4)]
        named = [entry(track["artists"][0], str(track["title"])) for track in tracks]  # type: ignore[index]
        return playlist(number, chance.choice(titles), named, snapshot=f"2026-01-{day + 1:02}")

    def a_tracklist(number: int) -> Record:
        dj = chance.choice([*DJS, LATE, "Kay Oh"])
        return late(number, dj, songs=chance.sample(range(120), 5))

    settings = world.settings.model_copy(update=with_encoder)
    world = replace(world, settings=settings)
    playlists, tracklists = world.folder / "p.jsonl", world.folder / "t.jsonl"
    lists: dict[int, Record] = {number: a_playlist(number, 0) for number in range(30)}
    sets: dict[int, Record] = {number: a_tracklist(number) for number in range(3)}

    def write() -> None:
        write_lines(playlists, lists.values())
        write_lines(tracklists, sets.values())

    write()
    ingest(settings, "playlists", [playlists])
    ingest(settings, "tracklists", [tracklists], source="more")
    embed_titles(settings, adapt=False)
    world.take_up("blend", "next", "sequence")
    for day in range(1, 5):
        number = chance.choice([*lists, 100 + day])
        lists[number] = a_playlist(number, day)
        number = chance.choice([*sets, 100 + day])
        sets[number] = a_tracklist(number)
        write()
        deed = chance.choice(["load both", "load one", "refresh", "refresh tables"])
        if deed.startswith("load"):
            ingest(settings, "playlists", [playlists])
        if deed == "load both":
            ingest(settings, "tracklists", [tracklists], source="more")
        if deed.startswith("refresh"):
            assert {one.state for one in refresh(settings, sources=deed == "refresh")} <= {"refreshed", "unchanged"}
    list(refresh(settings))
    votes = "SELECT title_id, track_ids, weights FROM title_profile ORDER BY 1"
    ended, voted = filled(world), world.rows(votes)
    assert {one.state for one in refresh(settings)} == {"unchanged"}
    assert {one.state for one in refresh(settings, whole=True) if one.subject != "source"} == {"refreshed"}
    assert filled(world) == about(ended)
    assert [(title, dict(zip(*both, strict=True))) for title, *both in world.rows(votes)] == [
        (title, pytest.approx(dict(zip(*both, strict=True)), rel=1e-4)) for title, *both in voted
    ]
    assert world.rows("SELECT count(*) FROM tracklist") == [(len(EARLY) + len(sets),)]
