"""Measurements on a snapshot of graphs as tables of text, one a view."""

from collections.abc import Iterable

from recsys.evaluation.graph import CUTS, MASKED_PAIRS, PAIRS, PUBLISHED, VIEWS, GraphResult
from recsys.evaluation.metrics import MetricKey, bootstrap
from recsys.evaluation.tables import TextTable, number

SHOWN: tuple[MetricKey, ...] = (
    *(("recall", k) for k in (10, 50, 100, 500)),
    ("ndcg", 10),
    ("ndcg", 100),
)
SURE: MetricKey = ("recall", 100)
"""Whose 95 % interval is shown."""

PUBLISHED_METHOD = "published"


def graph_tables(results: Iterable[GraphResult]) -> list[TextTable]:
    """A table for each view that was measured; held-out pairs by plain recall, beside what TL-MGCCF reports."""
    by_view: dict[str, list[GraphResult]] = {}
    for result in results:
        by_view.setdefault(result.view, []).append(result)
    return [_table(view, by_view[view]) for view in VIEWS if view in by_view]


def _table(view: str, results: list[GraphResult]) -> TextTable:
    count = len(results[0].djs)
    title = f"{view}, {count:,} {'DJ' if count == 1 else 'DJs'}"
    if view in (PAIRS, MASKED_PAIRS):
        title += ": share found"
        rows = [[result.method, *(number(result.mean("plain_recall", k)) for k in CUTS)] for result in results]
        if view == PAIRS:
            rows.append([PUBLISHED_METHOD, *(number(PUBLISHED[k]) for k in CUTS)])
        return TextTable(title, ["method", *(f"@{k}" for k in CUTS)], rows)
    head = ["method"]
    for metric, k in SHOWN:
        head += [f"{'R' if metric == 'recall' else 'NDCG'}@{k}", *(["95 %"] if (metric, k) == SURE else [])]
    rows = []
    for result in results:
        row = [result.method]
        for key in SHOWN:
            row.append(number(result.mean(*key)))
            if key == SURE:
                interval = bootstrap(result.scores[key])
                row.append(f"{number(interval.low, 3)}–{number(interval.high, 3)}")
        rows.append(row)
    return TextTable(title, head, rows)
