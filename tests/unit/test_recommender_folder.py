"""A trained recommender as a folder: what is read is what was written, and nothing else is taken for one."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from recsys import __version__
from recsys.errors import NotReadyError, SourceError
from recsys.tracklists.blend import BlendOptions, Scored
from recsys.tracklists.blend_training import train_blend
from recsys.tracklists.forecasting import BlendRecommender
from recsys.tracklists.graph_snapshot import GraphSnapshot
from recsys.tracklists.past import past_of
from recsys.tracklists.recommender import (
    ARRAYS_FILE,
    MANIFEST_FILE,
    TrainedFacts,
    load_recommender,
    train_recommender,
)
from tests.scenes import FACTS, SONGS, scene_sets, snapshot

LITTLE = BlendOptions(trees=10, leaf_size=5, windows=2, least_lists=2, least_songs=3)


@pytest.fixture(scope="module")
def scenes() -> GraphSnapshot:
    return snapshot(scene_sets())


@pytest.fixture(scope="module")
def written(scenes: GraphSnapshot, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainedFacts]:
    folder = tmp_path_factory.mktemp("trained") / "mine"
    return folder, train_recommender(scenes, FACTS, folder, LITTLE)


@pytest.fixture
def folder(written: tuple[Path, TrainedFacts], tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(written[0], tmp_path / "copy"))


def as_lists(answers: list[Scored]) -> list[tuple[list[int], list[float], list[bool]]]:
    return [(one.songs.tolist(), one.scores.tolist(), one.is_known.tolist()) for one in answers]


def test_what_is_read_answers_as_what_was_trained(scenes: GraphSnapshot, written: tuple[Path, TrainedFacts]) -> None:
    read = load_recommender(written[0])
    own = BlendRecommender(train_blend(scenes, LITTLE), past_of(scenes))
    likes = np.zeros((1, 2 * SONGS), dtype=np.float32)
    likes[0, [3, 4]] = 1
    everybody = np.arange(8)
    assert as_lists(list(read.recommender.for_djs(everybody))) == as_lists(list(own.for_djs(everybody)))
    asked = sparse.csr_matrix(likes)
    assert as_lists(list(read.recommender.for_listeners(asked))) == as_lists(list(own.for_listeners(asked)))
    for name in ("songs", "artists", "djs"):
        np.testing.assert_array_equal(getattr(read, name), getattr(scenes, name))
        np.testing.assert_array_equal(getattr(read.recommender.vectors, name), getattr(own.vectors, name))
    assert read.recommender.vectors.likeness is None
    np.testing.assert_array_equal(read.plays.toarray(), scenes.plays.toarray())


def test_vectors_have_length_1_and_scenes_lie_apart(written: tuple[Path, TrainedFacts]) -> None:
    vectors = load_recommender(written[0]).recommender.vectors
    for made in (vectors.songs, vectors.artists, vectors.djs):
        assert np.linalg.norm(made, axis=1) == pytest.approx(np.ones(len(made)), abs=1e-5)
    scene = np.arange(8) % 2
    likeness = vectors.djs @ vectors.djs.T
    assert likeness[scene[:, None] == scene].min() > likeness[scene[:, None] != scene].max()
    assert likeness[scene[:, None] != scene] == pytest.approx(0, abs=1e-5)


def test_the_manifest_says_what_was_trained_on_what(written: tuple[Path, TrainedFacts]) -> None:
    folder, facts = written
    assert load_recommender(folder).facts == facts
    told = json.loads((folder / MANIFEST_FILE).read_text())
    assert told["options"] == asdict(LITTLE)
    assert (told["model"], told["layout"], told["code_version"]) == ("blend", 1, __version__)
    assert (told["snapshot_hash"], told["names_hash"], told["before"]) == ("c", "n", "2021-01-01")
    assert set(told["metrics"]) == {"known_loss", "new_loss"}
    assert sorted(path.name for path in folder.parent.iterdir()) == ["mine"]
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST_FILE, ARRAYS_FILE]


def test_an_older_recommender_is_replaced_and_the_same_one_is_known_by_its_hash(
    scenes: GraphSnapshot, written: tuple[Path, TrainedFacts], folder: Path
) -> None:
    again = train_recommender(scenes, FACTS, folder, LITTLE)
    assert again.content_hash == written[1].content_hash
    other = train_recommender(scenes, FACTS, folder, replace(LITTLE, trees=9))
    assert other.content_hash != again.content_hash
    assert load_recommender(folder).facts == other


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_where_there_is_none_it_says_how_to_write_one(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SourceError) as error:
            load_recommender(folder)
        assert one_line(error) == (
            f"{folder} holds no tracklist recommender: write one with `recsys tracklists train --output {folder}`"
        )


def test_another_layout_is_named(folder: Path) -> None:
    manifest = folder / MANIFEST_FILE
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"layout": 99}))
    with pytest.raises(SourceError, match="is of layout 99, this version reads 1: write it again") as error:
        load_recommender(folder)
    one_line(error)


@pytest.mark.parametrize(
    "change",
    [
        {"content_hash": "0"},
        {"options": {"trees": 1, "branches": 2}},
        {"model": "oracle"},
        {"colour": "blue"},
        {"options": None},
    ],
)
def test_a_manifest_that_does_not_fit_is_damage(folder: Path, change: dict[str, object]) -> None:
    manifest = folder / MANIFEST_FILE
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    with pytest.raises(SourceError, match=r"is damaged \(.+\): copy it, or write it, again") as error:
        load_recommender(folder)
    one_line(error)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"layout": 1}', "\udcff"])
def test_a_manifest_that_cannot_be_read_is_damage(folder: Path, text: str) -> None:
    (folder / MANIFEST_FILE).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(SourceError, match=f"{MANIFEST_FILE} cannot be read"):
        load_recommender(folder)


@pytest.mark.parametrize("kept", [0, 0.5, 0.999])
def test_a_file_that_was_cut_off_is_damage(folder: Path, kept: float) -> None:
    file = folder / ARRAYS_FILE
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(SourceError, match="damaged") as error:
        load_recommender(folder)
    one_line(error)


def test_a_missing_file_is_damage(folder: Path) -> None:
    (folder / ARRAYS_FILE).unlink()
    with pytest.raises(SourceError, match="damaged"):
        load_recommender(folder)


@pytest.mark.parametrize("name", ["forest.new", "vectors", "songs", "lists.values", "days"])
def test_a_single_changed_number_is_damage(folder: Path, name: str) -> None:
    with np.load(folder / ARRAYS_FILE) as stored:
        arrays = dict(stored)
    changed = arrays[name].copy()
    changed.reshape(-1)[-1] += 1
    np.savez_compressed(folder / ARRAYS_FILE, **arrays | {name: changed})
    with pytest.raises(SourceError, match="its content is not what its manifest says"):
        load_recommender(folder)


def test_a_folder_of_something_else_is_refused_before_training_and_left_as_it_is(
    scenes: GraphSnapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        pytest.fail("it was trained first")

    monkeypatch.setattr("recsys.tracklists.recommender.train_blend", never)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("more work")
    for name in ("mine", "file"):
        with pytest.raises(SourceError, match="something else"):
            train_recommender(scenes, FACTS, tmp_path / name, LITTLE)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    assert (tmp_path / "file").read_text() == "more work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "mine"]


def test_what_cannot_be_learned_leaves_the_older_one(
    scenes: GraphSnapshot, written: tuple[Path, TrainedFacts], folder: Path
) -> None:
    with pytest.raises(NotReadyError):
        train_recommender(scenes, FACTS, folder, replace(LITTLE, least_lists=99))
    assert load_recommender(folder).facts == written[1]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["copy"]
