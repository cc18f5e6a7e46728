"""TL-MGCCF on toy graphs: its formulas in plain numpy, what it draws, learns and refuses, and how it goes on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import sparse

from recsys.errors import NotReadyError, SettingsError
from recsys.tracklists.graph_snapshot import NO_DATE, GraphSnapshot
from recsys.tracklists.mgccf import (
    Graphs,
    Mgccf,
    MgccfOptions,
    Part,
    averaged,
    drawn_shares,
    embedded,
    graphs_of,
    normalised,
    shares,
)
from recsys.tracklists.mgccf_module import PARTS, MgccfModule, cooccurrence_of, hetero_data
from recsys.tracklists.mgccf_plan import Planner, Relation, StepPlan
from recsys.tracklists.mgccf_training import Trainer, train_mgccf
from recsys.tracklists.sparse_products import SparseRows

pytestmark = pytest.mark.usefixtures("one_thread")

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

Dense = npt.NDArray[np.float64]
CPU = torch.device("cpu")

TINY = MgccfOptions(
    embedding=5, hidden=4, output=3, first_draws=4, second_draws=3, epochs=3, steps=2, batch_size=6, device="cpu"
)
SCENES = MgccfOptions(epochs=12, steps=5, batch_size=32, learning_rate=0.01, device="cpu")


def csr(dense: npt.ArrayLike) -> sparse.csr_matrix:
    return sparse.csr_matrix(np.asarray(dense, dtype=np.float32))


def snapshot_of(lists: Dense, dj_lists: Dense, credited: Dense) -> GraphSnapshot:
    """Songs of a tracklist stand together, whoever played one twice clicked it."""
    together = lists.T @ lists
    song_artist = np.log1p(together @ credited)
    song_song = np.log1p(together)
    artists = np.log1p(credited.T @ together @ credited)
    for graph in (song_song, artists):
        np.fill_diagonal(graph, 0)
    plays = dj_lists @ lists
    clicks = np.log(np.maximum(plays, 1))
    rows = clicks > 0
    norms = np.sqrt(np.maximum(rows.sum(axis=1), 1))
    alike = (rows / norms[:, None]) @ (rows / norms[:, None]).T
    np.fill_diagonal(alike, 0)
    return GraphSnapshot(
        songs=np.arange(lists.shape[1]) + 100,
        artists=np.arange(credited.shape[1]) + 200,
        djs=np.arange(len(dj_lists)) + 300,
        days=np.full(len(lists), NO_DATE),
        lists=csr(lists),
        dj_lists=csr(dj_lists),
        song_song=csr(song_song),
        song_artist=csr(song_artist),
        artist_artist=csr(artists),
        credits=csr(credited),
        clicks=csr(clicks),
        dj_dj=csr(alike),
    )


def toy() -> GraphSnapshot:
    """6 songs, 4 artists, 4 DJs. Song 5 is by nobody and clicked by nobody; DJ 3 played songs once each."""
    lists = np.array(
        [[1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 1, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1]] * 2
        + [[1, 0, 0, 0, 1, 1]],
        dtype=float,
    )
    dj_lists = np.zeros((4, 11))
    for tracklist, dj in enumerate([0, 0, 1, 1, 2, 0, 0, 1, 1, 0, 3]):
        dj_lists[dj, tracklist] = 1
    dj_lists[2, 8] = 1
    credited = np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 1, 0, 0], [0, 0.25, 0.75, 0], [0, 0, 0, 1], [0] * 4])
    return snapshot_of(lists, dj_lists, credited)


def scenes(djs: int = 8, songs: int = 30) -> GraphSnapshot:
    """DJs of two scenes, every other one each, play eight songs of theirs at a time; the last DJ plays them once."""
    chance = np.random.default_rng(0)
    lists, dj_lists = np.zeros((5 * djs, songs)), np.zeros((djs, 5 * djs))
    for tracklist in range(len(lists)):
        dj = tracklist % djs
        dj_lists[dj, tracklist] = 1
        if dj < djs - 1 or tracklist == dj:
            lists[tracklist, chance.choice(np.arange(dj % 2, songs, 2), 8, replace=False)] = 1
    credited = np.zeros((songs, songs // 3))
    credited[np.arange(songs), np.arange(songs) % (songs // 3)] = 1
    return snapshot_of(lists, dj_lists, credited)


def dense(rows: SparseRows) -> Dense:
    starts = rows.starts.numpy()
    entries = int(starts[-1])
    made = sparse.csr_matrix(
        (rows.values.numpy()[:entries], rows.places.numpy()[:entries], starts), shape=(rows.count, rows.columns)
    )
    return np.asarray(made.todense(), dtype=np.float64)


def first_step(graphs: Graphs, options: MgccfOptions) -> tuple[Planner, StepPlan]:
    planner = Planner(graphs, options, CPU)
    return planner, planner.step(planner.epoch(0)[0])


def module_of(planner: Planner, options: MgccfOptions) -> MgccfModule:
    torch.manual_seed(1)
    module = MgccfModule(planner.sizes, options).eval()
    with torch.no_grad():
        for name, weight in module.named_parameters():
            weight.normal_(std=0.5)
            assert name
    return module


def weights_of(module: MgccfModule) -> dict[str, npt.NDArray[np.float32]]:
    return {name: weight.numpy() for name, weight in module.state_dict().items()}


# --- formulas --------------------------------------------------------------------------------------------------


def encoded_by_hand(weights: dict[str, npt.NDArray[np.float32]], graphs: Graphs) -> dict[str, Dense]:
    """tanh(A_norm e M + skip * (e M) + bias), one node after the other."""
    made = {}
    tables = np.split(weights["embedding"].astype(np.float64), np.cumsum(graphs.credits.shape))
    for kind, own in zip(("song", "artist", "dj"), tables, strict=True):
        graph = np.asarray(getattr(graphs, kind).todense(), dtype=np.float64) + np.eye(len(own))
        degree = graph.sum(axis=1)
        mapped = own @ weights[f"graphs.{kind}.kernel"]
        rows = [
            sum(graph[i, j] / np.sqrt(degree[i] * degree[j]) * mapped[j] for j in range(len(own)))
            + weights[f"graphs.{kind}.skip"] * mapped[i]
            + weights[f"graphs.{kind}.bias"]
            for i in range(len(own))
        ]
        made[kind] = np.tanh(np.array(rows))
    return made


def layer_by_hand(
    weights: dict[str, npt.NDArray[np.float32]], name: str, group: int, own: Dense, neighbours: Dense
) -> Dense:
    told = np.tanh(neighbours @ weights[f"{name}.neighbours"][group])
    made: Dense = np.tanh(np.hstack([own, told]) @ weights[f"{name}.mix"][group])
    return made


def test_without_draws_vectors_are_those_of_the_formulas() -> None:
    """Means over all neighbours, weighed by clicks; the published sums and concatenations."""
    snapshot = toy()
    graphs = graphs_of(snapshot)
    planner, _ = first_step(graphs, TINY)
    weights = weights_of(module_of(planner, TINY))
    model = embedded(snapshot, graphs, weights, TINY, [])

    def means(clicks: Dense, others: Dense) -> Dense:
        return np.array([row @ others / row.sum() if row.any() else 0 * others[0] for row in clicks])

    songs, artists, djs = np.split(weights["embedding"].astype(np.float64), [6, 10])
    clicks = np.asarray(snapshot.clicks[:3].todense(), dtype=np.float64)
    credited = np.asarray(snapshot.credits.todense(), dtype=np.float64)
    encoded = encoded_by_hand(weights, graphs)
    items, players = [], []
    for half, (own, taste) in enumerate(((songs, clicks), (artists, clicks @ credited))):
        first_djs = layer_by_hand(weights, "first", 2 * half, djs, means(taste, own))
        first_items = layer_by_hand(weights, "first", 2 * half + 1, own, means(taste.T, djs))
        second = layer_by_hand(weights, "second", 2 * half, first_djs, means(taste, first_items))
        players.append(second + encoded["dj"][:, 3 * half : 3 * half + 3])
        items.append(layer_by_hand(weights, "second", 2 * half + 1, first_items, means(taste.T, first_djs)))
    items[0] += encoded["song"]
    items[1] += encoded["artist"]
    np.testing.assert_allclose(model.song_vectors, np.hstack([items[0], credited @ items[1]]), atol=1e-5)
    np.testing.assert_allclose(model.artist_vectors, items[1], atol=1e-5)
    np.testing.assert_allclose(model.dj_vectors[:3], np.hstack(players), atol=1e-5)
    np.testing.assert_allclose(model.song_likeness, encoded["song"] + credited @ encoded["artist"], atol=1e-5)
    np.testing.assert_allclose(model.artist_likeness, encoded["artist"], atol=1e-5)


def test_a_step_computes_the_vectors_and_losses_of_the_formulas_from_its_draws() -> None:
    snapshot = toy()
    graphs = graphs_of(snapshot)
    planner, step = first_step(graphs, TINY)
    module = module_of(planner, TINY)
    weights = weights_of(module)
    encoded = encoded_by_hand(weights, graphs)
    table = weights["embedding"].astype(np.float64)
    encodings = np.vstack([encoded["song"], encoded["artist"], encoded["dj"][:, :3], encoded["dj"][:, 3:]])

    def layered(name: str, matrix: Dense, others: Dense, rows: list[int]) -> Dense:
        own, neighbours = np.split(matrix @ others, 2)
        groups = np.split(np.arange(len(own)), np.cumsum(rows)[:-1])
        return np.vstack(
            [layer_by_hand(weights, name, number, own[at], neighbours[at]) for number, at in enumerate(groups)]
        )

    firsts = layered("first", dense(step.first.rows), table, planner.sizes.first)
    seconds = layered("second", dense(step.second.rows), firsts, planner.sizes.second)
    seconds += dense(step.encoded.rows) @ encodings
    djs, songs, artist_djs, artists = np.split(seconds, np.cumsum(planner.sizes.second)[:-1])
    djs = np.hstack([djs, artist_djs])
    songs = np.hstack([songs, dense(step.credits.rows) @ artists])

    data = hetero_data(graphs)
    with torch.no_grad():
        found_encodings = module.encodings(data)
        found_djs, found_songs = module.vectors(step, found_encodings)
        losses = module(step, data, cooccurrence_of(graphs, TINY, CPU))
    np.testing.assert_allclose(found_encodings, encodings, atol=1e-5)
    np.testing.assert_allclose(found_djs, djs, atol=1e-5)
    np.testing.assert_allclose(found_songs, songs, atol=1e-5)

    played, unplayed = np.split(songs, 2)
    margins = (djs * (played - unplayed)).sum(axis=1)
    bpr = np.mean(-np.log(1 / (1 + np.exp(-margins))))
    norm = (djs**2).mean() + (played**2).mean() + (unplayed**2).mean()
    chosen = [node for node in step.batch.nodes.tolist() if node >= 0]
    means = []
    for own in ([n for n in chosen if n < 6], [n for n in chosen if n >= 6]):
        for others in (range(6), range(6, 10)):
            terms = []
            for i in own:
                for j in others:
                    x = float(cooccurrence_by_hand(snapshot)[i, j])
                    product = max(0.0, float(encodings[i] @ encodings[j]))
                    terms.append((1.0 if x else 0.05) * (product - x) ** 2)
            means.append(np.mean(terms))
    expected = [bpr, *means, norm]
    np.testing.assert_allclose(losses.parts, expected, rtol=1e-4)
    total = bpr + 10 * means[0] + 20 * means[1] + 8 * means[2] + 6 * means[3] + 0.05 * norm
    assert losses.total.item() == pytest.approx(total, rel=1e-4)


def cooccurrence_by_hand(snapshot: GraphSnapshot) -> Dense:
    songs_artists = snapshot.song_artist.todense()
    return np.asarray(
        np.block([[snapshot.song_song.todense(), songs_artists], [songs_artists.T, snapshot.artist_artist.todense()]])
    )


def test_the_squares_of_kernels_alone_are_penalised() -> None:
    """Adam's decay of 2 * l2 has the gradient of l2 * w^2."""
    trainer = Trainer(graphs_of(toy()), replace(TINY, l2=0.25), CPU)
    decays = {
        id(weight): group["weight_decay"] for group in trainer.optimizer.param_groups for weight in group["params"]
    }
    for name, weight in trainer.module.named_parameters():
        is_kernel = name.endswith(("neighbours", "mix", "kernel"))
        assert decays[id(weight)] == (0.5 if is_kernel else 0), name


