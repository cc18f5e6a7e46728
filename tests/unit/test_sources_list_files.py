"""One list a file: M3U, XSPF, JSPF, cue sheets, typed tracklists; Spotify's export and tables with named columns."""

import gzip
import io
import json
import sys
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from recsys.catalog import ListedTrack
from recsys.catalog.ingestion import openable
from recsys.errors import SourceError
from recsys.export import export_playlist
from recsys.sources import FORMATS, Entry, Format, Playlist, Tracklist, csv_with_columns
from recsys.sources.plain_tracklists import parse_line

ENERGY = Entry("Energy Flash", "Joey Beltram")
URI = "spotify:track:22"


def read(format_: Format | str, path: Path) -> tuple[list[Any], list[tuple[str, str]]]:
    """The lists of a path, and the places and reasons of what was set aside."""
    format_ = FORMATS[format_] if isinstance(format_, str) else format_
    batches = list(format_.read(path))
    assert str(path) == "-" or sum(batch.bytes_read for batch in batches) == format_.total_bytes(path)
    records = [record for batch in batches for record in batch.records]
    return records, [(one.place, one.reason) for batch in batches for one in batch.rejected]


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


M3U = """#EXTM3U
#PLAYLIST:Peak Time
#EXTINF:345,Joey Beltram - Energy Flash
#EXTALB:Volume I
C:\\Music\\02 - whatever.mp3

#EXTINF:-1 tvg-name="a, b",Ünder - Böse
spotify:track:22
/music/03 Digital - Deadline.flac
file:///music/Goldie%20-%20Timeless.mp3
D:\\x\\Ann_-_Bob.mp3
../noise.wav
https://a.example/stream
#EXTINF:1,ID - ID
a.mp3
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_m3u_is_read_in_any_encoding(tmp_path: Path, encoding: str, end: str) -> None:
    file = written(tmp_path / "gym.m3u", M3U.replace("\n", end).encode(encoding))
    [playlist], rejected = read("m3u", file)
    assert playlist == Playlist(
        "gym.m3u",
        "Peak Time",
        [
            Entry("Energy Flash", "Joey Beltram", album="Volume I", duration_ms=345_000),
            Entry("Böse", "Ünder", URI),
            Entry("Deadline", "Digital"),
            Entry("Timeless", "Goldie"),
            Entry("Bob", "Ann"),
            None,
            None,
            None,
        ],
        str(file),
        "line 1",
    )
    assert rejected == [
        ("line 12", "the artist is missing"),
        ("line 13", "the line has a URI and no name: an #EXTINF line before it is needed"),
    ]


def test_a_plain_m3u_is_named_by_its_file_and_read_from_standard_input_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = b"Joey Beltram - Energy Flash.mp3\n"
    [playlist], _ = read("m3u", written(tmp_path / "my list.m3u8.gz", gzip.compress(lines)))
    assert (playlist.external_id, playlist.name, playlist.entries) == ("my list.m3u8", "my list", [ENERGY])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    [playlist], _ = read("m3u", Path("-"))
    assert (playlist.external_id, playlist.name, playlist.entries) == ("stdin", "", [ENERGY])


def test_what_is_no_text_is_no_m3u(tmp_path: Path) -> None:
    assert read("m3u", written(tmp_path / "a.m3u", b"MP3 \x01\x00\x07\x09 Ann - Song")) == (
        [],
        [("line 1", "not a playlist: it holds NUL characters")],
    )


XSPF = """<?xml version="1.0" encoding="UTF-8"?>
<playlist version="1" xmlns="http://xspf.org/ns/0/"><title>Peak</title><annotation>Loud &amp; late</annotation>
<trackList>
<track><location>https://open.spotify.com/track/22</location><title>Energy Flash</title><creator>Joey Beltram</creator>
  <album>Volume I</album><duration>345000</duration></track>
