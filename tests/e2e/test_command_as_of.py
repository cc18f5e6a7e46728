"""`--as-of split:NAME`: the installed command answers from the train part of a split."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.e2e.command import Command, cells, complaint, json_lines, usage_error
from tests.worlds import entry, playlist, write_lines

LISTS = [
    playlist(n, title, [entry("Ann", f"Song {n}")]) for n, title in enumerate(["gym", "sleep", "jazz", "rock"] * 3)
]


@pytest.fixture(scope="module")
def divided(
    command_over: Callable[[str, Path], Command], shared_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Command:
    """The command over twelve lists of a song each, ten of them in the train part of `clean`; only read."""
    folder = tmp_path_factory.mktemp("divided")
    recsys = command_over(shared_database, folder)
    for arguments in (
        ("ingest", "playlists", write_lines(folder / "playlists.jsonl", LISTS)),
        ("titles", "split", "clean"),
        ("titles", "embed", "--split", "clean"),
    ):
        done = recsys(*arguments)
        assert done.returncode == 0, done.stderr
    return recsys


@pytest.fixture
def train(shared_database: str) -> set[str]:
    with psycopg.connect(shared_database) as connection:
        rows = connection.execute(
            "SELECT 'Song ' || p.external_id FROM recsys.playlist AS p JOIN recsys.playlist_split AS s"
            " ON s.playlist_id = p.id WHERE s.part = 'train'"
        )
        return {song for (song,) in rows}


@pytest.mark.parametrize("vote", ["soft", "seed"])
def test_only_songs_of_the_train_part_are_recommended(divided: Command, train: set[str], vote: str) -> None:
    question = ("recommend", "Gym!", "--vote", vote, "-n", "100", "--as-of", "split:clean")
    assert len(train) == 10
    assert {track["title"] for track in json_lines(divided(*question, "--json"))} == train
    done = divided(*question, "--explain")
    assert {row[1] for row in cells(done) if row[0].isdigit()} == train
    assert done.stderr == 'a title in the database: "gym"\n'


def test_an_unseen_title_is_answered_too(divided: Command, train: set[str]) -> None:
    tracks = json_lines(divided("recommend", "sad songs", "-n", "100", "--as-of", "split:clean", "--json"))
    assert {track["title"] for track in tracks} == train


def test_what_was_built_for_a_split_answers_there_alone(divided: Command) -> None:
    assert complaint(divided("recommend", "gym")) == "no titles are embedded yet: run `recsys titles embed`"


@pytest.mark.parametrize("name", ["typo", "CLEAN"])
def test_a_split_from_which_nothing_was_built_is_named(divided: Command, name: str) -> None:
    said = f"nothing was built from the split {name}: run `recsys titles embed --split {name}`"
    assert complaint(divided("recommend", "gym", "--as-of", f"split:{name}")) == said


def test_a_split_that_does_not_exist_is_not_embedded(divided: Command) -> None:
    said = "there is no split 'typo': there are clean; make it with `recsys titles split typo`"
    assert complaint(divided("titles", "embed", "--split", "typo")) == said


@pytest.mark.parametrize("as_of", ["clean", "split:", "model:1", ""])
def test_what_is_no_split_is_a_wrong_argument(divided: Command, as_of: str) -> None:
    assert "is not split:NAME" in usage_error(divided("recommend", "gym", "--as-of", as_of))
