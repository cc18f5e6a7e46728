"""`recsys ingest sql`: somebody's own database into the catalogue."""

from pathlib import Path
from typing import TYPE_CHECKING

from . import output

if TYPE_CHECKING:
    from recsys.catalog import Counts, IngestSummary
    from recsys.config import Settings

SQL = "sql"
MAPPING = Path("mapping.toml")


def load_sql(
    settings: "Settings", mapping: Path, dsn: str | None, *, source: str | None, full: bool, dry_run: bool
) -> "IngestSummary":
    """Load what a mapping finds."""
    from recsys.catalog import ingest_sql
    from recsys.sources import load_mapping

    queries = load_mapping(mapping)
    with output.resumable(not dry_run), output.progress() as bar:
        task = bar.add_task("reading", total=None)

        def show(rows: int, counts: "Counts") -> None:
            done = counts.stored + counts.replaced
            bar.update(task, advance=rows, description=f"{done:,} lists, {counts.entries_stored:,} entries")

        return ingest_sql(
            settings,
            queries,
            dsn=dsn,
            source=source,
            whole=full,
            dry_run=dry_run,
            expect=lambda rows: bar.update(task, total=rows or None),
            progress=show,
        )


def write_mapping(settings: "Settings", mapping: Path, dsn: str | None) -> None:
    """Write a mapping that is guessed from the names of tables and columns, and say what was guessed."""
    from recsys.catalog import guess_source
    from recsys.errors import SourceError

    if mapping.exists():
        raise SourceError(f"{mapping} is there already: name another file with --mapping")
    guess = guess_source(settings, dsn)
    output.write_result(guess.text, mapping)
    for remark in guess.remarks:
        output.note(remark)
