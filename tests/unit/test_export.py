"""Lists of tracks as files, to the letter."""

import csv
import io
import json
import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest

from recsys.catalog import ListedTrack
from recsys.export import EXPORT_FORMATS, export_playlist, rekordbox_library
from recsys.titles import Recommendation, Voter

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
    [("csv", "rank,artist,title,uri,score\n"), ("uris", ""), ("links", ""), ("m3u8", "#EXTM3U\n#PLAYLIST:mine\n")],
)
def test_an_empty_list_is_an_empty_file_of_its_format(format_name: str, expected: str) -> None:
    assert set(EXPORT_FORMATS) == {"csv", "uris", "links", "m3u8", "jspf", "xspf", "rekordbox"}
    assert export_playlist([], format_name, "mine") == expected


def test_links_are_pages_of_tracks_that_are_on_spotify() -> None:
    other = replace(PLAIN, rank=3, uri="file:///a.mp3")
    assert export_playlist([PLAIN, AWKWARD, other], "links", "mine") == "https://open.spotify.com/track/1\n"


def test_jspf_has_the_shape_of_musicbrainz_with_scores_and_reasons() -> None:
    voter = Voter("gym", 0.5, 1.0, "title")
    first = Recommendation(**asdict(PLAIN), voters=1, voted_by=[voter])
    assert json.loads(export_playlist([first, AWKWARD], "jspf", "mine")) == {
        "playlist": {
            "title": "mine",
            "creator": "recsys",
            "extension": {
                "https://musicbrainz.org/doc/jspf#playlist": {"public": False, "additional_metadata": {"tracks": 2}}
            },
            "track": [
                {
                    "title": "One",
                    "creator": "Somebody",
                    "duration": 183_499,
                    "identifier": ["spotify:track:1"],
                    "location": ["https://open.spotify.com/track/1"],
                    "extension": {
                        "https://musicbrainz.org/doc/jspf#track": {
                            "additional_metadata": {
                                "rank": 1,
                                "score": 12.3456789,
                                "voters": 1,
                                "voted_by": [asdict(voter)],
                            }
                        }
                    },
                },
                {
                    "title": AWKWARD.full_title,
                    "creator": "Crosby, Stills & Nash",
                    "extension": {
                        "https://musicbrainz.org/doc/jspf#track": {
                            "additional_metadata": {"rank": 2, "score": 0.000012345678}
                        }
                    },
                },
            ],
        }
    }


XSPF = "{http://xspf.org/ns/0/}"


def require_xspf(text: str) -> Element:
    """The rules of xspf-1_0's schema for the elements that are written: which, where, how often, of which type."""
    root = fromstring(text)
    assert (root.tag, root.attrib) == (f"{XSPF}playlist", {"version": "1"})
    names = [child.tag.removeprefix(XSPF) for child in root]
    assert set(names) <= {"title", "creator", "trackList"}
    assert len(names) == len(set(names))
    tracks = root.find(f"{XSPF}trackList")
    assert tracks is not None
    for track in tracks:
        assert track.tag == f"{XSPF}track"
        inside = [child.tag.removeprefix(XSPF) for child in track]
        assert set(inside) <= {"location", "identifier", "title", "creator", "duration"}
        assert len(inside) == len(set(inside))
        for child in track:
            assert (len(child), child.attrib) == (0, {})
            text = child.text or ""
            if child.tag == f"{XSPF}duration":
                assert text.isdecimal()
            if child.tag in (f"{XSPF}location", f"{XSPF}identifier"):
                assert re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+", text)
                assert not re.search(r'[<>"{}|\\^`]|%(?![0-9A-Fa-f]{2})', text)
    return root


def test_xspf_follows_its_schema_and_keeps_every_text() -> None:
    odd = replace(PLAIN, rank=3, uri="file:///tmp/a b<ü>.mp3", title="A\x00B & <C>", artist="")
    root = require_xspf(export_playlist([PLAIN, AWKWARD, odd], "xspf", "R&B <3"))
    assert root.findtext(f"{XSPF}title") == "R&B <3"
    told = [{child.tag.removeprefix(XSPF): child.text for child in track} for track in root.iter(f"{XSPF}track")]
    assert told == [
        {
            "location": "https://open.spotify.com/track/1",
            "identifier": "spotify:track:1",
            "title": "One",
            "creator": "Somebody",
            "duration": "183499",
        },
        {"title": AWKWARD.full_title, "creator": "Crosby, Stills & Nash"},
        {"identifier": "file:///tmp/a%20b%3C%C3%BC%3E.mp3", "title": "A\ufffdB & <C>", "duration": "183499"},
    ]


def test_a_library_has_each_song_once_and_a_playlist_for_each_list() -> None:
    root = fromstring("".join(rekordbox_library([("a", [PLAIN, AWKWARD]), ('b "2"', [replace(PLAIN, rank=9)])])))
    assert (root.tag, root.attrib) == ("DJ_PLAYLISTS", {"Version": "1.0.0"})
    assert [(child.tag) for child in root] == ["PRODUCT", "COLLECTION", "PLAYLISTS"]
    collection, playlists = root[1], root[2]
    assert collection.attrib == {"Entries": "2"}
    assert [track.attrib for track in collection] == [
        {"TrackID": "1", "Name": "One", "Artist": "Somebody", "TotalTime": "183", "Location": "spotify:track:1"},
        {"TrackID": "2", "Name": AWKWARD.full_title, "Artist": "Crosby, Stills & Nash", "Location": ""},
    ]
    [top] = playlists
    assert top.attrib == {"Type": "0", "Name": "ROOT", "Count": "2"}
    assert [node.attrib for node in top] == [
        {"Name": "a", "Type": "1", "KeyType": "0", "Entries": "2"},
        {"Name": 'b "2"', "Type": "1", "KeyType": "0", "Entries": "1"},
    ]
    assert [[track.attrib["Key"] for track in node] for node in top] == [["1", "2"], ["1"]]


def test_a_library_of_ten_thousand_lists_is_written_in_little_memory(tmp_path: Path) -> None:
    def lists(count: int) -> Iterator[tuple[str, list[ListedTrack]]]:
        for number in range(count):
            yield f"list {number}", [replace(PLAIN, rank=rank, title=f"Song {rank}") for rank in range(1, 7)]

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            with (tmp_path / "library.xml").open("w", encoding="utf-8") as file:
                file.writelines(rekordbox_library(lists(count)))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few = peak(1_000)
    assert peak(10_000) < few + 2**20
    assert (tmp_path / "library.xml").read_text().count("<NODE") == 10_001
