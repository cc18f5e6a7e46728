"""The leaderboard to read: Markdown, and one HTML page that needs nothing beside itself."""

import html
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby

from recsys.evaluation.metrics import LOWER_IS_BETTER, PAPER_CUTS, PAPER_METRICS, MetricKey
from recsys.evaluation.results import LeaderboardRow

CHALLENGE: tuple[MetricKey, ...] = (("r_precision", 500), ("r_precision_tracks", 500), ("ndcg", 500), ("clicks", 500))

PUBLISHED: tuple[MetricKey, ...] = (
    ("paper_r_precision", 500),
    ("paper_recall", 500),
    ("paper_precision", 66),
    ("paper_recall", 66),
    ("paper_mrr", 66),
)
"""What the paper gives in its own table, MODELS A6."""

PAPER: tuple[MetricKey, ...] = tuple((metric, k) for k in PAPER_CUTS for metric in PAPER_METRICS)

NAMES = {
    "r_precision": "R-precision",
    "r_precision_tracks": "R-precision of tracks",
    "ndcg": "NDCG",
    "clicks": "clicks",
    "paper_hit": "HIT",
    "paper_precision": "P",
    "paper_recall": "R",
    "paper_mrr": "MRR",
    "paper_r_precision": "R-prec",
    "paper_ndcg": "NDCG",
}

TITLE = "What the answers are worth"

LEGEND = (
    "Means over playlists with 95 % bootstrap intervals. The best of a column is marked where methods answered the same"
    " playlists; it may be within the interval of another. Clicks: lower is better."
)

CHALLENGE_HEADING = "RecSys Challenge 2018"
PAPER_HEADING = "The paper's metrics, by its own formulas: not to be set beside the challenge's"


@dataclass(frozen=True)
class _Group:
    """Methods on the same part of the same split: each row of a table by method, then metric."""

    heading: str
    methods: list[str]
    """Those of the most playlists first, then best first by the first metric that there is."""
    cells: dict[str, dict[MetricKey, LeaderboardRow]]
    playlists: dict[str, int]

    def keys(self, wanted: Iterable[MetricKey]) -> list[MetricKey]:
        """Those of the metrics that any method has."""
        return [key for key in wanted if any(key in cells for cells in self.cells.values())]

    def best(self, key: MetricKey) -> set[str]:
        """Methods with the best value, among those with the most playlists; nobody where there is none to beat."""
        most = max(self.playlists.values())
        values = {
            m: _goodness(self.cells[m][key]) for m in self.methods if key in self.cells[m] and self.playlists[m] == most
        }
        return {m for m, value in values.items() if value == max(values.values())} if len(values) > 1 else set()


def markdown_report(rows: Iterable[LeaderboardRow], title: str = TITLE) -> str:
    """Tables in Markdown, one of the challenge's metrics and one a cut of the paper's for each split and part."""
    parts = [f"# {_markdown(title)}", LEGEND]
    for group in _groups(rows):
        parts.append(f"## {_markdown(group.heading)}")
        for heading, keys in _tables(group):
            parts += [f"### {heading}", _markdown_table(group, keys)]
    if len(parts) == 2:
        parts.append("Nothing was measured yet.")
    return "\n\n".join(parts) + "\n"


def html_report(rows: Iterable[LeaderboardRow], title: str = TITLE) -> str:
    """The same tables with bar charts, as a page that loads nothing, for light and dark screens."""
    parts = []
    for group in _groups(rows):
        parts.append(f"<h2>{html.escape(group.heading)}</h2>")
        for heading, keys in _tables(group):
            parts.append(f"<h3>{html.escape(heading)}</h3>")
            parts.append(_html_table(group, keys))
            if keys[0] in CHALLENGE or keys[0] in PUBLISHED:
                parts.append(f'<div class="charts">{"".join(_figure(group, key) for key in keys)}</div>')
    page = (files("recsys.evaluation") / "report.html").read_text(encoding="utf-8")
    body = "\n".join(parts) or "<p>Nothing was measured yet.</p>"
    given = {"title": html.escape(title), "legend": html.escape(LEGEND), "body": body}
    return re.sub(r"\{(title|legend|body)\}", lambda name: given[name[1]], page)


# --- what is shown -------------------------------------------------------------------------------------------------


def _groups(rows: Iterable[LeaderboardRow]) -> list[_Group]:
    def place(row: LeaderboardRow) -> tuple[str, str, str, str]:
        return row.subject, row.split or "", row.protocol or "", row.part

    groups = []
    for (subject, split, protocol, part), found in groupby(sorted(rows, key=place), place):
        cells: dict[str, dict[MetricKey, LeaderboardRow]] = {}
        playlists: dict[str, int] = {}
        for row in found:
            cells.setdefault(row.method, {})[row.metric, row.k] = row
            playlists[row.method] = row.playlists
        heading = f"{subject}, {f'split {split} ({protocol} protocol), ' if split else ''}{part}"
        if len(counts := set(playlists.values())) == 1:
            heading += f", {counts.pop():,} playlists"
        first = next((key for key in CHALLENGE + PUBLISHED if any(key in have for have in cells.values())), None)
        methods = sorted(cells, key=lambda m: (-playlists[m], _rank(cells[m], first)))
        groups.append(_Group(heading, methods, cells, playlists))
    return groups


def _rank(cells: dict[MetricKey, LeaderboardRow], key: MetricKey | None) -> float:
    row = cells.get(key) if key else None
    return float("inf") if row is None else -_goodness(row)


