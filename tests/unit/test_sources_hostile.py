"""Readers of what players and DJ software write never fail on bytes, and keep what is usable."""

import gzip
import io
import json
import tracemalloc
import zipfile
from pathlib import Path
from time import process_time
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from recsys.errors import SourceError
from recsys.sources import FORMATS, Batch, Playlist, Tracklist, csv_with_columns
from recsys.sources.records import MAX_TEXT

NAMES = ("rekordbox", "traktor", "m3u", "xspf", "jspf", "spotify", "cue", "text", "csv")
READERS = {name: FORMATS[name] for name in NAMES} | {"csv": csv_with_columns({"title": "title", "artist": "artist"})}
SONGS = [(f"Artist {number}", f"Title {number}") for number in range(6)]

LINES = [f"#EXTINF:60,{artist} - {title}\nspotify:track:{title[-1]}" for artist, title in SONGS]
COLLECTION = "".join(
    f'<TRACK TrackID="{number}" Artist="{artist}" Name="{title}"/>' for number, (artist, title) in enumerate(SONGS)
)
KEYS = "".join(f'<TRACK Key="{number}"/>' for number in range(len(SONGS)))
NML_SONGS = "".join(f'<ENTRY TITLE="{t}" ARTIST="{a}"><LOCATION FILE="{t}"/></ENTRY>' for a, t in SONGS)
NML_KEYS = "".join(f'<ENTRY><PRIMARYKEY KEY="{title}"/></ENTRY>' for _, title in SONGS)
SPOTIFY = [{"track": {"trackName": title, "artistName": artist}} for artist, title in SONGS]
GOOD = {
    "rekordbox": f'<DJ_PLAYLISTS><COLLECTION>{COLLECTION}</COLLECTION><PLAYLISTS><NODE Type="0" Name="ROOT">'
    f'<NODE Type="1" Name="a">{KEYS}</NODE></NODE></PLAYLISTS></DJ_PLAYLISTS>',
    "traktor": f'<NML><COLLECTION>{NML_SONGS}</COLLECTION><PLAYLISTS><NODE TYPE="FOLDER" NAME="$ROOT"><SUBNODES>'
    f'<NODE TYPE="PLAYLIST" NAME="a"><PLAYLIST>{NML_KEYS}</PLAYLIST></NODE></SUBNODES></NODE></PLAYLISTS></NML>',
    "m3u": "\n".join(LINES),
    "xspf": '<playlist xmlns="http://xspf.org/ns/0/"><trackList>'
    + "".join(f"<track><title>{title}</title><creator>{artist}</creator></track>" for artist, title in SONGS)
    + "</trackList></playlist>",
    "jspf": json.dumps({"playlist": {"track": [{"title": title, "creator": artist} for artist, title in SONGS]}}),
    "spotify": json.dumps({"playlists": [{"name": "a", "items": SPOTIFY[:3]}, {"name": "b", "items": SPOTIFY[3:]}]}),
    "cue": "".join(f'TRACK 01 AUDIO\nTITLE "{title}"\nPERFORMER "{artist}"\n' for artist, title in SONGS),
    "text": "".join(f"[0{number}:00] {artist} - {title}\n" for number, (artist, title) in enumerate(SONGS)),
    "csv": "title,artist\n" + "".join(f"{title},{artist}\n" for artist, title in SONGS),
}
"""The same six songs in every format."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


def read(name: str, path: Path, content: bytes) -> list[Batch]:
    """The batches of a file, each of which can be stored."""
    path.write_bytes(content)
    batches = list(READERS[name].read(path))
    assert sum(batch.bytes_read for batch in batches) == len(content)
    places = [(one.file, one.place) for batch in batches for one in batch.rejected]
    assert len(places) == len(set(places))
    for batch in batches:
        for one in batch.rejected:
            require_storable(one.reason, one.record, one.place)
        for record in batch.records:
            title = record.name if isinstance(record, Playlist) else record.title
            djs = record.djs if isinstance(record, Tracklist) else ()
            require_storable(record.external_id, title, *djs, record.place)
            assert record.external_id.strip()
            for entry in record.entries:
                if entry is not None:
                    require_storable(entry.title, entry.artist, entry.album or "", entry.uri or "", *entry.artists)
    return batches


def require_storable(*texts: str) -> None:
    for text in texts:
        assert len(text) <= MAX_TEXT
        assert "\x00" not in text
        text.encode()


def songs(batches: list[Batch]) -> list[tuple[str, str]]:
    entries = [entry for batch in batches for record in batch.records for entry in record.entries]
    return [(entry.artist, entry.title) for entry in entries if entry is not None]


def test_all_formats_say_the_same(folder: Path) -> None:
    for name in NAMES:
        batches = read(name, folder / "good", GOOD[name].encode())
        assert songs(batches) == SONGS
        assert [one for batch in batches for one in batch.rejected] == []


ODD = (
    "<", ">", "&", "&#0;", "&x;", "]]>", "<!--", "<![CDATA[", "<!DOCTYPE a>", "<?xml version='1.0' encoding='utf-7'?>",
    '"', "\\", "\ud7ff", "\ufffe", "\r", "\n", "\t", ",", ";", "{", "[", "}", "]", "#EXTINF:", "#PLAYLIST:",
    "9" * 30, "x" * 700, "TRACK 1\n", "INDEX 01 99999:99:99\n", "FILE a\n", "[99:99] ", "w/ ", "+ ",
    "file:///%00%ff", "C:\\", "ID - ID\n",
)  # fmt: skip
PIECES = st.sampled_from([*ODD, *(piece for text in GOOD.values() for piece in (text[:20], text[20:60], text[-30:]))])
BYTES = st.one_of(
    st.binary(max_size=300),
    st.lists(st.one_of(PIECES.map(str.encode), st.binary(max_size=4)), max_size=12).map(b"".join),
    st.lists(PIECES, max_size=8).map(lambda parts: "".join(parts).encode("utf-16")),
    st.binary(max_size=60).map(lambda rest: gzip.compress(b"x" * 50)[:20] + rest),
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=BYTES)
@example(content=b"\x00")
@example(content=b"\xff\xfe")
@example(content=b"\xff\xfe\x00\xd8")
@example(content=b"[" * 100_000)
@example(content=b'{"playlist":' * 5_000)
@example(content=b"<NODE>" * 20_000)
@example(content=b"<?xml version='1.0' encoding='no-such'?><playlist/>")
@example(content=b"<?xml version='1.0' encoding='utf-16'?><playlist/>")
def test_no_bytes_make_a_reader_fail(folder: Path, name: str, content: bytes) -> None:
    batches = read(name, folder / "any", content)
    assert batches[-1].is_last_of_file
    assert read(name, folder / "any", content) == batches


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_that_are_changed_make_no_reader_fail(folder: Path, name: str, data: st.DataObject) -> None:
    content = bytearray(GOOD[name].encode())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    read(name, folder / "changed", bytes(content))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_of_a_truncated_file_the_songs_before_its_end_are_kept(folder: Path, name: str, data: st.DataObject) -> None:
    text = GOOD[name]
    cut = data.draw(st.integers(0, len(text)))
    kept = songs(read(name, folder / "cut", text[:cut].encode()))
    whole = kept[:-1] if name in ("m3u", "cue", "text", "csv") else kept
    assert whole == SONGS[: len(whole)]
    written = [song for song in SONGS if f"{song[0]}" in text[:cut] and f"{song[1]}" in text[:cut]]
    if name in ("m3u", "xspf", "jspf", "cue", "text", "csv"):
        assert len(kept) >= len(written) - 1
    packed = gzip.compress(text.encode())
    read(name, folder / "cut.gz", packed[: data.draw(st.integers(0, len(packed)))])


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.lists(st.text(st.characters(codec="utf-8"), max_size=300), min_size=1, max_size=4), max_size=6)
)
def test_paths_of_any_text_are_distinct_ids_and_the_same_each_time(folder: Path, names: list[list[str]]) -> None:
    nodes = []
    for path in names:
        inner = f'<NODE Type="1" Name={attribute(path[-1])}><TRACK Key="0"/></NODE>'
        for part in reversed(path[:-1]):
            inner = f'<NODE Type="0" Name={attribute(part)}>{inner}</NODE>'
        nodes.append(inner)
    text = f'<DJ_PLAYLISTS><COLLECTION>{COLLECTION}</COLLECTION><PLAYLISTS><NODE Type="0" Name="ROOT">'
    content = f"{text}{''.join(nodes)}</NODE></PLAYLISTS></DJ_PLAYLISTS>".encode()
    batches = read("rekordbox", folder / "paths", content)
    ids = [record.external_id for batch in batches for record in batch.records]
    assert len(ids) == len(set(ids)) == len(names)
    assert read("rekordbox", folder / "paths", content) == batches


def attribute(text: str) -> str:
    return quoteattr("".join(letter for letter in text if letter >= " " or letter in "\t\n"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 400), flips=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=3))
def test_a_damaged_archive_is_one_line_or_told_by_its_member(
    folder: Path, cut: int, flips: list[tuple[int, int]]
) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("MyData/Playlist1.json", GOOD["spotify"])
    content = bytearray(made.getvalue())
    for place, value in flips:
        content[place % len(content)] = value
    file = folder / "export.zip"
    file.write_bytes(bytes(content[: len(content) - cut % len(content)]))
    try:
        batches = list(FORMATS["spotify"].read(file))
    except SourceError:
        return
    kept = songs(batches)
    assert kept == SONGS or any(batch.rejected for batch in batches) or flips


def test_a_bomb_in_an_attribute_or_an_archive_is_refused_in_little_memory(folder: Path) -> None:
    levels = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE r [<!ENTITY a0 "{"x" * 100}">{levels}]><DJ_PLAYLISTS a="&a9;"/>'
    tracemalloc.start()
    [batch] = read("rekordbox", folder / "bomb.xml.gz", gzip.compress(bomb.encode()))
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    assert batch.records == []
    assert len(batch.rejected) == 1


def test_a_large_library_needs_the_room_of_its_songs_alone(folder: Path) -> None:
    """Each playlist is let go once it is handed on: ten times as many need no more."""

    def peak(playlists: int) -> int:
        with (folder / "large.xml").open("w") as file:
            file.write(f'<DJ_PLAYLISTS><COLLECTION>{COLLECTION}</COLLECTION><PLAYLISTS><NODE Type="0" Name="ROOT">')
            file.writelines(f'<NODE Type="1" Name="{number}">{KEYS}</NODE>' for number in range(playlists))
            file.write("</NODE></PLAYLISTS></DJ_PLAYLISTS>")
        tracemalloc.start()
        try:
            counted = sum(len(batch.records) for batch in FORMATS["rekordbox"].read(folder / "large.xml"))
            assert counted == playlists
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few = peak(1_000)
    assert peak(4_000) < few + 2**20


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "line",
    [
        "A" + " " * 200_000,
        "#EXTINF:" + "1" * 200_000,
        '#EXTINF:"' * 50_000,
        "0:00" + " " * 200_000 + "x",
        "[" * 200_000,
    ],
    ids=["spaces", "digits", "quotes", "time", "brackets"],
)
def test_a_line_of_any_shape_takes_little_time(folder: Path, name: str, line: str) -> None:
    started = process_time()
    read(name, folder / "slow", f"{line}\nTRACK 01 AUDIO\n{line}".encode())
    assert process_time() - started < 5
