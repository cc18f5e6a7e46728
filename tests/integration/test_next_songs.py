"""A recommender of next songs in the database: it is taken up once, and answers beginnings by their names."""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect
from recsys.errors import NotReadyError, SettingsError, SourceError, UnknownNameError
from recsys.sequences import next_answers
from recsys.sequences.imported_next import NextSummary, import_next_recommender
from recsys.sequences.next_answers import NextAnswer, next_songs
from recsys.sequences.next_channels import FEATURES
from recsys.sequences.next_folder import TrainedNext, load_next_recommender, train_next_recommender
from recsys.sequences.next_song import NextOptions
from recsys.sources import Entry, Tracklist
from recsys.tracklists.graph_snapshot import NO_DATE, load_graph_snapshot
from recsys.tracklists.prepare import GraphOptions, prepare_graph
from recsys.tracklists.running_order import UNKNOWN, Sets, load_running_order
from tests.worlds import rows, write_lines

LITTLE = NextOptions(trees=20, leaf_size=5, spans=4, span_lists=8, scattered=12, positions=100, others=20)
RING = 12
DAY = datetime.date(2019, 1, 1)


def title(number: int) -> str:
    return f"Été {number}" if number % RING == 3 else f"Song {number % RING}"


def artist(number: int) -> str:
    return f"Artist {number % RING // 3}"


def record(number: int, songs: Sequence[int], **more: object) -> dict[str, object]:
    return {
        "id": str(number),
        "dj": f"DJ {number % 3}",
        "title": f"{('Morning', 'Night')[number % 2]} Show {number}",
        "date": (DAY + datetime.timedelta(number)).isoformat(),
        "tracks": [{"title": title(song), "artists": [artist(song)]} for song in songs],
    } | more


RECORDS = [record(number, [(5 * number + place) % RING for place in range(7)]) for number in range(60)]
"""Each song is followed by the next one of a ring of twelve, by turns in two programmes and by three DJs."""

RARE = record(99, [], tracks=[{"title": "Rare", "artists": ["Artist 1"]}, {"title": "Song 0", "artists": ["Artist 0"]}])
"""Whose first song no other tracklist holds."""


def load(settings: Settings, folder: Path, tracklists: Sequence[dict[str, object]]) -> None:
    ingest(settings, "tracklists", [write_lines(folder / "lists.jsonl", tracklists)])


def train(settings: Settings, folder: Path, options: NextOptions = LITTLE, before: datetime.date | None = None) -> Path:
    prepare_graph(settings, folder / "graph", before=before, options=GraphOptions(least_information=1))
    snapshot, facts = load_graph_snapshot(folder / "graph")
    order = load_running_order(folder / "graph", facts.content_hash)
    train_next_recommender(snapshot, order, facts, folder / "trained", options)
    return folder / "trained"


@dataclass(frozen=True)
class World:
    """What is loaded, trained and imported, once for all tests that only read."""

    settings: Settings
    connection: psycopg.Connection
    folder: Path
    summary: NextSummary
    trained: TrainedNext

    def ask(self, *begun: Tracklist, k: int = 5) -> list[NextAnswer]:
        return list(next_songs(self.connection, begun, k))

    def row(self, table: str, name: str) -> int:
        column = "title" if table == "song" else "name"
        [(number,)] = rows(self.connection, f"SELECT id FROM {table} WHERE {column} = %s", name)
        among = {"song": self.trained.order.songs, "artist": self.trained.order.artists, "dj": self.trained.djs}[table]
        return among.tolist().index(number)


