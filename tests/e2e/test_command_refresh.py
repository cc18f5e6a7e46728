"""`recsys refresh`: what a nightly run prints, on a terminal and for programs, and how it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from recsys.catalog import ingest
from recsys.config import Settings
from recsys.database import connect, refresh_lock
from recsys.titles import embed_titles
from recsys.tracklists.blend import BlendOptions
from recsys.tracklists.graph_snapshot import load_graph_snapshot
from recsys.tracklists.imported import import_recommender
from recsys.tracklists.prepare import GraphOptions, prepare_graph
from recsys.tracklists.recommender import train_recommender
from tests.e2e.command import Command, cells, complaint, json_lines
from tests.e2e.world import PLAYLISTS, SLICES
from tests.scenes import records, scene_sets, song
from tests.worlds import entry, playlist, write_lines, write_slice

LITTLE = BlendOptions(trees=4, leaf_size=5, windows=2, least_lists=2, least_songs=3)
NEW_DJ = {"id": "l1", "dj": "Ivy Dawn", "date": "2021-01-01", "tracks": [song(number) for number in range(5)]}


@dataclass(frozen=True)
class World:
    """The command over what is loaded, embedded and taken up."""

    recsys: Command
    settings: Settings
    folder: Path

    def change(self, day: int) -> None:
        """What comes in a night: a playlist, and a tracklist of a new DJ."""
        new = playlist(f"n{day}", "Sleep", [entry("Cid", "Delta", "spotify:track:d"), entry("New", f"Night {day}")])
        write_lines(self.folder / "playlists.jsonl", [*PLAYLISTS, new])
        write_lines(self.folder / "sets.jsonl", [*records(scene_sets()), NEW_DJ | {"id": f"l{day}"}])


@pytest.fixture(scope="module")
def world(
    command_over: Callable[[str, Path], Command], shared_database: str, tmp_path_factory: pytest.TempPathFactory
) -> World:
    folder = tmp_path_factory.mktemp("refresh")
    recsys = command_over(shared_database, folder)
    home, encoder = recsys.settings["RECSYS_HOME"], recsys.settings["RECSYS_ENCODER"]
    settings = Settings(DATABASE_URL=shared_database, home=Path(home), encoder=encoder)
    for number, lists in enumerate(SLICES):
        write_slice(folder / "slices", number, lists)
    ingest(settings, "mpd", [folder / "slices"])
    ingest(settings, "playlists", [write_lines(folder / "playlists.jsonl", PLAYLISTS)], source="mine")
    ingest(settings, "tracklists", [write_lines(folder / "sets.jsonl", records(scene_sets()))])
    embed_titles(settings, adapt=False)
    prepare_graph(settings, folder / "graph", options=GraphOptions(least_information=0))
    train_recommender(*load_graph_snapshot(folder / "graph"), folder / "trained", LITTLE)
    import_recommender(settings, folder / "trained", name="refreshed")
    return World(recsys, settings, folder)


def test_nothing_loaded_yet_says_where_to_begin(recsys: Command) -> None:
    done = recsys("refresh")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "nothing was loaded yet: see `recsys ingest --help`\n"


def test_a_night_is_a_table_and_the_next_one_finds_nothing_new(world: World) -> None:
    world.change(1)
    done = world.recsys("refresh")
    assert done.returncode == 0
    assert cells(done) == [
        ["same", "source", "1", "nothing new in them"],
        ["new", "source", "mine, playlists.jsonl", "lists: 1 new, 0 changed, 1 as they were"],
        ["new", "source", "tracklists, sets.jsonl", "lists: 1 new, 0 changed, 64 as they were"],
        ["new", "titles", world.settings.encoder, "playlists new or changed: 1; titles embedded: 0; profiles: 1"],
        ["new", "tracklists", "refreshed", "answers from 65 tracklists, 120 songs, 9 DJs"],
    ]
    # One playlist of six is more than a tenth.
    assert (
        f"{world.settings.encoder}: it learned before 17% of the playlists were there: run `recsys titles embed`\n"
        in done.stderr
    )
    [answer, *_] = json_lines(world.recsys("recommend", "--dj", "Ivy Dawn", "--json"))
    assert answer["title"].startswith("House")
    again = json_lines(world.recsys("refresh", "--json"))
    assert [(one["subject"], one["state"], one["found"]) for one in again] == [
        ("source", "unchanged", ""), ("source", "unchanged", ""), ("source", "unchanged", ""),
        ("titles", "unchanged", ""), ("tracklists", "unchanged", ""),
    ]  # fmt: skip
    assert [one["advice"] for one in again[:3]] == [None] * 3
    assert again[3]["advice"] == "it learned before 17% of the playlists were there: run `recsys titles embed`"


def test_without_sources_files_are_not_looked_at(world: World) -> None:
    world.change(2)
    lines = world.recsys.on_terminal("refresh", "--no-sources", "--whole", columns=80)
    shown = "\n".join(lines)
    assert "source" not in shown
    assert max(map(len, lines)) <= 80
    assert [line.split()[:2] for line in lines if line.strip().startswith("new")] == [
        ["new", "titles"], ["new", "tracklists"],
    ]  # fmt: skip


def test_what_is_wrong_is_told_beside_the_rest_with_exit_code_1(world: World) -> None:
    home = world.settings.models_folder / "tracklists" / "recsys" / "refreshed"
    manifest = (home / "recommender.json").read_bytes()
    (home / "recommender.json").write_bytes(manifest[:40])
    (world.folder / "playlists.jsonl").rename(world.folder / "moved.jsonl")
    try:
        done = world.recsys("refresh")
    finally:
        (home / "recommender.json").write_bytes(manifest)
        (world.folder / "moved.jsonl").rename(world.folder / "playlists.jsonl")
    assert done.returncode == 1
    assert [row[:3] for row in cells(done) if len(row) > 1] == [
        ["same", "source", "1"],
        ["left", "source", "mine, playlists.jsonl"],
        ["new", "source", "tracklists, sets.jsonl"],
        ["same", "titles", world.settings.encoder],
        ["wrong", "tracklists", "refreshed"],
    ]
    assert f"the model's folder {home} is gone or damaged" in done.stdout
    assert "Traceback" not in done.stderr


def test_two_at_once_are_one(world: World) -> None:
    with connect(world.settings) as other, refresh_lock(other, world.settings.db_schema):
        said = complaint(world.recsys("refresh"))
    assert said == "another `recsys refresh` of this database is running: wait for it to end"
