"""Mappings, and rows of somebody's database as records, without a database."""

import tomllib
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import SourceError
from recsys.sources import Entry, Playlist, Rejected, SqlSource, Tracklist, load_mapping
from recsys.sources.sql_guess import Found, kind_of, write_guess
from recsys.sources.sql_mapping import require_columns
from recsys.sources.sql_rows import SqlRows

FLAT = ("playlist_id", "position", "playlist_title", "track_title", "artist", "uri", "album", "duration_ms")
ITEMS = 'query = "SELECT 1"'


def write(folder: Path, text: str) -> Path:
    file = folder / "shop.toml"
    file.write_text(text, encoding="utf-8")
    return file


def read(
    rows: Iterable[Sequence[object]], columns: Sequence[str] = FLAT, made: SqlRows | None = None
) -> tuple[list[Playlist | Tracklist], list[Rejected]]:
    section = "tracklists" if "tracklist_id" in columns else "items"
    records, rejected = [], []
    for more, unusable in (made or SqlRows("shop")).lists(section, columns, map(tuple, rows)):
        records += more
        rejected += unusable
    return records, rejected


def said(rejected: Sequence[Rejected]) -> list[tuple[str, str]]:
    return [(record.place, record.reason) for record in rejected]


def test_a_mapping_names_its_queries_and_its_source(tmp_path: Path) -> None:
    mapping = load_mapping(
        write(tmp_path, 'dsn = "sqlite:///x.db"\n[items]\nchanged = "at"\nquery = """\nSELECT 1;\n"""\n')
    )
    assert (mapping.source, mapping.dsn) == ("shop", f"sqlite:///{tmp_path / 'x.db'}")
    assert mapping.queries["items"].sql == "SELECT 1"
    assert mapping.queries["items"].changed == "at"
    named = load_mapping(write(tmp_path, f'source = "records"\n[tracklists]\n{ITEMS}'))
    assert (named.source, named.dsn, list(named.queries)) == ("records", None, ["tracklists"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[items", "is not valid TOML: "),
        ("", "has neither [items] nor [tracklists]: at least one of them is needed"),
        (f"[playlists]\n{ITEMS}\n[tracklists]\n{ITEMS}", "has [playlists] and lacks [items]"),
        ("[items]", "[items] lacks its query"),
        ('[items]\nquery = " ; "', "[items] lacks its query"),
        ("[items]\nquery = 3", "[items]: query is not a text"),
        ('items = "SELECT 1"', "[items] is not a table: write [items], and below it query ="),
        (f"[item]\n{ITEMS}", "'item' is not one of source, dsn, playlists, items, tracks, tracklists"),
        (f"[items]\n{ITEMS}\nchange = 'at'", "[items]: 'change' is neither query nor changed"),
        (f"[items]\n{ITEMS}\n[tracks]\n{ITEMS}\nchanged = 'at'", "[tracks]: changed has no meaning here"),
        ("dsn = 1\n[items]", "dsn is not a text"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(SourceError) as error:
        load_mapping(file)
    assert str(error.value).startswith(str(file))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_mapping_that_is_not_there_is_one_to_begin(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"does not exist: `recsys ingest sql --init` writes one$"):
        load_mapping(tmp_path / "gone.toml")
    (tmp_path / "latin.toml").write_bytes(b'source = "caf\xe9"')
    with pytest.raises(SourceError, match="is not valid TOML: 'utf-8' codec"):
        load_mapping(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("sections", "columns", "missing"),
    [
        ("items", {"items": "playlist_id playlist_title track_title artist"}, "[items] has no column position"),
        ("items", {"items": "playlist_id playlist_title position"}, "[items] has no column track_title and artist"),
        ("items", {"items": "playlist_id position track_title artist"}, "[items] has no column playlist_title"),
        (
            "items playlists",
            {"items": "playlist_id position track_title artist", "playlists": "playlist_id"},
            "[playlists] has no column playlist_title",
        ),
        (
            "items tracks",
            {"items": "playlist_id playlist_title position track_id", "tracks": "track_id artist"},
            "[tracks] has no column track_title",
        ),
        ("tracklists", {"tracklists": "position track_title artist"}, "[tracklists] has no column tracklist_id"),
    ],
)
def test_a_column_that_a_query_lacks_is_named(
    tmp_path: Path, sections: str, columns: dict[str, str], missing: str
) -> None:
    text = "".join(f"[{section}]\n{ITEMS}\n" for section in sections.split())
    queries = load_mapping(write(tmp_path, text)).queries
    with pytest.raises(SourceError) as error:
        require_columns(queries, {name: tuple(found.split()) for name, found in columns.items()}, "shop.toml")  # type: ignore[misc]
    assert f"shop.toml: the query of {missing}; it has " in str(error.value)


def test_rows_that_stand_together_are_a_playlist() -> None:
    records, rejected = read(
        [
            (7, 0, "Gym", "One", " Ann ", "u:1", "LP", 61_000),
            (7, 1, "Gym", "Two", "Bob", None, None, None),
            (8, 0, "Sleep", "One", " Ann ", "u:1", "LP", 61_000),
        ]
    )
    assert rejected == []
    one, two = Entry("One", "Ann", "u:1", "LP", 61_000), Entry("Two", "Bob")
    assert [(r.external_id, r.name, r.entries) for r in records if isinstance(r, Playlist)] == [
        ("7", "Gym", [one, two]),
        ("8", "Sleep", [one]),
    ]
    assert [record.place for record in records] == ["playlist_id 7", "playlist_id 8"]


def test_a_text_where_a_number_belongs_costs_its_row_alone() -> None:
    [playlist], rejected = read(
        [
            (1, 0, "Gym", "One", "Ann", None, None, "long"),
            (1, 1, "Gym", "Two", "Ann", None, None, "2000"),
            (1, "third", "Gym", "Three", "Ann", None, None, 1),
            (1, 2, "Gym", "Four", "Ann", None, None, -1),
        ]
    )
    assert playlist.entries == [None, Entry("Two", "Ann", duration_ms=2000), None, None]
    assert said(rejected) == [
        ("playlist_id 1, row 1", "duration_ms is not a number from 0 to 2147483647"),
        ("playlist_id 1, row 3", "position is not a number"),
        ("playlist_id 1, row 4", "duration_ms is not a number from 0 to 2147483647"),
    ]
    assert all(record.of_entry for record in rejected)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((1, 0, "t", "", "Ann", None, None, None), "track_title is empty"),
        ((1, 0, "t", "One", None, None, None, None), "artist is empty"),
        ((1, 0, "t", b"One", "Ann", None, None, None), "track_title is not a text"),
        ((1, 0, "t", "One", "An\x00n", None, None, None), "artist holds a NUL character"),
        ((1, 0, "t", "One", "x" * 601, None, None, None), "artist is longer than 600 characters"),
        ((1, 0, "t", "One", "Ann", "u 1", None, None), "uri holds a space or a control character"),
        ((1, None, "t", "One", "Ann", None, None, None), "position is missing"),
        ((1, True, "t", "One", "Ann", None, None, None), "position is not a number"),
    ],
)
def test_what_makes_a_row_unusable_is_told(row: Sequence[object], reason: str) -> None:
    records, rejected = read([row])
    assert [record.entries for record in records] == [[None]]
    assert said(rejected) == [("playlist_id 1, row 1", reason)]


@pytest.mark.parametrize(
    ("row", "place", "reason"),
    [
        ((None, 0, "t", "One", "Ann", None, None, None), "row 1", "playlist_id is missing"),
        ((1.5, 0, "t", "One", "Ann", None, None, None), "playlist_id 1.5", "playlist_id is neither a whole number nor"),
        ((1, 0, "\ud800", "One", "Ann", None, None, None), "playlist_id 1", "playlist_title holds bytes that are not"),
    ],
)
def test_a_list_that_cannot_be_known_is_set_aside_whole(row: Sequence[object], place: str, reason: str) -> None:
    records, [rejected] = read([row, (9, *row[1:2], "ok", *row[3:])])
    assert [record.external_id for record in records] == ["9"]
    assert rejected.place == place
    assert rejected.reason.startswith(reason)
    assert not rejected.of_entry


def test_positions_order_a_list_whatever_their_type() -> None:
    rows = [(1, position, "t", f"Song {position}", "Ann", None, None, None) for position in ("10", "2", "1")]
    [playlist], rejected = read(rows)
    assert [entry and entry.title for entry in playlist.entries] == ["Song 1", "Song 2", "Song 10"]
    halves = [(1, position, "t", f"Song {position}", "Ann", None, None, None) for position in (2.5, Decimal("1.5"), 2)]
    [playlist], more = read(halves)
    assert [entry and entry.title for entry in playlist.entries] == ["Song 1.5", "Song 2", "Song 2.5"]
    assert rejected == more == []


def test_what_databases_have_and_files_have_not() -> None:
    own = UUID("12345678123456781234567812345678")
    columns = ("playlist_id", "position", "playlist_title", "snapshot", "followers", "track_title", "artist", "cue")
    day = datetime(2020, 5, 6, 7, 8)
    records, rejected = read(
        [
            (own, Decimal(1), "a", day, Decimal(12), 1979, ["Ann", "Bob"], timedelta(seconds=65)),
            ("x", 1, "b", "2020-05-06", "12", "Two", "Ann", "01:05"),
        ],
        columns,
    )
    assert rejected == []
    assert [(r.external_id, r.snapshot, r.followers) for r in records if isinstance(r, Playlist)] == [
        (str(own), date(2020, 5, 6), 12),
        ("x", date(2020, 5, 6), 12),
    ]
    assert records[0].entries == [Entry("1979", "Ann, Bob", artists=("Ann", "Bob"), cue_seconds=65)]
    assert records[1].entries == [Entry("Two", "Ann", cue_seconds=65)]


def test_names_of_lists_and_songs_may_come_from_queries_of_their_own() -> None:
    rows = SqlRows("shop")
    tracks = [(1, "One", "Ann", "u:1"), (2, None, "Bob", None), (1, "Again", "Ann", None), (None, "No", "Id", None)]
    heads = [(1, "Gym", 3), (2, "Bad", "many"), (3, "Empty", None)]
    aside = [
        *rows.take_tracks(("track_id", "track_title", "artist", "uri"), tracks),
        *rows.take_heads(("playlist_id", "playlist_title", "followers"), heads),
    ]
    assert said([record for _, rejected in aside for record in rejected]) == [
        ("[tracks] track_id 2", "track_title is empty"),
        ("[tracks] track_id 1", "a track with this track_id stands before"),
        ("[tracks] row 4", "track_id is missing"),
        ("[playlists] playlist_id 2", "followers is not a number from 0 to 2147483647"),
    ]
    columns = ("playlist_id", "position", "track_id")
    records, rejected = read([(1, 0, 1), (1, 1, 2), (2, 0, 1), (4, 0, 1)], columns, rows)
    assert [(r.external_id, r.entries) for r in records] == [("1", [Entry("One", "Ann", "u:1"), None])]
    assert said(rejected) == [
        ("playlist_id 1, row 2", "its track was set aside"),
        ("playlist_id 4", "playlist_id is not in [playlists]"),
    ]
    [([empty], [])] = rows.heads_without_rows()
    assert (empty.external_id, empty.entries) == ("3", [])


def test_a_tracklist_keeps_what_nobody_identified() -> None:
    columns = ("tracklist_id", "position", "tracklist_title", "dj", "played_on", "track_title", "artist", "cue")
    [tracklist, empty], rejected = read(
        [
            (5, 0, "Night", "Max", date(2020, 1, 2), "ID", "ID", 0),
            (5, 1, "Night", "Max", date(2020, 1, 2), None, None, 90),
            (5, 2, "Night", "Max", date(2020, 1, 2), "One", "Ann", "soon"),
            (6, None, "Nothing played", None, None, None, None, None),
        ],
        columns,
    )
    assert isinstance(tracklist, Tracklist)
    assert (tracklist.external_id, tracklist.djs, tracklist.played_on) == ("5", ("Max",), date(2020, 1, 2))
    assert tracklist.entries == [Entry("ID", "ID", cue_seconds=0), Entry("", "", cue_seconds=90), None]
    assert empty.entries == []
    assert said(rejected) == [("tracklist_id 5, row 3", "cue is not a time of the tracklist")]


def test_names_that_hold_sql_are_names() -> None:
    name = "Robert'); DROP TABLE song; --"
    [playlist], rejected = read([(name, 0, name, name, name, None, name, None)])
    assert rejected == []
    assert isinstance(playlist, Playlist)
    assert (playlist.external_id, playlist.name) == (name, name)
    assert playlist.entries == [Entry(name, name, album=name)]


CELLS = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=[]), max_size=8),
    st.booleans(),
    st.binary(max_size=4),
    st.decimals(),
    st.datetimes(),
    st.lists(st.text(max_size=3), max_size=2),
    st.timedeltas(),
)


