"""How made lists look, as tables of text, one a model."""

import math
from collections.abc import Mapping, Sequence

from recsys.evaluation.list_shape import distances
from recsys.evaluation.made_lists import MadeResult
from recsys.evaluation.tables import TextTable, number

NAMES = {
    "artist_repetition": "artist came before",
    "popularity": "log(1 + plays)",
    "dj_affinity": "DJ played it before",
    "diversity": "diversity",
    "coverage": "coverage",
}
"""Of respects, but for the runs of clusters."""


def made_table(name: str, results: Sequence[MadeResult], sizes: Sequence[int]) -> TextTable:
    """Means of every respect, and how far they are from the real ones, which come first.

    Args:
        name: the model's.
        results: of the real lists and of every method.
        sizes: clusters of each level, from the songs upwards.
    """
    real, *others = results
    lists = len(real.shape.popularity)
    head = ["mean of a list", real.method]
    for result in others:
        head += [result.method, "off"]
    means = real.shape.means()
    made = [(result.shape.means(), distances(real.shape, result.shape)) for result in others]
    rows = []
    for respect, mean in means.items():
        row = [_named(respect, sizes), _shown(mean)]
        for told, off in made:
            row += [_shown(told[respect]), _shown(off[respect]) if respect in off else ""]
        rows.append(row)
    return TextTable(f"{lists:,} lists by {name} beside the tracklists that go on from their first song", head, rows)


def _named(respect: str, sizes: Sequence[int]) -> str:
    level = respect.removeprefix("cluster_run_")
    return NAMES[respect] if level == respect else f"run in {sizes[int(level)]:,} clusters"


def _shown(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}" if value >= 1 else number(value, 3)


def told(results: Sequence[MadeResult]) -> list[Mapping[str, object]]:
    """The same as objects: what a method's lists are like in a respect, and how far from the real ones."""
    real = results[0].shape
    lines: list[Mapping[str, object]] = []
    for result in results:
        off = distances(real, result.shape)
        for respect, mean in result.shape.means().items():
            lines.append(
                {
                    "method": result.method,
                    "respect": respect,
                    "lists": len(result.shape.popularity),
                    "mean": None if math.isnan(mean) else mean,
                    "distance": None if math.isnan(off.get(respect, math.nan)) else off[respect],
                }
            )
    return lines
