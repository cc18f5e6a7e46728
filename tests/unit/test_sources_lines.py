import gzip
import io
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import SourceError
from recsys.sources import FORMATS, Entry, Playlist, Tracklist, inputs, read_playlists, read_tracklists
from recsys.sources.playlist_lines import parse_playlist
from recsys.sources.playlist_lines import playlist_by_entries as playlist_slowly
from recsys.sources.records import MAX_TEXT
from recsys.sources.tracklist_lines import parse_tracklist
from recsys.sources.tracklist_lines import tracklist_by_entries as tracklist_slowly


def read_playlist(record: Any) -> Playlist:
    [playlist], rejected = parse_playlist(json.dumps(record).encode(), "file", "line 1")
    assert rejected == []
    assert isinstance(playlist, Playlist)
    return playlist


def read_tracklist(record: Any) -> Tracklist:
    [tracklist], rejected = parse_tracklist(json.dumps(record).encode(), "file", "line 1")
    assert rejected == []
    assert isinstance(tracklist, Tracklist)
    return tracklist


def test_a_playlist_line_may_use_either_name_of_a_field() -> None:
    one = {"title": "Song", "artist": "Band", "uri": "u:1", "album_name": "LP", "duration_ms": 1000}
    other = {"track_name": "Song", "artist_name": "Band", "track_uri": "u:1", "album": "LP", "duration_ms": 1000}
    entry = Entry("Song", "Band", "u:1", "LP", 1000)
    first = read_playlist({"id": 5, "name": " mix ", "followers": 9, "date": "2020-11-07", "tracks": [one]})
    second = read_playlist(
        {"pid": "5", "name": "mix", "num_followers": 9, "snapshot": 1_604_707_200, "tracks": [other]}
    )
    expected = Playlist("5", "mix", [entry], "file", "line 1", followers=9, snapshot=date(2020, 11, 7))
    assert first == expected
    assert second == expected


def test_artists_that_are_named_one_by_one_are_kept_apart_and_shown_together() -> None:
    playlist = read_playlist({"pid": 1, "name": "x", "tracks": [{"title": "Song", "artists": ["Ann", " Bob "]}]})
    assert playlist.entries == [Entry("Song", "Ann, Bob", artists=("Ann", "Bob"))]


