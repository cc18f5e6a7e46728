"""A small world of tracklists: DJs of two scenes walk through the songs of theirs in an order that can be learned."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import sparse

from recsys.tracklists.graph_snapshot import GraphFacts, GraphSnapshot, write_graph_snapshot
from recsys.tracklists.running_order import UNKNOWN, RunningOrder, Sets, write_running_order


def csr(dense: object) -> sparse.csr_matrix:
    return sparse.csr_matrix(np.asarray(dense, dtype=np.float32))


def sets_of(lists: list[list[int]], djs: list[int], days: list[int] | None = None) -> Sets:
    songs = np.array([song for own in lists for song in own], dtype=np.int64)
    nobody = np.full(len(lists), UNKNOWN)
    return Sets(
        starts=np.concatenate([[0], np.cumsum([len(own) for own in lists])]).astype(np.int64),
        songs=songs,
        artists=np.full(len(songs), UNKNOWN),
        djs=np.array(djs, dtype=np.int64),
        programmes=nobody,
        days=np.array(days if days is not None else range(len(lists)), dtype=np.int64),
    )


def toy_world(lists: int = 60, songs: int = 40, djs: int = 4) -> tuple[GraphSnapshot, RunningOrder]:
    """Each tracklist takes every other song, from a chance one on; the last song id is not in the vocabulary."""
    chance = np.random.default_rng(0)
    played, by = [], []
    for number in range(lists):
        scene, first = number % 2, int(chance.integers(songs // 2))
        own = [int(2 * ((first + step) % (songs // 2)) + scene) for step in range(int(chance.integers(6, 24)))]
        own[2] = songs if number % 5 == 0 else own[2]
        played.append(own)
        by.append(UNKNOWN if number == 7 else number % djs)
    holds = np.zeros((lists, songs))
    for number, own in enumerate(played):
        for song in own:
            if song < songs:
                holds[number, song] += 1
    dj_lists = np.zeros((djs, lists))
    for number, dj in enumerate(by):
        if dj >= 0:
            dj_lists[dj, number] = 1
    together = np.zeros((songs, songs))
    for own in played:
        for before, after in pairwise(own):
            if before < songs and after < songs:
                together[before, after] += 1
                together[after, before] += 1
    credited = np.zeros((songs, songs // 4))
    credited[np.arange(songs), np.arange(songs) % (songs // 4)] = 1
    credited[0] = 0
    clicks = np.log(np.maximum(dj_lists @ holds, 1))
    artists = credited.T @ together @ credited
    np.fill_diagonal(artists, 0)
    snapshot = GraphSnapshot(
        songs=np.arange(songs) + 100,
        artists=np.arange(songs // 4) + 200,
        djs=np.arange(djs) + 300,
        days=np.arange(lists),
        lists=csr(holds),
        dj_lists=csr(dj_lists),
        song_song=csr(np.log1p(together)),
        song_artist=csr(np.log1p(together @ credited)),
        artist_artist=csr(np.log1p(artists)),
        credits=csr(credited),
        clicks=csr(clicks),
        dj_dj=csr(np.zeros((djs, djs))),
    )
    order = RunningOrder(
        songs=np.arange(songs + 1) + 100,
        song_artists=np.full(songs + 1, UNKNOWN),
        artists=np.zeros(0, dtype=np.int64),
        programmes=(),
        past=sets_of(played, by),
        later=sets_of([[0, 2, 4]], [0], [lists]),
    )
    return snapshot, order


def write_toy_world(folder: Path, **counts: int) -> Path:
    snapshot, order = toy_world(**counts)
    facts = GraphFacts("", "names", None, {}, len(order.past), {})
    write_graph_snapshot(snapshot, facts, folder, lambda draft, own: write_running_order(order, draft, own))
    return folder
