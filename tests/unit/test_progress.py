"""What long work tells as it goes on, and when it is interrupted."""

import time
from pathlib import Path

import pytest
import typer

from cli import output
from recsys.folders import training_state
from recsys.progress import SECONDS_A_LINE, by_step, by_time


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that have passed, in a list of one."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_line_is_written_each_half_a_minute_and_none_of_what_takes_less(pass_time: list[float]) -> None:
    said: list[str] = []
    show = by_time(said.append)
    for epoch in range(10):
        pass_time[0] = 13.0 * epoch
        show("training", epoch, 10)
    assert said == ["training (3 of 10)\n", "training (6 of 10)\n", "training (9 of 10)\n"]


def test_a_step_that_begins_is_told_at_once(pass_time: list[float]) -> None:
    said: list[str] = []
    show = by_step(said.append)
    show("reading", 0, 0)
    show("training", 0, 5)
    show("training", 1, 5)
    pass_time[0] = SECONDS_A_LINE
    show("training", 2, 5)
    assert said == ["reading\n", "training (0 of 5)\n", "training (2 of 5)\n"]


def test_steps_are_told_as_lines_where_stderr_is_no_terminal(
    pass_time: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with output.steps("graphs") as show:
        show("reading plays", 0, 0)
        pass_time[0] = SECONDS_A_LINE
        show("reading plays", 5_000, 0)
    assert capsys.readouterr().err == "reading plays (5000)\n"


def test_what_ctrl_c_leaves_of_a_training_is_told_by_whether_its_state_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = training_state(tmp_path / "out")
    said = []
    for _ in range(2):
        with pytest.raises(typer.Exit) as end, output.resumable(state=state):
            raise KeyboardInterrupt
        assert end.value.exit_code == 1
        said.append(capsys.readouterr().err)
        state.mkdir(exist_ok=True)
    assert said == [
        "interrupted: nothing is kept\n",
        "interrupted: what was finished is kept, run the same command again to go on\n",
    ]
