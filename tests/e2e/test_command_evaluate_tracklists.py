"""The next song of later tracklists, foretold by the installed command."""

import json
from pathlib import Path

import psycopg
import pytest

from tests.e2e.command import Command, complaint, json_lines, usage_error

TRACKLISTS = [
    {
        "id": str(number),
        "dj": f"DJ {number % 2}",
        "title": f"show {number}",
        "date": f"2014-{1 + number // 2:02}-{1 + number % 2:02}",
        "tracks": [
            {"title": f"song {(number + place) % 12}", "artists": [f"artist {(number + place) % 3}"]}
            for place in range(6)
        ],
    }
    for number in range(24)
]
"""Two a month, each of six songs of a round of twelve, so that one song always follows another."""

METHODS = ("popularity", "dj-popularity", "ar", "sr", "sknn", "vsknn", "next")


@pytest.fixture
def graph(recsys: Command, tmp_path: Path) -> tuple[Command, Path]:
    """The command over the tracklists, and a snapshot that was kept from those of November and December."""
    done = recsys("ingest", "tracklists", "-", stdin="\n".join(map(json.dumps, TRACKLISTS)))
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "graph"
    done = recsys("tracklists", "prepare", "--least-information", "1", folder, "--before", "2014-11-01")
    assert done.returncode == 0, done.stderr
    return recsys, folder


def test_next_songs_are_foretold_by_every_method_and_kept(graph: tuple[Command, Path], database: str) -> None:
    recsys, folder = graph
    done = recsys("evaluate", "tracklists", folder)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    # Four tracklists, of each the five positions after the first.
    assert lines[0] == ["known", "targets:", "20", "of", "4", "tracklists"]
    assert lines[1] == ["method", "HR@1", "HR@10", "HR@20", "95", "%", "MRR@20", "95", "%", "ms"]
    assert tuple(line[0] for line in lines[3:10]) == METHODS
    assert ["every", "position:", "20", "of", "4", "tracklists"] in lines
    values = json_lines(recsys("evaluate", "tracklists", folder, "--method", "sr", "--method", "ar", "--json"))
    told = {(line["view"], line["method"], line["metric"], line["k"]): line["value"] for line in values}
    assert len(values) == len(told) == 2 * 2 * 4
    assert told["known targets", "sr", "hit_rate", 1] == told["known targets", "sr", "mrr", 20] == 1
    assert told["known targets", "ar", "hit_rate", 1] < 1
    with psycopg.connect(database) as connection:
        [kept] = connection.execute(
            "SELECT count(*), max(value), max(playlists) FROM recsys.leaderboard"
            " WHERE subject = 'next song: known targets' AND part = '2014-11-01 on' AND metric = 'mrr'"
            " AND method = 'sr'"
        ).fetchall()
    assert kept == (1, pytest.approx(1), 4)


def test_a_protocol_is_drawn_by_its_options(graph: tuple[Command, Path], database: str) -> None:
    recsys, folder = graph
    asked = ("--tracklists", "2", "--positions", "1", "--days", "40", "--renew", "7", "--seed", "3")
    lines = json_lines(recsys("evaluate", "tracklists", folder, "--method", "sr", *asked, "--json"))
    assert {(line["positions"], line["tracklists"]) for line in lines} == {(2, 2)}
    with psycopg.connect(database) as connection:
        parts = connection.execute("SELECT DISTINCT part FROM recsys.leaderboard").fetchall()
    assert parts == [("2014-11-01 on, the first 40 days, renewed every 7 days",)]


def test_what_cannot_be_measured_is_one_line(graph: tuple[Command, Path], tmp_path: Path) -> None:
    recsys, folder = graph
    assert "holds no graph" in complaint(recsys("evaluate", "tracklists", tmp_path))
    assert "no method magic, but popularity" in complaint(recsys("evaluate", "tracklists", folder, "--method", "magic"))
    assert "a song of 99 plays" in complaint(recsys("evaluate", "tracklists", folder, "--least-plays", "99"))
    assert "holds no sequence model" in complaint(recsys("evaluate", "tracklists", folder, "--network", folder))
    usage_error(recsys("evaluate", "tracklists", folder, "--tracklists", "0"))
    prepare = ("tracklists", "prepare", "--least-information", "1", tmp_path / "all")
    assert recsys(*prepare).returncode == 0
    assert "tracklists prepare --before DATE" in complaint(recsys("evaluate", "tracklists", tmp_path / "all"))
