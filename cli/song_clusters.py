"""`recsys tracklists clusters`: the clusters of songs that a tracklist model learned."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import output

if TYPE_CHECKING:
    from rich.tree import Tree

    from recsys.sequences.clusters import SongCluster

SHOWN_BELOW = 2
"""Clusters that are shown in one of the level above."""


def clusters(
    level: int | None = typer.Option(
        None, "--level", min=0, max=2, metavar="NUMBER",
        help="A table of one level alone: 2 has the largest clusters, 0 the smallest.",
    ),
    model: str = typer.Option(None, metavar="NAME", help="Which tracklist model; the last one by default."),
    html: Path = typer.Option(
        None, "--html", metavar="FILE",
        help="Draw a map of the songs, coloured by their clusters; a file that ends in .png is a picture.",
    ),
    n: int = typer.Option(10, "--n", "-n", min=1, metavar="COUNT", help="How many to show, the largest first."),
    as_json: bool = output.JSON,
) -> None:  # fmt: skip
    """Show the clusters of songs, the largest with the clusters in them, by their most played artists and songs."""
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors
    from recsys.sequences.clusters import TOP, draw_songs, song_clusters
    from recsys.titles.cluster_picture import check_endings
    from recsys.tracklists.recommend import tracklist_model

    if html is not None:
        check_endings([html])
    with translated_errors(), connect(load_settings(), autocommit=True) as connection:
        require_migrated(connection)
        model_id = tracklist_model(connection, model, "tracklist-model")
        found = song_clusters(connection, model_id, level)
        if html is not None:
            with output.steps("map") as show:
                draw_songs(connection, model_id, html, TOP if level is None else level, progress=show)
    if as_json:
        output.print_json(found)
    elif level is None:
        _print_tree(found, n)
    else:
        _print_level(found, n)
    if html is not None:
        output.note(f"drawn: {html}")


def _print_level(found: "list[SongCluster]", n: int) -> None:
    made = output.table(
        ("cluster", "right"), ("songs", "right"), ("plays", "right"), ("artists", "left"), ("first song", "left")
    )
    rows = [
        (c.cluster, output.number(c.songs), output.number(c.plays), ", ".join(c.top_artists[:3]), c.top_songs[0])
        for c in found[:n]
    ]
    output.print_table(made, rows)
    if len(found) > n:
        output.note(f"and {len(found) - n} smaller clusters: --n {len(found)} shows all")


def _print_tree(found: "list[SongCluster]", n: int) -> None:
    from rich.tree import Tree

    inside: dict[tuple[int, int | None], list[SongCluster]] = {}
    for cluster in found:
        inside.setdefault((cluster.level, cluster.parent), []).append(cluster)
    top = found[0].level
    largest = inside[top, None]
    counts = [sum(c.level == level for c in found) for level in range(top, -1, -1)]
    tree = Tree(
        f"{output.number(sum(c.songs for c in largest))} songs in {', '.join(map(output.number, counts))} clusters"
    )

    def grow(branch: "Tree", clusters: "list[SongCluster]", shown: int) -> None:
        for cluster in clusters[:shown]:
            below = inside.get((cluster.level - 1, cluster.cluster), [])
            grow(branch.add(output.one_line(_told(cluster))), below, SHOWN_BELOW)
        if len(clusters) > shown:
            branch.add(f"… {output.number(len(clusters) - shown)} smaller")

    grow(tree, largest, n)
    output.print_whole(tree)
    output.note(
        "a song counts on each level in its likeliest cluster, which need not lie in that of the level above; clusters"
        " that are nobody's likeliest are not shown"
    )
    output.note("clusters of a level: --level 2 the largest, 1, or 0 the smallest; a map of the songs: --html FILE")


def _told(cluster: "SongCluster") -> str:
    artists = ", ".join(cluster.top_artists[:3])
    songs = f' · "{cluster.top_songs[0]}"' if cluster.top_songs else ""
    return f"{cluster.cluster}: {output.number(cluster.songs)} songs · {artists}{songs}"
