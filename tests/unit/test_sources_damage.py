"""Files that are damaged: what is whole in them is read, and what is not is told."""

import gzip
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from recsys.errors import SourceError
from recsys.sources import FORMATS, Batch, Playlist, Rejected, read_csv, read_djmix, read_mpd, read_playlists
from recsys.sources.damaged_json import MOST_BREAKS
from recsys.sources.inputs import file_name
from recsys.sources.mpd import playlists_of


def playlist(pid: int, tracks: int = 2, **changes: Any) -> dict[str, Any]:
    songs = [{"track_uri": f"u:{song}", "track_name": f"Song {song}", "artist_name": "Ann"} for song in range(tracks)]
    return {"pid": pid, "name": f"list {pid}", "tracks": songs} | changes


def a_slice(*playlists: Any) -> bytes:
    return json.dumps({"info": {"version": "v1"}, "playlists": playlists}).encode()


def parsed(data: bytes) -> tuple[list[Playlist], list[Rejected]]:
    parts = list(playlists_of(data, "slice.json"))
    lists = [record for records, _ in parts for record in records if isinstance(record, Playlist)]
    return lists, [item for _, more in parts for item in more]


def ids(batches: list[Batch]) -> list[str]:
    return [record.external_id for batch in batches for record in batch.records]


def reasons(batches: list[Batch]) -> list[tuple[str, str]]:
    return [(item.place, item.reason) for batch in batches for item in batch.rejected]


