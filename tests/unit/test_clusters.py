"""Mean vectors, clusters and their names, sizes of a split's parts, and pictures; no database."""

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import SettingsError
from recsys.titles.cluster_picture import Group, Words, check_endings, make_picture, to_html, to_png
from recsys.titles.clusters import (
    ClusterFacts,
    assign,
    choose_clusters,
    describe_clusters,
    fit_centroids,
    mean_vectors,
)
from recsys.titles.splits import divide, part_sizes

CORNERS = np.array([[0, 0, 9], [9, 0, 0], [0, 9, 0]], dtype=np.float32)


def three_heaps(sizes: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """Points around three corners that lie far apart."""
    noise = np.random.default_rng(1).normal(scale=0.1, size=(sum(sizes), 3))
    return (np.repeat(CORNERS, sizes, axis=0) + noise).astype(np.float32)


def test_a_playlist_is_the_mean_of_its_entries() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(7, 5)).astype(np.float32)
    held = [[0, 1, 2], [3], [6, 6, 0], [5, 4, 1, 1, 1]]
    playlists = np.repeat(np.arange(4), [len(names) for names in held])
    names = np.concatenate(held)
    shuffled = rng.permutation(len(names))
    means = mean_vectors(playlists[shuffled], names[shuffled], vectors, 4)
    for mean, entries in zip(means, held, strict=True):
        expected = [sum(float(vectors[name][column]) for name in entries) / len(entries) for column in range(5)]
        assert mean.tolist() == pytest.approx(expected, abs=1e-6)


def test_clusters_are_found_and_numbered_by_their_size() -> None:
    points = three_heaps((5, 12, 8))
    centroids = fit_centroids(points, 3, seed=0)
    assert centroids == pytest.approx(CORNERS[[1, 2, 0]], abs=0.2)
    numbers, distances = assign(points, centroids)
    assert numbers.tolist() == [3] * 5 + [1] * 12 + [2] * 8
    assert distances == pytest.approx(np.linalg.norm(points - centroids[numbers - 1], axis=1), abs=1e-3)


def test_the_same_seed_gives_the_same_centroids() -> None:
    points = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    assert np.array_equal(fit_centroids(points, 20, seed=3), fit_centroids(points, 20, seed=3))
    assert not np.array_equal(fit_centroids(points, 20, seed=3), fit_centroids(points, 20, seed=4))


def test_equal_points_share_a_cluster() -> None:
    points = np.repeat(CORNERS, 2, axis=0)
    assert len(fit_centroids(points, 5, seed=0)) == 3


def test_many_points_are_clustered_by_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsys.titles.clusters.FULL_KMEANS", 20)
    assert fit_centroids(three_heaps((5, 12, 8)), 3, seed=0) == pytest.approx(CORNERS[[1, 2, 0]], abs=0.3)


def test_exact_match_and_titles_are_counted() -> None:
    numbers = np.array([1, 2, 1, 1, 1, 1, 1, 1, 2], dtype=np.int32)
    titles = ["gym", "rap", "gym", "run", "abs", "run", "gym", "zen", "lit"]
    assert describe_clusters(numbers, titles) == [
        ClusterFacts(1, 7, pytest.approx(300 / 7), ("gym", "run", "abs", "zen")),
        ClusterFacts(2, 2, 50.0, ("lit", "rap")),
    ]
    assert describe_clusters(np.ones(6, np.int32), list("fedcba"))[0].top_titles == tuple("abcde")


def test_the_number_of_clusters_is_the_one_that_titles_agree_with() -> None:
    heaps = (14, 13, 13)
    titles = [name for name, size in zip(("gym", "sleep", "rap"), heaps, strict=True) for _ in range(size)]
    number, agreements = choose_clusters(three_heaps(heaps), titles, seed=0)
    assert (number, agreements[3]) == (3, 1.0)
    assert set(agreements) == {2, 3, 4}
    assert max(agreements[2], agreements[4]) < 1


def test_titles_that_do_not_repeat_choose_nothing() -> None:
    assert choose_clusters(three_heaps((14, 11, 11)), [str(number) for number in range(36)], seed=0) == (6, {})


