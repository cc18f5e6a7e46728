"""Listeners by the installed command: what they like and dislike is kept, used, shown and forgotten."""

import json
from pathlib import Path

import pytest

from tests.e2e.command import Command, cells, complaint, json_lines, usage_error


@pytest.fixture(scope="module")
def recsys(embedded: Command) -> Command:
    """The command over the world with a listener for each test."""
    for name in ("Zoë Ray", "Kim", "Max", "Lou"):
        assert embedded("listener", "add", name).stderr == f"added: {name}\n"
    return embedded


def test_what_is_liked_and_disliked_is_told_shown_replaced_and_forgotten(recsys: Command) -> None:
    liked = recsys("listener", "like", "Zoë Ray", "alpha=2", "Nobody - Nothing", "Bob - Gamma", "--artist", "EVE=3")
    assert (liked.returncode, liked.stdout) == (0, "")
    assert liked.stderr.splitlines() == [
        "no song is called 'Nobody - Nothing'",
        "Zoë Ray likes Ann - Alpha, 2",
        "Zoë Ray likes Bob - Gamma",
        "Zoë Ray likes all of Eve, 3",
    ]
    disliked = recsys("listener", "dislike", "Zoë Ray", "spotify:track:c", "--artist", "Dot")
    assert disliked.stderr.splitlines() == ["Zoë Ray dislikes Bob - Gamma", "Zoë Ray dislikes all of Dot"]
    expected = [("3", "every song", "Eve"), ("2", "Alpha", "Ann"), ("-1", "Gamma", "Bob"), ("-1", "every song", "Dot")]
    assert list(map(tuple, cells(recsys("listener", "show", "Zoë Ray")))) == expected
    lines = json_lines(recsys("listener", "show", "Zoë Ray", "--json"))
    assert [(line["kind"], line["artist"], line["title"], line["score"]) for line in lines] == [
        ("artist", "Eve", None, 3),
        ("song", "Ann", "Alpha", 2),
        ("song", "Bob", "Gamma", -1),
        ("artist", "Dot", None, -1),
    ]
    assert cells(recsys("listener", "show"))[-1][:5] == ["Zoë Ray", *"1111"]
    taken = recsys("listener", "forget", "Zoë Ray", "Alpha", "--artist", "Bob")
    assert taken.stderr == "taken back: 1 score of Zoë Ray\n"
    asked = recsys("listener", "forget", "Zoë Ray", stdin="n\n")
    assert (asked.returncode, asked.stderr) == (1, "Forget Zoë Ray, with all likes and dislikes? [y/N]:Aborted!\n")
    forgotten = recsys("listener", "forget", "Zoë Ray", "--yes")
    assert forgotten.stderr == "forgotten: Zoë Ray, with 1 song and 2 artists\n"
    assert "Zoë Ray" not in {one["name"] for one in json_lines(recsys("listener", "show", "--json"))}


def test_a_file_is_imported_once_with_what_is_known(recsys: Command, tmp_path: Path) -> None:
    file = tmp_path / "mine.m3u8"
    assert recsys("recommend", "sleep", "--vote", "seed", "-n", "3", "-o", file).returncode == 0
    with file.open("a") as more:
        more.write("".join(f"#EXTINF:1,Nobody - Nothing {number}\nx.mp3\n" for number in range(22)))
    first = recsys("listener", "import", "Kim", file)
    assert [row[1] for row in cells(first)] == ["3", "3", "22", "0"]
    assert first.stderr.splitlines()[-2:] == ["no song is called 'Nobody - Nothing 19'", "and 2 more like these"]
    [again] = json_lines(recsys("listener", "import", "Kim", file, "--json"))
    assert (again["songs"], again["changed"], len(again["unknown"]), again["rejected"]) == (3, 0, 22, 0)
    likes = "Ann - Alpha=4 # loud\nBeta\nNobody - Nothing\n"
    done = recsys("listener", "import", "Kim", "-", "--json", stdin=likes)
    assert json.loads(done.stdout) | {"listener": ""} == {
        "listener": "",
        "songs": 2,
        "changed": 1,
        "unknown": ["Nobody - Nothing"],
        "rejected": 0,
    }
    assert [row[:2] for row in cells(recsys("listener", "show", "Kim"))] == [
        ["4", "Alpha"],
        ["1", "Beta"],
        ["1", "Delta"],
    ]


