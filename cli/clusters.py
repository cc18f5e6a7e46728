"""`recsys titles cluster`, `clean` and `split`: playlists grouped by content, and divided for measuring."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import output

if TYPE_CHECKING:
    from recsys.titles.clusters import ClusterSummary


class Protocol(StrEnum):
    """How playlists are divided."""

    CLEAN = "clean"
    SEED = "seed"


def cluster(
    clusters: int = typer.Option(
        None, "--clusters", "-k", min=2, max=100_000, metavar="COUNT",
        help="How many; 200 by default, and with under 2,000 playlists the number that suits them best.",
    ),
    split: str = typer.Option(
        None, metavar="NAME", help="Fit clusters on the train part of this split; the others go to the nearest one."
    ),
    encoder: str = typer.Option(
        None, metavar="NAME|PATH", help="Sentence encoder, a hub name or a folder; all-MiniLM-L6-v2 by default."
    ),
    picture: list[Path] = typer.Option(
        [], metavar="FILE", help="Draw the clusters into a file, .png or .html; may be repeated."
    ),
    seed: int = typer.Option(0, min=0, max=2**32 - 1, metavar="NUMBER", help="Seed of the clustering."),
    n: int = typer.Option(20, "--n", "-n", min=1, metavar="COUNT", help="How many clusters to show, largest first."),
    as_json: bool = output.JSON,
) -> None:  # fmt: skip
    """Group playlists by what their tracks are called.

    A playlist's content is the mean vector of its tracks' titles, each distinct title embedded once. The exact match
    of a cluster is the share of its playlists that carry its most frequent title.
    """
    from recsys.config import load_settings
    from recsys.titles.clusters import cluster_playlists

    with output.steps("clusters") as show:
        summary = cluster_playlists(
            load_settings(), clusters, split=split, encoder_name=encoder, seed=seed, pictures=picture, progress=show
        )
    if as_json:
        output.print_json([summary])
    else:
        _print_clusters(summary, n)
    for path in picture:
        output.note(f"drawn: {path}")


def _print_clusters(summary: "ClusterSummary", n: int) -> None:
    made = output.table(
        ("cluster", "right"), ("playlists", "right"), ("exact match", "right"), ("most frequent titles", "left")
    )
    output.print_table(
        made,
        [
            (c.number, output.number(c.playlists), f"{c.exact_match:.1f} %", ", ".join(c.top_titles))
            for c in summary.found[:n]
        ],
    )
    if summary.clusters > n:
        output.note(f"and {summary.clusters - n} smaller clusters: --n {summary.clusters} shows all")
    of = "" if summary.split is None else f", fitted on the {summary.fitted:,} in the train part of {summary.split}"
    output.note(
        f"{summary.playlists:,} playlists{of}, {summary.track_titles:,} track titles, {summary.clusters} clusters by"
        f" {summary.algorithm}, exact match {summary.exact_match:.1f} %"
    )
    if summary.left_out:
        why = "without a title or tracks" if summary.split is None else f"not in {summary.split}"
        output.note(f"left out, {why}: {summary.left_out:,}")
    if summary.chosen_by == "data":
        tried = ", ".join(f"{clusters} ({score:.3f})" for clusters, score in summary.agreements.items())
        how = f"best agreement with titles: {tried}" if tried else "their square root, as titles hardly repeat"
        output.note(f"with under 2,000 playlists the number of clusters is chosen by the data: {how}")


def clean(
    min_exact_match: float = typer.Option(
        2.0, "--min-exact-match", min=0, max=100, metavar="PERCENT",
        help="Clusters of this exact match and below are miscellaneous.",
    ),
    as_json: bool = output.JSON,
) -> None:  # fmt: skip
    """Mark clusters whose playlists share no title.

    They are miscellaneous: left out of training by clusters, and of a split by the seed protocol. Run again to mark
    others.
    """
    from recsys.config import load_settings
    from recsys.titles.clusters import mark_miscellaneous

    summary = mark_miscellaneous(load_settings(), min_exact_match)
    if as_json:
        output.print_json([summary])
        return
    made = output.table(("", "left"), ("clusters", "right"), ("playlists", "right"))
    rows = [
        ("kept", summary.clusters_kept, summary.playlists_kept),
        ("miscellaneous", summary.clusters_dropped, summary.playlists_dropped),
    ]
    output.print_table(made, [(name, output.number(clusters), output.number(held)) for name, clusters, held in rows])


def split(
    name: str = typer.Argument(None, metavar="NAME", help="The split's name; that of its protocol by default."),
    protocol: Protocol = typer.Option(
        Protocol.CLEAN, metavar="PROTOCOL",
        help="clean: at random by playlist; seed: the paper's, at random inside every cluster that is kept.",
    ),
    seed: int = typer.Option(0, min=0, max=2**63 - 1, metavar="NUMBER", help="Seed of the shuffle."),
    fractions: str = typer.Option(
        "0.8,0.1,0.1", metavar="T,V,T", help="Fractions of train, validation and test; they sum to 1."
    ),
    replace: bool = typer.Option(
        False, "--replace", help="Replace a split of this name; what was clustered and measured on it goes too."
    ),
    as_json: bool = output.JSON,
) -> None:  # fmt: skip
    """Divide playlists into train, validation and test.

    Those with a title and a track take part. The same playlists and seed give the same parts.
    """
    from recsys.config import load_settings
    from recsys.titles.splits import make_split

    summary = make_split(
        load_settings(),
        name or protocol.value,
        protocol=protocol.value,
        seed=seed,
        fractions=_read_fractions(fractions),
        replace=replace,
    )
    if as_json:
        output.print_json([summary])
        return
    rows = [
        ("train", summary.train),
        ("validation", summary.validation),
        ("test", summary.test),
        ("left out: without a title", summary.without_title),
        ("left out: without tracks", summary.without_tracks),
    ]
    if summary.clusters is not None:
        rows.append(("left out: in no cluster that is kept", summary.unclustered))
    made = output.table((f"split {summary.name}", "left"), ("playlists", "right"))
    output.print_table(made, [(what, output.number(count)) for what, count in rows])
    if summary.clusters is not None:
        output.note(f"each of {summary.clusters:,} clusters is in all three parts")


def _read_fractions(text: str) -> tuple[float, float, float]:
    try:
        train, validation, test = map(float, text.split(","))
    except ValueError:
        raise typer.BadParameter("name three numbers, for example 0.8,0.1,0.1", param_hint="--fractions") from None
    return train, validation, test
