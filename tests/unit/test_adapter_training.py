"""Training of a title adapter on made-up tastes: what it learns, and what it refuses to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import sparse

from recsys.errors import NotReadyError
from recsys.titles.adapter import TitleAdapter
from recsys.titles.adapter_training import AdapterOptions, _bags, _Network, _weights_of, train_adapter

pytestmark = pytest.mark.usefixtures("one_thread")

TASTES = ["jazz", "gym", "sleep", "party", "metal", "road"]
OTHER_WORDS = ["mix", "songs", "2019", "best", "my", "the"]
PLAYLISTS, SONGS, WIDTH = 300, 15, 16
"""`SONGS` of each taste."""

OPTIONS = AdapterOptions(hidden=32, dimension=16, batch_size=8, epochs=25, least_steps=1)


@dataclass(frozen=True)
class World:
    """Titles that share a word within their taste, with vectors that say nothing of it."""

    titles: list[str]
    taste: npt.NDArray[np.int64]
    """Of each title."""
    vectors: npt.NDArray[np.float32]
    counts: sparse.csr_matrix
    playlists: npt.NDArray[np.int64]

    def train(self, options: AdapterOptions = OPTIONS) -> TitleAdapter:
        return train_adapter(self.titles, self.vectors, self.counts, self.playlists, options)


def unit_vectors(count: int, seed: int) -> npt.NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(count, WIDTH))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def counts_of(title_of: Sequence[int], lists: Sequence[Sequence[int]]) -> sparse.csr_matrix:
    """Playlists of a title that hold a song, from the songs of each playlist."""
    titles = [title for title, songs in zip(title_of, lists, strict=True) for _ in songs]
    songs = [song for songs in lists for song in songs]
    return sparse.coo_matrix((np.ones(len(songs), dtype=np.float32), (titles, songs))).tocsr()


@pytest.fixture(scope="module")
def world() -> World:
    """Every playlist holds five songs of its taste and one that may be of any."""
    chance = np.random.default_rng(0)
    titles = [f"{word} {other}" for word in TASTES for other in OTHER_WORDS]
    title_of = np.arange(PLAYLISTS) % len(titles)
    taste = np.arange(len(titles)) // len(OTHER_WORDS)
    lists = []
    for title in title_of:
        own = chance.choice(SONGS, 5, replace=False) + SONGS * taste[title]
        lists.append({*own.tolist(), int(chance.integers(SONGS * len(TASTES)))})
    counts = counts_of(title_of.tolist(), list(map(list, lists)))
    return World(titles, taste, unit_vectors(len(titles), seed=1), counts, np.bincount(title_of))


@pytest.fixture(scope="module")
def trained(world: World) -> TitleAdapter:
    return world.train()


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
    """Songs that are the axes of the output make its logits the learned vectors."""
    torch.manual_seed(3)
    buckets, bags = _bags(world.titles)
    network = _Network(WIDTH, len(buckets), OPTIONS, torch.zeros(OPTIONS.dimension)).eval()
    with torch.no_grad():
        network.features.weight.normal_()
        network.songs.copy_(torch.eye(OPTIONS.dimension))
        counts = np.array([len(bag) for bag in bags])
        outputs = network(
            torch.from_numpy(world.vectors),
            torch.from_numpy(np.concatenate(bags)),
            torch.from_numpy(np.cumsum(counts) - counts),
            torch.from_numpy(counts).float(),
        ).numpy()
    adapted = TitleAdapter(_weights_of(network, buckets), 1.0).adapt(world.titles, world.vectors)[:, WIDTH:]
    np.testing.assert_allclose(adapted, outputs / np.linalg.norm(outputs, axis=1, keepdims=True), atol=2e-3)


# --- what decides the weights ----------------------------------------------------------------------------------

SHORT = replace(OPTIONS, epochs=4, warmup_steps=2)


def test_the_same_seed_gives_the_same_weights_and_another_one_others(world: World) -> None:
    first = world.train(SHORT)
    torch.manual_seed(123)
    torch.rand(7)
    assert same_weights(first, world.train(SHORT))
    assert not same_weights(first, world.train(replace(SHORT, seed=1)))


def test_songs_of_one_playlist_say_nothing(world: World) -> None:
    own = sparse.identity(len(world.titles), dtype=np.float32, format="csr")
    more = replace(world, counts=sparse.hstack([world.counts, own]).tocsr())
    assert same_weights(world.train(SHORT), more.train(SHORT))


def test_only_the_most_held_songs_are_told_apart(world: World) -> None:
    ten = replace(SHORT, most_songs=10)
    holders = np.asarray(world.counts.sum(axis=0)).ravel()
    most_held = np.sort(np.argsort(-holders, kind="stable")[:10])
    assert same_weights(world.train(ten), replace(world, counts=world.counts[:, most_held]).train(ten))


def test_a_title_counts_by_the_logarithm_of_its_playlists(world: World) -> None:
    """log2(1 + n): seven times as many playlists of each title, from 1 to 7, weigh all alike, thrice as much."""
    once = replace(world, playlists=np.ones_like(world.playlists))
    often = replace(world, playlists=np.full_like(world.playlists, 7))
    uneven = replace(world, playlists=1 + np.arange(len(world.titles)))
    np.testing.assert_allclose(
        once.train(OPTIONS).adapt(world.titles, world.vectors),
        often.train(OPTIONS).adapt(world.titles, world.vectors),
        atol=1e-2,
    )
    assert not same_weights(once.train(OPTIONS), uneven.train(OPTIONS))


@pytest.mark.parametrize(("least_steps", "most_steps", "steps"), [(1, 1000, 20), (1, 7, 7), (31, 1000, 31)])
def test_progress_counts_steps_which_are_at_least_and_at_most_so_many(
    world: World, least_steps: int, most_steps: int, steps: int
) -> None:
    """36 titles are five batches of 8, four times over."""
    seen: list[tuple[int, int]] = []
    options = replace(SHORT, least_steps=least_steps, most_steps=most_steps, hidden=64)
    train_adapter(
        world.titles, world.vectors, world.counts, world.playlists, options, progress=lambda *step: seen.append(step)
    )
    assert seen == [(step, steps) for step in range(steps + 1)]


# --- what is refused -------------------------------------------------------------------------------------------


def test_without_a_song_in_two_playlists_there_is_nothing_to_learn() -> None:
    with pytest.raises(NotReadyError, match="no song is in two playlists") as error:
        train_adapter(
            ["gym", "sleep"], unit_vectors(2, seed=0), counts_of([0, 1], [[0, 1], [2]]), np.array([1, 1]), OPTIONS
        )
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("learning_rate", [1e3, 1e30])
def test_a_training_that_diverged_is_refused(world: World, learning_rate: float) -> None:
    with pytest.raises(NotReadyError, match="--no-adapt") as error:
        world.train(replace(SHORT, learning_rate=learning_rate))
    assert "\n" not in str(error.value)
