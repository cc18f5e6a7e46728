"""Libraries of rekordbox and Traktor: playlists by their paths, and what is damaged or strange in them."""

from pathlib import Path

import pytest

from recsys.catalog import ListedTrack
from recsys.export import rekordbox_library
from recsys.sources import FORMATS, Batch, Entry, Playlist
from recsys.sources.dj_library import DEEPEST, TOO_DEEP
from recsys.sources.xml_events import HOSTILE

REKORDBOX = """<?xml version="1.0" encoding="UTF-8"?>
<DJ_PLAYLISTS Version="1.0.0">
  <PRODUCT Name="rekordbox" Version="6.8.4" Company="AlphaTheta"/>
  <COLLECTION Entries="4">
    <TRACK TrackID="1" Name="Energy Flash" Artist="Joey Beltram" Album="Volume I" TotalTime="345" AverageBpm="125.00"
      Tonality="Am" Location="file://localhost/Users/a/Energy%20Flash.mp3">
      <TEMPO Inizio="0.1" Bpm="125.00" Metro="4/4" Battito="1"/>
    </TRACK>
    <TRACK TrackID="2" Name="Deadline" Artist="Digital" Mix="VIP" Location="spotify:track:22"/>
    <TRACK TrackID="3" Name="Loop 7" Artist=""/>
    <TRACK TrackID="4" Name="ID" Artist="ID"/>
  </COLLECTION>
  <PLAYLISTS>
    <NODE Type="0" Name="ROOT" Count="3">
      <NODE Name="Peak" Type="1" KeyType="0" Entries="2"><TRACK Key="2"/><TRACK Key="1"/></NODE>
      <NODE Name="Gigs" Type="0" Count="2">
        <NODE Name="Peak" Type="1" KeyType="0" Entries="4">
          <TRACK Key="1"/><TRACK Key="3"/><TRACK Key="9"/><TRACK Key="4"/>
        </NODE>
        <NODE Name="a/b" Type="1" KeyType="1" Entries="1">
          <TRACK Key="file://localhost/Users/a/Energy%20Flash.mp3"/>
        </NODE>
      </NODE>
      <NODE Name="Peak" Type="1" KeyType="0" Entries="0"/>
    </NODE>
  </PLAYLISTS>
</DJ_PLAYLISTS>
"""
ENERGY = Entry("Energy Flash", "Joey Beltram", album="Volume I", duration_ms=345_000)
DEADLINE = Entry("Deadline (VIP)", "Digital", "spotify:track:22")

NML = """<?xml version="1.0" encoding="UTF-8" standalone="no" ?>
<NML VERSION="19"><HEAD COMPANY="www.native-instruments.com" PROGRAM="Traktor"></HEAD>
<COLLECTION ENTRIES="2">
<ENTRY MODIFIED_DATE="2020/1/1" TITLE="Energy Flash" ARTIST="Joey Beltram">
  <LOCATION DIR="/:Users/:a/:" FILE="Energy Flash.mp3" VOLUME="Mac" VOLUMEID="Mac"></LOCATION>
  <ALBUM TRACK="1" TITLE="Volume I"></ALBUM><INFO PLAYTIME="345" PLAYTIME_FLOAT="344.9"></INFO></ENTRY>
<ENTRY><LOCATION DIR="/:Users/:a/:" FILE="03 Digital - Deadline.mp3" VOLUME="Mac"></LOCATION></ENTRY>
</COLLECTION>
<PLAYLISTS><NODE TYPE="FOLDER" NAME="$ROOT"><SUBNODES COUNT="2">
<NODE TYPE="FOLDER" NAME="Gigs"><SUBNODES COUNT="1">
<NODE TYPE="PLAYLIST" NAME="Peak"><PLAYLIST ENTRIES="3" TYPE="LIST" UUID="0">
<ENTRY><PRIMARYKEY TYPE="TRACK" KEY="Mac/:Users/:a/:03 Digital - Deadline.mp3"></PRIMARYKEY></ENTRY>
<ENTRY><PRIMARYKEY TYPE="TRACK" KEY="Mac/:Users/:a/:Energy Flash.mp3"></PRIMARYKEY></ENTRY>
<ENTRY><PRIMARYKEY TYPE="TRACK" KEY="Mac/:gone.mp3"></PRIMARYKEY></ENTRY>
</PLAYLIST></NODE></SUBNODES></NODE>
<NODE TYPE="SMARTLIST" NAME="New"><SMARTLIST UUID="1"><SEARCH_EXPRESSION VERSION="1" QUERY="x"/></SMARTLIST></NODE>
</SUBNODES></NODE></PLAYLISTS></NML>
"""


def read(name: str, tmp_path: Path, content: str | bytes) -> tuple[list[Playlist], list[tuple[str, str]]]:
    """The playlists of a file, and the places and reasons of what was set aside."""
    file = tmp_path / f"library.{name}"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    batches: list[Batch] = list(FORMATS[name].read(file))
    assert sum(batch.bytes_read for batch in batches) == FORMATS[name].total_bytes(file)
    records = [record for batch in batches for record in batch.records]
    assert all(isinstance(record, Playlist) for record in records)
    return records, [(one.place, one.reason) for batch in batches for one in batch.rejected]  # type: ignore[return-value]


