"""The installed command, over a database of its own for each test or over one that is filled once."""

import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from recsys.database import EmbeddedServer
from tests.e2e.command import Command
from tests.e2e.world import Files, write_world


@pytest.fixture(scope="session")
def command_over(
    tmp_path_factory: pytest.TempPathFactory, exported_home: Path, encoder_folder: Path
) -> Callable[[str, Path], Command]:
    """A command over the database of a URL, in a folder; all share one home."""
    home = shutil.copytree(exported_home, tmp_path_factory.mktemp("home"), dirs_exist_ok=True)

    def command(url: str, folder: Path) -> Command:
        return Command(folder, {"RECSYS_HOME": str(home), "RECSYS_ENCODER": str(encoder_folder), "DATABASE_URL": url})

    return command


@pytest.fixture
def recsys(command_over: Callable[[str, Path], Command], database: str, tmp_path: Path) -> Command:
    """The command over a migrated database without rows."""
    return command_over(database, tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """The world as files, not loaded."""
    return write_world(tmp_path)


@pytest.fixture(scope="session")
def embedded(
    command_over: Callable[[str, Path], Command], server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory
) -> Command:
    """The command over the world, loaded and embedded once for the whole tier; only read."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE world TEMPLATE template")
    folder = tmp_path_factory.mktemp("world")
    files = write_world(folder)
    command = command_over(server.url().replace("@/recsys?", "@/world?"), folder)
    for arguments in (
        ("ingest", "mpd", files.slices),
        ("ingest", "playlists", files.playlists),
        ("ingest", "tracklists", files.tracklists),
        ("titles", "embed"),
    ):
        done = command(*arguments)
        assert done.returncode == 0, done.stderr
    return command
