import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from recsys.errors import SourceError
from recsys.sources import FORMATS, Batch, Playlist, read_mpd


def playlist(pid: int, tracks: int = 1) -> dict[str, Any]:
    songs = [{"track_uri": f"u:{song}", "track_name": f"Song {song}", "artist_name": "Ann"} for song in range(tracks)]
    return {"pid": pid, "name": f"list {pid}", "tracks": songs}


def a_slice(*playlists: Any) -> bytes:
    return json.dumps({"info": {"version": "v1"}, "playlists": playlists}).encode()


def names(batches: list[Batch]) -> list[str]:
    return [record.name for batch in batches for record in batch.records if isinstance(record, Playlist)]


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "mpd.slice.0-0.json"
    file.write_bytes(b"\xef\xbb\xbf" + a_slice(playlist(1)))
    assert names(list(read_mpd(file))) == ["list 1"]


def test_a_folder_is_read_in_the_order_of_the_ranges(tmp_path: Path) -> None:
    (tmp_path / "mpd.slice.10000-10999.json").write_bytes(a_slice(playlist(3)))
    (tmp_path / "mpd.slice.2000-2999.json.gz").write_bytes(gzip.compress(a_slice(playlist(2))))
    (tmp_path / "mpd.slice.0-999.json").write_bytes(a_slice(playlist(1)))
    (tmp_path / "stats.json").write_bytes(b"{}")
    batches = list(read_mpd(tmp_path))
    assert names(batches) == ["list 1", "list 2", "list 3"]
    assert [batch.is_last_of_file for batch in batches] == [True, True, True]
    assert sum(batch.bytes_read for batch in batches) == FORMATS["mpd"].total_bytes(tmp_path)


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