<track><location>file:///m/Digital%20-%20Deadline.mp3</location></track>
<track><title>Nothing</title></track>
<track><identifier>https://musicbrainz.org/recording/1</identifier><title>A</title><creator>B</creator></track>
</trackList></playlist>
"""


def test_an_xspf_gives_one_playlist(tmp_path: Path) -> None:
    [playlist], rejected = read("xspf", written(tmp_path / "a.xspf", XSPF))
    assert (playlist.external_id, playlist.name, playlist.description) == ("a.xspf", "Peak", "Loud & late")
    assert playlist.entries == [
        Entry("Energy Flash", "Joey Beltram", URI, "Volume I", 345_000),
        Entry("Deadline", "Digital"),
        None,
        Entry("A", "B", "https://musicbrainz.org/recording/1"),
    ]
    assert rejected == [("track[2]", "the artist is missing")]


def test_of_a_truncated_xspf_the_whole_tracks_are_kept(tmp_path: Path) -> None:
    [playlist], rejected = read("xspf", written(tmp_path / "a.xspf", XSPF[: XSPF.index("<title>Nothing") + 9]))
    assert playlist.entries[1:] == [Entry("Deadline", "Digital")]
    assert [reason for _, reason in rejected] == ["the file ends too early"]


JSPF = {
    "playlist": {
        "title": "Peak",
        "annotation": "late",
        "track": [
            {"title": "Energy Flash", "creator": "Joey Beltram", "identifier": ["https://open.spotify.com/track/22"]},
            {"title": "A", "creator": "B", "identifier": "https://musicbrainz.org/recording/1", "duration": 1000},
            {"title": "Nothing"},
            {"title": "C", "creator": "D", "extension": {"x": {"additional_metadata": {"spotify_id": URI}}}},
        ],
    }
}
JSPF_ENTRIES = [
    Entry("Energy Flash", "Joey Beltram", URI),
    Entry("A", "B", "https://musicbrainz.org/recording/1", duration_ms=1000),
    None,
    Entry("C", "D", URI),
]


def test_a_jspf_gives_one_playlist(tmp_path: Path) -> None:
    [playlist], rejected = read("jspf", written(tmp_path / "a.jspf", json.dumps(JSPF)))
    assert (playlist.external_id, playlist.name, playlist.description) == ("a.jspf", "Peak", "late")
    assert playlist.entries == JSPF_ENTRIES
    assert rejected == [("track[2]", "the artist is missing")]


def test_of_a_truncated_jspf_the_whole_tracks_are_kept(tmp_path: Path) -> None:
    text = json.dumps(JSPF)
    [playlist], rejected = read("jspf", written(tmp_path / "a.jspf", text[: text.index('"Nothing"')]))
    assert (playlist.name, playlist.entries) == ("Peak", JSPF_ENTRIES[:2])
    assert rejected == [("track[2]", "the file ends in the middle of a track")]
    packed = gzip.compress(text.encode())
    playlists, rejected = read("jspf", written(tmp_path / "b.jspf", packed[:-12]))
    assert rejected
    assert all(one.entries for one in playlists)


@pytest.mark.parametrize("text", ["[]", "{}", '{"playlist": 3}', '{"playlist": {"track": 3}}'])
def test_other_json_is_no_jspf(tmp_path: Path, text: str) -> None:
    reason = "not a JSPF playlist: it has no playlist with a list called track"
    assert read("jspf", written(tmp_path / "a.jspf", text)) == ([], [("byte 0", reason)])


AWKWARD = [
    ListedTrack(1, None, 1, 'He said "no"', "Live; 2/3", "Crosby, Stills & Nash", "spotify:track:1", 183_000, 0.25),
    ListedTrack(2, None, 2, "<Ünder>", None, "R&B - \u2028 Band", None, 1_000, 0.125),
]


@pytest.mark.parametrize(("name", "ending"), [("m3u", "m3u8"), ("xspf", "xspf"), ("jspf", "jspf")])
def test_what_is_exported_is_read_back(tmp_path: Path, name: str, ending: str) -> None:
    file = written(tmp_path / f"a.{ending}", export_playlist(AWKWARD, ending, "late & <loud>"))
    [playlist], rejected = read(name, file)
    assert playlist.name == "late & <loud>"
    one, two = playlist.entries
    assert one == Entry('He said "no" (Live; 2/3)', "Crosby, Stills & Nash", "spotify:track:1", duration_ms=183_000)
    label = ("Band - <Ünder>", "R&B") if name == "m3u" else ("<Ünder>", "R&B - \u2028 Band")
    assert two == Entry(*label, duration_ms=1_000)
    assert rejected == []


def test_what_is_exported_as_csv_is_read_back(tmp_path: Path) -> None:
    file = written(tmp_path / "late.csv", export_playlist(AWKWARD, "csv", "late"))
    columns = {"title": "Title", "artist": "artist", "uri": "uri"}
    [playlist], rejected = read(csv_with_columns(columns), file)
    assert (playlist.external_id, playlist.name) == ("late.csv", "late")
    assert playlist.entries == [
        Entry('He said "no" (Live; 2/3)', "Crosby, Stills & Nash", "spotify:track:1"),
        Entry("<Ünder>", "R&B - \u2028 Band"),
    ]
    assert rejected == []


CUE = """REM GENRE Techno
REM DATE 2019-03-01
PERFORMER "Ann Ray"
TITLE "Night "Shift" 12"
FILE "mix.mp3" MP3
  TRACK 01 AUDIO
    TITLE "Energy Flash"
    PERFORMER "Joey Beltram"
    INDEX 00 00:00:00
    INDEX 01 00:02:00
  TRACK 02 AUDIO
    TITLE "Digital - Deadline (VIP)"
    INDEX 01 75:30:37
  TRACK 03 AUDIO
    INDEX 01 80:00:00
