"""A real server for every test run, and a database of its own for every test that asks for one."""

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from recsys.config import Settings
from recsys.database import EmbeddedServer, connect, grant_reader, upgrade
from recsys.titles.encoder import prepare_encoder
from tests.surface_world import fill_surface
from tests.tiny_encoder import build_tiny_encoder

FAST = {"fsync": "off", "shared_buffers": "64MB", "full_page_writes": "off"}
_numbers = count(1)
_left: list[str] = []
"""Databases of tests that are over."""


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "DATABASE_URL",
        "RECSYS_SCHEMA",
        "RECSYS_SOURCE_DSN",
        "RECSYS_ENCODER",
        "RECSYS_DEVICE",
        "RECSYS_LLM_URL",
        "RECSYS_LLM_MODEL",
        "RECSYS_LLM_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RECSYS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Threads cost tensors as small as the tests' more than they bring, several times more on a busy machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """The server of this run, with a migrated database `template`."""
    server = EmbeddedServer(tmp_path_factory.mktemp("server"), settings=FAST)
    server.start()
    try:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE template")
        upgrade(Settings(DATABASE_URL=_url(server, "template")))
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


def _url(server: EmbeddedServer, database: str) -> str:
    return server.url().replace("@/recsys?", f"@/{database}?")


@pytest.fixture
def empty_database(server: EmbeddedServer) -> Iterator[str]:
    """The URL of a database without extensions or schema."""
    yield from _database(server, "template0")


@pytest.fixture
def database(server: EmbeddedServer) -> Iterator[str]:
    """The URL of a migrated database without rows."""
    yield from _database(server, "template")


@pytest.fixture(scope="module")
def shared_database(server: EmbeddedServer) -> Iterator[str]:
    """The URL of a migrated database for all tests of a module, which fill it once and then only read."""
    yield from _database(server, "template")


def _database(server: EmbeddedServer, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        # By now, nobody is connected to it any more: PostgreSQL would wait a tenth of a second for who is just leaving.
        while _left:
            connection.execute(f"DROP DATABASE {_left.pop()} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield _url(server, name)
    _left.append(name)


@pytest.fixture(scope="session")
def surface(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database in which all that is public has rows, for a role that may only read it."""
    folder = tmp_path_factory.mktemp("surface")
    for url in _database(server, "template"):
        settings = Settings(DATABASE_URL=url, home=folder)
        fill_surface(settings, folder)
        with connect(settings, autocommit=True) as connection:
            grant_reader(connection, "surface_reader", create=True)
        yield url.replace("postgres@", "surface_reader@")


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Settings:
    """Settings of a migrated database without rows."""
    return Settings(DATABASE_URL=database, home=tmp_path / "home")


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    """A connection to the database of `settings`; every statement is committed."""
    with connect(settings, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sentence encoder with random weights, in sentence-transformers layout."""
    return build_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="session")
def exported_home(tmp_path_factory: pytest.TempPathFactory, encoder_folder: Path) -> Path:
    """A home that has nothing but the small encoder's export, which takes torch seconds: to be copied."""
    home = tmp_path_factory.mktemp("exported")
    prepare_encoder(str(encoder_folder), Settings(home=home).models_folder)
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, exported_home: Path) -> Path:
    """A home for the tests of a module, with the small encoder's export."""
    return shutil.copytree(exported_home, tmp_path_factory.mktemp("home"), dirs_exist_ok=True)