# --- draws -----------------------------------------------------------------------------------------------------


def test_triples_are_of_songs_that_a_dj_clicked_and_of_songs_that_he_never_played() -> None:
    snapshot = toy()
    graphs = graphs_of(snapshot)
    clicks, plays = snapshot.clicks.todense(), snapshot.plays.todense()
    planner = Planner(graphs, replace(TINY, steps=40), CPU)
    seen = set()
    for drawn in planner.epoch(3):
        encoded = dense(planner.step(drawn).encoded.rows)[:18].argmax(axis=1)
        for dj, played, unplayed in zip(encoded[:6] - 10, encoded[6:12], encoded[12:], strict=True):
            assert clicks[dj, played] > 0
            assert plays[dj, unplayed] == 0
            seen.add((int(dj), int(played), int(unplayed)))
    # Every triple there is comes up.
    assert len(seen) == sum(int((clicks[dj] > 0).sum() * (plays[dj] == 0).sum()) for dj in range(3))


def test_means_are_over_drawn_neighbours_and_columns_hold_what_rows_do() -> None:
    graphs = graphs_of(toy())
    planner, step = first_step(graphs, replace(TINY, dropout=0.0))
    for matrix in (step.first, step.second, step.encoded, step.credits):
        np.testing.assert_array_equal(dense(matrix.rows).T, dense(matrix.transposed))
    clicks = {"song": graphs.clicks.toarray(), "artist": graphs.artist_clicks.toarray()}
    own, means = np.split(dense(step.first.rows), 2)
    begin = 0
    for half, at in (("song", 0), ("artist", 6)):
        for rows, is_dj in ((3, True), (planner.sizes.first_items(half), False)):  # type: ignore[arg-type]
            for row in range(begin, begin + rows):
                if not own[row].any():
                    assert half == "artist"
                    continue
                node = int(own[row].argmax())
                taste = clicks[half][node - 10] if is_dj else clicks[half][:, node - at]
                drawn = means[row, at:] if is_dj else means[row, 10:]
                assert set(np.flatnonzero(drawn)) <= set(np.flatnonzero(taste))
                assert means[row].sum() == pytest.approx(1 if taste.any() else 0)
            begin += rows