@given(st.lists(st.tuples(st.sampled_from([1, 2, "a", None]), *[CELLS] * 7), max_size=12))
def test_every_row_is_an_entry_or_told(rows: list[tuple[object, ...]]) -> None:
    rows.sort(key=lambda row: str(row[0]))
    made = SqlRows("shop")
    records, rejected = read(rows, FLAT, made)
    assert made.consumed == len(rows)
    lost = sum(record.of_entry for record in rejected)
    assert lost == sum(entry is None for record in records for entry in record.entries)
    whole = [record for record in rejected if not record.of_entry]
    assert len(records) + len(whole) == len({row[0] for row in rows})
    assert len({record.place for record in rejected}) == len(rejected)


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ("Playlists", "playlist"),
        ("playlist_entries", "item"),
        ("PlaylistTrack", "item"),
        ("songs", "track"),
        ("dj_mixes", "tracklist"),
        ("mixes", "tracklist"),
        ("set_tracks", "played"),
        ("users", ""),
    ],
)
def test_a_table_is_known_by_its_name(table: str, kind: str) -> None:
    assert kind_of(table) == kind


def found(name: str, columns: str, **references: str) -> Found:
    return Found(kind_of(name), name, name, {column: column for column in columns.split()}, references)


def test_what_is_guessed_is_a_mapping(tmp_path: Path) -> None:
    guess = write_guess(
        [
            found("playlists", "id name updated_at"),
            found("playlist_tracks", "playlist_id track_id added_at"),
            found("tracks", "id title by", by="artists"),
            found("artists", "id name"),
            found("mixes", "id title dj date"),
            found("mix_tracks", "mix pos artist title", mix="mixes"),
            found("users", "id email"),
        ]
    )
    mapping = load_mapping(write(tmp_path, guess.text))
    assert {section: " ".join(query.sql.split()) for section, query in mapping.queries.items()} == {
        "playlists": "SELECT l.id AS playlist_id, l.name AS playlist_title, l.updated_at FROM playlists AS l",
        "items": "SELECT i.playlist_id, row_number() OVER (PARTITION BY i.playlist_id ORDER BY"
        " i.playlist_id) AS position, i.track_id FROM playlist_tracks AS i",
        "tracks": "SELECT t.id AS track_id, t.title AS track_title, a.name AS artist FROM tracks AS t"
        " JOIN artists AS a ON a.id = t.by",
        "tracklists": "SELECT l.id AS tracklist_id, l.title AS tracklist_title, l.dj, l.date AS played_on,"
        " i.pos AS position, i.title AS track_title, i.artist FROM mix_tracks AS i"
        " JOIN mixes AS l ON l.id = i.mix",
    }
    assert mapping.queries["playlists"].changed == "updated_at"
    assert "[tracks] guessed from tracks and artists" in guess.remarks
    assert "#   users (id, email)" in guess.text


