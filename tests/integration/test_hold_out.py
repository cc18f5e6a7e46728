"""What is held out of a snapshot of graphs is in none of its matrices, and stands whole beside it."""

import datetime
import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import psycopg
import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect, upgrade
from recsys.errors import NotReadyError, SourceError
from recsys.evaluation.graph import ALL as EVERY_PLAY
from recsys.evaluation.graph import TruthOptions
from recsys.evaluation.graph_methods import chosen_methods, measure
from recsys.evaluation.graph_runs import check_storable, store_graph_results
from recsys.tracklists.graph_snapshot import GraphSnapshot, load_graph_snapshot
from recsys.tracklists.later import LATER_FILE, LAYOUT, HoldOut, Later, LaterFacts, load_later
from recsys.tracklists.prepare import GraphSummary, prepare_graph
from tests.graph_worlds import ALL, entries, named, tracklist
from tests.worlds import rows, write_lines

Named = dict[str, dict[tuple[str, str], float]]

PAST = [
    tracklist(1, "Dan", "ab-cd"),
    tracklist(2, "Dan", "abce"),
    tracklist(3, "Eve", "dcba", "2019-02-01"),
    tracklist(4, "Eve", "dce", "2019-02-02"),
    tracklist(5, "Fay", "a"),
]
NEXT = [
    tracklist(6, "Dan", "eez", "2020-01-01"),
    tracklist(7, "Gus", "ab", "2020-01-02"),
    tracklist(8, "Eve", "a", "2020-12-31"),
]
AFTER = [tracklist(9, "Dan", "dd", "2021-01-01"), tracklist(10, "Eve", "b", None)]
YEAR = HoldOut(until=datetime.date(2021, 1, 1))


def load(settings: Settings, folder: Path, tracklists: Sequence[object]) -> None:
    ingest(settings, "tracklists", [write_lines(folder / "lists.jsonl", tracklists)])


def prepared(settings: Settings, folder: Path, hold_out: HoldOut, before: str | None = "2020-01-01") -> GraphSummary:
    date = None if before is None else datetime.date.fromisoformat(before)
    return prepare_graph(settings, folder, before=date, hold_out=hold_out, options=ALL)


def loaded(folder: Path) -> tuple[GraphSnapshot, Later, LaterFacts]:
    snapshot, facts = load_graph_snapshot(folder)
    return snapshot, *load_later(folder, facts.content_hash)


def another_schema(settings: Settings) -> Settings:
    other = settings.model_copy(update={"db_schema": "other"})
    upgrade(other)
    return other


def by_names(settings: Settings, snapshot: GraphSnapshot) -> Named:
    """Every matrix between songs, artists and DJs, by their names."""
    with connect(settings) as connection:
        songs, artists, djs = named(connection, snapshot)
    lists = [str(place) for place in range(len(snapshot.days))]
    axes = {
        "lists": (lists, songs),
        "dj_lists": (djs, lists),
        "song_song": (songs, songs),
        "song_artist": (songs, artists),
        "artist_artist": (artists, artists),
        "credits": (songs, artists),
        "clicks": (djs, songs),
        "dj_dj": (djs, djs),
    }
    assert {*axes, "songs", "artists", "djs", "days"} == {field.name for field in fields(snapshot)}
    return {name: entries(getattr(snapshot, name), *both) for name, both in axes.items()}


def assert_same(one: Named, other: Named) -> None:
    for name, matrix in one.items():
        assert matrix == pytest.approx(other[name]), name


def test_later_plays_of_the_snapshots_djs_stand_beside_it(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path, [*PAST, *NEXT, *AFTER])
    summary = prepared(settings, tmp_path / "graph", YEAR)
    snapshot, later, facts = loaded(tmp_path / "graph")
    songs, _, djs = named(connection, snapshot)
    # z is no song of the snapshot, Gus none of its DJs; 2021 is after the end, and no date is never later.
    assert entries(later.plays, djs, songs) == {("Dan", "e"): 2, ("Eve", "a"): 1}
    assert dict(zip(songs, later.song_plays.tolist(), strict=True)) == {"a": 6, "b": 5, "c": 4, "d": 5, "e": 4}
    assert (later.pairs.nnz, len(later.cold_djs), later.cold_plays.shape) == (0, 0, (0, 5))
    assert summary.held_out == {"later tracklists": 3, "songs of DJs later": 2}
    assert (facts.tracklists, facts.part) == (3, "2020-01-01 to 2021-01-01")
    prepared(settings, tmp_path / "graph", HoldOut())
    snapshot, later, facts = loaded(tmp_path / "graph")
    assert entries(later.plays, djs, songs) == {("Dan", "e"): 2, ("Dan", "d"): 2, ("Eve", "a"): 1}
    assert facts.part == "2020-01-01 on"


