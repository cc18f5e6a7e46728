"""Files into the catalogue by the installed command, from an empty database to an answer."""

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.e2e.command import Command, Done, cells, json_lines
from tests.e2e.world import ALPHA, BETA, TRACKLISTS, Files
from tests.worlds import CATALOGUE, dump, entry, playlist, rows, write_lines

NOTHING = {
    "dry_run": False,
    "read": 0,
    "stored": 0,
    "replaced": 0,
    "already_there": 0,
    "rejected": 0,
    "entries_stored": 0,
    "entries_unidentified": 0,
    "entries_rejected": 0,
    "reasons": {},
    "first_places": {},
}


def summary(done: Done) -> dict[str, object]:
    """What a load that rejected nothing counted, zeros apart."""
    [counts] = json_lines(done)
    assert counts.keys() == NOTHING.keys()
    return {name: value for name, value in counts.items() if value != NOTHING[name]}


def test_from_an_empty_database_to_an_answer(
    command_over: Callable[[str, Path], Command], empty_database: str, tmp_path: Path, files: Files
) -> None:
    recsys = command_over(empty_database, tmp_path)
    done = recsys("db", "upgrade")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "the schema recsys is at revision 0010\n"

    assert cells(recsys("ingest", "mpd", files.slices)) == [
        ["lists read", "4"],
        ["stored", "4"],
        ["replaced by a later state", "0"],
        ["already there", "0"],
        ["rejected", "0"],
        ["entries stored", "10"],
        ["entries nobody identified", "0"],
        ["entries rejected", "0"],
    ]
    [made] = json_lines(recsys("titles", "embed", "--json"))
    assert made == {
        "model_id": 2,
        "encoder": recsys.settings["RECSYS_ENCODER"],
        "dimension": 32,
        "split": None,
        "embedded": 3,
        "already_there": 0,
        "adapted_to": 0,
        "profiles": 3,
        "has_index": False,
    }
    adapted = dict(cells(recsys("titles", "embed", "--adapt")))
    assert adapted["adapted to"] == "4 playlists"
    assert adapted["encoder"] == f"{recsys.settings['RECSYS_ENCODER']}, 288 dimensions (model 3)"
    done = recsys("recommend", "gym")
    assert (done.returncode, done.stderr) == (0, 'a new title: "gym"\n')
    songs = ["Alpha", "Beta", "Delta", "Epsilon", "Gamma", "Zeta (Zed Remix)"]
    assert sorted(row[1] for row in cells(done)) == songs
    plain = dict(cells(recsys("titles", "embed", "--no-adapt")))
    assert (plain["adapted to"], plain["title profiles"]) == ("nothing", "3")
    assert plain["encoder"] == f"{recsys.settings['RECSYS_ENCODER']}, 32 dimensions (model 2)"

    assert summary(recsys("ingest", "playlists", files.playlists, "--json")) == {
        "read": 1,
        "stored": 1,
        "entries_stored": 1,
    }
    stale, answer = recsys("recommend", "sleep").stderr.splitlines()
    assert "recsys refresh" in stale
    assert answer == 'a title in the database: "sleep"'


def test_the_mpd_is_read_as_a_slice_a_gzip_and_a_zip(recsys: Command, files: Files, tmp_path: Path) -> None:
    first, second = sorted(files.slices.iterdir())
    packed = tmp_path / f"{second.name}.gz"
    packed.write_bytes(gzip.compress(second.read_bytes()))
    archive = tmp_path / "mpd.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for file in (first, second):
            zipped.write(file, f"data/{file.name}")
    assert summary(recsys("ingest", "mpd", first, "--json")) == {"read": 2, "stored": 2, "entries_stored": 5}
    both = {"read": 6, "stored": 2, "already_there": 4, "entries_stored": 5}
    assert summary(recsys("ingest", "mpd", packed, archive, "--json")) == both
    in_another_source = {"read": 4, "stored": 4, "entries_stored": 10}
    assert summary(recsys("ingest", "mpd", archive, "--source", "copy", "--json")) == in_another_source


def test_lines_come_from_files_and_from_standard_input(
    recsys: Command, files: Files, connection: psycopg.Connection
) -> None:
    sets = {"read": 1, "stored": 1, "entries_stored": 2, "entries_unidentified": 1}
    assert summary(recsys("ingest", "tracklists", files.tracklists, "--json")) == sets
    again = recsys("ingest", "tracklists", "-", "--json", stdin=json.dumps(TRACKLISTS[0]))
    assert summary(again) == {"read": 1, "already_there": 1}

    piped = f"{json.dumps(playlist('夏', '夏 🔥', [ALPHA, BETA]), ensure_ascii=False)}\n"
    done = recsys("ingest", "playlists", "-", files.playlists, "--source", "mine", "--json", stdin=piped)
    assert summary(done) == {"read": 2, "stored": 2, "entries_stored": 3}
    assert rows(connection, "SELECT name FROM source ORDER BY id") == [("tracklists",), ("mine",)]
    assert rows(connection, "SELECT source_id, external_id, name FROM playlist ORDER BY id") == [
        (2, "夏", "夏 🔥"),
        (2, "e", "Eve only"),
    ]


