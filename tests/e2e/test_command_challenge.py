"""`recsys titles challenge` and `recsys titles verify` as a person runs them."""

import gzip
import json
from pathlib import Path

import pytest

from tests.e2e.command import Command, complaint, json_lines, usage_error
from tests.worlds import entry, playlist, write_lines

TRACKS = [entry(f"Artist {n % 40}", f"Song {n}", f"spotify:track:{n:022d}") for n in range(620)]
UNKNOWN = entry("Nobody", "Nothing", f"spotify:track:{'x' * 22}")
RENAMED = entry("Artist 3", "song 3!", f"spotify:track:{'y' * 22}")

PLAYLISTS = [
    {"pid": 1, "name": "summer", "tracks": []},
    {"pid": 2, "name": "never heard 🔥", "tracks": TRACKS[:5]},
    {"pid": 3, "tracks": TRACKS[100:110]},
    {"pid": 4, "name": "", "tracks": [UNKNOWN]},
    {"pid": 5, "name": "🎉", "tracks": [RENAMED, UNKNOWN]},
    {"pid": 6, "name": "!!!", "tracks": TRACKS[::6]},
]


@pytest.fixture
def loaded(recsys: Command, tmp_path: Path) -> Command:
    lists = [playlist(pid, ("summer", "sleep", "gym")[pid % 3], TRACKS[pid * 20 : pid * 20 + 40]) for pid in range(30)]
    assert recsys("ingest", "playlists", write_lines(tmp_path / "lists.jsonl", lists)).returncode == 0
    assert recsys("titles", "embed").returncode == 0
    return recsys


def write_set(folder: Path, playlists: list[dict[str, object]], name: str = "set.json") -> Path:
    file = folder / name
    text = json.dumps({"date": "2018-01-16", "version": "v1", "playlists": playlists})
    file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return file


def test_every_kind_of_playlist_is_answered_and_the_file_is_well_formed(loaded: Command, tmp_path: Path) -> None:
    challenge_set = write_set(tmp_path, PLAYLISTS, "set.json.gz")
    out = tmp_path / "submission.csv.gz"
    done = loaded("titles", "challenge", challenge_set, "-o", out, "--team", "us", "--email", "us@example.org")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"written: {out}, 6 playlists\n"
    team, *lines = gzip.decompress(out.read_bytes()).decode().splitlines()
    assert team == "team_info,main,us,us@example.org"
    for line, asked in zip(lines, PLAYLISTS, strict=True):
        pid, *uris = line.split(",")
        assert pid == str(asked["pid"])
        assert len(set(uris)) == len(uris) == 500
        assert not set(uris) & {track["track_uri"] for track in asked["tracks"]}  # type: ignore[attr-defined]
    done = loaded("titles", "verify", challenge_set, out)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"well formed: 6 playlists in {out}\n"


def test_a_split_answers_by_its_train_part(loaded: Command, tmp_path: Path) -> None:
    challenge_set = write_set(tmp_path, PLAYLISTS[:3])
    files = [tmp_path / "now.csv", tmp_path / "then.csv"]
    ask = ("titles", "challenge", challenge_set, "-o")
    assert "run `recsys titles embed --split clean`" in complaint(loaded(*ask, files[1], "--as-of", "split:clean"))
    assert loaded("titles", "split", "clean").returncode == 0
    assert loaded("titles", "embed", "--split", "clean").returncode == 0
    for file, options in zip(files, ((), ("--as-of", "split:clean")), strict=True):
        assert loaded(*ask, file, *options).returncode == 0
        assert loaded("titles", "verify", challenge_set, file).returncode == 0
    assert files[0].read_text() != files[1].read_text()


def test_faults_are_told_line_by_line(recsys: Command, tmp_path: Path) -> None:
    challenge_set = write_set(tmp_path, PLAYLISTS[:2])
    file = tmp_path / "submission.csv"
    uris = [f"spotify:track:{n:022d}" for n in range(499)]
    file.write_text("# ours\n" + ",".join(["2", *uris]) + "\n")
    done = recsys("titles", "verify", challenge_set, file)
    assert done.returncode == 1
    assert done.stderr == f"8 faults: {file}\n"
    first, count, *rest, missing = done.stdout.splitlines()
    assert first == "line 2  the first line is not team_info,NAME,EMAIL"
    assert count == "line 2  499 tracks instead of 500"
    assert [line.split() for line in rest] == [["line", "2", uri, "is", "a", "given", "track"] for uri in uris[:5]]
    assert missing == "        playlist 1 is missing"
    done = recsys("titles", "verify", challenge_set, file, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1]) == {"line": None, "pid": "1", "message": "playlist 1 is missing"}


def test_what_a_person_can_mend_is_one_line(loaded: Command, tmp_path: Path) -> None:
    out = tmp_path / "submission.csv"
    missing = tmp_path / "missing.json"
    assert complaint(loaded("titles", "challenge", missing, "-o", out)) == (
        f"{missing} cannot be read: No such file or directory"
    )
    too_much = write_set(tmp_path, [{"pid": 9, "name": "gym", "tracks": TRACKS[:150]}])
    assert complaint(loaded("titles", "challenge", too_much, "-o", out)) == (
        "the catalogue has only 470 tracks with a Spotify URI that playlist 9 does not give, and 500 are needed:"
        " load more with `recsys ingest`"
    )
    assert not out.exists()
    good = write_set(tmp_path, PLAYLISTS[:1])
    assert "Not a directory" in complaint(loaded("titles", "challenge", good, "-o", good / "out.csv"))
    assert "split:NAME" in usage_error(loaded("titles", "challenge", good, "-o", out, "--as-of", "clean"))
    assert "comma" in usage_error(loaded("titles", "challenge", good, "-o", out, "--team", "us, them"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lists.jsonl", "set.json"]


def test_before_anything_is_embedded_the_mend_is_named(recsys: Command, tmp_path: Path) -> None:
    done = recsys("titles", "challenge", write_set(tmp_path, PLAYLISTS[:1]), "-o", tmp_path / "out.csv")
    assert "run `recsys titles embed`" in complaint(done)
    assert json_lines(recsys("db", "status", "--json"))[0]["playlist"] == 0
