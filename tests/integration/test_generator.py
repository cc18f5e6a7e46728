"""A sequence model in the database: taken up once, its clusters as rows, candidates by one statement, and lists."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
import pytest

from recsys.catalog import ingest
from recsys.catalog.find import NamedDj, find_dj, find_song
from recsys.config import Settings
from recsys.database import connect, read_arrays
from recsys.errors import NotReadyError, SettingsError, SourceError, UnknownNameError
from recsys.sequences.candidates import Liking, read_candidates
from recsys.sequences.clusters import TOP, draw_songs, song_clusters
from recsys.sequences.generate import Wanted
from recsys.sequences.imported import SequenceSummary, import_sequence_model, models_folder
from recsys.sequences.levels import Knobs
from recsys.sequences.lists import (
    GeneratedLists,
    generate_lists,
    liking_of_dj,
    loaded_model,
    require_known,
    title_seeds,
)
from recsys.sequences.sequence_model import TrainedSequence, load_sequence_model, train_sequence_model
from recsys.sequences.sequence_options import SequenceOptions
from recsys.titles import Filters, embed_titles
from recsys.tracklists.prepare import GraphOptions, prepare_graph
from tests.scenes import DJS, SONGS, records, scene_of, scene_sets, song
from tests.worlds import entry, playlist, rows, write_lines

pytestmark = pytest.mark.usefixtures("one_thread")

SETS = scene_sets()
LITTLE = SequenceOptions(epochs=2, width=16, batch_size=64, djs=True, device="cpu")
ACAPELLA = {"title": "House Song 0 (Acapella)", "artists": ["House Act 0"]}
LATE, STRANGER = "Ivy Dawn", "Jack Null"
LATER = [
    {"id": "l1", "dj": LATE, "date": "2021-01-01", "tracks": [song(0), song(1), song(0)]},
    {"id": "l2", "dj": STRANGER, "date": "2021-01-01", "tracks": [{"title": "Unheard", "artists": ["Nobody"]}]},
]
"""Loaded when all is trained."""


def early() -> list[dict[str, object]]:
    """The scenes' tracklists; one DJ's all begin with an acapella, too."""
    made = records(SETS)
    for record in made:
        if record["dj"] == DJS[0]:
            record["tracks"] = [ACAPELLA, *record["tracks"]]  # type: ignore[misc]
    return made


PLAYLISTS = [
    playlist("1", "house party", [entry(f"House Act {n // 3}", f"House Song {n}") for n in range(5)]),
    playlist("2", "elsewhere", [entry("Nobody", "Unheard")]),
]


def load(settings: Settings, folder: Path, tracklists: list[dict[str, object]]) -> None:
    ingest(settings, "tracklists", [write_lines(folder / "lists.jsonl", tracklists)])


def train(settings: Settings, folder: Path, options: SequenceOptions = LITTLE) -> Path:
    prepare_graph(settings, folder / "graph", options=GraphOptions(least_information=0))
    train_sequence_model(folder / "graph", folder / "trained", options)
    return folder / "trained"


@dataclass(frozen=True)
class World:
    """What is loaded, trained and imported, once for all tests that only read."""

    settings: Settings
    connection: psycopg.Connection
    folder: Path
    summary: SequenceSummary
    trained: TrainedSequence

    def ids(self, *titles: str) -> list[int]:
        return [find_song(self.connection, title).id for title in titles]

    def dj(self, name: str) -> NamedDj:
        return find_dj(self.connection, name)

    def embeddings(self) -> dict[int, np.ndarray]:
        query = "SELECT song_id, embedding::real[] FROM song_embedding WHERE model_id = %s"
        return {song_id: np.array(vector) for song_id, vector in rows(self.connection, query, self.summary.model_id)}

    def lists(self, liking: Liking, **wanted: object) -> GeneratedLists:
        return generate_lists(self.connection, liking, Wanted(**wanted))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def world(
    shared_database: str, home: Path, encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    settings = Settings(DATABASE_URL=shared_database, home=home, encoder=str(encoder_folder))
    load(settings, folder, early())
    trained = train(settings, folder)
    summary = import_sequence_model(settings, trained, name="mine")
    load(settings, folder, [*early(), *LATER])
    ingest(settings, "playlists", [write_lines(folder / "playlists.jsonl", PLAYLISTS)])
    embed_titles(settings)
    with connect(settings, autocommit=True) as connection:
        yield World(settings, connection, trained, summary, load_sequence_model(trained))


# --- taken up --------------------------------------------------------------------------------------------------


def test_a_summary_tells_what_was_taken_up(world: World) -> None:
    summary = world.summary
    assert (summary.name, summary.model, summary.before) == ("mine", "lstm, hierarchy", None)
    assert (summary.songs, summary.djs) == (2 * SONGS + 1, len(DJS))
    assert summary.clusters == world.trained.model.sizes == (8, 4, 2)
    assert summary.folder == models_folder(world.settings) / "mine"
    [facts] = rows(world.connection, "SELECT kind, base, fingerprint FROM model WHERE id = %s", summary.model_id)
    assert facts == ("tracklist-model", "lstm, hierarchy", world.trained.facts.content_hash)


def test_songs_have_the_likeliest_clusters_of_the_model_as_rows(world: World) -> None:
    found: dict[tuple[int, int], list[tuple[int, float]]] = defaultdict(list)
    query = "SELECT song_id, level, cluster, probability FROM song_cluster WHERE model_id = %s ORDER BY 4 DESC, 3"
    for song_id, level, cluster, probability in rows(world.connection, query, world.summary.model_id):
        found[song_id, level].append((cluster, probability))
    assert len(found) == 3 * (2 * SONGS + 1)
    for level in range(3):
        assigned = world.trained.model.assignments(level).toarray()
        for row, song_id in enumerate(world.trained.songs.tolist()):
            order = sorted(range(assigned.shape[1]), key=lambda cluster: (-assigned[row, cluster], cluster))
            kept = [cluster for place, cluster in enumerate(order[:3]) if not place or assigned[row, cluster] >= 0.05]
            expected = [(cluster, pytest.approx(assigned[row, cluster], abs=1e-6)) for cluster in kept]
            assert found[song_id, level] == expected


def test_clusters_are_counted_with_their_songs_and_artists(world: World) -> None:
    """By loops over the likeliest cluster of each song and over the tracklists."""
    plays = Counter(
        (track["title"].removesuffix(" (Acapella)"), "Acapella" in track["title"])
        for record in [*early(), *LATER]
        for track in record["tracks"]  # type: ignore[attr-defined]
    )
    named = {
        song_id: (artist, title, version)
        for song_id, artist, title, version in rows(world.connection, "SELECT id, artist, title, version FROM song")
    }
    songs = world.trained.songs.tolist()
    likeliest = [world.trained.model.assignments(level).toarray().argmax(axis=1).tolist() for level in range(3)]
    found = song_clusters(world.connection, world.summary.model_id)
    assert [c.level for c in found] == sorted((c.level for c in found), reverse=True)
    assert {(c.level, c.cluster) for c in found} == {
        (level, cluster) for level in range(3) for cluster in likeliest[level]
    }
    for cluster in found:
        members = [row for row in range(len(songs)) if likeliest[cluster.level][row] == cluster.cluster]
        assert cluster.songs == len(members)
        by_song = {songs[row]: plays[named[songs[row]][1], named[songs[row]][2] is not None] for row in members}
        assert cluster.plays == sum(by_song.values())
        order = sorted(by_song, key=lambda song_id: (-by_song[song_id], song_id))[:5]
        shown = [f"{a} - {t}" + (f" ({v})" if v else "") for a, t, v in (named[song_id] for song_id in order)]
        assert cluster.top_songs == shown
        by_artist: Counter[str] = Counter()
        for song_id, count in by_song.items():
            by_artist[named[song_id][0]] += count
        assert sorted(by_artist.values(), reverse=True)[:5] == [by_artist[name] for name in cluster.top_artists]
        if cluster.level == TOP:
            assert cluster.parent is None
        else:
            parents = Counter(likeliest[cluster.level + 1][row] for row in members)
            assert parents[cluster.parent] == max(parents.values())
    top = song_clusters(world.connection, world.summary.model_id, TOP)
    assert top == [cluster for cluster in found if cluster.level == TOP]


def test_a_dj_is_the_mean_of_the_songs_that_he_played(world: World) -> None:
    vectors = world.embeddings()
    query = "SELECT dj_id, embedding::real[] FROM dj_embedding WHERE model_id = %s"
    found = dict(rows(world.connection, query, world.summary.model_id))
    ids = dict(rows(world.connection, "SELECT title || coalesce(' (' || version || ')', ''), id FROM song"))
    for name in DJS:
        played = [
            vectors[ids[track["title"]]]
            for record in early()
            if record["dj"] == name
            for track in record["tracks"]  # type: ignore[attr-defined]
        ]
        mean = np.mean(played, axis=0)
        np.testing.assert_allclose(found[world.dj(name).id], mean / np.linalg.norm(mean), atol=1e-5)
    assert len(found) == len(DJS), "who came later is none of the model's"


def test_the_same_model_again_is_one_and_another_of_its_name_takes_its_place(
    settings: Settings, connection: psycopg.Connection, world: World, tmp_path: Path
) -> None:
    load(settings, tmp_path, early())
    first = import_sequence_model(settings, world.folder, name="mine")
    tables = ("song_embedding", "dj_embedding", "song_membership")
    stored = [rows(connection, f"SELECT * FROM {name} ORDER BY 1, 2") for name in tables]
    assert all(stored)
    again = import_sequence_model(settings, first.folder, name="mine")
    assert again.model_id == first.model_id
    assert [rows(connection, f"SELECT * FROM {name} ORDER BY 1, 2") for name in tables] == stored
    other = import_sequence_model(settings, train(settings, tmp_path, SequenceOptions(**vars(LITTLE) | {"seed": 1})))
    assert other.name == "trained"
    assert rows(connection, "SELECT name, is_current FROM model ORDER BY id") == [("mine", False), ("trained", True)]
    third = import_sequence_model(settings, tmp_path / "trained", name="mine")
    assert rows(connection, "SELECT name, is_current FROM model") == [("mine", True)]
    assert {number for (number,) in rows(connection, "SELECT DISTINCT model_id FROM song_membership")} == {
        third.model_id
    }


def test_a_model_of_another_database_is_refused(world: World, settings: Settings, tmp_path: Path) -> None:
    load(settings, tmp_path, early()[1:])
    with pytest.raises(SourceError, match=r"was trained on another database.*prepare and train again"):
        import_sequence_model(settings, world.folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="holds no sequence model"):
        import_sequence_model(settings, tmp_path / "empty")
    with pytest.raises(SettingsError, match="cannot name a model"):
        import_sequence_model(settings, world.folder, name="../x")


# --- candidates ------------------------------------------------------------------------------------------------


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def test_candidates_are_scored_by_their_cosines(world: World) -> None:
    vectors = world.embeddings()
    first, second, liked = world.ids("House Song 1", "House Song 2", "Techno Song 4")
    liking = Liking([first], {first: 1.0, second: 3.0}, liked={liked: 2.0, first: 1.0})
    trained = world.trained
    found = read_candidates(
        world.connection, world.summary.model_id, trained.songs, trained.model.sizes, liking, user_weight=2, n=30
    )
    seed = unit(vectors[first] + 3 * vectors[second])
    user = unit(2 * vectors[liked] + vectors[first])
    assert found.user_scores is not None
    [acapella] = world.ids("House Act 0 - House Song 0 (Acapella)")
    expected = {
        song_id: (1 + vector @ seed) * (1.1 * (1 + vector @ user)) ** np.log2(3) for song_id, vector in vectors.items()
    }
    best = sorted(expected, key=lambda song_id: -expected[song_id])[:30]
    ids = trained.songs[found.songs].tolist()
    assert set(ids) == {*best, first} - {acapella}
    assert ids[found.beginning[0]] == first
    for place, song_id in enumerate(ids):
        assert found.seed_scores[place] == pytest.approx(1 + vectors[song_id] @ seed, abs=1e-5)
        assert found.user_scores[place] == pytest.approx(1.1 * (1 + vectors[song_id] @ user), abs=1e-5)
    for level, members in enumerate(found.members):
        assigned = world.trained.model.assignments(level).toarray()[found.songs]
        dense = members.toarray()
        np.testing.assert_allclose(dense[dense > 0], assigned[dense > 0], atol=1e-6)
        assert found.likeliest[level].tolist() == assigned.argmax(axis=1).tolist()


def test_a_dj_as_user_is_his_vector_and_nobody_is_none(world: World) -> None:
    [first] = world.ids("House Song 1")
    query = "SELECT song_id, user_score FROM generator_candidates(%s::bigint[], dj => %s, model => %s)"
    found = dict(rows(world.connection, query, [first], world.dj(DJS[1]).id, world.summary.model_id))
    [(own,)] = rows(
        world.connection, "SELECT embedding::real[] FROM dj_embedding WHERE dj_id = %s", world.dj(DJS[1]).id
    )
    for song_id, vector in world.embeddings().items():
        if song_id in found:
            assert found[song_id] == pytest.approx(1.1 * (1 + vector @ np.array(own)), abs=1e-5)
    assert len(found) == 2 * SONGS
    nobody = rows(world.connection, "SELECT user_score FROM generator_candidates(%s::bigint[])", [first])
    assert set(nobody) == {(None,)}


def test_what_is_excluded_is_no_candidate_unless_the_list_begins_with_it(world: World) -> None:
    first, other = world.ids("House Song 1", "House Song 4")
    [(artist,)] = rows(world.connection, "SELECT id FROM artist WHERE name = 'House Act 0'")
    query = "SELECT song_id FROM generator_candidates(%s::bigint[], exclude_songs => %s, exclude_artists => %s)"
    found = {song_id for (song_id,) in rows(world.connection, query, [first], [first, other], [artist])}
    by_artist = {
        song_id for (song_id,) in rows(world.connection, "SELECT song_id FROM song_artist WHERE artist_id = %s", artist)
    }
    assert found == {*world.trained.songs.tolist()} - by_artist - {other} | {first}
    assert len(by_artist) == 4


def test_as_many_candidates_come_as_are_asked_for_whatever_is_excluded(world: World) -> None:
    [first] = world.ids("House Song 1")
    vectors = world.embeddings()
    order = sorted(vectors, key=lambda song_id: (-(vectors[song_id] @ vectors[first]), song_id))
    disliked = order[1:40]
    query = "SELECT song_id FROM generator_candidates(%s::bigint[], n => 10, exclude_songs => %s)"
    found = {song_id for (song_id,) in rows(world.connection, query, [first], disliked)}
    [acapella] = world.ids("House Act 0 - House Song 0 (Acapella)")
    assert found == {first, *order[40:49]} - {acapella}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("generator_candidates('{-1}')", "knows none of the seed songs"),
        ("generator_candidates(NULL)", "knows none of the seed songs"),
        ("generator_candidates('{1}', dj => -1)", "knows neither the DJ nor any of the liked songs"),
        ("generator_candidates('{1}', liked => '{-1}')", "knows neither the DJ nor any of the liked songs"),
    ],
)
def test_a_statement_that_makes_no_sense_is_told(world: World, call: str, said: str) -> None:
    with pytest.raises(psycopg.Error, match=said):
        rows(world.connection, f"SELECT * FROM {call}")


@pytest.mark.parametrize(
    ("title", "version", "expected"),
    [
        ("Music Man", "Acapella", True),
        ("Bones", "A Capella", True),
        ("Easy", "Accapella", True),
        ("Lady Luck", "A Cappella", True),
        ("Untitled A'Capella", None, True),
        ("Bird Of Prey-Acapella", None, True),
        ("Devil's Pie (A Cappella Interlude)", None, True),
        ("Move", "Acap", True),
        ("Acapella", None, False),
        ("Acapella", "Zed Remix", False),
        ("Acapulco", None, False),
        ("Night in Acapulco", None, False),
        ("Capella Pt. 1", None, False),
        ("Deadline", None, False),
    ],
)
def test_acapellas_are_told_by_their_names(
    connection: psycopg.Connection, title: str, version: str | None, expected: bool
) -> None:
    assert rows(connection, "SELECT is_acapella(%s, %s)", title, version) == [(expected,)]


def test_arrays_of_a_row_come_as_they_are(connection: psycopg.Connection) -> None:
    query = """
    SELECT '{1,-2}'::bigint[], '{{1.5,2},{3,4}}'::float4[], '{}'::int4[], NULL::int4[], '{0.25}'::float8[]
     WHERE %(yes)s
    """
    found = read_arrays(connection, query, {"yes": True}, ["i8", "f4", "i4", "i4", "f8"])
    assert [values.tolist() for values in found] == [[1, -2], [[1.5, 2], [3, 4]], [], [], [0.25]]
    assert [values.dtype.str for values in found] == ["<i8", "<f4", "<i4", "<i4", "<f8"]


# --- lists -----------------------------------------------------------------------------------------------------


def test_a_list_begins_with_its_song_and_says_what_each_was_chosen_by(world: World) -> None:
    [first] = world.ids("House Song 1")
    made = world.lists(Liking([first], dj_id=world.dj(DJS[0]).id), length=12, lists=2, seed=3)
    assert made.levels == ("2 clusters", "4 clusters", "8 clusters", "songs")
    assert [len(tracks) for tracks in made.lists] == [12, 12]
    for number, tracks in enumerate(made.lists, start=1):
        assert [(t.rank, t.list_number) for t in tracks] == [(rank, number) for rank in range(1, 13)]
        assert (tracks[0].title, tracks[0].artist) == ("House Song 1", "House Act 0")
        assert tracks[0].seed_score == pytest.approx(2)
        assert len({track.song_id for track in tracks}) == 12
        assert "Acapella" not in {track.version for track in tracks}
        for track in tracks:
            assert track.score == pytest.approx(sum(track.log_probabilities))
            assert len(track.log_probabilities) == 4
            assert 0 <= track.seed_score <= 2.0001
            assert track.user_score is not None
            assert 0 <= track.user_score <= 2.2001
    again = world.lists(Liking([first], dj_id=world.dj(DJS[0]).id), length=12, lists=2, seed=3)
    assert list(again.lists) == list(made.lists)
    assert world.lists(Liking([first]), length=12).lists[0][3].user_score is None


def test_limits_and_the_search_reach_the_generator(world: World) -> None:
    [first] = world.ids("House Song 1")
    [tracks] = world.lists(Liking([first]), length=20, max_per_artist=1).lists
    assert len({track.artist for track in tracks}) == 20
    three = world.ids("House Song 1", "House Song 2", "House Song 3")
    [best] = world.lists(Liking(three), length=6, has_beam=True).lists
    drawn = world.lists(Liking(three), length=6, lists=30).lists
    assert sum(t.score for t in best[3:]) >= max(sum(t.score for t in tracks[3:]) for tracks in drawn)
    made = world.lists(Liking([first]), length=5, knobs=Knobs(thresholds=(0, 0, 0, 1)))
    assert made.halved == {"songs": 2}


def test_a_list_may_be_as_long_as_the_songs_are_many_and_no_longer(world: World) -> None:
    [first] = world.ids("House Song 1")
    everything = 2 * SONGS + 1
    [tracks] = world.lists(Liking([first]), length=everything).lists
    assert len(tracks) == everything - 1, "the acapella is left out"
    with pytest.raises(
        SettingsError, match=f"a list of {everything + 1} songs is too long: the model knows {everything}"
    ):
        world.lists(Liking([first]), length=everything + 1)


def test_songs_that_a_model_does_not_know_are_refused_with_the_nearest(world: World) -> None:
    require_known(world.connection, find_song(world.connection, "House Song 1"))
    unheard = find_song(world.connection, "Nobody - Unheard")
    with pytest.raises(UnknownNameError, match=r"does not know Nobody - Unheard.*the nearest are: \".* - .*\", \".*\""):
        require_known(world.connection, unheard)


def test_a_dj_who_came_later_is_what_he_played(world: World) -> None:
    assert liking_of_dj(world.connection, world.dj(DJS[0])) == (world.dj(DJS[0]).id, {})
    first, second = world.ids("House Act 0 - House Song 0", "House Song 1")
    assert liking_of_dj(world.connection, world.dj(LATE)) == (None, {first: 1, second: 1})
    with pytest.raises(UnknownNameError, match=f'no song that {STRANGER} played; the nearest DJs are: "') as raised:
        liking_of_dj(world.connection, world.dj(STRANGER))
    assert sum(f'"{name}"' in str(raised.value) for name in DJS) == 3


def test_a_title_seeds_a_list_with_what_it_votes_for(world: World) -> None:
    seeds = title_seeds(world.connection, "house party", Filters())
    assert set(seeds) == set(world.ids(*(f"House Act {number // 3} - House Song {number}" for number in range(5))))
    assert list(seeds.values()) == sorted(seeds.values(), reverse=True)
    first = next(iter(seeds))
    [tracks] = world.lists(Liking([first], seeds), length=8).lists
    assert tracks[0].song_id == first
    [left_out] = world.ids("House Song 2")
    assert left_out not in title_seeds(world.connection, "house party", Filters(songs=[left_out]))
    with pytest.raises(UnknownNameError, match="the title is blank"):
        title_seeds(world.connection, " ", Filters())


def test_songs_are_drawn_on_a_map(world: World, tmp_path: Path) -> None:
    draw_songs(world.connection, world.summary.model_id, tmp_path / "map.html")
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert f"{2 * SONGS + 1} songs, 2 clusters, named by their most played artists" in page
    assert "House Act 3 - House Song 9" in page
    draw_songs(world.connection, world.summary.model_id, tmp_path / "map.png", 0)
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SettingsError, match=r"\.png or \.html"):
        draw_songs(world.connection, world.summary.model_id, tmp_path / "map.pdf")


def test_a_model_without_clusters_makes_lists_and_has_no_tree(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    load(settings, tmp_path, early())
    options = SequenceOptions(**vars(LITTLE) | {"head": "softmax", "encoder": "transformer"})
    summary = import_sequence_model(settings, train(settings, tmp_path, options))
    assert summary.clusters == ()
    made = generate_lists(connection, Liking([find_song(connection, "House Song 1").id]), Wanted(length=18, lists=3))
    assert made.levels == ("songs",)
    assert [len({track.song_id for track in tracks}) for tracks in made.lists] == [18] * 3
    with pytest.raises(NotReadyError, match="knows no clusters"):
        song_clusters(connection, summary.model_id)


def test_what_is_not_there_is_told(world: World, connection: psycopg.Connection) -> None:
    with pytest.raises(NotReadyError, match="there is no tracklist model yet: run"):
        loaded_model(connection)
    with pytest.raises(UnknownNameError, match="no tracklist model is called 'yours'; there are: mine"):
        loaded_model(world.connection, "yours")


def test_lists_are_nearer_to_their_seed_than_songs_are(world: World) -> None:
    [first] = world.ids("House Song 7")
    query = "SELECT seed_score FROM generator_candidates(%s::bigint[])"
    everywhere = np.mean([score for (score,) in rows(world.connection, query, [first])])
    made = world.lists(Liking([first]), length=10, lists=10).lists
    assert np.mean([track.seed_score for tracks in made for track in tracks[1:]]) > everywhere + 0.2
    assert scene_of(made[0][0].title) == "House"
