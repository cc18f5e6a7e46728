"""The next songs of tracklists by the installed command: prepared, trained, imported, asked."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Command, cells, complaint, json_lines, usage_error
from tests.worlds import write_lines

RING = 12


def song(number: int) -> dict[str, object]:
    return {"title": f"Song {number % RING}", "artists": [f"Artist {number % RING // 3}"]}


TRACKLISTS = [
    {
        "id": str(number),
        "dj": f"DJ {number % 3}",
        "title": f"Morning Show {number}",
        "date": f"2019-{1 + number // 28:02}-{1 + number % 28:02}",
        "tracks": [song(5 * number + place) for place in range(7)],
    }
    for number in range(120)
]
"""Each song is followed by the next one of a ring of twelve."""

PREFIXES = [
    {"id": "a", "dj": "dj 1", "title": "Morning Show 999", "date": "2019-05-01", "tracks": [song(3), song(4)]},
    {"id": 7, "tracks": [{"title": "SONG 10", "artist": "artist 3"}]},
    {"id": "c", "dj": "Nobody", "title": "Never On Air", "tracks": [{"title": "Unheard", "artists": ["Nobody"]}]},
    {"id": "d", "tracks": []},
    {"id": "a", "tracks": [None, {"title": "ID", "artists": ["ID"]}, song(0), {"artists": ["x"]}]},
]
"""With an id that is a number, a name in another case, one that nobody knows, one not yet begun, and one id twice."""


@dataclass(frozen=True)
class Trained:
    """The command over a database with a recommender `mine`, and what each step printed."""

    recsys: Command
    before: str
    """What was said when nothing was imported yet."""
    trained: dict[str, Any]
    imported: dict[str, Any]


@pytest.fixture(scope="module")
def world(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("next")
    recsys = Command(folder, {"RECSYS_HOME": str(folder / "home"), "DATABASE_URL": shared_database})
    done = recsys("ingest", "tracklists", write_lines(folder / "lists.jsonl", TRACKLISTS))
    assert done.returncode == 0, done.stderr
    before = complaint(recsys("tracklists", "next", "--prefixes", write_lines(folder / "early.jsonl", PREFIXES)))
    done = recsys("tracklists", "prepare", folder / "graph", "--least-information", "1")
    assert done.returncode == 0, done.stderr
    train = ("tracklists", "train", "--model", "next", "--snapshot", folder / "graph", "--output", folder / "mine")
    [trained] = json_lines(recsys(*train, "--json"))
    [imported] = json_lines(recsys("model", "import", folder / "mine", "--json"))
    return Trained(recsys, before, trained, imported)


@pytest.fixture
def recsys(world: Trained) -> Command:
    return world.recsys


def test_each_step_names_the_next_and_what_it_made(world: Trained) -> None:
    assert world.before == (
        "there is no recommender of next songs yet: run `recsys tracklists prepare`,"
        " `recsys tracklists train --model next` and `recsys model import`"
    )
    assert world.trained["model"] == "next"
    assert world.trained["metrics"] == world.imported["metrics"]
    assert set(world.trained["metrics"]) == {"loss", "songs_foretold"}
    assert (world.imported["name"], world.imported["songs"], world.imported["tracklists"]) == ("mine", RING, 120)
    [model] = json_lines(world.recsys("model", "list", "--json"))
    assert (model["kind"], model["name"], model["is_current"]) == ("next-song", "mine", True)
    [row] = cells(world.recsys("model", "list"))
    assert row[:4] == ["*", str(model["id"]), "next-song", "mine"]


def test_tables_say_what_was_trained_and_imported(world: Trained, tmp_path: Path) -> None:
    folder = world.recsys.folder
    done = world.recsys(
        "tracklists", "train", "--model", "next", "--snapshot", folder / "graph", "--output", tmp_path / "second"
    )
    assert [row[0] for row in cells(done)] == ["loss", "songs foretold"]
    assert done.stderr == f"written: {tmp_path / 'second'}; next: recsys model import {tmp_path / 'second'}\n"
    # The same one again is one model.
    done = world.recsys("model", "import", tmp_path / "second", "--name", "mine")
    shown = dict(cells(done))
    assert shown["model"].startswith("mine (model ")
    assert (shown["answers from"], shown["tracklists"], shown["songs"]) == ("all tracklists", "120", "12")
    assert done.stderr.splitlines() == [
        f"already there, and the one that answers now: {shown['model'].partition(',')[0]}",
        "next: recsys tracklists next --prefixes FILE.jsonl",
    ]
    assert len(json_lines(world.recsys("model", "list", "--json"))) == 1


def test_on_a_terminal_each_beginning_has_a_table(recsys: Command, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "begun.jsonl", PREFIXES[:2])
    lines = recsys.on_terminal("tracklists", "next", "--prefixes", file, "--k", "2", columns=80)
    assert [line for line in lines if line.startswith("after")] == ["after  a", "after  7"]
    assert [line.split()[:3] for line in lines if line.lstrip().startswith("1 ")] == [
        ["1", "Song", "5"],
        ["1", "Song", "11"],
    ]
    [first, *_] = recsys.on_terminal("tracklists", "next", "--prefixes", file, "--json", columns=80)
    assert json.loads(first)["id"] == "a"


def check(lines: list[dict[str, Any]], k: int) -> None:
    assert [line["id"] for line in lines] == ["a", 7, "c", "d", "a"]
    for line in lines:
        assert list(line) == ["id", "tracks"]
        assert len(line["tracks"]) == k
        for track in line["tracks"]:
            assert list(track) == ["title", "artists", "score"]
            assert track["artists"] == song(int(track["title"].removeprefix("Song ")))["artists"]
        scores = [track["score"] for track in line["tracks"]]
        assert scores == sorted(scores, reverse=True)
        assert 0 <= scores[-1] <= scores[0] <= 1
        assert len({track["title"] for track in line["tracks"]}) == k
    for line, prefix in zip(lines, PREFIXES, strict=True):
        assert not {track["title"] for track in line["tracks"]} & {
            str(track["title"])
            for track in prefix["tracks"]
            if track and "title" in track  # type: ignore[attr-defined]
        }
    assert lines[0]["tracks"][0]["title"] == "Song 5"
    assert lines[1]["tracks"][0]["title"] == "Song 11"
    assert lines[4]["tracks"][0]["title"] == "Song 1"


def test_a_file_of_beginnings_is_answered_with_a_line_for_each_in_order(recsys: Command, tmp_path: Path) -> None:
    file, out = write_lines(tmp_path / "begun.jsonl", PREFIXES), tmp_path / "out.of.next"
    done = recsys("tracklists", "next", "--prefixes", file, "--k", "3", "-o", out)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [f"written: {out}", "2 of 5 hold no song that the model knows"]
    text = out.read_text(encoding="utf-8")
    assert text.endswith("\n")
    check([json.loads(line) for line in text.splitlines()], 3)
    library = recsys("tracklists", "next", "--prefixes", file, "--k", "3", "--format", "rekordbox")
    assert [library.stdout.count(text) for text in ('Name="after ', "<TRACK Key=")] == [5, 15]
    assert "several lists need" in usage_error(recsys("tracklists", "next", "--prefixes", file, "--format", "csv"))
    piped = recsys("tracklists", "next", "--prefixes", "-", "-k", "3", stdin=file.read_text())
    assert (piped.returncode, piped.stdout) == (0, text)
    assert piped.stderr == "2 of 5 hold no song that the model knows\n"
    more = json_lines(recsys("tracklists", "next", "--prefixes", file, "--model", "mine", "-k", "11"))
    # There are twelve songs; the first beginning holds two.
    assert [len(line["tracks"]) for line in more] == [10, 11, 11, 11, 11]
    assert more[1]["tracks"][:3] == json.loads(text.splitlines()[1])["tracks"]


def test_damaged_lines_are_listed_and_the_rest_is_answered(recsys: Command, tmp_path: Path) -> None:
    file = tmp_path / "begun.jsonl"
    good = [json.dumps(prefix) for prefix in PREFIXES[:2]]
    damaged = ["{", '{"tracks": []}', '{"id": "x"}', "[]", '{"id": "y", "tracks": {}}']
    file.write_bytes(
        "\n".join([good[0], *damaged, "", good[1], '{"id": "z", "tracks": "\\ud800"}']).encode() + b"\n\xff"
    )
    done = recsys("tracklists", "next", "--prefixes", file, "-k", "2")
    assert [line["id"] for line in json_lines(done)] == ["a", 7]
    said = done.stderr.splitlines()
    assert [line.partition(":")[0] for line in said] == [f"line {number}" for number in (2, 3, 4, 5, 6, 9, 10)]
    assert said[0].startswith("line 2: not valid JSON")
    assert "id" in said[1]
    assert said[2:5] == [
        "line 4: tracks is missing",
        "line 5: the line is not an object",
        "line 6: tracks is not a list",
    ]


def test_what_holds_no_beginning_is_one_line(recsys: Command, tmp_path: Path) -> None:
    empty, broken, out = tmp_path / "empty.jsonl", tmp_path / "broken.jsonl", tmp_path / "out.jsonl"
    empty.write_text("")
    nothing = "holds no beginning of a tracklist that can be read"
    assert (
        complaint(recsys("tracklists", "next", "--prefixes", empty, "-o", out))
        == f"{empty} {nothing}: line 1: the file is empty"
    )
    assert (
        complaint(recsys("tracklists", "next", "--prefixes", "-", stdin="\n"))
        == f"standard input {nothing}: line 1: the file is empty"
    )
    broken.write_text('{"id": 1\n[]\n')
    done = recsys("tracklists", "next", "--prefixes", broken, "-o", out)
    assert (done.returncode, done.stdout) == (1, "")
    first, *others = done.stderr.splitlines()
    assert first.startswith("line 1: not valid JSON")
    assert others == ["line 2: the line is not an object", f"recsys: {broken} {nothing}"]
    assert not out.exists()
    (tmp_path / "folder").mkdir()
    for missing in (tmp_path / "nowhere.jsonl", tmp_path / "folder"):
        assert str(missing) in complaint(recsys("tracklists", "next", "--prefixes", missing))


def test_a_result_that_cannot_be_written_is_one_line(recsys: Command, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "begun.jsonl", PREFIXES[:1])
    said = complaint(recsys("tracklists", "next", "--prefixes", file, "-o", tmp_path / "no" / "out.jsonl"))
    assert said.startswith(f"cannot write {tmp_path / 'no' / 'out.jsonl'}")


def test_a_name_that_is_not_known_is_one_line(recsys: Command, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "begun.jsonl", PREFIXES)
    said = complaint(recsys("tracklists", "next", "--prefixes", file, "--model", "yours"))
    assert said == "no recommender of next songs is called 'yours'; there are: mine"


def test_what_makes_no_sense_is_a_usage_error(recsys: Command, tmp_path: Path) -> None:
    train = (
        "tracklists",
        "train",
        "--model",
        "next",
        "--snapshot",
        recsys.folder / "graph",
        "--output",
        tmp_path / "x",
    )
    assert "next has none" in usage_error(recsys(*train, "--epochs", "3"))
    assert "it goes with --model tl-lstm" in usage_error(recsys(*train, "--recommender", tmp_path))
    assert not (tmp_path / "x").exists()
    usage_error(recsys("tracklists", "next"))
    for k in ("0", "1001", "many"):
        usage_error(recsys("tracklists", "next", "--prefixes", "-", "--k", k))


def test_what_cannot_be_trained_is_one_line(recsys: Command, tmp_path: Path) -> None:
    train = ("tracklists", "train", "--model", "next", "--output", tmp_path / "out", "--snapshot")
    assert complaint(recsys(*train, tmp_path)).startswith(f"{tmp_path} holds no graph")
    (tmp_path / "thesis.txt").touch()
    refused = complaint(recsys(*train, recsys.folder / "graph", "--output", tmp_path))
    assert "something else" in refused


def test_too_little_to_learn_from_is_one_line(recsys: Command, database: str, tmp_path: Path) -> None:
    other = recsys.given(DATABASE_URL=database, RECSYS_HOME=str(tmp_path))
    lists = write_lines(tmp_path / "lists.jsonl", TRACKLISTS[:1])
    assert other("ingest", "tracklists", lists).returncode == 0
    assert other("tracklists", "prepare", tmp_path / "graph", "--least-information", "1").returncode == 0
    said = complaint(
        other("tracklists", "train", "--model", "next", "--snapshot", tmp_path / "graph", "--output", tmp_path / "out")
    )
    assert "load more with `recsys ingest`" in said
    assert complaint(other("model", "import", recsys.folder / "mine")).startswith(
        f"{recsys.folder / 'mine'} was trained on another database"
    )