def test_a_rekordbox_library_gives_its_playlists_by_their_paths(tmp_path: Path) -> None:
    playlists, rejected = read("rekordbox", tmp_path, REKORDBOX)
    assert [(one.external_id, one.name, one.entries) for one in playlists] == [
        ("Peak", "Peak", [DEADLINE, ENERGY]),
        ("Gigs/Peak", "Peak", [ENERGY, None, None, None]),
        ("Gigs/a\\/b", "a/b", [ENERGY]),
        ("Peak/#2", "Peak", []),
    ]
    assert rejected == [
        ("playlists[1].tracks[1]", "the artist is missing"),
        ("playlists[1].tracks[2]", "the collection has no such track"),
    ]


def test_playlists_may_stand_before_the_collection(tmp_path: Path) -> None:
    start, middle, end = (REKORDBOX.index(text) for text in ("  <COLLECTION", "  <PLAYLISTS", "</DJ_PLAYLISTS"))
    turned = REKORDBOX[:start] + REKORDBOX[middle:end] + REKORDBOX[start:middle] + REKORDBOX[end:]
    assert read("rekordbox", tmp_path, turned) == read("rekordbox", tmp_path, REKORDBOX)


def test_what_is_exported_is_read_back(tmp_path: Path) -> None:
    def track(rank: int, title: str, uri: str | None) -> ListedTrack:
        return ListedTrack(rank, None, rank, title, "Live; 2/3", 'Crosby, "Stills" & <Nash>', uri, 61_000, 0.5)

    lists = [
        ("a/b", [track(1, "One\nTwo", None), track(2, "Ü", "spotify:track:2")]),
        ("", [track(1, "Ü", "spotify:track:2")]),
    ]
    playlists, rejected = read("rekordbox", tmp_path, "".join(rekordbox_library(lists)))
    one = Entry("One\nTwo (Live; 2/3)", 'Crosby, "Stills" & <Nash>', duration_ms=61_000)
    two = Entry("Ü (Live; 2/3)", 'Crosby, "Stills" & <Nash>', "spotify:track:2", duration_ms=61_000)
    assert [(each.external_id, each.name, each.entries) for each in playlists] == [
        ("a\\/b", "a/b", [one, two]),
        ("/", "", [two]),
    ]
    assert rejected == []


def test_folders_that_hold_themselves_without_end_are_told_once_and_the_rest_is_read(tmp_path: Path) -> None:
    depth = 5_000
    nested = (
        '<NODE Type="0" Name="Loop">' * depth + '<NODE Type="1" Name="Lost"><TRACK Key="1"/></NODE>' + "</NODE>" * depth
    )
    place = REKORDBOX.index('      <NODE Name="Gigs"')
    playlists, rejected = read("rekordbox", tmp_path, REKORDBOX[:place] + nested + REKORDBOX[place:])
    assert [one.external_id for one in playlists] == ["Peak", "Gigs/Peak", "Gigs/a\\/b", "Peak/#2"]
    assert ("folders[1]", TOO_DEEP) in rejected
    assert sum(reason == TOO_DEEP for _, reason in rejected) == 1
    assert depth > DEEPEST


def test_a_traktor_collection_gives_its_playlists_by_their_paths(tmp_path: Path) -> None:
    [playlist], rejected = read("traktor", tmp_path, NML)
    assert (playlist.external_id, playlist.name) == ("Gigs/Peak", "Peak")
    assert playlist.entries == [Entry("Deadline", "Digital"), ENERGY, None]
    assert rejected == [("playlists[0].tracks[2]", "the collection has no such track")]


@pytest.mark.parametrize(("name", "text"), [("rekordbox", REKORDBOX), ("traktor", NML)])
def test_of_a_truncated_library_the_playlists_before_its_end_are_kept(tmp_path: Path, name: str, text: str) -> None:
    whole, _ = read(name, tmp_path, text)
    cut = text.index("gone.mp3" if name == "traktor" else '<NODE Name="a/b"')
    playlists, rejected = read(name, tmp_path, text[:cut])
    assert [one.entries[:2] for one in playlists] == [one.entries[:2] for one in whole[: len(playlists)]]
    assert len(playlists) == (1 if name == "traktor" else 2)
    assert rejected[-1][1] == "the file ends too early"


@pytest.mark.parametrize(("name", "text"), [("rekordbox", NML), ("traktor", REKORDBOX)])
def test_xml_of_another_program_is_one_line(tmp_path: Path, name: str, text: str) -> None:
    playlists, [(place, reason)] = read(name, tmp_path, text)
    assert (playlists, place) == ([], "line 1")
    assert reason.startswith("not a ")


BOMB = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
PARAMETER = '<!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]>'


@pytest.mark.parametrize("prolog", [BOMB, OUTSIDE, PARAMETER])
@pytest.mark.parametrize("name", ["rekordbox", "traktor", "xspf"])
def test_hostile_xml_is_one_line_and_nothing_of_it_is_read(tmp_path: Path, name: str, prolog: str) -> None:
    text = {"rekordbox": REKORDBOX, "traktor": NML}.get(name, "<playlist><trackList><track/></trackList></playlist>")
    text = text[text.index("?>") + 2 :] if "?>" in text else text
    playlists, rejected = read(name, tmp_path, prolog + text.replace("Energy Flash", "&b;&x;"))
    assert playlists == []
    assert rejected == [("line 1", HOSTILE)]


def test_an_encoding_that_is_wrong_costs_no_playlist(tmp_path: Path) -> None:
    text = REKORDBOX.replace("Energy Flash", "Énergie\x01")
    for content in (
        text.encode("latin-1"),
        text.encode("utf-16"),
        text.replace("UTF-8", "ISO-8859-1").encode("latin-1"),
    ):
        playlists, _ = read("rekordbox", tmp_path, content)
        entry = playlists[0].entries[1]
        assert entry is not None
        assert entry.title == "Énergie\ufffd"
