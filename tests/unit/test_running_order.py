"""Tracklists in order: beginnings of them, what titles of a series share, and the file that keeps them."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import SourceError
from recsys.tracklists.graph_snapshot import NO_DATE
from recsys.tracklists.running_order import (
    LAYOUT,
    ORDER_FILE,
    UNKNOWN,
    RunningOrder,
    Sets,
    load_running_order,
    programme_of,
    write_running_order,
)
from tests.graph_worlds import LETTERS
from tests.order_worlds import List, order_of, sets_of

PAST: tuple[List, ...] = ((0, "abca", 100), (1, "", None), (-1, "-d-", -40), (0, "hgfedcba", 99))
LATER: tuple[List, ...] = ((1, "ca-", 500),)


def told(sets: Sets) -> list[List]:
    """Tracklists as `sets_of` takes them."""
    return [
        (
            int(sets.djs[row]),
            "".join("-" if song == UNKNOWN else LETTERS[song] for song in sets.songs[start:end]),
            None if sets.days[row] == NO_DATE else int(sets.days[row]),
        )
        for row, (start, end) in enumerate(zip(sets.starts[:-1], sets.starts[1:], strict=True))
    ]


def equal(one: Sets, other: Sets) -> bool:
    return all(np.array_equal(getattr(one, part.name), getattr(other, part.name)) for part in fields(Sets))


def test_plays_know_their_tracklist() -> None:
    sets = sets_of(*PAST)
    assert len(sets) == 4
    assert sets.lengths.tolist() == [4, 0, 3, 8]
    assert sets.list_of.tolist() == [0] * 4 + [2] * 3 + [3] * 8
    assert len(sets_of()) == 0


def test_some_tracklists_are_taken_as_often_as_they_are_named() -> None:
    sets = sets_of(*PAST)
    assert told(sets.at(np.array([3, 1, 3]))) == [PAST[3], PAST[1], PAST[3]]
    assert told(sets.at(np.arange(0))) == []


def test_beginnings_hold_the_first_plays_and_of_these_the_last_ones() -> None:
    sets = sets_of(*PAST)
    lists, lengths = np.array([3, 0, 2, 1]), np.array([5, 0, 2, 0])
    assert told(sets.upto(lists, lengths)) == [(0, "hgfed", 99), (0, "", 100), (-1, "-d", -40), (1, "", None)]
    assert told(sets.upto(lists, lengths, 2)) == [(0, "ed", 99), (0, "", 100), (-1, "-d", -40), (1, "", None)]
    assert told(sets.last(3)) == [(0, "bca", 100), (1, "", None), (-1, "-d-", -40), (0, "cba", 99)]
    assert told(sets.upto(lists, lengths, 0)) == [(0, "", 99), (0, "", 100), (-1, "", -40), (1, "", None)]


@st.composite
def beginnings(draw: st.DrawFn) -> tuple[list[List], list[tuple[int, int]], int]:
    lists = draw(
        st.lists(
            st.tuples(st.integers(-1, 1), st.text(f"{LETTERS}-", max_size=9), st.none() | st.integers(-9, 9)),
            min_size=1,
            max_size=5,
        )
    )
    rows = draw(st.lists(st.integers(0, len(lists) - 1), max_size=6))
    return lists, [(row, draw(st.integers(0, len(lists[row][1])))) for row in rows], draw(st.integers(0, 10))


@given(beginnings())
def test_beginnings_are_slices(asked: tuple[list[List], list[tuple[int, int]], int]) -> None:
    lists, wanted, most = asked
    rows, lengths = (np.array([pair[side] for pair in wanted], dtype=np.int64) for side in (0, 1))
    begun = sets_of(*lists).upto(rows, lengths, most)
    expected = [(lists[row][0], lists[row][1][:n][max(n - most, 0) :], lists[row][2]) for row, n in wanted]
    assert told(begun) == expected
    assert equal(begun, sets_of(*expected))
    whole = [(lists[row][0], lists[row][1][:n], lists[row][2]) for row, n in wanted]
    assert equal(sets_of(*lists).upto(rows, lengths), sets_of(*whole))
    assert equal(sets_of(*lists).last(most), sets_of(*((d, s[max(len(s) - most, 0) :], y) for d, s, y in lists)))


@pytest.mark.parametrize(
    ("title", "programme"),
    [
        ("Essential Mix 2014-03-01", "essential mix"),
        ("essential mix (Radio 1) #12", "essential mix radio"),
        ("A State Of Trance 650", "a state of trance"),
        ("Deep\u00a0\tSpace  Episode 7b", "deep space episode"),
        ("2014-03-01", ""),
        ("", ""),
        (" \n ", ""),
        ("line\none", "line one"),
    ],
)
def test_titles_of_a_series_share_the_words_without_digits(title: str, programme: str) -> None:
    assert programme_of(title) == programme


@given(st.text(max_size=30))
def test_what_titles_share_is_one_line_and_of_itself_the_same(title: str) -> None:
    programme = programme_of(title)
    assert programme == " ".join(programme.split())
    assert programme_of(programme) == programme


@pytest.mark.parametrize("order", [order_of(PAST, LATER), order_of((), ()), replace(order_of(PAST), programmes=())])
def test_what_is_read_is_what_was_written(order: RunningOrder, tmp_path: Path) -> None:
    write_running_order(order, tmp_path, "hash")
    read = load_running_order(tmp_path, "hash")
    assert equal(read.past, order.past)
    assert equal(read.later, order.later)
    assert read.programmes == order.programmes
    for part in ("songs", "song_artists", "artists"):
        np.testing.assert_array_equal(getattr(read, part), getattr(order, part))
    for held in (read.past, read.later):
        assert {getattr(held, part.name).dtype for part in fields(Sets)} == {np.dtype(np.int64)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_running_order(order_of(PAST, LATER), tmp_path, "hash")
    return tmp_path


def refused(folder: Path, graph_hash: str = "hash") -> str:
    with pytest.raises(SourceError) as error:
        load_running_order(folder, graph_hash)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_order_of_another_snapshot_is_refused(folder: Path) -> None:
    assert "it belongs to another snapshot" in refused(folder, "other")


def test_where_there_is_none_it_says_how_to_write_one(tmp_path: Path) -> None:
    assert refused(tmp_path) == (
        f"{tmp_path} holds no running order: write one with `recsys tracklists prepare {tmp_path}`"
    )


@pytest.mark.parametrize("text", ["", "[]", "null", '{"layout": 1}'])
def test_a_manifest_that_cannot_be_read_is_damage(folder: Path, text: str) -> None:
    (folder / LAYOUT.manifest_file).write_text(text)
    assert "order.json cannot be read" in refused(folder)


def test_a_manifest_without_the_snapshots_hash_is_damage(folder: Path) -> None:
    manifest = folder / LAYOUT.manifest_file
    told = json.loads(manifest.read_text())
    del told["graph_hash"]
    manifest.write_text(json.dumps(told))
    assert "is damaged" in refused(folder)


def test_another_layout_is_named(folder: Path) -> None:
    manifest = folder / LAYOUT.manifest_file
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"layout": 99}))
    assert "is of layout 99, this version reads 1" in refused(folder)


@pytest.mark.parametrize("kept", [0, 0.5, 0.999])
def test_a_file_that_was_cut_off_is_damage(folder: Path, kept: float) -> None:
    content = (folder / ORDER_FILE).read_bytes()
    (folder / ORDER_FILE).write_bytes(content[: int(kept * len(content))])
    assert "is damaged" in refused(folder)


@pytest.mark.parametrize("name", ["songs", "song_artists", "programmes", "past.songs", "past.starts", "later.days"])
def test_a_single_changed_or_missing_number_is_damage(folder: Path, name: str) -> None:
    with np.load(folder / ORDER_FILE) as stored:
        arrays = dict(stored)
    changed = arrays[name].copy()
    changed[-1] += 1
    np.savez_compressed(folder / ORDER_FILE, **arrays | {name: changed})
    assert "its content is not what its manifest says" in refused(folder)
    np.savez_compressed(folder / ORDER_FILE, **{other: values for other, values in arrays.items() if other != name})
    assert "is damaged" in refused(folder)


def test_a_missing_file_is_damage(folder: Path) -> None:
    (folder / ORDER_FILE).unlink()
    assert "is damaged" in refused(folder)
