"""The challenge's files: what is read, what is written, every fault that is told, and how categories are made."""

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from recsys.errors import SourceError
from recsys.titles.challenge import (
    ChallengePlaylist,
    Fault,
    GivenTrack,
    read_challenge_set,
    verify_submission,
    write_submission,
)
from recsys.titles.challenge_categories import CATEGORIES, Category, HeldOutPlaylist, make_category


def uri(number: int) -> str:
    return f"spotify:track:{number:022d}"


def given(*numbers: int) -> tuple[GivenTrack, ...]:
    return tuple(GivenTrack(uri(number), None, None) for number in numbers)


# --- the challenge set -------------------------------------------------------------------------------------------

OFFICIAL = {
    "date": "2018-01-16 08:47:28.198015",
    "version": "v1",
    "playlists": [
        {"pid": 1000002, "name": "Party 🎉", "num_holdouts": 48, "num_samples": 0, "num_tracks": 48, "tracks": []},
        {
            "pid": 1003715,
            "num_holdouts": 10,
            "num_samples": 2,
            "num_tracks": 12,
            "tracks": [
                {"pos": 0, "track_uri": uri(1), "track_name": "Alpha", "artist_name": "Ann", "duration_ms": 1},
                {"pos": 7, "track_uri": uri(2), "track_name": "Beta", "artist_name": "Bob"},
            ],
        },
    ],
}


def write_json(file: Path, content: object) -> Path:
    file.write_bytes(json.dumps(content).encode())
    return file


@pytest.mark.parametrize("name", ["set.json", "set.json.gz"])
def test_the_official_form_is_read_also_gzipped(tmp_path: Path, name: str) -> None:
    file = write_json(tmp_path / name, OFFICIAL)
    if name.endswith(".gz"):
        file.write_bytes(gzip.compress(file.read_bytes()))
    assert read_challenge_set(file) == [
        ChallengePlaylist("1000002", "Party 🎉", ()),
        ChallengePlaylist("1003715", None, (GivenTrack(uri(1), "Alpha", "Ann"), GivenTrack(uri(2), "Beta", "Bob"))),
    ]


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("", None),
        ("  \t", None),
        (None, None),
        (7, None),
        ("\x00", None),
        ("a\x1bb", "a b"),
        ("🔥", "🔥"),
        ("!!!", "!!!"),
    ],
)
def test_a_name_without_text_is_none(tmp_path: Path, name: object, read: str | None) -> None:
    file = write_json(tmp_path / "set.json", {"playlists": [{"pid": 1, "name": name, "tracks": []}]})
    assert [playlist.name for playlist in read_challenge_set(file)] == [read]


def test_half_a_surrogate_pair_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "set.json"
    file.write_text('{"playlists": [{"pid": 1, "name": "\\ud83d", "tracks": []}]}')
    assert [playlist.name for playlist in read_challenge_set(file)] == [None]