def test_neighbours_are_drawn_in_proportion_to_clicks_and_never_where_there_are_none() -> None:
    relation: Relation = Planner(graphs_of(toy()), TINY, CPU)._by_dj["song"]
    clicks = toy().clicks[:3].toarray()
    drawn, is_any = relation.draw(torch.arange(3), 20_000, torch.Generator().manual_seed(0))
    assert is_any.all()
    for row, places in zip(clicks, drawn.numpy(), strict=True):
        np.testing.assert_allclose(np.bincount(places, minlength=6) / 20_000, row / row.sum(), atol=0.015)
    by_song = Planner(graphs_of(toy()), TINY, CPU)._by_item["song"]
    assert not by_song.draw(torch.tensor([5]), 7, torch.Generator())[1].any()


def test_dropout_takes_away_drawn_neighbours() -> None:
    """Of a song's four draws of the one DJ who clicked it none is left in .3 ** 4 of the means."""
    lists = np.ones((2, 40))
    snapshot = snapshot_of(np.hstack([lists, np.zeros((2, 1))]), np.ones((1, 2)), np.zeros((41, 0)))
    planner = Planner(graphs_of(snapshot), replace(TINY, steps=200), CPU)
    sums = [dense(planner.step(drawn).first.rows)[:, -1] for drawn in planner.epoch(0)]
    clicked = np.concatenate([means[-planner.sizes.first_items("song") :][:6] for means in sums])
    assert set(np.round(np.unique(clicked), 6)) == {0.0, 1.0}
    assert 1 - clicked.mean() == pytest.approx(0.3**4, abs=0.012)


