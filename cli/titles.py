"""`recsys titles`: what the title recommender learns."""

import typer

from . import output

app = typer.Typer(help="The title recommender: embed.", no_args_is_help=True)


@app.command()
def embed(
    encoder: str = typer.Option(
        None, metavar="NAME|PATH", help="Sentence encoder, a hub name or a folder; all-MiniLM-L6-v2 by default."
    ),
    split: str = typer.Option(None, metavar="NAME", help="Build from the train part of a split, for --as-of."),
    as_json: bool = output.JSON,
) -> None:
    """Embed new titles, build what titles vote for.

    Each distinct title once; an interrupted run goes on where it stopped.
    """
    from recsys.config import load_settings
    from recsys.titles import embed_titles

    with output.progress() as bar:
        task = bar.add_task("titles", total=None)

        def show(step: str, done: int, of: int) -> None:
            bar.update(task, description=step, completed=done, total=of or None)

        summary = embed_titles(load_settings(), encoder, show, split=split)
    if as_json:
        output.print_json([summary])
        return
    rows = [
        ("encoder", f"{summary.encoder}, {summary.dimension} dimensions (model {summary.model_id})"),
        ("titles embedded", output.number(summary.embedded)),
        ("already there", output.number(summary.already_there)),
        ("title profiles", output.number(summary.profiles)),
        ("search", "HNSW index" if summary.has_index else "exact scan"),
    ]
    output.print_table(output.table(("embedded", "left"), ("", "left")), rows)
