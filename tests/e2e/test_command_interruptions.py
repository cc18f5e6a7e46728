"""A reader that leaves early, and Ctrl-C in the middle of a load."""

import json
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from tests.e2e.command import PATIENCE, Command, json_lines
from tests.worlds import entry, playlist, rows, write_slice

SLICES, PLAYLISTS, TRACKS = 6, 1_000, 12


@pytest.mark.parametrize(
    "arguments",
    [("recommend", "sleep"), ("recommend", "sleep", "--format", "m3u8")],
    ids=" ".join,
)
def test_a_reader_that_leaves_early_is_no_error_to_read_about(embedded: Command, arguments: tuple[str, ...]) -> None:
    process = embedded.start(*arguments)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    assert process.wait(PATIENCE) == 1
    assert said in ("", 'a title in the database: "sleep"\n')


def test_the_first_line_of_an_answer_can_be_cut_off(embedded: Command) -> None:
    process = embedded.start("recommend", "sleep", "--json")
    head = subprocess.run(["head", "-n", "1"], stdin=process.stdout, capture_output=True, check=True)
    assert process.stdout is not None
    process.stdout.close()
    assert json.loads(head.stdout)["rank"] == 1
    assert process.stderr is not None
    assert process.stderr.read() in ("", 'a title in the database: "sleep"\n')
    process.wait(PATIENCE)


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    """Six batches, whose load takes seconds."""
    folder = tmp_path / "slices"
    for number in range(SLICES):
        lists = []
        for pid in range(number * PLAYLISTS, (number + 1) * PLAYLISTS):
            songs = [(pid * 7 + place * 131) % 20_011 for place in range(TRACKS)]
            tracks = [entry(f"Artist {song % 997}", f"Song {song}", f"u:{song}") for song in songs]
            lists.append(playlist(pid, f"title {pid % 300}", tracks))
        write_slice(folder, number, lists)
    return folder


def test_an_interrupted_load_says_so_in_one_line_and_goes_on_when_it_is_run_again(
    recsys: Command, slices: Path, connection: psycopg.Connection
) -> None:
    process = recsys.start("ingest", "mpd", slices)
    deadline = time.monotonic() + PATIENCE
    while rows(connection, "SELECT count(*) FROM playlist") == [(0,)]:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=PATIENCE)
    [(kept,)] = rows(connection, "SELECT count(*) FROM playlist")
    assert 0 < kept < SLICES * PLAYLISTS
    [catalogue] = [f for f in json_lines(recsys("doctor", "--json")) if f["subject"] == "catalogue"]
    assert (catalogue["state"], catalogue["mend"]) == ("open", "the same recsys ingest again")

    [summary] = json_lines(recsys("ingest", "mpd", slices, "--json"))
    assert (summary["stored"], summary["already_there"]) == (SLICES * PLAYLISTS - kept, kept)
    assert rows(connection, "SELECT count(*) FROM playlist_track") == [(SLICES * PLAYLISTS * TRACKS,)]
    assert printed == ""
    assert said == "interrupted: what was finished is kept, run the same command again to go on\n"
    assert process.returncode == 1


def test_an_interrupted_command_that_keeps_nothing_promises_nothing(
    recsys: Command, connection: psycopg.Connection, tmp_path: Path
) -> None:
    with connection.transaction():
        connection.execute("LOCK TABLE tracklist")
        process = recsys.start("tracklists", "prepare", tmp_path / "graph")
        deadline = time.monotonic() + PATIENCE
        while rows(connection, "SELECT count(*) FROM pg_locks WHERE NOT granted") == [(0,)]:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=PATIENCE)
    assert (printed, said, process.returncode) == ("", "interrupted\n", 1)