# --- what comes out --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained() -> Mgccf:
    return train_mgccf(scenes(), SCENES)


def test_djs_and_listeners_get_songs_of_their_scene_first(trained: Mgccf) -> None:
    """Also the last DJ, who has no clicks, and whoever likes two songs of a scene."""
    likes = csr([[1.0 if song in (scene, scene + 4) else 0 for song in range(30)] for scene in (0, 1)])
    for vectors, scene_of in ((trained.dj_vectors, np.arange(8) % 2), (trained.fold_in(likes), np.arange(2))):
        for scores, scene in zip(trained.scores(vectors), scene_of, strict=True):
            assert (np.argsort(-scores)[:10] % 2 == scene).all()
    assert trained.trained.tolist() == list(range(7))


def test_losses_are_kept_by_epoch_and_fall(trained: Mgccf) -> None:
    assert len(trained.history) == 12
    assert all(set(losses) == {"loss", *PARTS} for losses in trained.history)
    first, last = trained.history[0], trained.history[-1]
    assert all(last[part] < first[part] for part in ("loss", "bpr", "song_song", "artist_artist"))


def test_a_dj_folded_in_from_his_own_clicks_is_near_himself(trained: Mgccf) -> None:
    folded = trained.fold_in(trained.clicks)
    cosines = (folded * trained.dj_vectors[:7]).sum(axis=1)
    cosines /= np.linalg.norm(folded, axis=1) * np.linalg.norm(trained.dj_vectors[:7], axis=1)
    assert cosines.min() > 0.7