FILE "mix2.mp3" MP3
  TRACK 04 AUDIO
    TITLE "ID"
    PERFORMER ID
    INDEX 01 00:00:00
"""


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_a_cue_sheet_gives_a_tracklist_with_times(tmp_path: Path, encoding: str) -> None:
    file = written(tmp_path / "mix.cue", CUE.replace("Ann", "Änn").encode(encoding))
    [tracklist], rejected = read("cue", file)
    assert tracklist == Tracklist(
        "mix.cue",
        'Night "Shift" 12',
        ("Änn Ray",),
        [
            Entry("Energy Flash", "Joey Beltram", cue_seconds=2),
            Entry("Deadline (VIP)", "Digital", cue_seconds=75 * 60 + 30),
            Entry("", "", cue_seconds=80 * 60),
            Entry("ID", "ID"),
        ],
        str(file),
        "line 1",
        date(2019, 3, 1),
        ("Techno",),
    )
    assert rejected == []


def test_a_text_without_tracks_is_no_cue_sheet(tmp_path: Path) -> None:
    assert read("cue", written(tmp_path / "a.cue", "hello\n")) == (
        [],
        [("line 1", "not a cue sheet: no line begins with TRACK")],
    )


TEXT = """2010-01-02 - Ann Ray @ Club, Town

