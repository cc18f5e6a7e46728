"""Files into the catalogue: which rows a load makes, and which loads change nothing."""

import importlib
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from itertools import permutations
from pathlib import Path

import psycopg
import pytest

from recsys.catalog import Counts, ingest, missing_indexes
from recsys.config import Settings
from recsys.database import connect, writer_lock
from recsys.errors import BusyError, SourceError
from tests.worlds import dump, entry, playlist, rows, write_lines, write_slice

KID_A = entry("Radiohead", "Everything In Its Right Place", "u:1", album_name="Kid A", duration_ms=251_000)
STARDUST = entry("Stardust", "Music Sounds Better With You", "u:2")
REMASTER = entry("Radiohead", "Everything In Its Right Place - Remastered 2009", "u:3")
WITHOUT_TITLE = entry("Radiohead", "", "u:4")

SLICE = [
    playlist(
        0,
        "Chill  Vibes!!",
        [KID_A, STARDUST, WITHOUT_TITLE, REMASTER, STARDUST],
        description="sun &amp; rain",
        num_followers=3,
        modified_at=1_498_867_200,
    ),
    playlist(1, "🔥🔥", [STARDUST]),
    playlist(2, "   ", []),
    playlist(3, "chill vibes", [REMASTER]),
    {"pid": 4, "name": "lost"},
]

PLACES = "SELECT playlist_id, position, track_id FROM playlist_track ORDER BY 1, 2"
PLAYED = "SELECT tracklist_id, position, song_id, cue_seconds, credit FROM tracklist_track ORDER BY 1, 2"
SONGS = "SELECT id, artist, title, version FROM song ORDER BY 1"
TRACKS = "SELECT id, song_id, uri, title, album, duration_ms FROM track ORDER BY 1"
SHARES = "SELECT song_id, name, role, weight FROM song_artist JOIN artist ON id = artist_id ORDER BY song_id, id"
REJECTED = "SELECT file, place, reason FROM rejected_record ORDER BY 1, 2"
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'recsys' ORDER BY 2"


@pytest.fixture
def slice_file(tmp_path: Path) -> Path:
    return write_slice(tmp_path / "mpd", 0, SLICE)


def mix(external_id: str, tracks: list[object], **more: object) -> dict[str, object]:
    return {"id": external_id, "tracks": tracks, **more}


def played(artist: object, title: object, **more: object) -> dict[str, object]:
    return {"artist": artist, "title": title, **more}


def test_a_slice_becomes_these_rows(settings: Settings, connection: psycopg.Connection, slice_file: Path) -> None:
    summary = ingest(settings, "mpd", [slice_file])
    assert rows(connection, "SELECT id, name, format FROM source") == [(1, "mpd", "mpd")]
    assert rows(connection, "SELECT id, name FROM title ORDER BY id") == [(1, "chill vibes"), (2, "🔥🔥")]
    assert rows(
        connection,
        "SELECT id, source_id, external_id, title_id, name, description, followers, snapshot, entries"
        " FROM playlist ORDER BY id",
    ) == [
        (1, 1, "0", 1, "Chill  Vibes!!", "sun & rain", 3, date(2017, 7, 1), 5),
        (2, 1, "1", 2, "🔥🔥", None, None, None, 1),
        (3, 1, "2", None, "", None, None, None, 0),
        (4, 1, "3", 1, "chill vibes", None, None, None, 1),
    ]
    assert rows(connection, PLACES) == [(1, 0, 1), (1, 1, 2), (1, 3, 3), (1, 4, 2), (2, 0, 2), (4, 0, 3)]
    assert rows(connection, TRACKS) == [
        (1, 1, "u:1", "Everything In Its Right Place", "Kid A", 251_000),
        (2, 2, "u:2", "Music Sounds Better With You", None, None),
        (3, 1, "u:3", "Everything In Its Right Place - Remastered 2009", None, None),
    ]
    assert rows(connection, SONGS) == [
        (1, "Radiohead", "Everything In Its Right Place", None),
        (2, "Stardust", "Music Sounds Better With You", None),
    ]
    assert rows(connection, SHARES) == [(1, "Radiohead", "main", 1.0), (2, "Stardust", "main", 1.0)]
    assert rows(connection, REJECTED) == [
        (str(slice_file), "playlists[0].tracks[2]", "track_name is empty"),
        (str(slice_file), "playlists[4]", "tracks is missing"),
    ]
    assert summary.counts == Counts(read=5, stored=4, rejected=1, entries_stored=6, entries_rejected=1)
    assert summary.reasons == {"track_name is empty": 1, "tracks is missing": 1}
    [(finished, counts)] = rows(connection, "SELECT finished_at IS NOT NULL, counts FROM ingest_run")
    assert finished
    assert counts == asdict(summary.counts)