@pytest.mark.parametrize(
    ("record", "external_id"),
    [
        ({"pid": "spa-1@2021-04-16", "snapshot": "2021-04-16"}, "spa-1"),
        ({"id": " spa-1@2021-04-16T10:00 ", "date": "2021-04-16T10:00"}, "spa-1"),
        ({"pid": "spa-1@1604707200", "modified_at": 1_604_707_200}, "spa-1"),
        ({"pid": "spa-1@2021-04-16", "snapshot": "2021-04-17"}, "spa-1@2021-04-16"),
        ({"pid": "spa-1@2021-04-16"}, "spa-1@2021-04-16"),
        ({"pid": "spa-1@v2", "snapshot": "v2"}, "spa-1@v2"),
        ({"pid": "spa-1@", "snapshot": ""}, "spa-1@"),
        ({"pid": "@2021-04-16", "snapshot": "2021-04-16"}, "@2021-04-16"),
    ],
)
def test_the_dated_states_of_a_list_share_its_id(record: dict[str, Any], external_id: str) -> None:
    line = json.dumps(record | {"name": "x", "tracks": []}).encode()
    for parse in (parse_playlist, playlist_slowly):
        [playlist], _ = parse(line, "file", "line 1")
        assert playlist.external_id == external_id


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2020-11-07T10:00:00Z", date(2020, 11, 7)),
        ("1604707200", date(2020, 11, 7)),
        ("2020-13-07", None),
        ("yesterday", None),
        (-5, None),
        (10**18, None),
        (None, None),
    ],
)
def test_a_snapshot_is_a_date_or_unix_seconds(value: object, day: date | None) -> None:
    assert read_playlist({"pid": 1, "name": "x", "snapshot": value, "tracks": []}).snapshot == day


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"title": "Song"}, "artist_name is empty"),
        ({"artist": "Band", "title": " "}, "track_name is empty"),
        ({"title": 5, "artist": "Band"}, "title is not a text"),
        ({"title": "Song", "artist": "x" * (MAX_TEXT + 1)}, "artist is longer than 600 characters"),
        ({"title": "Song\x00", "artist": "Band"}, "title holds a NUL character"),
        ("Song", "the entry is not an object"),
        ({"title": "Song", "artist": "Band", "uri": "u:1\nu:2"}, "track_uri holds a space or a control character"),
        ({"title": "Song", "artist": "Band", "track_uri": "u: 1"}, "track_uri holds a space or a control character"),
    ],
)
def test_a_bad_entry_of_a_playlist_leaves_a_gap(entry: object, reason: str) -> None:
    good = {"title": "Song", "artist": "Band"}
    line = json.dumps({"pid": 1, "name": "x", "tracks": [good, entry, good]}).encode()
    [playlist], rejected = parse_playlist(line, "file", "line 12")
    assert playlist.entries == [Entry("Song", "Band"), None, Entry("Song", "Band")]
    assert [(item.place, item.reason, item.of_entry) for item in rejected] == [("line 12.tracks[1]", reason, True)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"name": "x", "tracks": []}', "pid is missing"),
        (b'{"pid": 1, "name": null, "tracks": []}', "name is missing"),
        (b'{"pid": 1, "name": "x", "tracks": 3}', "tracks is not a list"),
        (b'{"pid": 1, "name": "x", "trac', "not valid JSON: Unterminated string starting at"),
        (
            b'{"pid": 1, "name": "\\ud800", "tracks": []}',
            "name holds bytes that are not UTF-8, or half of a surrogate pair",
        ),
        (b"7", "the line is not an object"),
    ],
)
def test_a_bad_line_is_set_aside_alone(tmp_path: Path, line: bytes, reason: str) -> None:
    good = b'{"pid": 1, "name": "good", "tracks": []}'
    file = tmp_path / "lists.jsonl"
    file.write_bytes(good + b"\r\n\n" + line + b"\n" + good)
    [batch] = read_playlists(file)
    assert len(batch.records) == 2
    assert [(item.place, item.reason) for item in batch.rejected] == [("line 3", reason)]


def test_a_folder_of_lines_is_read_by_name_and_cut_into_batches(tmp_path: Path) -> None:
    lines = b"".join(b'{"pid": %d, "name": "x", "tracks": []}\n' % number for number in range(1_500))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "a.jsonl").write_bytes(lines[:-1])
    batches = list(read_playlists(tmp_path))
    assert [len(batch.records) for batch in batches] == [1_000, 500, 1_000, 500]
    assert [batch.is_last_of_file for batch in batches] == [False, True, False, True]
    assert sum(batch.bytes_read for batch in batches) == FORMATS["playlists"].total_bytes(tmp_path)
    assert list(read_playlists(tmp_path)) == batches


def test_many_entries_fill_a_batch_too(tmp_path: Path) -> None:
    tracks = [{"title": "Song", "artist": "Band"}] * 30_000
    line = json.dumps({"pid": 1, "name": "x", "tracks": tracks}).encode() + b"\n"
    file = tmp_path / "lists.jsonl"
    file.write_bytes(line * 6)
    assert [len(batch.records) for batch in read_playlists(file)] == [4, 2]


def test_lines_are_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b'{"pid": 1, "name": "x", "tracks": []}\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    [batch] = read_playlists(Path("-"))
    assert [record.place for record in batch.records] == ["line 1"]
    assert batch.file == "stdin"
    assert FORMATS["playlists"].total_bytes(Path("-")) == 0