def test_the_graphs_know_nothing_of_later_tracklists(settings: Settings, tmp_path: Path) -> None:
    load(settings, tmp_path, PAST)
    first = prepared(settings, tmp_path / "first", HoldOut())
    load(settings, tmp_path, [*NEXT, *AFTER])
    for hold_out in (HoldOut(), YEAR):
        assert prepared(settings, tmp_path / "second", hold_out).content_hash == first.content_hash


def test_pairs_are_as_if_the_dj_had_never_played_the_song(settings: Settings, tmp_path: Path) -> None:
    load(settings, tmp_path, PAST)
    summary = prepared(settings, tmp_path / "graph", HoldOut(pairs=0.4, seed=3), before=None)
    snapshot, later, facts = loaded(tmp_path / "graph")
    with connect(settings) as connection:
        songs, _, djs = named(connection, snapshot)
    pairs = entries(later.pairs, djs, songs)
    # Two of Dan's a, b, c and Eve's c, d.
    assert len(pairs) == summary.held_out["songs taken from DJs"] == 2
    assert set(pairs) <= {("Dan", "a"), ("Dan", "b"), ("Dan", "c"), ("Eve", "c"), ("Eve", "d")}
    assert not later.pairs.multiply(snapshot.plays).nnz
    assert facts.part == "0.4 of pairs, seed 3"
    assert load_graph_snapshot(tmp_path / "graph")[1].held_out == {"pairs": 0.4, "seed": 3}

    other = another_schema(settings)
    numbered = {"Dan": {1: "ab-cd", 2: "abce"}, "Eve": {3: "dcba", 4: "dce"}, "Fay": {5: "a"}}
    dates = {3: "2019-02-01", 4: "2019-02-02"}
    without = [
        tracklist(
            number,
            dj,
            "".join("-" if (dj, song) in pairs else song for song in played),
            dates.get(number, "2019-01-01"),
        )
        for dj, lists in numbered.items()
        for number, played in lists.items()
    ]
    load(other, tmp_path, without)
    prepared(other, tmp_path / "other", HoldOut(), before=None)
    apart = load_graph_snapshot(tmp_path / "other")[0]
    assert_same(by_names(settings, snapshot), by_names(other, apart))


def test_a_seed_draws_the_same_pairs(settings: Settings, tmp_path: Path) -> None:
    load(settings, tmp_path, PAST)
    drawn = []
    for folder, seed in (("one", 1), ("same", 1), ("two", 2), ("three", 3)):
        prepared(settings, tmp_path / folder, HoldOut(pairs=0.4, seed=seed), before=None)
        drawn.append(loaded(tmp_path / folder)[1].pairs.toarray().tolist())
    assert drawn[0] == drawn[1]
    assert len({str(pairs) for pairs in drawn}) > 1