def test_a_given_track_is_kept_with_what_it_is_known_by(tmp_path: Path) -> None:
    tracks = [{"track_uri": "  "}, {"track_name": " Alpha ", "artist_name": "Ann"}, "junk", {"track_uri": 3, "pos": 0}]
    file = write_json(tmp_path / "set.json", {"playlists": [{"pid": 1, "tracks": tracks}]})
    [playlist] = read_challenge_set(file)
    nothing = GivenTrack(None, None, None)
    assert playlist.tracks == (nothing, GivenTrack(None, "Alpha", "Ann"), nothing, nothing)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("{", "is not valid JSON at character 1"),
        ("[]", "it has no list named playlists"),
        ('{"playlists": 3}', "it has no list named playlists"),
        ('{"playlists": []}', "holds no playlists"),
        ('{"playlists": [3]}', r"playlists\[0\]: the playlist is not an object"),
        ('{"playlists": [{"name": "a"}]}', r"playlists\[0\]: pid is missing"),
        ('{"playlists": [{"pid": "a,b"}]}', r"playlists\[0\]: pid holds a space, a comma or a #"),
        ('{"playlists": [{"pid": 1, "tracks": {}}]}', r"playlists\[0\]: tracks is not a list"),
        ('{"playlists": [{"pid": 1}, {"pid": 2}, {"pid": "1"}]}', r"playlists\[2\] has the pid 1 of playlists\[0\]"),
    ],
)
def test_a_set_that_cannot_be_answered_is_refused_with_its_place(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "set.json"
    file.write_text(content)
    with pytest.raises(SourceError, match=message):
        read_challenge_set(file)


def test_a_damaged_or_missing_set_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "set.json.gz"
    packed.write_bytes(gzip.compress(json.dumps(OFFICIAL).encode())[:-12])
    with pytest.raises(SourceError, match="the gzip data ends too early"):
        read_challenge_set(packed)
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        read_challenge_set(tmp_path / "missing.json")


# --- the submission ----------------------------------------------------------------------------------------------

ANSWERS = [("1", [uri(n) for n in range(500)]), ("2", [uri(n) for n in range(100, 600)])]
SET = [ChallengePlaylist("1", "Gym", ()), ChallengePlaylist("2", None, given(1, 2))]


def test_a_submission_is_a_team_line_and_a_line_a_playlist(tmp_path: Path) -> None:
    file = tmp_path / "submission.csv"
    assert write_submission(file, ANSWERS, team="us", email="us@example.org") == 2
    first, *lines = file.read_text().splitlines()
    assert first == "team_info,main,us,us@example.org"
    assert [line.split(",") for line in lines] == [[pid, *uris] for pid, uris in ANSWERS]
    assert verify_submission(SET, file) == []


def test_a_gzipped_submission_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    files = [tmp_path / "a.csv.gz", tmp_path / "b.csv.gz"]
    for file in files:
        write_submission(file, ANSWERS, team="us", email="us@example.org")
    assert files[0].read_bytes() == files[1].read_bytes()
    assert gzip.decompress(files[0].read_bytes()).startswith(b"team_info,main,us,us@example.org\n1,spotify:track:")
    assert verify_submission(SET, files[0]) == []


def test_answers_that_fail_leave_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[str, Sequence[str]]]:
        yield ANSWERS[0]
        raise SourceError("no more")

    file = tmp_path / "submission.csv"
    file.write_text("the old one")
    with pytest.raises(SourceError, match="no more"):
        write_submission(file, broken(), team="us", email="us@example.org")
    assert file.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [file]


# --- faults ------------------------------------------------------------------------------------------------------

TEAM = "team_info,us,us@example.org"


def row(pid: str, *uris: str) -> str:
    return ",".join([pid, *uris])


def five_hundred(first: int = 100) -> list[str]:
    return [uri(number) for number in range(first, first + 500)]


def faults(tmp_path: Path, *lines: str) -> list[Fault]:
    file = tmp_path / "submission.csv"
    file.write_text("\n".join(lines) + "\n")
    return verify_submission(SET, file)


GOOD = [row("1", *five_hundred()), row("2", *five_hundred())]


@pytest.mark.parametrize(
    "team",
    [
        TEAM,
        "team_info , us , us@example.org",
        "team_info,main,us,us@example.org",
        "team_info,creative,us,u@x",
        "#\n\n" + TEAM,
    ],
)
def test_comments_blank_lines_and_spaces_do_not_count(tmp_path: Path, team: str) -> None:
    assert faults(tmp_path, "# ours", "", team, "  ", GOOD[0].replace(",", " , "), " # between", GOOD[1]) == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (GOOD, [Fault(1, None, "the first line is not team_info,NAME,EMAIL")]),
        ([GOOD[0], TEAM, GOOD[1]],
         [Fault(1, None, "the first line is not team_info,NAME,EMAIL"),
          Fault(2, None, "team_info must be the first line")]),
        ([TEAM, *GOOD, TEAM], [Fault(4, None, "a second team_info line")]),
        (["team_info,us", *GOOD],
         [Fault(1, None, "team_info must be followed by the team's name and an email address")]),
        (["team_info,us,", *GOOD],
         [Fault(1, None, "team_info must be followed by the team's name and an email address")]),
        (["team_info,us,example.org", *GOOD], [Fault(1, None, "'example.org' is not an email address")]),
        (["team_info,best,us,u@x", *GOOD],
         [Fault(1, None, "the second field of a team_info line with four must be main or creative, not 'best'")]),
        ([TEAM, GOOD[0]], [Fault(None, "2", "playlist 2 is missing")]),
        ([TEAM, *GOOD, row("3", *five_hundred())], [Fault(4, "3", "the challenge set has no playlist '3'")]),
        ([TEAM, *GOOD, GOOD[0]], [Fault(4, "1", "playlist 1 stands already in line 2")]),
        ([TEAM, row("1", *five_hundred()[1:]), GOOD[1]], [Fault(2, "1", "499 tracks instead of 500")]),
        ([TEAM, row("1", *five_hundred(), uri(7)), GOOD[1]], [Fault(2, "1", "501 tracks instead of 500")]),
        ([TEAM, "1", GOOD[1]], [Fault(2, "1", "0 tracks instead of 500")]),
        ([TEAM, row("1", uri(101), *five_hundred()[1:]), GOOD[1]], [Fault(2, "1", f"{uri(101)} stands there 2 times")]),
        ([TEAM, GOOD[0], row("2", uri(2), *five_hundred()[1:])], [Fault(3, "2", f"{uri(2)} is a given track")]),
        ([TEAM, row("1", "spotify:track:7", *five_hundred()[1:]), GOOD[1]],
         [Fault(2, "1", "'spotify:track:7' is not the URI of a Spotify track")]),
        ([TEAM, row("1", uri(7).replace("track", "album"), *five_hundred()[1:]), GOOD[1]],
         [Fault(2, "1", f"'spotify:album:{7:022d}' is not the URI of a Spotify track")]),
        ([TEAM, row("1", *five_hundred()[1:], ""), GOOD[1]], [Fault(2, "1", "'' is not the URI of a Spotify track")]),
    ],
)  # fmt: skip
def test_each_fault_has_one_message(tmp_path: Path, lines: Sequence[str], expected: list[Fault]) -> None:
    assert faults(tmp_path, *lines) == expected


