"""Training of a title adapter on made-up tastes: what it learns, and what it refuses to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import sparse

from recsys.errors import NotReadyError
from recsys.titles import adapter, adapter_training, expectation
from recsys.titles.adapter import TitleAdapter
from recsys.titles.adapter_training import (
    AdapterOptions,
    Learned,
    _bags,
    _Credits,
    _loss,
    _Network,
    _weights_of,
    train_adapter,
)
from recsys.titles.smoothing import Profiles

pytestmark = pytest.mark.usefixtures("one_thread")

TASTES = ["jazz", "gym", "sleep", "party", "metal", "road"]
OTHER_WORDS = ["mix", "songs", "2019", "best", "my", "the"]
PLAYLISTS, SONGS, WIDTH = 300, 15, 16
"""`SONGS` of each taste."""

OPTIONS = AdapterOptions(hidden=32, dimension=16, batch_size=8, epochs=25, least_steps=1)
SHORT = replace(OPTIONS, epochs=4, warmup_steps=2)


@dataclass(frozen=True)
class World:
    """Titles that share a word within their taste, with vectors that say nothing of it."""

    titles: list[str]
    taste: npt.NDArray[np.int64]
    """Of each title."""
    vectors: npt.NDArray[np.float32]
    held: sparse.csr_matrix
    title_of: npt.NDArray[np.int64]
    """Of each playlist."""
    credited: sparse.csr_matrix

    def learn(self, options: AdapterOptions = OPTIONS) -> Learned:
        return train_adapter(self.titles, self.vectors, self.held, self.title_of, self.credited, options)

    def train(self, options: AdapterOptions = OPTIONS) -> TitleAdapter:
        return self.learn(options).adapter


def unit_vectors(count: int, seed: int) -> npt.NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(count, WIDTH))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def ones(rows: Sequence[Sequence[int]], columns: int) -> sparse.csr_matrix:
    """A matrix with ones at these columns of each row."""
    places = [(row, column) for row, own in enumerate(rows) for column in own]
    values = np.ones(len(places), dtype=np.float32)
    return sparse.coo_matrix((values, tuple(np.array(places).reshape(-1, 2).T)), shape=(len(rows), columns)).tocsr()


def nobody(songs: int, artists: int = 0) -> sparse.csr_matrix:
    """No credits."""
    return sparse.csr_matrix((songs, artists), dtype=np.float32)


@pytest.fixture(scope="module")
def world() -> World:
    """Every playlist holds five songs of its taste and one that may be of any. Songs are by nobody."""
    chance = np.random.default_rng(0)
    titles = [f"{word} {other}" for word in TASTES for other in OTHER_WORDS]
    title_of = np.arange(PLAYLISTS) % len(titles)
    taste = np.arange(len(titles)) // len(OTHER_WORDS)
    lists = []
    for title in title_of:
        own = chance.choice(SONGS, 5, replace=False) + SONGS * taste[title]
        lists.append({*own.tolist(), int(chance.integers(SONGS * len(TASTES)))})
    songs = SONGS * len(TASTES)
    held = ones([sorted(own) for own in lists], songs)
    return World(titles, taste, unit_vectors(len(titles), seed=1), held, title_of, nobody(songs))


@pytest.fixture(scope="module")
def learned(world: World) -> Learned:
    return world.learn()


def expected_of(world: World, learned: Learned, tracks: int = 500) -> Profiles:
    """The songs expected in playlists of each title."""
    return learned.expectation.profiles(learned.adapter.learned(world.titles, world.vectors), tracks)


@pytest.fixture(scope="module")
def trained(learned: Learned) -> TitleAdapter:
    return learned.adapter


def logits_of(network: _Network, world: World, bags: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.float32]:
    """What a network says of every title, (titles, songs)."""
    counts = np.array([len(bag) for bag in bags])
    with torch.no_grad():
        logits: npt.NDArray[np.float32] = network(
            torch.from_numpy(world.vectors),
            torch.from_numpy(np.concatenate(bags)),
            torch.from_numpy(np.cumsum(counts) - counts),
            torch.from_numpy(counts).float(),
        ).numpy()
    return logits


def same_weights(one: TitleAdapter, other: TitleAdapter) -> bool:
    assert one.weights.keys() == other.weights.keys()
    return all(np.array_equal(values, other.weights[name]) for name, values in one.weights.items())


# --- what is learned -------------------------------------------------------------------------------------------


def inside_and_outside(vectors: npt.NDArray[np.float32], taste: npt.NDArray[np.int64]) -> tuple[float, float]:
    """The mean cosine of titles of one taste, and of two."""
    cosines = vectors @ vectors.T
    is_same = taste[:, None] == taste
    is_other_title = ~np.eye(len(taste), dtype=bool)
    return float(cosines[is_same & is_other_title].mean()), float(cosines[~is_same].mean())


def test_titles_of_one_taste_come_nearer_to_each_other_than_to_others(world: World, trained: TitleAdapter) -> None:
    before, apart_before = inside_and_outside(world.vectors, world.taste)
    assert abs(before - apart_before) < 0.05
    inside, outside = inside_and_outside(trained.adapt(world.titles, world.vectors), world.taste)
    assert inside - outside > 0.25
    assert trained.share == OPTIONS.share
    alone = replace(trained, share=1).adapt(world.titles, world.vectors)
    learned, apart = inside_and_outside(alone, world.taste)
    assert learned > 0.8
    assert apart < 0.2


@pytest.mark.parametrize(("word", "taste"), list(zip(TASTES, range(len(TASTES)), strict=True)))
def test_an_unseen_title_of_a_tastes_word_is_nearest_to_that_taste(
    world: World, trained: TitleAdapter, word: str, taste: int
) -> None:
    adapted = trained.adapt(world.titles, world.vectors)
    for number, title in enumerate((word, f"late {word}", f"{word} zzz")):
        assert title not in world.titles
        [query] = trained.adapt([title], unit_vectors(1, seed=100 + number))
        by_taste = [(adapted[world.taste == t] @ query).mean() for t in range(len(TASTES))]
        assert int(np.argmax(by_taste)) == taste


def test_weights_have_their_shapes_and_every_feature_that_was_met(world: World, trained: TitleAdapter) -> None:
    buckets, _ = _bags(world.titles)
    assert {name: values.shape for name, values in trained.weights.items()} == {
        "buckets": (len(buckets),),
        "features": (len(buckets), 32),
        **{"encoder": (32, WIDTH), "encoder_bias": (32,)},
        **{"hidden": (32, 32), "hidden_bias": (32,)},
        **{"output": (16, 32), "output_bias": (16,)},
    }
    assert trained.weights["features"].dtype == np.float16
    np.testing.assert_array_equal(trained.weights["buckets"], buckets)
    assert trained.dimension == 16


def test_what_answers_is_the_network_that_was_trained(world: World) -> None:
    """Songs that are the axes of the output, by nobody, make its logits the learned vectors."""
    torch.manual_seed(3)
    buckets, bags = _bags(world.titles)
    none = np.empty(0, dtype=np.int64)
    credited = _Credits(none, np.zeros(OPTIONS.dimension, dtype=np.int64), 0)
    network = _Network(WIDTH, len(buckets), OPTIONS, torch.zeros(OPTIONS.dimension), credited).eval()
    with torch.no_grad():
        network.features.weight.normal_()
        network.songs.copy_(torch.eye(OPTIONS.dimension, OPTIONS.dimension + 1))
    outputs = logits_of(network, world, bags)
    adapted = TitleAdapter(_weights_of(network, buckets), 1.0).adapt(world.titles, world.vectors)[:, WIDTH:]
    np.testing.assert_allclose(adapted, outputs / np.linalg.norm(outputs, axis=1, keepdims=True), atol=2e-3)


# --- what is expected ------------------------------------------------------------------------------------------

FIRST = 3
"""Songs before the world's own that are not told apart: one that nobody holds, and two of one playlist each."""


