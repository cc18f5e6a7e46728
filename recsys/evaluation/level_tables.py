"""Accuracies of levels as tables of text, one a model, beside the published ones."""

from collections.abc import Iterable

from recsys.evaluation.level_accuracy import ALONE, GIVEN, PUBLISHED, SONGS, LevelResult
from recsys.evaluation.tables import TextTable, number

HEAD = ["level", "true parents", "published", "on its own", "published"]


def level_tables(results: Iterable[LevelResult]) -> list[TextTable]:
    """A table for each model."""
    return [_table(result) for result in results]


def _table(result: LevelResult) -> TextTable:
    title = (
        f"{result.method}: each level at {result.positions.sum():,} positions of {len(result.positions):,} tracklists"
    )
    rows = []
    for level, size in result.sizes.items():
        row = [f"{size:,} {SONGS if level == SONGS else 'clusters'}"]
        for kind in (GIVEN, ALONE):
            published = PUBLISHED.get((kind, level))
            row += [number(result.mean(f"{kind}_{level}")), "" if published is None else number(published)]
        rows.append(row)
    return TextTable(title, HEAD, rows)
