"""Lists of tracks as files, to the letter."""

import csv
import io
from dataclasses import replace

import pytest

from recsys.catalog import ListedTrack
from recsys.export import EXPORT_FORMATS, export_playlist

PLAIN = ListedTrack(
    rank=1,
    track_id=7,
    song_id=3,
    title="One",
    version=None,
    artist="Somebody",
    uri="spotify:track:1",
    duration_ms=183_499,
    score=12.3456789,
)
AWKWARD = ListedTrack(
    rank=2,
    track_id=None,
    song_id=4,
    title='He said "no", twice\nor so',
    version="Live; 2/3",
    artist="Crosby, Stills & Nash",
    uri=None,
    duration_ms=None,
    score=0.000012345678,
)


def test_csv_quotes_what_it_must_and_nothing_else() -> None:
    assert export_playlist([PLAIN, AWKWARD], "csv", "mine") == (
        "rank,artist,title,uri,score\n"
        "1,Somebody,One,spotify:track:1,12.3457\n"
        '2,"Crosby, Stills & Nash","He said ""no"", twice\nor so (Live; 2/3)",,1.23457e-05\n'
    )


def test_csv_is_read_back_as_it_was_written() -> None:
    rows = list(csv.DictReader(io.StringIO(export_playlist([PLAIN, AWKWARD], "csv", "mine"), newline="")))
    assert [row["title"] for row in rows] == [PLAIN.full_title, AWKWARD.full_title]
    assert [row["artist"] for row in rows] == [PLAIN.artist, AWKWARD.artist]
    assert [row["uri"] for row in rows] == ["spotify:track:1", ""]


def test_uris_leave_out_tracks_that_have_none() -> None:
    third = replace(PLAIN, rank=3, uri="spotify:track:3")
    assert export_playlist([PLAIN, AWKWARD, third], "uris", "mine") == "spotify:track:1\nspotify:track:3\n"


def test_m3u8_names_the_list_and_gives_each_track_two_lines() -> None:
    assert export_playlist([PLAIN, AWKWARD], "m3u8", "late\nnight  drive").split("\n") == [
        "#EXTM3U",
        "#PLAYLIST:late night drive",
        "#EXTINF:183,Somebody - One",
        "spotify:track:1",
        '#EXTINF:-1,Crosby, Stills & Nash - He said "no", twice or so (Live; 2/3)',
        'Crosby, Stills & Nash - He said "no", twice or so (Live; 2_3)',
        "",
    ]


@pytest.mark.parametrize(
    ("artist", "expected"),
    [("#1 Dads", ["#EXTINF:183,#1 Dads - One", "./#1 Dads - One"]), ("", ["#EXTINF:183,One", "One"])],
)
def test_m3u8_never_takes_a_track_for_a_comment_or_for_nobodys(artist: str, expected: list[str]) -> None:
    track = replace(PLAIN, artist=artist, uri=None)
    assert export_playlist([track], "m3u8", "mine").splitlines()[2:] == expected


@pytest.mark.parametrize(
    ("format_name", "expected"),
    [("csv", "rank,artist,title,uri,score\n"), ("uris", ""), ("m3u8", "#EXTM3U\n#PLAYLIST:mine\n")],
)
def test_an_empty_list_is_an_empty_file_of_its_format(format_name: str, expected: str) -> None:
    assert set(EXPORT_FORMATS) == {"csv", "uris", "m3u8"}
    assert export_playlist([], format_name, "mine") == expected