def test_a_folded_in_listener_stands_in_the_djs_graph_as_if_she_had_been_there(trained: Mgccf) -> None:
    row = csr([[2.0 if song in (0, 2, 3) else 0 for song in range(30)]])
    signs = np.vstack([trained.clicks.sign().toarray(), row.sign().toarray()])
    signs /= np.linalg.norm(signs, axis=1, keepdims=True)
    alike = signs @ signs.T
    np.fill_diagonal(alike, 0)
    own = np.ones((1, 64), dtype=np.float32) / 8
    mapped = np.vstack([trained._dj_embeddings, own]) @ trained.weights["graphs.dj.kernel"]
    told = (normalised(csr(alike)) @ mapped + trained.weights["graphs.dj.skip"] * mapped)[-1:]
    expected = np.tanh(told + trained.weights["graphs.dj.bias"])
    np.testing.assert_allclose(trained._graph_of(row, own), expected, atol=1e-5)


def test_who_likes_nothing_or_what_nobody_clicked_is_a_mean_dj(trained: Mgccf) -> None:
    vectors = trained.fold_in(sparse.csr_matrix((2, 30), dtype=np.float32))
    assert np.isfinite(vectors).all()
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert len(trained.fold_in(sparse.csr_matrix((0, 30), dtype=np.float32))) == 0


def test_listeners_are_folded_in_together_as_alone(trained: Mgccf) -> None:
    rows = trained.clicks[:4]
    alone = np.vstack([trained.fold_in(rows[place]) for place in range(4)])
    np.testing.assert_allclose(trained.fold_in(rows), alone, atol=1e-6)


def test_a_model_is_the_same_after_it_was_taken_apart(trained: Mgccf) -> None:
    arrays = trained.to_arrays()
    assert all(values.dtype.kind in "fi" for values in arrays.values())
    again = Mgccf.from_arrays(arrays, trained.options, trained.history)
    np.testing.assert_array_equal(again.fold_in(trained.clicks), trained.fold_in(trained.clicks))
    np.testing.assert_array_equal(again.scores(again.dj_vectors), trained.scores(trained.dj_vectors))
    assert again.songs.tolist() == list(range(100, 130))
    assert again.history == trained.history
    del arrays["trained"]
    with pytest.raises(KeyError, match="trained"):
        Mgccf.from_arrays(arrays, trained.options)


def test_drawn_neighbours_tell_on_average_what_all_of_them_tell() -> None:
    matrix = sparse.csr_matrix(np.array([[1.0, 3, 0], [0, 0, 0], [0, 0, 2]]))
    random = np.random.default_rng(0)
    drawn = [drawn_shares(matrix, 4, random).toarray() for _ in range(2000)]
    assert {tuple(row) for told in drawn for row in told[1:]} == {(0, 0, 0), (0, 0, 1)}
    assert {told[0, 0] for told in drawn} == {0, 0.25, 0.5, 0.75, 1}
    np.testing.assert_allclose(np.mean(drawn, axis=0), shares(matrix).toarray(), atol=0.02)