def with_artists(world: World) -> World:
    """Five songs each are of an artist, every seventh is a stranger's too, and every eleventh by nobody.

    Each of the world's first ten songs is also by somebody who has no other that is told apart.
    """
    count = world.held.shape[1]
    stranger = count // 5
    by = [[] if song % 11 == 0 else [song // 5, *([stranger] if song % 7 == 0 else [])] for song in range(count)]
    alone = [[stranger + 1 + song] if song < 10 else [] for song in range(count)]
    artists = [[*own, *other] for own, other in zip(by, alone, strict=True)]
    few = ones([[1, 2] if row == 20 else [] for row in range(len(world.title_of))], FIRST)
    return replace(
        world,
        held=sparse.hstack([few, world.held]).tocsr(),
        credited=ones([[stranger + 1], [0], [stranger + 2], *artists], stranger + 11),
    )


def learn_with_network(world: World, options: AdapterOptions) -> tuple[Learned, _Network]:
    """What is learned, and the network that was trained."""
    made: list[_Network] = []

    class Kept(_Network):
        def __init__(self, *given: object) -> None:
            super().__init__(*given)  # type: ignore[arg-type]
            made.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapter_training, "_Network", Kept)
        learned = world.learn(options)
    [network] = made
    return learned, network


@pytest.fixture(scope="module")
def studied(world: World) -> tuple[World, Learned, _Network]:
    """The world with artists, what is learned of it, and the network."""
    by_artists = with_artists(world)
    return by_artists, *learn_with_network(by_artists, OPTIONS)


def song_vectors_in_a_loop(world: World, network: _Network) -> dict[int, list[float]]:
    """Song -> its own vector and those of its artists who have several songs, all with the logit's share at the end."""
    songs = range(FIRST, world.held.shape[1])
    artists = {song: world.credited[song].indices.tolist() for song in songs}
    every = [artist for own in artists.values() for artist in own]
    shared = sorted({artist for artist in every if every.count(artist) > 1})
    own, theirs = network.songs.tolist(), network.artists.weight.tolist()
    assert (len(own), len(theirs)) == (len(songs), len(shared))
    rows: dict[int, list[list[float]]] = {
        song: [own[place], *(theirs[shared.index(artist)] for artist in artists[song] if artist in shared)]
        for place, song in enumerate(songs)
    }
    assert {len(parts) for parts in rows.values()} == {1, 2, 3}
    return {song: [sum(column) for column in zip(*parts, strict=True)] for song, parts in rows.items()}


def test_expected_are_the_likeliest_songs_by_the_softmax_of_the_learned_vectors(
    studied: tuple[World, Learned, _Network],
) -> None:
    world, learned, network = studied
    vectors = song_vectors_in_a_loop(world, network)
    expected = expected_of(world, learned, 40)
    assert expected.starts.tolist() == [40 * title for title in range(len(world.titles) + 1)]
    for title, outputs in enumerate(learned.adapter.learned(world.titles, world.vectors).tolist()):
        masses = {
            song: exp(sum(x * y for x, y in zip(outputs, row[:-1], strict=True)) + row[-1])
            for song, row in vectors.items()
        }
        shares = {song: mass / sum(masses.values()) for song, mass in masses.items()}
        own = slice(expected.starts[title], expected.starts[title + 1])
        songs, weights = expected.songs[own].tolist(), expected.weights[own].tolist()
        assert len(set(songs)) == 40
        assert weights == pytest.approx([shares[song] for song in songs], rel=1e-3)
        assert weights == pytest.approx(sorted(shares.values(), reverse=True)[:40], rel=1e-3)
        assert weights == sorted(weights, reverse=True)
        assert sum(weights) < 1


def test_expected_is_what_the_network_that_was_trained_says(studied: tuple[World, Learned, _Network]) -> None:
    world, learned, network = studied
    assert not network.training
    logits = logits_of(network, world, _bags(world.titles)[1]).astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = expected_of(world, learned, 40)
    songs = expected.songs.reshape(len(world.titles), -1) - FIRST
    weights = expected.weights.reshape(songs.shape)
    # An adapter's features are kept in half precision.
    np.testing.assert_allclose(weights, np.take_along_axis(shares, songs, axis=1), rtol=0.05)


def test_expected_are_songs_of_the_titles_taste(world: World, learned: Learned) -> None:
    """Five of six entries are of the taste, and all songs are kept where they are fewer than `tracks`."""
    expected = expected_of(world, learned)
    assert expected.starts.tolist() == [SONGS * len(TASTES) * title for title in range(len(world.titles) + 1)]
    for title, taste in enumerate(world.taste.tolist()):
        own = slice(expected.starts[title], expected.starts[title + 1])
        songs, weights = expected.songs[own], expected.weights[own]
        assert (songs[:10] // SONGS == taste).all()
        assert 0.7 < weights[songs // SONGS == taste].sum() < 0.95
        assert weights.sum() == pytest.approx(1, abs=1e-5)


def test_several_blocks_of_titles_are_expected_as_one(
    world: World, studied: tuple[World, Learned, _Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    """36 titles, seven at a time."""
    _, learned, network = studied
    expected = expected_of(world, learned, 40)
    np.testing.assert_array_equal(learned.expectation.vectors, network.song_vectors().detach().numpy())
    monkeypatch.setattr(expectation, "BLOCK", 7)
    found = expected_of(world, learned, 40)
    np.testing.assert_array_equal(found.starts, expected.starts)
    np.testing.assert_array_equal(found.songs, expected.songs)
    np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-5)


# --- what artists share ----------------------------------------------------------------------------------------


def test_songs_that_are_rarely_held_are_like_those_of_their_artist_and_expected_where_these_are(world: World) -> None:
    """Two playlists of any taste hold each; the artist's other songs are all of one."""
    chance = np.random.default_rng(6)
    songs, rare = world.held.shape[1], 5 * len(TASTES)
    holders = [chance.choice(PLAYLISTS, 2, replace=False).tolist() for _ in range(rare)]
    taste_of = np.array([song // SONGS for song in range(songs)] + [song // 5 for song in range(rare)])
    held = sparse.hstack([world.held, ones(holders, PLAYLISTS).T]).tocsr()
    by_nobody = replace(world, held=held, credited=nobody(songs + rare))
    by_artists = replace(by_nobody, credited=ones([[taste] for taste in taste_of.tolist()], len(TASTES)))

    def in_their_taste(learned: Learned) -> float:
        """The part of what is expected of rare songs that is expected in titles of their artist's taste."""
        expected = expected_of(world, learned)
        titles = np.repeat(np.arange(len(world.titles)), np.diff(expected.starts))
        is_rare = expected.songs >= songs
        is_own = world.taste[titles] == taste_of[expected.songs]
        return float(expected.weights[is_rare & is_own].sum() / expected.weights[is_rare].sum())

    def likeness(network: _Network) -> float:
        """The mean cosine of rare songs and the other ones of their artist."""
        vectors = network.song_vectors().detach().numpy()[:, :-1]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines = vectors[songs:] @ vectors[:songs].T
        return float(cosines[taste_of[songs:, None] == taste_of[:songs]].mean())

    apart, own = learn_with_network(by_nobody, SHORT)
    together, shared = learn_with_network(by_artists, SHORT)
    assert in_their_taste(apart) < 0.25
    assert in_their_taste(together) > 0.35
    assert likeness(own) < 0.2
    assert likeness(shared) > 0.4


def test_an_artist_of_one_song_and_one_without_songs_say_nothing(world: World) -> None:
    songs = world.held.shape[1]
    singles = replace(world, credited=ones([[song] for song in range(songs)], songs + 1))
    for nothing in (singles, replace(world, credited=nobody(songs, 5))):
        assert same_weights(world.train(SHORT), nothing.train(SHORT))
    duo = replace(world, credited=ones([[song] for song in range(songs - 1)] + [[0]], songs))
    assert not same_weights(world.train(SHORT), duo.train(SHORT))


# --- what decides the weights ----------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_weights_and_another_one_others(world: World) -> None:
    first = world.train(SHORT)
    torch.manual_seed(123)
    torch.rand(7)
    assert same_weights(first, world.train(SHORT))
    assert not same_weights(first, world.train(replace(SHORT, seed=1)))


def test_songs_of_one_playlist_say_nothing(world: World) -> None:
    """Nor do those whom they are by."""
    own = sparse.identity(len(world.title_of), dtype=np.float32, format="csr")
    held = sparse.hstack([world.held, own]).tocsr()
    credited = ones([*[[]] * world.held.shape[1], *[[0]] * len(world.title_of)], 1)
    assert same_weights(world.train(SHORT), replace(world, held=held, credited=credited).train(SHORT))


def test_only_the_most_held_songs_are_told_apart(world: World) -> None:
    ten = replace(SHORT, most_songs=10)
    holders = np.asarray(world.held.sum(axis=0)).ravel()
    most_held = np.sort(np.argsort(-holders, kind="stable")[:10])
    alone = replace(world, held=world.held[:, most_held], credited=nobody(10)).learn(ten)
    found = world.learn(ten)
    assert same_weights(found.adapter, alone.adapter)
    # They are named by their places among all songs.
    np.testing.assert_array_equal(found.expectation.songs, most_held[alone.expectation.songs])
    np.testing.assert_array_equal(found.expectation.vectors, alone.expectation.vectors)
    assert most_held.max() >= 10


def test_a_playlist_without_a_song_that_is_told_apart_counts_for_nothing(world: World) -> None:
    """Here two stand in the midst of the others."""
    first, last = world.held[:100], world.held[100:]
    more = replace(world, held=sparse.vstack([first, nobody(2, world.held.shape[1]), last]).tocsr())
    more = replace(more, title_of=np.concatenate([world.title_of[:100], [3, 4], world.title_of[100:]]))
    assert same_weights(world.train(SHORT), more.train(SHORT))


def test_the_loss_is_that_of_playlists_each_of_weight_1(world: World) -> None:
    """Whatever others have its title, and however many songs it holds, each of which has its part of the playlist."""
    torch.manual_seed(4)
    chance = np.random.default_rng(4)
    buckets, bags = _bags(world.titles)
    credited = _Credits(np.array([0, 1, 0]), np.array([0, 0, 1, 3]), 2)
    network = _Network(WIDTH, len(buckets), OPTIONS, torch.zeros(4), credited).eval()
    with torch.no_grad():
        network.features.weight.normal_()
        network.songs.normal_()
        network.artists.weight.normal_()
    logits = logits_of(network, world, bags).tolist()
    titles = np.array([3, 3, 3, 8, 20, 3])
    lists = [sorted(chance.choice(4, size, replace=False).tolist()) for size in (1, 4, 2, 3, 2, 1)]
    parts = [
        -sum(logits[title][song] - log(sum(map(exp, logits[title]))) for song in songs) / len(songs)
        for title, songs in zip(titles.tolist(), lists, strict=True)
    ]
    rows = ones(lists, 4)
    rows = (sparse.diags(1 / np.diff(rows.indptr)) @ rows).tocsr().astype(np.float32)
    assert max(parts) > 2 * min(parts)
    assert _loss(network, world.vectors, bags, titles, rows).item() == pytest.approx(sum(parts) / 6, rel=1e-5)


def test_a_playlist_counts_once_whatever_others_have_its_title(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of titles that nothing tells apart one has eighteen playlists of two songs, the other two of four."""
    for module in (adapter_training, adapter):
        monkeypatch.setattr(module, "features", lambda _title: [7])
    lists = [[0, 1]] * 18 + [[2, 3, 4, 5]] * 2
    options = replace(OPTIONS, dropout=0.0, weight_decay=0.0, batch_size=20, least_steps=200)
    vectors = np.repeat(unit_vectors(1, seed=0), 2, axis=0)
    title_of = np.array([0] * 18 + [1] * 2)
    titles = ["gym", "jazz"]
    learned = train_adapter(titles, vectors, ones(lists, 6), title_of, nobody(6), options)
    expected = learned.expectation.profiles(learned.adapter.learned(titles, vectors), 6)
    for title in (0, 1):
        own = slice(6 * title, 6 * title + 6)
        assert dict(zip(expected.songs[own].tolist(), expected.weights[own].tolist(), strict=True)) == pytest.approx(
            {0: 0.45, 1: 0.45, **dict.fromkeys(range(2, 6), 0.025)}, rel=0.05
        )


@pytest.mark.parametrize(("least_steps", "most_steps", "steps"), [(1, 1000, 20), (1, 7, 7), (31, 1000, 31)])
def test_progress_counts_steps_which_are_at_least_and_at_most_so_many(
    world: World, least_steps: int, most_steps: int, steps: int
) -> None:
    """300 playlists are five batches of 64, four times over, however many titles they have."""
    seen: list[tuple[int, int]] = []
    options = replace(SHORT, least_steps=least_steps, most_steps=most_steps, batch_size=64)
    train_adapter(
        world.titles,
        world.vectors,
        world.held,
        world.title_of,
        world.credited,
        options,
        progress=lambda *step: seen.append(step),
    )
    assert seen == [(step, steps) for step in range(steps + 1)]


# --- what is refused -------------------------------------------------------------------------------------------


def test_without_a_song_in_two_playlists_there_is_nothing_to_learn() -> None:
    with pytest.raises(NotReadyError, match="no song is in two playlists") as error:
        train_adapter(
            ["gym", "sleep"], unit_vectors(2, seed=0), ones([[0, 1], [2]], 3), np.array([0, 1]), nobody(3), OPTIONS
        )
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("learning_rate", [1e3, 1e30])
def test_a_training_that_diverged_is_refused(world: World, learning_rate: float) -> None:
    with pytest.raises(NotReadyError, match="--no-adapt") as error:
        world.train(replace(SHORT, learning_rate=learning_rate))
    assert "\n" not in str(error.value)
