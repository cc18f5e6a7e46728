"""How long work tells what it is doing, and what is left of it when it is interrupted; the library never prints."""

import time
from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, and how much of how much is done (0 of 0 where that is unknown)."""

SECONDS_A_LINE = 30.0


def silent(_step: str, _done: int, _all: int) -> None:
    """Progress that nobody wants to see."""


def by_time(write: Callable[[str], object]) -> Progress:
    """Progress that writes a line each half a minute, and none of what takes less."""
    last = time.monotonic()

    def show(step: str, done: int, of: int) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_A_LINE:
            write(_line(step, done, of))
            last = time.monotonic()

    return show


def by_step(write: Callable[[str], object]) -> Progress:
    """Progress that writes a line when a step begins, and each half a minute as it goes on."""
    last = ""
    going_on = by_time(write)

    def show(step: str, done: int, of: int) -> None:
        nonlocal last
        if step != last:
            write(_line(step, done, of))
            last = step
        else:
            going_on(step, done, of)

    return show


def _line(step: str, done: int, of: int) -> str:
    if of:
        return f"{step} ({done} of {of})\n"
    return f"{step} ({done})\n" if done else f"{step}\n"


def interruption(is_kept: bool) -> str:
    """What Ctrl-C leaves."""
    if is_kept:
        return "interrupted: what was finished is kept, run the same command again to go on"
    return "interrupted: nothing is kept"
