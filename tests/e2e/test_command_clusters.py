"""Clusters and splits by the installed command."""

import json
from pathlib import Path

import pytest

from tests.e2e.command import Command, cells, complaint, json_lines, usage_error
from tests.worlds import entry, playlist

PLAYLISTS = [
    *(playlist(number, "Gym!", [entry("Ann", f"rock the gym {number % 3}")]) for number in range(10)),
    *(playlist(number, f"sad {number}", [entry("Bob", f"sleep old love {number % 3}")]) for number in range(10, 20)),
    playlist(90, "", [entry("Ann", "Alpha")]),
]


@pytest.fixture
def loaded(recsys: Command) -> Command:
    """The command over ten playlists of one title and ten of a title each, and one without a title."""
    done = recsys("ingest", "playlists", "-", stdin="\n".join(map(json.dumps, PLAYLISTS)))
    assert done.returncode == 0, done.stderr
    return recsys


def test_clusters_are_shown_as_a_table_and_drawn(loaded: Command, tmp_path: Path) -> None:
    pictures = [tmp_path / "clusters.png", tmp_path / "clusters.html"]
    drawn = [option for file in pictures for option in ("--picture", file)]
    done = loaded("titles", "cluster", "--clusters", "2", *drawn)
    assert done.returncode == 0, done.stderr
    assert sorted(row[1:] for row in cells(done)) == [
        ["10", "10.0 %", "sad 10, sad 11, sad 12, sad 13, sad 14"],
        ["10", "100.0 %", "gym"],
    ]
    assert done.stderr.splitlines() == [
        "20 playlists, 6 track titles, 2 clusters by k-means, exact match 55.0 %",
        "left out, without a title or tracks: 1",
        f"drawn: {pictures[0]}",
        f"drawn: {pictures[1]}",
    ]
    assert all(file.stat().st_size > 1000 for file in pictures)


def test_few_playlists_choose_the_number_and_a_long_table_is_cut(loaded: Command) -> None:
    done = loaded("titles", "cluster", "-n", "1")
    assert len(cells(done)) == 1
    assert done.stderr.splitlines()[0] == "and 3 smaller clusters: --n 4 shows all"
    assert "the number of clusters is chosen by the data: their square root, as titles hardly repeat" in done.stderr
    [summary] = json_lines(loaded("titles", "cluster", "--json"))
    assert (summary["chosen_by"], summary["clusters"], len(summary["found"])) == ("data", 4, 4)


def test_clusters_are_cleaned_and_divided_by_the_seed_protocol(loaded: Command) -> None:
    assert complaint(loaded("titles", "split", "--protocol", "seed")).endswith("then `recsys titles clean`")
    loaded("titles", "cluster", "--clusters", "2")
    done = loaded("titles", "clean", "--min-exact-match", "10")
    assert cells(done) == [["kept", "1", "10"], ["miscellaneous", "1", "10"]]
    done = loaded("titles", "split", "--protocol", "seed")
    assert cells(done) == [
        ["train", "8"],
        ["validation", "1"],
        ["test", "1"],
        ["left out: without a title", "1"],
        ["left out: without tracks", "0"],
        ["left out: in no cluster that is kept", "10"],
    ]
    assert done.stderr == "each of 1 clusters is in all three parts\n"


def test_playlists_are_divided_and_clustered_on_the_train_part(loaded: Command) -> None:
    [split] = json_lines(loaded("titles", "split", "mine", "--seed", "7", "--fractions", "0.5,0.25,0.25", "--json"))
    assert (split["name"], split["seed"], split["train"], split["validation"], split["test"]) == ("mine", 7, 10, 5, 5)
    assert "there is a split 'mine' already" in complaint(loaded("titles", "split", "mine"))
    assert loaded("titles", "split", "mine", "--replace").returncode == 0
    done = loaded("titles", "cluster", "--clusters", "2", "--split", "mine")
    assert done.stderr.splitlines()[0].startswith("20 playlists, fitted on the 16 in the train part of mine, ")
    [cleaned] = json_lines(loaded("titles", "clean", "--json"))
    assert (cleaned["min_exact_match"], cleaned["clusters_kept"], cleaned["playlists_kept"]) == (2.0, 2, 20)


def test_mistakes_are_one_line(loaded: Command) -> None:
    assert "no split 'nope'" in complaint(loaded("titles", "cluster", "--split", "nope"))
    assert ".png or .html" in complaint(loaded("titles", "cluster", "--picture", "x.pdf"))
    assert "too few for 21 clusters" in complaint(loaded("titles", "cluster", "-k", "21"))
    assert "`recsys titles cluster`" in complaint(loaded("titles", "clean"))
    assert "sum to 1" in complaint(loaded("titles", "split", "--fractions", "0.5,0.5,0.5"))
    assert "three numbers" in usage_error(loaded("titles", "split", "--fractions", "80/10/10"))