def _goodness(row: LeaderboardRow) -> float:
    return -row.value if row.metric in LOWER_IS_BETTER else row.value


def _tables(group: _Group) -> list[tuple[str, list[MetricKey]]]:
    """Tables with their headings: the challenge's metrics, those that the paper published, the paper's by cut."""
    wanted: list[tuple[str, Sequence[MetricKey]]] = [(CHALLENGE_HEADING, CHALLENGE), (PAPER_HEADING, PUBLISHED)]
    wanted += [(f"The paper's metrics at {k}", [key for key in PAPER if key[1] == k]) for k in PAPER_CUTS]
    known = {*CHALLENGE, *PAPER}
    others = sorted({key for cells in group.cells.values() for key in cells} - known)
    found = [(heading, group.keys(keys)) for heading, keys in [*wanted, ("Other metrics", others)]]
    return [(heading, keys) for heading, keys in found if keys]


def _name(key: MetricKey) -> str:
    metric, k = key
    return f"{NAMES.get(metric, metric)}@{k}"


def _numbers(row: LeaderboardRow) -> tuple[str, str, str]:
    """The value and its bounds as they are shown."""
    digits = 2 if row.metric == "clicks" else 4
    return f"{row.value:.{digits}f}", f"{row.low:.{digits}f}", f"{row.high:.{digits}f}"


def _rows(
    group: _Group, keys: Sequence[MetricKey], text: Callable[[str], str], cell: Callable[[LeaderboardRow, bool], str]
) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of a table; how many playlists stands in it where methods differ."""
    differ = len(set(group.playlists.values())) > 1
    best = {key: group.best(key) for key in keys}
    table = []
    for method in group.methods:
        have = group.cells[method]
        if not any(key in have for key in keys):
            continue
        line = [text(method)] + ([f"{group.playlists[method]:,}"] if differ else [])
        table.append(line + [cell(have[key], method in best[key]) if key in have else "–" for key in keys])
    return ["method", *(["playlists"] if differ else []), *(text(_name(key)) for key in keys)], table


# --- Markdown ------------------------------------------------------------------------------------------------------


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|#~&$!])", r"\\\1", " ".join(text.split()))


def _markdown_table(group: _Group, keys: Sequence[MetricKey]) -> str:
    def cell(row: LeaderboardRow, is_best: bool) -> str:
        value, low, high = _numbers(row)
        return f"{f'**{value}**' if is_best else value} ({low}–{high})"

    head, table = _rows(group, keys, _markdown, cell)
    marks = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, marks, *table])


# --- HTML ----------------------------------------------------------------------------------------------------------


def _html_table(group: _Group, keys: Sequence[MetricKey]) -> str:
    def cell(row: LeaderboardRow, is_best: bool) -> str:
        value, low, high = _numbers(row)
        return f"{f'<b>{value}</b>' if is_best else value} <small>{low}–{high}</small>"

    head, table = _rows(group, keys, html.escape, cell)
    lines = [f"<tr>{''.join(f'<td>{cell}' for cell in line)}" for line in table]
    return (
        f'<div class="wide"><table>\n<thead><tr>{"".join(f"<th>{name}" for name in head)}</thead>\n'
        f"<tbody>\n{chr(10).join(lines)}\n</tbody>\n</table></div>"
    )


WIDTH, VALUE_WIDTH, ROW_HEIGHT, BAR_HEIGHT = 420, 60, 40, 13
"""Of a chart, in its own units; a label stands above its bar."""

LABEL_LENGTH = 56
"""Characters that fit above a bar."""


def _figure(group: _Group, key: MetricKey) -> str:
    shown = [(method, group.cells[method][key]) for method in group.methods if key in group.cells[method]]
    best = group.best(key)
    scale = (WIDTH - VALUE_WIDTH) / (max(max(row.value, row.high) for _, row in shown) or 1)
    bars = "".join(
        _bar(method, row, place * ROW_HEIGHT, scale, method in best) for place, (method, row) in enumerate(shown)
    )
    height = ROW_HEIGHT * len(shown)
    note = " <small>lower is better</small>" if key[0] in LOWER_IS_BETTER else ""
    name = html.escape(_name(key))
    return (
        f"<figure><figcaption>{name}{note}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{name} of {len(shown)} methods">'
        f'<line class="axis" x1=".5" y1="0" x2=".5" y2="{height}"/>{bars}</svg></figure>\n'
    )


def _bar(method: str, row: LeaderboardRow, top: int, scale: float, is_best: bool) -> str:
    label = method if len(method) <= LABEL_LENGTH else method[: LABEL_LENGTH - 1] + "…"
    length, low, high = (max(0.0, value) * scale for value in (row.value, row.low, row.high))
    bar_top, middle = top + 20, top + 20 + BAR_HEIGHT / 2
    whisker = f"M{low:.1f} {middle - 4}v8M{low:.1f} {middle}H{high:.1f}M{high:.1f} {middle - 4}v8"
    value, lowest, highest = _numbers(row)
    css = "bar best" if is_best else "bar"
    return (
        f"<g><title>{html.escape(method)}: {value} ({lowest}–{highest})</title>"
        f'<text x="5" y="{top + 15}">{html.escape(label)}</text>'
        f'<rect class="{css}" x="0" y="{bar_top}" width="{length:.1f}" height="{BAR_HEIGHT}"/>'
        f'<path class="error" d="{whisker}"/>'
        f'<text class="value" x="{max(length, high) + 6:.1f}" y="{bar_top + 11}">{value}</text></g>'
    )
