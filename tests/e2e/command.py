"""The installed command as a process, and what can be read from its output."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

PROGRAM = Path(sys.executable).with_name("recsys")
PATIENCE = 60

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Command:
    """`recsys` in a folder, with these settings and no others of this machine."""

    folder: Path
    settings: Mapping[str, str]

    def __call__(self, *arguments: str | Path, stdin: str = "") -> Done:
        """Run to the end."""
        return subprocess.run(
            self._line(arguments),
            cwd=self.folder,
            env=self._environment(),
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )

    def start(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        """Start and let run, as a terminal does: Ctrl-C reaches it even where this process ignores it."""
        return subprocess.Popen(
            self._line(arguments),
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def on_terminal(self, *arguments: str | Path, columns: int) -> list[str]:
        """The lines that a person sees of its result on a terminal of so many columns, without colours."""
        ours, theirs = pty.openpty()
        environment = {**self._environment(), "COLUMNS": str(columns), "TERM": "xterm"}
        with (
            subprocess.Popen(
                self._line(arguments),
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=subprocess.DEVNULL,
            ),
            open(ours, "rb", buffering=0) as terminal,  # noqa: PTH123 -- of a descriptor
        ):
            os.close(theirs)
            shown = b""
            # Linux tells the end of a terminal's output as an error.
            with suppress(OSError):
                while part := terminal.read(1 << 16):
                    shown += part
        return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()]

    def given(self, **settings: str) -> "Command":
        """The same command with some settings changed."""
        return replace(self, settings={**self.settings, **settings})

    def _line(self, arguments: tuple[str | Path, ...]) -> list[str]:
        return [str(PROGRAM), *map(str, arguments)]

    def _environment(self) -> dict[str, str]:
        ours = re.compile("RECSYS_|PG|DATABASE_URL$")
        kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
        return {**kept, "HF_HUB_OFFLINE": "1", **self.settings}


def json_lines(done: Done) -> list[dict[str, Any]]:
    """The objects that a good run printed, one a line."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def cells(done: Done) -> list[list[str]]:
    """The filled lines of a printed table, below its head."""
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    assert set(lines[1]) == {"─"}
    return [re.split(r"\s{2,}", line) for line in lines[2:]]


def complaint(done: Done) -> str:
    """What a run that failed said in its one line."""
    assert done.returncode == 1, done
    assert done.stdout == ""
    assert re.fullmatch(r"recsys: [^\n]+\n", done.stderr), done.stderr
    return done.stderr.removeprefix("recsys: ").removesuffix("\n")


def usage_error(done: Done) -> str:
    """What a run with wrong arguments said last."""
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    usage, *_, last = done.stderr.splitlines()
    assert usage.startswith("Usage: recsys ")
    return last.removeprefix("Error: ")
