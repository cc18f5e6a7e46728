"""What DJs play later, held out and foretold by the installed command."""

import json
from pathlib import Path

import psycopg
import pytest

from tests.e2e.command import Command, cells, complaint, json_lines, usage_error

TRACKLISTS = [
    {
        "id": str(number),
        "dj": f"DJ {number % 4}",
        "title": f"show {number}",
        "date": f"20{10 + number // 4}-01-01",
        "tracks": [{"title": f"song {song}", "artists": [f"artist {song % 3}"]} for song in range(number, number + 6)],
    }
    for number in range(24)
]
"""Six a DJ, one a year from 2010 on."""

PREPARE = ("tracklists", "prepare", "--least-information", "1")
ANYBODY = ("--least-lists", "1", "--least-songs", "1", "--least-plays", "1")
QUICK = ("--method", "own", "--method", "popularity", "--method", "item-knn")


@pytest.fixture
def loaded(recsys: Command) -> Command:
    """The command over the tracklists."""
    done = recsys("ingest", "tracklists", "-", stdin="\n".join(map(json.dumps, TRACKLISTS)))
    assert done.returncode == 0, done.stderr
    return recsys


def test_later_plays_are_foretold_by_every_method_and_kept(loaded: Command, tmp_path: Path, database: str) -> None:
    done = loaded(*PREPARE, tmp_path / "graph", "--before", "2014-01-01", "--until", "2015-01-01")
    assert done.returncode == 0, done.stderr
    assert cells(done)[-2:] == [["later tracklists", "4"], ["songs of DJs later", "14"]]
    done = loaded("evaluate", "graph", tmp_path / "graph", *QUICK, *ANYBODY)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    assert lines[0] == ["every", "later", "play,", "4", "DJs"]
    assert lines[1] == ["method", "R@10", "R@50", "R@100", "95", "%", "R@500", "NDCG@10", "NDCG@100"]
    assert [line[0] for line in lines[3:6]] == ["own", "popularity", "item-knn"]
    assert any(line[:2] == ["new", "songs,"] for line in lines)
    values = json_lines(loaded("evaluate", "graph", tmp_path / "graph", *QUICK, *ANYBODY, "--json"))
    assert {(line["view"], line["method"]) for line in values} == {
        (view, method) for view in ("every later play", "new songs") for method in ("own", "popularity", "item-knn")
    }
    told = {(line["view"], line["method"], line["metric"], line["k"]): line["value"] for line in values}
    assert told["every later play", "own", "recall", 500] == 1
    with psycopg.connect(database) as connection:
        [(count, value)] = connection.execute(
            "SELECT count(*), max(value) FROM recsys.leaderboard WHERE subject = 'DJs: every later play'"
            " AND part = '2014-01-01 to 2015-01-01' AND metric = 'ndcg' AND k = 10 AND method = 'own'"
        ).fetchall()
    assert (count, value) == (1, pytest.approx(told["every later play", "own", "ndcg", 10], abs=1e-6))


def test_pairs_stand_beside_what_was_published_and_cold_djs_are_folded_in(loaded: Command, tmp_path: Path) -> None:
    done = loaded(*PREPARE, tmp_path / "graph", "--before", "2015-01-01", "--cold-djs", "0.25", "--seed", "1", "--json")
    [summary] = json_lines(done)
    assert summary["held_out"]["DJs who come later"] == 1
    done = loaded("evaluate", "graph", tmp_path / "graph", *QUICK, *ANYBODY)
    assert "cold DJs, every later play, 1 DJ\n" in done.stdout
    long = [{**told, "id": f"again {told['id']}", "tracks": [
        {"title": f"song {song}", "artists": ["x"]} for song in range(20)]} for told in TRACKLISTS]  # fmt: skip
    assert loaded("ingest", "tracklists", "-", stdin="\n".join(map(json.dumps, long))).returncode == 0
    [summary] = json_lines(loaded(*PREPARE, tmp_path / "pairs", "--hold-out-pairs", "0.1", "--json"))
    assert summary["held_out"].keys() == {"songs taken from DJs"}
    done = loaded("evaluate", "graph", tmp_path / "pairs", *QUICK)
    assert done.returncode == 0, done.stderr
    published = ["published", ".0109", ".0295", ".0697", ".1316", ".2747", ".3719"]
    assert [line.split() for line in done.stdout.splitlines()].count(published) == 1
    assert "held-out pairs, known masked, 4 DJs: share found\n" in done.stdout


def test_what_cannot_be_measured_is_one_line(loaded: Command, tmp_path: Path) -> None:
    graph = tmp_path / "graph"
    assert "holds no graph" in complaint(loaded("evaluate", "graph", graph))
    assert loaded(*PREPARE, graph).returncode == 0
    assert f"`recsys tracklists prepare --before DATE {graph}`" in complaint(loaded("evaluate", "graph", graph))
    assert loaded(*PREPARE, graph, "--before", "2020-01-01").returncode == 0
    assert "nothing that is held out can be measured" in complaint(loaded("evaluate", "graph", graph))
    assert "no method magic, but popularity" in complaint(loaded("evaluate", "graph", graph, "--method", "magic"))
    assert "none can be left out" in complaint(loaded(*PREPARE, graph, "--before", "2020-01-01", "--cold-djs", ".5"))
    assert "no pair can be held out" in complaint(loaded(*PREPARE, graph, "--hold-out-pairs", ".5"))
    usage_error(loaded(*PREPARE, graph, "--until", "2015-01-01"))
    usage_error(loaded(*PREPARE, graph, "--before", "2015-01-01", "--until", "2015-01-01"))
    usage_error(loaded(*PREPARE, graph, "--cold-djs", "0.5"))
    usage_error(loaded(*PREPARE, graph, "--hold-out-pairs", "1"))
