import json
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.sources import Entry, Playlist, Rejected
from recsys.sources.batches import Parsed
from recsys.sources.mpd import playlist_by_entries, playlists_of
from recsys.sources.records import MAX_TEXT


def track(number: int, **changes: Any) -> dict[str, Any]:
    written = {
        "pos": number,
        "track_uri": f"spotify:track:{number:022}",
        "track_name": f"Song {number}",
        "artist_name": f"Band {number}",
    }
    return written | changes


def playlist(pid: Any = 1, tracks: Any = 2, **changes: Any) -> dict[str, Any]:
    written = {"pid": pid, "name": f"list {pid}", "collaborative": "false", "num_followers": 3}
    songs = [track(number) for number in range(tracks)] if isinstance(tracks, int) else tracks
    return written | {"tracks": songs} | changes


def without(record: dict[str, Any], field: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != field}


def a_slice(*playlists: Any) -> bytes:
    return json.dumps({"info": {"version": "v1"}, "playlists": playlists}).encode()


def parsed(data: bytes, damage: str | None = None) -> tuple[list[Playlist], list[Rejected]]:
    return joined(list(playlists_of(data, "slice.json", damage)))


def joined(parts: list[Parsed]) -> tuple[list[Playlist], list[Rejected]]:
    lists = [record for records, _ in parts for record in records if isinstance(record, Playlist)]
    return lists, [rejected for _, more in parts for rejected in more]


def test_a_full_slice_gives_every_field_that_is_stored() -> None:
    song = track(0, album_name="Debut", album_uri="spotify:album:x", artist_uri="spotify:artist:x", duration_ms=201_000)
    written = playlist(7, description="Rock &amp; &#x27;Roll", modified_at=1_493_424_000, tracks=[song, track(1)])
    lists, rejected = parsed(a_slice(written))
    assert rejected == []
    assert lists == [
        Playlist(
            external_id="7",
            name="list 7",
            entries=[
                Entry("Song 0", "Band 0", f"spotify:track:{0:022}", "Debut", 201_000),
                Entry("Song 1", "Band 1", f"spotify:track:{1:022}"),
            ],
            file="slice.json",
            place="playlists[0]",
            description="Rock & 'Roll",
            followers=3,
            snapshot=date(2017, 4, 29),
        )
    ]


@pytest.mark.parametrize("name", ["", "   ", "\t"])
def test_a_playlist_without_a_title_or_without_tracks_is_no_error(name: str) -> None:
    lists, rejected = parsed(a_slice(playlist(name=name, tracks=[])))
    assert rejected == []
    assert (lists[0].name, lists[0].entries) == ("", [])


def test_a_pid_may_be_a_text() -> None:
    lists, rejected = parsed(a_slice(playlist("12"), playlist("spa-x")))
    assert rejected == []
    assert [item.external_id for item in lists] == ["12", "spa-x"]


