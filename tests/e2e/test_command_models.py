"""Models as the installed command lists them."""

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.e2e.command import Command

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
