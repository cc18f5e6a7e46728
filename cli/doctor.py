"""`recsys doctor`: what works, what is there, and what to run next."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from . import output

if TYPE_CHECKING:
    from recsys.health import Finding

MARKS = {"good": "ok", "open": "next", "bad": "wrong"}


def doctor(as_json: bool = output.JSON) -> None:
    """What works, and what to run next.

    Exit code 1 says that something is wrong.
    """
    from recsys.config import load_settings
    from recsys.database import translated_errors
    from recsys.health import examine

    with translated_errors():
        findings: list[Finding] = examine(load_settings())
    if as_json:
        output.print_json(map(asdict, findings))
    else:
        made = output.table(("", "left"), ("what", "left"), ("found", "left"))
        output.print_table(made, [(MARKS[f.state], f.subject, f.found) for f in findings])
        if any(finding.mend for finding in findings):
            typer.echo("what to run:")
            output.print_facts((f"  {finding.subject}", finding.mend) for finding in findings if finding.mend)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)
