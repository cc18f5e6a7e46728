"""Tracklists in the database become graphs of songs, artists and DJs, and nothing of later dates is in them."""

import datetime
import json
import math
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import psycopg
import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.errors import NotReadyError, SourceError
from recsys.tracklists import reading
from recsys.tracklists.graph_snapshot import ARRAYS_FILE, MANIFEST_FILE, load_graph_snapshot
from recsys.tracklists.prepare import GraphOptions, GraphSummary, prepare_graph
from tests.graph_worlds import ALL, SONGS, entries, named, tracklist
from tests.worlds import write_lines

TRACKLISTS = [
    tracklist(1, "Dan", "ab-cd"),
    tracklist(2, "Dan", "abce"),
    tracklist(3, "Eve", "dcba", "2019-02-01"),
    tracklist(4, "Eve", "dce", "2019-02-02"),
    tracklist(5, "Fay", "a"),
]
LATER = [tracklist(6, "Dan", "zzaz", "2020-01-01"), tracklist(7, "Gus", "zb", None)]


def load(settings: Settings, folder: Path, tracklists: Sequence[object]) -> None:
    ingest(settings, "tracklists", [write_lines(folder / "lists.jsonl", tracklists)])


def graph(settings: Settings, folder: Path, before: str | None = None, options: GraphOptions = ALL) -> GraphSummary:
    date = None if before is None else datetime.date.fromisoformat(before)
    return prepare_graph(settings, folder, before=date, options=options)


def test_the_graphs_are_those_of_the_tracklists(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path, TRACKLISTS)
    summary = graph(settings, tmp_path / "graph")
    snapshot, facts = load_graph_snapshot(tmp_path / "graph")
    songs, artists, djs = named(connection, snapshot)
    together = entries(snapshot.song_song, songs, songs)
    # "ab-cd": a-b next to each other, a-c three apart, for what nobody identified takes a place; and so on.
    assert together["a", "b"] == pytest.approx(math.log1p(3))
    assert together["a", "c"] == pytest.approx(math.log1p(1 / 3 + 1 / 2 + 1 / 2))
    assert together["d", "c"] == together["c", "d"] == pytest.approx(math.log1p(3))
    beside = entries(snapshot.song_artist, songs, artists)
    # a's neighbours of Ann's: b alone.
    assert beside["a", "Ann"] == pytest.approx(math.log1p(3))
    both = entries(snapshot.artist_artist, artists, artists)
    ann_bob = sum(math.expm1(together.get((own, other), 0)) for own in "ab" for other in "cd")
    assert both["Ann", "Bob"] == both["Bob", "Ann"] == pytest.approx(math.log1p(ann_bob), rel=1e-6)
    assert ("Ann", "Ann") not in both
    assert entries(snapshot.credits, songs, artists) == {(s, a): 1 for s, a in SONGS.items() if s != "z"}
    plays = entries(snapshot.plays, djs, songs)
    assert plays["Dan", "a"] == 2
    assert plays["Dan", "e"] == plays["Fay", "a"] == 1
    clicks = entries(snapshot.clicks, djs, songs)
    assert clicks == {
        **{("Dan", song): pytest.approx(math.log(2)) for song in "abc"},
        **{("Eve", song): pytest.approx(math.log(2)) for song in "cd"},
    }
    assert entries(snapshot.dj_dj, djs, djs) == {
        ("Dan", "Eve"): pytest.approx(1 / math.sqrt(6)), ("Eve", "Dan"): pytest.approx(1 / math.sqrt(6))
    }  # fmt: skip
    assert summary.tracklists == facts.tracklists == 5
    assert summary.sizes["songs"] == (5, 5)
    assert summary.sizes["DJs"] == (3, 2)
    assert summary.content_hash == facts.content_hash


def test_later_tracklists_and_those_without_a_date_change_nothing_before_a_date(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path, TRACKLISTS)
    first = graph(settings, tmp_path / "first", "2020-01-01")
    load(settings, tmp_path, LATER)
    second = graph(settings, tmp_path / "second", "2020-01-01")
    assert (second.content_hash, second.query_hash) == (first.content_hash, first.query_hash)
    whole = graph(settings, tmp_path / "whole")
    assert whole.tracklists == 7
    assert whole.query_hash != first.query_hash
    snapshot, _ = load_graph_snapshot(tmp_path / "whole")
    assert "z" in named(connection, snapshot)[0]


def test_how_many_tracklists_are_read_at_once_changes_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(settings, tmp_path, [*TRACKLISTS, *LATER])
    first = graph(settings, tmp_path / "first")
    monkeypatch.setattr(reading, "TRACKLISTS_AT_ONCE", 2)
    graph(settings, tmp_path / "second")
    one, other = (load_graph_snapshot(tmp_path / name)[0] for name in ("first", "second"))
    assert first.sizes["songs"] == (6, 6)
    for field in fields(one):
        values = [getattr(snapshot, field.name) for snapshot in (one, other)]
        dense = [value if isinstance(value, np.ndarray) else value.toarray() for value in values]
        np.testing.assert_allclose(dense[0], dense[1], rtol=1e-6)


def test_songs_that_tracklists_say_little_of_are_left_out(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path, TRACKLISTS)
    summary = graph(settings, tmp_path / "graph", options=GraphOptions(least_information=4))
    snapshot, _ = load_graph_snapshot(tmp_path / "graph")
    songs, _, djs = named(connection, snapshot)
    assert set(songs) == set("abcd")
    assert summary.sizes["songs"] == (5, 4)
    assert set(djs) == {"Dan", "Eve", "Fay"}


@pytest.mark.parametrize(
    ("before", "options", "message"),
    [
        ("1999-01-01", ALL, "no tracklists before 1999-01-01"),
        (None, GraphOptions(least_information=1e6), "too little of every song"),
    ],
)
def test_what_cannot_be_prepared_is_said_in_one_line(
    settings: Settings, tmp_path: Path, before: str | None, options: GraphOptions, message: str
) -> None:
    load(settings, tmp_path, TRACKLISTS)
    with pytest.raises(NotReadyError, match=message) as error:
        graph(settings, tmp_path / "graph", before, options)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "graph").exists()


def test_without_tracklists_it_says_what_to_do(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="recsys ingest"):
        graph(settings, tmp_path / "graph")


def test_a_folder_of_something_else_is_not_replaced_and_a_damaged_one_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    load(settings, tmp_path, TRACKLISTS)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(SourceError, match="something else"):
        graph(settings, tmp_path / "mine")
    graph(settings, tmp_path / "graph")
    graph(settings, tmp_path / "graph")
    manifest = tmp_path / "graph" / MANIFEST_FILE
    told = json.loads(manifest.read_text())
    for change, message in (({"layout": 99}, "layout 99"), ({"content_hash": "0"}, "not what its manifest says")):
        manifest.write_text(json.dumps(told | change))
        with pytest.raises(SourceError, match=message):
            load_graph_snapshot(tmp_path / "graph")
    manifest.write_text(json.dumps(told))
    (tmp_path / "graph" / ARRAYS_FILE).write_bytes(b"no archive")
    with pytest.raises(SourceError, match="damaged"):
        load_graph_snapshot(tmp_path / "graph")
    with pytest.raises(SourceError, match="recsys tracklists prepare"):
        load_graph_snapshot(tmp_path)