def test_many_sampled_passes_come_near_the_whole_neighbourhoods() -> None:
    model = train_mgccf(toy(), TINY)
    apart = [np.abs(averaged(toy(), model, passes).dj_vectors - model.dj_vectors).mean() for passes in (1, 100)]
    assert 0 < apart[1] < apart[0] / 3
    np.testing.assert_array_equal(averaged(toy(), model, 2).song_vectors, averaged(toy(), model, 2).song_vectors)


def test_songs_without_artists_have_none_in_their_vectors() -> None:
    model = train_mgccf(toy(), TINY)
    assert model.song_vectors.shape == (6, 6)
    assert model.song_vectors[5, 3:].tolist() == [0.0] * 3
    assert np.isfinite(model.dj_vectors).all()


@pytest.mark.parametrize("part", ["artists", "factorisation", "multi-graph"])
def test_a_part_can_be_left_out(part: Part) -> None:
    options = replace(TINY, without=(part,))
    model = train_mgccf(toy(), options)
    losses = model.history[-1]
    factorised = [losses[name] for name in ("song_song", "song_artist", "artist_song", "artist_artist")]
    assert model.song_vectors.shape == (6, 3 if part == "artists" else 6)
    assert len(model.artists) == (0 if part == "artists" else 4)
    assert [bool(loss) for loss in factorised] == {
        "artists": [True, False, False, False],
        "factorisation": [False] * 4,
        "multi-graph": [True] * 4,
    }[part]
    if part == "multi-graph":
        mapped = model.weights["embedding"][:6] @ model.weights["graphs.song.kernel"]
        own = np.tanh(mapped * model.weights["graphs.song.skip"] + model.weights["graphs.song.bias"])
        artists = model.credits @ model.artist_likeness
        np.testing.assert_allclose(model.song_likeness, own + artists, atol=1e-6)
    assert np.isfinite(model.fold_in(csr([[1, 0, 0, 2, 0, 0]]))).all()


def test_a_graph_without_artists_is_learned_as_if_they_were_left_out() -> None:
    snapshot = toy()
    nobody = replace(
        snapshot,
        artists=snapshot.artists[:0],
        credits=snapshot.credits[:, :0],
        song_artist=snapshot.song_artist[:, :0],
        artist_artist=snapshot.artist_artist[:0, :0],
    )
    left_out = train_mgccf(snapshot, replace(TINY, without=("artists",)))
    np.testing.assert_array_equal(train_mgccf(nobody, TINY).song_vectors, left_out.song_vectors)


# --- what is refused -------------------------------------------------------------------------------------------


def without_clicks(snapshot: GraphSnapshot) -> GraphSnapshot:
    return replace(snapshot, clicks=sparse.csr_matrix(snapshot.clicks.shape, dtype=np.float32))


def without_songs(_snapshot: GraphSnapshot) -> GraphSnapshot:
    return snapshot_of(np.zeros((0, 0)), np.zeros((0, 0)), np.zeros((0, 0)))


@pytest.mark.parametrize("change", [without_clicks, without_songs])
def test_a_graph_without_clicks_or_songs_is_refused(change: Callable[[GraphSnapshot], GraphSnapshot]) -> None:
    with pytest.raises(NotReadyError, match="recsys tracklists prepare") as error:
        train_mgccf(change(toy()), TINY)
    assert "\n" not in str(error.value)


def test_djs_who_played_everything_are_refused() -> None:
    snapshot = snapshot_of(np.ones((2, 3)), np.ones((1, 2)), np.zeros((3, 0)))
    with pytest.raises(NotReadyError, match="played every song"):
        train_mgccf(snapshot, TINY)


def test_a_training_that_diverged_is_refused() -> None:
    with pytest.raises(NotReadyError, match="lower learning rate"):
        train_mgccf(toy(), replace(TINY, learning_rate=float("inf")))


# --- what decides the weights ----------------------------------------------------------------------------------


def same(first: Mgccf, second: Mgccf) -> bool:
    return first.history == second.history and all(
        np.array_equal(values, second.to_arrays()[name]) for name, values in first.to_arrays().items()
    )


def test_the_same_seed_gives_the_same_model_and_another_one_another() -> None:
    before = torch.get_rng_state()
    first = train_mgccf(toy(), TINY)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(123)
    assert same(first, train_mgccf(toy(), TINY))
    assert not same(first, train_mgccf(toy(), replace(TINY, seed=1)))


