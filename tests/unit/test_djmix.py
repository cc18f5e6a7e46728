import gzip
import hashlib
import json
import subprocess
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from recsys.errors import SourceError
from recsys.sources import FORMATS, Entry, Playlist, Tracklist, djmix, fetch_djmix, read_djmix
from recsys.sources.djmix_titles import djs_of, parse_mix_title, playlist_name
from recsys.sources.djmix_tracks import parse_track


def mix(**changes: Any) -> dict[str, Any]:
    written = {
        "id": "mix0001",
        "title": "2010-01-02 - Ann Bell & Duo @ Cave, Bern (Night Radio, NR12)",
        "tags": [{"key": f"Category:{name}"} for name in ("Ann Bell", "Duo", "Cave (Bern)", "Night Radio", "Techno")],
        "tracklist": [
            {"id": "x", "title": "[00] Nina Feat. Max - Open (Ann Bell Remix) [Label - L 1]"},
            {"id": None, "title": "[06:15] ID - ID"},
        ],
    }
    return written | changes


def test_a_mix_is_a_tracklist_and_a_playlist_of_the_same_id(tmp_path: Path) -> None:
    file = tmp_path / "djmix-dataset.json"
    file.write_text(json.dumps([mix()]))
    [batch] = read_djmix(file)
    song = Entry("Open (Ann Bell Remix)", "Nina Feat. Max", artists=("Nina", "ft. Max"), cue_seconds=0)
    unknown = Entry("ID", "ID", artists=("ID",), cue_seconds=375)
    tags = ("Ann Bell", "Duo", "Cave (Bern)", "Night Radio", "Techno")
    title = "2010-01-02 - Ann Bell & Duo @ Cave, Bern (Night Radio, NR12)"
    assert batch.records == [
        Tracklist(
            "mix0001", title, ("Ann Bell", "Duo"), [song, unknown], str(file), "mixes[0]", date(2010, 1, 2), tags
        ),
        Playlist("mix0001", "Night Radio Techno", [song, None], str(file), "mixes[0]"),
    ]
    assert batch.rejected == []


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("[00] A - B", 0),
        ("[105] A - B", 6300),
        ("[06:15] A - B", 375),
        ("[104:53] A - B", 6293),
        ("[1:02:03] A - B", 3723),
        ("[102.30] A - B", 6150),
        ("[0:??] A - B", None),
        ("[?] A - B", None),
        ("[0??] A - B", None),
        ("[1X] A - B", None),
        ("A - B", None),
    ],
)
def test_the_time_mark_counts_minutes(line: str, seconds: int | None) -> None:
    assert parse_track(line) == Entry("B", "A", artists=("A",), cue_seconds=seconds)


@pytest.mark.parametrize(
    ("line", "artist", "title"),
    [
        ("A - B [Label - CAT 1]", "A", "B"),
        ("A - B [Label - CAT 1][Label - CAT 1]", "A", "B"),
        ("A - B [Max Remix]", "A", "B [Max Remix]"),
        ("A - B [Max Remix] [Label]", "A", "B [Max Remix]"),
        ("A - B (Club Mix) [Max Remix]", "A", "B (Club Mix)"),
        ("A - B [Dub Mix - DM 1]", "A", "B"),
        ("A - B [Dub]", "A", "B"),
        ("A - B [Original Mix]", "A", "B [Original Mix]"),
        ("[12] + A - B", "A", "B"),
        ("w/ A - B", "A", "B"),
        ("01. A - B", "A", "B"),
        ("1) A - B", "A", "B"),
        ("33.10 - B", "33.10", "B"),
        ("2 Brothers - B", "2 Brothers", "B"),
        ("Tune Of The Week: A - B", "A", "B"),
        ("A - B: C", "A", "B: C"),
        ("? - B [Label]", "", "B"),
        ("[31] ?", "", "?"),
        ("Intro", "", "Intro"),
        ("[054] [Interview]", "", "[Interview]"),
        ("A - ID", "A", "ID"),
    ],
)
def test_what_surrounds_a_song_is_peeled_off(line: str, artist: str, title: str) -> None:
    entry = parse_track(line)
    assert (entry.artist, entry.title) == (artist, title)


@pytest.mark.parametrize(
    ("title", "day"),
    [
        ("1991-08-04 - Ann - Show", date(1991, 8, 4)),
        ("1991-08 - Ann - Show", None),
        ("2008-0X - Ann - Show", None),
        ("200X - Ann - Show", None),
        ("2016-06-1X - Ann @ Club", None),
        ("2016-02-30 - Ann @ Club", None),
    ],
)
def test_a_mix_was_played_on_a_day_that_is_complete(title: str, day: date | None) -> None:
    parsed = parse_mix_title(title)
    assert (parsed.played_on, parsed.artists) == (day, "Ann")


