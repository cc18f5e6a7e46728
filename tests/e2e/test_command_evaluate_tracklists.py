"""The next song of later tracklists, foretold by the installed command."""

import json
import re
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


def test_generated_lists_and_levels_are_compared(graph: tuple[Command, Path], database: str, tmp_path: Path) -> None:
    recsys, folder = graph
    train = ("tracklists", "train", "--model", "tl-lstm", "--epochs", "1", "--snapshot", folder)
    done = recsys(*train, "--output", tmp_path / "net")
    assert done.returncode == 0, done.stderr
    done = recsys("model", "import", tmp_path / "net", "--name", "mine")
    assert done.returncode == 0, done.stderr
    done = recsys("evaluate", "tracklists", folder, "--generated", "9", "--model", "mine")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    lines = [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines() if line.strip()]
    assert lines[0][0].startswith("4 lists by mine beside")
    assert lines[1] == ["mean of a list", "real", "mine", "off", "DJ's songs", "off", "random", "off"]
    named = ["artist came before", *(f"run in {count} clusters" for count in (2, 4, 8))]
    named += ["log(1 + plays)", "DJ played it before", "diversity", "coverage"]
    assert [line[0] for line in lines[3:]] == named
    told = json_lines(recsys("evaluate", "tracklists", folder, "--generated", "2", "--model", "mine", "--json"))
    assert {(line["model"], line["lists"]) for line in told} == {("mine", 2)}
    assert [line["method"] for line in told if line["respect"] == "coverage"] == [
        "real",
        "mine",
        "DJ's songs",
        "random",
    ]

    # The next song, with each level of the imported network and of its folder.
    asked = ("evaluate", "tracklists", folder, "--method", "sr", "--model", "mine", "--network", tmp_path / "net")
    shown = recsys(*asked).stdout
    assert "mine: each level at 20 positions of 4 tracklists" in shown
    assert max(map(len, shown.splitlines())) <= 80
    levels = [line for line in json_lines(recsys(*asked, "--json")) if line["view"] == "levels"]
    assert len(levels) == 2 * 2 * 4
    values = [{line["metric"]: line["value"] for line in levels if line["method"] == name} for name in ("mine", "net")]
    assert values[0] == values[1]
    assert values[0]["given_clusters_2"] == values[0]["alone_clusters_2"]
    with psycopg.connect(database) as connection:
        query = "SELECT subject, method, count(*) FROM recsys.leaderboard WHERE subject !~ 'next song' GROUP BY 1, 2"
        kept = connection.execute(query + " ORDER BY 1, 2").fetchall()
    assert kept == [
        *(("generated lists", method, 15) for method in ("DJ's songs", "mine", "random")),
        ("generated lists", "real", 8),
        ("levels of tracklist models", "mine", 8),
        ("levels of tracklist models", "net", 8),
    ]


def test_generating_asks_for_a_model_and_nothing_else(graph: tuple[Command, Path]) -> None:
    recsys, folder = graph
    asked = ("evaluate", "tracklists", folder, "--generated", "9")
    assert "--model" in usage_error(recsys(*asked))
    for more in (("--method", "sr"), ("--network", folder), ("--renew", "7")):
        assert "does not go with --generated" in usage_error(recsys(*asked, "--model", "mine", *more))
    assert "no tracklist model is called 'mine'" in complaint(recsys(*asked, "--model", "mine"))
