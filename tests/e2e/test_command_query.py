"""`recsys query` and `recsys db grant-reader`, as a role that may only read and as the owner."""

import csv
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.e2e.command import Command, cells, complaint, json_lines, usage_error
from tests.surface_world import connect_as
from tests.worlds import rows


@pytest.fixture
def reader(command_over: Callable[[str, Path], Command], surface: str, tmp_path: Path) -> Command:
    """The command as a role that may only read, with a home of its own and an analysis in it."""
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "mine.sql").write_text("-- Mine.\n--\n-- x integer: a number\nSELECT %(x)s AS x")
    return command_over(surface, tmp_path).given(RECSYS_HOME=str(tmp_path))


def test_analyses_are_listed_with_what_they_are_asked_with(reader: Command) -> None:
    listed = {row[0]: row[1:] for row in cells(reader("query"))}
    assert listed["dj-songs"] == ["dj=.. n=20", "What a DJ plays most often, and when."]
    assert listed["transitions"][0] == "dj song n=20"
    assert listed["mine"][:2] == ["x=..", f"Mine. ({reader.folder}/queries/mine.sql)"]
    [mine] = [line for line in json_lines(reader("query", "--json")) if line["name"] == "mine"]
    assert mine["parameters"] == [{"name": "x", "kind": "integer", "default": None, "description": "a number"}]
    shown = reader.on_terminal("query", columns=80)
    assert max(map(len, shown)) <= 80


def test_an_analysis_is_a_table_json_lines_or_csv(reader: Command) -> None:
    asked = ("query", "dj-songs", "dj=adam beyer", "n=1")
    done = reader(*asked)
    assert done.stdout.split("\n")[1].split() == ["song", "plays", "first", "last"]
    assert cells(done) == [["Digital - Deadline", "2", "2013-05-01", "2016-05-01"]]
    row = {"song": "Digital - Deadline", "plays": 2, "first": "2013-05-01", "last": "2016-05-01"}
    assert json_lines(reader(*asked, "--json")) == [row]
    done = reader("query", "title-overlap", "title=deep house", "-o", "x.csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "written: x.csv\n")
    with (reader.folder / "x.csv").open(newline="") as file:
        [overlap] = csv.DictReader(file)
    assert (overlap["songs_of_both"], overlap["overlap"]) == ("3", "0.600")


def test_nothing_found_is_said_and_no_failure(reader: Command) -> None:
    done = reader("query", "leaderboard", "metric=unheard")
    assert (done.returncode, cells(done), done.stderr) == (0, [], "nothing is found\n")


def test_the_statement_itself_can_be_run_in_psql(reader: Command) -> None:
    statement = reader("query", "mine", "x=5", "--sql").stdout
    assert statement == "-- Mine.\n--\n-- x integer: a number\nSELECT 5 AS x\n"
    assert reader("db", "psql", "-At", "-c", statement).stdout == "5\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mine",), "Invalid value: mine needs x=..: a number"),
        (("mine", "x"), "Invalid value: 'x' is not KEY=VALUE"),
        (("mine", "x=1", "x=2"), "Invalid value: x is given twice"),
        (("mien",), "Invalid value: no analysis is called 'mien'; the nearest are: mine"),
        (
            ("mine", "x=1", "--json", "--csv"),
            "Invalid value for --csv: it does not go with --json: ask for one of them",
        ),
        (
            ("mine", "x=1", "-o", "x.txt"),
            "Invalid value for --output: the ending of x.txt names no format: add --csv or",
        ),
    ],
)
def test_what_is_asked_wrongly_is_a_usage_error(reader: Command, arguments: tuple[str, ...], said: str) -> None:
    assert usage_error(reader("query", *arguments)).startswith(said)


def test_a_reader_is_made_and_taken_back(recsys: Command, database: str) -> None:
    assert complaint(recsys("db", "grant-reader", "e2e_ann")) == "there is no role e2e_ann: add --create"
    made = recsys("db", "grant-reader", "e2e_ann", "--create")
    assert made.stderr.splitlines() == [
        "e2e_ann may use 19 views and 17 functions of the schema recsys",
        "the role is new and has no password: recsys db psql -c '\\password e2e_ann'",
    ]
    with connect_as(database, "e2e_ann") as ann:
        assert rows(ann, "SELECT count(*) FROM recsys.songs") == [(0,)]
        done = recsys("db", "grant-reader", "e2e_ann", "--revoke")
        assert done.stderr == "e2e_ann may use nothing of the schema recsys any more\n"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ann.execute("SELECT count(*) FROM recsys.songs")
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("DROP ROLE e2e_ann")