def test_a_truncated_gzip_of_lines_gives_the_lines_that_are_complete(tmp_path: Path) -> None:
    lines = [json.dumps({"pid": number, "name": f"list {number * 7919}", "tracks": []}) for number in range(5_000)]
    packed = gzip.compress("\n".join(lines).encode())
    file = tmp_path / "lists.jsonl.gz"
    file.write_bytes(packed[: len(packed) // 2])
    batches = list(read_playlists(file))
    records = [record for batch in batches for record in batch.records]
    assert len(records) > 1_000
    assert [record.external_id for record in records] == [str(number) for number in range(len(records))]
    assert [item.reason for batch in batches for item in batch.rejected] == ["the gzip data ends too early"]
    assert sum(batch.bytes_read for batch in batches) == file.stat().st_size


def test_a_line_without_end_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "LONGEST_LINE", 100_000)
    monkeypatch.setattr("recsys.sources.batches.LONGEST_LINE", 100_000)
    file = tmp_path / "lists.jsonl"
    file.write_bytes(b"x" * 1_000_000 + b"\n" + b'{"pid": 1, "name": "x", "tracks": []}\n')
    [batch] = read_playlists(file)
    assert len(batch.records) == 1
    assert [item.place for item in batch.rejected] == ["line 1"]
    assert "longer than" in batch.rejected[0].reason


def test_a_folder_without_lines_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no \.jsonl"):
        list(read_tracklists(tmp_path))
    with pytest.raises(SourceError, match="does not exist"):
        list(read_playlists(tmp_path / "nowhere"))


def test_a_tracklist_line_gives_its_show_its_djs_and_its_cues() -> None:
    tracklist = read_tracklist(
        {
            "id": "show-1",
            "dj": "Ann",
            "title": "Night Shift",
            "date": "2001-02-03",
            "tags": ["Techno", " "],
            "tracks": [
                {"title": "Song", "artists": ["Band"], "cue": "01:30", "label": "L"},
                {"title": "Other", "artist": "Duo", "time": 200.9},
                {"title": "Third", "artist": "Trio", "time": "1:00:01"},
            ],
        }
    )
    assert tracklist == Tracklist(
        "show-1",
        "Night Shift",
        ("Ann",),
        [
            Entry("Song", "Band", artists=("Band",), cue_seconds=90),
            Entry("Other", "Duo", cue_seconds=200),
            Entry("Third", "Trio", cue_seconds=3601),
        ],
        "file",
        "line 1",
        date(2001, 2, 3),
        ("Techno",),
    )


def test_several_djs_go_before_the_one_credit() -> None:
    assert read_tracklist({"id": 1, "dj": "Ann & Bob", "djs": ["Ann", "Bob"], "tracks": []}).djs == ("Ann", "Bob")


def test_a_tracklist_of_more_djs_than_anyone_can_name_is_rejected() -> None:
    for count, is_read in ((1_000, True), (1_001, False), (70_000, False)):
        line = json.dumps({"id": 1, "djs": [f"DJ {number}" for number in range(count)], "tracks": []}).encode()
        for parse in (parse_tracklist, tracklist_slowly):
            records, rejected = parse(line, "f", "line 1")
            assert len(records) == is_read
            assert [item.reason for item in rejected] == ["djs holds more than 1000 names"] * (not is_read)


def test_a_uri_of_a_tracklist_that_is_more_than_one_word_is_left_out() -> None:
    tracks = [{"title": "A", "artist": "B", "uri": uri} for uri in (" u:1 ", "u: 1", "u:1\nu:2", "u:\x00")]
    for each, uri in zip(tracks, ("u:1", None, None, None), strict=True):
        assert read_tracklist({"id": 1, "tracks": [each]}).entries == [Entry("A", "B", uri)]


@pytest.mark.parametrize("changes", [{"dj": " "}, {"dj": None}, {"djs": []}, {"date": "2001-02-31"}, {"date": "1990s"}])
def test_what_people_forget_to_type_is_missing_and_not_an_error(changes: dict[str, Any]) -> None:
    tracklist = read_tracklist({"id": "show-1", "tracks": []} | changes)
    assert (tracklist.djs, tracklist.played_on, tracklist.title) == ((), None, "")


def test_an_unidentified_entry_keeps_its_position() -> None:
    tracks = [{"title": "A", "artists": ["B"]}, {"title": "", "artists": []}, {}, {"title": "No artist"}]
    assert read_tracklist({"id": 1, "tracks": tracks}).entries == [
        Entry("A", "B", artists=("B",)),
        Entry("", ""),
        Entry("", ""),
        Entry("No artist", ""),
    ]


def test_a_bad_entry_of_a_tracklist_leaves_a_gap() -> None:
    tracks = [{"title": "A"}, {"title": ["A"]}, {"title": "B", "artists": [7]}]
    [tracklist], rejected = parse_tracklist(
        json.dumps({"id": 1, "dj": "Ann", "tracks": tracks}).encode(), "f", "line 2"
    )
    assert tracklist.entries == [Entry("A", ""), None, None]
    assert isinstance(tracklist, Tracklist)
    assert tracklist.djs == ("Ann",)
    assert [(item.place, item.reason) for item in rejected] == [
        ("line 2.tracks[1]", "title is not a text"),
        ("line 2.tracks[2]", "artists is not a text"),
    ]


TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
FILLED = TEXT.filter(lambda text: bool(text.strip()))
CUE = st.integers(0, 10_000) | st.floats(0, 1e4) | TEXT | st.sampled_from(["1:02", "00:61:00", "1:2:3:4", "12"])
SONG = st.fixed_dictionaries(
    {"title": FILLED, "artist_name": FILLED},
    optional={
        "artists": st.lists(TEXT, max_size=3),
        "uri": st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), max_size=20),
        "album": TEXT,
        "duration_ms": st.integers(0, 2**31 - 1),
    },
)
PLAY = st.fixed_dictionaries(
    {}, optional={"title": TEXT, "artists": st.lists(TEXT, max_size=3), "artist": TEXT, "cue": CUE, "time": CUE}
)
PLAYLIST = st.fixed_dictionaries(
    {"id": FILLED | st.integers(-(2**63), 2**63 - 1), "name": TEXT, "tracks": st.lists(SONG, max_size=3)},
    optional={"description": TEXT, "followers": st.integers(), "snapshot": TEXT | st.integers() | st.dates().map(str)},
)
TRACKLIST = st.fixed_dictionaries(
    {"id": FILLED, "tracks": st.lists(PLAY, max_size=3)},
    optional={
        "dj": TEXT,
        "djs": st.lists(TEXT),
        "title": TEXT,
        "tags": st.lists(TEXT),
        "date": TEXT | st.dates().map(str),
    },
)


