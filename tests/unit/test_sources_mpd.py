import gzip
import io
import json
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import SourceError
from recsys.sources import FORMATS, Batch, Entry, Playlist, Rejected, read_mpd
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


def playlist(pid: Any = 1, tracks: int = 2, **changes: Any) -> dict[str, Any]:
    written = {"pid": pid, "name": f"list {pid}", "collaborative": "false", "num_followers": 3}
    return written | {"tracks": [track(number) for number in range(tracks)]} | changes


def without(record: dict[str, Any], field: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != field}


def a_slice(*playlists: Any) -> bytes:
    return json.dumps({"info": {"version": "v1"}, "playlists": playlists}).encode()


def parsed(data: bytes, damage: str | None = None) -> tuple[list[Playlist], list[Rejected]]:
    return joined(list(playlists_of(data, "slice.json", damage)))


def joined(parts: list[Parsed]) -> tuple[list[Playlist], list[Rejected]]:
    lists = [record for records, _ in parts for record in records if isinstance(record, Playlist)]
    return lists, [rejected for _, more in parts for rejected in more]


def names(batches: list[Batch]) -> list[str]:
    return [record.name for batch in batches for record in batch.records if isinstance(record, Playlist)]


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
        (playlist() | {"tracks": {}}, "tracks is not a list"),
        ("a text", "the playlist is not an object"),
    ],
)
def test_a_playlist_whose_own_fields_are_bad_is_set_aside_alone(bad: Any, reason: str) -> None:
    lists, rejected = parsed(a_slice(playlist(1), bad, playlist(2)))
    assert [item.external_id for item in lists] == ["1", "2"]
    assert [(item.place, item.reason) for item in rejected] == [("playlists[1]", reason)]
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
        (None, "the entry is not an object"),
    ],
)
def test_a_bad_entry_leaves_a_gap_at_its_position(bad: Any, reason: str) -> None:
    tracks = [track(0), bad, track(2)]
    lists, rejected = parsed(a_slice(playlist(1), playlist(2, tracks=tracks)))
    entries = lists[1].entries
    assert [entry and entry.title for entry in entries] == ["Song 0", None, "Song 2"]
    assert [(item.place, item.reason) for item in rejected] == [("playlists[1].tracks[1]", reason)]
    assert_storable(rejected)


@pytest.mark.parametrize(
    "changes",
    [{"album_name": "x" * (MAX_TEXT + 1)}, {"album_name": "a\x00"}, {"duration_ms": -1}, {"duration_ms": "long"}],
)
def test_a_field_that_nobody_needs_does_not_cost_the_entry(changes: dict[str, Any]) -> None:
    lists, rejected = parsed(a_slice(playlist(tracks=[track(0, **changes)])))
    assert rejected == []
    assert lists[0].entries == [Entry("Song 0", "Band 0", f"spotify:track:{0:022}")]


def test_bytes_that_are_not_utf8_cost_the_entry_they_stand_in() -> None:
    data = a_slice(playlist(1), playlist(2)).replace(b"Song 1", b"Song \xff", 1)
    lists, rejected = parsed(data)
    assert [len(item.entries) for item in lists] == [2, 2]
    assert lists[0].entries[1] is None
    assert [item.place for item in rejected] == ["playlists[0].tracks[1]"]


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "mpd.slice.0-0.json"
    file.write_bytes(b"\xef\xbb\xbf" + a_slice(playlist(1)))
    assert names(list(read_mpd(file))) == ["list 1"]


TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)
FILLED = TEXT.filter(lambda text: bool(text.strip()))
TRACK = st.fixed_dictionaries(
    {"track_uri": FILLED, "track_name": FILLED, "artist_name": FILLED},
    optional={"album_name": TEXT, "duration_ms": st.integers(0, 2**31 - 1), "pos": st.integers()},
)
PLAYLIST = st.fixed_dictionaries(
    {"pid": st.integers(0, 10**6) | FILLED, "name": TEXT, "tracks": st.lists(TRACK, max_size=4)},
    optional={"description": TEXT, "num_followers": st.integers(0, 99), "modified_at": st.integers(0, 2**31 - 1)},
)


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


@settings(max_examples=300)
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
    assert [entry and entry.title for entry in lists[0].entries] == [song["track_name"] for song in written[0]["tracks"]]
    assert_storable(rejected)
    assert_storable(lists)


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
        (b'{"playlists": [{"pid": }]}', "byte 23", "not valid JSON: Expecting value"),
        (b'{"info": {}}', "byte 0", "not an MPD slice: it has no list named playlists"),
        (b'{"playlists": {}}', "byte 0", "not an MPD slice: it has no list named playlists"),
        (b"[1, 2]", "byte 0", "not an MPD slice: it has no list named playlists"),
        (b"[" * 100_000, "byte 0", "not valid JSON: it is nested too deeply"),
    ],
)
def test_the_place_and_the_kind_of_damage_are_told(data: bytes, place: str, reason: str) -> None:
    assert [(item.place, item.reason) for item in parsed(data)[1]] == [(place, reason)]