def test_playlists_answer_a_listener_where_there_is_no_tracklist_recommender(recsys: Command) -> None:
    """Gamma is liked through Bob, so it may come; Beta is his own like and Delta's artist is disliked."""
    assert complaint(recsys("recommend", "--listener", "Max")) == (
        'Max likes nothing yet: run `recsys listener like "Max" "Artist - Title"`'
    )
    recsys("listener", "like", "Max", "Beta=2", "--artist", "Bob")
    recsys("listener", "dislike", "Max", "--artist", "Cid", "Ann - Alpha")
    done = recsys("recommend", "--listener", "Max", "-n", "4", "--json")
    tracks = json_lines(done)
    assert len(tracks) == 4
    assert tracks[0]["title"] == "Gamma"
    assert not {"Alpha", "Beta", "Delta"} & {track["title"] for track in tracks}
    table = recsys("recommend", "--listener", "Max", "-n", "1")
    assert table.stderr == "what goes with the likes of Max, by playlists\n"
    assert cells(table)[0][1:3] == ["Gamma", "Bob"]
    excluded = json_lines(recsys("recommend", "--listener", "Max", "--exclude-artist", "Bob", "-n", "1", "--json"))
    assert excluded[0]["title"] not in ("Alpha", "Beta", "Delta", "Gamma")


def test_a_title_is_answered_without_what_is_disliked_and_nearer_to_what_is_liked(recsys: Command) -> None:
    plain = json_lines(recsys("recommend", "sleep", "--json"))
    assert [track["title"] for track in plain[:3]] == ["Delta", *(track["title"] for track in plain[1:3])]
    recsys("listener", "dislike", "Lou", "Delta", "--artist", "Zed")
    without = json_lines(recsys("recommend", "sleep", "--listener", "Lou", "-n", "5", "--json"))
    left = [track["title"] for track in plain if track["title"] not in ("Delta", "Zeta")]
    assert [track["title"] for track in without] == left
    recsys("listener", "like", "Lou", "Gamma")
    leaning = json_lines(recsys("recommend", "sleep", "--listener", "Lou", "--json"))
    score = {track["title"]: track["score"] for track in plain}
    gamma = {track["title"]: track["score"] for track in leaning}["Gamma"]
    assert gamma > score["Gamma"]
    assert {track["title"] for track in leaning} == set(left)


def test_what_makes_no_sense_is_one_line(recsys: Command, tmp_path: Path) -> None:
    for arguments, said in (
        (("listener", "like", "Max"), 'name a song as "Artist - Title", or an artist with --artist'),
        (
            ("listener", "like", "Max", "Alpha=0"),
            "the score of 'Alpha' must be a number above 0, and 1,000,000 at most",
        ),
        (("listener", "import", "Max", tmp_path, "--format", "foo"), "'foo' is not one of likes, mpd"),
        (("recommend", "sleep", "--listener", "Max", "--explain"), "it does not go with --explain or --vote"),
        (("recommend", "--listener", "Max", "--like", "Alpha"), "ask for one of --like and --listener"),
        (
            ("generate", "--seed", "Alpha", "--listener", "Max", "--like", "Alpha"),
            "ask for one of --listener and --like",
        ),
    ):
        assert said in usage_error(recsys(*arguments))
    assert complaint(recsys("listener", "add", " ")).startswith("the name of a listener is up to 200")
    assert complaint(recsys("recommend", "sleep", "--listener", "Tom")).startswith("no listener is called 'Tom'")
    unknown = recsys("listener", "like", "Max", "Alfa")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    note, complaint_ = unknown.stderr.splitlines()
    assert note.startswith("no song is called 'Alfa'; the nearest are: \"Ann - Alpha\"")
    assert complaint_ == "recsys: nothing is kept for Max: none of the names is known"
