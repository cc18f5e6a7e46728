"""Models as the installed command lists them, and which of them answers."""

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.e2e.command import Command, complaint
from tests.worlds import rows

LOSSES = {"loss": 19.2, "bpr": 0.25, "song_song": 1.5, "song_artist": 2.5, "artist_song": 3.5, "norm": 4.5}
MODELS = [
    ("title-recommender", "sentence-transformers/all-MiniLM-L6-v2, adapted", 1024, {}, True),
    ("tracklist-recommender", "blend", 128, {"known_loss": 0.1234, "new_loss": 0.0456}, False),
    ("tracklist-recommender", "graphs", 64, LOSSES, True),
]


@pytest.fixture
def listed(recsys: Command, connection: psycopg.Connection) -> Command:
    """The command over rows of three models, without their files."""
    for number, (kind, name, dimension, metrics, is_current) in enumerate(MODELS, 1):
        connection.execute(
            "INSERT INTO model (id, kind, name, dimension, fingerprint, folder, metrics, is_current)"
            " VALUES (%s, %s, %s, %s, %s, '/gone', %s, %s)",
            (number, kind, name, dimension, f"hash {number}", Jsonb(metrics), is_current),
        )
    return recsys


def test_a_list_fits_80_columns_with_whole_kinds_and_a_loss_without_its_parts(listed: Command) -> None:
    lines = listed.on_terminal("model", "list", columns=80)
    assert max(map(len, lines)) <= 80
    assert [line.split() for line in lines if line.strip()][2:] == [
        ["*", "1", "title-recommender", "all-MiniLM-L6-v2,", "1024"],
        ["adapted"],
        ["2", "tracklist-recommender", "blend", "128", "new", "loss", "0.0456"],
        ["known", "loss", "0.1234"],
        ["*", "3", "tracklist-recommender", "graphs", "64", "loss", "19.2000"],
    ]
    wide = listed.on_terminal("model", "list", columns=120)
    assert "all-MiniLM-L6-v2, adapted" in wide[3]


def current(connection: psycopg.Connection) -> list[int]:
    return [number for (number,) in rows(connection, "SELECT id FROM model WHERE is_current ORDER BY id")]


def test_an_earlier_model_of_tracklists_or_of_titles_answers_again(
    listed: Command, connection: psycopg.Connection
) -> None:
    own = "hub/own"
    connection.execute(
        "INSERT INTO model (id, kind, name, dimension, fingerprint, folder, config) VALUES"
        " (4, 'title-encoder', %s, 9, 'own', '/gone', '{}'), (5, 'title-recommender', %s, 9, 'a', '/gone', %s),"
        " (6, 'title-recommender', %s, 9, 'b', '/gone', %s), (7, 'title-recommender', %s, 9, 'c', '/gone', %s)",
        (own, own, '{"encoder": 4}', f"{own}, adapted", '{"encoder": 4}', own, '{"encoder": 4, "split": 1}'),
    )
    connection.execute("UPDATE model SET profiled_at = now() - make_interval(days => 10 - id::int)")
    done = listed("model", "use", "blend")
    assert done.stderr == "blend (model 2) is the tracklist-recommender that answers from now on\n"
    assert current(connection) == [1, 2]
    for name, titles in (("hub/own", [4, 6]), ("5", [4, 5]), ("hub/own, adapted", [4, 6])):
        assert listed("model", "use", name).returncode == 0
        assert current(connection) == [2, *titles]
    for unusable in ("yours", "4", "7"):
        assert complaint(listed("model", "use", unusable)).startswith(f"no recommender is called '{unusable}': ")
    connection.execute("UPDATE model SET name = 'hub/own' WHERE id = 3")
    assert complaint(listed("model", "use", "hub/own")) == (
        "several models are called 'hub/own': name one by its id, 6 (title-recommender) or 3 (tracklist-recommender)"
    )


def test_a_model_that_cannot_answer_yet_names_what_to_run(listed: Command, connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO model (id, kind, name, dimension, fingerprint, folder) VALUES"
        " (4, 'title-encoder', 'hub/new', 9, 'new', '/gone')"
    )
    assert complaint(listed("model", "use", "hub/new")) == (
        "hub/new has embedded no titles: run `recsys titles embed --encoder hub/new`"
    )
    said = complaint(listed("model", "use", "blend"))
    assert said == "what blend answers from is not in tables whole: run `recsys model import /gone`"
    assert current(connection) == [1, 3]
