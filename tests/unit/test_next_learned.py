"""Networks as methods that foretell the next song: what they read, and what is made of their answers."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from recsys.errors import SettingsError
from recsys.evaluation.graph_learned import check_snapshot
from recsys.evaluation.next_learned import GrownOnce, NetworkMethod
from recsys.evaluation.next_methods import measure
from recsys.evaluation.next_song import NextSongOptions
from recsys.sequences.next_network import NetworkScores
from recsys.sequences.next_song import NextSong
from recsys.sequences.next_training import train_next_song
from recsys.tracklists.running_order import Sets
from tests.graph_worlds import LETTERS
from tests.order_worlds import order_of, sets_of

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]


class Noted:
    """Says of each of its songs how likely it is, and keeps what it read."""

    def __init__(self, *scores: float) -> None:
        self._scores = np.array(scores, dtype=np.float32)

    def read(self, songs: Rows, djs: Rows) -> Scores:
        self.songs, self.djs = songs, djs
        return np.zeros((len(songs), 1), dtype=np.float32)

    def next_scores(self, hidden: Scores) -> Scores:
        return np.tile(self._scores, (len(hidden), 1))


def test_a_network_reads_its_own_rows_and_answers_with_those_of_the_order() -> None:
    # Its songs are b, d, h and one that the order does not have; its DJs 12 and 11.
    network = Noted(-1, -2, -3, 0)
    songs = np.array([101, 103, 107, 900])
    method = NetworkMethod(NetworkScores(network, songs, np.array([12, 13]), order_of(()), np.array([11, 12])))
    named, scores = method.next(sets_of((0, "abd", 1), (1, "h-", 1), (-1, "", 1)), 3)
    assert network.songs[0].tolist() == [-1] * 12 + [-1, 0, 1]
    assert network.songs[1].tolist() == [-1] * 13 + [2, -1]
    assert network.songs[2].tolist() == [-1] * 15
    assert network.djs.tolist() == [-1, 0, -1]
    assert ["".join(LETTERS[song] if song >= 0 else "-" for song in row) for row in named] == ["h--", "bd-", "bdh"]
    assert scores[1].tolist() == [-1, -2, -np.inf]


def test_a_network_reads_the_last_songs_and_names_none_of_the_whole_prefix() -> None:
    network = Noted(-1, -2)
    method = NetworkMethod(NetworkScores(network, np.array([100, 101]), np.array([11]), order_of(()), np.array([11])))
    named, _ = method.next(sets_of((0, "a" + "b" * 20, 1)), 2)
    assert network.songs.tolist() == [[1] * 15]
    assert named.tolist() == [[-1, -1]]


def test_a_network_of_another_snapshot_is_refused() -> None:
    check_snapshot("one", "gru", "one")
    with pytest.raises(SettingsError, match="gru was trained on another snapshot"):
        check_snapshot("one", "gru", "other")


def test_a_forest_is_grown_once_and_told_of_what_was_played_since(monkeypatch: pytest.MonkeyPatch) -> None:
    grown: list[int] = []

    def noted(sets: Sets, *given: Any) -> NextSong:
        grown.append(len(sets))
        return train_next_song(sets, *given)

    monkeypatch.setattr("recsys.evaluation.next_learned.train_next_song", noted)
    past = tuple((day % 2, LETTERS[day % 5 : day % 5 + 3], day) for day in range(60))
    options = NextSongOptions(renew=1, least_plays=1)
    results = measure(order_of(past, ((0, "abc", 61), (1, "cde", 62))), {"next": GrownOnce()}, options)
    assert grown == [60]
    assert results[0].positions.tolist() == [2, 2]
    assert results[0].mean("hit_rate", 10) == 1
