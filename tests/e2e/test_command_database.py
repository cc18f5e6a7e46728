"""The command's own help, what `doctor` and `db` say, and the embedded server from start to stop."""

import json
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from recsys.config import Settings
from recsys.database import EmbeddedServer
from tests.e2e.command import Command, Done, cells, json_lines
from tests.e2e.world import ALPHA, BETA
from tests.worlds import playlist

COMMANDS = (
    "",
    "ingest",
    "recommend",
    "doctor",
    *("similar", "similar track", "similar title"),
    *("titles", "titles embed", "titles tune", "titles snapshot", "titles finetune"),
    *("evaluate", "evaluate titles", "evaluate challenge"),
    *("titles cluster", "titles clean", "titles split"),
    *("titles challenge", "titles verify"),
    *("model", "model import", "model list", "model use"),
    *("db", "db upgrade", "db status", "db start", "db stop", "db remove", "db url", "db psql"),
    *("db grant-reader", "query"),
)


@pytest.fixture
def without_server(command_over: Callable[[str, Path], Command], tmp_path: Path) -> Command:
    """The command with a home of its own, and no server named or started."""
    return Command(tmp_path, {"RECSYS_HOME": str(tmp_path / "home")})


def test_every_command_has_help(without_server: Command) -> None:
    for name in COMMANDS:
        done = without_server(*name.split(), "--help")
        assert (done.returncode, done.stderr) == (0, "")
        usage = done.stdout.splitlines()[0]
        assert usage.startswith(f"Usage: recsys {name}".rstrip())
        assert "...]..." not in usage
        for subcommand in COMMANDS:
            group, _, last = subcommand.rpartition(" ")
            if group == name and last:
                assert f"\n  {last} " in done.stdout
    assert not Path(without_server.settings["RECSYS_HOME"]).exists()


def test_the_version_is_the_package_s(without_server: Command) -> None:
    assert without_server("--version").stdout == f"recsys {version('recsys')}\n"


def findings(done: Done) -> dict[str, tuple[str, str, str]]:
    return {line["subject"]: (line["state"], line["found"], line["mend"]) for line in json_lines(done)}


def test_doctor_names_the_next_step(recsys: Command) -> None:
    found = findings(recsys("doctor", "--json"))
    assert list(found) == ["packages", "server", "schema", "catalogue", "title encoder"]
    assert [state for state, _, _ in found.values()] == ["good", "good", "good", "open", "open"]
    assert found["schema"] == ("good", "recsys", "")
    assert found["catalogue"] == ("open", "empty", "recsys ingest djmix, or recsys ingest mpd FOLDER")

    lines = [json.dumps(playlist(pid, "Gym", [track])) for pid, track in enumerate((ALPHA, BETA))]
    recsys("ingest", "playlists", "-", stdin="\n".join([*lines, "not JSON"]))
    found = findings(recsys("doctor", "--json"))
    assert found["catalogue"] == ("good", "2 playlists, 0 tracklists, 2 songs", "")
    assert found["title encoder"] == ("open", "no titles are embedded", "recsys titles embed")
    mend = "recsys db psql -c 'SELECT file, place, reason FROM rejected_records'"
    assert found["rejected records"] == ("open", "1", mend)


def test_doctor_finds_nothing_to_do_once_titles_are_embedded(embedded: Command) -> None:
    found = findings(embedded("doctor", "--json"))
    assert {state for state, _, _ in found.values()} == {"good"}
    encoder = embedded.settings["RECSYS_ENCODER"]
    assert found["title encoder"] == ("good", f"{encoder} (model 2), 4 titles", "")
    done = embedded("doctor")
    assert {row[0] for row in cells(done) if len(row) > 1} == {"ok"}
    assert "what to run" not in done.stdout


def test_doctor_names_a_server_out_of_reach(without_server: Command) -> None:
    done = without_server.given(DATABASE_URL="postgresql://ann:secret@127.0.0.1:9/music")("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    assert "cannot reach the database 127.0.0.1:9/music: Connection refused" in done.stdout
    assert "mend DATABASE_URL" in done.stdout
    assert "secret" not in done.stdout


def test_status_counts_what_is_there(embedded: Command) -> None:
    [facts] = json_lines(embedded("db", "status", "--json"))
    assert facts.pop("postgres").startswith("18")
    assert facts == {
        "server": "yours (DATABASE_URL)",
        "url": embedded.settings["DATABASE_URL"],
        "schema": "recsys",
        "home": embedded.settings["RECSYS_HOME"],
        "state": "running",
        "revision": "0010",
        **{"playlist": 5, "tracklist": 1, "song": 7, "track": 7, "artist": 6, "dj": 1, "title": 4},
        **{"playlist_track": 11, "tracklist_track": 3},
    }


def test_the_url_is_printed_for_other_programs(embedded: Command) -> None:
    assert embedded("db", "url").stdout == embedded.settings["DATABASE_URL"] + "\n"


def test_psql_sees_the_schema_and_reports_its_own_failure(embedded: Command) -> None:
    assert embedded("db", "psql", "-At", "-c", "SELECT count(*) FROM playlist").stdout == "5\n"
    failed = embedded("db", "psql", "-c", "SELECT 1 / 0")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "ERROR:  division by zero\n"


@pytest.fixture
def embedded_server(without_server: Command) -> Iterator[Command]:
    """The command with an embedded server of its own, which is stopped and removed whatever happens."""
    server = EmbeddedServer(Settings(home=Path(without_server.settings["RECSYS_HOME"])).home)
    try:
        yield without_server
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


def test_the_embedded_server_is_started_and_stopped(embedded_server: Command) -> None:
    recsys = embedded_server

    def state() -> str:
        [facts] = json_lines(recsys("db", "status", "--json"))
        assert facts["server"] == "embedded"
        return str(facts["state"])

    assert state() == "stopped"
    assert [recsys("db", "start").stderr for _ in range(2)] == ["started\n", "it was running already\n"]
    assert recsys("db", "psql", "-At", "-c", "SELECT 1").stdout == "1\n"
    assert recsys("db", "stop").stderr == "stopped\n"
    assert state() == "stopped"


def test_the_embedded_database_is_deleted_only_when_that_is_confirmed(embedded_server: Command) -> None:
    recsys = embedded_server
    assert recsys("db", "remove", "--yes").stderr == "there was no embedded database\n"
    recsys("db", "start")
    [facts] = json_lines(recsys("db", "status", "--json"))
    folder = Path(facts["data"])
    assert folder.is_dir()
    assert recsys("db", "remove").returncode == 1
    assert folder.is_dir()
    assert recsys("db", "remove", "--yes").stderr == f"deleted: {folder}\n"
    assert not folder.exists()
