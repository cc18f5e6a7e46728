"""Check a built wheel: it owns one import name, and runs everything outside the checkout, migrations too.

    python tests/check_wheel.py dist/recsys-*.whl

The wheel goes into a new environment that borrows its dependencies from this one. Exit code 1 and one line if it fails.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path


def check_names(wheel: Path) -> None:
    """Every file lies under `recsys/` or is the wheel's own metadata; all modules, SQL and migrations are there."""
    with zipfile.ZipFile(wheel) as archive:
        files = archive.namelist()
    strangers = [name for name in files if not name.startswith("recsys/") and ".dist-info/" not in name]
    if strangers:
        sys.exit(f"the wheel owns more than the name recsys: {', '.join(strangers[:5])}")
    checkout = Path(__file__).parent.parent
    modules = [file.relative_to(checkout).as_posix() for file in (checkout / "recsys").rglob("*.py")]
    data = (
        "recsys/py.typed",
        "recsys/database/sql/vote.sql",
        "recsys/analyses/sql/overview.sql",
        "recsys/cli/app.py",
        "recsys/migrations/env.py",
    )
    for needed in (*modules, *data):
        if needed not in files:
            sys.exit(f"the wheel lacks {needed}")


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel alone into a new environment; returns its folder of programs."""
    venv.create(folder, with_pip=False)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    python = programs / "python"
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.run([python, "-c", query], check=True, capture_output=True, text=True).stdout.strip())
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(wheel)],
        check=True,
    )
    # A folder named in a .pth file is searched, but its own .pth files, the checkout's among them, are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return programs


def check_run(programs: Path, folder: Path) -> None:
    """From an empty home to a recommendation, with the embedded server."""
    environment = os.environ | {"RECSYS_HOME": str(folder / "home"), "DATABASE_URL": "", "HF_HUB_OFFLINE": "1"}

    def run(*arguments: str) -> str:
        command = [str(programs / "recsys"), *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"recsys {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    where = [str(programs / "python"), "-c", "import recsys; print(recsys.__file__)"]
    imported = subprocess.run(where, cwd=folder, check=True, capture_output=True, text=True).stdout
    if not Path(imported.strip()).is_relative_to(programs.parent):
        sys.exit(f"the checkout was imported, not the wheel: {imported.strip()}")
    track = {"track_uri": "spotify:track:1", "track_name": "Nightcall", "artist_name": "Kavinsky"}
    lists = folder / "lists.jsonl"
    lists.write_text(json.dumps({"pid": 1, "name": "Late Night Drive", "tracks": [track]}) + "\n", encoding="utf-8")
    try:
        run("db", "upgrade")
        run("ingest", "playlists", str(lists))
        run("titles", "embed")
        answer = json.loads(run("recommend", "midnight driving", "--json").splitlines()[0])
    finally:
        run("db", "stop")
    if (answer["title"], answer["uri"]) != ("Nightcall", "spotify:track:1"):
        sys.exit(f"an unexpected recommendation: {answer}")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    wheel = Path(sys.argv[1]).resolve()
    check_names(wheel)
    with tempfile.TemporaryDirectory() as scratch:
        check_run(install(wheel, Path(scratch) / "environment"), Path(scratch))
    print(f"{wheel.name}: owns one name, and went from an empty home to a recommendation outside the checkout")


if __name__ == "__main__":
    main()
