"""The order of tracklists is read from the database as it was loaded, and nothing of what is held out."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.tracklists import reading
from recsys.tracklists.graph_snapshot import NO_DATE, load_graph_snapshot
from recsys.tracklists.later import HoldOut
from recsys.tracklists.prepare import GraphOptions, prepare_graph
from recsys.tracklists.running_order import UNKNOWN, RunningOrder, Sets, load_running_order
from tests.graph_worlds import ALL
from tests.worlds import rows, write_lines

FIRST = datetime.date(1970, 1, 1)


def song(title: str, *artists: str) -> dict[str, object]:
    return {"title": title, "artists": list(artists)}


A, B, C, D, E = (song(f"Song {letter}", f"Artist {letter}") for letter in "ABCDE")
DUET = song("Duet", "Main", "Other")
REMIX = song("Anthem (Remi Xer Remix)", "Main")
FEATURED = {"title": "Ballad", "artist": "Lead feat. Guest"}
NOBODYS = {"title": "White Label"}
GAP = song("ID", "ID")

PAST = [
    {"id": "10", "dj": "Dan", "title": "Essential Mix 2019-01-01", "date": "2019-01-01", "tracks": [A, GAP, B, C, A]},
    {"id": "9", "djs": ["Eve", "Dan"], "title": "essential mix #2", "date": "2019-02-01", "tracks": [C, DUET, B]},
    {"id": "a", "djs": ["Dan", "Eve"], "title": "Other Show 1", "date": "2019-02-02", "tracks": [DUET, REMIX, E]},
    {"id": "b", "title": "2019", "date": "2019-02-03", "tracks": [REMIX, FEATURED, NOBODYS, GAP]},
]
SECOND_SOURCE = [
    {"id": "1", "dj": "Fay", "title": "Other Show 2", "date": "2018-01-01", "tracks": [FEATURED, NOBODYS, A]},
]
LATER = [
    {"id": "l1", "dj": "Dan", "title": "Essential Mix 9", "date": "2020-01-01", "tracks": [D, A, GAP, D]},
    {"id": "l2", "dj": "Gus", "title": "New Show", "date": "2020-06-01", "tracks": [B, C]},
    {"id": "l3", "dj": "Dan", "title": "Essential Mix", "tracks": [E, E]},
]


@dataclass(frozen=True)
class Told:
    """A tracklist by names; `-` is what has no row."""

    dj: str
    programme: str
    day: str
    songs: list[str]
    artists: list[str]


class Read:
    """A prepared snapshot's order by names."""

    def __init__(self, settings: Settings, connection: psycopg.Connection, folder: Path, **asked: object) -> None:
        prepare_graph(settings, folder, **{"options": ALL, **asked})  # type: ignore[arg-type]
        snapshot, facts = load_graph_snapshot(folder)
        self.order: RunningOrder = load_running_order(folder, facts.content_hash)
        titles = dict(
            rows(connection, "SELECT id, title || coalesce(' (' || nullif(version, '') || ')', '') FROM song")
        )
        names = dict(rows(connection, "SELECT id, name FROM artist"))
        djs = dict(rows(connection, "SELECT id, name FROM dj"))
        self.songs = [titles[number] for number in self.order.songs.tolist()]
        self.artists = [names[number] for number in self.order.artists.tolist()]
        self.djs = [djs[number] for number in snapshot.djs.tolist()]
        self.past, self.later = self.told(self.order.past), self.told(self.order.later)

    def told(self, sets: Sets) -> list[Told]:
        def name(names: Sequence[str], row: int) -> str:
            return "-" if row == UNKNOWN else names[row]

        return [
            Told(
                name(self.djs, sets.djs[row]),
                name(self.order.programmes, sets.programmes[row]),
                "-" if sets.days[row] == NO_DATE else str(FIRST + datetime.timedelta(int(sets.days[row]))),
                [name(self.songs, number) for number in sets.songs[start:end]],
                [name(self.artists, number) for number in sets.artists[start:end]],
            )
            for row, (start, end) in enumerate(zip(sets.starts[:-1], sets.starts[1:], strict=True))
        ]


def load(settings: Settings, folder: Path, tracklists: Sequence[object], source: str = "web") -> None:
    ingest(settings, "tracklists", [write_lines(folder / f"{source}.jsonl", tracklists)], source=source)


@pytest.fixture
def loaded(settings: Settings, tmp_path: Path) -> Settings:
    load(settings, tmp_path, [*PAST, *LATER])
    load(settings, tmp_path, SECOND_SOURCE, "air")
    return settings


BEFORE = datetime.date(2020, 1, 1)

