"""Lists that an imported model generates for later tracklists, and what is kept of how they look."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect
from recsys.errors import SettingsError, UnknownNameError
from recsys.evaluation.list_shape import distances
from recsys.evaluation.made_lists import MadeOptions, asked_of, known_tracklists
from recsys.evaluation.made_runs import store_made_results
from recsys.evaluation.made_stored import Generator, compare_generator, stored_generator
from recsys.evaluation.results import leaderboard
from recsys.sequences.imported import import_sequence_model
from recsys.sequences.sequence_model import train_sequence_model
from recsys.sequences.sequence_options import SequenceOptions
from recsys.tracklists.graph_snapshot import load_graph_snapshot
from recsys.tracklists.later import load_later
from recsys.tracklists.prepare import GraphOptions, prepare_graph
from recsys.tracklists.running_order import UNKNOWN, load_running_order
from tests.scenes import FIRST, records, scene_sets, song
from tests.worlds import rows, write_lines

pytestmark = pytest.mark.usefixtures("one_thread")

BEFORE = FIRST + datetime.timedelta(7 * 56)
STRANGER = {"id": "x", "dj": "Jack Null", "date": "2021-01-01", "tracks": [song(number) for number in range(7)]}


@pytest.fixture(scope="module")
def settings(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(DATABASE_URL=shared_database, home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def folder(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot without the last eight tracklists and one by a DJ who was never heard, and a model of it."""
    folder = tmp_path_factory.mktemp("world")
    ingest(settings, "tracklists", [write_lines(folder / "lists.jsonl", [*records(scene_sets()), STRANGER])])
    prepare_graph(settings, folder / "graph", before=BEFORE, options=GraphOptions(least_information=0))
    options = SequenceOptions(epochs=2, width=16, batch_size=64, djs=True, device="cpu")
    train_sequence_model(folder / "graph", folder / "trained", options)
    import_sequence_model(settings, folder / "trained", name="mine")
    return folder / "graph"


@pytest.fixture
def connection(settings: Settings, folder: Path) -> Iterator[psycopg.Connection]:
    with connect(settings, autocommit=True) as connection:
        yield connection


def test_lists_begin_as_asked_are_as_long_and_never_repeat(connection: psycopg.Connection, folder: Path) -> None:
    snapshot, facts = load_graph_snapshot(folder)
    generator = stored_generator(connection, "mine", facts.content_hash)
    order = load_running_order(folder, facts.content_hash)
    real = known_tracklists(order, snapshot, generator.is_known, MadeOptions(100))
    assert len(real) == 9
    assert [dj == UNKNOWN for dj in real.djs].count(True) == 1
    made = generator(asked_of(real))
    assert [list_[0] for list_ in made] == real.songs[real.starts[:-1]].tolist()
    assert [len(list_) for list_ in made] == real.lengths.tolist()
    assert all(len(set(list_.tolist())) == len(list_) for list_ in made)
    again, other = generator(asked_of(real)), stored_generator(connection, "mine", facts.content_hash, seed=1)
    assert np.concatenate(again).tolist() == np.concatenate(made).tolist()
    assert np.concatenate(other(asked_of(real))).tolist() != np.concatenate(made).tolist()


def test_a_dj_has_a_say_if_he_has_a_vector(connection: psycopg.Connection, folder: Path) -> None:
    snapshot, facts = load_graph_snapshot(folder)
    generator = stored_generator(connection, "mine", facts.content_hash)
    assert generator.has_vector.all()
    order = load_running_order(folder, facts.content_hash)
    asked = asked_of(known_tracklists(order, snapshot, generator.is_known, MadeOptions(100)))
    nobody = type(asked)(asked.firsts, np.full_like(asked.djs, UNKNOWN), asked.lengths)
    unheard = Generator(connection, "mine", generator.trained, np.zeros_like(generator.has_vector))
    told = [np.concatenate(lists).tolist() for lists in (generator(asked), generator(nobody), unheard(asked))]
    assert told[0] != told[1] == told[2]


def test_what_lists_look_like_is_kept(connection: psycopg.Connection, settings: Settings, folder: Path) -> None:
    snapshot, graph_facts = load_graph_snapshot(folder)
    _, facts = load_later(folder, graph_facts.content_hash)
    order = load_running_order(folder, graph_facts.content_hash)
    generator = stored_generator(connection, "mine", graph_facts.content_hash)
    options = MadeOptions(4)
    results = compare_generator(order, snapshot, generator, options)
    assert [result.method for result in results] == ["real", "mine", "DJ's songs", "random"]
    store_made_results(connection, settings, "mine", results, facts, options)
    kept = leaderboard(connection, subject="generated lists")
    assert {row.part for row in kept} == {f"{BEFORE} on, clusters of mine"}
    assert {row.playlists for row in kept} == {4}
    values = {(row.method, row.metric): row for row in kept}
    real = results[0].shape
    for result in results:
        for respect, mean in result.shape.means().items():
            assert values[result.method, respect].value == pytest.approx(mean, rel=1e-5)
        if result is not results[0]:
            for respect, distance in distances(real, result.shape).items():
                assert values[result.method, f"{respect}_distance"].value == pytest.approx(distance, rel=1e-5)
    assert not any(metric.endswith("_distance") for method, metric in values if method == "real")
    query = "SELECT config FROM evaluation_run WHERE subject = 'generated lists' AND method = 'mine'"
    expected = {"graph": graph_facts.content_hash, "lists": 4, "least_known": 5, "days": None, "seed": 0}
    assert rows(connection, query) == [(expected,)]


def test_a_model_of_another_snapshot_is_refused(connection: psycopg.Connection) -> None:
    with pytest.raises(SettingsError, match="mine was trained on another snapshot"):
        stored_generator(connection, "mine", "other")
    with pytest.raises(UnknownNameError, match="no tracklist model is called 'yours'; there are: mine"):
        stored_generator(connection, "yours", "other")