@pytest.mark.parametrize(
    ("artists", "tags", "djs"),
    [
        ("Above & Beyond, Moon (Live PA)", ["Above & Beyond", "Moon", "Trance"], ("Above & Beyond", "Moon")),
        ("Ann b2b Bob vs Cid", [], ("Ann", "Bob", "Cid")),
        ("Ann Bell", ["Ann Belle", "House"], ("Ann Belle",)),
        ("Fab", ["Fab (Fay Abbot)"], ("Fab",)),
        ("Ann & Friends", ["Ann"], ("Ann",)),
        ("Moony, Moon", ["Moon", "Moony"], ("Moony", "Moon")),
        ("Various Artists", ["Various"], ()),
    ],
)
def test_djs_stand_in_the_title_before_the_show(artists: str, tags: list[str], djs: tuple[str, ...]) -> None:
    assert djs_of(parse_mix_title(f"2010-01-02 - {artists} - Show"), tags) == djs


@pytest.mark.parametrize(
    ("rest", "tags", "name"),
    [
        ("- Night Radio 12", ["Ann", "Night Radio", "Techno"], "Night Radio Techno"),
        ("- Night Radio 12", ["Ann", "Night (Show)", "House"], "Night House"),
        ("- May Promo Mix", ["Ann", "Promo Mix", "Drum & Bass"], "Drum & Bass"),
        ("@ Cave, Bern", ["Ann", "Cave (Bern)", "Bern Festival", "Deep House"], "Deep House"),
        ("@ Cave (Night Radio, NR1)", ["Ann", "Cave", "Night Radio", "Techno"], "Night Radio Techno"),
        ("@ Boiler Room Bern", ["Ann", "Boiler Room", "Techno"], "Boiler Room Techno"),
        ("- Show", ["Ann", "House", "Deep House"], "Deep House"),
        ("- Show", ["Ann", "Techno", "Acid", "Jungle"], "Acid Techno"),
        ("- Show", ["Ann", "Various", "2012"], ""),
    ],
)
def test_a_mix_is_named_by_its_show_and_its_genres(rest: str, tags: list[str], name: str) -> None:
    assert playlist_name(parse_mix_title(f"2010-01-02 - Ann {rest}"), tags, ["Ann"]) == name


def test_the_wheel_is_read_without_unpacking_it(tmp_path: Path) -> None:
    wheel = tmp_path / djmix.WHEEL
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("djmix/__init__.py", "raise SystemExit")
        archive.writestr("dataset/djmix-dataset.json.gz", gzip.compress(json.dumps([mix(), mix(id="m2")]).encode()))
    for path in (wheel, tmp_path):
        [batch] = read_djmix(path)
        assert [record.external_id for record in batch.records] == ["mix0001", "mix0001", "m2", "m2"]
        assert batch.bytes_read == FORMATS["djmix"].total_bytes(path) == wheel.stat().st_size


def test_bad_mixes_and_entries_are_set_aside(tmp_path: Path) -> None:
    bad_entry = mix(id="m3", tracklist=[{"title": "A - B"}, {"title": None}, 5])
    file = tmp_path / "djmix-dataset.json.gz"
    file.write_bytes(gzip.compress(json.dumps([mix(id=None), 7, bad_entry, mix(tracklist=None)]).encode()))
    [batch] = read_djmix(file)
    assert [[entry and entry.title for entry in record.entries] for record in batch.records] == [["B", None, None]] * 2
    assert [item.of_entry for item in batch.rejected] == [False, False, True, True, False]
    assert [(item.place, item.reason) for item in batch.rejected] == [
        ("mixes[0]", "id is missing"),
        ("mixes[1]", "the mix is not an object"),
        ("mixes[2].tracklist[1]", "title is missing"),
        ("mixes[2].tracklist[2]", "the entry is not an object"),
        ("mixes[3]", "tracklist is missing"),
    ]


@pytest.mark.parametrize("content", [b"", b"{}", b"[", b"\x1f\x8b broken"])
def test_a_file_that_is_not_the_dataset_is_rejected(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "djmix-dataset.json"
    file.write_bytes(content)
    [batch] = read_djmix(file)
    assert batch.records == []
    assert len(batch.rejected) == 1


def test_a_folder_without_the_dataset_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds neither"):
        list(read_djmix(tmp_path))


class Pip:
    """Stands in for pip: puts `content` where it was told to, or fails with `error`."""

    def __init__(self, content: bytes | None, error: str = "") -> None:
        self.content = content
        self.error = error
        self.calls = 0

    def __call__(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.calls += 1
        if self.content is None:
            return subprocess.CompletedProcess(command, 1, "", self.error)
        (Path(command[command.index("--dest") + 1]) / djmix.WHEEL).write_bytes(self.content)
        return subprocess.CompletedProcess(command, 0, "", "")


def test_a_download_is_verified_and_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Pip(b"wheel")
    monkeypatch.setattr(subprocess, "run", pip)
    monkeypatch.setattr(djmix, "SHA256", hashlib.sha256(b"wheel").hexdigest())
    said: list[str] = []
    for _ in range(2):
        assert fetch_djmix(tmp_path / "new", said.append) == tmp_path / "new" / djmix.WHEEL
    assert pip.calls == 1
    assert len(said) == 1


def test_a_download_with_another_checksum_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", Pip(b"something else"))
    with pytest.raises(SourceError, match="SHA-256"):
        fetch_djmix(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_pip_said_last_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", Pip(None, "WARNING: retrying\nERROR: no network\n"))
    with pytest.raises(SourceError, match=r"^pip could not download djmix 0\.3\.1: ERROR: no network$"):
        fetch_djmix(tmp_path)
