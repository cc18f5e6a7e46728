"""A tracklist model by the installed command: trained, imported, its clusters looked at, and lists made."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Command, cells, complaint, json_lines, usage_error
from tests.scenes import DJS, SONGS, records, scene_sets
from tests.worlds import entry, playlist, write_lines

SEED = "House Act 1 - House Song 4"
UNHEARD = {"id": "x", "dj": "Jack Null", "tracks": [{"title": "Unheard", "artists": ["Nobody"]}]}
PLAYLIST = playlist("1", "house party", [entry(f"House Act {n // 3}", f"House Song {n}") for n in range(5)])


@dataclass(frozen=True)
class World:
    """The command over a database with a model `mine`, and what the import printed."""

    recsys: Command
    before: str
    """What was said when nothing was imported yet."""
    imported: dict[str, Any]


@pytest.fixture(scope="module")
def world(shared_database: str, home: Path, encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("generate")
    settings = {"RECSYS_HOME": f"{home}", "DATABASE_URL": shared_database}
    recsys = Command(folder, settings | {"RECSYS_ENCODER": f"{encoder_folder}", "RECSYS_DEVICE": "cpu"})
    lists = write_lines(folder / "lists.jsonl", [*records(scene_sets()), UNHEARD])
    assert recsys("ingest", "tracklists", lists).returncode == 0
    assert recsys("ingest", "playlists", write_lines(folder / "playlists.jsonl", [PLAYLIST])).returncode == 0
    assert recsys("titles", "embed").returncode == 0
    before = complaint(recsys("generate", "--seed", SEED))
    assert recsys("tracklists", "prepare", folder / "graph", "--least-information", "1").returncode == 0
    trained = recsys(
        "tracklists", "train", "--model", "tl-lstm", "--snapshot", folder / "graph", "--output", folder / "mine",
        "--epochs", "2",
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    [imported] = json_lines(recsys("model", "import", folder / "mine", "--json"))
    return World(recsys, before, imported)


@pytest.fixture
def recsys(world: World) -> Command:
    return world.recsys


def test_the_model_is_asked_for_and_then_imported(world: World) -> None:
    assert world.before.startswith("there is no tracklist model yet: run `recsys tracklists prepare`")
    assert (world.imported["name"], world.imported["songs"]) == ("mine", 2 * SONGS)
    assert world.imported["clusters"] == [8, 4, 2]
    models = json_lines(world.recsys("model", "list", "--json"))
    assert {(m["kind"], m["name"], m["is_current"]) for m in models} >= {("tracklist-model", "mine", True)}


def test_a_list_is_a_table_that_begins_with_its_song(recsys: Command) -> None:
    done = recsys("generate", "--seed", SEED, "--dj", "ann ray")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].split() == ["#", "track", "artist", "log", "chance"]
    table = cells(done)
    assert [row[0] for row in table] == [str(rank) for rank in range(1, 16)]
    assert table[0][1:3] == ["House Song 4", "House Act 1"]
    assert len({row[1] for row in table}) == 15
    assert recsys("generate", "--seed", SEED, "--dj", "Ann Ray").stdout == done.stdout
    assert recsys("generate", "--seed", SEED, "--dj", "Ann Ray", "--random-seed", "1").stdout != done.stdout


def test_an_explanation_adds_up_in_80_columns(recsys: Command) -> None:
    done = recsys.given(COLUMNS="80")("generate", "--seed", SEED, "--dj", "Ann Ray", "--explain", "--length", "6")
    head = done.stdout.splitlines()[1].split()
    assert head == ["#", "song", "user", "seed", "2", "4", "8", "songs", "sum"]
    table = cells(done)
    assert len(table) == 6
    for row in table:
        *logs, total = map(float, row[4:])
        assert len(logs) == 4
        assert total == pytest.approx(sum(logs), abs=0.03)
        assert 0 <= float(row[2]) <= 2.2
    assert float(table[0][3]) == 2
    total = sum(float(row[-1]) for row in table)
    assert float(done.stderr.split()[1].rstrip(":")) == pytest.approx(total, abs=0.05)
    [first, *_] = json_lines(recsys("generate", "--seed", SEED, "--dj", "Ann Ray", "--length", "6", "--json"))
    assert [f"{log:.2f}" for log in first["log_probabilities"]] == table[0][4:8]
    assert f"{first['user_score']:.2f}" == table[0][2]


def test_lists_come_as_files(recsys: Command, tmp_path: Path) -> None:
    for ending, begins in (("m3u8", "#EXTM3U"), ("jsonl", '{"rank": 1')):
        file = tmp_path / f"mix.{ending}"
        done = recsys("generate", "--seed", SEED, "-o", file)
        assert (done.returncode, done.stdout) == (0, "")
        names = "15 of 15 tracks have no URI and are written as names of files\n" if ending == "m3u8" else ""
        assert done.stderr == f"written: {file}\n{names}"
        assert file.read_text(encoding="utf-8").startswith(begins)
    done = recsys("generate", "--seed", SEED, "--n-lists", "3", "--length", "4", "-o", tmp_path / "set.csv")
    assert done.returncode == 0
    assert sorted(file.name for file in tmp_path.glob("set*")) == ["set-1.csv", "set-2.csv", "set-3.csv"]
    done = recsys("generate", "--seed", SEED, "--n-lists", "3", "--length", "4", "-o", tmp_path / "sets.xml")
    assert done.stderr == f"written: {tmp_path / 'sets.xml'}\n"
    library = (tmp_path / "sets.xml").read_text(encoding="utf-8")
    assert [library.count(text) for text in (' Type="1" ', "<TRACK Key=")] == [3, 12]
    (tmp_path / "sets.xml").unlink()
    tracks = json_lines(recsys("generate", "--seed", SEED, "--n-lists", "3", "--length", "4", "--json"))
    assert [(t["list_number"], t["rank"]) for t in tracks] == [(n, r) for n in (1, 2, 3) for r in (1, 2, 3, 4)]
    second = [t["title"] for t in tracks if t["list_number"] == 2]
    head, *lines = (tmp_path / "set-2.csv").read_text().splitlines()
    assert head.startswith("rank,artist,title")
    assert [line.split(",")[2] for line in lines] == second
    done = recsys("generate", "--seed", SEED, "--n-lists", "2", "--length", "3")
    assert done.stdout.count("list ") == 2


def test_a_title_seeds_a_list(recsys: Command) -> None:
    tracks = json_lines(recsys("generate", "--title", "house party", "--json"))
    assert tracks[0]["title"] in {f"House Song {number}" for number in range(5)}
    assert tracks[0]["user_score"] is None
    both = json_lines(recsys("generate", "--title", "house party", "--seed", SEED, "--json"))
    assert both[0]["title"] == "House Song 4"


def test_what_is_left_out_stays_out(recsys: Command) -> None:
    options = ("--exclude-artist", "House Act 2", "--exclude-track", "House Song 5", "--max-per-artist", "1")
    tracks = json_lines(recsys("generate", "--seed", SEED, "--n-lists", "20", *options, "--json"))
    artists = {(track["list_number"], track["artist"]) for track in tracks}
    assert len(artists) == len(tracks) == 300
    assert not {"House Act 2"} & {track["artist"] for track in tracks}
    assert "House Song 5" not in {track["title"] for track in tracks}


def test_knobs_are_heard(recsys: Command) -> None:
    likely = recsys("generate", "--seed", SEED, "--beam", "--json")
    assert json_lines(likely) == json_lines(
        recsys("generate", "--seed", SEED, "--beam", "--random-seed", "9", "--json")
    )
    liked = ("--like", "Techno Song 3=2", "--user-weight", "50")
    done = recsys("generate", "--seed", SEED, "--threshold", "0,0,0,1", *liked, "--json")
    assert all(track["user_score"] is not None for track in json_lines(done))
    assert done.stderr == "the threshold of songs left nothing 12 times; it was halved there until something was left\n"
    drawn = recsys("generate", "--seed", SEED, "--temperature", "0.1,0.1,0.1", "--json")
    assert json_lines(drawn) != json_lines(recsys("generate", "--seed", SEED, "--json"))


def test_likes_that_are_not_known_are_told_and_the_others_used(recsys: Command, tmp_path: Path) -> None:
    file = tmp_path / "likes.txt"
    file.write_text("# mine\nTechno Song 3 = 2\nNobody - Nothing\nNobody - Unheard\n", encoding="utf-8")
    done = recsys("generate", "--seed", SEED, "--likes", file)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "no song is called 'Nobody - Nothing'",
        "1 of 3 songs is used, the others are not known or in too few tracklists",
    ]
    file.write_text("Nobody - Unheard\nNobody - Nothing\n", encoding="utf-8")
    done = recsys("generate", "--seed", SEED, "--likes", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("recsys: no song is left to go by")


def test_names_that_are_not_known_list_the_nearest(recsys: Command) -> None:
    said = complaint(recsys("generate", "--seed", "House Act 1 - House Sonk 4"))
    assert said.startswith(
        "no song is called 'House Act 1 - House Sonk 4'; the nearest are: \"House Act 1 - House Song 4\""
    )
    said = complaint(recsys("generate", "--seed", "Nobody - Unheard"))
    assert said.startswith('the model does not know Nobody - Unheard, which is played too rarely; the nearest are: "')
    said = complaint(recsys("generate", "--seed", SEED, "--dj", "Jack Null"))
    assert said.startswith('the model knows no song that Jack Null played; the nearest DJs are: "')
    assert any(f'"{name}"' in said for name in DJS)
    assert complaint(recsys("generate", "--seed", SEED, "--model", "yours")) == (
        "no tracklist model is called 'yours'; there are: mine"
    )


def test_a_listener_is_the_user_and_what_he_dislikes_is_in_no_list(recsys: Command) -> None:
    for arguments in (
        ("add", "Max"),
        ("like", "Max", "House Song 9=2", "House Song 13"),
        ("dislike", "Max", "House Song 2", "--artist", "House Act 0", "--artist", "House Act 5"),
    ):
        assert recsys("listener", *arguments).returncode == 0
    barred = {f"House Song {number}" for number in (0, 1, 2, 15, 16, 17)}
    likes = ("--like", "House Song 9=2", "--like", "House Song 13")
    named = recsys(
        "generate", "--seed", SEED, *likes, "--exclude-track", "House Song 2", "--exclude-artist", "House Act 0",
        "--exclude-artist", "House Act 5", "--json",
    )  # fmt: skip
    assert recsys("generate", "--seed", SEED, "--listener", "Max", "--json").stdout == named.stdout
    options = ("--title", "house party", "--dj", "Ann Ray", "--listener", "Max", "--length", "100", "--json")
    tracks = json_lines(recsys("generate", *options))
    assert len(tracks) == 100
    assert not barred & {track["title"] for track in tracks}


def test_what_makes_no_sense_is_a_usage_error(recsys: Command) -> None:
    for options, said in (
        ((), "give a song to begin with, or a title with --title"),
        (("--seed", SEED, "--length", "0"), "greater than or equal to 1"),
        (("--seed", SEED, "--dj", "Ann Ray", "--like", SEED), "ask for one of --dj and --like"),
        (("--seed", SEED, "--user-weight", "2"), "there is nobody to weigh: add --dj, --like or --listener"),
        (("--seed", SEED, "--temperature", "1,1"), "name 3 numbers"),
        (("--seed", SEED, "--threshold", "1,1,x,1"), "name 4 numbers"),
        (("--seed", SEED, "--threshold", "1,1,-1,1"), "name 4 numbers"),
        (("--seed", SEED, "--n-lists", "2", "--format", "csv"), "several lists need an --output"),
    ):
        assert said in usage_error(recsys("generate", *options))
    said = complaint(recsys("generate", "--seed", SEED, "--length", "1000"))
    assert said == f"a list of 1,000 songs is too long: the model knows {2 * SONGS}"
    said = complaint(recsys("generate", "--seed", SEED, "--seed", "House Song 5", "--length", "1"))
    assert said == "a list of 1 cannot begin with 2 songs: ask for a longer one"


def test_filters_that_leave_too_few_songs_are_told(recsys: Command) -> None:
    done = recsys("generate", "--seed", SEED, "--length", "60", "--max-per-artist", "1", "--json")
    assert len(json_lines(done)) == 2 * SONGS // 3
    assert done.stderr == "only 40 songs: no more are left that the filters let through\n"


def test_clusters_are_a_tree_a_table_and_a_map(recsys: Command, tmp_path: Path) -> None:
    done = recsys("tracklists", "clusters", "--html", tmp_path / "map.html")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == f"{2 * SONGS} songs in 2, 4, 8 clusters"
    assert "├── " in done.stdout or "└── " in done.stdout
    assert "Act" in done.stdout
    assert done.stderr.splitlines()[-1] == f"drawn: {tmp_path / 'map.html'}"
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert f"{2 * SONGS} songs" in page
    assert not re.search(r"https?:|src=|url\(", page)
    found = json_lines(recsys("tracklists", "clusters", "--json"))
    for level in range(3):
        own = [cluster for cluster in found if cluster["level"] == level]
        assert sum(cluster["songs"] for cluster in own) == 2 * SONGS
        table = recsys("tracklists", "clusters", "--level", str(level), "-n", "100")
        assert [int(row[0]) for row in cells(table)] == [cluster["cluster"] for cluster in own]
    assert "less than or equal to 2" in usage_error(recsys("tracklists", "clusters", "--level", "3"))
    assert ".png or .html" in complaint(recsys("tracklists", "clusters", "--html", "map.pdf"))


def test_a_model_of_another_database_is_refused(world: World, database: str, tmp_path: Path) -> None:
    other = world.recsys.given(DATABASE_URL=database, RECSYS_HOME=str(tmp_path))
    said = complaint(other("model", "import", world.recsys.folder / "mine"))
    assert said.startswith(f"{world.recsys.folder / 'mine'} was trained on another database")
    assert said.endswith("prepare and train again")
    manifest = json.loads((world.recsys.folder / "mine" / "sequence.json").read_text())
    assert manifest["names_hash"]