def test_a_playlist_of_ten_thousand_tracks_is_read() -> None:
    lists, rejected = parsed(a_slice(playlist(tracks=10_000)))
    assert rejected == []
    assert len(lists[0].entries) == 10_000


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (without(playlist(), "pid"), "pid is missing"),
        (playlist(pid=None), "pid is missing"),
        (playlist(pid=1.5), "pid is neither a whole number nor a text"),
        (playlist(pid=" "), "pid is empty"),
        (without(playlist(), "name"), "name is missing"),
        (playlist(name=None), "name is missing"),
        (playlist(name=5), "name is not a text"),
        (playlist(name="a\x00b"), "name holds a NUL character"),
        (playlist(name="a\ud800b"), "name holds bytes that are not UTF-8, or half of a surrogate pair"),
        (playlist(name="x" * (MAX_TEXT + 1)), "name is longer than 600 characters"),
        (without(playlist(), "tracks"), "tracks is missing"),
        (playlist(tracks={}), "tracks is not a list"),
        ("a text", "the playlist is not an object"),
    ],
)
def test_a_playlist_whose_own_fields_are_bad_is_set_aside_alone(bad: Any, reason: str) -> None:
    lists, rejected = parsed(a_slice(playlist(1), bad, playlist(2)))
    assert [item.external_id for item in lists] == ["1", "2"]
    assert [(item.place, item.reason, item.of_entry) for item in rejected] == [("playlists[1]", reason, False)]
    assert rejected[0].record
    assert len(rejected[0].record) <= 200
    assert_storable(rejected)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (without(track(9), "track_uri"), "track_uri is missing"),
        (track(9, track_name=None), "track_name is missing"),
        (track(9, track_name=""), "track_name is empty"),
        (track(9, track_name="  "), "track_name is empty"),
        (track(9, artist_name=["Band"]), "artist_name is not a text"),
        (track(9, artist_name="a\x00"), "artist_name holds a NUL character"),
        (track(9, track_name="\udc00"), "track_name holds bytes that are not UTF-8, or half of a surrogate pair"),
        (track(9, track_uri="x" * (MAX_TEXT + 1)), "track_uri is longer than 600 characters"),
        (track(9, track_uri="u:9\nu:10"), "track_uri holds a space or a control character"),
        (track(9, track_uri="u: 9"), "track_uri holds a space or a control character"),
        (track(9, track_uri="u:\x1b9"), "track_uri holds a space or a control character"),
        (None, "the entry is not an object"),
    ],
)
def test_a_bad_entry_leaves_a_gap_at_its_position(bad: Any, reason: str) -> None:
    tracks = [track(0), bad, track(2)]
    lists, rejected = parsed(a_slice(playlist(1), playlist(2, tracks=tracks)))
    entries = lists[1].entries
    assert [entry and entry.title for entry in entries] == ["Song 0", None, "Song 2"]
    assert [(item.place, item.reason, item.of_entry) for item in rejected] == [("playlists[1].tracks[1]", reason, True)]
    assert_storable(rejected)


@pytest.mark.parametrize(
    "changes",
    [{"album_name": "x" * (MAX_TEXT + 1)}, {"album_name": "a\x00"}, {"duration_ms": -1}, {"duration_ms": "long"}],
)
def test_a_field_that_nobody_needs_does_not_cost_the_entry(changes: dict[str, Any]) -> None:
    lists, rejected = parsed(a_slice(playlist(tracks=[track(0, **changes)])))
    assert rejected == []
    assert lists[0].entries == [Entry("Song 0", "Band 0", f"spotify:track:{0:022}")]


def test_an_entry_that_is_nested_as_deep_as_can_be_read_is_set_aside() -> None:
    nested = b"[" * 900 + b"]" * 900
    lists, rejected = parsed(b'{"playlists": [{"pid": 1, "name": "x", "tracks": [' + nested + b"]}]}")
    assert len(rejected) == 1
    assert all(item.entries == [None] for item in lists)


def test_bytes_that_are_not_utf8_cost_the_entry_they_stand_in() -> None:
    data = a_slice(playlist(1), playlist(2)).replace(b"Song 1", b"Song \xff", 1)
    lists, rejected = parsed(data)
    assert [len(item.entries) for item in lists] == [2, 2]
    assert lists[0].entries[1] is None
    assert [item.place for item in rejected] == ["playlists[0].tracks[1]"]


TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)
FILLED = TEXT.filter(lambda text: bool(text.strip()))
URI = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=30)
TRACK = st.fixed_dictionaries(
    {"track_uri": URI, "track_name": FILLED, "artist_name": FILLED},
    optional={"album_name": TEXT, "duration_ms": st.integers(0, 2**31 - 1), "pos": st.integers()},
)
PLAYLIST = st.fixed_dictionaries(
    {"pid": st.integers(0, 10**6) | FILLED, "name": TEXT, "tracks": st.lists(TRACK, max_size=4)},
    optional={"description": TEXT, "num_followers": st.integers(0, 99), "modified_at": st.integers(0, 2**31 - 1)},
)


@settings(deadline=None)
@given(st.lists(PLAYLIST, max_size=4), st.booleans())
def test_what_is_written_is_read_back_by_the_fast_and_by_the_slow_path(
    written: list[dict[str, Any]], escaped: bool
) -> None:
    data = json.dumps({"playlists": written}, ensure_ascii=escaped).encode()
    lists, rejected = parsed(data)
    assert rejected == []
    assert [item.external_id for item in lists] == [str(item["pid"]).strip() for item in written]
    assert [item.name for item in lists] == [item["name"].strip() for item in written]
    assert [item.entries for item in lists] == [
        [
            Entry(
                song["track_name"],
                song["artist_name"],
                song["track_uri"],
                song.get("album_name"),
                song.get("duration_ms"),
            )
            for song in item["tracks"]
        ]
        for item in written
    ]
    slow = [
        playlist_by_entries(json.dumps(item).encode(), "slice.json", f"playlists[{number}]")
        for number, item in enumerate(written)
    ]
    assert joined(slow) == (lists, [])
    damaged = a_slice(*written)[:-1]
    assert parsed(damaged)[0] == lists