def test_a_folder_is_read_in_the_order_of_the_ranges(tmp_path: Path) -> None:
    (tmp_path / "mpd.slice.10000-10999.json").write_bytes(a_slice(playlist(3)))
    (tmp_path / "mpd.slice.2000-2999.json.gz").write_bytes(gzip.compress(a_slice(playlist(2))))
    (tmp_path / "mpd.slice.0-999.json").write_bytes(a_slice(playlist(1)))
    (tmp_path / "stats.json").write_bytes(b"{}")
    batches = list(read_mpd(tmp_path))
    assert names(batches) == ["list 1", "list 2", "list 3"]
    assert [batch.is_last_of_file for batch in batches] == [True, True, True]
    assert sum(batch.bytes_read for batch in batches) == FORMATS["mpd"].total_bytes(tmp_path)
    done = batches[1].file
    assert names(list(read_mpd(tmp_path, skip={done}))) == ["list 1", "list 3"]


def test_a_folder_without_slices_is_read_as_any_json(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(a_slice(playlist(2)))
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(a_slice(playlist(1))))
    assert names(list(read_mpd(tmp_path))) == ["list 1", "list 2"]


def test_the_zip_of_the_dataset_is_read_member_by_member(tmp_path: Path) -> None:
    path = tmp_path / "spotify_million_playlist_dataset.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.md", "about")
        archive.writestr("data/mpd.slice.1000-1999.json", a_slice(playlist(2)))
        archive.writestr("data/mpd.slice.0-999.json", a_slice(playlist(1)))
    batches = list(read_mpd(path))
    assert names(batches) == ["list 1", "list 2"]
    assert batches[0].file == f"{path}!data/mpd.slice.0-999.json"
    assert sum(batch.bytes_read for batch in batches) == path.stat().st_size
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_a_damaged_member_of_a_zip_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "mpd.zip"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("data/mpd.slice.0-0.json", a_slice(playlist(1)))
    path.write_bytes(packed.getvalue().replace(b"Song 0", b"Sang 0", 1))
    [batch] = read_mpd(path)
    assert [item.reason for item in batch.rejected if "unpacked" in item.reason] != []


def test_a_truncated_gzip_gives_what_can_be_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "mpd.slice.0-999.json.gz"
    packed = gzip.compress(a_slice(*(playlist(number, tracks=20) for number in range(200))))
    file.write_bytes(packed[: len(packed) // 2])
    [batch] = read_mpd(file)
    assert len(batch.records) > 50
    assert [item.reason for item in batch.rejected] == [
        "the file ends in the middle of a playlist (the gzip data ends too early)"
    ]


def test_a_gzip_with_a_wrong_checksum_gives_all_its_playlists(tmp_path: Path) -> None:
    file = tmp_path / "mpd.slice.0-999.json.gz"
    packed = bytearray(gzip.compress(a_slice(playlist(1), playlist(2))))
    packed[-5] ^= 1
    packed[-8] ^= 1
    file.write_bytes(packed)
    [batch] = read_mpd(file)
    assert names([batch]) == ["list 1", "list 2"]
    assert [item.reason for item in batch.rejected] == ["the gzip data is damaged"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("mpd.slice.0-0.json", b"", "the file is empty"),
        ("mpd.slice.0-0.json.gz", a_slice(playlist(1)), "not gzip data, though its name ends in .gz"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_rejected(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    [batch] = read_mpd(tmp_path)
    assert batch.records == []
    assert [(item.place, item.reason) for item in batch.rejected] == [("byte 0", reason)]


def test_a_path_that_holds_no_slice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        list(read_mpd(tmp_path / "nowhere"))
    with pytest.raises(SourceError, match="no MPD slice"):
        list(read_mpd(tmp_path))
    (tmp_path / "mpd.zip").write_bytes(b"not a zip")
    with pytest.raises(SourceError, match="not a readable zip archive"):
        list(read_mpd(tmp_path / "mpd.zip"))


def test_a_file_over_a_thousand_playlists_is_always_cut_at_the_same_places(tmp_path: Path) -> None:
    file = tmp_path / "big.json"
    file.write_bytes(a_slice(*(playlist(number, tracks=0) for number in range(2_500))))
    batches = list(read_mpd(file))
    assert [len(batch.records) for batch in batches] == [1_000, 1_000, 500]
    assert [batch.number for batch in batches] == [0, 1, 2]
    assert [batch.is_last_of_file for batch in batches] == [False, False, True]
    assert sum(batch.bytes_read for batch in batches) == file.stat().st_size
    assert list(read_mpd(file)) == batches


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
