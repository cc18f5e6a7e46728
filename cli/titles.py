"""`recsys titles`: what the title recommender learns."""

import typer

from . import challenge, clusters, finetune, output

app = typer.Typer(help="The title recommender: embed, measure, tune.", no_args_is_help=True)
app.command("cluster")(clusters.cluster)
app.command("clean")(clusters.clean)
app.command("split")(clusters.split)
app.command("challenge")(challenge.challenge)
app.command("verify")(challenge.verify)
app.command("snapshot")(finetune.snapshot)
app.command("finetune")(finetune.finetune)


@app.command()
def embed(
    encoder: str = typer.Option(
        None, metavar="NAME|PATH", help="Sentence encoder, a hub name or a folder; all-MiniLM-L6-v2 by default."
    ),
    split: str = typer.Option(None, metavar="NAME", help="Build from the train part of a split, for --as-of."),
    adapt: bool = typer.Option(
        None, "--adapt/--no-adapt", help="Learn from playlists what titles mean; by default from 1,000 playlists on."
    ),
    int8: bool = typer.Option(
        False, "--int8", help="Round the encoder's matrices: faster where the processor has VNNI or AMX."
    ),
    as_json: bool = output.JSON,
) -> None:
    """Embed titles, and learn what playlists say of them.

    Each distinct title is embedded once, an interrupted run goes on with the rest; what they vote for is built anew.
    """
    from recsys.config import load_settings
    from recsys.titles import embed_titles

    with output.resumable(), output.steps("titles") as show:
        summary = embed_titles(
            load_settings(), encoder, show, split=split, adapt=adapt, precision="int8" if int8 else "fp32"
        )
    if as_json:
        output.print_json([summary])
        return
    unadapted = "nothing" if adapt is False else "nothing: fewer than 1,000 playlists"
    rows = [
        ("encoder", f"{summary.encoder}, {summary.dimension} dimensions (model {summary.model_id})"),
        ("titles embedded", output.number(summary.embedded)),
        ("already there", output.number(summary.already_there)),
        ("adapted to", f"{output.number(summary.adapted_to)} playlists" if summary.adapted_to else unadapted),
        ("title profiles", output.number(summary.profiles)),
        ("search", "HNSW index" if summary.has_index else "exact scan"),
    ]
    output.print_table(output.table(("embedded", "left"), ("", "left")), rows)


@app.command()
def tune(
    split: str = typer.Option("clean", metavar="NAME", help="The split whose validation part decides."),
    limit: int | None = typer.Option(None, min=1, metavar="COUNT", help="So many validation playlists at most."),
    profiles: bool = typer.Option(True, help="Also fit how profiles are smoothed: each trial builds them anew."),
    as_json: bool = output.JSON,
) -> None:
    """Fit the vote's parameters on validation.

    They are kept with every recommender of the same encoder; run `recsys titles embed` afterwards. An interrupted run
    changes nothing, and goes on where it stopped.
    """
    from recsys.config import load_settings
    from recsys.evaluation.titles import validation_score
    from recsys.titles.tuning import tune_titles

    settings = load_settings()
    with output.resumable(), output.steps("trials") as show:
        score = validation_score(settings, split, limit)
        measured = "validation" if limit is None else f"{limit} of validation"
        summary = tune_titles(settings, split, score, profiles=profiles, measured=measured, progress=show)
    if as_json:
        output.print_json([summary])
        return
    made = output.table(("parameter", "left"), ("value", "right"), ("score", "right"), ("", "left"))
    output.print_table(
        made, [(t.name, f"{t.value:g}", f"{t.score:.5f}", "better" if t.is_better else "") for t in summary.trials]
    )
    if summary.after > summary.before:
        output.note(f"score {summary.before:.5f} before, {summary.after:.5f} after; now run `recsys titles embed`")
    else:
        output.note(f"score {summary.before:.5f}: nothing that was tried is better, all stays as it is")