def test_cold_djs_are_left_out_with_all_their_tracklists(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recsys.tracklists.later.COLD_LISTS", 2)
    shared = {**tracklist(11, "Dan", "ce"), "djs": ["Dan", "Fay"]}
    del shared["dj"]
    load(settings, tmp_path, [*PAST, shared, *NEXT])
    # Dan and Eve have two tracklists before and one later; Fay has none later.
    summary = prepared(settings, tmp_path / "graph", HoldOut(cold_djs=0.5, seed=0))
    snapshot, later, _ = loaded(tmp_path / "graph")
    with connect(settings) as connection:
        [cold] = rows(connection, "SELECT name FROM dj WHERE id = %s", int(later.cold_djs[0]))[0]
        songs, _, djs = named(connection, snapshot)
    assert summary.held_out["DJs who come later"] == len(later.cold_djs) == 1
    assert cold not in djs
    past = {"Dan": {"a": 2, "b": 2, "c": 3, "d": 1, "e": 2}, "Eve": {"a": 1, "b": 1, "c": 2, "d": 2, "e": 1}}
    plays = {"Dan": {"e": 2}, "Eve": {"a": 1}}
    assert entries(later.newcomers.plays, [cold], songs) == {
        (cold, song): n for song, n in past[cold].items() if song in songs
    }
    assert entries(later.cold_plays, [cold], songs) == {(cold, song): n for song, n in plays[cold].items()}
    assert np.diff(later.cold_owned.indptr).tolist() == [3 if cold == "Dan" else 2]
    other = another_schema(settings)
    load(other, tmp_path, [told for told in [*PAST, shared] if cold not in (told.get("dj"), *told.get("djs", ()))])  # type: ignore[misc]
    prepared(other, tmp_path / "other", HoldOut())
    assert_same(by_names(settings, snapshot), by_names(other, load_graph_snapshot(tmp_path / "other")[0]))


@pytest.mark.parametrize(
    ("hold_out", "before", "message"),
    [
        (HoldOut(cold_djs=0.5), "2020-01-01", "too few DJs have tracklists before and after"),
        (HoldOut(pairs=0.01), None, "too few DJs played more than 1 songs more than once"),
    ],
)
def test_nothing_to_hold_out_is_said_in_one_line(
    settings: Settings, tmp_path: Path, hold_out: HoldOut, before: str | None, message: str
) -> None:
    load(settings, tmp_path, PAST)
    with pytest.raises(NotReadyError, match=message):
        prepared(settings, tmp_path / "graph", hold_out, before)
    assert not (tmp_path / "graph").exists()


def test_what_needs_a_date_is_refused_without(settings: Settings, tmp_path: Path) -> None:
    for hold_out in (YEAR, HoldOut(cold_djs=0.1)):
        with pytest.raises(ValueError, match="need a date before"):
            prepared(settings, tmp_path / "graph", hold_out, before=None)


def test_a_snapshot_without_held_out_plays_says_which_command_makes_them(settings: Settings, tmp_path: Path) -> None:
    load(settings, tmp_path, [*PAST, *NEXT])
    prepared(settings, tmp_path / "graph", HoldOut())
    prepared(settings, tmp_path / "graph", HoldOut(), before=None)
    with pytest.raises(SourceError, match="recsys tracklists prepare --before DATE"):
        loaded(tmp_path / "graph")
    assert not (tmp_path / "graph" / LATER_FILE).exists()


def test_held_out_plays_that_are_damaged_or_of_another_snapshot_are_refused(settings: Settings, tmp_path: Path) -> None:
    load(settings, tmp_path, [*PAST, *NEXT])
    prepared(settings, tmp_path / "graph", YEAR)
    graph_hash = load_graph_snapshot(tmp_path / "graph")[1].content_hash
    with pytest.raises(SourceError, match="another snapshot"):
        load_later(tmp_path / "graph", "0" * 64)
    manifest = tmp_path / "graph" / LAYOUT.manifest_file
    told = manifest.read_text()
    manifest.write_text(json.dumps(json.loads(told) | {"content_hash": "0"}))
    with pytest.raises(SourceError, match="not what its manifest says"):
        load_later(tmp_path / "graph", graph_hash)
    manifest.write_text(told)
    (tmp_path / "graph" / LATER_FILE).write_bytes(b"no archive")
    with pytest.raises(SourceError, match="damaged"):
        load_later(tmp_path / "graph", graph_hash)


def test_results_are_kept_in_the_leaderboard(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path, [*PAST, *NEXT])
    prepared(settings, tmp_path / "graph", YEAR)
    snapshot, later, facts = loaded(tmp_path / "graph")
    options = TruthOptions(least_lists=1, least_songs=1, least_plays=1)
    measured = measure(snapshot, later, chosen_methods(["popularity", "own"]), options)
    check_storable(settings)
    store_graph_results(settings, measured.results, facts, options)
    stored = rows(
        connection,
        "SELECT method, value, playlists, split FROM leaderboard WHERE subject = %s AND part = %s AND metric = 'ndcg'"
        " AND k = 10 ORDER BY method",
        f"DJs: {EVERY_PLAY}",
        facts.part,
    )
    values = {r.method: r.mean("ndcg", 10) for r in measured.results if r.view == EVERY_PLAY}
    assert stored == [(name, pytest.approx(values[name], abs=1e-6), 2, None) for name in ("own", "popularity")]
    config = rows(connection, "SELECT DISTINCT config FROM evaluation_run")
    assert config == [({"graph": facts.graph_hash, "seed": 0, "least_lists": 1, "least_songs": 1, "least_plays": 1},)]


def test_what_a_dj_plays_later_is_counted_once_a_song(settings: Settings, tmp_path: Path) -> None:
    load(settings, tmp_path, [*PAST, *NEXT])
    prepared(settings, tmp_path / "graph", YEAR)
    snapshot, later, _ = loaded(tmp_path / "graph")
    twice = replace(later, plays=later.plays * 2)
    options = TruthOptions(least_lists=1, least_songs=1, least_plays=1)
    results = [measure(snapshot, told, chosen_methods(["own"]), options).results for told in (later, twice)]
    assert [r.scores for r in results[0]] == [r.scores for r in results[1]]
    assert np.mean([r.mean("recall", 500) for r in results[0]]) > 0
