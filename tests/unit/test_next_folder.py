"""A recommender of next songs as a folder: what is read is what was written, and nothing else is taken for one."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from recsys import __version__
from recsys.errors import NotReadyError, SourceError
from recsys.sequences import next_folder
from recsys.sequences.next_folder import (
    ARRAYS_FILE,
    FILES,
    MANIFEST_FILE,
    NextFacts,
    load_next_recommender,
    train_next_recommender,
)
from recsys.sequences.next_song import NextOptions, NextRecommender
from recsys.sequences.next_training import train_next_song
from recsys.sequences.played import Played, counts_of
from recsys.tracklists.graph_snapshot import GraphFacts
from recsys.tracklists.running_order import UNKNOWN
from tests.graph_worlds import LETTERS, snapshot_of
from tests.order_worlds import List, order_of, sets_of

LITTLE = NextOptions(trees=5, leaf_size=2, spans=2, span_lists=4, scattered=4, positions=40, others=5)
PAST: tuple[List, ...] = tuple((number % 2, (LETTERS * 2)[number % 8 : number % 8 + 4], number) for number in range(24))
ORDER = replace(order_of(PAST, ((0, "abc", 99), (1, "de-", 98))), names_hash="m")
GRAPH = snapshot_of(*PAST)
FACTS = GraphFacts(
    query_hash="q", names_hash="n", before="2021-01-01", options={}, tracklists=24, sizes={}, content_hash="c"
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NextFacts]:
    folder = tmp_path_factory.mktemp("trained") / "mine"
    return folder, train_next_recommender(GRAPH, ORDER, FACTS, folder, LITTLE)


@pytest.fixture
def folder(written: tuple[Path, NextFacts], tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(written[0], tmp_path / "copy"))


def test_what_is_read_answers_as_what_was_trained(written: tuple[Path, NextFacts]) -> None:
    read = load_next_recommender(written[0])
    counts = counts_of(ORDER, 2)
    grown = train_next_song(ORDER.past, ORDER.song_artists, counts, LITTLE)
    own = NextRecommender(grown, Played(ORDER.past, ORDER.song_artists, counts))
    begun = sets_of((0, "ab", 20), (1, "h", None), (UNKNOWN, "-", 3), (0, "", 7), (1, "abcdefg", 99))
    for mine, theirs in zip(own.next(begun, 5), read.recommender.next(begun, 5), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(read.djs, GRAPH.djs)
    np.testing.assert_array_equal(read.order.songs, ORDER.songs)
    assert read.order.programmes == ORDER.programmes
    assert read.order.past.songs.tolist() == ORDER.past.songs.tolist()


def test_what_is_held_out_is_not_written(written: tuple[Path, NextFacts], tmp_path: Path) -> None:
    assert len(load_next_recommender(written[0]).order.later) == 0
    other = replace(ORDER, later=sets_of((0, "hhh", 50)))
    assert train_next_recommender(GRAPH, other, FACTS, tmp_path / "other", LITTLE) == written[1]


def test_the_manifest_says_what_was_trained_on_what(written: tuple[Path, NextFacts]) -> None:
    folder, facts = written
    assert load_next_recommender(folder).facts == facts
    told = json.loads((folder / MANIFEST_FILE).read_text())
    assert told["options"] == asdict(LITTLE) | {"without": []}
    assert (told["layout"], told["code_version"]) == (1, __version__)
    assert (told["snapshot_hash"], told["names_hash"], told["before"]) == ("c", "m", "2021-01-01")
    assert set(told["metrics"]) == {"loss", "songs_foretold"}
    assert sorted(path.name for path in folder.parent.iterdir()) == ["mine"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


def test_silenced_channels_are_remembered(tmp_path: Path) -> None:
    train_next_recommender(GRAPH, ORDER, FACTS, tmp_path / "deaf", replace(LITTLE, without=("order",)))
    assert load_next_recommender(tmp_path / "deaf").facts.options["without"] == ["order"]


def test_an_older_one_is_replaced_and_the_same_one_is_known_by_its_hash(
    written: tuple[Path, NextFacts], folder: Path
) -> None:
    again = train_next_recommender(GRAPH, ORDER, FACTS, folder, LITTLE)
    assert again.content_hash == written[1].content_hash
    other = train_next_recommender(GRAPH, ORDER, FACTS, folder, replace(LITTLE, trees=4))
    assert other.content_hash != again.content_hash
    assert load_next_recommender(folder).facts == other


def refused(folder: Path) -> str:
    with pytest.raises(SourceError) as error:
        load_next_recommender(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_where_there_is_none_it_says_how_to_write_one(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert refused(folder) == (
            f"{folder} holds no recommender of next songs: write one with"
            f" `recsys tracklists train --model next --output {folder}`"
        )


def test_another_layout_is_named(folder: Path) -> None:
    change(folder, {"layout": 99})
    assert "is of layout 99, this version reads 1: write it again" in refused(folder)


def change(folder: Path, manifest: dict[str, object]) -> None:
    file = folder / MANIFEST_FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | manifest))


@pytest.mark.parametrize(
    "manifest",
    [
        {"content_hash": "0"},
        {"options": {"trees": 1, "branches": 2}},
        {"options": {"without": [], "branches": 2}},
        {"colour": "blue"},
        {"options": None},
    ],
)
def test_a_manifest_that_does_not_fit_is_damage(folder: Path, manifest: dict[str, object]) -> None:
    change(folder, manifest)
    assert " is damaged (" in refused(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"layout": 1}', "\udcff"])
def test_a_manifest_that_cannot_be_read_is_damage(folder: Path, text: str) -> None:
    (folder / MANIFEST_FILE).write_bytes(text.encode(errors="surrogateescape"))
    assert f"{MANIFEST_FILE} cannot be read" in refused(folder)


@pytest.mark.parametrize("kept", [0, 0.5, 0.999])
def test_a_file_that_was_cut_off_is_damage(folder: Path, kept: float) -> None:
    file = folder / ARRAYS_FILE
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content))])
    assert "is damaged" in refused(folder)


def test_a_missing_file_is_damage(folder: Path) -> None:
    (folder / ARRAYS_FILE).unlink()
    assert "is damaged" in refused(folder)


@pytest.mark.parametrize("name", ["forest", "djs", "songs", "past.songs", "past.days", "programmes"])
def test_a_single_changed_number_is_damage(folder: Path, name: str) -> None:
    with np.load(folder / ARRAYS_FILE) as stored:
        arrays = dict(stored)
    changed = arrays[name].copy()
    changed[-1] += 1
    np.savez_compressed(folder / ARRAYS_FILE, **arrays | {name: changed})
    assert "its content is not what its manifest says" in refused(folder)


def test_a_forest_of_other_features_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(next_folder, "FEATURES", next_folder.FEATURES[:-1])
    assert "is damaged (a forest cannot be read" in refused(folder)


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        pytest.fail("it was trained first")

    monkeypatch.setattr(next_folder, "train_next_song", never)


@pytest.mark.usefixtures("untrained")
def test_a_folder_of_something_else_is_refused_before_training_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("more work")
    for name in ("mine", "file"):
        with pytest.raises(SourceError, match="something else"):
            train_next_recommender(GRAPH, ORDER, FACTS, tmp_path / name, LITTLE)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    assert (tmp_path / "file").read_text() == "more work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "mine"]


def test_what_cannot_be_learned_leaves_the_older_one(written: tuple[Path, NextFacts], folder: Path) -> None:
    with pytest.raises(NotReadyError):
        train_next_recommender(GRAPH, order_of(()), FACTS, folder, LITTLE)
    assert load_next_recommender(folder).facts == written[1]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["copy"]
