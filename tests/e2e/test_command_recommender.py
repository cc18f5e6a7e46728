"""A recommender of DJs' songs by the installed command: prepared, trained, imported, asked."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Command, cells, complaint, json_lines, usage_error
from tests.scenes import DJS, SONGS, records, scene_of, scene_sets, song
from tests.worlds import entry, playlist, write_lines

NOTHING_YET = "there is no tracklist recommender yet: run `recsys tracklists prepare`"


@dataclass(frozen=True)
class Trained:
    """The command over a database with a recommender `mine`, and what each step printed."""

    recsys: Command
    before: str
    """What was said to a question when nothing was imported yet."""
    trained: dict[str, Any]
    imported: dict[str, Any]


@pytest.fixture(scope="module")
def world(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("recommender")
    recsys = Command(folder, {"RECSYS_HOME": str(folder / "home"), "DATABASE_URL": shared_database})
    done = recsys("ingest", "tracklists", write_lines(folder / "lists.jsonl", records(scene_sets())))
    assert done.returncode == 0, done.stderr
    before = complaint(recsys("recommend", "--dj", "Ann Ray"))
    done = recsys("tracklists", "prepare", folder / "graph", "--least-information", "1")
    assert done.returncode == 0, done.stderr
    [trained] = json_lines(
        recsys("tracklists", "train", "--snapshot", folder / "graph", "--output", folder / "mine", "--json")
    )
    [imported] = json_lines(recsys("model", "import", folder / "mine", "--json"))
    return Trained(recsys, before, trained, imported)


@pytest.fixture
def recsys(world: Trained) -> Command:
    return world.recsys


def played_by(dj: str) -> set[str]:
    return {
        track["title"] for record in records(scene_sets()) if record["dj"] == dj for track in record["tracks"]  # type: ignore[attr-defined]
    }  # fmt: skip


def test_each_step_names_the_next_and_what_it_made(world: Trained) -> None:
    assert world.before.startswith(NOTHING_YET)
    assert world.trained["model"] == world.imported["model"] == "blend"
    assert set(world.trained["metrics"]) == {"known_loss", "new_loss"}
    assert world.trained["metrics"] == world.imported["metrics"]
    assert world.imported["name"] == "mine"
    assert (world.imported["songs"], world.imported["djs"]) == (2 * SONGS, len(DJS))
    [model] = json_lines(world.recsys("model", "list", "--json"))
    assert (model["kind"], model["name"], model["is_current"]) == ("tracklist-recommender", "mine", True)


def test_the_same_one_again_is_said_to_be_there(recsys: Command) -> None:
    done = recsys("model", "import", recsys.folder / "mine")
    assert done.stderr.splitlines()[0] == "already there, and the one that answers now: mine (model 1)"


def test_a_dj_is_foretold_in_a_table_with_his_plays(recsys: Command) -> None:
    done = recsys("recommend", "--dj", "ann ray", "-n", "30")
    assert done.stderr == "what Ann Ray will play\n"
    table = cells(done)
    assert [row[0] for row in table] == [str(rank) for rank in range(1, 31)]
    assert {scene_of(row[1]) for row in table[:10]} == {"House"}
    for row in table:
        if row[1] in played_by("Ann Ray"):
            assert int(row[4]) >= 1
            assert row[5].startswith(("2019-", "2020-"))
        else:
            assert row[4:] == ["new"]
    assert [float(row[3]) for row in table] == sorted((float(row[3]) for row in table), reverse=True)


def test_new_songs_are_asked_for_and_a_misspelt_name_is_understood(recsys: Command, tmp_path: Path) -> None:
    misspelt = recsys("recommend", "--dj", "Elmo Frosst", "--new", "--model", "mine", "--json")
    assert misspelt.stderr == '"Elmo Frosst" read as Elmo Frost\n'
    tracks = json_lines(misspelt)
    assert len(tracks) == 10
    assert not {track["title"] for track in tracks} & played_by("Elmo Frost")
    assert {track["plays"] for track in tracks} == {0}
    done = recsys("recommend", "--dj", "Elmo Frost", "--new", "-o", tmp_path / "new.csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"written: {tmp_path / 'new.csv'}\n")
    head, *lines = (tmp_path / "new.csv").read_text(encoding="utf-8").splitlines()
    assert "title" in head
    assert len(lines) == 10


def test_a_file_of_djs_is_answered_with_a_line_for_each_in_order(recsys: Command, tmp_path: Path) -> None:
    file, out = tmp_path / "djs.txt", tmp_path / "answers.txt"
    file.write_text("# who is asked for\nHope Lake\n\n  Ann Ray  \nXavier Who\nHope Lake\n", encoding="utf-8-sig")
    done = recsys("recommend", "--djs", file, "-n", "3", "-o", out)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        "no DJ is called 'Xavier Who'",
        f"written: {out}",
        "1 of 4 DJs is not known; its list has no tracks",
    ]
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [line["dj"] for line in lines] == ["Hope Lake", "Ann Ray", "Xavier Who", "Hope Lake"]
    assert [len(line["tracks"]) for line in lines] == [3, 3, 0, 3]
    single = json_lines(recsys("recommend", "--dj", "Ann Ray", "-n", "3", "--json"))
    assert lines[1]["tracks"] == [{name: track[name] for name in ("title", "artists", "score")} for track in single]
    new = json_lines(recsys("recommend", "--djs", file, "--new", "-n", "3"))
    for line in new:
        assert not {track["title"] for track in line["tracks"]} & played_by(line["dj"])


def test_a_file_of_djs_is_answered_with_files_or_one_library(recsys: Command, tmp_path: Path) -> None:
    file = tmp_path / "djs.txt"
    file.write_text("Hope Lake\nXavier Who\nAnn Ray\n")
    done = recsys("recommend", "--djs", file, "-n", "3", "-o", tmp_path / "djs.jspf")
    assert done.stderr.splitlines()[1] == f"written: {tmp_path / 'djs-1.jspf'} to djs-3.jspf"
    lists = [json.loads((tmp_path / f"djs-{number}.jspf").read_text())["playlist"] for number in (1, 2, 3)]
    assert [(each["title"], len(each["track"])) for each in lists] == [
        ("Hope Lake", 3),
        ("Xavier Who", 0),
        ("Ann Ray", 3),
    ]
    done = recsys("recommend", "--djs", file, "-n", "3", "--format", "rekordbox")
    assert re.findall(r'<NODE Name="([^"]*)".* Entries="(\d)"', done.stdout) == [
        ("Hope Lake", "3"),
        ("Xavier Who", "0"),
        ("Ann Ray", "3"),
    ]


def test_likes_are_answered_and_those_that_are_not_known_are_listed(recsys: Command) -> None:
    liked = ["Techno Act 0 - Techno Song 1", "Techno Act 2 - Techno Song 7=3", "Nobody - Nothing", "Techno Song 20"]
    options = [word for one in liked for word in ("--like", one)]
    done = recsys("recommend", *options, "--json")
    assert done.stderr.splitlines() == [
        "no song is called 'Nobody - Nothing'",
        "3 of 4 songs are used, the other is not known or in too few tracklists",
    ]
    tracks = json_lines(done)
    assert {scene_of(track["title"]) for track in tracks} == {"Techno"}
    assert not {track["title"] for track in tracks} & {"Techno Song 1", "Techno Song 7", "Techno Song 20"}
    again = recsys("recommend", "--like", "Techno Song 1", "--like", "Techno Song 1", "--json")
    twice = recsys("recommend", "--like", "Techno Song 1=2", "--json")
    assert (again.stdout, again.stderr) == (twice.stdout, "")


def test_a_listener_is_answered_by_his_likes_and_a_dj_without_his_dislikes(recsys: Command) -> None:
    for arguments in (
        ("add", "Max"),
        ("like", "Max", "Techno Song 1=2", "Techno Song 7", "--artist", "Techno Act 5"),
        ("dislike", "Max", "House Song 4", "--artist", "Techno Act 4", "--artist", "House Act 0"),
    ):
        assert recsys("listener", *arguments).returncode == 0
    tracks = json_lines(recsys("recommend", "--listener", "Max", "-n", "50", "--json"))
    assert len(tracks) == 50
    assert scene_of(tracks[0]["title"]) == "Techno"
    assert not {"Techno Song 1", "Techno Song 7", "House Song 4"} & {track["title"] for track in tracks}
    artists = {track["artist"] for track in tracks}
    assert not {"Techno Act 4", "House Act 0"} & artists
    assert "Techno Act 5" in artists, "his songs are not new because he is liked"
    plain = json_lines(recsys("recommend", "--dj", "Ann Ray", "-n", "30", "--json"))
    left = [
        t["title"] for t in plain if t["title"] != "House Song 4" and t["artist"] not in ("Techno Act 4", "House Act 0")
    ]
    assert len(left) < 30
    of_dj = json_lines(recsys("recommend", "--dj", "Ann Ray", "--listener", "Max", "-n", f"{len(left)}", "--json"))
    assert [track["title"] for track in of_dj] == left


def test_a_file_of_likes_has_comments_and_scores(recsys: Command, tmp_path: Path) -> None:
    file = tmp_path / "likes.txt"
    file.write_text(
        "# of this week\nHouse Act 0 - House Song 1 = 4\t# four times\n\nHouse Act 3 - House Song 9 #\n",
        encoding="utf-8",
    )
    done = recsys("recommend", "--likes", file, "-n", "12")
    assert done.stderr == ""
    table = cells(done)
    assert len(table) == 12
    assert {scene_of(row[1]) for row in table} == {"House"}
    both = recsys("recommend", "--likes", file, "--like", "Techno Song 3=50", "-n", "5", "--json")
    assert "Techno" in {scene_of(track["title"]) for track in json_lines(both)}
    same = json_lines(recsys("recommend", "--like", "House Song 1=4", "--like", "House Song 9", "-n", "12", "--json"))
    assert [row[1] for row in table] == [track["title"] for track in same]


def test_a_hash_that_stands_in_a_name_begins_no_comment(recsys: Command, tmp_path: Path) -> None:
    file = tmp_path / "likes.txt"
    file.write_text("Nobody - Raw Cuts #3 # loud\nD#Act - C#\nHouse Act 3 - House Song 9\n", encoding="utf-8")
    assert recsys("recommend", "--likes", file, "--json").stderr.splitlines() == [
        "no song is called 'Nobody - Raw Cuts #3'",
        "no song is called 'D#Act - C#'",
        "1 of 3 songs is used, the others are not known or in too few tracklists",
    ]


def test_what_is_alike_is_told(recsys: Command) -> None:
    done = recsys("similar", "dj", "Ann Ray")
    table = cells(done)
    assert done.stderr == "like Ann Ray\n"
    assert {row[1] for row in table[:3]} == {"Cid Moss", "Elmo Frost", "Gus Tide"}
    assert len(table) == len(DJS) - 1
    for row in table:
        assert int(row[3]) == len(played_by("Ann Ray") & played_by(row[1]))
        assert row[4] == "8"
    artists = json_lines(recsys("similar", "artist", "techno act 5", "-n", "4", "--model", "mine", "--json"))
    assert {scene_of(artist["name"]) for artist in artists} == {"Techno"}
    assert "Techno Act 5" not in {artist["name"] for artist in artists}
    done = recsys("similar", "track", "House Song 4", "--model", "mine", "-n", "5")
    assert {scene_of(row[1]) for row in cells(done)} == {"House"}
    assert done.stderr.splitlines() == [
        '"House Song 4" read as House Act 1 - House Song 4',
        "near by mine to House Act 1 - House Song 4",
    ]


def test_another_name_than_the_one_asked_for_is_told_beside_clean_json(recsys: Command, tmp_path: Path) -> None:
    file = tmp_path / "djs.txt"
    file.write_text("ANN RAY\nGus Tid\n", encoding="utf-8")
    for arguments, said in (
        (("recommend", "--dj", "ánn  ray", "--json"), ""),
        (("recommend", "--djs", file), '"Gus Tid" read as Gus Tide\n'),
        (("similar", "dj", "Hope Lakee", "--json"), '"Hope Lakee" read as Hope Lake\n'),
        (("similar", "artist", "The Techno Act 5", "--json"), '"The Techno Act 5" read as Techno Act 5\n'),
        (("similar", "artist", "techno act 5", "--json"), ""),
        (("similar", "track", "house song 4", "--json"), '"house song 4" read as House Act 1 - House Song 4\n'),
        (("similar", "track", "house act 1 - house song 4", "--json"), ""),
    ):
        done = recsys(*arguments)
        assert json_lines(done)
        assert done.stderr == said


def test_what_came_after_training_is_like_nothing_and_goes_with_what_playlists_say(
    world: Trained, database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("later")
    recsys = world.recsys.given(DATABASE_URL=database, RECSYS_HOME=str(folder))
    unheard = {"id": "u", "dj": "Jack Null", "tracks": [{"title": "Unheard", "artists": ["Nobody"]}]}
    lists = write_lines(folder / "lists.jsonl", [*records(scene_sets()), unheard])
    assert recsys("ingest", "tracklists", lists).returncode == 0
    assert recsys("model", "import", world.recsys.folder / "mine").returncode == 0
    for options in ((), ("--json",)):
        assert complaint(recsys("similar", "dj", "Jack Null", *options)).startswith("the model does not know Jack Null")
        said = complaint(recsys("similar", "artist", "Nobody", *options))
        assert said.startswith("the model knows no song of Nobody: ")
        said = complaint(recsys("similar", "track", "Nobody - Unheard", "--model", "mine", *options))
        assert said == "Nobody - Unheard is not known to mine"
    # Of a listener whose likes it hardly knows playlists tell more, if there are any.
    assert recsys("listener", "add", "Max").returncode == 0
    assert recsys("listener", "like", "Max", "Unheard=4", "House Song 1").returncode == 0
    used = "1 of 2 songs is used, the other is not known or in too few tracklists"
    by_tracklists = [used, "what goes with the likes of Max, by tracklists"]
    assert recsys("recommend", "--listener", "Max").stderr.splitlines() == by_tracklists
    together = playlist(1, "both", [entry("Nobody", "Unheard"), entry("House Act 1", "House Song 4")])
    assert recsys("ingest", "playlists", write_lines(folder / "playlists.jsonl", [together])).returncode == 0
    done = recsys("recommend", "--listener", "Max", "-n", "1")
    assert done.stderr == "what goes with the likes of Max, by playlists\n"
    assert cells(done)[0][1] == "House Song 4"
    assert recsys("recommend", "--listener", "Max", "--model", "mine").stderr.splitlines() == by_tracklists


def test_what_makes_no_sense_is_a_usage_error(recsys: Command) -> None:
    assert "it goes with --dj, --djs or --like" in usage_error(recsys("recommend", "night", "--new"))
    assert "ask for one of --dj and TITLE" in usage_error(recsys("recommend", "night", "--dj", "Ann Ray"))
    assert "it goes with a title" in usage_error(recsys("recommend", "--dj", "Ann Ray", "--max-per-artist", "1"))
    for nothing in ("", "  "):
        assert "it names no song" in usage_error(recsys("recommend", "--like", nothing))
    for score in ("0", "nan"):
        refused = usage_error(recsys("recommend", "--like", f"House Song 1={score}"))
        assert "the score of 'House Song 1' must be a number above 0" in refused


def test_a_file_that_cannot_be_used_is_one_line(recsys: Command, tmp_path: Path) -> None:
    empty, broken, strange = tmp_path / "empty.txt", tmp_path / "broken.txt", tmp_path / "strange.txt"
    empty.write_text("# nobody\n\n")
    broken.write_bytes("Ann Ray\nSven Väth\n".encode("latin-1"))
    strange.write_text("Nobody - Nothing\n")
    assert complaint(recsys("recommend", "--djs", empty)) == f"{empty} names no DJ: write one a line"
    assert complaint(recsys("recommend", "--likes", empty)).startswith(f"{empty} names no song: write one a line")
    for option in ("--djs", "--likes"):
        assert complaint(recsys("recommend", option, broken)) == f"{broken} is not UTF-8 text"
    done = recsys("recommend", "--likes", strange)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("recsys: no song is left to go by")
    assert "several lists need an --output" in usage_error(recsys("recommend", "--djs", strange, "--format", "csv"))


def test_a_name_that_is_not_known_is_one_line(recsys: Command, tmp_path: Path) -> None:
    assert complaint(recsys("recommend", "--dj", "Ann Ray", "--model", "yours")) == (
        "no tracklist recommender is called 'yours'; there are: mine"
    )
    assert complaint(recsys("similar", "dj", "Xavier Who")) == "no DJ is called 'Xavier Who'"
    said = complaint(recsys("tracklists", "train", "--snapshot", tmp_path, "--output", tmp_path / "out"))
    assert said.startswith(f"{tmp_path} holds no graph: write one with `recsys tracklists prepare")
    (tmp_path / "thesis.txt").touch()
    folder = recsys.folder
    refused = complaint(recsys("tracklists", "train", "--snapshot", folder / "graph", "--output", tmp_path))
    assert "something else" in refused


def test_a_world_of_another_database_is_refused(world: Trained, database: str, tmp_path: Path) -> None:
    other = world.recsys.given(DATABASE_URL=database, RECSYS_HOME=str(tmp_path))
    said = complaint(other("model", "import", world.recsys.folder / "mine"))
    assert said.startswith(f"{world.recsys.folder / 'mine'} was trained on another database")
    lists = [{"id": "1", "dj": "Ann Ray", "tracks": [song(0)]}]
    assert other("ingest", "tracklists", write_lines(tmp_path / "lists.jsonl", lists)).returncode == 0
    assert complaint(other("similar", "dj", "Ann Ray")).startswith(NOTHING_YET)