@settings(deadline=None)
@given(PLAYLIST)
def test_both_paths_read_the_same_playlist(record: dict[str, Any]) -> None:
    line = json.dumps(record).encode()
    fast = parse_playlist(line, "f", "line 1")
    assert fast == playlist_slowly(line, "f", "line 1")
    assert fast[1] == []


@settings(deadline=None)
@given(TRACKLIST)
def test_both_paths_read_the_same_tracklist(record: dict[str, Any]) -> None:
    line = json.dumps(record).encode()
    fast = parse_tracklist(line, "f", "line 1")
    assert fast == tracklist_slowly(line, "f", "line 1")
    assert fast[1] == []


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | TEXT, lambda x: st.lists(x)), st.data())
def test_a_field_of_any_type_never_raises(value: object, data: st.DataObject) -> None:
    playlist = {"pid": 1, "name": "x", "tracks": [{"title": "A", "artist": "B"}], "snapshot": 1}
    tracklist = {"id": 1, "dj": "x", "date": "2001-01-01", "tracks": [{"title": "A", "artists": ["B"], "cue": 5}]}
    for record, parse in ((playlist, parse_playlist), (tracklist, parse_tracklist)):
        inside = data.draw(st.booleans())
        holder: Any = record["tracks"][0] if inside else record  # type: ignore[index]
        holder[data.draw(st.sampled_from(sorted(holder)))] = value
        records, rejected = parse(json.dumps(record).encode(), "f", "line 1")
        assert records or rejected
