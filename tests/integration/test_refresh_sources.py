"""Nightly refresh of sources: what may hold something new is read again as it was read before, and nothing else."""

import gzip
import io
import json
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
import pytest

from recsys.catalog import Counts, ingest, ingest_sql
from recsys.catalog.ingestion import Progress
from recsys.catalog.known import KnownPath, Reread, forget_path, reread
from recsys.config import Settings
from recsys.database import connect, writer_lock
from recsys.errors import BusyError, UnknownNameError
from recsys.refresh import Refreshed, refresh
from recsys.sources import STDIN, csv_with_columns, load_mapping
from tests.worlds import Row, entry, playlist, rows, write_lines, write_slice

LISTS = "SELECT s.name, p.external_id, p.name, p.entries FROM playlist AS p JOIN source AS s ON s.id = source_id"
ONE = playlist(1, "Gym", [entry("Ann", "One", "u:1")])
TWO = playlist(2, "Sleep", [entry("Bob", "Two", "u:2"), entry("Ann", "One", "u:1")])
SECRET = "hush"


def again(settings: Settings) -> list[Refreshed]:
    """What a refresh says of sources, nothing being trained."""
    return list(refresh(settings))


def states(settings: Settings) -> dict[str, tuple[str, str]]:
    """State and finding by the source's name and its file."""
    return {one.name: (one.state, one.found) for one in again(settings)}


def lists(connection: psycopg.Connection) -> list[Row]:
    return sorted(rows(connection, LISTS))


def touch_back(file: Path, before: os.stat_result) -> None:
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_file_as_it_was_is_not_opened(settings: Settings, connection: psycopg.Connection, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "lists.jsonl", [ONE])
    ingest(settings, "playlists", [file], source="mine")
    runs = rows(connection, "SELECT count(*) FROM ingest_run")
    # Other content of the same size and time: only who opens it can tell.
    before = file.stat()
    file.write_bytes(file.read_bytes().replace(b"Gym", b"Pub"))
    touch_back(file, before)
    assert again(settings) == [Refreshed("source", "mine, lists.jsonl", "unchanged", "")]
    assert rows(connection, "SELECT count(*) FROM ingest_run") == runs
    os.utime(file)
    [read] = again(settings)
    assert (read.state, read.found) == ("refreshed", "lists: 0 new, 1 changed, 0 as they were")
    assert lists(connection) == [("mine", "1", "Pub", 1)]


def as_lines(folder: Path, playlists: Sequence[object]) -> Path:
    return write_lines(folder / "lists.jsonl", playlists)


def as_gzip(folder: Path, playlists: Sequence[object]) -> Path:
    file = folder / "lists.jsonl.gz"
    file.write_bytes(gzip.compress("".join(f"{json.dumps(one)}\n" for one in playlists).encode()))
    return file


def as_folder(folder: Path, playlists: Sequence[object]) -> Path:
    """A slice for each playlist, so that one more is a new file."""
    for number, one in enumerate(playlists):
        if not (folder / "slices" / f"mpd.slice.{number}000-{number}999.json").exists():
            write_slice(folder / "slices", number, [one])
    return folder / "slices"


@pytest.mark.parametrize(
    ("format_", "write"),
    [("playlists", as_lines), ("playlists", as_gzip), ("mpd", as_folder)],
    ids=["lines", "gzip", "new file"],
)
def test_what_changed_is_loaded_as_it_was_before(
    settings: Settings,
    connection: psycopg.Connection,
    tmp_path: Path,
    format_: str,
    write: Callable[[Path, Sequence[object]], Path],
) -> None:
    ingest(settings, format_, [write(tmp_path, [ONE])], source="mine")
    path = write(tmp_path, [ONE, TWO])
    found = "lists: 1 new, 0 changed, 1 as they were"
    assert again(settings) == [Refreshed("source", f"mine, {path.name}", "refreshed", found)]
    assert lists(connection) == [("mine", "1", "Gym", 1), ("mine", "2", "Sleep", 2)]
    assert rows(connection, "SELECT name, format FROM source") == [("mine", format_)]
    assert [one.state for one in again(settings)] == ["unchanged"]