def test_what_cannot_be_guessed_is_a_comment_with_an_example() -> None:
    guess = write_guess([found("users", "id email")], skipped=2)
    assert tomllib.loads(guess.text) == {}
    assert [remark.split(":")[0] for remark in guess.remarks] == [
        "[playlists] not found",
        "[items] not found",
        "[tracks] not found",
        "[tracklists] not found",
        "2 tables were left out",
    ]


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("nothing", "the DSN of the source is not a URL like postgresql://user@host/database or sqlite:///folder/"),
        ("klingon://host/db", "the DSN begins with klingon, which no dialect is called"),
        ("mysql+pymysql://host/db", "the driver of mysql+pymysql is not installed: pip install the package of pymysql"),
        ("sqlite://", "the DSN of the source names no file: sqlite:///folder/file.db"),
        ("sqlite:////nowhere/at/all.db", "cannot reach the source /nowhere/at/all.db: unable to open database file"),
        ("postgresql://ann:secret@127.0.0.1:9/shop", "cannot reach the source 127.0.0.1:9/shop: Connection refused"),
    ],
)
def test_a_source_out_of_reach_is_told_in_one_line(tmp_path: Path, dsn: str, said: str) -> None:
    source = SqlSource(load_mapping(write(tmp_path, f"[items]\n{ITEMS}")), dsn)
    with pytest.raises(SourceError) as error:
        source.plan([])
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_what_track_ids_need_is_said(tmp_path: Path) -> None:
    mapping = load_mapping(write(tmp_path, f"[items]\n{ITEMS}"))
    has = {"items": ("playlist_id", "position", "track_id", "playlist_title")}
    with pytest.raises(SourceError, match=r"no column track_title and artist; it has .*: track_id needs \[tracks\]$"):
        require_columns(mapping.queries, has, "shop.toml")


def test_a_guess_tells_of_an_order_that_is_none_and_names_the_source() -> None:
    tables = [found("playlists", "id title"), found("playlist_song", "pl nr title artist", pl="playlists")]
    guess = write_guess(tables, source="radio")
    assert 'source = "radio"' in guess.text.splitlines()[3]
    assert "[items] no column of positions was found, songs stand in the order of pl: look" in guess.remarks
    assert '# source = "shop"' in write_guess(tables, source='a "b"').text.splitlines()[3]
