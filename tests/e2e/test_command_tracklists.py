"""Graphs of songs, artists and DJs by the installed command."""

import json
from pathlib import Path

import pytest

from tests.e2e.command import Command, cells, complaint, json_lines, usage_error

TRACKLISTS = [
    {
        "id": str(number),
        "dj": f"DJ {number % 2}",
        "title": f"show {number}",
        "date": f"2019-01-0{number}",
        "tracks": [{"title": f"song {song}", "artists": [f"artist {song % 3}"]} for song in range(number, number + 6)],
    }
    for number in range(1, 7)
]

LITTLE = ("--least-information", "1")


@pytest.fixture
def loaded(recsys: Command) -> Command:
    """The command over six tracklists."""
    done = recsys("ingest", "tracklists", "-", stdin="\n".join(map(json.dumps, TRACKLISTS)))
    assert done.returncode == 0, done.stderr
    return recsys


def test_graphs_are_written_and_told_in_a_table(loaded: Command, tmp_path: Path) -> None:
    done = loaded("tracklists", "prepare", tmp_path / "graph", "--least-information", "10")
    assert done.returncode == 0, done.stderr
    table = {row[0]: row[1:] for row in cells(done)}
    assert table["tracklists"] == ["6"]
    assert table["songs"][0] == "11"
    assert 0 < int(table["songs"][1]) < 11
    assert int(table["song-song"][0]) >= int(table["song-song"][1]) > 0
    assert done.stderr.startswith(f"written: {tmp_path / 'graph'}, ")
    [summary] = json_lines(
        loaded("tracklists", "prepare", tmp_path / "graph", "--before", "2019-01-03", "--json", *LITTLE)
    )
    assert (summary["tracklists"], summary["before"]) == (2, "2019-01-03")


def test_a_date_after_which_nothing_is_held_out_is_warned_of(loaded: Command, tmp_path: Path) -> None:
    late = loaded("tracklists", "prepare", tmp_path / "graph", "--before", "2019-01-07", "--json", *LITTLE)
    assert json_lines(late)[0]["held_out"] == {}
    [warning, _] = late.stderr.splitlines()
    assert warning == "warning: no tracklist is of 2019-01-07 or later, so none is held out to be foretold"
    span = ("--before", "2019-01-07", "--until", "2019-02-01")
    said = loaded("tracklists", "prepare", tmp_path / "graph", *span, *LITTLE).stderr.splitlines()
    assert said[0].startswith("warning: no tracklist lies between 2019-01-07 and 2019-02-01, ")
    done = loaded("tracklists", "prepare", tmp_path / "graph", "--before", "2019-01-06", *LITTLE)
    [warning, written] = done.stderr.splitlines()
    assert warning.startswith("warning: of all DJs before 2019-01-06 none repeated songs enough to learn from: ")
    assert written.startswith("written: ")


def test_what_cannot_be_prepared_is_one_line(loaded: Command, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    assert "something else" in complaint(loaded("tracklists", "prepare", tmp_path / "mine", "--least-information", "1"))
    assert "no tracklists before 1999-01-01" in complaint(
        loaded("tracklists", "prepare", tmp_path / "graph", "--before", "1999-01-01")
    )
    assert "too little of every song" in complaint(loaded("tracklists", "prepare", tmp_path / "graph"))
    usage_error(loaded("tracklists", "prepare", tmp_path / "graph", "--before", "yesterday"))
