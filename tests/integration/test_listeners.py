"""What people like and dislike: kept, replaced, read from files, and forgotten with every row."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from recsys.catalog import (
    Excluded,
    NamedListener,
    add_listener,
    find_artist,
    find_listener,
    find_song,
    forget_listener,
    ingest,
    likes_of_file,
    list_listeners,
    rate,
    ratings_of,
    take_back,
    taste_of,
)
from recsys.catalog.listeners import ARTIST_SONGS
from recsys.config import Settings
from recsys.database import connect
from recsys.errors import SettingsError, UnknownNameError
from recsys.sources import FORMATS, csv_with_columns
from tests.worlds import dump, entry, playlist, rows, write_lines

PLAYLISTS = [
    playlist(1, "one", [entry("Ann", "Alpha", "spotify:track:a"), entry("Ann", "Beta"), entry("Dot feat. Ann", "Eps")]),
    playlist(2, "two", [entry("Ann", "Beta"), entry("Bob", "Gamma"), entry("Bob", "Gamma (Ann Remix)")]),
    playlist(3, "Eve", [entry("Eve", f"Song {number}") for number in range(ARTIST_SONGS + 3)]),
]


@dataclass(frozen=True)
class World:
    """A catalogue without listeners; each test begins and forgets its own."""

    connection: psycopg.Connection

    def listener(self, name: str) -> NamedListener:
        add_listener(self.connection, name)
        return find_listener(self.connection, name)

    def song(self, text: str) -> int:
        return find_song(self.connection, text).id

    def artist(self, name: str) -> int:
        return find_artist(self.connection, name).id


@pytest.fixture(scope="module")
def loaded(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("listeners")
    settings = Settings(DATABASE_URL=shared_database, home=folder)
    ingest(settings, "playlists", [write_lines(folder / "playlists.jsonl", PLAYLISTS)])
    with connect(settings, autocommit=True) as connection:
        yield World(connection)


@pytest.fixture
def world(loaded: World) -> Iterator[World]:
    yield loaded
    loaded.connection.execute("DELETE FROM listener")


def test_a_listener_is_added_once_and_found_by_name(world: World) -> None:
    assert add_listener(world.connection, "Zoë")
    assert add_listener(world.connection, "ann")
    assert not add_listener(world.connection, "Zoë")
    assert find_listener(world.connection, "Zoë").name == "Zoë"
    with pytest.raises(UnknownNameError, match="no listener is called 'anna'; the nearest are: \"ann\""):
        find_listener(world.connection, "anna")
    for name in ("", " ", "a\x00b", "a\ud800b", "a\nb", " ann", "x" * 201):
        with pytest.raises(SettingsError, match="up to 200 printable characters"):
            add_listener(world.connection, name)
        with pytest.raises(UnknownNameError, match="no listener is called"):
            find_listener(world.connection, name)


def test_what_is_said_last_of_a_song_or_an_artist_holds(world: World) -> None:
    zoe, alpha, ann = world.listener("Zoë"), world.song("Ann - Alpha"), world.artist("Ann")
    assert rate(world.connection, zoe, {alpha: 1.0}, {ann: 2.0}) == 2
    assert rate(world.connection, zoe, {alpha: 1.0}, {ann: 2.0}) == 0
    assert rate(world.connection, zoe, {alpha: -1.0}, {ann: 3.0}) == 2
    assert taste_of(world.connection, zoe).disliked == Excluded([alpha], [])
    rate(world.connection, zoe, {alpha: 0.5}, {ann: -1.0})
    taste = taste_of(world.connection, zoe)
    assert (taste.likes, taste.named, taste.disliked) == ({alpha: 0.5}, {alpha}, Excluded([], [ann]))
    assert [(one.kind, one.artist, one.full_title, one.score) for one in ratings_of(world.connection, zoe)] == [
        ("song", "Ann", "Alpha", 0.5),
        ("artist", "Ann", None, -1),
    ]


def test_a_liked_artist_stands_for_his_most_held_songs_which_share_his_score(world: World) -> None:
    zoe = world.listener("Zoë")
    alpha, beta = world.song("Ann - Alpha"), world.song("Ann - Beta")
    rate(world.connection, zoe, {alpha: 3.0}, {world.artist("Ann"): 1.0, world.artist("Eve"): 5.0})
    taste = taste_of(world.connection, zoe)
    # Where she is featured, and her remix, are not hers alone.
    eve = {world.song(f"Eve - Song {number}"): 5 / ARTIST_SONGS for number in range(ARTIST_SONGS)}
    assert taste.likes == pytest.approx({alpha: 3.5, beta: 0.5} | eve)
    assert taste.named == {alpha}
    rate(world.connection, zoe, {beta: -1.0}, {})
    assert beta not in taste_of(world.connection, zoe).likes


def test_listeners_are_apart_and_counted(world: World) -> None:
    zoe, max_ = world.listener("Zoë"), world.listener("Max")
    rate(world.connection, zoe, {world.song("Ann - Alpha"): 1.0, world.song("Ann - Beta"): -2.0}, {})
    rate(world.connection, max_, {world.song("Ann - Alpha"): -1.0}, {world.artist("Bob"): -1.0})
    counted = [
        (one.name, one.liked_songs, one.disliked_songs, one.liked_artists, one.disliked_artists)
        for one in list_listeners(world.connection)
    ]
    assert counted == [("Max", 0, 1, 0, 1), ("Zoë", 1, 1, 0, 0)]
    assert taste_of(world.connection, max_).likes == {}


def test_single_scores_are_taken_back(world: World) -> None:
    zoe, max_ = world.listener("Zoë"), world.listener("Max")
    alpha, beta, bob = world.song("Ann - Alpha"), world.song("Ann - Beta"), world.artist("Bob")
    for listener in (zoe, max_):
        rate(world.connection, listener, {alpha: 1.0, beta: 1.0}, {bob: -1.0})
    assert take_back(world.connection, zoe, [alpha, world.song("Bob - Gamma")], [bob]) == 2
    assert [one.id for one in ratings_of(world.connection, zoe)] == [beta]
    assert len(ratings_of(world.connection, max_)) == 3


def rows_of_listeners(connection: psycopg.Connection) -> dict[str, list[int]]:
    """The listeners in every table that can name one, by ids."""
    tables = rows(
        connection,
        "SELECT table_name::text, column_name::text FROM information_schema.columns JOIN information_schema.tables"
        " USING (table_schema, table_name) WHERE table_schema = 'recsys' AND table_type = 'BASE TABLE'"
        " AND (column_name LIKE '%%listener%%' OR (table_name = 'listener' AND column_name = 'id'))",
    )
    return {table: [row[0] for row in rows(connection, f"SELECT {column} FROM {table}")] for table, column in tables}


def test_forgetting_leaves_no_row_of_a_person_and_all_of_the_others(world: World) -> None:
    zoe, max_ = world.listener("Zoë"), world.listener("Max")
    catalogue = dump(world.connection)
    for listener in (zoe, max_):
        rate(world.connection, listener, {world.song("Ann - Alpha"): 1.0}, {world.artist("Bob"): -1.0})
    there = rows_of_listeners(world.connection)
    assert len(there) == 3
    assert all(sorted(ids) == [zoe.id, max_.id] for ids in there.values())
    assert forget_listener(world.connection, zoe) == (1, 1)
    assert set(map(tuple, rows_of_listeners(world.connection).values())) == {(max_.id,)}
    assert dump(world.connection) == catalogue
    with pytest.raises(UnknownNameError):
        find_listener(world.connection, "Zoë")
    assert taste_of(world.connection, world.listener("Zoë")).likes == {}


def test_what_comes_late_of_somebody_who_was_forgotten_is_nobody_elses(world: World) -> None:
    gone = world.listener("gone")
    forget_listener(world.connection, gone)
    next_one = world.listener("next one")
    assert next_one.id == gone.id
    with pytest.raises(UnknownNameError, match="gone was forgotten meanwhile"):
        rate(world.connection, gone, {world.song("Ann - Alpha"): 1}, {})
    assert ratings_of(world.connection, next_one) == []


def test_no_view_and_no_function_reads_of_listeners(world: World) -> None:
    readers = r"""
    SELECT viewname::text FROM pg_views WHERE schemaname = 'recsys' AND definition ~ 'listener'
     UNION ALL SELECT matviewname FROM pg_matviews WHERE schemaname = 'recsys' AND definition ~ 'listener'
     UNION ALL SELECT proname FROM pg_proc
                WHERE pronamespace = 'recsys'::regnamespace AND prosrc ~* 'listener_|(from|join)\s+listener'
    """
    assert rows(world.connection, readers) == []


def write_file(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


JSPF = {
    "playlist": {
        "title": "mine",
        "track": [
            {"title": "renamed", "creator": "Whoever", "identifier": ["spotify:track:a"]},
            {"title": "Gamma (Ann Remix)", "creator": "Bob"},
            {"title": "Nothing", "creator": "Nobody"},
        ],
    }
}
XSPF = """<playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList>
<track><title>Alpha</title><creator>Ann</creator></track>
<track><title>Gamma (Ann Remix)</title><creator>bob</creator></track>
<track><title>Nothing</title><creator>Nobody</creator></track></trackList></playlist>"""
SPOTIFY = {
    "playlists": [
        {
            "name": name,
            "lastModifiedDate": "2024-01-01",
            "items": [
                {"track": {"trackName": "Alpha", "artistName": "Ann", "trackUri": "spotify:track:other"}},
                {"track": {"trackName": song, "artistName": artist}},
            ],
        }
        for name, artist, song in (("a", "Bob", "Gamma - Ann Remix"), ("b", "Nobody", "Nothing"))
    ]
}
FILES = {
    "m3u": "#EXTINF:1,Ann - Alpha\n./a.mp3\n#EXTINF:1,Bob - Gamma (Ann Remix)\n./b.mp3\nNobody - Nothing.mp3\n",
    "jspf": json.dumps(JSPF),
    "xspf": XSPF,
    "spotify": json.dumps(SPOTIFY),
    "csv": "artist,title\nAnn,Alpha\nBob,Gamma (Ann Remix)\nNobody,Nothing\n",
}


@pytest.mark.parametrize("format_", FILES)
def test_files_of_players_are_likes_of_what_is_known(world: World, tmp_path: Path, format_: str) -> None:
    """An entry is known by its URI, or else by its names; nothing is added to the catalogue."""
    catalogue = dump(world.connection)
    file = write_file(tmp_path, f"mine.{format_}", FILES[format_])
    read_as = csv_with_columns({"title": "title", "artist": "artist"}) if format_ == "csv" else FORMATS[format_]
    found = likes_of_file(world.connection, read_as, file)
    twice = 2.0 if format_ == "spotify" else 1.0
    assert found.scores == {world.song("Ann - Alpha"): twice, world.song("Bob - Gamma (Ann Remix)"): 1.0}
    assert found.unknown == ["Nobody - Nothing"]
    assert found.rejected == []
    zoe = world.listener("Zoë")
    assert rate(world.connection, zoe, found.scores, {}) == 2
    assert rate(world.connection, zoe, likes_of_file(world.connection, read_as, file).scores, {}) == 0
    assert dump(world.connection) == catalogue


def test_what_cannot_be_read_or_was_never_identified_is_no_like(world: World, tmp_path: Path) -> None:
    file = write_file(tmp_path, "mine.csv", "artist,title\nAnn,Alpha\n,Beta\nID,ID\n")
    found = likes_of_file(world.connection, csv_with_columns({"title": "title", "artist": "artist"}), file)
    assert (found.scores, found.unknown) == ({world.song("Ann - Alpha"): 1.0}, [])
    assert [(one.place, one.reason) for one in found.rejected] == [("line 3", "the artist is missing")]