@settings(deadline=None)
@given(st.lists(PLAYLIST, min_size=1, max_size=4), st.data())
def test_a_truncated_slice_keeps_every_complete_playlist(written: list[dict[str, Any]], data: st.DataObject) -> None:
    pieces = [json.dumps(item).encode() for item in written]
    whole = b'{"info": {}, "playlists": [' + b", ".join(pieces) + b"]}"
    cut = data.draw(st.integers(1, len(whole) - 1))
    ends = []
    position = len(b'{"info": {}, "playlists": [')
    for piece in pieces:
        ends.append(position + len(piece))
        position = ends[-1] + 2
    lists, rejected = parsed(whole[:cut])
    complete = sum(end <= cut for end in ends)
    assert [item.external_id for item in lists] == [str(item["pid"]).strip() for item in written[:complete]]
    assert len(rejected) == 1


@settings(max_examples=300, deadline=None)
@given(st.lists(PLAYLIST, min_size=2, max_size=4), st.data())
def test_a_corrupted_slice_never_raises_and_keeps_what_stands_before(
    written: list[dict[str, Any]], data: st.DataObject
) -> None:
    pieces = [json.dumps(item).encode() for item in written]
    start = b'{"playlists": ['
    whole = bytearray(start + b", ".join(pieces) + b"]}")
    place = data.draw(st.integers(len(start) + len(pieces[0]) + 1, len(whole) - 1))
    whole[place : place + 1] = data.draw(st.binary(max_size=3))
    lists, rejected = parsed(bytes(whole))
    assert lists[0].external_id == str(written[0]["pid"]).strip()
    assert [entry and entry.title for entry in lists[0].entries] == [
        song["track_name"] for song in written[0]["tracks"]
    ]
    assert_storable(rejected)
    assert_storable(lists)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_slice_never_raise(data: bytes) -> None:
    lists, rejected = parsed(data)
    assert lists == []
    assert len(rejected) == 1
    assert_storable(rejected)


@pytest.mark.parametrize(
    ("data", "place", "reason"),
    [
        (b'{"playlists": [{"pid": 1', "playlists[0]", "the file ends in the middle of a playlist"),
        (b'{"playlists": [{"pid": tr', "playlists[0]", "the file ends in the middle of a playlist"),
        (b'{"playlists": [{"pid": "\\u00', "playlists[0]", "the file ends in the middle of a playlist"),
        (b'{"playlists": [{"pid": }]}', "byte 23", "not valid JSON: Expecting value"),
        (b'{"playlists": [', "byte 15", "the file's end is missing, behind its last whole playlist"),
        (b'{"playlists": []', "byte 16", "the file's end is missing, behind its last whole playlist"),
        (b'{"playlists": [], "info": {"a', "byte 27", "the file's end is missing, behind its last whole playlist"),
        (b"", "byte 0", "the file is empty"),
        (b" \n", "byte 0", "the file is empty"),
        (b'{"playlists": []} x', "byte 17", "not valid JSON: something follows its end"),
        (b'{"info": {}}', "byte 0", "not an MPD slice: it has no list named playlists"),
        (b'{"playlists": {}}', "byte 0", "not an MPD slice: it has no list named playlists"),
        (b"[1, 2]", "byte 0", "not an MPD slice: it has no list named playlists"),
        (b"[" * 100_000, "byte 0", "not valid JSON: it is nested too deeply"),
    ],
)
def test_the_place_and_the_kind_of_damage_are_told(data: bytes, place: str, reason: str) -> None:
    assert [(item.place, item.reason) for item in parsed(data)[1]] == [(place, reason)]


def assert_storable(records: Any) -> None:
    for text in texts_in(msgspec.to_builtins(records)):
        assert "\x00" not in text
        text.encode("utf-8")


def texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts_in(item)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in texts_in(item)]
    return []