@pytest.fixture(scope="module")
def world(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    settings = Settings(DATABASE_URL=shared_database, home=folder / "home")
    load(settings, folder, [*RECORDS, RARE])
    trained = train(settings, folder)
    summary = import_next_recommender(settings, trained, name="mine")
    with connect(settings, autocommit=True) as connection:
        yield World(settings, connection, trained, summary, load_next_recommender(trained))


@pytest.fixture
def loaded(settings: Settings, tmp_path: Path) -> Settings:
    """A database of a test's own with the same rows, in which nothing is imported; `world.folder` fits it."""
    load(settings, tmp_path, [*RECORDS, RARE])
    return settings


def begun(
    *songs: tuple[str, str] | None, dj: str = "", title: str = "", day: datetime.date | None = None, name: str = "1"
) -> Tracklist:
    entries = [None if song is None else Entry(song[1], song[0], artists=(song[0],)) for song in songs]
    return Tracklist(name, title, (dj,) if dj else (), entries, "file", "line 1", day)


def ring(*numbers: int) -> list[tuple[str, str]]:
    return [(artist(number), title(number)) for number in numbers]


def names(answer: NextAnswer) -> list[str]:
    return [track.full_title for track in answer.tracks]


def test_a_summary_tells_what_was_taken_up(world: World) -> None:
    summary = world.summary
    assert (summary.name, summary.before) == ("mine", None)
    assert (summary.songs, summary.tracklists) == (RING, len(RECORDS) + 1)
    assert summary.folder == world.settings.models_folder / "next" / world.settings.db_schema / "mine"
    assert load_next_recommender(summary.folder).facts == world.trained.facts
    [model] = rows(world.connection, "SELECT kind, name, base, dimension, fingerprint, is_current, config FROM model")
    assert model[:4] == ("next-song", "mine", "next", len(FEATURES))
    assert model[4:6] == (world.trained.facts.content_hash, True)
    assert model[6]["trees"] == LITTLE.trees


@pytest.mark.parametrize("first", range(RING))
def test_songs_of_the_ring_are_followed_by_the_next_one(world: World, first: int) -> None:
    [answer] = world.ask(begun(*ring(first, first + 1, first + 2)))
    assert answer.known_tracks == 3
    assert len(answer.tracks) == 5
    assert names(answer)[0] == title(first + 3)
    assert answer.tracks[0].artists == [artist(first + 3)]
    assert not set(names(answer)) & {name for _, name in ring(first, first + 1, first + 2)}
    scores = [track.score for track in answer.tracks]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] <= scores[0] < 1


def test_names_are_read_by_their_keys(world: World) -> None:
    plain = begun(("Artist 1", "Été 3"), ("Artist 1", "Song 4"), dj="DJ 1", title="Morning Show 8", day=DAY)
    other = begun(("ARTIST  1", "ete 3"), ("artist 1", "SONG 4!"), dj="dj 1", title="MORNING show (2023)", day=DAY)
    [one, same] = world.ask(plain, other)
    assert one == same
    assert one.known_tracks == 2
    assert names(one)[0] == "Song 5"


def test_versions_are_shown_with_their_titles(loaded: Settings, connection: psycopg.Connection, tmp_path: Path) -> None:
    remix = {"title": "Anthem (Bob Remix)", "artists": ["Zed", "Ann"]}
    lists = [record(200 + number, [], tracks=[{"title": "Start", "artists": ["Cid"]}, remix]) for number in range(30)]
    load(loaded, tmp_path, [*RECORDS, *lists])
    import_next_recommender(loaded, train(loaded, tmp_path))
    [answer] = next_songs(connection, [begun(("Cid", "Start"))], 1)
    [track] = answer.tracks
    assert track.full_title == "Anthem (Bob Remix)"
    assert track.artists == ["Zed", "Ann"]


def as_sets(world: World, *asked: Tracklist) -> Sets:
    return next_answers._as_sets(world.connection, world.trained, asked)