def test_a_tracklist_becomes_these_rows(settings: Settings, connection: psycopg.Connection, tmp_path: Path) -> None:
    lines = [
        mix(
            "a",
            [
                played("Radiohead", "Everything In Its Right Place", cue="06:15"),
                played("ID", "ID", cue="1:00:00"),
                played("Ann", 12),
                played("Ann", "?"),
                played("", "Intro"),
                played("RADIOHEAD", "everything in its right place"),
            ],
            title="Night at the Cave",
            djs=["Bob", "Ann", "BOB"],
            date="2010-01-02",
            tags=["Techno", "Live"],
        ),
        mix("b", [], dj="Ann"),
    ]
    file = write_lines(tmp_path / "sets.jsonl", lines)
    summary = ingest(settings, "tracklists", [file])
    assert rows(connection, "SELECT id, external_id, title, played_on, tags, entries FROM tracklist ORDER BY 1") == [
        (1, "a", "Night at the Cave", date(2010, 1, 2), ["Techno", "Live"], 6),
        (2, "b", "", None, [], 0),
    ]
    assert rows(connection, PLAYED) == [
        (1, 0, 1, 375, None),
        (1, 1, None, 3600, "ID - ID"),
        (1, 3, None, None, "Ann - ?"),
        (1, 4, 2, None, None),
        (1, 5, 1, None, None),
    ]
    assert rows(connection, SONGS) == [
        (1, "Radiohead", "Everything In Its Right Place", None),
        (2, "", "Intro", None),
    ]
    assert rows(connection, "SELECT id, name FROM dj ORDER BY 1") == [(1, "Bob"), (2, "Ann")]
    assert rows(connection, "SELECT tracklist_id, position, dj_id FROM tracklist_dj ORDER BY 1, 2") == [
        (1, 0, 1),
        (1, 1, 2),
        (2, 0, 2),
    ]
    assert rows(connection, "SELECT count(*) FROM track") == [(0,)]
    assert rows(connection, REJECTED) == [(str(file), "line 1.tracks[2]", "title is not a text")]
    assert summary.counts == Counts(read=2, stored=2, entries_stored=3, entries_unidentified=2, entries_rejected=1)


def test_a_song_is_one_song_for_playlists_and_tracklists(
    settings: Settings, connection: psycopg.Connection, slice_file: Path, tmp_path: Path
) -> None:
    lines = [mix("a", [played("radiohead", "Everything in its right place"), played("Radiohead", "Idioteque")])]
    ingest(settings, "mpd", [slice_file])
    ingest(settings, "tracklists", [write_lines(tmp_path / "sets.jsonl", lines)])
    assert rows(connection, PLAYED) == [(1, 0, 1, None, None), (1, 1, 3, None, None)]
    assert rows(connection, SONGS)[2:] == [(3, "Radiohead", "Idioteque", None)]
    assert rows(connection, "SELECT name FROM artist ORDER BY id") == [("Radiohead",), ("Stardust",)]


