"""Files of players in, lists of tracks out, and in again, by the installed command."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Command, cells, complaint, json_lines

GYM = "#EXTM3U\n#PLAYLIST:Gym\n" + "".join(
    f"#EXTINF:{60 + number},Artist {number} - Song {number}\nspotify:track:{number}\n" for number in range(6)
)
WRITTEN = {"m3u": "m3u8", "xspf": "xspf", "jspf": "jspf", "rekordbox": "xml"}


def titles(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(track["title"], track["artist"]) for track in found]


def test_lists_that_are_written_are_loaded_as_what_they_are(recsys: Command, tmp_path: Path) -> None:
    gym = tmp_path / "gym.m3u"
    gym.write_bytes(GYM.encode("utf-16"))
    [counts] = json_lines(recsys("ingest", "m3u", gym, "--json"))
    assert (counts["stored"], counts["entries_stored"]) == (1, 6)
    asked = ("similar", "track", "Artist 0 - Song 0", "-n", "5")
    found = json_lines(recsys(*asked, "--json"))
    assert len(found) == 5
    for name, ending in WRITTEN.items():
        out = tmp_path / f"like.{ending}"
        assert recsys(*asked, "-o", out).stderr == f"written: {out}\n"
        for stored, there in ((1, 0), (0, 1)):
            [counts] = json_lines(recsys("ingest", name, out, "--source", f"back {name}", "--json"))
            assert (counts["stored"], counts["already_there"], counts["rejected"]) == (stored, there, 0)
        assert counts["entries_stored"] == 0
    # Four more lists hold the five songs and not the first one: each of them stands in four more lists with the others.
    again = json_lines(recsys("similar", "track", "Artist 1 - Song 1", "-n", "9", "--json"))
    assert {track["title"]: track["playlists"] for track in again} == {
        "Song 0": 1,
        **{f"Song {number}": 5 for number in range(2, 6)},
    }
    assert titles(found) == [(f"Song {number}", f"Artist {number}") for number in range(1, 6)]
    links = recsys(*asked, "--format", "links").stdout.splitlines()
    assert links == [f"https://open.spotify.com/track/{number}" for number in range(1, 6)]


def test_hostile_xml_is_one_line_and_the_rest_is_loaded(recsys: Command, tmp_path: Path) -> None:
    (tmp_path / "a.xspf").write_text(
        '<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><playlist><title>&x;</title></playlist>'
    )
    (tmp_path / "b.xspf").write_text(
        "<playlist><trackList><track><title>A</title><creator>B</creator></track></trackList></playlist>"
    )
    done = recsys("ingest", "xspf", tmp_path)
    assert done.returncode == 1
    assert ["stored", "1"] in cells(done)
    assert "the XML declares entities or refers to other files, which is refused" in done.stdout
    assert "root:" not in done.stdout + done.stderr


def test_a_truncated_archive_is_one_line(recsys: Command, tmp_path: Path) -> None:
    (tmp_path / "export.zip").write_bytes(b"PK\x03\x04 cut off")
    assert "export.zip is not a readable zip archive" in complaint(recsys("ingest", "spotify", tmp_path / "export.zip"))


@pytest.mark.parametrize("header", ["Song", "song "])
def test_a_table_is_loaded_by_its_headers(recsys: Command, tmp_path: Path, header: str) -> None:
    (tmp_path / "a.csv").write_text("Song;By\nOne;Ann\n'; DROP TABLE song; --;Bob\n")
    named = ("--column", f"title={header}", "--column", "artist=By")
    [counts] = json_lines(recsys("ingest", "csv", tmp_path / "a.csv", *named, "--json"))
    assert (counts["stored"], counts["entries_stored"]) == (1, 2)