@given(st.integers(3, 10_000), st.integers(1, 98), st.integers(1, 98))
def test_every_part_has_a_playlist(playlists: int, validation: int, test: int) -> None:
    if validation + test >= 100:
        validation, test = validation // 2 or 1, test // 2 or 1
    fractions = (1 - (validation + test) / 100, validation / 100, test / 100)
    sizes = part_sizes(playlists, fractions)
    assert sum(sizes) == playlists
    assert min(sizes) >= 1
    for size, fraction in zip(sizes, fractions, strict=True):
        assert abs(size - playlists * fraction) < 3


def test_parts_are_eighty_ten_ten() -> None:
    assert [part_sizes(count) for count in (3, 10, 14, 16, 6_040)] == [
        (1, 1, 1),
        (8, 1, 1),
        (12, 1, 1),
        (12, 2, 2),
        (4_832, 604, 604),
    ]


def test_each_group_is_divided_on_its_own() -> None:
    groups = [list(range(100, 150)), list(range(5)), list(range(200, 220))]
    divided = divide(groups, seed=0)
    assert sorted(playlist for playlist, _ in divided) == sorted(playlist for group in groups for playlist in group)
    for group in groups:
        counts = Counter(part for playlist, part in divided if playlist in group)
        assert tuple(counts[part] for part in ("train", "validation", "test")) == part_sizes(len(group))
    assert divide(groups, seed=0) == divided
    assert divide(groups, seed=1) != divided


TITLES = ["</script><b>", "gym & co", "🔥", "sleep"] * 8
GROUPS = [Group(1, 20, "40.0 %", ("</script><b>", "gym & co")), Group(2, 12, "50.0 %", ("🔥",))]
WORDS = Words("playlists", "title", "most frequent titles", "exact match")
NUMBERS = np.array([1] * 20 + [2] * 12, dtype=np.int32)
VECTORS = np.random.default_rng(0).normal(size=(32, 6)).astype(np.float32)


def test_a_picture_keeps_every_playlist_on_its_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = make_picture(VECTORS, NUMBERS, TITLES, GROUPS, WORDS)
    assert (picture.places.min(), picture.places.max()) == (0, 1)
    assert (picture.names, picture.numbers.tolist()) == (TITLES, NUMBERS.tolist())
    monkeypatch.setattr("recsys.titles.cluster_picture.DOTS", 10)
    picture = make_picture(VECTORS, NUMBERS, TITLES, GROUPS, WORDS)
    assert len(picture.names) == 10
    assert picture.caption.startswith("10 of 32 playlists, 2 clusters")


def test_two_playlists_are_a_picture_too() -> None:
    picture = make_picture(VECTORS[:2], NUMBERS[:2], TITLES[:2], GROUPS, WORDS)
    assert [cluster.number for cluster in picture.clusters] == [1]
    assert to_png(picture).startswith(b"\x89PNG")


@pytest.mark.filterwarnings("error")
def test_a_png_is_drawn_whatever_the_titles_are() -> None:
    assert to_png(make_picture(VECTORS, NUMBERS, TITLES, GROUPS, WORDS)).startswith(b"\x89PNG")


def test_a_page_needs_no_network_and_titles_stay_text() -> None:
    page = to_html(make_picture(VECTORS, NUMBERS, TITLES, GROUPS, WORDS))
    assert not re.search(r"https?:|src=|@import|url\(", page)
    assert "<b>" not in page
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    data = json.loads(found[1])
    assert data["name"] == TITLES
    assert [cluster["name"] for cluster in data["clusters"]] == ["</script><b>", "🔥"]
    assert data["cluster"] == [0] * 20 + [1] * 12
    assert "&lt;/script&gt;&lt;b&gt;, gym &amp; co" in page
    assert "<th>cluster<th>playlists<th>exact match<th>most frequent titles" in page
    assert "Point at a dot for its title" in page


def test_a_file_that_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    check_endings([tmp_path / "a.png", tmp_path / "b.HTML"])
    with pytest.raises(SettingsError, match=r"\.png or \.html"):
        check_endings([tmp_path / "a.png", tmp_path / "c.pdf"])
    with pytest.raises(SettingsError, match="no folder"):
        check_endings([tmp_path / "nowhere" / "a.png"])
