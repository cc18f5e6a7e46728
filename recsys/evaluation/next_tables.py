"""Measurements of the next song as tables of text, one a view."""

from collections.abc import Iterable

from recsys.evaluation.metrics import MetricKey, bootstrap
from recsys.evaluation.next_song import ALL, HIT_CUTS, KNOWN, K, NextSongOptions, NextSongResult
from recsys.evaluation.tables import TextTable, number
from recsys.tracklists.later import LaterFacts

SHOWN: tuple[MetricKey, ...] = (*(("hit_rate", k) for k in HIT_CUTS), ("mrr", K))
SURE: dict[MetricKey, int] = {("hit_rate", K): 3, ("mrr", K): 4}
"""Whose 95 % intervals are shown, and with how many digits."""


def next_tables(results: Iterable[NextSongResult]) -> list[TextTable]:
    """A table for each view."""
    found = list(results)
    return [_table(view, [r for r in found if r.view == view]) for view in (KNOWN, ALL)]


def part_of(facts: LaterFacts, options: NextSongOptions) -> str:
    """A name for what is foretold: other days, or a past that is renewed, are another part."""
    parts = [facts.part]
    if options.days is not None:
        parts.append(f"the first {options.days} days")
    if options.renew is not None:
        parts.append(f"renewed every {options.renew} days")
    return ", ".join(parts)


def _table(view: str, results: list[NextSongResult]) -> TextTable:
    counts = results[0].positions
    title = f"{view}: {counts.sum():,} of {len(counts):,} tracklists"
    head = ["method"]
    for metric, k in SHOWN:
        head += [f"{'HR' if metric == 'hit_rate' else 'MRR'}@{k}", *(["95 %"] if (metric, k) in SURE else [])]
    rows = []
    for result in results:
        row = [result.method]
        for key in SHOWN:
            row.append(number(result.mean(*key)))
            if key in SURE:
                interval = bootstrap(result.scores[key], weights=result.positions)
                row.append("–".join(number(bound, SURE[key]) for bound in (interval.low, interval.high)))
        rows.append([*row, f"{1000 * result.seconds / max(result.answers, 1):.1f}"])
    return TextTable(title, [*head, "ms"], rows)
