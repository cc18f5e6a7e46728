import csv
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import SourceError
from recsys.sources import FORMATS, Batch, Entry, Playlist, read_csv

PLAYLISTS = "pid,name\n0,road trip\n1,sleep\n"
TRACKS = "track_uri,track_name,artist_name\nu:a,Alpha,Ann\nu:b,Beta,Bob\n"
ITEMS = "pid,pos,track_uri\n0,0,u:a\n0,1,u:b\n1,0,u:b\n"
ALPHA = Entry("Alpha", "Ann", "u:a")
BETA = Entry("Beta", "Bob", "u:b")


def folder(path: Path, playlists: str = PLAYLISTS, tracks: str = TRACKS, items: str = ITEMS) -> Path:
    path.mkdir(exist_ok=True)
    for name, text in (("playlists", playlists), ("tracks", tracks), ("items", items)):
        (path / f"{name}.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


def lists(batches: list[Batch]) -> dict[str, list[Entry | None]]:
    return {record.external_id: record.entries for batch in batches for record in batch.records}


def rejected(batches: list[Batch]) -> list[tuple[str, str]]:
    return [(item.place, item.reason) for batch in batches for item in batch.rejected]


def test_items_are_joined_with_their_tracks_and_playlists(tmp_path: Path) -> None:
    [batch] = read_csv(folder(tmp_path))
    assert batch.records == [
        Playlist("0", "road trip", [ALPHA, BETA], str(tmp_path), "items.csv line 2"),
        Playlist("1", "sleep", [BETA], str(tmp_path), "items.csv line 4"),
    ]
    assert batch.rejected == []
    assert batch.bytes_read == FORMATS["csv"].total_bytes(tmp_path)


def test_the_columns_of_the_seed_project_are_known(tmp_path: Path) -> None:
    playlists = (
        "pid,name,collaborative,num_tracks,num_artists,num_albums,num_followers,num_edits,modified_at,duration_ms\n"
        "7,dance,false,1,1,1,12,3,1493424000,1000\n"
    )
    tracks = (
        "track_uri,track_name,artist_uri,artist_name,album_uri,album_name,duration_ms\nu:a,Alpha,x,Ann,y,First,201000\n"
    )
    items = "pid,track_position,track_uri\n7,0,u:a\n"
    with_header = list(read_csv(folder(tmp_path / "a", playlists, tracks, items)))
    [playlist] = with_header[0].records
    assert isinstance(playlist, Playlist)
    assert playlist.entries == [Entry("Alpha", "Ann", "u:a", "First", 201_000)]
    assert (playlist.followers, playlist.snapshot) == (12, date(2017, 4, 29))
    bare = (text.partition("\n")[2].replace("u:a", "spotify:track:a") for text in (playlists, tracks, items))
    [same] = next(iter(read_csv(folder(tmp_path / "b", *bare)))).records
    assert same.entries == [Entry("Alpha", "Ann", "spotify:track:a", "First", 201_000)]
    assert isinstance(same, Playlist)
    assert (same.name, same.followers, same.snapshot) == ("dance", 12, date(2017, 4, 29))


def test_columns_may_have_other_names_and_another_order(tmp_path: Path) -> None:
    path = folder(
        tmp_path,
        ",playlist_name,Playlist_ID\n0,road trip,p0\n",
        "artist,title,uri\nAnn,Alpha,u:a\n",
        "\ufefftrack_id,position,playlist_id\nu:a,0,p0\n",
    )
    assert lists(list(read_csv(path))) == {"p0": [ALPHA]}


TITLE = st.text(st.characters(exclude_characters="\x00\r\n", exclude_categories=["Cs"]), max_size=20)


@settings(deadline=None)
@given(st.lists(TITLE.filter(lambda text: bool(text.strip())), min_size=1, max_size=5))
def test_commas_and_quotes_inside_titles_survive(tmp_path_factory: pytest.TempPathFactory, titles: list[str]) -> None:
    path = folder(tmp_path_factory.mktemp("csv"))
    with (path / "tracks.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["track_uri", "track_name", "artist_name"])
        writer.writerows([f"u:{number}", title, "Ann"] for number, title in enumerate(titles))
    with (path / "items.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["pid", "pos", "track_uri"])
        writer.writerows([0, number, f"u:{number}"] for number in range(len(titles)))
    batches = list(read_csv(path))
    assert rejected(batches) == []
    assert [entry and entry.title for entry in lists(batches)["0"]] == [title.strip() for title in titles]


def test_items_are_ordered_by_their_position(tmp_path: Path) -> None:
    path = folder(tmp_path, items="pid,pos,track_uri\n0,1,u:b\n0,0,u:a\n")
    assert lists(list(read_csv(path)))["0"] == [ALPHA, BETA]


def test_items_that_belong_to_nothing_are_set_aside(tmp_path: Path) -> None:
    path = folder(tmp_path, items="pid,pos,track_uri\n0,0,u:x\n0,1,u:b\n9,0,u:a\n1,0,\n1,1,u:a\n")
    batches = list(read_csv(path))
    assert lists(batches) == {"0": [None, BETA], "1": [None, ALPHA]}
    assert all(item.of_entry and item.file == batch.file for batch in batches for item in batch.rejected)
    assert sorted(rejected(batches)) == [
        ("items.csv line 2", "track_uri is not in tracks.csv"),
        ("items.csv line 4", "pid is not in playlists.csv"),
        ("items.csv line 5", "track_uri is empty"),
    ]


def test_rows_of_a_playlist_that_come_back_later_are_set_aside(tmp_path: Path) -> None:
    path = folder(tmp_path, items="pid,pos,track_uri\n0,0,u:a\n1,0,u:b\n0,1,u:b\n")
    batches = list(read_csv(path))
    assert lists(batches) == {"0": [ALPHA], "1": [BETA]}
    assert rejected(batches) == [("items.csv line 4", "other playlists stand between this row and those of its pid")]


def test_a_playlist_without_items_is_empty(tmp_path: Path) -> None:
    path = folder(tmp_path, items="pid,pos,track_uri\n1,0,u:a\n")
    assert lists(list(read_csv(path))) == {"1": [ALPHA], "0": []}


def test_bad_rows_of_tracks_and_playlists_are_set_aside_with_their_line(tmp_path: Path) -> None:
    path = folder(
        tmp_path,
        playlists="pid,name\n0,one\n,nameless\n0,again\n1,\udcff\n",
        tracks=f"track_uri,track_name,artist_name\nu:a,Alpha,Ann\nu:b,,Bob\n,Gamma,Bob\nu:c,{'x' * 601},Bob\n",
        items="pid,pos,track_uri\n0,0,u:a\n",
    )
    batches = list(read_csv(path))
    assert lists(batches) == {"0": [ALPHA]}
    assert rejected(batches) == [
        ("playlists.csv line 3", "pid is empty"),
        ("playlists.csv line 4", "a playlist with this pid stands before"),
        ("playlists.csv line 5", "name holds bytes that are not UTF-8, or half of a surrogate pair"),
        ("tracks.csv line 3", "track_name is empty"),
        ("tracks.csv line 4", "track_uri is empty"),
        ("tracks.csv line 5", "track_name is longer than 600 characters"),
    ]


@pytest.mark.parametrize("bad", ['5,"unclosed', '5,"', '5,"a" b,"c'])
def test_a_quote_that_is_not_closed_costs_its_line_alone(tmp_path: Path, bad: str) -> None:
    path = folder(tmp_path, playlists=f'pid,name\n0,road trip\n{bad}\n6,"found, again"\n{bad}', items="pid,track_uri\n")
    batches = list(read_csv(path))
    names = [record.name for batch in batches for record in batch.records if isinstance(record, Playlist)]
    assert names == ["road trip", "found, again"]
    assert rejected(batches) == [(f"playlists.csv line {line}", "a quote is not closed") for line in (3, 5)]
    assert {item.record for batch in batches for item in batch.rejected} == {bad}


def test_a_title_over_two_lines_is_rejected_with_both(tmp_path: Path) -> None:
    path = folder(
        tmp_path, playlists='pid,name,followers\n0,"two\nlines",3\n1,12" singles,3\n', items="pid,track_uri\n"
    )
    batches = list(read_csv(path))
    assert list(lists(batches)) == ["1"]
    assert rejected(batches) == [
        ("playlists.csv line 2", "a quote is not closed"),
        ("playlists.csv line 3", "it ends a text that the line before begins"),
    ]


def test_twenty_thousand_rows_behind_a_quote_that_is_not_closed_are_read(tmp_path: Path) -> None:
    rows = "".join(f"u:{number},Song {number},Ann\n" for number in range(20_000))
    tracks = f'track_uri,track_name,artist_name\nu:a,"Alpha,Ann\n{rows}'
    batches = list(read_csv(folder(tmp_path, items="pid,pos,track_uri\n0,0,u:0\n0,1,u:19999\n", tracks=tracks)))
    assert lists(batches)["0"] == [Entry("Song 0", "Ann", "u:0"), Entry("Song 19999", "Ann", "u:19999")]
    assert rejected(batches) == [("tracks.csv line 2", "a quote is not closed")]


def test_a_track_uri_that_is_more_than_one_word_is_set_aside(tmp_path: Path) -> None:
    path = folder(tmp_path, tracks=f"{TRACKS}u: c,Gamma,Cid\nu:\x1bd,Delta,Dan\n")
    reason = "track_uri holds a space or a control character"
    assert rejected(list(read_csv(path))) == [("tracks.csv line 4", reason), ("tracks.csv line 5", reason)]


def test_empty_tables_are_told(tmp_path: Path) -> None:
    nothing = list(read_csv(folder(tmp_path, "", "", "")))
    assert (lists(nothing), rejected(nothing)) == ({}, [("playlists.csv line 1", "the file is empty")])
    no_items = list(read_csv(folder(tmp_path, items="")))
    assert (lists(no_items), rejected(no_items)) == ({"0": [], "1": []}, [("items.csv line 1", "the file is empty")])


def test_csv_needs_a_folder() -> None:
    with pytest.raises(SourceError, match="csv needs a folder"):
        list(read_csv(Path("-")))


def test_a_missing_table_or_column_is_an_error(tmp_path: Path) -> None:
    path = folder(tmp_path)
    (path / "tracks.csv").unlink()
    with pytest.raises(SourceError, match=r"lacks tracks\.csv"):
        list(read_csv(path))
    with pytest.raises(SourceError, match="track_uri, uri, track_id"):
        list(read_csv(folder(path, items="pid,pos,song\n0,0,u:a\n")))
