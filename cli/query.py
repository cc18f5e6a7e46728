"""`recsys query`: named analyses of the catalogue."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from recsys.errors import ParameterError, UnknownNameError

from . import output

if TYPE_CHECKING:
    from recsys.analyses import Analysis, Result


def query(
    name: str | None = typer.Argument(None, metavar="NAME", help="Which analysis; without it, all are listed."),
    parameters: list[str] | None = typer.Argument(None, metavar="KEY=VALUE", help="What it is asked with."),
    as_json: bool = output.JSON,
    as_csv: bool = typer.Option(False, "--csv", help="CSV instead of a table."),
    out: Path = typer.Option(
        None, "--output", "-o", metavar="FILE", help="File to write; its ending is .csv, or .jsonl for JSON lines."
    ),
    timeout: int = typer.Option(60, min=0, max=2_000_000, metavar="SECONDS", help="Stop after so long; 0 for never."),
    show_sql: bool = typer.Option(False, "--sql", help="Print the statement instead of running it."),
) -> None:
    """Run a named analysis: what is played, by whom and when, what was measured, what was rejected.

    Files NAME.sql in the folder `queries` of RECSYS_HOME are analyses of your own, see docs/sql.md.
    """
    from recsys.analyses import analyses, filled_in, find_analysis, run_analysis
    from recsys.config import load_settings

    if as_json and as_csv:
        raise typer.BadParameter("it does not go with --json: ask for one of them", param_hint="--csv")
    ending = out.suffix.lower() if out is not None and str(out) != "-" else None
    if not (as_json or as_csv or show_sql) and ending not in (None, ".csv", ".json", ".jsonl"):
        message = f"the ending of {out.name} names no format: add --csv or --json"
        raise typer.BadParameter(message, param_hint="--output")
    settings = load_settings()
    if name is None:
        _list(analyses(settings).values(), as_json=as_json)
        return
    try:
        analysis = find_analysis(settings, name)
        values = analysis.values(_given(parameters or []))
    except (UnknownNameError, ParameterError) as error:
        raise typer.BadParameter(str(error)) from None
    if show_sql:
        output.write_result(f"{filled_in(settings, analysis, values).rstrip()}\n", out)
        return
    with run_analysis(settings, analysis, values, timeout=timeout or None) as result:
        if as_json or (not as_csv and ending in (".json", ".jsonl")):
            output.write_pieces((f"{output.json_line(line)}\n" for line in _objects(result)), out)
        elif as_csv or ending:
            output.write_pieces(_csv_lines(result), out)
        else:
            _print(result)


def _given(parameters: Sequence[str]) -> dict[str, str]:
    given = {}
    for parameter in parameters:
        key, is_assigned, value = parameter.partition("=")
        if not is_assigned:
            raise ParameterError(f"{parameter!r} is not KEY=VALUE")
        if key in given:
            raise ParameterError(f"{key} is given twice")
        given[key] = value
    return given


def _list(there: "Iterable[Analysis]", *, as_json: bool) -> None:
    if as_json:
        output.print_json(there)
        return
    made = output.table(("analysis", "left"), ("parameters", "left"), ("tells", "left"))
    rows = []
    for analysis in there:
        asked = (
            parameter.name if parameter.default == "null" else f"{parameter.name}={parameter.default or '..'}"
            for parameter in analysis.parameters
        )
        own = f" ({analysis.file})" if analysis.file else ""
        rows.append((analysis.name, " ".join(asked), f"{analysis.description}{own}"))
    output.print_table(made, rows)
    output.note("one with .. must be given; those without a value may be: recsys query NAME KEY=VALUE ..")


def _print(result: "Result") -> None:
    columns = zip(result.columns, result.is_number, strict=True)
    made = output.table(*((name.replace("_", " "), "right" if is_number else "left") for name, is_number in columns))
    rows = [[_cell(value) for value in row] for row in result.rows]
    output.print_table(made, rows)
    if not rows:
        output.note("nothing is found")


def _objects(result: "Result") -> Iterator[dict[str, object]]:
    """Rows for JSON, which has no decimal numbers."""
    for row in result.rows:
        values = (float(value) if isinstance(value, Decimal) else value for value in row)
        yield dict(zip(result.columns, values, strict=True))


def _csv_lines(result: "Result") -> Iterator[str]:
    for row in chain((result.columns,), result.rows):
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(_flat(value, "; ") for value in row)
        yield line.getvalue()


def _cell(value: object) -> object:
    """A value as people read it: a float without its last digits."""
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else _flat(value, ", ")


def _flat(value: object, separator: str) -> object:
    """A value of one line: a list without brackets, an object as JSON."""
    if isinstance(value, list):
        return separator.join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