01. [00:00] Joey Beltram - Energy Flash (Remix) [R&S]
w/ Digital - Deadline
2) 1:02:03 ID - ID
[07] Ann Ray - Song
12:30 - Goldie – Timeless [Metalheadz - METH 1]
Intro
"""


def test_a_typed_tracklist_keeps_its_order_and_its_times(tmp_path: Path) -> None:
    file = written(tmp_path / "mix.txt", TEXT.encode("cp1252"))
    [tracklist], rejected = read("text", file)
    assert (tracklist.external_id, tracklist.title) == ("mix.txt", "2010-01-02 - Ann Ray @ Club, Town")
    assert (tracklist.djs, tracklist.played_on) == (("Ann Ray",), date(2010, 1, 2))
    assert [(each.artist, each.title, each.cue_seconds) for each in tracklist.entries] == [
        ("Joey Beltram", "Energy Flash (Remix)", 0),
        ("Digital", "Deadline", None),
        ("ID", "ID", 3723),
        ("Ann Ray", "Song", 420),
        ("Goldie", "Timeless", 750),
        ("", "Intro", None),
    ]
    assert rejected == []


@pytest.mark.parametrize(
    ("line", "artist", "title"),
    [
        ("50 Cent - In Da Club", "50 Cent", "In Da Club"),
        ("10. 2 Unlimited - No Limit", "2 Unlimited", "No Limit"),
        ("808 State - Pacific", "808 State", "Pacific"),
        ("#3. Ann - Song", "Ann", "Song"),
        ("7", "", "7"),
    ],
)
def test_numbers_of_names_are_not_those_of_lines(line: str, artist: str, title: str) -> None:
    entry = parse_line(line)
    assert (entry.artist, entry.title) == (artist, title)


def test_a_typed_tracklist_without_a_heading_is_named_by_its_file(tmp_path: Path) -> None:
    [tracklist], _ = read("text", written(tmp_path / "2010-01-02 - Ann Ray - Shift.txt", "Joey Beltram - Energy Flash"))
    assert (tracklist.title, tracklist.djs) == ("2010-01-02 - Ann Ray - Shift", ("Ann Ray",))
    assert [(each.artist, each.title) for each in tracklist.entries] == [("Joey Beltram", "Energy Flash")]


def spotify(*names: str) -> dict[str, Any]:
    track = {"trackName": "Energy Flash", "artistName": "Joey Beltram", "albumName": "Volume I", "trackUri": URI}
    items = [
        {"track": track, "episode": None, "localTrack": None, "addedDate": "2020-01-01"},
        {"track": None, "episode": {"episodeName": "Talk"}, "localTrack": None},
        {"track": None, "episode": None, "localTrack": {"uri": "spotify:local:a"}},
    ]
    return {
        "playlists": [
            {
                "name": name,
                "lastModifiedDate": "2021-05-05",
                "items": items,
                "description": None,
                "numberOfFollowers": 2,
            }
            for name in names
        ]
    }


SPOTIFY_ENTRIES = [Entry("Energy Flash", "Joey Beltram", URI, "Volume I"), None, None]


def test_a_spotify_export_is_read_as_its_zip_its_folder_and_its_file(tmp_path: Path) -> None:
    parts = {f"Playlist{number}.json": json.dumps(spotify("Gym", f"List {number}")) for number in (1, 2, 10)}
    archive = tmp_path / "my_spotify_data.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("Spotify Account Data/Read_Me_First.pdf", "x")
        for name, text in reversed(parts.items()):
            made.writestr(f"Spotify Account Data/{name}", text)
    for name, text in parts.items():
        written(tmp_path / name, text)
    written(tmp_path / "YourLibrary.json", "{}")
    for path in (archive, tmp_path):
        playlists, rejected = read("spotify", path)
        ids = [one.external_id for one in playlists]
        assert ids == ["Gym", "List 1", "Gym/#2", "List 2", "Gym/#3", "List 10"]
        assert all(one.entries == SPOTIFY_ENTRIES and one.snapshot == date(2021, 5, 5) for one in playlists)
        assert rejected[:2] == [
            ("playlists[0].items[1]", "an episode of a podcast or an audiobook, no song"),
            ("playlists[0].items[2]", "a file of the listener's own disk, which the export does not name"),
        ]
    playlists, _ = read("spotify", tmp_path / "Playlist2.json")
    assert [one.external_id for one in playlists] == ["Gym", "List 2"]


def test_the_library_of_a_spotify_export_is_a_list_of_what_its_owner_liked(tmp_path: Path) -> None:
    liked = {"track": "Energy Flash", "artist": "Joey Beltram", "album": "Volume I", "uri": URI}
    library = {"tracks": [liked, {"track": "Nameless"}, 7], "albums": [], "bannedTracks": [liked]}
    file = written(tmp_path / "YourLibrary.json", json.dumps(library))
    [playlist], rejected = read("spotify", file)
    assert (playlist.external_id, playlist.name) == ("Liked Songs", "Liked Songs")
    assert playlist.entries == SPOTIFY_ENTRIES
    assert rejected == [("tracks[1]", "the artist is missing"), ("tracks[2]", "the item is not an object")]


def test_a_truncated_spotify_export_keeps_its_whole_playlists(tmp_path: Path) -> None:
    text = json.dumps(spotify("One", "Two", "Three"))
    playlists, rejected = read("spotify", written(tmp_path / "Playlist1.json", text[: text.index("Three") + 50]))
    assert [one.name for one in playlists] == ["One", "Two"]
    assert rejected[-1] == ("playlists[2]", "the file ends in the middle of a playlist")
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("Playlist1.json", text)
    written(archive, archive.read_bytes()[:-30])
    with pytest.raises(SourceError, match="not a readable zip archive"):
        read("spotify", archive)


def test_an_archive_of_something_else_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("a.txt", "x")
    with pytest.raises(SourceError, match=r"holds no Playlist1\.json"):
        read("spotify", tmp_path / "a.zip")


TABLE = """Playlist Name;Track Name;Artist Name(s);Track URI;Duration (ms)
Gym;Energy Flash;Joey Beltram;spotify:track:22;345000
Gym;"Dead
line";"Digital; Spirit";;
Run;;Nobody;;
Gym;Late;Ann;;
"""
COLUMNS = {
    "playlist": "playlist name",
    "title": "Track Name",
    "artist": "Artist Name(s)",
    "uri": "Track URI",
    "duration_ms": "Duration (ms)",
}


def test_a_table_is_read_by_the_headers_that_are_named(tmp_path: Path) -> None:
    [gym, run], rejected = read(csv_with_columns(COLUMNS), written(tmp_path / "a.csv", TABLE))
    assert (gym.external_id, gym.name, run.external_id) == ("Gym", "Gym", "Run")
    assert gym.entries == [
        Entry("Energy Flash", "Joey Beltram", URI, duration_ms=345_000),
        Entry("Dead\nline", "Digital; Spirit"),
    ]
    assert run.entries == [None]
    assert rejected == [
        ("line 5", "the title is empty"),
        ("line 6", "other playlists stand between this row and those of its playlist"),
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-8-sig"])
def test_a_table_is_read_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    file = written(tmp_path / "a.csv", "Títle,x\nÄnn - Söng,1\n".encode(encoding))
    [playlist], rejected = read(csv_with_columns({"title": "títle"}), file)
    assert (playlist.entries, rejected) == ([Entry("Söng", "Änn")], [])


def test_a_table_that_lacks_a_column_is_told(tmp_path: Path) -> None:
    playlists, [(place, reason)] = read(csv_with_columns({"title": "Song"}), written(tmp_path / "a.csv", "a,b\n1,2\n"))
    assert (playlists, place) == ([], "line 1")
    assert reason == "the table has no column Song; it has a, b"


@pytest.mark.parametrize("columns", [{}, {"artist": "a"}, {"title": "a", "colour": "b"}])
def test_columns_that_make_no_song_are_refused(tmp_path: Path, columns: dict[str, str]) -> None:
    with pytest.raises(SourceError, match="columns are named for title, artist"):
        read(csv_with_columns(columns), written(tmp_path / "a.csv", "a,b\n"))


@pytest.mark.parametrize("name", ["rekordbox", "traktor", "m3u", "xspf", "jspf", "cue", "text", "spotify"])
@pytest.mark.parametrize("content", [b"", b"\n \n", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_told_once(tmp_path: Path, name: str, content: bytes) -> None:
    records, rejected = read(name, written(tmp_path / "empty", content))
    assert records == []
    assert [reason for _, reason in rejected] == ["the file is empty"]


@pytest.mark.parametrize("name", ["rekordbox", "traktor", "m3u", "xspf", "jspf", "cue", "text", "spotify"])
def test_a_folder_without_such_files_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match=" holds no "):
        read(name, tmp_path)
    with pytest.raises(SourceError, match="does not exist"):
        read(name, tmp_path / "nowhere")


def test_artists_that_a_program_parted_by_bare_commas_are_several(tmp_path: Path) -> None:
    table = tmp_path / "liked.csv"
    rows = ['"Rihanna,Drake"', '"Tyler, The Creator"', '"10,000 Maniacs"']
    table.write_text("title,artists\n" + "".join(f"Work,{artists}\n" for artists in rows), encoding="utf-8")
    [found], _ = read(csv_with_columns({"title": "title", "artist": "artists"}), table)
    assert [entry.artist for entry in found.entries] == ["Rihanna, Drake", "Tyler, The Creator", "10,000 Maniacs"]


def test_a_typed_tracklist_with_a_heading_has_its_day_and_dj_of_the_files_name(tmp_path: Path) -> None:
    file = tmp_path / "2010-01-02 - Ann Ray @ Club.txt"
    file.write_text("Ann at her best\n\nBob - One\nBob - Two\n", encoding="utf-8")
    [found], _ = read("text", file)
    assert (found.title, found.djs, str(found.played_on)) == ("Ann at her best", ("Ann Ray",), "2010-01-02")


def test_a_file_that_cannot_be_opened_leaves_the_others_alone(tmp_path: Path) -> None:
    cut, whole, format_ = tmp_path / "cut.zip", tmp_path / "Playlist1.json", FORMATS["spotify"]
    cut.write_bytes(b"PK\x03\x04")
    whole.write_text('{"playlists": []}', encoding="utf-8")
    size, opened, [refused] = openable(format_, [cut, whole])
    assert (size, opened) == (whole.stat().st_size, [whole])
    assert [(told.file, told.place) for told in refused.rejected] == [(str(cut), "file")]
    with pytest.raises(SourceError):
        openable(format_, [cut])
    with pytest.raises(SourceError):
        openable(format_, [whole, tmp_path / "missing.zip"])
