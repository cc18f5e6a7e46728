"""`recsys ingest`: files, or somebody's database, into the catalogue."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import output
from .ingest_sql import MAPPING, SQL, load_sql, write_mapping

if TYPE_CHECKING:
    from recsys.catalog import Counts, IngestSummary

SHOWN_REASONS = 8

COLUMN = typer.Option(
    [],
    metavar="FIELD=HEADER",
    help="With csv: the header of the title, artist, uri, album, duration_ms or playlist column; may be repeated.",
)


def ingest(
    format: str = typer.Argument(
        help="mpd, playlists, tracklists, csv, djmix, rekordbox, traktor, m3u, xspf, jspf, spotify, cue or text; sql.",
        metavar="FORMAT",
    ),
    paths: list[Path] = typer.Argument(
        None, help="Files or folders; - is standard input. djmix without a path is fetched.", metavar="PATH"
    ),
    source: str = typer.Option(
        None, metavar="NAME", help="Name within which ids are unique; the format's name by default."
    ),
    column: list[str] = COLUMN,
    dry_run: bool = typer.Option(False, "--dry-run", help="Read and count, keep nothing."),
    mapping: Path = typer.Option(None, metavar="FILE", help="sql: the TOML that names the queries; - is stdout."),
    dsn: str = typer.Option(
        None, metavar="URL", help="sql: the database to read; RECSYS_SOURCE_DSN or our own by default."
    ),
    init: bool = typer.Option(False, "--init", help="sql: write a mapping from the names of the database's tables."),
    full: bool = typer.Option(False, "--full", help="sql: read everything, not only what changed."),
    as_json: bool = output.JSON,
) -> None:
    """Load playlists and tracklists, from files or, as sql, from a database that is only read.

    The same files twice change nothing, an interrupted load goes on where it stopped. Exit code 1 says that some
    records were rejected; they are kept in the table rejected_record.
    """
    from recsys.catalog import ingest as load
    from recsys.catalog.ingestion import openable
    from recsys.config import load_settings
    from recsys.sources import FORMATS, csv_with_columns, fetch_djmix

    if format not in (*FORMATS, SQL):
        raise typer.BadParameter(f"{format!r} is not one of {', '.join((*FORMATS, SQL))}", param_hint="FORMAT")
    if column and format != "csv":
        raise typer.BadParameter("it goes with csv", param_hint="--column")
    settings = load_settings()
    if format == SQL:
        if paths:
            raise typer.BadParameter("sql reads no files: name the queries with --mapping", param_hint="PATH")
        if init:
            write_mapping(settings, mapping or MAPPING, dsn)
            return
        _finish(
            load_sql(settings, mapping or MAPPING, dsn, source=source, full=full, dry_run=dry_run),
            dry_run=dry_run,
            as_json=as_json,
        )
        return
    if mapping or dsn or init or full:
        raise typer.BadParameter("--mapping, --dsn, --init and --full go with sql", param_hint="FORMAT")
    read_as = csv_with_columns(csv_columns(column)) if column else FORMATS[format]
    if not paths:
        if format != "djmix":
            raise typer.BadParameter(f"name the files of the format {format}", param_hint="PATH")
        output.note("fetching the djmix data set (4 MB)")
        paths = [fetch_djmix(settings.downloads_folder)]
    total, _, _ = openable(read_as, paths)
    with output.resumable(not dry_run), output.progress(of_bytes=True) as bar:
        task = bar.add_task("reading", total=total or None)

        def show(bytes_read: int, counts: "Counts") -> None:
            done = counts.stored + counts.replaced
            bar.update(task, advance=bytes_read, description=f"{done:,} lists, {counts.entries_stored:,} entries")

        summary = load(settings, read_as, paths, source=source, dry_run=dry_run, progress=show)
    _finish(summary, dry_run=dry_run, as_json=as_json)


def _finish(summary: "IngestSummary", *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        output.print_json([{"dry_run": dry_run, **summary.as_dict()}])
    else:
        _print(summary, dry_run=dry_run)
    if summary.counts.rejected or summary.counts.entries_rejected:
        raise typer.Exit(1)


def csv_columns(named: Sequence[str]) -> dict[str, str]:
    """The headers of a table's columns by their fields."""
    from recsys.sources import CSV_FIELDS

    columns: dict[str, str] = {}
    for text in named:
        field, _, header = text.partition("=")
        if field not in CSV_FIELDS or not header.strip():
            message = f"{text!r} is not FIELD=HEADER with a field of {', '.join(CSV_FIELDS)}"
            raise typer.BadParameter(message, param_hint="--column")
        columns[field] = header
    if "title" not in columns:
        raise typer.BadParameter("name the column of titles: title=HEADER", param_hint="--column")
    return columns


def _print(summary: "IngestSummary", *, dry_run: bool) -> None:
    counts = summary.counts
    rows = [
        ("lists read", counts.read),
        ("  stored", counts.stored),
        ("  replaced by a later state", counts.replaced),
        ("  already there", counts.already_there),
        ("  rejected", counts.rejected),
        ("entries stored", counts.entries_stored),
        ("entries nobody identified", counts.entries_unidentified),
        ("entries rejected", counts.entries_rejected),
    ]
    made = output.table(("dry run: nothing is kept" if dry_run else "loaded", "left"), ("", "right"))
    output.print_table(made, [(name, output.number(value)) for name, value in rows])
    if summary.reasons:
        reasons = sorted(summary.reasons.items(), key=lambda item: (-item[1], item[0]))
        made = output.table(("why records were rejected", "left"), ("", "right"), ("the first one", "left"))
        shown = [(reason, output.number(count), summary.first_places[reason]) for reason, count in reasons]
        output.print_table(made, shown[:SHOWN_REASONS])
        left_out = len(reasons) - SHOWN_REASONS
        if left_out > 0:
            output.note(f"and {left_out} more {'reason' if left_out == 1 else 'reasons'}")
        if not dry_run:
            output.note("each one: SELECT file, place, reason FROM rejected_records")
