"""Accuracies of levels on later tracklists, against a loop that asks the network for one position after the other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys.evaluation.level_accuracy import LevelResult, level_accuracy
from recsys.evaluation.level_tables import level_tables
from recsys.sequences.sequence_model import TrainedSequence, load_sequence_model, train_sequence_model
from recsys.sequences.sequence_options import SequenceOptions
from recsys.tracklists.running_order import UNKNOWN, RunningOrder, Sets
from tests.toy_sequences import sets_of, toy_world, write_toy_world

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIONS = SequenceOptions(width=16, epochs=15, batch_size=16, learning_rate=0.01, djs=True, quarters=True, device="cpu")
LATER = sets_of(
    [
        [0, 2, 4, 40, 8, 10, 12, 14, 16],
        [1, 3, 5, 7, 9, 11, 40, 13],
        [2, 4],
        [39, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31],
    ],
    [0, UNKNOWN, 1, 2],
    [90, 91, 92, 93],
)
"""The first two with a song that the network does not know, the third too short, the last of two windows."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_world(tmp_path_factory.mktemp("snapshot") / "toy")


@pytest.fixture(scope="module")
def trained(folder: Path) -> TrainedSequence:
    train_sequence_model(folder, folder.with_name("trained"), OPTIONS)
    return load_sequence_model(folder.with_name("trained"))


def order() -> RunningOrder:
    return replace(toy_world()[1], later=LATER)


def one_by_one(trained: TrainedSequence, later: Sets) -> dict[str, list[tuple[int, bool]]]:
    """The tracklist of each position after a song of a window, and whether it is foretold."""
    model = trained.model
    true = [np.asarray(model.assignments(level).toarray()).argmax(axis=1) for level in range(3)]
    found: dict[str, list[tuple[int, bool]]] = {}
    for number in range(len(later)):
        songs = later.songs[later.starts[number] : later.starts[number + 1]]
        songs = np.where(songs < 40, songs, UNKNOWN)
        first_places = [0, 7] if len(songs) > 15 else [0] if len(songs) > 4 else []
        for first in first_places:
            window = songs[first : first + 16]
            for place in range(1, len(window)):
                if window[place] == UNKNOWN:
                    continue
                hidden = model.read(window[None, :place], later.djs[[number]])
                given = alone = None
                for level in (2, 1, 0):
                    own = true[level][window[place]]
                    for kind, teacher in (("given", given), ("alone", alone)):
                        best = model.cluster_logits(hidden, level, teacher).argmax(axis=1)
                        found.setdefault(f"{kind}_clusters_{level}", []).append((number, bool(best[0] == own)))
                        alone = best if kind == "alone" else alone
                    given = np.array([own])
                for kind, teacher in (("given", given), ("alone", alone)):
                    best = model.song_logits(hidden, teacher).argmax(axis=1)
                    found.setdefault(f"{kind}_songs", []).append((number, bool(best[0] == window[place])))
    return found


def test_accuracies_are_those_of_one_position_after_the_other(trained: TrainedSequence) -> None:
    result = level_accuracy("mine", trained, LATER, order())
    assert result is not None
    expected = one_by_one(trained, LATER)
    assert {name for name, _ in result.scores} == expected.keys()
    for name, hits in expected.items():
        lists = sorted({number for number, _ in hits})
        assert lists == [0, 1, 3]
        assert result.positions.tolist() == [sum(number == own for number, _ in hits) for own in lists]
        means = [np.mean([is_hit for number, is_hit in hits if number == own]) for own in lists]
        assert result.scores[name, 1] == pytest.approx(means)
        assert result.mean(name) == pytest.approx(np.mean([is_hit for _, is_hit in hits]))
    # It has learned something, so that hits are told from misses.
    assert 0 < result.mean("given_songs") < 1
    assert dict(result.sizes) == {"clusters_2": 2, "clusters_1": 4, "clusters_0": 8, "songs": 40}


def test_there_are_no_accuracies_without_clusters_or_positions(trained: TrainedSequence, folder: Path) -> None:
    assert level_accuracy("mine", trained, LATER.at(np.array([2])), order()) is None
    train_sequence_model(folder, folder.with_name("plain"), replace(OPTIONS, head="softmax", epochs=1))
    assert level_accuracy("plain", load_sequence_model(folder.with_name("plain")), LATER, order()) is None


def test_a_table_stands_beside_what_was_published() -> None:
    scores = {
        (f"{kind}_{level}", 1): np.array([hit, 1.0])
        for kind, hit in (("given", 0.5), ("alone", 0.0))
        for level in ("clusters_1", "clusters_0", "songs")
    }
    sizes = {"clusters_1": 384, "clusters_0": 1200, "songs": 31214}
    [table] = level_tables([LevelResult("mine", sizes, np.array([3, 1]), scores, 0.0)])
    assert table.title == "mine: each level at 4 positions of 2 tracklists"
    assert table.head == ["level", "true parents", "published", "on its own", "published"]
    # (3 * .5 + 1 * 1) / 4, and (3 * 0 + 1) / 4
    assert table.rows == [
        ["384 clusters", ".6250", ".4365", ".2500", ""],
        ["1,200 clusters", ".6250", ".6109", ".2500", ""],
        ["31,214 songs", ".6250", ".1866", ".2500", ".0280"],
    ]
