"""docs/notebook.md: what it shows from psql, pandas and polars runs for a role that may only read."""

import ast
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from recsys.database import EmbeddedServer

PAGE = (Path(__file__).parents[2] / "docs" / "notebook.md").read_text(encoding="utf-8")


def blocks(section: str, language: str) -> list[str]:
    _, _, text = PAGE.partition(f"\n## {section}\n")
    return re.findall(rf"```{language}\n(.*?)```", text.partition("\n## ")[0], re.DOTALL)


def shown(cells: Iterable[str], names: dict[str, Any]) -> list[Any]:
    """What a notebook shows below each cell: the value of its last line."""
    values = []
    for cell in cells:
        *before, last = ast.parse(cell).body
        assert isinstance(last, ast.Expr)
        exec(compile(ast.Module(before, []), "cell", "exec"), names)
        values.append(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
    return values


@pytest.fixture(autouse=True)
def _asked_as_a_reader(surface: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", surface)


def test_pandas_shows_frames_with_rows() -> None:
    frames = shown(blocks("pandas", "python"), {})
    assert [len(frame.columns) for frame in frames] == [4, 2, 3, 4]
    assert all(len(frame) for frame in frames)


def test_polars_shows_frames_with_rows() -> None:
    pytest.importorskip("polars")
    cells = [blocks("pandas", "python")[0], *blocks("polars", "python")]
    assert [frame.shape for frame in shown(cells, {})[1:]] == [(3, 3), (2, 2)]


def test_psql_takes_variables(server: EmbeddedServer, surface: str) -> None:
    [script] = blocks("psql", "psql")
    environment = os.environ | {"PGOPTIONS": "-c search_path=recsys,public"}
    done = subprocess.run(
        [server.psql(), "-At", surface], input=script, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert {"1|Bailey|5", "2|Moby|Porcelain"} <= set(done.stdout.splitlines())