EXPECTED = [
    # Tracklists by their sources' names and their ids as text.
    Told("Fay", "other show", "2018-01-01", ["Ballad", "White Label", "Song A"], ["Lead", "-", "Artist A"]),
    Told(
        "Dan", "essential mix", "2019-01-01",
        ["Song A", "Song B", "Song C", "Song A"], ["Artist A", "Artist B", "Artist C", "Artist A"],
    ),
    Told("Eve", "essential mix", "2019-02-01", ["Song C", "Duet", "Song B"], ["Artist C", "Main", "Artist B"]),
    # E is in one tracklist alone: it has no row, its artist has.
    Told("Dan", "other show", "2019-02-02", ["Duet", "Anthem (Remi Xer Remix)", "-"], ["Main", "Main", "Artist E"]),
    Told("-", "-", "2019-02-03", ["Anthem (Remi Xer Remix)", "Ballad", "White Label"], ["Main", "Lead", "-"]),
]  # fmt: skip


def test_the_order_is_what_was_loaded(loaded: Settings, connection: psycopg.Connection, tmp_path: Path) -> None:
    read = Read(loaded, connection, tmp_path / "graph", before=BEFORE)
    assert read.past == EXPECTED
    assert read.order.programmes == ("essential mix", "other show")
    lead = dict(zip(read.songs, [read.artists[a] if a >= 0 else "-" for a in read.order.song_artists], strict=True))
    assert lead == {
        "Song A": "Artist A",
        "Song B": "Artist B",
        "Song C": "Artist C",
        "Duet": "Main",
        "Anthem (Remi Xer Remix)": "Main",
        "Ballad": "Lead",
        "White Label": "-",
    }


def test_later_tracklists_are_by_the_rows_of_the_past(
    loaded: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    read = Read(loaded, connection, tmp_path / "graph", before=BEFORE)
    first, second = read.later
    # D is played twice in one later tracklist, and the artist of it is known by name alone.
    assert (first.dj, first.programme, first.songs) == ("Dan", "essential mix", ["-", "Song A", "-"])
    assert first.artists == ["Artist D", "Artist A", "Artist D"]
    assert (second.dj, second.programme, second.songs) == ("-", "-", ["Song B", "Song C"])
    until = Read(
        loaded, connection, tmp_path / "until", before=BEFORE, hold_out=HoldOut(until=datetime.date(2020, 2, 1))
    )
    assert [told.day for told in until.later] == ["2020-01-01"]
    assert until.past == read.past


def test_without_a_date_everything_is_the_past(
    loaded: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    read = Read(loaded, connection, tmp_path / "graph")
    assert read.later == []
    assert len(read.past) == len(PAST) + len(SECOND_SOURCE) + len(LATER)
    [undated] = [told for told in read.past if told.day == "-"]
    # E is in two tracklists now; one holds it twice.
    assert (undated.programme, undated.songs) == ("essential mix", ["Song E", "Song E"])


def test_what_comes_later_changes_nothing_of_the_past(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path, PAST)
    load(settings, tmp_path, SECOND_SOURCE, "air")
    first = Read(settings, connection, tmp_path / "first", before=BEFORE)
    load(settings, tmp_path, [*PAST, *LATER])
    second = Read(settings, connection, tmp_path / "second", before=BEFORE)
    assert second.past == first.past
    assert second.order.songs.tolist() == first.order.songs.tolist()
    assert second.order.programmes == first.order.programmes
    assert (first.later, len(second.later)) == ([], 2)


def test_how_many_are_read_at_once_changes_nothing(
    loaded: Settings, connection: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Read(loaded, connection, tmp_path / "whole", before=BEFORE)
    monkeypatch.setattr(reading, "TRACKLISTS_AT_ONCE", 1)
    parts = Read(loaded, connection, tmp_path / "parts", before=BEFORE)
    assert (parts.past, parts.later) == (whole.past, whole.later)


def test_the_graphs_cut_does_not_cut_the_order(
    loaded: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    read = Read(loaded, connection, tmp_path / "graph", before=BEFORE, options=GraphOptions(least_information=3.6))
    snapshot, _ = load_graph_snapshot(tmp_path / "graph")
    assert len(snapshot.songs) < len(read.order.songs) == 7
    assert [told.songs for told in read.past] == [told.songs for told in EXPECTED]


def test_pairs_that_are_held_out_are_not_in_the_order(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    tracks = [song(f"Song {number}", f"Artist {number % 5}") for number in range(20)]
    lists = [
        {"id": str(number), "dj": f"DJ {number % 2}", "title": "show", "date": "2019-01-01", "tracks": tracks}
        for number in range(4)
    ]
    load(settings, tmp_path, lists)
    read = Read(settings, connection, tmp_path / "graph", hold_out=HoldOut(pairs=0.2, seed=1))
    hidden = 0
    for dj in ("DJ 0", "DJ 1"):
        first, second = (told for told in read.past if told.dj == dj)
        kept = [title for title in (str(track["title"]) for track in tracks) if title in first.songs]
        assert first.songs == second.songs == kept
        hidden += len(tracks) - len(kept)
    assert hidden == 8
    assert read.later == []