def test_faults_of_several_lines_are_all_told(tmp_path: Path) -> None:
    lines = [TEAM, row("9", uri(1), uri(1))]
    assert [fault.message for fault in faults(tmp_path, *lines)] == [
        "the challenge set has no playlist '9'",
        "2 tracks instead of 500",
        f"{uri(1)} stands there 2 times",
        "playlist 1 is missing",
        "playlist 2 is missing",
    ]


def test_a_file_of_comments_misses_everything(tmp_path: Path) -> None:
    messages = [fault.message for fault in faults(tmp_path, "# nothing")]
    assert messages == ["the team_info line is missing", "playlist 1 is missing", "playlist 2 is missing"]


def test_a_submission_that_cannot_be_read_whole_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "submission.csv.gz"
    file.write_bytes(gzip.compress("\n".join([TEAM, *GOOD]).encode())[:-9])
    with pytest.raises(SourceError, match="the gzip data ends too early"):
        verify_submission(SET, file)


# --- categories --------------------------------------------------------------------------------------------------


def held_out(playlist: int, tracks: int) -> HeldOutPlaylist:
    return HeldOutPlaylist(playlist, f"title {playlist}", tuple(range(1000 * playlist, 1000 * playlist + tracks)))


def test_there_are_the_ten_categories_of_the_challenge() -> None:
    assert [str(category) for category in CATEGORIES] == [
        "title alone",
        "title and first 1",
        "title and first 5",
        "first 5, no title",
        "title and first 10",
        "first 10, no title",
        "title and first 25",
        "title and random 25",
        "title and first 100",
        "title and random 100",
    ]
    assert [category.number for category in CATEGORIES] == list(range(1, 11))


@pytest.mark.parametrize("category", CATEGORIES, ids=str)
def test_a_task_gives_a_part_and_withholds_the_rest(category: Category) -> None:
    playlists = [held_out(number, 110) for number in range(1, 4)]
    tasks = make_category(playlists, category)
    assert len(tasks) == 3
    for playlist, task in zip(playlists, tasks, strict=True):
        assert task.title == (playlist.title if category.has_title else None)
        assert len(task.given) == category.given
        assert list(task.given) == sorted(task.given)
        assert task.withheld == set(playlist.tracks) - set(task.given)
        if not category.at_random:
            assert task.given == playlist.tracks[: len(task.given)]


def test_a_playlist_gives_nothing_that_leaves_fewer_than_five() -> None:
    playlists = [held_out(1, 14), held_out(2, 15)]
    assert [task.playlist_id for task in make_category(playlists, CATEGORIES[4])] == [2]


def test_chance_depends_on_the_seed_and_the_playlist_alone() -> None:
    playlists = [held_out(number, 60) for number in range(1, 9)]
    category = CATEGORIES[7]
    tasks = make_category(playlists, category, seed=3)
    assert make_category(playlists[5:], category, seed=3) == tasks[5:]
    assert make_category(playlists, category, seed=4) != tasks
    offsets = {tuple(track % 1000 for track in task.given) for task in tasks}
    assert len(offsets) == len(tasks)