def test_whatever_is_known_of_a_beginning_is_told(world: World) -> None:
    sets = as_sets(
        world,
        begun(*ring(1, 4), dj="DJ 2", title="Night Show 77", day=datetime.date(1970, 1, 11)),
        begun(("Artist 1", "Never Heard"), ("Nobody", "Song 0"), ("Artist 1", "Rare")),
        begun(dj="Nobody", title="Never On Air 3"),
        begun(None, ("ID", "ID"), *ring(5), ("", "?"), ("Artist 0", "")),
        begun(("", "Song 2"), dj="DJ 0", title="morning show"),
    )
    songs = [world.row("song", title(number)) for number in (1, 4, 5)]
    artists = [world.row("artist", f"Artist {number}") for number in range(2)]
    assert sets.lengths.tolist() == [2, 3, 0, 1, 1]
    # Rare is in one tracklist alone and has no row; an unknown song of a known artist tells of that artist.
    assert sets.songs.tolist() == [songs[0], songs[1], -1, -1, -1, songs[2], -1]
    assert sets.artists.tolist() == [artists[0], artists[1], artists[1], -1, artists[1], artists[1], -1]
    assert sets.djs.tolist() == [world.row("dj", "DJ 2"), -1, -1, -1, world.row("dj", "DJ 0")]
    assert [world.trained.order.programmes[row] if row >= 0 else "" for row in sets.programmes] == [
        "night show", "", "", "", "morning show",
    ]  # fmt: skip
    assert sets.days.tolist() == [10, NO_DATE, NO_DATE, NO_DATE, NO_DATE]


def test_it_answers_what_the_model_says(world: World) -> None:
    asked = (
        begun(*ring(1, 4), dj="DJ 2", title="Night Show 77", day=DAY + datetime.timedelta(30)),
        begun(("Artist 1", "Never Heard")),
        begun(),
    )
    made = world.trained.recommender.next(as_sets(world, *asked), 20)
    titles = dict(rows(world.connection, "SELECT id, title FROM song"))
    for row, answer in enumerate(world.ask(*asked, k=20)):
        there = made.songs[row][made.songs[row] != UNKNOWN]
        assert names(answer) == [titles[number] for number in world.trained.order.songs[there].tolist()]
        assert [track.score for track in answer.tracks] == made.scores[row][: len(there)].tolist()
    # There are twelve songs of two tracklists and more: all are answered but those of the beginning.
    assert [len(answer.tracks) for answer in world.ask(*asked, k=20)] == [10, 12, 12]


def test_what_is_unknown_is_answered_still(world: World) -> None:
    answers = world.ask(
        begun(("Nobody", "Never Heard"), dj="Nobody", title="Never On Air", day=datetime.date(1, 1, 1), name="x"),
        begun(name="y", day=datetime.date(9999, 12, 31)),
        begun(None, None, name="z"),
        begun(*ring(*range(RING)), name="all"),
    )
    assert [answer.id for answer in answers] == ["x", "y", "z", "all"]
    assert [len(answer.tracks) for answer in answers] == [5, 5, 5, 0]
    assert [answer.known_tracks for answer in answers] == [0, 0, 0, RING]


def test_a_long_beginning_is_not_answered_with_its_first_songs(world: World) -> None:
    [answer] = world.ask(begun(*ring(0, 1, *[5] * 20, 2, 3)), k=20)
    assert set(names(answer)) == {title(number) for number in (4, 6, 7, 8, 9, 10, 11)}


def test_how_many_are_looked_up_at_once_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [begun(*ring(number, number + 1), dj=f"DJ {number % 4}", name=str(number)) for number in range(7)]
    whole = world.ask(*asked)
    monkeypatch.setattr(next_answers, "AT_ONCE", 2)
    assert world.ask(*asked) == whole
    assert [answer.id for answer in whole] == [str(number) for number in range(7)]
    assert world.ask() == []


def test_the_same_again_is_one_model(loaded: Settings, connection: psycopg.Connection, world: World) -> None:
    first = import_next_recommender(loaded, world.folder)
    second = import_next_recommender(loaded, world.folder)
    assert (first.model_id, first.name) == (second.model_id, "trained")
    # What was copied can be taken up from where it lies.
    assert import_next_recommender(loaded, first.folder).model_id == first.model_id
    assert len(rows(connection, "SELECT * FROM model")) == 1