def stop_at(epoch: int) -> Callable[[str, int, int], None]:
    def progress(_step: str, done: int, _all: int) -> None:
        if done == epoch:
            raise KeyboardInterrupt

    return progress


def test_a_training_that_was_interrupted_goes_on_to_the_same_model(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        train_mgccf(toy(), TINY, folder, stop_at(0))
    assert not folder.exists()
    for epoch in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            train_mgccf(toy(), TINY, folder, stop_at(epoch))
    assert sorted(path.name for path in folder.iterdir()) == ["training.json", "training.safetensors"]
    resumed: list[int] = []
    model = train_mgccf(toy(), TINY, folder, lambda _step, done, _all: resumed.append(done))
    assert resumed == [2, 3]
    assert same(model, train_mgccf(toy(), TINY))
    longer = replace(TINY, epochs=4)
    assert same(train_mgccf(toy(), longer, folder), train_mgccf(toy(), longer))


def test_an_epoch_that_was_interrupted_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here in its second step, so that weights have moved since the state that is kept."""
    steps = 0
    real = Trainer.step

    def step(self: Trainer, drawn: torch.Tensor) -> None:
        nonlocal steps
        steps += 1
        if steps == 4:
            raise KeyboardInterrupt
        real(self, drawn)

    monkeypatch.setattr(Trainer, "step", step)
    with pytest.raises(KeyboardInterrupt):
        train_mgccf(toy(), TINY, tmp_path / "state")
    monkeypatch.undo()
    assert same(train_mgccf(toy(), TINY, tmp_path / "state"), train_mgccf(toy(), TINY))


def test_the_state_of_another_training_is_refused(tmp_path: Path) -> None:
    train_mgccf(toy(), TINY, tmp_path / "state")
    for snapshot, options in ((toy(), replace(TINY, seed=1)), (scenes(), TINY)):
        with pytest.raises(SettingsError, match="another graph or with other options"):
            train_mgccf(snapshot, options, tmp_path / "state")
    (tmp_path / "state" / "training.safetensors").write_bytes(b"damaged")
    with pytest.raises(SettingsError, match="cannot be read"):
        train_mgccf(toy(), TINY, tmp_path / "state")


# --- on a GPU --------------------------------------------------------------------------------------------------


@needs_cuda
@pytest.mark.parametrize("without", [(), ("artists",), ("multi-graph",)])
def test_a_gpu_computes_a_steps_loss_and_gradients_as_a_cpu_does(without: tuple[Part, ...]) -> None:
    options = replace(SCENES, without=without)
    graphs = graphs_of(scenes(), without)
    drawn = Planner(graphs, options, CPU).epoch(0)
    made = []
    for device in ("cpu", "cuda"):
        planner = Planner(graphs, options, torch.device(device))
        planner.epoch(0)
        module = module_of(planner, options).to(device)
        step = planner.step(drawn[0].to(device))
        losses = module(step, hetero_data(graphs).to(device), cooccurrence_of(graphs, options, torch.device(device)))
        losses.total.backward()
        made.append([losses.parts.cpu(), *(weight.grad.cpu() for weight in module.parameters())])
    for expected, found in zip(*made, strict=True):
        assert (expected - found).norm() <= 2e-3 * expected.norm() + 1e-6


@needs_cuda
def test_a_gpu_gives_the_same_model_each_time_also_after_an_interruption(tmp_path: Path) -> None:
    options = replace(SCENES, epochs=4, device="cuda")
    model = train_mgccf(scenes(), options)
    assert same(model, train_mgccf(scenes(), options))
    with pytest.raises(KeyboardInterrupt):
        train_mgccf(scenes(), options, tmp_path / "state", stop_at(2))
    assert same(model, train_mgccf(scenes(), options, tmp_path / "state"))


@needs_cuda
def test_a_gpu_learns_the_scenes() -> None:
    model = train_mgccf(scenes(), replace(SCENES, device="cuda"))
    for scores, scene in zip(model.scores(model.dj_vectors), np.arange(8) % 2, strict=True):
        assert (np.argsort(-scores)[:10] % 2 == scene).all()