BROKEN = {
    "a comma too many": b'{"pid": 2 ,, "name": "x", "tracks": []}',
    "no colon": b'{"pid" 2, "name": "x", "tracks": [{"track_name": "}"}]}',
    "a title that is not closed": b'{"pid": 2, "name": "x, "tracks": []}',
    "a last text that is not closed": b'{"pid": 2, "tracks": [], "name": "x}',
    "a quote inside a title": b'{"pid": 2, "name": "12" mix", "tracks": []}',
    "a brace that is missing": b'{"pid": 2, "name": "x", "tracks": []',
    "a brace of an entry that is missing": b'{"pid": 2, "name": "x", "tracks": [{"track_uri": "u:1", {"pos": 2}]}',
    "a bracket that is missing": b'{"pid": 2, "name": "x", "tracks": [{"track_uri": "u:1"}}',
    "no playlist at all": b"<html>",
    "nested too deeply": b'{"pid": 2, "name": "x", "tracks": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    "nested too deeply and not closed": b'{"pid": 2, "name": "x", "tracks": ' + b"[" * 3000 + b"}}",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("first_key", ["pid", "name"])
def test_a_broken_playlist_costs_no_other(broken: bytes, first_key: str) -> None:
    good = [
        json.dumps({key: playlist(pid)[key] for key in sorted(playlist(1), key=first_key.__ne__)}) for pid in (1, 3, 4)
    ]
    first, *others = [text.encode() for text in good]
    lists, rejected = parsed(b'{"playlists": [' + b", ".join([first, broken, *others]) + b"]}")
    assert [item.external_id for item in lists] == ["1", "3", "4"]
    assert [len(item.entries) for item in lists] == [2, 2, 2]
    assert len(rejected) == 1


@pytest.mark.parametrize("between", ["}, ", "], ", ",, ", ", x, ", "]} ", ']}{"playlists": ['])
def test_what_stands_wrongly_between_two_playlists_costs_neither(between: str) -> None:
    first, second = json.dumps(playlist(1)), json.dumps(playlist(2))
    lists, rejected = parsed(f'{{"playlists": [{first}{between}{second}]}}'.encode())
    assert [item.external_id for item in lists] == ["1", "2"]
    assert len(rejected) == 1


def test_a_missing_comma_between_two_playlists_is_no_loss() -> None:
    lists, rejected = parsed(a_slice(playlist(1), playlist(2)).replace(b'}, {"pid"', b'} {"pid"'))
    assert [item.external_id for item in lists] == ["1", "2"]
    assert rejected == []


def test_titles_that_are_not_closed_cost_nothing_between_them() -> None:
    text = a_slice(*(playlist(pid) for pid in range(1, 7))).decode()
    for pid in (2, 5):
        text = text.replace(f'"list {pid}"', f'"list {pid}')
    lists, rejected = parsed(text.encode())
    assert [item.external_id for item in lists] == ["1", "3", "4", "6"]
    assert len(rejected) == 2


def test_every_broken_playlist_is_told_with_its_place() -> None:
    text = a_slice(*(playlist(pid, tracks=0, name="ü") for pid in range(6))).decode().replace("\\u00fc", "ü")
    for pid in (1, 2, 4):
        text = text.replace(f'"pid": {pid},', f'"pid" {pid},')
    lists, rejected = parsed(text.encode())
    assert [(item.external_id, item.place) for item in lists] == [
        ("0", "playlists[0]"),
        ("3", "playlists[3]"),
        ("5", "playlists[5]"),
    ]
    breaks = [text.encode().index(f'"pid" {pid},'.encode()) + len('"pid" ') for pid in (1, 2, 4)]
    assert [item.place for item in rejected] == [f"byte {byte}" for byte in breaks]
    assert {item.reason for item in rejected} == {"not valid JSON: Expecting ':' delimiter"}


def test_broken_playlists_before_a_cut_do_not_hide_it() -> None:
    text = a_slice(*(playlist(pid) for pid in range(4))).replace(b'"pid": 1,', b'"pid": 1,,')
    lists, rejected = parsed(text[:-60])
    assert [item.external_id for item in lists] == ["0", "2"]
    assert [item.reason for item in rejected] == [
        "not valid JSON: Expecting property name enclosed in double quotes",
        "the file ends in the middle of a playlist",
    ]


def test_a_slice_cut_after_a_whole_playlist_lacks_its_end() -> None:
    lists, rejected = parsed(a_slice(playlist(1), playlist(2))[:-2])
    assert [item.external_id for item in lists] == ["1", "2"]
    assert [item.reason for item in rejected] == ["the file's end is missing, behind its last whole playlist"]


@pytest.mark.parametrize(
    "broken", [b'{"pid":,', b'{"pid":,},', b'{"pid":"x,', b'{"pid":1,"tracks":[{,', b"],", b'{"":,']
)
def test_many_broken_playlists_take_no_more_time_than_their_length(broken: bytes) -> None:
    start = time.perf_counter()
    _, rejected = parsed(b'{"playlists":[' + broken * 200_000 + a_slice())
    assert time.perf_counter() - start < 20
    assert 1 <= len(rejected) <= MOST_BREAKS + 1


def test_nothing_is_read_behind_the_first_break_of_a_damaged_gzip(tmp_path: Path) -> None:
    file = tmp_path / "mpd.slice.0-999.json.gz"
    text = a_slice(*(playlist(number, tracks=20) for number in range(200))).replace(b'"pid": 50,', b'"pid" 50,')
    packed = gzip.compress(text)
    file.write_bytes(packed[:-1])
    batches = list(read_mpd(file))
    assert ids(batches) == [str(number) for number in range(50)]
    [(_, reason)] = reasons(batches)
    assert reason == "not valid JSON: Expecting ':' delimiter (the gzip data ends too early)"


def mixes(count: int) -> list[dict[str, Any]]:
    return [
        {"id": f"mix{number}", "title": "2010-01-02 - Ann @ Cave", "tags": [], "tracklist": [{"title": "A - B"}]}
        for number in range(count)
    ]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_djmix_dataset_that_is_cut_gives_the_mixes_before(tmp_path: Path, pack: Any) -> None:
    file = tmp_path / ("djmix-dataset.json" if pack is bytes else "djmix-dataset.json.gz")
    file.write_bytes(pack(json.dumps(mixes(50)).encode()[:-10]))
    batches = list(read_djmix(file))
    assert ids(batches) == [f"mix{number}" for number in range(49) for _ in ("tracklist", "playlist")]
    assert reasons(batches) == [("mixes[49]", "the file ends in the middle of a mix")]


def test_a_djmix_gzip_that_is_cut_gives_the_mixes_before(tmp_path: Path) -> None:
    file = tmp_path / "djmix-dataset.json.gz"
    packed = gzip.compress(json.dumps([mix | {"hash": os.urandom(99).hex()} for mix in mixes(50)]).encode())
    file.write_bytes(packed[: len(packed) // 2])
    batches = list(read_djmix(file))
    assert len(ids(batches)) > 30
    [(_, reason)] = reasons(batches)
    assert reason == "the file ends in the middle of a mix (the gzip data ends too early)"


@pytest.mark.parametrize("fault", ["}", ",,", '"'])
def test_a_broken_djmix_mix_costs_no_other(tmp_path: Path, fault: str) -> None:
    file = tmp_path / "djmix-dataset.json"
    file.write_text(json.dumps(mixes(3)).replace('"id": "mix1"', f'"id": {fault} "mix1"'))
    batches = list(read_djmix(file))
    assert sorted(set(ids(batches))) == ["mix0", "mix2"]
    assert len(reasons(batches)) == 1


def test_a_mix_whose_id_came_before_is_rejected_once_unless_it_is_the_same(tmp_path: Path) -> None:
    file = tmp_path / "djmix-dataset.json"
    first, second = mixes(2)
    file.write_text(json.dumps([first, second, first, second | {"tracklist": []}]))
    batches = list(read_djmix(file))
    assert ids(batches) == ["mix0", "mix0", "mix1", "mix1", "mix0", "mix0"]
    assert reasons(batches) == [("mixes[3]", "the id mix1 came before with other content")]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and cannot be read")
def test_a_slice_that_cannot_be_read_costs_no_other(tmp_path: Path) -> None:
    (tmp_path / "mpd.slice.0-0.json").symlink_to("/proc/self/mem")
    (tmp_path / "mpd.slice.1-1.json").write_bytes(a_slice(playlist(1)))
    batches = list(read_mpd(tmp_path))
    assert ids(batches) == ["1"]
    assert reasons(batches) == [("byte 0", "cannot be read: Input/output error")]
    assert batches[0].is_last_of_file


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    for name in ("mpd.slice.0-0.json.gz", "lists.jsonl"):
        (tmp_path / name).symlink_to("nowhere")
    (tmp_path / "more.jsonl").write_bytes(json.dumps(playlist(1)).encode())
    (tmp_path / "folder.jsonl").mkdir()
    for name, found, place in (("mpd", [], "byte 0"), ("playlists", ["1"], "line 1")):
        batches = list(FORMATS[name].read(tmp_path))
        assert ids(batches) == found
        assert reasons(batches) == [(place, "cannot be read: No such file or directory")]
        assert sum(batch.bytes_read for batch in batches) == FORMATS[name].total_bytes(tmp_path)


def test_a_file_that_a_person_named_must_open(tmp_path: Path) -> None:
    file = tmp_path / "mpd.slice.0-0.json"
    file.symlink_to("nowhere")
    with pytest.raises(SourceError, match="does not exist"):
        list(read_mpd(file))
    file.unlink()
    file.write_bytes(a_slice(playlist(1)))
    batches = read_mpd(file)
    with pytest.raises(SourceError, match=r"cannot be read: Not a directory"):
        list(read_mpd(file / "below"))
    file.unlink()
    file.mkdir()
    with pytest.raises(SourceError):
        next(batches)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_told_with_its_mend(tmp_path: Path, encoding: str) -> None:
    def write(name: str, text: str) -> Path:
        (tmp_path / name).write_bytes(f"\ufeff{text}".encode(encoding))
        return tmp_path / name

    told = "the text is UTF-16: save it as UTF-8"
    assert reasons(list(read_mpd(write("a.json", a_slice(playlist(1)).decode())))) == [("byte 0", told)]
    assert reasons(list(read_djmix(write("djmix-dataset.json", json.dumps(mixes(1)))))) == [("byte 0", told)]
    lines = "\n".join([json.dumps(playlist(1))] * 3)
    assert reasons(list(read_playlists(write("a.jsonl", lines)))) == [("line 1", told)]
    for name in ("playlists", "tracks", "items"):
        write(f"{name}.csv", "pid,name\n1,a\n")
    with pytest.raises(SourceError, match=told):
        list(read_csv(tmp_path))


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", gzip.compress(b"", mtime=0), gzip.compress(b" \n", mtime=0)])
@pytest.mark.parametrize(
    ("name", "place"), [("mpd", "byte 0"), ("djmix", "byte 0"), ("playlists", "line 1"), ("tracklists", "line 1")]
)
def test_an_empty_file_is_told_once(tmp_path: Path, name: str, place: str, content: bytes) -> None:
    file = tmp_path / "empty"
    file.write_bytes(content)
    [batch] = FORMATS[name].read(file)
    assert reasons([batch]) == [(place, "the file is empty")]


def test_lines_that_are_one_record_together_are_rejected_once(tmp_path: Path) -> None:
    file = tmp_path / "lists.jsonl"
    for record in (playlist(1), [playlist(1), playlist(2)]):
        file.write_text(json.dumps(record, indent=1))
        reason = "one record a line is needed, this file spreads one over several lines"
        assert reasons(list(read_playlists(file))) == [("line 1", reason)]


def test_a_file_has_the_same_name_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a.jsonl").write_text("1")
    names = set()
    for folder, spelling in ((tmp_path, "a.jsonl"), (tmp_path / "a", "../a.jsonl"), (Path("/"), tmp_path / "a.jsonl")):
        monkeypatch.chdir(folder)
        [batch] = read_playlists(Path(spelling))
        names |= {batch.file, batch.rejected[0].file}
    assert names == {str(tmp_path / "a.jsonl")}


@pytest.mark.parametrize("letter", ["a", "夏", "🔥", "\udcff"])
def test_the_end_of_a_long_name_is_kept(letter: str) -> None:
    path = Path("/", *[letter * 50] * 30, "lists.jsonl")
    for name, end in ((file_name(path), "lists.jsonl"), (file_name(path, "data/a.json"), "lists.jsonl!data/a.json")):
        assert name.endswith(f"{end}")
        assert 400 < len(name) <= 1_000
        assert len(name.encode()) <= 2_000