def test_the_remixer_weighs_most_and_the_featured_least(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    dataset = [
        {
            "id": "mix1",
            "title": "2010-01-02 - Zoe @ Cave, Bern",
            "tags": [],
            "tracklist": [{"title": "A & B ft. C - Title (D Remix)"}],
        }
    ]
    (tmp_path / "djmix-dataset.json").write_text(json.dumps(dataset))
    ingest(settings, "djmix", [tmp_path])
    song = [played("A & B ft. C", "Other (D Remix)")]
    ingest(settings, "tracklists", [write_lines(tmp_path / "sets.jsonl", [mix("a", song)])])
    assert rows(connection, SONGS) == [(1, "A & B ft. C", "Title", "D Remix"), (2, "A & B ft. C", "Other", "D Remix")]
    shares = rows(connection, SHARES)
    # Free text is divided, parts 1 : 1 : 1/2 : 2. A structured source's one artist is not, parts 1 : 1/2 : 2.
    assert [share[:3] for share in shares] == [
        (1, "A", "main"),
        (1, "B", "main"),
        (1, "C", "featured"),
        (1, "D", "remixer"),
        (2, "C", "featured"),
        (2, "D", "remixer"),
        (2, "A & B", "main"),
    ]
    weights = [2 / 9, 2 / 9, 1 / 9, 4 / 9, 1 / 7, 4 / 7, 2 / 7]
    assert [share[3] for share in shares] == pytest.approx(weights, abs=1e-6)


def test_entries_without_a_uri_share_one_track_of_their_song(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    with_uri = entry("Daft Punk", "One More Time - Radio Edit", "u:9")
    first = playlist("p", "one", [entry("Daft Punk", "One More Time"), with_uri, entry("DAFT PUNK", "one more time")])
    second = playlist("q", "two", [entry("daft punk", "One More Time"), entry("ID", "ID"), entry("?", "One More Time")])
    summary = ingest(settings, "playlists", [write_lines(tmp_path / "p.jsonl", [first])])
    again = ingest(settings, "playlists", [write_lines(tmp_path / "q.jsonl", [second])])
    # New tracks with a URI come first, then those without.
    assert rows(connection, TRACKS)[:2] == [
        (1, 1, "u:9", "One More Time - Radio Edit", None, None),
        (2, 1, None, "One More Time", None, None),
    ]
    assert rows(connection, PLACES) == [(1, 0, 2), (1, 1, 1), (1, 2, 2), (2, 0, 2), (2, 2, 3)]
    assert summary.counts == Counts(read=1, stored=1, entries_stored=3)
    assert again.counts == Counts(read=1, stored=1, entries_stored=2, entries_unidentified=1)


def test_the_same_files_twice_change_nothing(
    settings: Settings, connection: psycopg.Connection, slice_file: Path, tmp_path: Path
) -> None:
    lines = [
        mix("a", [played("Radiohead", "Idioteque"), played("ID", "ID")], dj="Ann"),
        mix("a", [played("Stardust", "Music Sounds Better With You")], dj="Ann"),
        mix("b", [{"title": 3}]),
    ]
    states = [
        playlist("p", "one", [KID_A]),
        playlist("p", "one", [STARDUST]),
        playlist("p", "one", [REMASTER], date="2017-06-01"),
    ]
    loads = {
        "mpd": slice_file,
        "tracklists": write_lines(tmp_path / "sets.jsonl", lines),
        "playlists": write_lines(tmp_path / "states.jsonl", states),
    }
    first = {name: ingest(settings, name, [file]).counts for name, file in loads.items()}
    before = dump(connection)
    assert len(before["rejected_record"]) == 5
    again = {name: ingest(settings, name, [file]).counts for name, file in loads.items()}
    assert dump(connection) == before
    assert first["playlists"] == Counts(read=3, stored=1, replaced=1, rejected=1, entries_stored=1)
    for name, counts in again.items():
        was = first[name]
        assert (counts.read, counts.already_there) == (was.read, was.read - was.rejected)
        assert (counts.rejected, counts.entries_rejected) == (was.rejected, was.entries_rejected)


def test_what_replaces_a_list_leaves_nothing_of_it(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    file = tmp_path / "p.jsonl"
    write_lines(file, [playlist("p", "Old", [KID_A, STARDUST, KID_A]), playlist("q", "Same", [KID_A])])
    ingest(settings, "playlists", [file])
    write_lines(file, [playlist("p", "New", [STARDUST]), playlist("q", "Same", [KID_A])])
    summary = ingest(settings, "playlists", [file])
    assert rows(connection, PLACES) == [(1, 0, 2), (2, 0, 1)]
    assert rows(
        connection, "SELECT external_id, p.name, t.name FROM playlist AS p JOIN title AS t ON t.id = title_id"
    ) == [
        ("q", "Same", "same"),
        ("p", "New", "new"),
    ]
    assert summary.counts == Counts(read=2, replaced=1, already_there=1, entries_stored=1)

    sets = tmp_path / "sets.jsonl"
    ingest(settings, "tracklists", [write_lines(sets, [mix("a", [played("Ann", "A"), played("Ann", "B")], dj="Ann")])])
    ingest(settings, "tracklists", [write_lines(sets, [mix("a", [played("Ann", "B")], dj="Bob")])])
    assert rows(connection, "SELECT title FROM tracklist_track JOIN song ON song.id = song_id") == [("B",)]
    assert rows(connection, "SELECT tracklist_id, name FROM tracklist_dj JOIN dj ON dj.id = dj_id") == [(1, "Bob")]


def test_dated_states_in_any_order_end_in_the_same_lists(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    states = {
        "june": [playlist("p", "one", [KID_A], date="2017-06-01"), playlist("q", "two", [KID_A], date="2017-06-01")],
        "july": [
            playlist("p", "One!", [STARDUST], date="2017-07-01"),
            playlist("q", "two", [KID_A], date="2017-07-01"),
        ],
        "august": [playlist("p", "one", [STARDUST, KID_A], date="2017-08-01")],
    }
    files = {name: write_lines(tmp_path / f"{name}.jsonl", lists) for name, lists in states.items()}
    for number, order in enumerate(permutations(files.values())):
        source = f"source {number}"
        if number % 2:
            ingest(settings, "playlists", list(order), source=source)
        else:
            for file in order:
                ingest(settings, "playlists", [file], source=source)
        held = rows(
            connection,
            "SELECT external_id, name, snapshot, entries,"
            " array(SELECT uri FROM playlist_track JOIN track ON id = track_id"
            " WHERE playlist_id = p.id ORDER BY position) FROM playlist AS p"
            " WHERE source_id = (SELECT id FROM source WHERE name = %s) ORDER BY 1",
            source,
        )
        assert held == [
            ("p", "one", date(2017, 8, 1), 2, ["u:2", "u:1"]),
            ("q", "two", date(2017, 7, 1), 1, ["u:1"]),
        ]


def test_every_list_that_was_read_is_counted_once(settings: Settings, slice_file: Path, tmp_path: Path) -> None:
    ingest(settings, "playlists", [write_lines(tmp_path / "a.jsonl", [playlist("p", "one", [KID_A])])])
    lists: list[object] = [
        playlist("p", "one", [STARDUST, WITHOUT_TITLE, entry("ID", "ID")]),  # replaces what the last run stored
        playlist("q", "two", [KID_A]),  # new
        playlist("q", "two", [KID_A]),  # the same again
        playlist("q", "two", [STARDUST]),  # the same id, other content
        {"pid": "r", "name": "three"},  # no tracks
        "not an object",
    ]
    summary = ingest(settings, "playlists", [write_lines(tmp_path / "b.jsonl", lists)])
    assert summary.counts == Counts(
        read=6,
        stored=1,
        replaced=1,
        already_there=1,
        rejected=3,
        entries_stored=2,
        entries_unidentified=1,
        entries_rejected=1,
    )
    assert sum(summary.reasons.values()) == 4


def test_a_dry_run_counts_and_keeps_nothing(
    settings: Settings, connection: psycopg.Connection, slice_file: Path
) -> None:
    tried = ingest(settings, "mpd", [slice_file], dry_run=True)
    assert not any(dump(connection).values())
    assert rows(connection, "SELECT count(*) FROM ingest_run") == [(0,)]
    done = ingest(settings, "mpd", [slice_file])
    assert tried == done
    before = dump(connection)
    assert ingest(settings, "mpd", [slice_file], dry_run=True).counts.already_there == 4
    assert dump(connection) == before


def test_a_rejected_record_leaves_when_its_file_is_mended_and_loaded_again(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    broken, other = tmp_path / "mpd.slice.0-999.json", tmp_path / "mpd.slice.1000-1999.json"
    write_slice(tmp_path, 0, [playlist(0, "one", [WITHOUT_TITLE, KID_A]), {"pid": 1, "name": "two", "tracks": "none"}])
    write_slice(tmp_path, 1, [playlist(2, "three", [WITHOUT_TITLE])])
    ingest(settings, "mpd", [tmp_path])
    assert rows(connection, REJECTED) == [
        (str(broken), "playlists[0].tracks[0]", "track_name is empty"),
        (str(broken), "playlists[1]", "tracks is not a list"),
        (str(other), "playlists[0].tracks[0]", "track_name is empty"),
    ]
    write_slice(tmp_path, 0, [playlist(0, "one", [REMASTER, KID_A]), playlist(1, "two", [None])])
    ingest(settings, "mpd", [broken])
    assert rows(connection, REJECTED) == [
        (str(broken), "playlists[1].tracks[0]", "the entry is not an object"),
        (str(other), "playlists[0].tracks[0]", "track_name is empty"),
    ]
    assert rows(connection, "SELECT position, uri FROM playlist_track JOIN track ON id = track_id ORDER BY 1") == [
        (0, "u:3"),
        (1, "u:1"),
    ]


@pytest.fixture
def every_load_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    # The package's name `ingest` is the function, not its module.
    monkeypatch.setattr(importlib.import_module("recsys.catalog.upkeep"), "SMALL_LOAD", -1)


def stop_at(batch: int) -> Callable[[int, Counts], None]:
    """Interrupt a load after a number of batches."""
    seen = []

    def progress(bytes_read: int, _counts: Counts) -> None:
        seen.append(bytes_read)
        if len(seen) == batch:
            raise KeyboardInterrupt

    return progress


def test_a_small_load_keeps_the_indexes(settings: Settings, connection: psycopg.Connection, slice_file: Path) -> None:
    before = rows(connection, INDEXES)
    during: list[list[str]] = []
    ingest(settings, "mpd", [slice_file], progress=lambda *_: during.append(missing_indexes(connection)))
    assert during == [[]]
    assert rows(connection, INDEXES) == before


@pytest.mark.usefixtures("every_load_is_large")
def test_a_large_load_builds_the_indexes_afterwards(
    settings: Settings, connection: psycopg.Connection, slice_file: Path
) -> None:
    before = rows(connection, INDEXES)
    during: list[list[str]] = []
    ingest(settings, "mpd", [slice_file], progress=lambda *_: during.append(missing_indexes(connection)))
    assert {"playlist_track_track_id_idx", "tracklist_track_song_id_idx"} <= set(during[0])
    assert rows(connection, INDEXES) == before
    assert missing_indexes(connection) == []


@pytest.mark.usefixtures("every_load_is_large")
def test_after_an_interrupted_load_the_next_one_goes_on_and_builds_the_indexes(
    settings: Settings, connection: psycopg.Connection, slice_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(connection, INDEXES)
    write_slice(slice_file.parent, 1, [playlist(5, "more", [KID_A])])
    with pytest.raises(KeyboardInterrupt):
        ingest(settings, "mpd", [slice_file.parent], progress=stop_at(1))
    assert "playlist_track_track_id_idx" in missing_indexes(connection)
    assert rows(connection, "SELECT external_id FROM playlist ORDER BY id") == [("0",), ("1",), ("2",), ("3",)]
    monkeypatch.undo()
    summary = ingest(settings, "mpd", [slice_file.parent])
    assert rows(connection, INDEXES) == before
    assert summary.counts == Counts(read=6, stored=1, already_there=4, rejected=1, entries_stored=1, entries_rejected=1)
    assert rows(connection, "SELECT finished_at IS NULL FROM ingest_run ORDER BY id") == [(True,), (False,)]


@pytest.mark.usefixtures("every_load_is_large")
def test_a_load_leaves_the_indexes_of_others_alone(
    settings: Settings, connection: psycopg.Connection, slice_file: Path
) -> None:
    connection.execute("CREATE TABLE public.theirs (track_id int)")
    connection.execute("CREATE INDEX playlist_track_track_id_idx ON public.theirs (track_id)")
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            ingest(settings, "mpd", [slice_file], progress=stop_at(1))
    assert "playlist_track_track_id_idx" in missing_indexes(connection)
    assert rows(connection, "SELECT schemaname FROM pg_indexes WHERE indexname = 'playlist_track_track_id_idx'") == [
        ("public",)
    ]


def test_the_numbers_of_tracks_and_songs(settings: Settings, connection: psycopg.Connection, tmp_path: Path) -> None:
    lists = [
        playlist("p", "one", [KID_A, STARDUST]),
        playlist("q", "two", [REMASTER]),
        playlist("r", "three", [REMASTER, STARDUST]),
        playlist("s", "four", [entry("Stardust", "Music Sounds Better With You")]),
    ]
    sets = [
        mix("a", [played("Radiohead", "Everything In Its Right Place"), played("ID", "ID")]),
        mix("b", [played("Radiohead", "Everything In Its Right Place"), played("Radiohead", "Idioteque")]),
    ]
    ingest(settings, "playlists", [write_lines(tmp_path / "p.jsonl", lists)])
    ingest(settings, "tracklists", [write_lines(tmp_path / "sets.jsonl", sets)])
    assert rows(connection, "SELECT uri, playlists FROM track_stats JOIN track ON id = track_id ORDER BY id") == [
        ("u:1", 1),
        ("u:2", 2),
        ("u:3", 2),
        (None, 1),
    ]
    assert rows(
        connection,
        "SELECT s.title, t.uri, playlists, tracklists FROM song_stats AS h"
        " JOIN song AS s ON s.id = h.song_id LEFT JOIN track AS t ON t.id = h.track_id ORDER BY s.id",
    ) == [
        ("Everything In Its Right Place", "u:3", 3, 2),
        ("Music Sounds Better With You", "u:2", 3, 0),
        ("Idioteque", None, 0, 1),
    ]


def test_two_sources_may_have_the_same_id(settings: Settings, connection: psycopg.Connection, slice_file: Path) -> None:
    for name in ("one", "two"):
        assert ingest(settings, "mpd", [slice_file], source=name).counts.stored == 4
    assert rows(connection, "SELECT source_id FROM playlist WHERE external_id = '3' ORDER BY 1") == [(1,), (2,)]
    assert rows(connection, "SELECT source_id, place FROM rejected_record WHERE place = 'playlists[4]' ORDER BY 1") == [
        (1, "playlists[4]"),
        (2, "playlists[4]"),
    ]
    assert rows(connection, "SELECT count(*) FROM track") == [(3,)]


def test_a_source_keeps_its_format(settings: Settings, connection: psycopg.Connection, slice_file: Path) -> None:
    ingest(settings, "mpd", [slice_file], source="mine")
    before = dump(connection)
    file = write_lines(slice_file.parent / "p.jsonl", [playlist(0, "other", [KID_A])])
    with pytest.raises(SourceError, match="the source mine was loaded from the format mpd"):
        ingest(settings, "playlists", [file], source="mine")
    assert dump(connection) == before


def test_a_path_that_is_not_there_leaves_no_trace(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        ingest(settings, "mpd", [tmp_path / "nowhere"])
    assert rows(connection, "SELECT count(*) FROM source") == [(0,)]
    assert rows(connection, "SELECT count(*) FROM ingest_run") == [(0,)]


def test_csv_tables_become_playlists(settings: Settings, connection: psycopg.Connection, tmp_path: Path) -> None:
    (tmp_path / "playlists.csv").write_text("pid,name\n0,Road Trip\n1,sleep\n")
    (tmp_path / "tracks.csv").write_text("track_uri,track_name,artist_name\nu:a,Alpha,Ann\nu:b,Beta,Bob\n")
    (tmp_path / "items.csv").write_text("pid,pos,track_uri\n0,0,u:b\n0,1,u:z\n0,2,u:a\n")
    summary = ingest(settings, "csv", [tmp_path])
    assert rows(connection, "SELECT external_id, name, entries FROM playlist ORDER BY id") == [
        ("0", "Road Trip", 3),
        ("1", "sleep", 0),
    ]
    assert rows(connection, "SELECT position, uri FROM playlist_track JOIN track ON id = track_id ORDER BY 1") == [
        (0, "u:b"),
        (2, "u:a"),
    ]
    assert rows(connection, REJECTED) == [(str(tmp_path), "items.csv line 3", "track_uri is not in tracks.csv")]
    assert summary.counts == Counts(read=2, stored=2, entries_stored=2, entries_rejected=1)


def test_a_mix_of_djmix_is_a_tracklist_and_a_playlist(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    dataset = [
        {
            "id": "mix1",
            "title": "2010-01-02 - Zoe @ Cave, Bern (Night Radio)",
            "tags": [{"key": f"Category:{name}"} for name in ("Zoe", "Night Radio", "Techno")],
            "tracklist": [
                {"title": "[00] Radiohead - Everything In Its Right Place [Parlophone]"},
                {"title": "[06:15] ID - ID"},
                {"title": "Intro"},
                {"title": "Ann - Open"},
            ],
        }
    ]
    (tmp_path / "djmix-dataset.json").write_text(json.dumps(dataset))
    summary = ingest(settings, "djmix", [tmp_path])
    assert rows(connection, "SELECT external_id, title, played_on, entries FROM tracklist") == [
        ("mix1", "2010-01-02 - Zoe @ Cave, Bern (Night Radio)", date(2010, 1, 2), 4)
    ]
    assert rows(
        connection,
        "SELECT position, s.artist, s.title, cue_seconds, credit FROM tracklist_track"
        " LEFT JOIN song AS s ON s.id = song_id ORDER BY 1",
    ) == [
        (0, "Radiohead", "Everything In Its Right Place", 0, None),
        (1, None, None, 375, "ID - ID"),
        (2, "", "Intro", None, None),
        (3, "Ann", "Open", None, None),
    ]
    assert rows(connection, "SELECT external_id, name, entries FROM playlist") == [("mix1", "Night Radio Techno", 4)]
    assert rows(
        connection, "SELECT position, title, uri FROM playlist_track JOIN track ON id = track_id ORDER BY 1"
    ) == [(0, "Everything In Its Right Place", None), (3, "Open", None)]
    assert rows(connection, "SELECT name FROM dj") == [("Zoe",)]
    assert summary.counts == Counts(read=2, stored=2, entries_stored=5, entries_unidentified=1)


def test_a_second_writer_is_turned_away_and_may_come_back(
    settings: Settings, connection: psycopg.Connection, slice_file: Path
) -> None:
    with writer_lock(connection, settings.db_schema), pytest.raises(BusyError, match="wait for it to end"):
        ingest(settings, "mpd", [slice_file])
    assert not any(dump(connection).values())
    assert ingest(settings, "mpd", [slice_file]).counts.stored == 4
    with connect(settings) as other, writer_lock(other, settings.db_schema):
        pass