def test_two_models_answer_by_their_names(
    loaded: Settings, connection: psycopg.Connection, world: World, tmp_path: Path
) -> None:
    import_next_recommender(loaded, world.folder, name="whole")
    old = train(loaded, tmp_path, before=DAY + datetime.timedelta(40))
    summary = import_next_recommender(loaded, old, name="old")
    assert (summary.before, summary.tracklists) == ("2019-02-10", 40)
    asked = [begun(*ring(4, 5), dj="DJ 1", day=DAY + datetime.timedelta(59))]
    answers = {name: list(next_songs(connection, asked, 4, model=name)) for name in ("whole", "old", None)}
    assert answers["old"] == answers[None] != answers["whole"]
    with pytest.raises(UnknownNameError, match="no recommender of next songs is called 'new'; there are: old, whole"):
        list(next_songs(connection, asked, 4, model="new"))
    current = "SELECT name FROM model WHERE is_current"
    assert rows(connection, current) == [("old",)]
    import_next_recommender(loaded, world.folder, name="whole")
    assert rows(connection, current) == [("whole",)]
    assert list(next_songs(connection, asked, 4)) == answers["whole"]
    # Another one of the same name takes its place.
    import_next_recommender(loaded, old, name="whole")
    assert [name for (name,) in rows(connection, "SELECT name FROM model ORDER BY name")] == ["whole"]
    assert list(next_songs(connection, asked, 4)) == answers["old"]


def test_what_was_trained_on_another_database_is_refused(
    settings: Settings, connection: psycopg.Connection, world: World, tmp_path: Path
) -> None:
    for lists in ([], RECORDS[::-1]):
        load(settings, tmp_path, lists)
        with pytest.raises(SourceError, match="was trained on another database: its songs and DJs are not those"):
            import_next_recommender(settings, world.folder)
    assert rows(connection, "SELECT * FROM model") == []
    assert not (settings.models_folder / "next").exists()


def test_a_name_that_cannot_be_one_is_refused(world: World) -> None:
    with pytest.raises(SettingsError, match="cannot name a model"):
        import_next_recommender(world.settings, world.folder, name="a b")


def test_without_a_model_it_says_what_to_run(connection: psycopg.Connection) -> None:
    with pytest.raises(NotReadyError, match=r"there is no .*: run `recsys tracklists prepare`") as error:
        list(next_songs(connection, [begun()]))
    assert "--model next" in str(error.value)
    with pytest.raises(UnknownNameError, match="no recommender of next songs is called 'mine'"):
        list(next_songs(connection, [begun()], model="mine"))


def test_a_folder_that_is_gone_says_to_import_it_again(
    loaded: Settings, connection: psycopg.Connection, world: World
) -> None:
    summary = import_next_recommender(loaded, world.folder, name="lost")
    for file in summary.folder.iterdir():
        file.unlink()
    with pytest.raises(NotReadyError, match="gone or damaged: run `recsys model import` again"):
        list(next_songs(connection, [begun()]))
    import_next_recommender(loaded, world.folder, name="lost")
    [answer] = next_songs(connection, [begun(*ring(0, 1))], 1)
    assert names(answer) == [title(2)]


def test_tracklists_that_are_loaded_later_do_not_change_the_answer(
    loaded: Settings, connection: psycopg.Connection, world: World, tmp_path: Path
) -> None:
    import_next_recommender(loaded, world.folder)
    asked = [begun(*ring(0, 1), dj="DJ 1", day=DAY)]
    before = list(next_songs(connection, asked, 12))
    load(loaded, tmp_path, [*RECORDS, RARE, *(record(300 + number, [9, 0, 9]) for number in range(9))])
    assert list(next_songs(connection, asked, 12)) == before
    import_next_recommender(loaded, world.folder)
    assert list(next_songs(connection, asked, 12)) == before
    assert np.isfinite([track.score for track in before[0].tracks]).all()