def test_three_csv_tables_are_playlists(recsys: Command, tmp_path: Path, connection: psycopg.Connection) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "playlists.csv").write_text("pid,name\n1,Gym\n2,Empty\n")
    (folder / "tracks.csv").write_text('track_uri,track_name,artist_name\nu:1,"One, Two",Ann\nu:2,Three,Bob\n')
    (folder / "items.csv").write_text("pid,pos,track_uri\n1,1,u:1\n1,0,u:2\n")
    assert summary(recsys("ingest", "csv", folder, "--json")) == {"read": 2, "stored": 2, "entries_stored": 2}
    assert rows(
        connection,
        "SELECT p.name, pt.position, s.artist, s.title"
        "  FROM playlist AS p JOIN playlist_track AS pt ON playlist_id = p.id"
        "  JOIN track AS t ON t.id = track_id JOIN song AS s ON s.id = song_id ORDER BY 2",
    ) == [("Gym", 0, "Bob", "Three"), ("Gym", 1, "Ann", "One, Two")]


def test_a_dj_mix_is_a_tracklist_and_a_playlist(
    recsys: Command, tmp_path: Path, connection: psycopg.Connection
) -> None:
    mix = {
        "id": "m1",
        "title": "2010-01-02 - Ann Bell @ Cave, Bern (Night Radio, NR12)",
        "tags": [{"key": f"Category:{name}"} for name in ("Ann Bell", "Cave (Bern)", "Night Radio", "Techno")],
        "tracklist": [{"title": "[00] Nina - Open (Zed Remix) [Label - L 1]"}, {"title": "[06:15] ID - ID"}],
    }
    file = tmp_path / "djmix-dataset.json"
    file.write_text(json.dumps([mix]))
    assert summary(recsys("ingest", "djmix", file, "--json")) == {
        "read": 2,
        "stored": 2,
        "entries_stored": 2,
        "entries_unidentified": 1,
    }
    assert rows(connection, "SELECT name FROM playlist") == [("Night Radio Techno",)]
    assert rows(connection, "SELECT t.title, d.name FROM tracklist AS t, dj AS d") == [(mix["title"], "Ann Bell")]
    assert rows(connection, "SELECT position, cue_seconds, credit FROM tracklist_track ORDER BY 1") == [
        (0, 0, None),
        (1, 375, "ID - ID"),
    ]


def test_a_dry_run_keeps_nothing_and_the_same_files_twice_change_nothing(
    recsys: Command, files: Files, connection: psycopg.Connection
) -> None:
    load = ("ingest", "mpd", files.slices, "--json")
    all_new = {"read": 4, "stored": 4, "entries_stored": 10}
    assert summary(recsys(*load, "--dry-run")) == {"dry_run": True, **all_new}
    assert dump(connection) == {table: [] for table in CATALOGUE}
    assert summary(recsys(*load)) == all_new
    before = dump(connection)
    assert summary(recsys(*load)) == {"read": 4, "already_there": 4}
    assert dump(connection) == before


@pytest.mark.parametrize("as_json", [False, True], ids=["table", "json"])
def test_what_is_rejected_is_kept_beside_what_is_loaded(
    recsys: Command, connection: psycopg.Connection, as_json: bool
) -> None:
    file = write_lines(
        recsys.folder / "lists.jsonl",
        [playlist(1, "good", [ALPHA, entry("Ann", "")]), {"pid": 2, "name": "no tracks"}, playlist(3, "two", [BETA])],
    )
    done = recsys("ingest", "playlists", file, *["--json"] * as_json)
    assert done.returncode == 1
    assert rows(connection, "SELECT name FROM playlist ORDER BY id") == [("good",), ("two",)]
    assert rows(connection, "SELECT file, place, reason FROM rejected_record ORDER BY place") == [
        (str(file), "line 1.tracks[1]", "track_name is empty"),
        (str(file), "line 2", "tracks is missing"),
    ]
    if as_json:
        counts = {"read": 3, "stored": 2, "rejected": 1, "entries_stored": 2, "entries_rejected": 1}
        reasons = {"track_name is empty": 1, "tracks is missing": 1}
        places = {"track_name is empty": f"{file}: line 1.tracks[1]", "tracks is missing": f"{file}: line 2"}
        assert json.loads(done.stdout) == {**NOTHING, **counts, "reasons": reasons, "first_places": places}
        assert done.stderr == ""
    else:
        assert cells(done)[-2:] == [
            ["track_name is empty", "1", f"{file}: line 1.tracks[1]"],
            ["tracks is missing", "1", f"{file}: line 2"],
        ]
        assert done.stderr == "each one: SELECT file, place, reason FROM rejected_records\n"
