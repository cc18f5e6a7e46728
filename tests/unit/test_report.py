"""What a report shows of a leaderboard."""

import re
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from recsys.evaluation.report import html_report, markdown_report
from recsys.evaluation.results import LeaderboardRow


def row(method: str, metric: str = "ndcg", value: float = 0.5, *, k: int = 500, **changes: object) -> LeaderboardRow:
    given: dict[str, object] = {
        "subject": "titles",
        "split": "main",
        "protocol": "clean",
        "part": "test",
        "metric": metric,
        "k": k,
        "method": method,
        "value": value,
        "low": value * 0.9,
        "high": value * 1.1,
        "playlists": 1031,
        "run_id": 1,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return LeaderboardRow(**(given | changes))  # type: ignore[arg-type]


TWO = [
    row("exact title", value=0.1),
    row("ours", value=0.2),
    row("exact title", "clicks", 15.0),
    row("ours", "clicks", 9),
]


def lines(report: str) -> list[str]:
    return [line for line in report.splitlines() if line.startswith("|")]


def svgs(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


def test_methods_are_rows_best_first_with_intervals_and_the_best_in_bold() -> None:
    assert lines(markdown_report(TWO)) == [
        "| method | NDCG@500 | clicks@500 |",
        "| --- | ---: | ---: |",
        "| ours | **0.2000** (0.1800–0.2200) | **9.00** (8.10–9.90) |",
        "| exact title | 0.1000 (0.0900–0.1100) | 15.00 (13.50–16.50) |",
    ]


def test_the_heading_says_what_was_answered() -> None:
    assert "## titles, split main (clean protocol), test, 1,031 playlists\n" in markdown_report(TWO)


def test_challenge_metrics_and_the_papers_stand_in_tables_of_their_own() -> None:
    rows = [*TWO, row("ours", "paper_recall", 0.4), row("ours", "paper_recall", 0.1, k=66)]
    heads = [line for line in lines(markdown_report(rows)) if line.startswith("| method")]
    assert heads == [
        "| method | NDCG@500 | clicks@500 |",
        "| method | R@500 | R@66 |",
        "| method | R@66 |",
        "| method | R@500 |",
    ]
    assert "by its own formulas" in markdown_report(rows)


def test_a_metric_of_another_kind_is_shown_by_its_name() -> None:
    assert lines(markdown_report([row("ours", "coverage", 0.25, k=10)]))[0] == "| method | coverage@10 |"


def test_every_split_and_part_has_its_own_section() -> None:
    rows = [row("ours"), row("ours", part="validation"), row("ours", subject="challenge 1", split=None, protocol=None)]
    assert re.findall("^## .*", markdown_report(rows), re.MULTILINE) == [
        "## challenge 1, test, 1,031 playlists",
        "## titles, split main (clean protocol), test, 1,031 playlists",
        "## titles, split main (clean protocol), validation, 1,031 playlists",
    ]


def test_one_method_alone_is_not_called_the_best() -> None:
    assert lines(markdown_report([row("ours")]))[2] == "| ours | 0.5000 (0.4500–0.5500) |"
    assert "<b>" not in html_report([row("ours")])
    [svg] = svgs(html_report([row("ours")]))
    assert [bar.get("class") for bar in svg.iter("rect")] == ["bar"]


def test_a_missing_value_is_a_dash_and_has_no_bar() -> None:
    rows = [row("ours"), row("other"), row("ours", "clicks", 3.0)]
    assert lines(markdown_report(rows))[3] == "| other | **0.5000** (0.4500–0.5500) | – |"
    assert [len(list(svg.iter("rect"))) for svg in svgs(html_report(rows))] == [2, 1]


def test_methods_with_equal_values_are_both_the_best() -> None:
    assert markdown_report([row("a"), row("b")]).count("**0.5000**") == 2


def test_a_method_that_answered_fewer_playlists_is_not_compared() -> None:
    rows = [*TWO, row("LLM, 5-shot", value=0.9, playlists=22)]
    assert lines(markdown_report(rows)) == [
        "| method | playlists | NDCG@500 | clicks@500 |",
        "| --- | ---: | ---: | ---: |",
        "| ours | 1,031 | **0.2000** (0.1800–0.2200) | **9.00** (8.10–9.90) |",
        "| exact title | 1,031 | 0.1000 (0.0900–0.1100) | 15.00 (13.50–16.50) |",
        "| LLM, 5-shot | 22 | 0.9000 (0.8100–0.9900) | – |",
    ]


def test_without_rows_the_report_says_so() -> None:
    assert "Nothing was measured yet." in markdown_report([])
    assert "Nothing was measured yet." in html_report([])


NASTY = "a|b <script>alert(1)</script> & {body} *x* `y`"


def test_names_cannot_break_a_markdown_table() -> None:
    line = lines(markdown_report([row(NASTY)], title="x\n# y"))[2]
    assert line.startswith(r"| a\|b \<script\>alert(1)\</script\> \& {body} \*x\* \`y\` | 0.5000")
    assert markdown_report([], title="x\n# y").startswith("# x \\# y\n")


def test_names_cannot_break_the_page() -> None:
    page = html_report([row(NASTY), row("ours", split=NASTY)], title=NASTY)
    assert "<script" not in page
    assert page.count("{body}") > 1  # as it was written, not filled in
    [_, svg] = svgs(page)
    assert svg.findtext("g/title", "").startswith(NASTY)


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "srcset", "onload", "onclick")]


def test_the_page_loads_nothing_and_is_made_for_light_and_dark() -> None:
    page = html_report(TWO)
    links = Links()
    links.feed(page)
    assert links.found == []
    assert "url(" not in page
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page


def test_bars_are_as_long_as_their_values_with_the_interval_over_their_ends() -> None:
    ndcg, _ = svgs(html_report(TWO))
    ours, exact = (float(bar.get("width", "0")) for bar in ndcg.iter("rect"))
    assert ours == pytest.approx(2 * exact, abs=0.2)
    whisker = ndcg.find("g/path")
    assert whisker is not None
    low, high = re.findall(r"M([\d.]+) [\d.]+v", whisker.get("d", ""))
    assert (float(low), float(high)) == (pytest.approx(0.9 * ours, abs=0.2), pytest.approx(1.1 * ours, abs=0.2))
    assert [bar.get("class") for bar in ndcg.iter("rect")] == ["bar best", "bar"]


def test_everything_of_a_chart_lies_within_it() -> None:
    for svg in svgs(html_report([*TWO, row("all zero", value=0.0), row("wide", value=0.1, low=0.0, high=1.0)])):
        _, _, width, height = map(float, svg.get("viewBox", "").split())
        for text in svg.iter("text"):
            assert 0 <= float(text.get("x", "")) <= width - 40
            assert 0 <= float(text.get("y", "")) <= height


def test_values_of_zero_have_bars_without_length() -> None:
    [svg] = svgs(html_report([row("a", value=0.0), row("b", value=0.0)]))
    assert {bar.get("width") for bar in svg.iter("rect")} == {"0.0"}


def test_a_long_name_is_cut_above_its_bar_and_whole_in_the_table() -> None:
    page = html_report([row("m" * 80)])
    [svg] = svgs(page)
    assert svg.findtext("g/text") == "m" * 55 + "…"
    assert f"<td>{'m' * 80}" in page