def test_a_table_is_read_by_the_headers_that_were_named(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    table = tmp_path / "Ma musique, 2.csv"
    table.write_text("Titre;Artiste\nOne;Ann\n", encoding="utf-8")
    ingest(settings, csv_with_columns({"title": "Titre", "artist": "Artiste"}), [table], source="mine")
    with table.open("a", encoding="utf-8") as file:
        file.write("Deux;Bob\n")
    [read] = again(settings)
    assert (read.name, read.found) == ("mine, Ma musique, 2.csv", "lists: 0 new, 1 changed, 0 as they were")
    assert [entries for *_, entries in lists(connection)] == [2]
    assert rows(connection, "SELECT title FROM song ORDER BY 1") == [("Deux",), ("One",)]


def test_each_path_is_read_under_every_source_that_it_was_loaded_for(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    both = write_lines(tmp_path / "both.jsonl", [ONE])
    other = write_lines(tmp_path / "other.jsonl", [playlist(9, "Alone", [])])
    ingest(settings, "playlists", [both, other], source="a")
    ingest(settings, "playlists", [both], source="b")
    write_lines(both, [ONE, TWO])
    assert {name: state for name, (state, _) in states(settings).items()} == {
        "a, both.jsonl": "refreshed", "a, other.jsonl": "unchanged", "b, both.jsonl": "refreshed",
    }  # fmt: skip
    assert [(source, number) for source, number, *_ in lists(connection)] == [
        ("a", "1"), ("a", "2"), ("a", "9"), ("b", "1"), ("b", "2"),
    ]  # fmt: skip


def test_what_is_gone_is_said_and_what_it_held_stays(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    gone, there = (write_lines(tmp_path / f"{name}.jsonl", [one]) for name, one in (("a", ONE), ("b", TWO)))
    ingest(settings, "playlists", [gone, there], source="mine")
    gone.unlink()
    write_lines(there, [TWO, playlist(3, "More", [])])
    before = lists(connection)
    assert states(settings) == {
        "mine, a.jsonl": ("left", "not there any more"),
        "mine, b.jsonl": ("refreshed", "lists: 1 new, 0 changed, 1 as they were"),
    }
    assert set(before) < set(lists(connection))
    # Back again, as it was: there is nothing to read.
    write_lines(gone, [ONE])
    assert [state for state, _ in states(settings).values()] == ["unchanged", "unchanged"]


def test_a_path_that_is_forgotten_is_not_read_again(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    file, other = (write_lines(tmp_path / name, [one]) for name, one in (("a.jsonl", ONE), ("b.jsonl", TWO)))
    ingest(settings, "playlists", [file, other])
    forget_path(settings, file)
    file.unlink()
    assert states(settings) == {"playlists, b.jsonl": ("unchanged", "")}
    assert len(lists(connection)) == 2
    with pytest.raises(UnknownNameError, match=r"nothing that is still known was loaded from .*a\.jsonl"):
        forget_path(settings, file)


def test_a_run_that_was_interrupted_is_read_again(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    folder = as_folder(tmp_path, [ONE, TWO])

    class Stop(Exception):  # noqa: N818 -- no error, a person's decision
        pass

    def stop(_bytes: int, _counts: Counts) -> None:
        raise Stop

    with pytest.raises(Stop):
        ingest(settings, "mpd", [folder], progress=stop)
    kept = len(lists(connection))
    assert kept < 2
    assert again(settings)[0].found == f"lists: {2 - kept} new, 0 changed, {kept} as they were"
    assert [number for _, number, *_ in lists(connection)] == ["1", "2"]
    assert [one.state for one in again(settings)] == ["unchanged"]


def test_standard_input_and_a_dry_run_are_not_remembered(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(ONE).encode())))
    assert ingest(settings, "playlists", [STDIN]).counts.stored == 1
    ingest(settings, "playlists", [write_lines(tmp_path / "dry.jsonl", [TWO])], dry_run=True)
    assert again(settings) == []


@pytest.mark.parametrize("name", ['it\'s "quoted" {x} \\ %s.jsonl', "$HOME;*?[a]<b>.jsonl", "ëтест 🎧.jsonl"])
def test_a_path_may_have_any_characters_that_can_be_printed(settings: Settings, tmp_path: Path, name: str) -> None:
    file = write_lines(tmp_path / name, [ONE])
    ingest(settings, "playlists", [file], source="mine")
    write_lines(file, [ONE, TWO])
    assert again(settings) == [
        Refreshed("source", f"mine, {name}", "refreshed", "lists: 1 new, 0 changed, 1 as they were")
    ]


@pytest.mark.parametrize("name", [b"new\nline.jsonl", b"not utf-8 \xff.jsonl", b"\x1b[31mred.jsonl"])
def test_a_path_that_cannot_be_printed_is_loaded_and_not_remembered(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path, name: bytes
) -> None:
    file = write_lines(tmp_path / os.fsdecode(name), [ONE])
    ingest(settings, "playlists", [file])
    assert len(lists(connection)) == 1
    assert again(settings) == []


def test_a_file_that_was_damaged_costs_what_cannot_be_read(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    damaged, other = (write_lines(tmp_path / f"{name}.jsonl", [ONE]) for name in "ab")
    ingest(settings, "playlists", [damaged], source="a")
    ingest(settings, "playlists", [other], source="b")
    damaged.write_bytes(json.dumps(TWO).encode() + b"\n{cut off\n")
    write_lines(other, [ONE, TWO])
    assert states(settings) == {
        "a, a.jsonl": ("refreshed", "lists: 1 new, 0 changed, 0 as they were; rejected: 1"),
        "b, b.jsonl": ("refreshed", "lists: 1 new, 0 changed, 1 as they were"),
    }
    assert rows(connection, "SELECT place FROM rejected_record") == [("line 2",)]


def test_a_path_that_became_something_else_is_told_and_the_others_go_on(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    folder, lines = as_folder(tmp_path, [ONE]), write_lines(tmp_path / "b.jsonl", [TWO])
    ingest(settings, "mpd", [folder])
    ingest(settings, "playlists", [lines])
    for file in folder.iterdir():
        file.rename(file.with_suffix(".txt"))
    write_lines(lines, [TWO, ONE])
    found = states(settings)
    state, said = found["mpd, slices"]
    assert (state, "\n" in said, str(folder) in said) == ("failed", False, True)
    assert found["playlists, b.jsonl"][0] == "refreshed"
    # It is looked at again each night, until it is what it was.
    assert states(settings)["mpd, slices"] == (state, said)
    for file in folder.iterdir():
        file.rename(file.with_suffix(".json"))
    assert states(settings)["mpd, slices"] == ("unchanged", "lists: 0 new, 0 changed, 1 as they were")


def test_a_path_that_may_not_be_looked_at_is_wrong(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, other = (write_lines(tmp_path / f"{name}.jsonl", [ONE]) for name in "ab")
    ingest(settings, "playlists", [closed, other])
    write_lines(other, [ONE, TWO])
    stat = Path.stat

    def refuse(path: Path, **more: bool) -> os.stat_result:
        if path == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **more)

    monkeypatch.setattr(Path, "stat", refuse)
    assert states(settings) == {
        "playlists, a.jsonl": ("failed", "cannot be read: Permission denied"),
        "playlists, b.jsonl": ("refreshed", "lists: 1 new, 0 changed, 1 as they were"),
    }


def test_another_writer_is_said_and_nothing_is_lost(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "a.jsonl", [ONE])
    ingest(settings, "playlists", [file])
    write_lines(file, [ONE, TWO])
    with (
        connect(settings) as other,
        writer_lock(other, settings.db_schema),
        pytest.raises(BusyError, match="another recsys command is writing"),
    ):
        again(settings)
    assert [one.state for one in again(settings)] == ["refreshed"]
    assert len(lists(connection)) == 2


# --- somebody's database ---------------------------------------------------------------------------------------

MIXES = """
CREATE TABLE playlists (id int PRIMARY KEY, name text, updated_at text);
CREATE TABLE entries (playlist_id int, position int, artist text, title text);
INSERT INTO playlists VALUES (1, 'Gym', '2020-01-01'), (2, 'Sleep', '2020-01-02');
INSERT INTO entries VALUES (1, 0, 'Ann', 'One'), (2, 0, 'Bob', 'Two');
"""
MAPPING = """
[playlists]
changed = "updated_at"
query = "SELECT id AS playlist_id, name AS playlist_title, updated_at FROM playlists"
[items]
query = "SELECT playlist_id, position, artist, title AS track_title FROM entries"
"""


def database_of(file: Path) -> str:
    with sqlite3.connect(file) as theirs:
        theirs.executescript(MIXES)
    return f"sqlite:///{file}"


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """The DSN of a database whose place no one shall read anywhere."""
    return database_of(tmp_path / f"{SECRET}.db")


def add_playlist(dsn: str, name: str = "New") -> None:
    with sqlite3.connect(dsn.removeprefix("sqlite:///")) as theirs:
        theirs.execute("INSERT INTO playlists VALUES (3, ?, '2020-01-03')", (name,))
        theirs.execute("INSERT INTO entries VALUES (3, 0, 'Cid', 'Three')")


def mapping_of(folder: Path, dsn: str | None = None, name: str = "shop.toml") -> Path:
    file = folder / name
    file.write_text((f"dsn = '{dsn}'\n" if dsn else "") + MAPPING, encoding="utf-8")
    return file


def test_a_database_is_read_from_where_it_was_reached(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path, shop: str
) -> None:
    ingest_sql(settings, load_mapping(mapping_of(tmp_path, shop)), source="mine")
    # What changed last is looked at once more.
    assert states(settings) == {"mine, shop.toml": ("unchanged", "lists: 0 new, 0 changed, 1 as they were")}
    add_playlist(shop)
    assert states(settings) == {"mine, shop.toml": ("refreshed", "lists: 1 new, 0 changed, 1 as they were")}
    assert [name for _, _, name, _ in lists(connection)] == ["Gym", "Sleep", "New"]
    assert rows(connection, "SELECT value FROM source_cursor") == [("2020-01-03",)]


def every_column(connection: psycopg.Connection) -> str:
    """All that our tables hold, as text."""
    tables = rows(connection, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'recsys'")
    return "\n".join(str(rows(connection, f"SELECT t::text FROM recsys.{table} AS t")) for (table,) in tables)


def test_a_dsn_is_stored_nowhere_and_asked_for(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path, shop: str
) -> None:
    ingest_sql(settings, load_mapping(mapping_of(tmp_path)), dsn=shop)
    assert "shop.toml" in every_column(connection)
    assert SECRET not in every_column(connection)
    add_playlist(shop)
    left = {"shop, shop.toml": ("left", "its database is not in its mapping: set RECSYS_SOURCE_DSN")}
    assert states(settings) == left
    named = settings.model_copy(update={"source_dsn": shop})
    assert states(named) == {"shop, shop.toml": ("refreshed", "lists: 1 new, 0 changed, 1 as they were")}
    assert SECRET not in every_column(connection)
    # It is not our own database that is read the next night.
    assert states(settings) == left


def test_a_file_of_sqlite_is_the_same_wherever_the_command_is_run(
    settings: Settings, tmp_path: Path, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    relative = f"sqlite:///{SECRET}.db"
    database_of(elsewhere / f"{SECRET}.db")
    monkeypatch.chdir(tmp_path)
    ingest_sql(settings, load_mapping(Path(mapping_of(tmp_path, relative).name)), source="beside")
    ingest_sql(settings, load_mapping(mapping_of(tmp_path, name="bare.toml")), dsn=relative, source="given")
    add_playlist(shop)
    monkeypatch.chdir(elsewhere)
    assert states(settings.model_copy(update={"source_dsn": relative})) == {
        "beside, shop.toml": ("refreshed", "lists: 1 new, 0 changed, 1 as they were"),
        "given, bare.toml": ("left", "RECSYS_SOURCE_DSN names another database"),
    }
    assert states(settings.model_copy(update={"source_dsn": shop}))["given, bare.toml"][0] == "refreshed"


def test_the_setting_stands_for_the_database_that_was_read_and_for_no_other(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path, shop: str
) -> None:
    other = database_of(tmp_path / "other.db")
    add_playlist(other)
    ingest_sql(settings, load_mapping(mapping_of(tmp_path, other, "both.toml")), dsn=shop, source="given")
    named = settings.model_copy(update={"source_dsn": other})
    ingest_sql(named, load_mapping(mapping_of(tmp_path)), source="by setting")
    add_playlist(shop, "Ours")
    before = lists(connection)
    assert states(named) == {
        "given, both.toml": ("left", "RECSYS_SOURCE_DSN names another database"),
        "by setting, shop.toml": ("unchanged", "lists: 0 new, 0 changed, 1 as they were"),
    }
    assert states(settings)["by setting, shop.toml"][0] == "left"
    assert lists(connection) == before
    # It goes before what the mapping says, as --dsn did.
    assert states(settings.model_copy(update={"source_dsn": shop}))["given, both.toml"][0] == "refreshed"
    assert [name for *_, name, _ in lists(connection) if name not in ("Gym", "Sleep")] == ["New", "Ours"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("[items", "is not valid TOML"), (MAPPING + "[more]\n", "'more' is not one of"), (None, "cannot be read")],
    ids=["no TOML", "another table", "a folder"],
)
def test_a_mapping_that_was_damaged_is_told_and_the_others_go_on(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path, shop: str, text: str | None, said: str
) -> None:
    mapping, lines = mapping_of(tmp_path, shop), write_lines(tmp_path / "b.jsonl", [TWO])
    ingest_sql(settings, load_mapping(mapping), source="a")
    ingest(settings, "playlists", [lines], source="b")
    mapping.unlink()
    if text is None:
        mapping.mkdir()
    else:
        mapping.write_text(text, encoding="utf-8")
    write_lines(lines, [TWO, ONE])
    found = states(settings)
    state, reason = found["a, shop.toml"]
    assert (state, said in reason, "\n" in reason) == ("failed", True, False)
    assert found["b, b.jsonl"][0] == "refreshed"


def test_a_database_that_is_out_of_reach_is_wrong(settings: Settings, tmp_path: Path, shop: str) -> None:
    ingest_sql(settings, load_mapping(mapping_of(tmp_path, shop)))
    (tmp_path / f"{SECRET}.db").unlink()
    [wrong] = again(settings)
    assert wrong.state == "failed"
    assert "unable to open database file" in wrong.found
    assert not (tmp_path / f"{SECRET}.db").exists()


def test_a_mapping_whose_path_cannot_be_printed_is_loaded_and_not_remembered(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path, shop: str
) -> None:
    ingest_sql(settings, load_mapping(mapping_of(tmp_path, shop, os.fsdecode(b"\xff.toml"))), source="mine")
    assert len(lists(connection)) == 2
    assert again(settings) == []


def test_each_one_is_told_as_it_is_read(settings: Settings, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "a.jsonl", [ONE])
    ingest(settings, "playlists", [file], source="mine")
    told: list[tuple[str, int]] = []

    def start(known: KnownPath) -> Progress:
        return lambda _bytes, counts: told.append((known.source, counts.read))

    assert [one.left for one in reread(settings, start)] == ["unchanged"]
    write_lines(file, [ONE, TWO])
    [read] = reread(settings, start)
    assert isinstance(read, Reread)
    assert told == [("mine", 2)]
