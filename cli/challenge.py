"""`recsys titles challenge` and `recsys titles verify`: the RecSys Challenge 2018's files."""

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import output
from .lists import AS_OF, split_as_of

if TYPE_CHECKING:
    from recsys.evaluation.challenge import CategoryResult

CHALLENGE_SET = typer.Argument(metavar="CHALLENGE_SET", help="The challenge's playlists, .json or .json.gz.")
METRICS = (
    ("R-precision", "r_precision", 4),
    ("of tracks", "r_precision_tracks", 4),
    ("NDCG", "ndcg", 4),
    ("clicks", "clicks", 2),
)


class Part(StrEnum):
    """Parts that are held out."""

    VALIDATION = "validation"
    TEST = "test"


def challenge(
    challenge_set: Path = CHALLENGE_SET,
    out: Path = typer.Option(..., "--output", "-o", metavar="FILE", help="The submission, .csv or .csv.gz."),
    team: str = typer.Option("recsys", metavar="NAME", help="The team's name."),
    email: str = typer.Option("recsys@example.org", metavar="ADDRESS", help="Where the team is reached."),
    as_of: str = AS_OF,
) -> None:
    """Write 500 tracks for each playlist of a challenge set.

    Any title is answered, also an unseen or empty one, and any given tracks. The file is there once it is whole.
    """
    from recsys.config import load_settings
    from recsys.database import connect, require_migrated, translated_errors
    from recsys.titles import recommender_as_of
    from recsys.titles.challenge import answer_challenge, read_challenge_set, write_submission

    for name, value in (("--team", team), ("--email", email)):
        if not value.strip() or re.search(r"[,\x00-\x1f\x7f\ud800-\udfff]", value):
            raise typer.BadParameter("it is empty, or holds a comma or a line break", param_hint=name)
    split = split_as_of(as_of)
    playlists = read_challenge_set(challenge_set)
    with translated_errors(), connect(load_settings(), autocommit=True) as connection, output.progress() as bar:
        require_migrated(connection)
        model = None if split is None else recommender_as_of(connection, split)
        task = bar.add_task("playlists", total=len(playlists))
        answers = answer_challenge(
            connection, playlists, model=model, progress=lambda done, _all: bar.update(task, completed=done)
        )
        written = write_submission(out, answers, team=team.strip(), email=email.strip())
    output.note(f"written: {out}, {output.number(written)} playlists")


def verify(
    challenge_set: Path = CHALLENGE_SET,
    submission: Path = typer.Argument(metavar="SUBMISSION", help="The file to verify, .csv or .csv.gz."),
    as_json: bool = output.JSON,
) -> None:
    """Check a submission by the challenge's rules.

    One line a fault; exit code 1 says that there are some.
    """
    from recsys.titles.challenge import read_challenge_set, verify_submission

    playlists = read_challenge_set(challenge_set)
    faults = verify_submission(playlists, submission)
    if as_json:
        output.print_json(faults)
    else:
        output.print_facts((f"line {fault.line}" if fault.line else "", fault.message) for fault in faults)
    if faults:
        output.note(f"{output.number(len(faults))} {'fault' if len(faults) == 1 else 'faults'}: {submission}")
        raise typer.Exit(1)
    output.note(f"well formed: {output.number(len(playlists))} playlists in {submission}")


def evaluate(
    split: str = typer.Option("clean", metavar="NAME", help="The split, see `recsys titles split`."),
    part: Part = typer.Option(Part.VALIDATION, metavar="PART", help="validation, or test for what is reported once."),
    limit: int | None = typer.Option(None, min=1, metavar="COUNT", help="So many playlists of a category at most."),
    seed: int = typer.Option(0, metavar="NUMBER", help="Of what a category chooses at random."),
    as_json: bool = output.JSON,
) -> None:
    """The ten categories of the RecSys Challenge 2018, one by one, beside item kNN and implicit ALS.

    The results are kept: SELECT * FROM leaderboard.
    """
    from recsys.config import load_settings
    from recsys.evaluation.challenge import evaluate_challenge

    with output.steps("reading") as show:
        results = evaluate_challenge(load_settings(), split, part.value, limit=limit, seed=seed, progress=show)
    if as_json:
        output.print_json(_line(result) for result in results)
        return
    columns: list[tuple[str, output.Justify]] = [(name, "right") for name, _, _ in METRICS]
    made = output.table(
        ("category", "left"), ("method", "left"), ("playlists", "right"), *columns, ("seconds", "right")
    )
    rows = []
    for result in results:
        values = [f"{result.mean(metric):.{digits}f}" for _, metric, digits in METRICS]
        label = f"{result.category.number} {result.category}"
        rows.append([label, result.method, result.playlists, *values, f"{result.seconds:.1f}"])
    output.print_table(made, rows)


def _line(result: "CategoryResult") -> dict[str, object]:
    facts: dict[str, object] = {
        "category": result.category.number,
        "name": str(result.category),
        "method": result.method,
        "playlists": result.playlists,
        "seconds": result.seconds,
    }
    return facts | {metric: result.mean(metric) for _, metric, _ in METRICS}
