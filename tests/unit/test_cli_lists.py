"""Several lists as files, written as they are made."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.lists import FileFormat, write_lists
from recsys.catalog import ListedTrack


def lists(count: int) -> Iterator[tuple[str, list[ListedTrack]]]:
    for number in range(1, count + 1):
        yield (
            f"list {number}",
            [
                ListedTrack(1, None, 1, "One", None, "Ann", "spotify:track:1", None, 0.5),
                ListedTrack(2, None, 2, "Two", None, "Bob", None, None, 0.25),
            ],
        )


def test_each_list_has_a_file_with_its_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lists(lists(3), FileFormat.URIS, tmp_path / "a.uris")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        f"a-{number}.uris": "spotify:track:1\n" for number in (1, 2, 3)
    }
    assert capsys.readouterr().err.splitlines() == [
        f"written: {tmp_path / 'a-1.uris'} to a-3.uris",
        "3 of 6 tracks have no URI and are left out",
    ]


def test_tracks_without_a_uri_are_told_of_where_a_player_needs_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lists(lists(3), FileFormat.M3U8, tmp_path / "a.m3u8")
    write_lists(lists(1), FileFormat.XSPF, tmp_path / "b.xspf")
    assert capsys.readouterr().err.splitlines() == [
        f"written: {tmp_path / 'a-1.m3u8'} to a-3.m3u8",
        "3 of 6 tracks have no URI and are written as names of files",
        f"written: {tmp_path / 'b-1.xspf'}",
    ]


@pytest.mark.parametrize("file_format", [FileFormat.JSPF, FileFormat.REKORDBOX])
def test_ten_times_as_many_lists_need_no_more_memory(tmp_path: Path, file_format: FileFormat) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            write_lists(lists(count), file_format, tmp_path / "a.xml")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(2_000) < peak(200) + 2**20
